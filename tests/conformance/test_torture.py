"""GCC's execute tests behind the hostile MMU: a sample; ``make torture`` runs all of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emu.elf import load_elf
from tests.conformance.torture import build
from tests.conformance.torture.campaign import Row, judge, run_program
from tests.conformance.torture.hostile import DTLB_FREE, ITLB_FREE, Outcome, Rig, lock_list, pages
from tests.conformance.torture.sources import EXCLUDED, EXPLAINED, Source, all_sources, missing_package
from tests.support.guest import DTLB_BASE, LK

MISSING = missing_package()
needs_packages = pytest.mark.skipif(MISSING is not None, reason=f"the Debian package {MISSING} is not installed")
SAMPLE = 20
STRIDE = 83  # spreads the sample over the suite


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def compiled(tmp_path: Path, code: str) -> build.Program:
    """A program of our own, built like the suite's."""
    path = tmp_path / "own.c"
    path.write_text(code)
    return build.build(Source("own", path), "1")


# --- the sample


@needs_packages
def test_a_sample_runs_behind_the_mmu_as_without_it_and_under_qemu(rig: Rig) -> None:
    wanted = [source for source in all_sources() if source.name not in EXCLUDED][::STRIDE][:SAMPLE]
    programs = list(build.build_all(wanted, ["1"], 2))
    assert [program.error for program in programs if program.elf is None] == []
    rows = [run_program(rig, program, [4]) for program in programs]
    assert len(rows) == SAMPLE
    assert [difference for row in rows if (difference := judge(row, 4))] == []
    # The conditions were hostile: every program missed, was interrupted, and wrote to clean pages.
    outcomes = [row.hostile[4] for row in rows]
    assert min(outcome.misses for outcome in outcomes) >= 4
    assert min(outcome.interrupts for outcome in outcomes) >= 1
    assert min(outcome.violations for outcome in outcomes) >= 1


# --- the judge and the conditions: what is wrong must be seen

FINE = Outcome(0, b"text")


def row(name: str = "own", flat: Outcome = FINE, qemu: Outcome = FINE, hostile: Outcome = FINE) -> Row:
    return Row(name, "1", flat, qemu, {4: hostile})


@pytest.mark.parametrize("wrong", [Outcome(3, b"text"), Outcome(0, b"other"), Outcome(-1, b"text", "no end")])
def test_one_who_differs_is_named(wrong: Outcome) -> None:
    assert judge(row(), 4) is None
    assert all(judge(one, 4) for one in (row(flat=wrong), row(qemu=wrong), row(hostile=wrong)))


def test_agreement_in_failure_is_a_difference_too() -> None:
    failed = Outcome(134, b"")
    assert judge(row(flat=failed, qemu=failed, hostile=failed), 4) is not None


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_explained_test_must_end_as_explained(name: str) -> None:
    machine, qemu = Outcome(EXPLAINED[name].machine, b""), Outcome(EXPLAINED[name].qemu, b"")
    assert judge(row(name, flat=machine, qemu=qemu, hostile=machine), 4) is None
    assert judge(row(name, flat=FINE, qemu=replace(FINE, status=1), hostile=FINE), 4) is not None


@needs_packages
def test_a_program_that_fails_or_faults_is_seen(rig: Rig, tmp_path: Path) -> None:
    endings = {"return 3;": 3, "abort();": 134, '__asm__("illegal");': 132, "*(volatile int *)16 = 1;": 139}
    for statement, status in endings.items():
        program = compiled(tmp_path, f"void abort(void); int main(void) {{ {statement} return 0; }}")
        outcome = run_program(rig, program, [8])
        assert (outcome.hostile[8].status, outcome.qemu.status) == (status, status), statement
        assert judge(outcome, 8) is not None


@needs_packages
def test_a_page_table_with_two_frames_exchanged_is_seen(rig: Rig, tmp_path: Path) -> None:
    program = compiled(tmp_path, '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }')
    assert program.elf is not None
    elf = load_elf(program.elf)
    good = rig.hostile(elf, 4, "seed", 10_000)
    frames = rig.frames[4]
    frames[0], frames[1] = frames[1], frames[0]  # where the program is put, but not what the kernel's table says
    bad = rig.hostile(elf, 4, "seed", 10_000)
    frames[0], frames[1] = frames[1], frames[0]
    assert (good.status, good.output) == (0, b"hello\n")
    assert (bad.status, bad.output) != (0, b"hello\n")


@needs_packages
def test_only_the_minimum_of_entries_is_unlocked_to_the_end(rig: Rig, tmp_path: Path) -> None:
    program = compiled(tmp_path, "int main(void) { for (volatile int i = 0; i < 20000; i++); return 0; }")
    assert program.elf is not None
    outcome = rig.hostile(load_elf(program.elf), 4, "seed", 200_000)
    assert outcome.interrupts > 50  # CA among them: each time the kernel locked all again
    locked = (rig.machine.core.state["mmu"]["data"] & LK != 0).sum(axis=1)
    assert list(locked) == [32 - ITLB_FREE, 32 - DTLB_FREE]


def test_the_same_seed_gives_the_same_locks_and_another_one_others() -> None:
    import random

    def free(seed: str) -> set[int]:
        rows = lock_list(random.Random(seed))
        return {*range(64)} - {int.from_bytes(rows[at : at + 4], "big") for at in range(0, len(rows) - 4, 16)}

    assert free("a") == free("a") != free("b")
    assert [sum(number < DTLB_BASE for number in free("a")), len(free("a"))] == [ITLB_FREE, ITLB_FREE + DTLB_FREE]


def test_data_is_cut_where_pages_meet() -> None:
    data = bytes(range(256)) * 10
    parts = list(pages(0x3F0, data, 10))
    assert b"".join(part for _, part in parts) == data
    assert [(va, len(part)) for va, part in parts] == [(0x3F0, 16), (0x400, 1024), (0x800, 1024), (0xC00, 496)]


# --- what a test asks of the compiler


@pytest.mark.parametrize(
    ("comment", "flags"),
    [
        ('/* { dg-options "-fwrapv -O2" } */', ("-fwrapv", "-O2")),
        ('/* { dg-options { "-fwrapv" } } */', ("-fwrapv",)),
        ('/* { dg-additional-options "-std=gnu89" } */', ("-std=gnu89",)),
        ('/* { dg-options "-mtune=i686" { target { i?86-*-* } } } */', ()),
        ("/* nothing */", ()),
    ],
)
def test_flags_are_read_from_the_comments(tmp_path: Path, comment: str, flags: tuple[str, ...]) -> None:
    path = tmp_path / "x.c"
    path.write_text(f"{comment}\nint main() {{ return 0; }}\n")
    assert Source("x", path).flags == flags
    assert Source("ieee/x", path).flags == (*flags, "-fno-inline", "-ffloat-store")


def test_flags_are_read_from_the_file_beside(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int main() { return 0; }\n")
    (tmp_path / "x.x").write_text('lappend additional_flags "-fno-trapping-math"\nreturn 0\n')
    assert Source("x", tmp_path / "x.c").flags == ("-fno-trapping-math",)
