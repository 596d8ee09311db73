"""An unmodified Linux boots to a shell and runs every command of it: the same transcript in both engines and with TLBs
of any size, and equal counts where they must be equal."""

import functools
import re
from pathlib import Path

import pytest

from benchmarks.linux_profile import DOCUMENT, profile_document
from emu.machine import StopReason
from emu.profile import CLEAN_PAGE, make_profile
from emu.timing.state import LEVELS
from emu.trace.format import Trace
from emu.trace.replay import replay
from tests.support.linux import TRANSCRIPT, LinuxRun, boot, masked, vmlinux

pytestmark = pytest.mark.slow
VMALLOC = range(0xD0000000, 0xE0000000)


@functools.cache
def reference_run() -> LinuxRun:
    """The native engine, TLBs as the hardware has them."""
    return boot()


def test_it_boots_runs_every_command_and_restarts() -> None:
    run = reference_run()
    assert run.reason is StopReason.RESET
    assert masked(run.console).splitlines() == TRANSCRIPT.read_text().splitlines()


def test_two_runs_are_equal() -> None:
    first, second = reference_run(), boot()
    assert second.console == first.console
    assert second.counters == first.counters
    assert (second.errors == first.errors).all()


@pytest.mark.parametrize("entries", [16, 8, 4])
def test_a_smaller_tlb_changes_the_misses_only(entries: int) -> None:
    run = boot(entries=entries)
    assert masked(run.console).splitlines() == TRANSCRIPT.read_text().splitlines()
    assert run.counters.misses.dtlb > reference_run().counters.misses.dtlb
    assert run.counters.misses.itlb >= reference_run().counters.misses.itlb


def test_the_public_engine_counts_the_same() -> None:
    run = boot("public")
    assert run.console == reference_run().console
    assert run.counters == reference_run().counters
    assert (run.errors == reference_run().errors).all()


def test_its_trace_misses_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "linux.trace"
    run = boot(recording=path)
    assert run.console == reference_run().console
    assert run.counters == reference_run().counters
    result, misses = replay(Trace(path)), run.counters.misses
    assert (result.exact, result.first_difference) == (True, None)
    assert (result.wrong_misses, result.wrong_entries) == (0, 0)
    assert (result.itlb_misses, result.dtlb_misses, result.nested) == (misses.itlb, misses.dtlb, misses.nested)
    assert (result.violations, result.cycles) == (run.counters.violations, run.counters.cycles)
    assert result.checked_entries > misses.dtlb


def test_no_level_of_time_changes_what_linux_does() -> None:
    """With instructions as the clock: the same console, the same misses, the same path; other cycles."""
    flat, pipeline, full = (boot(timing=level, clock="instructions") for level in LEVELS)
    assert masked(flat.console).splitlines() == TRANSCRIPT.read_text().splitlines()
    for run in (pipeline, full):
        assert run.console == flat.console
        assert run.counters.misses == flat.counters.misses
        assert run.counters.exceptions == flat.counters.exceptions
        assert run.counters.instructions == flat.counters.instructions
        assert run.counters.cycles != flat.counters.cycles
    assert full.counters.bill.stalls > 0 == pipeline.counters.bill.stalls


def test_the_profile_tells_where_misses_come_from() -> None:
    """Of the causes that the script provokes none is missing, and refills take what this kernel's code takes."""
    run, elf = reference_run(), vmlinux()
    profile = make_profile(
        run.errors,
        run.counters,
        lambda va: "vmalloc" if va in VMALLOC else None,
        lambda pc: elf.symbol(pc) or "user",
    )
    expected = {"user read", "user write", "user fetch", "kernel read", "kernel write", "vmalloc read"}
    expected |= {CLEAN_PAGE, "write to a page that is copied", "user write, page fault", "user fetch, page fault"}
    assert expected <= set(profile.causes)
    assert sum(d.count for d in profile.causes.values()) == len(run.errors)
    misses = run.counters.misses.total
    assert sum(share.misses for share in profile.processes.values()) <= misses
    refill = profile.causes["user read"]
    assert 120 <= refill.instructions <= 180  # sheet 5: about 150, from compiled code
    assert refill.minimum > 18 + 15  # exception entry and RTE alone
    assert 0 < profile.per_instruction < 1


def test_the_document_shows_the_profile_of_today() -> None:
    """docs/linux.md is of one version of Debian's kernel; another one has other counts."""
    vmlinux()
    document = profile_document()
    stored = DOCUMENT.read_text()
    version, stored_version = (re.search(r"Linux \d+\.\d+\.\d+", text) for text in (document, stored))
    assert version is not None
    assert stored_version is not None
    if version[0] != stored_version[0]:
        pytest.skip(f"docs/linux.md is of {stored_version[0]}, Debian's source here is {version[0]}")
    assert document == stored, "stale: run `make linux-profile`"
