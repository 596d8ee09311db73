"""Where ``qemu-m68k -cpu cfv4e`` (7.2) is itself wrong, each with the place in the manual that says so.

Lockstep accepts a difference only if a row explains it, and what a row excuses is judged by an oracle instead. The rows
with ``generated`` False are never met by the random sequences, which avoid them, because they kill QEMU or leave memory
different; they are here so that the list is complete.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from emu.debug.disassembly import disassemble
from tests.oracle.integer import V
from tests.support.lockstep import Difference

__all__ = ["QEMU_ERRORS", "QemuError", "excuse"]


@dataclass(frozen=True)
class QemuError:
    """``mnemonic``: pattern of the instruction's text; ``fields``: what may differ; ``judge``: who decides instead."""

    mnemonic: str
    fields: tuple[str, ...]
    what: str
    section: str
    judge: str
    generated: bool = True
    when: Callable[[Difference], bool] = lambda _difference: True

    def explains(self, difference: Difference) -> bool:
        """Whether this row is the reason."""
        text = disassemble(difference.code, difference.pc)[0].text
        return difference.field in self.fields and re.match(self.mnemonic, text) is not None and self.when(difference)


_FPU, _EMAC, _INTEGER = (f"tests/oracle/{name}.py" for name in ("fpu", "emac", "integer"))
QEMU_ERRORS = (
    QemuError(
        r"mvz\.[bw]",
        ("ccr",),
        "MVZ sets N from the top bit of the narrow source; N is always cleared",
        "CFPRM 4-58 (MVZ)",
        _INTEGER,
    ),
    QemuError(
        r"fmove\.[bwlsd] fp\d, (d\d|.*\(|\()",
        ("fpcc",),
        "FMOVE FPn,<ea> changes FPCC; a floating-point store does not",
        "548xRM 6-9 (sheet 4.6)",
        _FPU,
    ),
    QemuError(
        r"fmove\.[bw] fp\d, d\d",
        ("d",),
        "FMOVE.B and FMOVE.W FPn,Dn write all 32 bits; only the low 8 or 16 belong to the operand",
        "CFPRM FMOVE; 548xRM 6-3",
        _FPU,
    ),
    QemuError(
        r"fmove\.[bwl] fp",
        ("d", "memory"),
        "FMOVE to an integer of a number that does not fit, an infinity or a NaN truncates bits instead of giving the "
        "nearest integer or all ones",
        "548xRM 6-21 (OPERR)",
        _FPU,
        generated=False,
    ),
    QemuError(
        r"f",
        ("fp", "fpcc"),
        "denormal operands are used instead of counting as zero; tiny results become denormal (or keep a 15-bit "
        "exponent) instead of zero or the smallest normalised number; NaNs keep their payload and sign",
        "548xRM 6-5, 6-20, 6-22 (sheet 4.6)",
        _FPU,
        generated=False,
    ),
    QemuError(
        r"f",
        ("fpsr", "fpiar"),
        "EXC and AEXC are never set, FP exceptions never taken, FPIAR does not exist; FPCR[PREC] = 0 means extended",
        "548xRM 6-9, 6-18 to 6-23; CF4UM 4-11 (sheet 4.6)",
        _FPU,
        generated=False,
    ),
    QemuError(
        r"(mac|msac|mov.*acc|mov.*macsr|mov.*mask)",
        ("d", "a"),
        "MSAC adds; MAC with a load, rounding and saturation differ; MASK is not applied as written",
        "CFPRM chapter 6; 548xRM table 4-2, 4-8",
        _EMAC,
        generated=False,
    ),
    QemuError(
        r"div[su]\.w",
        ("ccr",),
        "DIVS.W and DIVU.W keep N when they overflow; it is cleared",
        "CFPRM DIVS, DIVU",
        _INTEGER,
        when=lambda difference: int(difference.ours, 16) & 0xF == V,
    ),
    QemuError(
        r"(div|rem)s",
        (),
        "INT_MIN / -1 raises SIGFPE in the host",
        "CFPRM DIVS (V set, operands kept)",
        _INTEGER,
        generated=False,
    ),
)


def excuse(difference: Difference) -> QemuError | None:
    """The row that explains a difference, or None: then it is ours to explain."""
    return next((row for row in QEMU_ERRORS if row.generated and row.explains(difference)), None)
