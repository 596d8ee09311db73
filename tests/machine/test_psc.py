"""The PSCs in UART mode: registers, both directions, the time of a character, interrupts, loopback (sheet 6.5)."""

import itertools

import pytest

from emu.errors import UsageError
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import A0, A1, D0, D1, D2, D6, D7, at, d, disp, imm, ind, post
from tests.support.guest import CODE, DATA, EXCEPTION_CYCLES, MBAR, Bench, bench, enter_virtual_mode, stub
from tests.support.peripherals import (
    BUFFER,
    CHARACTER,
    CR,
    CTLR,
    CTUR,
    FFULL,
    FIFO,
    INT_RX,
    INT_TX,
    IPRH,
    ISR,
    LOOPBACK,
    MR,
    OVERRUN,
    PSC,
    PSC_IMR,
    PSC_SOURCE,
    RESET_ERROR,
    RESET_MR,
    RESET_RX,
    RESET_TX,
    RX_OFF,
    RX_ON,
    RXRDY,
    SR,
    TX_OFF,
    TX_ON,
    TXEMP,
    TXRDY,
    assign,
    log,
    masked,
    note,
    sample,
    samples,
    set_mask,
    start_log,
    start_psc,
    store,
    unmask,
    vector,
)

UNMODELLED = MBAR + 0x100  # the SDRAM controller
NOWHERE = 0x00800000
HEARD = DATA + 0x3000  # characters received by the guest, through A1
UARTS = range(4)
DIVISOR = 20
STORE_LOOP = 8  # bytes of the loop at the end of `fill`, which begins with the store
READ_ACCESS = 24  # core cycles from the boundary in front of a load to the load
COM = vector(PSC_SOURCE[0])


def command(value: int, n: int = 0) -> bytes:
    """Guest code: a store to CR."""
    return store("b", value, PSC[n] + CR)


def status(place: int, n: int = 0) -> bytes:
    """Guest code that samples SR."""
    return sample([("b", PSC[n] + SR)], place)


def fill(count: int, n: int = 0) -> bytes:
    """Guest code that stores ``count`` characters, 0, 1, 2 ..., to TB without looking at SR. Changes A0, D0, D1."""
    loop = asm.move("b", d(D0), ind(A0)) + asm.addq(1, d(D0)) + asm.subq(1, d(D1))
    start = asm.lea(at(PSC[n] + BUFFER), A0) + asm.moveq(0, D0) + asm.move("l", imm(count), d(D1))
    return start + loop + asm.branch_b("ne", -len(loop) - 2)


def drain(count: int, n: int = 0) -> bytes:
    """Guest code that reads RB ``count`` times without looking at SR. Changes A0, D1."""
    loop = asm.move("b", disp(A0, BUFFER), post(A1)) + asm.subq(1, d(D1))
    return asm.lea(at(PSC[n]), A0) + asm.move("l", imm(count), d(D1)) + loop + asm.branch_b("ne", -len(loop) - 2)


def receive(count: int) -> bytes:
    """Guest code that polls SR for each of ``count`` characters."""
    wait = asm.bit("btst", 0, disp(A0, SR)) + asm.branch_b("eq", -8)
    loop = wait + asm.move("b", disp(A0, BUFFER), post(A1)) + asm.subq(1, d(D1))
    return asm.lea(at(PSC[0]), A0) + asm.move("l", imm(count), d(D1)) + loop + asm.branch_b("ne", -len(loop) - 2)


def hear() -> bytes:
    """Guest code: nothing heard yet."""
    return asm.lea(at(HEARD), A1)


def heard(guest: Bench) -> bytes:
    """What the guest has stored through A1."""
    return guest.machine.read_physical(HEARD, guest.registers["a1"] - HEARD)


def allow(n: int = 0, level: int = 4) -> bytes:
    """Guest code that lets the PSC interrupt at that level."""
    return assign(PSC_SOURCE[n], level) + unmask(PSC_SOURCE[n])


def idle(cycles: int) -> bytes:
    """Guest code that takes at least ``cycles`` core cycles, and a few more. Changes D1."""
    loop = asm.NOP + asm.subq(1, d(D1))
    return asm.move("l", imm(cycles // 7 + 1), d(D1)) + loop + asm.branch_b("ne", -len(loop) - 2)


# --- registers


@pytest.mark.parametrize("n", UARTS)
def test_mr_pointer(guest: Bench, n: int) -> None:
    """MR1 after a reset of the pointer, then MR2 for ever, for reads and writes alike."""
    mr = [("b", PSC[n] + MR)]
    code = command(RESET_MR, n) + store("b", 0x13, PSC[n] + MR) + store("b", 0x07, PSC[n] + MR)
    code += sample(mr * 2) + command(RESET_MR, n) + sample(mr * 3, 2)
    code += store("b", 0x0F, PSC[n] + MR) + sample(mr, 5)
    code += command(RESET_MR, n) + sample(mr, 6) + store("b", 0x3F, PSC[n] + MR)
    guest.run(code + command(RESET_MR, n), sample(mr * 2, 7), asm.HALT)
    assert samples(guest, 9) == [0x07, 0x07, 0x13, 0x07, 0x07, 0x0F, 0x13, 0x13, 0x3F]


@pytest.mark.parametrize("n", UARTS)
def test_status_of_an_idle_uart(guest: Bench, n: int) -> None:
    """SR is the high byte of its register: a word has it there too."""
    base = PSC[n]
    code = start_psc(n) + sample([("b", base + SR), ("w", base + SR), ("b", base + ISR), ("w", base + ISR)])
    guest.run(code, command(TX_OFF | RX_OFF, n), sample([("b", base + SR), ("b", base + ISR)], 4), asm.HALT)
    idle_status = TXRDY | TXEMP
    assert samples(guest, 6) == [idle_status, idle_status << 8, INT_TX, INT_TX << 8, 0, 0]


def test_the_divisor_reads_back(guest: Bench) -> None:
    guest.run(start_psc(1, divisor=0x1234), sample([("b", PSC[1] + CTUR), ("b", PSC[1] + CTLR)]), asm.HALT)
    assert samples(guest, 2) == [0x12, 0x34]


# --- receive


def test_receive_by_polling(guest: Bench) -> None:
    guest.machine.type_in(b"Hello, guest")
    guest.run(start_psc(), hear(), receive(12), status(0), asm.HALT)
    assert heard(guest) == b"Hello, guest"
    assert samples(guest, 1) == [TXRDY | TXEMP]
    assert guest.machine.console == b""


@pytest.mark.parametrize("divisor", [0, 1, DIVISOR])
def test_receive_by_interrupt(guest: Bench, divisor: int) -> None:
    text = bytes(range(0x20, 0x60))
    guest.handler(COM, asm.move("b", at(PSC[0] + BUFFER), post(A1)) + asm.subq(1, d(D7)) + asm.RTE)
    guest.machine.type_in(text)
    code = hear() + asm.moveq(len(text), D7) + allow() + start_psc(divisor=divisor, imr=INT_RX)
    guest.run(code, asm.stop(masked(0)), asm.tst("l", d(D7)), asm.branch_b("ne", -8), asm.HALT)
    assert heard(guest) == text
    assert guest.machine.counters().exceptions == {COM: len(text)}


@pytest.mark.parametrize("divisor", [1, 7, 144])
def test_a_character_takes_its_time(guest: Bench, divisor: int) -> None:
    """10 bits of 32 bus clocks times the divisor, counted from the moment the one before was read."""
    guest.handler(COM, asm.move("b", at(PSC[0] + BUFFER), post(A1)) + asm.RTE)
    guest.machine.type_in(b"abcdef")
    guest.start(
        hear() + allow() + start_psc(divisor=divisor, imr=INT_RX) + asm.stop(masked(0)) + asm.branch_b("ra", -6)
    )
    times = []
    for _ in range(6):
        assert guest.machine.run(stop_at=(stub(COM),)).reason is StopReason.ADDRESS
        times.append(guest.machine.counters().cycles)
    jump = 1  # from the stub to the handler, whose first instruction reads
    expected = jump + READ_ACCESS + divisor * CHARACTER + EXCEPTION_CYCLES
    assert {after - before for before, after in itertools.pairwise(times)} == {expected}


def test_without_a_divisor_a_character_takes_no_time(guest: Bench) -> None:
    guest.machine.type_in(b"ab")
    code = start_psc() + status(0) + sample([("b", PSC[0] + BUFFER)], 1) + status(2)
    guest.run(code, sample([("b", PSC[0] + BUFFER)], 3), status(4), asm.HALT)
    assert samples(guest, 5) == [TXRDY | TXEMP | RXRDY, ord("a"), TXRDY | TXEMP | RXRDY, ord("b"), TXRDY | TXEMP]


def test_the_next_character_comes_only_after_the_one_before_was_read(guest: Bench) -> None:
    """However long the guest takes, one character is there, and no overrun."""
    guest.machine.type_in(b"xyz")
    code = start_psc(divisor=2) + idle(20 * CHARACTER) + status(0) + sample([("b", PSC[0] + BUFFER)], 1) + status(2)
    code += sample([("b", PSC[0] + BUFFER)], 3) + idle(2 * CHARACTER) + status(4)
    guest.run(code, sample([("b", PSC[0] + BUFFER)], 5), asm.HALT)
    ready = TXRDY | TXEMP
    assert samples(guest, 6) == [ready | RXRDY, ord("x"), ready, 0, ready | RXRDY, ord("y")]


def test_nothing_is_received_while_the_receiver_is_off(guest: Bench) -> None:
    guest.machine.type_in(b"k")
    code = start_psc(divisor=1, command=TX_ON) + idle(3 * CHARACTER) + status(0)
    guest.run(code, command(RX_ON), status(1), idle(CHARACTER), status(2), asm.HALT)
    assert [value & RXRDY for value in samples(guest, 3)] == [0, 0, RXRDY]


def test_what_was_received_can_be_read_when_the_receiver_is_off(guest: Bench) -> None:
    guest.machine.type_in(b"kl")
    code = start_psc() + command(RX_OFF) + sample([("b", PSC[0] + BUFFER)]) + status(1) + command(RX_ON) + status(2)
    guest.run(code, sample([("b", PSC[0] + BUFFER)], 3), asm.HALT)
    first, off, on, second = samples(guest, 4)
    assert (first, off & RXRDY, on & RXRDY, second) == (ord("k"), 0, RXRDY, ord("l"))


def test_a_character_is_read_once_though_its_instruction_is_begun_again(guest: Bench) -> None:
    """Each MOVE reads a character and stores it to a register that nothing models, which is said before the store."""
    guest.machine.type_in(b"abc")
    echoes = asm.lea(at(PSC[0] + BUFFER), A0) + asm.lea(at(UNMODELLED), A1) + 2 * asm.move("b", ind(A0), post(A1))
    guest.run(start_psc(), echoes, sample([("b", PSC[0] + BUFFER)]), asm.HALT)
    assert samples(guest, 1) == [ord("c")]


def test_a_character_is_read_again_by_the_handler_of_the_store_behind_it(guest: Bench) -> None:
    """Nothing takes back a read whose instruction is refused its store (sheet 3.5); the handler's first instruction has
    the same count of instructions before it and gets the next one."""
    guest.machine.type_in(b"abc")
    guest.put(stub(2), asm.move("b", ind(A0), d(D1)) + asm.move("b", ind(A0), d(D2)) + asm.HALT)
    echo = asm.lea(at(PSC[0] + BUFFER), A0) + asm.lea(at(NOWHERE), A1) + asm.move("b", ind(A0), ind(A1))
    guest.run(enter_virtual_mode(), start_psc(), echo, asm.HALT)
    assert bytes(value & 0xFF for value in guest.data_registers()[1:3]) == b"bc"


def test_an_echo_loses_nothing_when_the_host_must_take_output(guest: Bench) -> None:
    """The host's buffer is full again and again while one instruction reads a character and sends it."""
    text = bytes(1 + i % 255 for i in range(70_000))
    guest.machine.type_in(text)
    loop = asm.bit("btst", 0, disp(A1, SR)) + asm.branch_b("eq", -8) + asm.move("b", ind(A0), ind(A0))
    count = asm.move("l", imm(len(text)), d(D1)) + asm.lea(at(PSC[0] + BUFFER), A0) + asm.lea(at(PSC[0]), A1)
    guest.start(start_psc() + count + loop + asm.subq(1, d(D1)) + asm.branch_b("ne", -14) + asm.HALT)
    guest.resume(1_000_000)
    assert guest.machine.console == text


@pytest.mark.parametrize("divisor", [0, 3])
def test_a_reset_of_the_receiver_loses_nothing_that_was_typed(guest: Bench, divisor: int) -> None:
    """Linux resets the receiver when it takes over the console from the boot monitor."""
    guest.machine.type_in(b"root\n")
    code = start_psc(divisor=divisor) + idle(5 * CHARACTER) + status(0) + command(RESET_RX) + status(1)
    guest.run(code, start_psc(divisor=divisor), hear(), receive(5), status(2), asm.HALT)
    assert heard(guest) == b"root\n"
    assert [value & RXRDY for value in samples(guest, 3)] == [RXRDY, 0, 0]


def test_a_character_on_its_way_survives_a_loopback_test(guest: Bench) -> None:
    """The typed character comes while the guest's own fill the FIFO; a reset then drops only what it must."""
    guest.machine.type_in(b"AB")
    code = start_psc(divisor=1) + command(RESET_MR) + store("b", 0x13, PSC[0] + MR) + store("b", LOOPBACK, PSC[0] + MR)
    code += fill(3) + idle(5 * CHARACTER) + hear() + drain(2) + command(RESET_RX) + status(0)
    guest.run(code, start_psc(divisor=1), receive(2), status(1), asm.HALT)
    assert heard(guest) == b"\0\1AB"
    assert [value & RXRDY for value in samples(guest, 2)] == [0, 0]


def test_typing_while_the_guest_waits(guest: Bench) -> None:
    """Polling, budget by budget; each character is typed when the one before has been taken."""
    guest.start(start_psc(divisor=1) + hear() + receive(5) + asm.HALT)
    for n in range(5):
        assert guest.machine.run(max_instructions=1000).reason is StopReason.INSTRUCTIONS
        assert guest.registers["a1"] == HEARD + n
        guest.machine.type_in(bytes([0x41 + n]))
    assert guest.resume().reason is StopReason.HALT
    assert heard(guest) == b"ABCDE"


def test_a_stop_for_input_that_was_never_typed_ends_the_run(guest: Bench) -> None:
    code = allow() + start_psc(divisor=1, imr=INT_RX)
    assert guest.run(code, asm.stop(masked(0)), asm.HALT).reason is StopReason.STOPPED
    guest.machine.type_in(b"!")
    assert guest.resume().pc == stub(COM) + 2


def test_too_much_typing_is_refused(guest: Bench) -> None:
    guest.machine.type_in(bytes((1 << 20) - 1))
    guest.machine.type_in(b"1")
    with pytest.raises(UsageError, match="can wait for the guest"):
        guest.machine.type_in(b"2")


def test_long_input_is_complete_and_in_order(guest: Bench) -> None:
    text = bytes(i * 7 & 0xFF for i in range(5000))
    guest.machine.type_in(text[:2000])
    guest.machine.type_in(text[2000:])
    guest.start(start_psc() + hear() + receive(len(text)) + asm.HALT)
    assert guest.resume(60_000).reason is StopReason.HALT
    assert heard(guest) == text


def test_a_long_load_from_rb_takes_up_to_four_characters(guest: Bench) -> None:
    """Sheet 6.5: 32-bit accesses move up to 4 characters; on the console only one is there at a time."""
    code = start_psc(mr2=LOOPBACK) + fill(9) + sample([("l", PSC[0] + BUFFER), ("w", PSC[0] + BUFFER)])
    guest.run(code, sample([("b", PSC[0] + BUFFER), ("l", PSC[0] + BUFFER)], 2), status(4), asm.HALT)
    assert samples(guest, 4) == [0x00010203, 0x0405, 0x06, 0x07080000]
    assert samples(guest, 5)[4] & RXRDY == 0


# --- transmit


def test_without_a_divisor_the_transmitter_is_always_ready(guest: Bench) -> None:
    guest.run(start_psc(), fill(FIFO + 100), status(0), asm.HALT)
    assert samples(guest, 1) == [TXRDY | TXEMP]
    assert guest.machine.console == bytes(i & 0xFF for i in range(FIFO + 100))


def test_the_transmit_fifo_fills_and_drains(guest: Bench) -> None:
    """With a slow line: room until 512 characters wait, again one character time after that, empty after 512."""
    code = (
        start_psc(divisor=DIVISOR) + status(0) + fill(1) + status(1) + fill(FIFO - 2) + status(2) + fill(1) + status(3)
    )
    code += idle(DIVISOR * CHARACTER) + status(4)
    guest.start(code + idle(FIFO * DIVISOR * CHARACTER) + status(5) + asm.HALT)
    guest.resume(4_000_000)
    assert samples(guest, 6) == [TXRDY | TXEMP, TXRDY, TXRDY, 0, TXRDY, TXRDY | TXEMP]
    assert len(guest.machine.console) == FIFO


def test_a_full_transmitter_loses_characters(guest: Bench) -> None:
    guest.start(start_psc(divisor=1000) + fill(FIFO + 50) + status(0) + asm.HALT)
    guest.resume(100_000)
    assert samples(guest, 1) == [0]
    assert guest.machine.console == bytes(i & 0xFF for i in range(FIFO))


def test_txemp_comes_a_character_time_after_the_store(guest: Bench) -> None:
    """To the cycle: SR is read again and again, and the first read at or after that moment has the bit."""
    wait = asm.bit("btst", 3, disp(A0, SR)) + asm.branch_b("eq", -8)
    code = start_psc(divisor=3) + asm.lea(at(PSC[0]), A0) + asm.moveq(65, D0)
    begin = CODE + len(code)
    code += asm.move("b", d(D0), disp(A0, BUFFER))
    guest.start(code + wait + asm.HALT)
    guest.machine.run(stop_at=(begin,))
    start = guest.machine.counters().cycles
    guest.machine.run(stop_at=(CODE + len(code) + len(wait),))
    elapsed = guest.machine.counters().cycles - start
    turn = 1 + READ_ACCESS + 8  # BTST, its load, and a branch of 0 to 8 cycles
    assert 3 * CHARACTER <= elapsed <= 3 * CHARACTER + 2 * turn


def test_txrdy_interrupts_when_room_comes_back(guest: Bench) -> None:
    """STOP with a full FIFO: the interrupt comes when the first character has left, its time after it was stored."""
    code = allow() + start_psc(divisor=1000)
    begin = CODE + len(code) + len(fill(FIFO)) - STORE_LOOP
    guest.start(code + fill(FIFO) + store("b", INT_TX, PSC[0] + PSC_IMR) + asm.stop(masked(0)))
    assert guest.machine.run(stop_at=(begin,)).reason is StopReason.ADDRESS
    start = guest.machine.counters().cycles
    assert guest.machine.run(stop_at=(stub(COM),)).reason is StopReason.ADDRESS
    write_access = 5
    assert guest.machine.counters().cycles - start == write_access + 1000 * CHARACTER + EXCEPTION_CYCLES


def test_txrdy_is_a_level(guest: Bench) -> None:
    """An enabled, idle transmitter interrupts at once and goes on until it is masked."""
    mask = store("b", 0, PSC[0] + PSC_IMR, D6)
    count = asm.addq(1, d(D7)) + asm.moveq(3, D6) + asm.alu("cmp", d(D7), D6)
    guest.handler(COM, count + asm.branch_b("ne", len(mask)) + mask + asm.RTE)
    code = set_mask(0) + allow() + start_psc(divisor=DIVISOR) + store("b", INT_TX, PSC[0] + PSC_IMR)
    guest.run(code, 5 * asm.TPF, asm.HALT)
    assert guest.registers["d7"] == 3


def test_output_by_interrupt_as_a_driver_does_it(guest: Bench) -> None:
    """600 characters through a handler that fills up while there is room, and the last one switches it off."""
    size = 600
    store_one = asm.move("b", d(D7), at(PSC[0] + BUFFER)) + asm.addq(1, d(D7))
    last = asm.move("l", imm(size), d(D6)) + asm.alu("cmp", d(D7), D6)
    off = store("b", 0, PSC[0] + PSC_IMR, D6)
    guest.handler(COM, store_one + last + asm.branch_b("ne", len(off)) + off + asm.RTE)
    code = allow() + start_psc(divisor=1, imr=INT_TX) + asm.stop(masked(0)) + last + asm.branch_b("ne", -len(last) - 6)
    guest.run(code, asm.HALT)
    assert guest.machine.console == bytes(i & 0xFF for i in range(size))
    assert guest.machine.counters().exceptions == {COM: size}


def test_a_transmitter_that_is_off_is_not_ready_and_sends_nothing(guest: Bench) -> None:
    code = start_psc() + command(TX_OFF) + status(0) + fill(3) + command(TX_ON) + status(1) + fill(1)
    guest.run(code, asm.HALT)
    assert samples(guest, 2) == [0, TXRDY | TXEMP]
    assert guest.machine.console == b"\0"


def test_a_reset_of_the_transmitter_empties_it(guest: Bench) -> None:
    code = start_psc(divisor=1000) + fill(100) + status(0) + command(RESET_TX) + status(1) + command(TX_ON) + status(2)
    guest.run(code, asm.HALT)
    assert samples(guest, 3) == [TXRDY, 0, TXRDY | TXEMP]


def test_a_long_store_to_tb_sends_four_characters(guest: Bench) -> None:
    code = start_psc() + store("l", 0x41424344, PSC[0] + BUFFER) + store("w", 0x4546, PSC[0] + BUFFER)
    guest.run(code, store("b", 0x47, PSC[0] + BUFFER), asm.HALT)
    assert guest.machine.console == b"ABCDEFG"


# --- loopback, and the other PSCs


@pytest.mark.parametrize("n", UARTS)
def test_local_loopback(guest: Bench, n: int) -> None:
    """The receiver hears the transmitter, and the line hears nothing."""
    code = start_psc(n, mr2=LOOPBACK) + fill(5, n) + status(0, n) + hear() + drain(5, n) + status(1, n)
    guest.run(code, asm.HALT)
    assert samples(guest, 2) == [TXRDY | TXEMP | RXRDY, TXRDY | TXEMP]
    assert heard(guest) == bytes(range(5))
    assert guest.machine.console == b""


@pytest.mark.parametrize("n", UARTS)
def test_a_full_receive_fifo_and_its_overrun(guest: Bench, n: int) -> None:
    """RESET_ERROR clears the overrun alone, RESET_RX the FIFO too."""
    code = start_psc(n, mr2=LOOPBACK) + fill(FIFO - 1, n) + status(0, n) + fill(1, n) + status(1, n) + fill(1, n)
    code += status(2, n) + command(RESET_ERROR, n) + status(3, n) + fill(1, n) + command(RESET_RX, n) + status(4, n)
    guest.run(code, asm.HALT)
    ready = TXRDY | TXEMP
    full = ready | RXRDY | FFULL
    assert samples(guest, 5) == [ready | RXRDY, full, full | OVERRUN, full, ready]


@pytest.mark.parametrize("n", UARTS)
def test_each_psc_has_its_interrupt(guest: Bench, n: int) -> None:
    guest.handler(vector(PSC_SOURCE[n]), note("i") + asm.move("b", at(PSC[n] + BUFFER), post(A1)) + asm.RTE)
    code = start_log() + hear() + set_mask(0) + allow(n) + start_psc(n, mr2=LOOPBACK, imr=INT_RX)
    guest.run(code, sample([("l", IPRH)]), fill(3, n), note("m"), asm.HALT)
    assert log(guest) == "iiim"
    assert heard(guest) == b"\0\1\2"
    assert samples(guest, 1) == [0]


def test_the_other_pscs_are_not_connected(guest: Bench) -> None:
    guest.machine.type_in(b"for PSC0")
    code = b"".join(start_psc(n) + fill(3, n) + status(n, n) for n in (1, 2, 3))
    guest.run(code, asm.HALT)
    assert samples(guest, 4)[1:] == [TXRDY | TXEMP] * 3
    assert guest.machine.console == b""


# --- the machine around them


def test_a_snapshot_while_a_character_is_on_its_way(guest: Bench) -> None:
    guest.machine.type_in(b"pq")
    guest.handler(COM, asm.move("b", at(PSC[0] + BUFFER), post(A1)) + asm.RTE)
    code = hear() + allow() + start_psc(divisor=100, imr=INT_RX) + fill(2) + 2 * asm.stop(masked(0)) + asm.HALT
    guest.start(code)
    guest.machine.run(max_cycles=100 * CHARACTER // 2)
    snapshot = guest.machine.snapshot()
    ends = []
    for _ in range(2):
        assert guest.resume().reason is StopReason.HALT
        ends.append((guest.machine.counters(), heard(guest), bytes(guest.machine.console)))
        guest.machine.restore(snapshot)
    assert ends[0] == ends[1]
    assert ends[0][1:] == (b"pq", b"\0\1")


def test_a_script_is_asked_for_once_and_begins_when_the_guest_waits(guest: Bench) -> None:
    asked = []

    def supply() -> bytes:
        asked.append(guest.machine.counters().cycles)
        return b"script"

    echo = asm.move("b", at(PSC[0] + BUFFER), d(D6)) + asm.move("b", d(D6), at(PSC[0] + BUFFER))
    guest.handler(COM, echo + asm.subq(1, d(D7)) + asm.RTE)
    guest.machine.when_listening(supply)
    code = asm.moveq(6, D7) + allow() + start_psc(imr=INT_RX)
    guest.run(code, asm.stop(masked(0)), asm.tst("l", d(D7)), asm.branch_b("ne", -8), start_psc(), asm.HALT)
    assert guest.machine.console == b"script"
    assert len(asked) == 1
    assert guest.machine.counters().cycles < 5000


def test_without_a_script_what_is_typed_comes_at_once(guest: Bench) -> None:
    guest.machine.when_listening(lambda: b"")
    guest.start(start_psc() + hear() + receive(2) + asm.HALT)
    guest.machine.run(max_instructions=200)
    guest.machine.type_in(b"ab")
    guest.resume()
    assert heard(guest) == b"ab"


def test_what_was_sent_before_the_guest_listens_is_shown_before_a_script_is_asked_for(guest: Bench) -> None:
    shown = []

    def supply() -> bytes:
        shown.append(bytes(guest.machine.console))
        return b""

    guest.machine.when_listening(supply)
    guest.run(fill(2), start_psc(), fill(1), asm.HALT)
    assert shown == [b"\0\1"]


def test_a_guest_that_does_not_wait_is_typed_at_after_a_second() -> None:
    with bench("native") as guest:
        guest.machine.when_listening(lambda: b"x")
        guest.run(start_psc(), hear(), receive(1), asm.HALT, budget=100_000_000)
        assert heard(guest) == b"x"
        assert 0 < guest.machine.counters().cycles - guest.machine.board.core_hz < 1000


def test_engines_agree_about_the_time_of_a_long_conversation() -> None:
    """An echo through interrupts on a slow line: the same cycle count in every engine."""
    seen = set()
    for engine in ("native", "public", "reference"):
        with bench(engine) as guest:
            echo = asm.move("b", at(PSC[0] + BUFFER), d(D6)) + asm.move("b", d(D6), at(PSC[0] + BUFFER))
            guest.handler(COM, echo + asm.subq(1, d(D7)) + asm.RTE)
            guest.machine.type_in(b"The quick brown fox jumps over the lazy dog")
            code = asm.moveq(43, D7) + allow() + start_psc(divisor=72, imr=INT_RX)
            guest.run(code, asm.stop(masked(0)), asm.tst("l", d(D7)), asm.branch_b("ne", -8), asm.HALT)
            counters = guest.machine.counters()
            seen.add((counters.cycles, counters.instructions, bytes(guest.machine.console)))
    assert len(seen) == 1
    assert seen.pop()[2] == b"The quick brown fox jumps over the lazy dog"
