"""GNU objdump's opinion of V4e code, and both its texts and ours in one form, so that they can be compared.

The two print different assemblers' syntax: ``movel %a0@(4),%d0`` and ``move.l $4(a0), d0``. The common form is the
mnemonic without dots and a tuple of operands, numbers as 32-bit values.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from emu.debug.disassembly import CONTROL_REGISTERS

__all__ = ["MISSING", "OBJDUMP", "Text", "canonical", "disassemble_units", "from_objdump", "from_ours"]

OBJDUMP = shutil.which("m68k-linux-gnu-objdump")
MISSING = "m68k-linux-gnu-objdump is not installed (Debian's package gcc-m68k-linux-gnu)"
MACHINE = "m68k:cfv4e"
NOP = b"\x4e\x71"

Text = tuple[str, tuple[str, ...]]
"""Mnemonic and operands."""

_LINE = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t?(.*)$")
_NAMES = {"fp": "a6", "sp": "a7", "mbar1": "mbar"}
_REGISTERS = [f"{kind}{i}" for kind in "da" for i in range(8)]
_CONDITIONS = "ra|sr|hi|ls|cc|cs|ne|eq|vc|vs|pl|mi|ge|lt|gt|le"
_SIZELESS = re.compile(r"(btst|bchg|bclr|bset|lea|pea|tas|st|sf|s(?:hi|ls|cc|cs|ne|eq|vc|vs|pl|mi|ge|lt|gt|le))[bl]")
_SHORT_BRANCH = re.compile(rf"b({_CONDITIONS})s")
_FP_BRANCH = re.compile(r"(fb[a-z]+?)w")
_FP_REGISTER = re.compile(r"fp[0-7]")
_REGISTER_LIST = re.compile(r"[da][0-7](?:[-/][da][0-7])*")
_ENDS_WITH_D = {"fadd", "fsadd", "fdadd"}  # which is no size
_BYTE_IMMEDIATE = {"moveq", "btst", "bchg", "bclr", "bset"}
_WORD_IMMEDIATE = {"stop"}


def disassemble_units(units: Sequence[bytes], size: int = 24) -> list[tuple[int, str]]:
    """(Words, text) of the first instruction of each unit, which is filled up with NOPs to ``size`` bytes."""
    blob = b"".join(unit + NOP * ((size - len(unit)) // 2) for unit in units)
    found = {at: entry for at, entry in listing(blob) if at % size == 0}
    return [found.get(i * size, (1, ".short")) for i in range(len(units))]


def listing(blob: bytes, origin: int = 0) -> list[tuple[int, tuple[int, str]]]:
    """(Address, (words, text)) of everything in ``blob``, one after the other."""
    assert OBJDUMP is not None
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "image.bin"
        image.write_bytes(blob)
        options = ["-D", "-z", "--insn-width=16", "-b", "binary", "-m", MACHINE, f"--adjust-vma={origin:#x}"]
        done = subprocess.run([OBJDUMP, *options, str(image)], check=True, capture_output=True, text=True)
    lines = (_LINE.match(line) for line in done.stdout.splitlines())
    return [(int(line[1], 16), (len(line[2].split()), line[3].strip())) for line in lines if line]


def split(text: str) -> tuple[str, list[str]]:
    """Mnemonic and operands: at the commas outside parentheses."""
    name, _, rest = text.partition(" ")
    operands, depth, start = [], 0, 0
    for i, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            operands.append(rest[start:i].strip())
            start = i + 1
    if rest.strip():
        operands.append(rest[start:].strip())
    return name, operands


def word32(value: int) -> str:
    return f"{value & 0xFFFFFFFF:#x}"


def from_objdump(text: str) -> Text:
    """The common form of a line of objdump."""
    text = re.sub(r"\s*<[^<>]*>\s*$", "", text)  # the symbol behind an address
    name, operands = split(text)
    return canonical(name, [_objdump_operand(operand) for operand in operands])


def _register(name: str) -> str:
    return _NAMES.get(name, name)


def _objdump_operand(text: str) -> str:
    if text.startswith("#"):
        return "#" + word32(int(text[1:], 0))
    if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", text):
        return word32(int(text, 0))
    if found := re.fullmatch(r"%(\w+)@", text):
        return f"({_register(found[1])})"
    if found := re.fullmatch(r"%(\w+)@([+-])(&?)", text):
        register = _register(found[1])
        return (f"({register})+" if found[2] == "+" else f"-({register})") + found[3]
    if found := re.fullmatch(r"%(\w+)@&", text):
        return f"({_register(found[1])})&"
    if found := re.fullmatch(r"%(\w+)@\((-?\w+)\)(&?)", text):
        return f"{word32(int(found[2], 0))}({_register(found[1])}){found[3]}"
    if found := re.fullmatch(r"%(\w+)@\((-?)(?:0x)?([0-9a-f]+),%(\w+):([wl])(?::(\d))?\)", text):
        displacement = word32(int(found[2] + found[3], 16))
        index = f"{_register(found[4])}.{found[5]}*{found[6] or 1}"
        return f"{displacement}({_register(found[1])},{index})"
    return re.sub(r"%(\w+)", lambda found: _register(found[1]), text)


def from_ours(text: str) -> Text:
    """The common form of one of our lines."""
    name, operands = split(text)
    return canonical(name.replace(".", ""), [_our_operand(operand) for operand in operands])


def _number(text: str) -> int:
    return int(text.replace("$", "0x"), 0)


def _our_operand(text: str) -> str:
    if text.startswith("#"):
        return "#" + word32(_number(text[1:]))
    if found := re.fullmatch(r"(-?\$[0-9a-f]+)\.w", text):
        value = _number(found[1]) & 0xFFFF
        return word32(value - (value & 0x8000) * 2)
    if found := re.fullmatch(r"(-?\$[0-9a-f]+)(\.l)?", text):
        return word32(_number(found[1]))
    if found := re.fullmatch(r"(-?\$[0-9a-f]+)\((\w+)\)(&?)", text):
        return f"{word32(_number(found[1]))}({found[2]}){found[3]}"
    if found := re.fullmatch(r"(-?\$[0-9a-f]+)?\((\w+), (\w+)\.([wl])(?: \* (\d))?\)", text):
        displacement = word32(_number(found[1] or "$0"))
        return f"{displacement}({found[2]},{found[3]}.{found[4]}*{found[5] or 1})"
    return text


def canonical(name: str, operands: list[str]) -> Text:
    """Spellings that mean the same become one."""
    if name.startswith((".short", "short")):
        return ".short", ()
    name = {"move": "movel", "fmovem": "fmovemd"}.get(name, name)
    if found := _SIZELESS.fullmatch(name):
        name = found[1]  # the only size there is
    elif found := _SHORT_BRANCH.fullmatch(name):
        name = f"b{found[1]}b"
    elif found := _FP_BRANCH.fullmatch(name):
        name = found[1]  # of a word, unless it says l
    if name.startswith("f") and operands and all(_FP_REGISTER.fullmatch(o) for o in operands):
        name = name if name in _ENDS_WITH_D else name.removesuffix("d")
        if len(operands) == 2 and operands[0] == operands[1]:
            del operands[1]  # a source that is the destination need not be named
    if re.fullmatch(r"rem[us]l", name):
        operands = [part for operand in operands for part in operand.split(":")]
    if name == "moveml":
        operands = [_register_list(o) if _REGISTER_LIST.fullmatch(o) else o for o in operands]
    if name == "movec":
        operands = [CONTROL_REGISTERS.get(int(o.strip("#"), 0), o.strip("#")) if "0x" in o else o for o in operands]
    return name, tuple(_immediate(name, o) for o in operands)


def _register_list(text: str) -> str:
    """A list of registers, each by its name."""
    found: list[str] = []
    for part in text.split("/"):
        first, _, last = part.partition("-")
        found += _REGISTERS[_REGISTERS.index(first) : _REGISTERS.index(last or first) + 1]
    return "/".join(found)


def _immediate(name: str, operand: str) -> str:
    """An immediate as wide as its operation."""
    if not operand.startswith("#"):
        return operand
    value = int(operand[1:], 0)
    if name in _BYTE_IMMEDIATE or name.endswith("b"):
        value &= 0xFF
    elif name in _WORD_IMMEDIATE or name.endswith("w"):
        value &= 0xFFFF
    return f"#{value:#x}"
