"""What the levels of the time model cost in host time, on the embedded suite, as ratios within one run."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import geometric_mean, median

from benchmarks.suite import KERNELS, run
from emu.timing.state import LEVELS

__all__ = ["LevelSpeed", "mean_ratios", "measure_levels"]


@dataclass(frozen=True)
class LevelSpeed:
    """One kernel without translation; ``guest_mips`` and ``ratio`` (of the flat level's speed) by level, medians."""

    kernel: str
    what: str
    guest_mips: dict[str, float]
    ratio: dict[str, float]


def measure_levels(repeats: int) -> Iterator[LevelSpeed]:
    """Each kernel ``repeats`` times at each level in turn."""
    for kernel in KERNELS:
        times: dict[str, list[float]] = {level: [] for level in LEVELS}
        instructions = 0
        for _ in range(repeats):
            for level, seconds in times.items():
                one = run(kernel, "direct", timing=level)
                instructions = one.instructions
                seconds.append(one.seconds)
        yield LevelSpeed(
            kernel=kernel.name,
            what=kernel.what,
            guest_mips={level: instructions / median(seconds) / 1e6 for level, seconds in times.items()},
            ratio={
                level: median(flat / mine for flat, mine in zip(times["flat"], seconds, strict=True))
                for level, seconds in times.items()
            },
        )


def mean_ratios(speeds: list[LevelSpeed]) -> dict[str, float]:
    """Geometric means over the kernels."""
    return {level: geometric_mean(speed.ratio[level] for speed in speeds) for level in LEVELS}
