"""examples/kernel_project from its user's side: its tests pass, and each way to change its misses fails them with a
message that tells the cause."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.plugin import ROOT, run_pytest

PROJECT = ROOT / "examples" / "kernel_project"
MUTANTS = Path(__file__).parent / "mutants"
HANDLER = (PROJECT / "src" / "miss.S").read_text().splitlines(keepends=True)
INSTRUCTION = re.compile(r" {8}[a-z]")
BEGIN, END = HANDLER.index("access_error:\n"), len(HANDLER)

needs_compiler = pytest.mark.skipif(shutil.which("m68k-linux-gnu-gcc") is None, reason="no cross compiler")


@dataclass(frozen=True)
class Mutant:
    """A change of one source file, and what the failing tests must say."""

    name: str
    file: str
    old: str
    new: str
    told: tuple[str, ...]


CHANGES = (
    Mutant(
        "handler-line-deleted",
        "miss.S",
        "        addq.l  #3,%d1                  /* shared, valid */\n",
        "",
        (
            "one access misses again and again: the refill by access_error does not serve it",
            "times in a row: supervisor write of page 0x40000000 at PC",
            "the TLB entry that MMUOR allocated or accessed last, 32: 40000000 0001C278 invalid",
            "(fill_queue+",
            "region queue: data misses 24 -> ",
        ),
    ),
    Mutant(
        "page-added-to-queue",
        "kernel.h",
        "#define QUEUE_PAGES     24",
        "#define QUEUE_PAGES     25",
        (
            "region queue: data misses 24 -> 25 (+1)",
            "symbol fill_queue: data misses 24 -> 25 (+1)",
            "1 data page of region queue missed now, but never before: 0x40030000-0x40031fff (0 -> 1)",
            "first difference: miss 25",
        ),
    ),
    Mutant(
        "journal-mapped-in-4-KB-pages",
        "kernel.c",
        "map_frames(JOURNAL, JOURNAL_PAGES, KERNEL_DATA)",
        "map_frames(JOURNAL, JOURNAL_PAGES, (KERNEL_DATA & ~0x200) | 0x100)",
        (
            "one access misses again and again: the refill by access_error does not serve it",
            "times in a row: supervisor write of page 0x50000000 at PC",
            "(write_journal",
            "region journal: data misses ",
        ),
    ),
    Mutant(
        "user-data-for-the-kernel-only",
        "kernel.c",
        "map_frames(USER_DATA, USER_PAGES, USER_DATA_PAGE)",
        "map_frames(USER_DATA, USER_PAGES, KERNEL_DATA)",
        (
            "access violations: 0 -> 1 (+1)",
            "violation: user read-modify-write of page 0x20000000 at PC 0x10000008 (user_start+0x8)",
            "the handler access_error has not returned from:",
            "5 data pages of region user data missed before, but never now: 0x20002000-0x2000bfff (5 -> 0)",
        ),
    ),
)


def build(directory: Path, file: str = "", text: str = "") -> Path:
    """The kernel, with one source file replaced."""
    sources = directory / "src"
    shutil.copytree(PROJECT / "src", sources)
    if file:
        (sources / file).write_text(text)
    elf = directory / "kernel.elf"
    command = ["make", "-s", "-C", str(PROJECT), f"SRC={sources}", f"OUT={elf}"]
    subprocess.run(command, check=True, capture_output=True)
    return elf


def mutated(mutant: Mutant) -> str:
    text = (PROJECT / "src" / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    return text.replace(mutant.old, mutant.new)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy, so that nothing is written into the repository."""
    return Path(shutil.copytree(PROJECT, tmp_path / "kernel_project"))


def test_its_tests_pass(project: Path) -> None:
    done = run_pytest(project, "-q")

    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout


def test_what_its_ci_runs_passes(project: Path) -> None:
    recipe = (project / ".github" / "workflows" / "misses.yml").read_text()
    (arguments,) = re.findall(r"run: pytest (.+)$", recipe, re.MULTILINE)

    done = run_pytest(project, *arguments.split())

    assert done.returncode == 0, done.stdout
    assert 'failures="0"' in (project / "misses.xml").read_text()


@pytest.mark.parametrize("mutant", CHANGES, ids=lambda mutant: mutant.name)
def test_a_change_is_told_with_its_cause(mutant: Mutant) -> None:
    done = run_pytest(PROJECT, "-q", KERNEL=str(MUTANTS / f"{mutant.name}.elf"))

    assert done.returncode == 1
    missing = [text for text in mutant.told if text not in done.stdout]
    assert missing == [], done.stdout


@pytest.mark.slow
@needs_compiler
def test_the_committed_kernel_is_that_of_its_sources(tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == (PROJECT / "kernel.elf").read_bytes()


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("mutant", CHANGES, ids=lambda mutant: mutant.name)
def test_a_committed_mutant_is_that_of_its_change(mutant: Mutant, tmp_path: Path) -> None:
    built = build(tmp_path, mutant.file, mutated(mutant))

    assert built.read_bytes() == (MUTANTS / f"{mutant.name}.elf").read_bytes()


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("number", [i for i in range(BEGIN, END) if INSTRUCTION.match(HANDLER[i])])
def test_no_line_of_the_handler_can_be_deleted(number: int, tmp_path: Path) -> None:
    elf = build(tmp_path, "miss.S", "".join([*HANDLER[:number], *HANDLER[number + 1 :]]))

    done = run_pytest(PROJECT, "-q", "-x", KERNEL=str(elf))

    assert done.returncode == 1, f"without {HANDLER[number]!r}:\n{done.stdout}"
    assert re.search(
        r"differ from tests/tlb-baselines|did not get there|has another length|^E +emu\.errors\.",
        done.stdout,
        re.MULTILINE,
    )
