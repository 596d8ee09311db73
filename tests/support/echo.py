"""A bare program for the default board that answers what is typed on PSC0, by interrupt with STOP between, or polling.

It says ``> `` when it is ready, echoes each character in capitals, and obeys some: ``q`` HALT, ``w`` resets the board,
``u`` reads a register that nothing models, ``s`` waits in STOP for ever, ``l`` loops for ever.
"""

from tests.support import asm, elfgen
from tests.support.asm import D0, D6, VBR, Assembler, at, d, imm
from tests.support.guest import CODE, HANDLERS, MBAR, RAM, STACK
from tests.support.peripherals import (
    BUFFER,
    INT_RX,
    PSC,
    PSC_SOURCE,
    RXRDY,
    SR,
    assign,
    masked,
    start_psc,
    store,
    unmask,
    vector,
)

UNMODELLED = MBAR + 0x100
GPT0_MODE, GPT0_COUNT, WATCHDOG_RESET = MBAR + 0x800, MBAR + 0x804, 0x00009004  # WDEN, CE, TMS = GPIO, as Linux does

READY = b"> "


def echo_elf(*, polling: bool = False, symbols: dict[str, int] | None = None) -> bytes:
    """The ELF file; ``symbols``: more of them."""
    handler = _answer(HANDLERS)
    handler.add(asm.RTE)
    main = _polling() if polling else _waiting()
    segments = [
        elfgen.Segment(CODE, main),
        elfgen.Segment(HANDLERS, handler.finish()),
        elfgen.Segment(RAM + 4 * vector(PSC_SOURCE[0]), HANDLERS.to_bytes(4)),
    ]
    return elfgen.make_elf(segments, symbols={"main": CODE, "answer": HANDLERS, **(symbols or {})})


def _say_ready() -> bytes:
    return b"".join(store("b", letter, PSC[0] + BUFFER) for letter in READY)


def _waiting() -> bytes:
    code = Assembler(CODE)
    code.add(asm.lea(at(STACK), asm.SP), asm.set_control(VBR, RAM))
    code.add(assign(PSC_SOURCE[0], 3), unmask(PSC_SOURCE[0]), start_psc(imr=INT_RX), _say_ready())
    code.label("idle")
    code.add(asm.stop(masked(0)))
    code.branch("ra", "idle")
    return code.finish()


def _polling() -> bytes:
    code = Assembler(CODE)
    code.add(asm.lea(at(STACK), asm.SP), asm.set_control(VBR, RAM), start_psc(), _say_ready())
    code.label("poll")
    code.add(asm.move("b", at(PSC[0] + SR), d(D0)), asm.alu_i("andi", RXRDY, D0))
    code.branch("eq", "poll")
    code.add(_answer(code.here).finish())
    code.branch("ra", "poll")
    return code.finish()


def _answer(origin: int) -> Assembler:
    """Reads a character and answers it. Changes D0 and D6."""
    code = Assembler(origin)
    code.add(asm.mvz("b", at(PSC[0] + BUFFER), D6))
    for letter, action in (
        ("q", asm.HALT),
        ("w", store("l", 1, GPT0_COUNT) + store("l", WATCHDOG_RESET, GPT0_MODE)),
        ("u", asm.move("l", at(UNMODELLED), d(D0))),
        ("s", asm.stop(masked(7))),
        ("l", asm.branch_b("ra", -2)),
    ):
        code.add(asm.move("l", imm(ord(letter)), d(D0)), asm.alu("cmp", d(D6), D0))
        code.branch("ne", f"not {letter}")
        code.add(action)
        code.label(f"not {letter}")
    code.add(asm.move("l", d(D6), d(D0)), asm.alu_i("andi", 0x40, D0))
    code.branch("eq", "no letter")
    code.add(asm.alu_i("andi", 0xDF, D6))
    code.label("no letter")
    code.add(asm.move("b", d(D6), at(PSC[0] + BUFFER)))
    return code
