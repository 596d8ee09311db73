"""The peripherals behind MBAR (sheet 6.2 to 6.5): their addresses, and pieces of guest code that their tests share.

Most pieces of code change D0 or D1; a handler must change D6 and D7 only.
"""

from collections.abc import Sequence

from tests.support import asm
from tests.support.asm import A6, D0, D1, D6, at, d, imm, post
from tests.support.guest import DATA, MBAR, Bench, store_long

INTC = MBAR + 0x700
IPRH, IPRL, IMRH, IMRL, INTFRCH, INTFRCL = (INTC + 4 * i for i in range(6))
IRLR, IACKLPR, SWIACK = INTC + 0x18, INTC + 0x19, INTC + 0xE0
MASKALL = 1
SPURIOUS = 24
FIRST_VECTOR = 64  # of source 0

SLT = (MBAR + 0x900, MBAR + 0x910)
STCNT, SCR, SCNT, SSR = 0x0, 0x4, 0x8, 0xC
RUN, IEN, TEN = 0x04000000, 0x02000000, 0x01000000
BE, ST = 0x02000000, 0x01000000
SLT_SOURCE = (54, 53)

PSC = tuple(MBAR + 0x8600 + 0x100 * n for n in range(4))
MR, SR, CSR, CR, BUFFER, PSC_IMR, ISR, CTUR, CTLR = 0x00, 0x04, 0x04, 0x08, 0x0C, 0x14, 0x14, 0x18, 0x1C
RXRDY, FFULL, TXRDY, TXEMP, OVERRUN = 0x01, 0x02, 0x04, 0x08, 0x10  # SR, high byte
INT_TX, INT_RX = 0x01, 0x02  # ISR and IMR, high byte
RX_ON, RX_OFF, TX_ON, TX_OFF = 0x01, 0x02, 0x04, 0x08
RESET_MR, RESET_RX, RESET_TX, RESET_ERROR = 0x10, 0x20, 0x30, 0x40
LOOPBACK = 0x80  # MR2: local loopback
FIFO = 512
PSC_SOURCE = (35, 34, 33, 32)
CHARACTER = 10 * 32 * 2  # core cycles of a character per unit of the divisor: 10 bits of 32 bus clocks

EPPAR, EPDDR, EPIER, EPDR, EPPDR, EPFR = (MBAR + 0xF00 + offset for offset in (0x0, 0x4, 0x5, 0x8, 0x9, 0xC))

LOG = DATA + 0x2000  # bytes that handlers append through A6
SAMPLES = DATA + 0x1000  # longwords that `sample` stores


def icr(source: int) -> int:
    """Address of the source's ICR."""
    return INTC + 0x40 + source


def level_iack(level: int) -> int:
    """Address of LnIACK."""
    return INTC + 0xE4 + 4 * (level - 1)


def vector(source: int) -> int:
    """Vector of a source."""
    return FIRST_VECTOR + source


def masked(level: int) -> int:
    """A supervisor SR with that interrupt mask."""
    return 0x2000 | level << 8


def set_mask(level: int) -> bytes:
    """Guest code: supervisor with that interrupt mask."""
    return asm.move_to_sr(imm(masked(level), "w"))


def store(size: str, value: int, address: int, scratch: int = D0) -> bytes:
    """``value`` to the absolute ``address`` by way of Dscratch."""
    return asm.move("l", imm(value), d(scratch)) + asm.move(size, d(scratch), at(address))


def change(address: int, *, clear: int = 0, put: int = 0, scratch: int = D1) -> bytes:
    """Read, modify and write a longword, as drivers do."""
    return (
        asm.move("l", at(address), d(scratch))
        + asm.alu_i("andi", ~clear & 0xFFFFFFFF, scratch)
        + asm.alu_i("ori", put, scratch)
        + asm.move("l", d(scratch), at(address))
    )


def _half(source: int, high: int, low: int) -> tuple[int, int]:
    return (high if source > 31 else low), 1 << source % 32


def force(*sources: int, scratch: int = D1) -> bytes:
    """Guest code that forces sources, one after the other."""
    halves = (_half(source, INTFRCH, INTFRCL) for source in sources)
    return b"".join(change(address, put=bit, scratch=scratch) for address, bit in halves)


def unforce(*sources: int, scratch: int = D1) -> bytes:
    """Guest code that takes the force away."""
    halves = (_half(source, INTFRCH, INTFRCL) for source in sources)
    return b"".join(change(address, clear=bit, scratch=scratch) for address, bit in halves)


def unmask(source: int) -> bytes:
    """Guest code that clears the source's bit of IMR, and MASKALL where it stands beside it, as Linux does."""
    address, bit = _half(source, IMRH, IMRL)
    return change(address, clear=bit | (MASKALL if address == IMRL else 0))


def assign(source: int, level: int, priority: int = 0) -> bytes:
    """Guest code that sets the source's ICR."""
    return store("b", level << 3 | priority, icr(source), D1)


def sample(reads: Sequence[tuple[str, int]], first: int = 0) -> bytes:
    """Guest code that reads each (size, address) and stores what it got for :func:`samples`, from the place ``first``
    on. Changes D0."""
    code = b""
    for i, (size, address) in enumerate(reads, first):
        code += asm.moveq(0, D0) + asm.move(size, at(address), d(D0)) + asm.move("l", d(D0), at(SAMPLES + 4 * i))
    return code


def samples(guest: Bench, count: int) -> list[int]:
    """What :func:`sample` read."""
    return [guest.long(SAMPLES + 4 * i) for i in range(count)]


def start_log() -> bytes:
    """Guest code: an empty log."""
    return asm.lea(at(LOG), A6)


def note(letter: str) -> bytes:
    """Guest code that appends a letter to the log."""
    return asm.move("b", imm(ord(letter), "b"), post(A6))


def log(guest: Bench) -> str:
    """The log."""
    return guest.machine.read_physical(LOG, guest.registers["a6"] - LOG).decode("latin-1")


def start_timer(n: int, count: int, control: int) -> bytes:
    """Guest code: a slice timer with that STCNT and SCR."""
    return store_long(count, SLT[n] + STCNT) + store_long(control, SLT[n] + SCR)


def clear_timer(n: int, scratch: int = D6) -> bytes:
    """Guest code that clears ST and BE, as Linux does."""
    return store_long(BE | ST, SLT[n] + SSR, scratch)


def start_psc(n: int = 0, *, divisor: int = 0, mr2: int = 0x07, imr: int = 0, command: int = RX_ON | TX_ON) -> bytes:
    """Guest code that sets a PSC up as Linux does: everything reset, 8N1, timer as clock, then on."""
    base = PSC[n]
    commands = b"".join(store("b", value, base + CR) for value in (RESET_RX, RESET_TX, RESET_ERROR, RESET_MR))
    modes = store("b", 0x13, base + MR) + store("b", mr2, base + MR) + store("b", 0xDD, base + CSR)
    clock = store("b", divisor >> 8, base + CTUR) + store("b", divisor & 0xFF, base + CTLR)
    return commands + modes + clock + store("b", imr, base + PSC_IMR) + store("b", command, base + CR)
