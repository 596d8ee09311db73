"""Random programs that use every modelled peripheral register at every size, for comparisons between engines.

A program is a list of small pieces of code that hypothesis can drop or simplify one by one. It starts with everything
unmasked; each handler notes its vector, takes its cause away as far as it can, and returns.
"""

import itertools

from hypothesis import strategies as st

from emu.devices.registers import REGISTERS, DeviceRegister
from emu.machine import Machine, StopReason
from tests.support import asm
from tests.support.asm import A0, A1, A3, D1, D2, D3, D4, D5, D6, D7, at, d, ind, post
from tests.support.guest import DATA, MBAR, RAM, Bench, store_long, stub
from tests.support.peripherals import (
    BUFFER,
    EPFR,
    EPIER,
    IEN,
    IMRH,
    IMRL,
    INTFRCH,
    INTFRCL,
    PSC,
    PSC_IMR,
    PSC_SOURCE,
    RUN,
    SLT_SOURCE,
    TEN,
    assign,
    clear_timer,
    masked,
    set_mask,
    start_psc,
    start_timer,
    store,
    vector,
)

RESCUE = 200  # vector of the host's interrupt that ends a STOP which nothing else can
RESULTS = DATA + 0x1000  # what loads found, through A3
TAKEN = DATA + 0x800  # the last vector, and a running sum of all
SIZES = {"b": 1, "w": 2, "l": 4}
ROUNDS = 12
HANDLERS = RAM + 0x20000  # 128 bytes for each source
# Not these: a hypercall needs an answer, and GPT0 resets the board (both have tests of their own).
USED = [register for register in REGISTERS if register.name not in ("mailbox call", "GMS0")]


def of_kind(letter: str) -> list[DeviceRegister]:
    """The registers that can be read ("r") or written ("w")."""
    return [register for register in USED if letter in register.access]


VALUES = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 300),
    st.sampled_from((0, 1, 0xFFFFFFFF, 0xFFFFFFFE, TEN, RUN | TEN, RUN | IEN | TEN, IEN | TEN, 0x01010101, 0x80808080)),
)
LEVELS = st.integers(0, 7)


@st.composite
def places(draw: st.DrawFn, letter: str) -> tuple[str, int]:
    """(Size, address) of an access inside one register; rarely one that is misaligned or too long."""
    register = draw(st.sampled_from(of_kind(letter)))
    fitting = [size for size, width in SIZES.items() if width <= register.size]
    size = draw(st.sampled_from(fitting if draw(st.integers(0, 19)) else "bwl"))
    last = max(register.size - SIZES[size], 0)
    offset = draw(st.integers(0, min(last, 0x4F)))
    if draw(st.integers(0, 19)):
        offset -= offset % SIZES[size]
    return size, MBAR + register.offset + offset


@st.composite
def stores(draw: st.DrawFn) -> bytes:
    size, address = draw(places("w"))
    return store(size, draw(VALUES), address)


@st.composite
def loads(draw: st.DrawFn) -> bytes:
    size, address = draw(places("r"))
    return asm.move(size, at(address), d(D1)) + asm.alu("add", d(D1), D2) + asm.move("l", d(D1), post(A3))


@st.composite
def copies(draw: st.DrawFn) -> bytes:
    """From one register to another in one instruction."""
    (size, source), (_, target) = draw(places("r")), draw(places("w"))
    return asm.lea(at(source), A0) + asm.lea(at(target), A1) + asm.move(size, ind(A0), ind(A1))


@st.composite
def modifications(draw: st.DrawFn) -> bytes:
    """Read, modify and write in one instruction."""
    _, address = draw(places("w"))
    byte, longword = asm.lea(at(address), A0), asm.lea(at(address & ~3), A0)
    bit = draw(st.integers(0, 7))
    return draw(
        st.sampled_from(
            (
                *(byte + asm.bit(name, bit, ind(A0)) for name in ("bset", "bclr", "bchg", "btst")),
                byte + asm.tas(ind(A0)),
                longword + asm.addq(1, ind(A0)),
                longword + asm.alu_to("or", D2, ind(A0)),
                longword + asm.alu_to("and", D1, ind(A0)),
            )
        )
    )


@st.composite
def lists(draw: st.DrawFn) -> bytes:
    """MOVEM, the only instruction with several accesses to peripherals; it is started again as a whole."""
    _, address = draw(places("r"))
    registers = draw(st.sampled_from(((D3, D4), (D3, D4, D5))))
    code = asm.lea(at(address & ~3), A0) + asm.movem_load(ind(A0), registers)
    return code + (asm.movem_store(registers, ind(A0)) if draw(st.booleans()) else b"")


@st.composite
def pauses(draw: st.DrawFn) -> bytes:
    """Plain code of some cycles."""
    turns = draw(st.integers(1, 40))
    loop = asm.subq(1, d(D4)) + asm.branch_b("ne", -4)
    return draw(st.sampled_from((asm.TPF * (turns // 4 + 1), asm.NOP * (turns // 8 + 1), asm.moveq(turns, D4) + loop)))


STOPS = LEVELS.map(lambda level: asm.stop(masked(level)))
MASKS = LEVELS.map(set_mask)


def rounds(beginning: bytes, body: bytes) -> bytes:
    """The body several times: what a store leaves behind meets all the others."""
    turn = body + asm.subq(1, d(D7))
    return beginning + asm.moveq(ROUNDS, D7) + turn + asm.branch_w("ne", -len(turn) - 2)


# One of these is chosen evenly.
OFTEN = (stores(), loads(), pauses())
PARTS = st.one_of(*OFTEN, *OFTEN, stores(), loads(), copies(), modifications(), lists(), STOPS, MASKS)


@st.composite
def beginnings(draw: st.DrawFn) -> bytes:
    """Everything runs: both timers, all PSCs, all sources unmasked at some level."""
    code = asm.lea(at(RESULTS), A3) + store_long(0, IMRL) + store_long(0, IMRH)
    for source in (*SLT_SOURCE, *PSC_SOURCE, 10, 20, 60):
        code += assign(source, draw(LEVELS), draw(LEVELS))
    for n in range(len(PSC)):
        mr2, imr = draw(st.sampled_from((0x07, 0x80))), draw(st.integers(0, 3))
        code += start_psc(n, divisor=draw(st.integers(0, 2)), mr2=mr2, imr=imr)
    for n in range(2):
        count = draw(st.one_of(st.integers(100, 3000), st.integers(0, 100)))
        code += start_timer(n, count, draw(st.sampled_from((TEN, RUN | TEN, IEN | TEN, RUN | IEN | TEN))))
    return code + set_mask(draw(LEVELS))


BODIES = st.lists(PARTS, min_size=12, max_size=60).map(b"".join)
PROGRAMS = st.builds(rounds, beginnings(), BODIES)
PINS = st.lists(st.tuples(st.integers(1, 7), st.booleans()), max_size=8)
TYPED = st.binary(max_size=20)


def take_away(source: int) -> bytes:
    """Guest code that ends the request of a source, as far as a handler can."""
    code = store_long(0, INTFRCH if source > 31 else INTFRCL, D6)
    if source in SLT_SOURCE:
        code += clear_timer(SLT_SOURCE.index(source))
    elif source in PSC_SOURCE:
        base = PSC[PSC_SOURCE.index(source)]
        code += asm.move("b", at(base + BUFFER), d(D6)) + store("b", 2, base + PSC_IMR, D6)  # TXRDY only ends masked
    elif source < 8:
        code += store("b", 1 << source, EPFR, D6) + store("b", 0, EPIER, D6)
    return code


def prepare(guest: Bench, program: bytes) -> None:
    """Handlers, and the program at the start."""
    for source in range(1, 64):
        note = asm.moveq(source, D6) + asm.move("b", d(D6), at(TAKEN)) + asm.alu_to("add", D6, at(TAKEN + 4))
        where = HANDLERS + 128 * source
        guest.put(stub(vector(source)), asm.jmp(at(where)))
        guest.put(where, note + take_away(source) + asm.RTE)
    guest.handler(RESCUE, asm.RTE)
    guest.start(program + asm.HALT)


def drive(machine: Machine, pins: list[tuple[int, bool]], typed: bytes, slices: list[int]) -> StopReason:
    """Run in slices of so many instructions, over and over, with a pin moved and a character typed every 100."""
    budget = 3000
    cut = itertools.cycle(slices)
    hand = iter(pins)
    for n, start in enumerate(range(0, budget, 100)):
        machine.type_in(typed[n : n + 1])
        if (move := next(hand, None)) is not None:
            machine.move_pin(*move)
        end = start + 100
        while (left := end - int(machine.core.state["instructions"])) > 0:
            reason = machine.run(max_instructions=min(next(cut), left)).reason
            if reason is StopReason.STOPPED:
                machine.raise_interrupt(7, RESCUE)
            elif reason is not StopReason.INSTRUCTIONS:
                return reason
    return StopReason.INSTRUCTIONS
