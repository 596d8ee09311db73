"""The native way into unicorn is checked before it is used: whatever is not as expected, the public engine serves."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.cpu import library, native
from tests.support import asm
from tests.support import elfgen as e
from tests.support.asm import A0, D0, D1, at, d, ind
from tests.support.guest import DATA, Bench

MOVED = {  # offsets of unicorn's structures that the self-check is made to get wrong
    "UC_CPU": 8,
    "UC_TCG": -8,
    "TCG_UC": 8,
    "TCG_LAST_OP": 8,
    "OP_ARGUMENT": 8,
    "CPU_ENV": 16,
    "CPU_UC": 8,
    "CPU_CLASS": -8,
    "CPU_OPAQUE": native.CPU_ENV_PTR - native.CPU_OPAQUE,  # a field that is in use
    "CLASS_TLB_FILL": 8,
    "DESC_BYTES": 8,
    "DESC_WINDOW": 8,
    "ENV_PC": 4,
    "ENV_SR": 4,
    "ENV_OPCODES": 8,
}
COMMAND = """
import sys
from emu.cpu import native
native.UC_CPU += 8
from kernel_model.cli import main
sys.argv = ["cfemu", "run", *sys.argv[1:], "--json"]
main()
"""


def work(guest: Bench) -> tuple[object, ...]:
    """A small program; everything that it counts."""
    guest.run(
        asm.lea(at(DATA), A0), asm.moveq(5, D0), asm.move("l", d(D0), ind(A0)), asm.alu("add", ind(A0), D1), asm.HALT
    )
    return guest.machine.counters(), guest.data_registers(), guest.long(DATA)


def falls_back(caplog: pytest.LogCaptureFixture, expected: tuple[object, ...]) -> None:
    """A machine made now uses the public engine, says so once, and counts the same."""
    with caplog.at_level(logging.WARNING):
        guest = Bench("auto")
    assert guest.machine.engine == "public"
    assert len(caplog.records) == 1
    assert work(guest) == expected
    guest.machine.close()


@pytest.fixture(scope="module")
def expected() -> tuple[object, ...]:
    """What the native engine counts."""
    guest = Bench("native")
    found = work(guest)
    guest.machine.close()
    return found


@pytest.mark.parametrize("name", MOVED)
def test_a_structure_that_moved_is_noticed(
    name: str, expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(native, name, getattr(native, name) + MOVED[name])
    falls_back(caplog, expected)


def test_another_version_is_noticed(
    expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "version", lambda: (2, 2, 0))
    falls_back(caplog, expected)


@pytest.mark.parametrize("symbol", library.INTERNAL_FUNCTIONS)
def test_a_missing_symbol_is_noticed(
    symbol: str, expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    present = library.has
    monkeypatch.setattr(library, "has", lambda name: name != symbol and present(name))
    falls_back(caplog, expected)


def test_the_command_line_says_so_in_one_line(tmp_path: Path) -> None:
    elf = tmp_path / "guest.elf"
    elf.write_bytes(e.make_elf([e.Segment(0xC0010000, e.HALT + e.NOP)]))
    done = subprocess.run([sys.executable, "-c", COMMAND, elf], capture_output=True, text=True, check=True)
    assert '"engine": "public"' in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "public" in done.stderr


# --- memory


def resident() -> int:
    """Bytes of memory this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(turns: int, action: Callable[[], object]) -> int:
    """Growth of this process over ``turns`` calls, after as many warm-up calls as it takes to fill caches."""
    for _ in range(turns // 10 + 20):
        action()
    before = resident()
    for _ in range(turns):
        action()
    return resident() - before


def open_and_close(engine: str) -> None:
    """One life of a machine that has run."""
    guest = Bench(engine)
    guest.run(asm.moveq(1, D0), asm.HALT)
    guest.machine.close()


@pytest.mark.parametrize("engine", ["native", "public"])
@pytest.mark.parametrize("machines", [40, pytest.param(1000, marks=pytest.mark.conformance)])
def test_machines_leave_no_memory_behind(engine: str, machines: int) -> None:
    assert growth(machines, lambda: open_and_close(engine)) < 24 << 20


@pytest.mark.parametrize("runs", [2_000, pytest.param(100_000, marks=pytest.mark.conformance)])
def test_runs_leave_no_memory_behind(engine: str, runs: int) -> None:
    guest = Bench(engine)
    guest.start(asm.addq(1, d(D0)) + asm.branch_b("ra", -4))
    assert growth(runs, lambda: guest.machine.run(max_instructions=3)) < 8 << 20
    guest.machine.close()
