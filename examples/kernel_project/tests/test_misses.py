"""TLB misses of each phase of the kernel, exactly as in tlb-baselines/test_misses.toml."""

from collections.abc import Callable

import pytest
from conftest import Kernel

from emu.pytest_plugin import TlbMisses

PHASES = ["fill_queue", "scan_queue", "run_user"]  # in this order, each to the beginning of the next
NOTHING_MAPPED = 0x70000000  # not even a table
NO_PAGE = 0x40800000  # a table, but no entry in it
USER_TEXT = 0x10000000
REFILLS = {  # by fault status: what missed, and the instructions of access_error
    14: ("read", 33),
    10: ("write", 35),
    5: ("fetch", 39),
    6: ("fetch of an extension word", 42),
}
NewKernel = Callable[[], Kernel]


def test_boot_misses_nothing(kernel: NewKernel, tlb_misses: TlbMisses) -> None:
    booting = kernel()
    booting.run_to("fill_queue")

    tlb_misses.check(booting.machine)
    booting.require_reached()


@pytest.mark.parametrize("phase", PHASES)
def test_misses_of_a_phase(phase: str, kernel: NewKernel, tlb_misses: TlbMisses) -> None:
    running = kernel()
    running.set("passes", 1)
    running.run_to(phase)
    running.require_reached()
    before = tlb_misses.mark(running.machine)
    running.run_to(dict(zip(PHASES, [*PHASES[1:], ""], strict=True))[phase])

    tlb_misses.check(running.machine, since=before)
    running.require_reached()


@pytest.mark.parametrize("passes", [2, 8])
@pytest.mark.tlb_budget(itlb=2, cycles=400_000)
def test_misses_of_several_passes(passes: int, kernel: NewKernel, tlb_misses: TlbMisses) -> None:
    running = kernel()
    running.set("passes", passes)
    running.run_to()

    tlb_misses.check(running.machine)
    running.require_reached()


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        pytest.param("kernel_probe", NOTHING_MAPPED, id="kernel, no table"),
        pytest.param("kernel_probe", NO_PAGE, id="kernel, no page"),
        pytest.param("user_probe", NO_PAGE, id="user, no page"),
        pytest.param("user_probe", USER_TEXT, id="user, read-only"),
    ],
)
def test_a_forbidden_access_is_fatal(variable: str, address: int, kernel: NewKernel, tlb_misses: TlbMisses) -> None:
    running = kernel()
    running.set(variable, address)
    running.run_to("fatal")

    tlb_misses.check(running.machine)
    running.require_reached()
    running.run_to()
    running.require_reached()


def test_a_refill_is_as_long_as_ever(kernel: NewKernel) -> None:
    """Instructions from the miss to the return: counts of misses cannot tell that a handler has become slower, or that
    it lacks a NOP."""
    running = kernel()
    running.run_to()
    running.require_reached()

    refills = running.machine.access_errors()
    lengths = {fs: {*refills["instructions"][refills["fs"] == fs].tolist()} for fs in REFILLS}
    for fs, (what, length) in REFILLS.items():
        assert lengths[fs] == {length}, f"the refill of a {what} has another length than {length} instructions"
