"""The levels of time as a user of the machine meets them: names, the bill of a miss, numbers that are changed."""

import struct
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import suite
from emu.board import get_board
from emu.counters import Bill
from emu.errors import UsageError
from emu.machine import Machine, StopReason
from emu.timing.constants import Costs
from emu.timing.state import LEVELS
from tests.support import asm
from tests.support.cache_program import IEC
from tests.support.guest import BOARD, CODE, ENGINES, EUSP, STACK

TABLE = suite.get_kernel("table")
DEC, DDCM_COPYBACK = 0x80000000, 0x02000000  # CACR: data cache on, copyback where no ACR says otherwise
SIZE = 8192  # 64 pages: each search misses


def searched(way: suite.Way, **options: Any) -> suite.Run:
    return suite.run(TABLE, way, size=SIZE, repetitions=1, **options)


@pytest.mark.parametrize(("option", "known"), [("timing", "flat, pipeline, full"), ("clock", "cycles, instructions")])
def test_an_unknown_name_is_answered_with_the_known_ones(option: str, known: str) -> None:
    options: dict[str, Any] = {option: "nope"}
    with pytest.raises(UsageError, match=rf"^{option} 'nope': choose one of {known}$"):
        Machine(get_board("coyotos128"), **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("timing", LEVELS)
def test_the_bill_adds_up_and_no_level_changes_a_miss(timing: str, engine: str) -> None:
    flat, run = searched("linux"), searched("linux", timing=timing, engine=engine)
    assert run.counters.misses == flat.counters.misses
    assert run.misses > SIZE // 128
    bill = run.counters.bill
    assert bill.entry + bill.handler + bill.stalls + bill.back == run.counters.refill_cycles
    assert bill.entry >= 18 * run.misses
    assert bill.back >= 15 * run.misses
    if timing == "full":
        assert bill.stalls > 0
        direct = searched("direct", timing=timing, engine=engine)
        assert abs(bill.total - (run.cycles - direct.cycles)) < bill.total / 10  # what translation costs the run
    else:
        assert (bill.stalls, bill.evicted) == (0, 0)
        assert (bill.entry, bill.back) == (18 * run.misses, 15 * run.misses)


def test_without_misses_there_is_no_bill() -> None:
    assert searched("direct", timing="full").counters.bill == Bill()


def test_memory_takes_time_only_where_it_is_modelled() -> None:
    slow = replace(Costs(), line_first=240, line_burst=60)
    for timing, changes in (("flat", False), ("pipeline", False), ("full", True)):
        own, changed = (searched("direct", timing=timing, costs=costs) for costs in (Costs(), slow))
        assert (changed.cycles > own.cycles) is changes
        assert changed.instructions == own.instructions


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cache_that_is_switched_off_costs_from_the_next_instruction_on(engine: str) -> None:
    """The same loop with the instruction cache on, off and on again."""
    counted = []
    with Machine(BOARD, engine, timing="full") as machine:
        loop = (
            asm.moveq(100, asm.D0) + asm.addq(1, asm.d(asm.D1)) + asm.alu_i("subi", 1, asm.D0) + asm.branch_b("ne", -10)
        )
        machine.write_physical(CODE, loop + asm.HALT)
        for cacr in (EUSP | IEC, EUSP, EUSP | IEC):
            machine.registers.update({"sr": 0x2700, "pc": CODE, "cacr": cacr})
            before = machine.counters()
            assert machine.run().reason is StopReason.HALT
            counted.append((machine.counters() - before).cycles)
    on, off, on_again = counted
    assert off > 10 * on_again
    assert on > on_again  # the first time its lines had to come


def test_a_restored_machine_takes_the_same_time_again() -> None:
    """What is remembered of blocks and of places in them is not taken for that of another past."""
    elf = suite.guest()
    with suite.machine("native", "full", None) as machine:
        machine.load_elf(elf)
        parameters = struct.pack(">4I", elf.address("k_table"), SIZE, 2, suite.WAYS.index("linux"))
        machine.write_physical(elf.address("parameters"), parameters)
        machine.run(max_instructions=40_000)
        snapshot = machine.snapshot()
        passed = []
        for _ in range(2):
            machine.restore(snapshot)
            machine.run(max_instructions=30_000)  # other code than before, at host addresses that were freed
            passed.append((machine.counters(), machine.registers["pc"]))
    assert passed[0] == passed[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_constants_beside_code_take_their_time(engine: str) -> None:
    """A loop that reads a longword of its own page, with the caches off: each read goes to memory."""
    counted = []
    with Machine(BOARD, engine, timing="full") as machine:
        for read in (asm.move("l", asm.at(CODE), asm.d(asm.D1)), asm.move("l", asm.imm(CODE), asm.d(asm.D1))):
            loop = asm.moveq(100, asm.D0) + read + asm.alu_i("subi", 1, asm.D0)
            machine.write_physical(CODE, loop + asm.branch_b("ne", 2 - len(loop) - 2) + asm.HALT)
            machine.registers.update({"sr": 0x2700, "pc": CODE, "cacr": EUSP})
            before = machine.counters()
            assert machine.run().reason is StopReason.HALT
            counted.append((machine.counters() - before).cycles)
    assert counted[0] - counted[1] >= 100 * Costs().inhibited_read


@pytest.mark.parametrize("engine", ENGINES)
def test_code_that_is_written_as_data_beside_it_was_is_new_code(engine: str) -> None:
    """A store to a copyback page that holds code, and then one to code on it that has run and is in the data cache."""
    data, patched = CODE + 0x800, CODE + 0x100
    with Machine(BOARD, engine, timing="full") as machine:
        store = asm.move("l", asm.d(asm.D0), asm.at(data)) * 2 + asm.move("l", asm.at(patched), asm.d(asm.D1))
        patch = asm.move("b", asm.d(asm.D2), asm.at(patched + 1))
        call = asm.jsr(asm.at(patched))
        machine.write_physical(patched, asm.moveq(1, asm.D3) + asm.RTS)
        machine.write_physical(CODE, call + store + asm.moveq(7, asm.D2) + patch + call + asm.HALT)
        registers = {"sr": 0x2700, "pc": CODE, "a7": STACK, "cacr": EUSP | IEC | DEC | DDCM_COPYBACK}
        machine.registers.update(registers)
        assert machine.run().reason is StopReason.HALT
        assert machine.registers["d3"] == 7
