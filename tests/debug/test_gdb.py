"""gdb itself, driven by scripts: what its user sees of the firmware and of Linux, forwards and backwards."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu.board import get_board
from emu.debug.history import Edge, History
from emu.debug.session import Load, Miss, Session
from emu.machine import Machine, StopReason
from firmware import nucleus
from kernel_model import abi
from kernel_model.debugging import open_scenario
from tests.support.gdb_client import GDB, MISSING, ROOT, cfemu_gdb, run_gdb
from tests.support.linux import vmlinux

pytestmark = pytest.mark.skipif(GDB is None, reason=MISSING)

NUCLEUS = nucleus(abi.KVA).path
SCENARIO = ("--scenario", "default", "--strategy", "reserve", "--mapping", "paged-8k", "--workload", "ping-pong")
START = "monitor goto 0"  # the server of the module is used by several tests
FLUSH = "maintenance flush register-cache"


@pytest.fixture(scope="module")
def firmware() -> Iterator[int]:
    """Port of a server with the nucleus, which runs two processes that call each other."""
    with cfemu_gdb(*SCENARIO) as port:
        yield port


def values(text: str) -> list[int]:
    """The numbers that gdb's ``print`` gave."""
    return [int(found, 0) for found in re.findall(r"(?m)^\$\d+ = (-?(?:0x)?[0-9a-f]+)$", text)]


def test_breakpoints_and_threads(firmware: int) -> None:
    text = run_gdb(
        NUCLEUS, firmware, [START, FLUSH, "break switch_to", "continue", "info threads", "continue", "info threads"]
    )
    assert text.count("hit Breakpoint 1") == 2
    assert re.search(r'\* 1 +Thread 1 "kernel" \(the command loop\) +0x\w+ in switch_to', text)
    assert re.search(r'\* 2 +Thread 2 "process 0" \(ASID 1, \w+\) +0x\w+ in switch_to', text)
    assert re.search(r'3 +Thread 3 "process 1" \(ASID 2, receiving\) +0x0010\w+ in', text)


def test_registers_of_all_kinds(firmware: int) -> None:
    commands = ["monitor goto 4000000", FLUSH, "p/x $mmubar", "p/x $mmucr", "p/x $pc", "p $fp0", "info registers mmu"]
    text = run_gdb(NUCLEUS, firmware, commands)
    mmubar, mmucr, pc = values(text)[:3]
    assert (mmubar & 1, mmucr & 1) == (1, 1)
    assert f"PC {pc:#010x}" in text
    assert "nan(" in text  # FP0 after reset
    assert re.search(r"(?m)^mmutr +0x", text)


def test_a_watchpoint_in_virtual_memory_across_an_address_space_switch(firmware: int) -> None:
    """Client and server count at the same virtual address, each in its own page."""
    watch = f"awatch *(int*){abi.USER_DATA_VA:#x}"  # with watch, gdb passes over a write of the value it saw before
    look = ["p $asid", f"p *(int*){abi.USER_DATA_VA:#x}"]
    forward = [command for _ in range(4) for command in ("continue", *look)]
    back = [command for _ in range(3) for command in ("reverse-continue", *look)]
    text = run_gdb(NUCLEUS, firmware, [START, FLUSH, "break enter_user", "continue", "delete", watch, *forward, *back])
    assert text.count("hit Hardware access (read/write) watchpoint 2") == 7
    found = values(text)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert pairs[:4] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert pairs[4:] == [(2, 1), (1, 1), (2, 0)]  # in front of each write, where the old value is


def test_back_to_the_write_that_changed_a_value(firmware: int) -> None:
    end = ["monitor goto 99999999", FLUSH, "p/x *(int*)&current"]
    text = run_gdb(
        NUCLEUS, firmware, [*end, "watch *(int*)&current", "reverse-continue", "bt 1", "stepi", "p/x *(int*)&current"]
    )
    last, again = values(text)
    assert last == again != 0
    assert re.search(r"Old value = -\d+\nNew value = -\d+", text)
    assert "in switch_to ()" in text


def test_stepping_through_a_tlb_miss_handler(firmware: int) -> None:
    middle = [
        "monitor goto 3700000",
        FLUSH,
        "monitor catch miss dtlb",
        "continue",
        "p/x $pc",
        "p/x *(int*)($sp + 4)",
        "p/x $mmuar",
    ]
    steps = ["monitor delete 1", "monitor catch load", "continue", "monitor translate 0x0", "p/x $mmutr"]
    text = run_gdb(NUCLEUS, firmware, [*middle, *steps])
    assert re.search(r"access error: TLB miss, data .* at (0x\w+) \(", text)
    handler, faulting, va, tag = values(text)
    assert re.search(r"in miss_\w+ \(\)", text)
    assert (tag ^ va) & 0xFFFFE000 == 0  # the entry that was loaded is for what missed
    assert re.search(r"TLB entry \d+ was loaded", text)
    returned = run_gdb(
        NUCLEUS,
        firmware,
        [
            *middle[:4],
            "monitor delete 1",
            *10 * ["stepi"],
            f"tbreak *{faulting:#x}",
            "continue",
            "p/x $pc",
            "p $mmuar == $mmuar",
        ],
    )
    assert handler != faulting
    assert values(returned)[0] == faulting


def test_finish_and_back_to_the_call(firmware: int) -> None:
    there = [START, FLUSH, "break *hash_lookup", "continue", "p/x $pc", "x/x $sp", "finish", "p/x $pc"]
    back = ["delete", "reverse-stepi", "x/i $pc", "break *hash_lookup", "reverse-continue", "p/x $pc"]
    text = run_gdb(NUCLEUS, firmware, [*there, *back])
    entered, returned, again = values(text)
    stacked = re.search(r"(?m)^0x[0-9a-f]+:\t(0x[0-9a-f]+)$", text)
    assert stacked is not None
    assert returned == int(stacked[1], 16)
    assert entered == again
    assert re.search(r"=> 0xc0\w+ <hash_lookup\+\d+>:\trts", text)


def test_a_changed_guest_leaves_the_recorded_run(firmware: int) -> None:
    """The last test with this server's history: it is not the recorded one any more."""
    change = [
        "set var $d0 = 77",
        "p $d0",
        "set var *(int*)&calls_queued = 5",
        "p *(int*)&calls_queued",
        "monitor history",
    ]
    text = run_gdb(NUCLEUS, firmware, ["monitor goto 3700000", FLUSH, *change])
    assert values(text) == [77, 5]
    assert "last:  instruction 3,700,000" in text


def test_a_recorded_row_counts_what_the_row_counts() -> None:
    """Recording, going back and forth, and reaching its end again."""
    target = open_scenario("default", "reserve", "paged-8k", "ping-pong")
    try:
        history: History = target.session.history
        history.goto(history.last)
        end = target.session.machine.counters().to_dict()
        target.session.goto(4_000_000)
        target.session.reverse_step(3)
        history.goto(history.last)
        assert target.session.machine.counters().to_dict() == end
    finally:
        target.close()


# --- Linux


@pytest.mark.slow
def test_linux_from_the_boot_to_user_space_and_back() -> None:
    elf: Path = vmlinux().path
    script = ROOT / "firmware" / "linux" / "commands.txt"
    jiffies = "*(int*)&jiffies"
    commands = [
        *("break *start_kernel", "continue", "p/x $pc", "p/x (int)&start_kernel", "delete"),
        *("break run_init_process", "continue", "info threads", "delete", "monitor type cow 1 1"),
        *(f"watch {jiffies}", "continue", f"p {jiffies}", "reverse-continue", f"p {jiffies}", "continue", "delete"),
        *(
            "monitor catch miss itlb",
            "continue",
            "p/x $pc",
            "p/x *(int*)($sp + 4)",
            "stepi",
            "reverse-stepi",
            "p/x $pc",
        ),
        *("monitor catch load", "continue", "reverse-continue", "p/x $pc"),
    ]
    with cfemu_gdb(elf, "--board", "m5475evb", "--input", script) as port:
        text = run_gdb(elf, port, commands)
    pc, start, new, old, handler, faulting, again, same_handler = values(text)
    assert "Breakpoint 1, " in text
    assert "Breakpoint 2, " in text
    assert pc == start
    assert new == old + 1
    assert re.search(r'\* 1 +Thread 1 "CPU" \(ASID 0\) +0x\w+ in run_init_process', text)
    assert re.search(rf"access error: TLB miss, opword at {faulting:#010x} ", text)
    assert faulting >> 28 == 8  # where Linux loads init
    assert handler == again == same_handler
    assert re.search(r"TLB entry \d+ was loaded", text)


@pytest.mark.slow
def test_linux_counts_the_same_under_a_debugger() -> None:
    elf = vmlinux()
    script = (ROOT / "firmware" / "linux" / "commands.txt").read_bytes()
    machines = []
    for _ in range(2):
        machine = Machine(get_board("m5475evb"))
        machine.load_elf(elf)
        machine.when_listening(lambda: script)
        machines.append(machine)
    plain, debugged = machines
    assert plain.run().reason is StopReason.RESET
    session = Session(debugged)
    session.add_catchpoint(Miss())
    session.add_catchpoint(Load())
    session.add_watchpoint(elf.address("jiffies"), 4)
    session.add_breakpoint(elf.address("schedule"))
    stops = 0
    while (stop := session.continue_()).edge is None:
        stops += 1
        if stops % 1000 == 0:
            session.reverse_continue()
    assert stop.edge is Edge.RESET
    assert stops > plain.counters().misses.total
    assert debugged.counters().to_dict() == plain.counters().to_dict()
    assert dict(debugged.registers) == dict(plain.registers)
    base, size = plain.board.ram[0]
    assert debugged.read_physical(base, size) == plain.read_physical(base, size)
    for machine in machines:
        machine.close()
