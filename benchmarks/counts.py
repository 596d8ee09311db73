"""The miss-count suite: all workloads, every strategy under every mapping, exact, against what was accepted.

``python -m benchmarks --only counts --update`` accepts today's counts: benchmarks/misses.toml, to be committed.
"""

from pathlib import Path

from emu.regression.baseline import accept, read
from emu.regression.compare import Comparison, compare_all
from emu.regression.misses import Measurement
from emu.regression.results import row_entries
from kernel_model.comparison import Selection, compare_scenario

__all__ = ["BASELINE", "compare_counts", "measured"]

BASELINE = Path(__file__).parent / "misses.toml"
SCENARIO = Path("workloads")


def measured() -> dict[str, Measurement]:
    """Misses of every workload of every row, by name."""
    import msgspec

    report = compare_scenario(SCENARIO, Selection((), ())).report
    rows = [msgspec.to_builtins(row) for row in report.rows]
    return {
        f"{row['strategy']}/{row['mapping']}: {name}": entry for row in rows for name, entry in row_entries(row).items()
    }


def compare_counts(update: bool = False) -> Comparison:
    """Run everything and compare; ``update``: accept it first."""
    found = measured()
    if update:
        accept(BASELINE, found)
    return compare_all(read(BASELINE), found)
