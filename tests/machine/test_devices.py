"""The peripherals behind MBAR and the host's services: console, reset, mailbox, operation recorder, semihosting."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from emu.counters import Operation
from emu.errors import UnmodelledRegister
from emu.machine import StopReason
from emu.mmu.state import DTLB
from tests.support import asm
from tests.support.asm import A0, A1, D0, D1, D2, at, d, disp, imm, ind
from tests.support.elfgen import SEMIHOSTING
from tests.support.guest import (
    ACC,
    BOARD,
    CODE,
    DATA,
    FRAMES,
    MBAR,
    MMUAR,
    MMUDR,
    MMUOR,
    MMUTR,
    UAA,
    WINDOW,
    Bench,
    bench,
    enter_virtual_mode,
    image,
    store_long,
    tag,
)

PSC0, GPT0, MAILBOX = MBAR + 0x8600, MBAR + 0x800, MBAR + 0x30000
ICR = MBAR + 0x740
CALL, STATUS, BEGIN, END = (MAILBOX + offset for offset in (0x40, 0x44, 0x48, 0x4C))
INHIBITED_READ, INHIBITED_WRITE = 24, 5


def transmit(text: bytes) -> bytes:
    """Guest code that polls and sends each byte."""
    code = asm.lea(at(PSC0), A0)
    for byte in text:
        code += asm.bit("btst", 2, disp(A0, 4)) + asm.branch_b("eq", -8)
        code += asm.moveq(byte, D0) + asm.move("b", d(D0), disp(A0, 0xC))
    return code


def test_psc0_is_the_console(guest: Bench) -> None:
    heard: list[bytes] = []
    guest.machine.on_console = heard.append
    guest.run(transmit(b"Hello"), asm.HALT)
    assert guest.machine.console == b"Hello"
    assert b"".join(heard) == b"Hello"
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (5, 5)
    assert counters.instructions == 1 + 4 * 5 + 1


def test_a_long_transmission_is_complete_and_in_order(guest: Bench) -> None:
    code = asm.lea(at(PSC0 + 0xC), A0) + asm.move("l", imm(70_000), d(D1))
    loop = asm.move("b", d(D1), ind(A0)) + asm.subq(1, d(D1))
    guest.start(code + loop + asm.branch_b("ne", -6) + asm.HALT)
    guest.resume(300_000)
    assert guest.machine.console == bytes((70_000 - i) & 0xFF for i in range(70_000))
    assert guest.machine.counters().instructions == 2 + 3 * 70_000 + 1


@pytest.mark.parametrize(("size", "at_mode"), [("l", 0), ("w", 2)])
def test_gpt0_resets_the_board(guest: Bench, size: str, at_mode: int) -> None:
    """As Linux does (sheet 6.6), and by the half of the register that matters."""
    mode = asm.move("l", imm(0x9004), d(D0)) + asm.move(size, d(D0), at(GPT0 + at_mode))
    code = store_long(0, GPT0) + store_long(1, GPT0 + 4) + mode
    result = guest.run(code, asm.moveq(1, D1), asm.HALT)
    assert result.reason is StopReason.RESET
    assert guest.registers["d1"] == 0


@pytest.mark.parametrize("base", [0, 0x40000])
def test_mbar_moves_the_peripherals_over_memory(engine: str, base: int) -> None:
    """Sheet 2.4; the first write counts whatever it writes, 0 too."""
    imrh = base + 0x708
    read = asm.move("l", at(imrh), d(D1))
    with bench(engine, board=replace(BOARD, ram=(*BOARD.ram, (0, 1 << 20)))) as guest:
        assert guest.registers["mbar"] == MBAR
        guest.put(imrh, b"\x12\x34\x56\x78")
        guest.run(read, asm.move("l", d(D1), d(D2)), asm.set_control(asm.MBAR, base | 1), read, asm.HALT)
        assert [guest.registers[name] for name in ("d2", "d1", "mbar")] == [0x12345678, 0xFFFFFFFF, base]


UNMODELLED = MBAR + 0x100  # the SDRAM controller


def test_an_unmodelled_register_is_reported_once_and_reads_zero(guest: Bench, caplog: pytest.LogCaptureFixture) -> None:
    read = asm.moveq(-1, D0) + asm.move("l", at(UNMODELLED), d(D0))
    guest.run(read, store_long(1, UNMODELLED + 4), read, asm.HALT)
    assert guest.registers["d0"] == 0
    first, second = CODE + 2, CODE + len(read) + 6
    assert caplog.messages == [
        f"read of the unmodelled register MBAR+0x100 at PC {first:#010x} ({first:#010x}): it reads 0",
        f"write to the unmodelled register MBAR+0x104 at PC {second:#010x} ({second:#010x}): it is ignored",
    ]
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (2, 1)


def test_a_strict_machine_stops_at_an_unmodelled_register(guest: Bench) -> None:
    guest.machine.strict = True
    with pytest.raises(UnmodelledRegister, match=r"read of .* MBAR\+0x100 at PC 0xc0002002"):
        guest.run(asm.moveq(-1, D0), asm.move("l", at(UNMODELLED), d(D0)), asm.HALT)
    assert guest.registers["d0"] == 0xFFFFFFFF
    assert guest.registers["pc"] == CODE + 2


# --- instructions with several accesses


@pytest.mark.parametrize("before", [0, 10, 31, 32, 40, 63, 64, 100])
def test_each_access_is_counted_once(guest: Bench, before: int) -> None:
    """The store half of a read-modify-write must run alone, and the instruction is begun again for that; its load half
    is counted once all the same, however many loads are in front of it in the block."""
    icr, imr = MBAR + 0x748, MBAR + 0x708
    code = asm.lea(at(icr), A0) + asm.lea(at(imr), A1) + before * asm.move("l", ind(A1), d(D0))
    guest.run(code, asm.bit("bset", 4, ind(A0)), asm.move("l", ind(A1), ind(A0)), asm.HALT)
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (before + 2, 2)
    assert counters.instructions == before + 5
    guest.run(asm.move("l", at(icr), d(D1)), asm.HALT)
    assert guest.registers["d1"] == 0x3F3F3F3F


def test_an_access_behind_one_that_stops_the_machine_happens_once(guest: Bench) -> None:
    """The load is of a register that nothing models, which is said first; then the whole instruction runs."""
    code = asm.lea(at(UNMODELLED), A0) + asm.lea(at(PSC0 + 0xC), A1) + 2 * asm.move("b", ind(A0), ind(A1))
    guest.run(code, asm.HALT)
    assert guest.machine.console == bytes(2)
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (2, 2)


def test_an_access_in_front_of_one_that_stops_the_machine_is_counted_once(guest: Bench) -> None:
    imr = MBAR + 0x708
    code = asm.lea(at(imr), A0) + asm.lea(at(UNMODELLED), A1) + 2 * asm.move("l", ind(A0), ind(A1))
    guest.run(code, asm.HALT)
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (2, 2)


def test_the_time_of_the_mmu_registers_is_charged_once(guest: Bench) -> None:
    """An event lies between the two halves of a read-modify-write of MMUAR, wherever it lies."""
    code = asm.set_control(asm.MMUBAR, WINDOW | 1) + asm.lea(at(MMUAR), A0) + asm.lea(at(MBAR + 0x708), A1)
    code += asm.move("l", imm(5), d(D1)) + asm.alu_to("or", D1, ind(A0)) + asm.move("l", ind(A0), d(D2))
    guest.run(code, asm.HALT)
    whole = guest.machine.counters().cycles
    for cycle in range(whole):
        guest.machine.schedule_interrupt(3, 100, guest.machine.counters().cycles + cycle)  # masked: it only cuts
        before = guest.machine.counters().cycles
        guest.run(code, asm.HALT)
        assert guest.machine.counters().cycles - before == whole
        assert guest.registers["d2"] == 5


# --- mailbox


def call(number: int, *args: int) -> bytes:
    """Guest code of a hypercall; its status in D2, its first two results in D0, D1."""
    code = b"".join(store_long(value, MAILBOX + 4 * i) for i, value in enumerate(args)) + store_long(number, CALL)
    return code + b"".join(asm.move("l", at(a), d(n)) for n, a in ((D2, STATUS), (D0, MAILBOX), (D1, MAILBOX + 4)))


def test_a_hypercall_is_answered_in_the_middle_of_a_block(guest: Bench) -> None:
    calls = []

    def answer(number: int, args: tuple[int, ...]) -> tuple[int, Sequence[int]]:
        calls.append((number, args[:3]))
        return 77, (args[0] + args[1], -1)

    guest.machine.on_hypercall = answer
    code = call(9, 30, 12, 5)
    guest.run(code, asm.moveq(3, 3), asm.HALT)
    assert calls == [(9, (30, 12, 5))]
    assert (guest.registers["d2"], guest.registers["d0"], guest.registers["d1"]) == (77, 42, 0xFFFFFFFF)
    assert guest.registers["d3"] == 3
    assert guest.machine.counters().instructions == 2 * 4 + 3 + 2
    assert guest.machine.host_writes == 0


def test_a_hypercall_without_an_answer_ends_the_run_at_its_read(guest: Bench) -> None:
    answers: list[tuple[int, Sequence[int]] | None] = [None, (5, ())]
    guest.machine.on_hypercall = lambda _number, _args: answers.pop(0)
    result = guest.run(call(1), asm.HALT)
    assert (result.reason, result.pc) == (StopReason.HYPERCALL, CODE + 12)
    assert guest.resume().reason is StopReason.HALT
    assert guest.registers["d2"] == 5


def test_many_hypercalls_in_a_loop(guest: Bench) -> None:
    guest.machine.on_hypercall = lambda number, args: (number, (args[0] + 1,))
    one = store_long(7, CALL) + asm.move("l", at(STATUS), d(D2))
    code = asm.moveq(100, D1) + one + asm.subq(1, d(D1))
    guest.run(code, asm.branch_w("ne", -len(one) - 4), asm.move("l", at(MAILBOX), d(D0)), asm.HALT)
    assert (guest.registers["d0"], guest.registers["d2"]) == (100, 7)
    assert guest.machine.counters().instructions == 1 + 100 * 5 + 2


@pytest.mark.parametrize("nops", [0, 1, 5])
def test_an_operation_is_measured_to_the_cycle(guest: Bench, nops: int) -> None:
    """Virtual time between the two stores: NOP 6 cycles, TPF 1 (CF4UM 6-6), the store that ends it 1 (CF4UM 6-6)."""
    code = (
        asm.moveq(5, D1)
        + asm.move("l", d(D1), at(BEGIN))
        + nops * asm.NOP
        + 2 * asm.TPF
        + asm.move("l", d(D1), at(END))
    )
    guest.run(code, 3 * asm.NOP, asm.HALT)
    cycles = 6 * nops + 2 + 1 + INHIBITED_WRITE
    assert guest.machine.counters().operations == {5: Operation({cycles: 1})}


@pytest.mark.parametrize("interrupt", [False, True])
def test_an_instruction_that_is_begun_again_does_not_act_again(guest: Bench, interrupt: bool) -> None:
    """One MOVEM ends an operation and then stores to a register that nothing models: the run leaves it there to say so.
    An interrupt that has come due meanwhile waits for its end, as it would without that."""
    guest.handler(64, asm.move("l", d(D2), at(END)) + asm.HALT)
    marks = asm.moveq(5, D0) + asm.moveq(7, D2) + asm.move("l", d(D2), at(BEGIN)) + asm.move("l", d(D0), at(BEGIN))
    guest.start(marks + asm.lea(at(END), A0) + asm.movem_store([D0, D1], ind(A0)) + 2 * asm.TPF + asm.HALT)
    guest.registers["sr"] = 0x2000
    guest.machine.run(max_instructions=5)
    if interrupt:
        guest.machine.schedule_interrupt(3, 64, guest.machine.counters().cycles + 1)
    assert guest.resume().reason is StopReason.HALT
    counts = {number: each.count for number, each in guest.machine.counters().operations.items()}
    assert counts == ({5: 1, 7: 1} if interrupt else {5: 1})
    assert guest.machine.counters().instructions == 9


@pytest.mark.parametrize("move", [asm.movem_store(range(16), ind(A0)), asm.fmovem_store(range(8), ind(A0))])
def test_one_instruction_acts_on_a_device_byte_by_byte(guest: Bench, move: bytes) -> None:
    """64 accesses, which are noted in case that it is begun again: there was room for 16."""
    code = enter_virtual_mode() + asm.lea(at(ICR + 1), A0) + move + asm.moveq(1, D0) + asm.HALT
    guest.start(code)
    guest.machine.run(max_instructions=1)
    rests = int(guest.machine.core.state["rests"])
    budget = 20_000 + guest.machine.counters().instructions
    result = guest.machine.run(max_instructions=20_000)
    state = guest.machine.core.state
    assert (result.reason, guest.registers["d0"]) == (StopReason.HALT, 1)
    assert (int(state["instruction_budget"]), int(state["rests"])) == (budget, rests)


def test_a_tlb_operation_happens_once_wherever_a_run_is_cut(guest: Bench) -> None:
    """MOVEM stores to MMUOR first: a limit at its second store begins it again."""
    page = store_long(tag(0x3000_0000), MMUTR) + store_long(image(FRAMES, 13), MMUDR)
    code = enter_virtual_mode() + page + asm.lea(at(MMUOR), A0) + asm.moveq(UAA | ACC, D0) + asm.moveq(0, D1)
    guest.start(code + asm.movem_store([0, 1], ind(A0)) + asm.NOP + asm.HALT)
    start, mmu = guest.machine.snapshot(), guest.machine.core.state["mmu"]
    guest.machine.run()
    cycles, valid = guest.machine.cycles, int(mmu["valid"][DTLB])
    assert valid == 1
    for cut in range(cycles // 2, cycles):
        guest.machine.restore(start)
        guest.machine.run(max_cycles=cut)
        guest.machine.run()
        assert (int(mmu["valid"][DTLB]), guest.machine.cycles) == (valid, cycles), cut


def test_how_long_each_operation_took_is_remembered(guest: Bench) -> None:
    begin, end = asm.move("l", d(D1), at(BEGIN)), asm.move("l", d(D1), at(END))
    guest.run(asm.moveq(1, D1), *(begin + n * asm.TPF + end for n in (3, 9, 6)), asm.HALT)
    fixed = 1 + INHIBITED_WRITE
    assert guest.machine.counters().operations == {1: Operation({n + fixed: 1 for n in (3, 6, 9)})}


def test_more_operations_end_than_the_host_is_told_of_at_once(guest: Bench) -> None:
    """Each of 5000 waits D0 / 256 + 1 rounds, and D0 counts down."""
    wait = asm.move("l", d(D0), d(D2)) + asm.shift("lsr", 8, D2) + asm.addq(1, d(D2))
    wait += asm.subq(1, d(D2)) + asm.branch_b("ne", -4)
    loop = asm.move("l", d(D1), at(BEGIN)) + wait + asm.move("l", d(D1), at(END)) + asm.subq(1, d(D0))
    guest.start(
        asm.moveq(3, D1) + asm.move("l", imm(5000), d(D0)) + loop + asm.branch_w("ne", -len(loop) - 2) + asm.HALT
    )
    snapshots = []
    while guest.machine.run(max_instructions=30_000).reason is StopReason.INSTRUCTIONS:
        snapshots.append((guest.machine.snapshot(), guest.machine.counters()))
    found = guest.machine.counters().operations[3]
    assert sorted(found.durations.values()) == [137, 255, *18 * [256]]
    assert found.percentile(50) == sorted(found.durations)[9]
    for snapshot, counters in snapshots[::-4]:
        guest.machine.restore(snapshot)
        assert guest.machine.counters() == counters
        guest.resume(1_000_000)
        assert guest.machine.counters().operations == {3: found}


def test_the_peripherals_need_an_acr_once_the_mmu_is_on(guest: Bench) -> None:
    code = enter_virtual_mode() + transmit(b"x") + asm.set_control(asm.ACR1, 0)
    frame = guest.exception(code, asm.move("b", d(D0), at(PSC0 + 0xC)))
    assert (frame.fs, frame.pc) == (10, CODE + len(code))
    assert guest.machine.console == b"x"


# --- QEMU's semihosting


def test_semihosting_exit_has_a_status(guest: Bench) -> None:
    result = guest.run(asm.moveq(0, D0), asm.moveq(42, D1), SEMIHOSTING, asm.HALT)
    assert (result.reason, result.exit_status) == (StopReason.EXIT, 42)


def test_semihosting_write_goes_to_the_console(guest: Bench) -> None:
    guest.put(DATA, b"some text")
    guest.put(DATA + 0x40, asm.long(1) + asm.long(DATA) + asm.long(9))
    result = guest.run(
        asm.moveq(5, D0), asm.move("l", imm(DATA + 0x40), d(D1)), SEMIHOSTING, asm.moveq(1, D2), asm.HALT
    )
    assert result.reason is StopReason.HALT
    assert guest.machine.console == b"some text"
    assert guest.registers["d2"] == 1


def test_a_plain_halt_is_no_semihosting_call(guest: Bench) -> None:
    result = guest.run(asm.NOP, asm.HALT, asm.NOP)
    assert (result.reason, result.pc) == (StopReason.HALT, CODE + 4)
