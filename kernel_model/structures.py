"""Sizes of the kernel objects, because every figure of the model (heap, headers, pages) is a multiple of them.

The sizes are *measured*: the Coyotos headers compiled with ``m68k-linux-gnu-gcc -mcpu=5475`` (kernel sheet 1.5).  Two
columns exist.  ``COMPILED`` is the compiler's default, 2-byte alignment (``sys/ARCH-LIST``).  ``ALIGNED`` is the
compiler's ``-malign-int``; a working port needs it, because RevMap keeps a 2-bit tag in the low bits of a Page pointer
and every other 54-byte header would lie at an address = 2 mod 4 (kernel sheet 1.5, "port trap").
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["STRUCTURES", "Alignment", "KernelStruct", "Sizes", "i386_sizes", "sizes"]


class Alignment(StrEnum):
    """How the compiler lays out the structures."""

    COMPILED = "compiled"
    ALIGNED = "aligned"


@dataclass(frozen=True)
class KernelStruct:
    """One kernel structure: its size in bytes in both ColdFire layouts and on the i386, and what it is for."""

    name: str
    compiled: int
    aligned: int
    i386: int
    purpose: str

    def size(self, alignment: Alignment) -> int:
        """Size in bytes under ``alignment``."""
        return self.compiled if alignment is Alignment.COMPILED else self.aligned


# Kernel sheet 1.5, columns "ColdFire", "CF 4-byte" and "i386".
STRUCTURES = {
    struct.name: struct
    for struct in (
        KernelStruct("process", 882, 888, 1408, "registers and 32 capability registers"),
        KernelStruct("gpt", 314, 316, 316, "one node of an address space: 16 slots of 16 bytes"),
        KernelStruct("endpoint", 78, 80, 80, "where messages are sent to"),
        KernelStruct("index", 4, 4, 4, "page-by-address index: one pointer per Page header"),
        KernelStruct("page", 54, 56, 60, "header of one page frame, RAM or device"),
        KernelStruct("depend", 128, 128, 248, "block of 15 entries: which page tables depend on which GPT"),
        KernelStruct("revmap", 188, 188, 188, "block of 15 entries: which page tables map which page"),
        KernelStruct("otentry", 12, 12, 12, "object-table entry: one per prepared object"),
    )
}


@dataclass(frozen=True)
class Sizes:
    """Sizes in bytes of every vector element of the heap."""

    process: int
    gpt: int
    endpoint: int
    index: int
    page: int
    depend: int
    revmap: int
    otentry: int

    def of(self, name: str) -> int:
        """Size in bytes of the structure called ``name``."""
        return int(getattr(self, name))


def sizes(alignment: Alignment = Alignment.ALIGNED) -> Sizes:
    """The size table for one alignment."""
    return Sizes(**{name: struct.size(alignment) for name, struct in STRUCTURES.items()})


def i386_sizes() -> Sizes:
    """The size table of the i386 port."""
    return Sizes(**{name: struct.i386 for name, struct in STRUCTURES.items()})
