"""The nucleus as data: where the prebuilt ELFs are and what they hash to. The code is ColdFire, in ``src/``.

The image is linked once, at 0xC0000000, and packed twice: the boards differ in where SDRAM lies, and so in the physical
address to which the same bytes are loaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Nucleus", "nucleus"]

_PREBUILT = Path(__file__).resolve().parent / "prebuilt"
_RAM_BASES = (0xC000_0000, 0x0000_0000)


@dataclass(frozen=True)
class Nucleus:
    """One prebuilt ELF: its path, and the SHA-256 of its bytes in hex (the ``firmware`` field of a result row)."""

    path: Path
    sha256: str


def nucleus(ram_base: int) -> Nucleus:
    """The ELF for a board whose SDRAM begins at physical address ``ram_base``.

    Raises ValueError when there is none for that address, OSError when the file cannot be read.
    """
    if ram_base not in _RAM_BASES:
        known = " or ".join(f"{base:#010x}" for base in _RAM_BASES)
        raise ValueError(f"no nucleus for SDRAM at {ram_base:#010x}: it is built for {known}")
    path = _PREBUILT / f"nucleus-{ram_base:08x}.elf"
    return Nucleus(path, hashlib.sha256(path.read_bytes()).hexdigest())
