"""What gdb is told of the processor: registers and memory, as XML.

The first two features are gdb's own for ColdFire (gdb manual, G.5.8), with the registers in gdb's order; the others are
ours, and gdb shows them in groups of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from emu.debug.threads import Thread

__all__ = ["MEMORY_MAP", "REGISTERS", "Register", "target_description", "threads_description"]


@dataclass(frozen=True)
class Register:
    """``gdb``: its name there; ``name``: ours, in ``machine.registers``."""

    gdb: str
    name: str
    bits: int = 32
    type: str = "uint32"
    group: str = ""


def _plain(names: Sequence[str], group: str, bits: int = 32) -> list[Register]:
    return [Register(name, name, bits, f"uint{bits}", group) for name in names]


CORE = [
    *(Register(f"d{i}", f"d{i}") for i in range(8)),
    *(Register(f"a{i}", f"a{i}", type="data_ptr") for i in range(6)),
    Register("fp", "a6", type="data_ptr"),
    Register("sp", "a7", type="data_ptr"),
    Register("ps", "sr"),
    Register("pc", "pc", type="code_ptr"),
]
FP = [
    *(Register(f"fp{i}", f"fp{i}", 64, "ieee_double", "float") for i in range(8)),
    Register("fpcontrol", "fpcr", group="float"),
    Register("fpstatus", "fpsr", group="float"),
    Register("fpiaddr", "fpiar", type="code_ptr", group="float"),
]
CONTROL = _plain(("usp", "vbr", "cacr", "asid", "rambar0", "rambar1", "mbar"), "control")
ACRS, MMU = ("acr0", "acr1", "acr2", "acr3"), ("mmubar", "mmucr", "mmusr", "mmuar", "mmutr", "mmudr")
EMAC = [*_plain([f"acc{i}" for i in range(4)], "emac", 64), *_plain(("macsr", "mask"), "emac")]
FEATURES = {
    "org.gnu.gdb.coldfire.core": CORE,
    "org.gnu.gdb.coldfire.fp": FP,
    "org.cfemu.coldfire.control": CONTROL,
    "org.cfemu.coldfire.mmu": _plain((*ACRS, *MMU), "mmu"),
    "org.cfemu.coldfire.emac": EMAC,
}
REGISTERS = tuple(register for registers in FEATURES.values() for register in registers)
"""All of them; gdb's number of one is its index."""

# Addresses are virtual, so memory may be anywhere. Without a map gdb would assume so too, but not that it can be
# written as memory can.
MEMORY_MAP = (
    '<?xml version="1.0"?>\n'
    '<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN"'
    ' "http://sourceware.org/gdb/gdb-memory-map.dtd">\n'
    '<memory-map><memory type="ram" start="0x0" length="0x100000000"/></memory-map>\n'
)


def target_description() -> str:
    """``target.xml``."""
    lines = ['<?xml version="1.0"?>', '<!DOCTYPE target SYSTEM "gdb-target.dtd">', '<target version="1.0">']
    lines.append("<architecture>m68k:cfv4e</architecture>")
    number = 0
    for feature, registers in FEATURES.items():
        lines.append(f'<feature name="{feature}">')
        for register in registers:
            group = f' group="{register.group}"' if register.group else ""
            lines.append(
                f'<reg name="{register.gdb}" bitsize="{register.bits}" type="{register.type}"'
                f' regnum="{number}"{group}/>'
            )
            number += 1
        lines.append("</feature>")
    return "\n".join([*lines, "</target>", ""])


def threads_description(threads: Sequence[Thread]) -> str:
    """``qXfer:threads:read``."""
    rows = [f'<thread id="{t.number:x}" name={quoteattr(t.name)}>{escape(t.detail)}</thread>' for t in threads]
    return '<?xml version="1.0"?>\n<threads>' + "".join(rows) + "</threads>\n"
