"""Generate ``objdump_lengths.json``: the length of every op word according to GNU objdump.

The golden is an opinion that is independent of :mod:`emu.timing`: it is made by binutils alone. Re-run only to adopt a
newer binutils:

    python tests/unit/timing/make_objdump_golden.py > tests/unit/timing/objdump_lengths.json

Many op words decode only with a fitting second word (MULU.L, MAC, FMOVE, ...), so each is tried with several; the
length is that of any attempt that decodes. A length of 0 means that no attempt decodes.
"""

import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

OBJDUMP = "m68k-linux-gnu-objdump"
MACHINE = "m68k:cfv4e"

# Second words that, between them, make every two-word form decodable.
SECOND_WORDS = (
    0x0000,  # immediates, displacements, MULU.L, FMOVE FP0,FP0, MAC
    0x0800,  # MULS.L, MAC.L, long index
    0x0003,  # WDEBUG, MOVEC ASID
    0x4400,  # FMOVE.S <ea>,FP0
    0x6400,  # FMOVE.S FP0,<ea>
    0x8400,  # FMOVE <ea>,FPIAR
    0xD001,  # FMOVEM <ea>,list
    0x0900,  # MSAC.L
    0x0002,  # MOVEC CACR
)
UNIT_WORDS = 12  # one op word, the second word, zeros, then NOPs on which a linear disassembler falls into step again
NOP = 0x4E71
FPU_MASK, FPU_GENERAL = 0xFFC0, 0xF200
BLOCK = 64  # op words that differ in their EA field only

_LINE = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t?(.*)$")


def lengths_with(second_word: int) -> list[int]:
    """Length in words of each op word when followed by ``second_word``; 0 where objdump prints data."""
    body = struct.pack(">4H", second_word, 0, 0, 0) + struct.pack(f">{UNIT_WORDS - 5}H", *[NOP] * (UNIT_WORDS - 5))
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "image.bin"
        image.write_bytes(b"".join(struct.pack(">H", op) + body for op in range(0x10000)))
        command = [OBJDUMP, "-D", "-z", "--insn-width=16", "-b", "binary", "-m", MACHINE, str(image)]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lengths = [0] * 0x10000
    for line in listing.splitlines():
        if found := _LINE.match(line):
            address, words, text = int(found[1], 16), found[2].split(), found[3]
            if address % (2 * UNIT_WORDS) == 0 and not text.startswith("."):
                lengths[address // (2 * UNIT_WORDS)] = len(words)
    return lengths


def objdump_lengths() -> list[int]:
    """Length in words of all 65536 op words, 0 where none of SECOND_WORDS makes it an instruction.

    Where attempts differ the longest counts: only FPU op words do (checked), because objdump ignores the EA field of
    an FPU register operation, which hardware demands to be zero.
    """
    result = [0] * 0x10000
    for attempt in map(lengths_with, SECOND_WORDS):
        for op, words in enumerate(attempt):
            if words and result[op] and words != result[op] and op & FPU_MASK != FPU_GENERAL:
                raise ValueError(f"op word {op:#06x}: objdump gives both {result[op]} and {words} words")
            result[op] = max(result[op], words)
    return result


def pack(lengths: list[int]) -> dict[str, list[str]]:
    """Lengths as distinct 64-digit patterns (one digit an op word) and, for each block of 64, its pattern's number."""
    blocks = ["".join(map(str, lengths[i : i + BLOCK])) for i in range(0, len(lengths), BLOCK)]
    patterns = sorted(set(blocks))
    numbers = [f"{patterns.index(block):02x}" for block in blocks]
    return {"patterns": patterns, "blocks": ["".join(numbers[i : i + 64]) for i in range(0, len(numbers), 64)]}


def unpack(packed: dict[str, list[str]]) -> list[int]:
    """The inverse of :func:`pack`: 65536 lengths in words."""
    numbers = "".join(packed["blocks"])
    return [int(d) for i in range(0, len(numbers), 2) for d in packed["patterns"][int(numbers[i : i + 2], 16)]]


def main() -> None:
    if shutil.which(OBJDUMP) is None:
        sys.exit(f"{OBJDUMP}: not found (Debian: binutils-m68k-linux-gnu)")
    json.dump(pack(objdump_lengths()), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
