"""Causes, distributions and shares: arithmetic on records of access errors."""

import numpy as np
from numpy.typing import NDArray

from emu.counters import Counters
from emu.mmu.registers import FS_FETCH_MISS, FS_READ_MISS, FS_READ_PROTECTED, FS_WRITE_MISS, FS_WRITE_PROTECTED
from emu.mmu.state import FETCH, READ, WRITE
from emu.profile import ACCESS_ERROR_DTYPE, CLEAN_PAGE, Profile, Share, decode_records, make_profile

PAGE = 0x2000


def errors(*rows: dict[str, int]) -> NDArray[np.void]:
    """Records with the given fields; a refill of a user read that took 250 cycles otherwise."""
    usual = {"kind": READ, "fs": FS_READ_MISS, "cycles": 250, "instructions": 130, "frame_before": -1, "frame_after": 0}
    result = np.zeros(len(rows), ACCESS_ERROR_DTYPE)
    for i, row in enumerate(rows):
        for name, value in {**usual, **row}.items():
            result[name][i] = value
    return result


def profile(records: NDArray[np.void], counters: Counters | None = None) -> Profile:
    return make_profile(
        records,
        counters or Counters(instructions=10_000, cycles=20_000),
        lambda va: "vmalloc" if va >= 0xD0000000 else None,
        lambda pc: "kernel" if pc < 0x1000 else "program",
    )


def test_causes_are_told_apart() -> None:
    write = {"kind": WRITE, "fs": FS_WRITE_MISS}
    records = errors(
        {},
        {"supervisor": 1},
        write,
        {"kind": FETCH, "fs": FS_FETCH_MISS},
        {"va": 0xD0000010, "supervisor": 1},
        {**write, "frame_after": -1},  # nothing was loaded: the page had to be made
        {"fs": FS_READ_PROTECTED, "frame_before": 0x4000},
    )
    assert {cause: d.count for cause, d in profile(records).causes.items()} == {
        "user read": 1,
        "kernel read": 1,
        "user write": 1,
        "user fetch": 1,
        "vmalloc read": 1,
        "user write, page fault": 1,
        "refused read": 1,
    }


def test_a_violation_is_named_by_the_page_that_comes_after_it() -> None:
    """The handler of a violation drops the page; the next miss of it shows whether it is the same one or a copy."""
    violation = {"kind": WRITE, "fs": FS_WRITE_PROTECTED, "frame_before": 0x8000, "frame_after": -1}
    miss = {"kind": WRITE, "fs": FS_WRITE_MISS}
    records = errors(
        {**violation, "va": PAGE},
        {**violation, "va": 2 * PAGE},
        {**violation, "va": 3 * PAGE},
        {**miss, "va": PAGE + 4, "frame_after": 0x8000},
        {**miss, "va": 2 * PAGE, "frame_after": 0xA000},
        {**miss, "va": 3 * PAGE, "frame_after": 0xC000, "asid": 9},  # another process's page
    )
    causes = profile(records).causes
    assert causes[CLEAN_PAGE].count == 1
    assert causes["write to a page that is copied"].count == 1
    assert causes["refused write"].count == 1


def test_a_distribution_shows_figures_that_occurred() -> None:
    records = errors(*({"cycles": 200 + n, "instructions": n} for n in range(200)))
    found = profile(records).causes["user read"]
    assert (found.count, found.minimum, found.median, found.p99, found.maximum) == (200, 200, 299, 397, 399)
    assert (found.instructions, found.cycles, found.switched) == (99, sum(range(200, 400)), 0)


def test_an_error_that_ends_in_another_process_is_counted_and_not_timed() -> None:
    found = profile(errors({}, {"cycles": 10**6, "switched": 1})).causes["user read"]
    assert (found.count, found.switched, found.maximum) == (2, 1, 250)


def test_translation_is_refills_and_first_writes_each_cycle_once() -> None:
    page_fault = {"frame_after": -1, "cycles": 30_000}
    nested = {"depth": 1, "cycles": 100}
    clean = {"kind": WRITE, "fs": FS_WRITE_PROTECTED, "frame_before": 0x8000, "frame_after": 0x8000, "cycles": 400}
    found = profile(errors({}, page_fault, nested, clean), Counters(instructions=10_260, cycles=6_500))
    assert found.translation_cycles == 250 + 400
    assert found.translation_instructions == 2 * 130
    assert found.per_instruction == 650 / 10_000
    assert found.share == 0.1


def test_processes_and_symbols_have_their_shares() -> None:
    records = errors(
        {"asid": 1, "pc": 0x10}, {"asid": 2, "pc": 0x2000}, {"asid": 2, "pc": 0x20, "fs": FS_READ_PROTECTED}
    )
    found = profile(records)
    assert found.processes == {1: Share(1, 0, 250), 2: Share(1, 1, 500)}
    assert found.symbols == {"kernel": Share(1, 1, 500), "program": Share(1, 0, 250)}


def test_a_profile_of_nothing_is_empty() -> None:
    found = profile(errors(), Counters())
    assert (found.causes, found.processes, found.per_instruction, found.share) == ({}, {}, 0, 0)
    assert found.to_dict()["published"][0]["value"] == "0.05"


def test_the_engine_packs_what_is_decoded_here() -> None:
    packed = 2 | 1 << 4 | 13 << 8 | 200 << 16 | 3 << 24 | 1 << 32
    decoded = decode_records(np.array([[0xD0000000, 0x1234, packed, 99, 7, -1, 0x6000]], np.int64))[0]
    assert {name: int(decoded[name]) for name in ACCESS_ERROR_DTYPE.names or ()} == {
        "va": 0xD0000000,
        "pc": 0x1234,
        "kind": 2,
        "supervisor": 1,
        "fs": 13,
        "asid": 200,
        "depth": 3,
        "switched": 1,
        "cycles": 99,
        "instructions": 7,
        "frame_before": -1,
        "frame_after": 0x6000,
    }
