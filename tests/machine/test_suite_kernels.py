"""The embedded suite computes what a build for the host computes, in every way and engine, and misses where it must."""

from functools import cache
from typing import get_args

import pytest

from benchmarks.suite import KERNELS, WAYS, Comparison, Run, Way, compare, get_kernel, guest, run
from tests.support.suite import SMALL

ELF = guest()
NAMES = [kernel.name for kernel in KERNELS]
TRANSLATED: tuple[Way, ...] = ("coyotos", "linux")
ENGINES = ("native", "public")
PAGE = 8192


@cache
def small(name: str, way: Way, engine: str) -> Run:
    size, repetitions, _ = SMALL[name]
    return run(get_kernel(name), way, engine, size=size, repetitions=repetitions, elf=ELF)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_the_checksum_is_that_of_the_host(name: str, way: Way, engine: str) -> None:
    assert small(name, way, engine).checksum == SMALL[name].checksum


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_both_engines_count_the_same(name: str, way: Way) -> None:
    native, public = (small(name, way, engine) for engine in ENGINES)

    assert native.counters == public.counters


@pytest.mark.parametrize("name", NAMES)
def test_nothing_misses_without_translation(name: str) -> None:
    counters = small(name, "direct", "native").counters

    assert counters.misses.total == 0
    assert list(counters.exceptions) == [47]  # the TRAP at the end


@pytest.mark.parametrize("way", TRANSLATED)
@pytest.mark.parametrize("name", NAMES)
def test_only_the_kernel_misses_and_nothing_is_forbidden(name: str, way: Way) -> None:
    counters = small(name, way, "native").counters

    assert counters.exceptions == {2: counters.misses.total, 47: 1}
    assert counters.misses.itlb >= 1
    assert counters.misses.dtlb >= 2  # stack and data
    assert counters.misses.kernel == counters.violations == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", TRANSLATED)
def test_a_large_working_set_misses_again_and_again(way: Way, engine: str) -> None:
    pages = -(-SMALL["table"].size * 64 // PAGE)

    assert pages > 32
    assert small("table", way, engine).counters.misses.dtlb > 4 * pages
    assert small("table", way, engine).counters.misses.dtlb == small("table", "linux", "native").counters.misses.dtlb


@pytest.mark.parametrize(("way", "least", "most"), [("coyotos", 25, 50), ("linux", 128, 150)])
def test_a_refill_is_as_long_as_that_of_the_kernel_it_stands_for(way: Way, least: int, most: int) -> None:
    comparison = Comparison(small("table", "direct", "native"), small("table", way, "native"))

    assert least <= comparison.refill_instructions <= most


def test_a_comparison_charges_translation_to_the_instructions_of_the_kernel() -> None:
    size, repetitions, _ = SMALL["table"]
    linux = compare(get_kernel("table"), "native", size=size, repetitions=repetitions)["linux"]
    direct, translated = small("table", "direct", "native"), small("table", "linux", "native")

    assert linux.translated.counters == translated.counters
    assert 0 < linux.speed < 1
    assert linux.cycles_per_instruction == translated.counters.refill_cycles / direct.instructions


def test_every_kernel_of_the_guest_is_listed_with_a_size_it_can_take() -> None:
    assert {f"k_{name}" for name in NAMES} == {s.name for s in ELF.symbols if s.name.startswith("k_")}
    for kernel in KERNELS:
        kernel.check(kernel.size, kernel.repetitions)
        kernel.check(kernel.most, 1)
    assert get_args(Way) == WAYS


@pytest.mark.parametrize(
    ("name", "size", "repetitions", "reason"),
    [
        ("sort", 3, 1, "size 3 is not between 4"),
        ("table", 16385, 1, "size 16385 is not between 4 and 16384"),
        ("fft_fixed", 48, 1, "not a power of two"),
        ("bits", 16, 0, "0 repetitions"),
    ],
)
def test_a_size_that_the_guest_cannot_take_is_refused(name: str, size: int, repetitions: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        run(get_kernel(name), "direct", size=size, repetitions=repetitions, elf=ELF)


def test_an_unknown_kernel_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="'quake' is unknown; there are sort, crc32"):
        get_kernel("quake")
