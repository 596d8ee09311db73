"""Segments and symbols of a ColdFire ELF file, and nothing else of ELF.

pyelftools does the parsing but trusts the file; everything that a truncated or foreign file could make go wrong is
checked here first, so that bad input is one line of :class:`ElfError` and never a traceback from inside a library.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emu.errors import UsageError
from emu.text import one_line

if TYPE_CHECKING:
    from elftools.elf.sections import Section

__all__ = ["Elf", "ElfError", "Segment", "Symbol", "load_elf"]

_MAGIC = b"\x7fELF"
_IDENT_CLASS, _CLASS_32 = 4, 1
_IDENT_DATA, _DATA_BIG_ENDIAN = 5, 2
_HEADER_BYTES = 52  # sizeof(Elf32_Ehdr)
_PROGRAM_HEADER_BYTES = 32
_SECTION_HEADER_BYTES = 40
_MACHINE_68K = 4
_TYPE_EXECUTABLE = 2
_ADDRESS_SPACE = 1 << 32
_PROGRAM_HEADER_FORMAT = ">8I"  # Elf32_Phdr
_SEGMENT_IS_LOADED = 1
_SECTION_IS_SYMBOL_TABLE = 2
_SECTION_IS_COMPRESSED = 0x800  # in its flags
_NAMES_PER_BYTE = 16  # linkers let a name be the end of another's
_SYMBOL_BYTES = 16

_SYMBOL_FORMAT = ">IIIBBH"  # Elf32_Sym: name, value, size, binding and type, other, section
_SHN_UNDEF, _SHN_ABS, _SHN_COMMON = 0, 0xFFF1, 0xFFF2
_STT_FUNC, _STT_OBJECT, _STT_NOTYPE = 2, 1, 0
_STB_GLOBAL, _STB_WEAK, _STB_LOCAL = 1, 2, 0
# Which of several labels at one address names it best: code before data before bare labels, global before local.
_TYPES = (_STT_FUNC, _STT_OBJECT, _STT_NOTYPE)
_BINDINGS = (_STB_GLOBAL, _STB_WEAK, _STB_LOCAL, *range(_STB_WEAK + 1, 16))
_RANK = {binding << 4 | kind: rank for rank, (kind, binding) in enumerate(product(_TYPES, _BINDINGS))}


class ElfError(UsageError):
    """The file is not an executable this machine can load; ``str()`` is one line that starts with the path."""

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = Path(path)
        self.why = why


@dataclass(frozen=True, slots=True)
class Segment:
    """A loadable segment: ``data`` goes to physical address ``paddr``; the rest up to ``memsz`` bytes is zero."""

    paddr: int
    vaddr: int
    memsz: int
    data: bytes


class Symbol(NamedTuple):
    """A label: ``size`` is 0 when the file does not say how far it reaches."""

    address: int
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Elf:
    """What the machine needs of an executable. ``symbols``: ascending, one per address. ``labels``: every name."""

    path: Path
    entry: int
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]
    labels: dict[str, int] = field(repr=False)

    def symbol(self, address: int) -> str | None:
        """``"name"`` or ``"name+0x12"`` of the closest label at or below ``address``.

        None when there is none, or when that label ends before ``address``.
        """
        index = bisect_right(self.symbols, address, key=lambda symbol: symbol.address) - 1
        if index < 0:
            return None
        closest = self.symbols[index]
        offset = address - closest.address
        if offset == 0:
            return closest.name
        return f"{closest.name}+{offset:#x}" if offset < self._reach(closest) else None

    def start(self, address: int) -> int | None:
        """Address of the label that :meth:`symbol` names."""
        name = self.symbol(address)
        return None if name is None else address - int(name.partition("+")[2] or "0", 16)

    def _reach(self, symbol: Symbol) -> int:
        """Bytes that a label speaks for: its size or, where the file gives none, up to the end of its segment."""
        ends = (s.vaddr + s.memsz for s in self.segments if s.vaddr <= symbol.address < s.vaddr + s.memsz)
        return symbol.size or next(ends, symbol.address) - symbol.address

    def physical(self, va: int) -> int | None:
        """Where the byte for virtual address ``va`` is loaded; None outside the segments."""
        return next((s.paddr + va - s.vaddr for s in self.segments if s.vaddr <= va < s.vaddr + s.memsz), None)

    def with_symbols(self, other: "Elf") -> "Elf":
        """The same executable with the labels of ``other`` too; its own win where both name an address or a name."""
        known = {symbol.address for symbol in self.symbols}
        more = (Symbol(s.address, s.name, other._reach(s)) for s in other.symbols if s.address not in known)
        symbols = tuple(sorted((*self.symbols, *more)))
        return replace(self, symbols=symbols, labels={**other.labels, **self.labels})

    def address(self, name: str) -> int:
        """Address of the label ``name``; raises :class:`ElfError` when the file has none of that name."""
        if name not in self.labels:
            raise ElfError(self.path, f"no symbol {name!r}")
        return self.labels[name]


def load_elf(path: str | Path) -> Elf:
    """Read a 32-bit big-endian 68k/ColdFire executable.

    Raises :class:`ElfError` if the file is missing or unreadable, is not ELF, is truncated, is for another machine,
    or holds nothing to load.
    """
    path = Path(path)
    try:
        image = path.read_bytes()
    except OSError as error:
        raise ElfError(path, _reason(error)) from error
    _check_identity(path, image)
    _check_tables(path, image)

    # Deferred: `cfemu --help` must not pay for a parser it does not use.
    from elftools.common.exceptions import ELFError as ParserError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(image))
        segments = tuple(_segments(path, image))
        most = _NAMES_PER_BYTE * len(image)
        symbols = [symbol for table in elf.iter_sections("SHT_SYMTAB") for symbol in _useful_symbols(table, most)]
        entry = int(elf.header["e_entry"])
    except (ParserError, ConstructError, struct.error, ValueError, KeyError, OverflowError) as error:
        raise ElfError(path, f"damaged ELF file ({error})".replace("\n", " ")) from error
    if not segments:
        raise ElfError(path, "no loadable segment")
    best, labels = _rank(symbols)
    return Elf(path, entry, segments, best, labels)


def _reason(error: OSError) -> str:
    """The operating system's own words, without number and path."""
    return (error.strerror or str(error)).lower()


def _half(image: bytes, offset: int) -> int:
    """The big-endian 16-bit field at ``offset``."""
    return int.from_bytes(image[offset : offset + 2], "big")


def _word(image: bytes, offset: int) -> int:
    """The big-endian 32-bit field at ``offset``."""
    return int.from_bytes(image[offset : offset + 4], "big")


def _check_identity(path: Path, image: bytes) -> None:
    """Refuse what is not a complete header of a 32-bit big-endian 68k executable."""
    if image[:4] != _MAGIC:
        raise ElfError(path, "not an ELF file")
    if len(image) < _HEADER_BYTES:
        raise ElfError(path, f"truncated: {len(image)} bytes, the ELF header alone has {_HEADER_BYTES}")
    if image[_IDENT_CLASS] != _CLASS_32:
        raise ElfError(path, "not a 32-bit ELF file (ColdFire is 32-bit)")
    if image[_IDENT_DATA] != _DATA_BIG_ENDIAN:
        raise ElfError(path, "not a big-endian ELF file (ColdFire is big-endian)")
    machine = _half(image, 18)
    if machine != _MACHINE_68K:
        raise ElfError(path, f"for another machine (e_machine {machine}, expected {_MACHINE_68K}: 68k/ColdFire)")
    kind = _half(image, 16)
    if kind != _TYPE_EXECUTABLE:
        raise ElfError(path, f"not an executable (e_type {kind}): link it first")


def _check_tables(path: Path, image: bytes) -> None:
    """Refuse program and section header tables that lie outside the file or have foreign entry sizes."""
    tables = (
        ("program header table", _word(image, 28), _half(image, 42), _half(image, 44), _PROGRAM_HEADER_BYTES),
        ("section header table", _word(image, 32), _half(image, 46), _half(image, 48), _SECTION_HEADER_BYTES),
    )
    for name, offset, entry_bytes, count, expected in tables:
        if count and entry_bytes != expected:
            raise ElfError(path, f"damaged: {name} has entries of {entry_bytes} bytes, expected {expected}")
        _check_inside(path, image, name, offset, count * entry_bytes)
    _check_symbol_tables(path, image)


def _check_symbol_tables(path: Path, image: bytes) -> None:
    """Refuse symbol tables, and their string tables, that do not exist, lie outside the file or are no tables."""
    first, count = _word(image, 32), _half(image, 48)
    symbol_bytes = 0
    headers = [image[first + i * _SECTION_HEADER_BYTES :][:_SECTION_HEADER_BYTES] for i in range(count)]
    if _half(image, 50) >= max(count, 1):
        raise ElfError(path, f"damaged: section name table {_half(image, 50)} does not exist")
    for header in headers:
        if _word(header, 4) != _SECTION_IS_SYMBOL_TABLE:
            continue
        _check_inside(path, image, "symbol table", _word(header, 16), _word(header, 20))
        strings = _word(header, 24)
        if _word(header, 36) != _SYMBOL_BYTES or strings >= count:
            raise ElfError(path, "damaged: symbol table with foreign entries or without names")
        symbol_bytes += _word(header, 20)
        if symbol_bytes > len(image):
            raise ElfError(path, "damaged: symbol tables lie upon each other")
        if (_word(header, 8) | _word(headers[strings], 8)) & _SECTION_IS_COMPRESSED:
            raise ElfError(path, "compressed symbol table")
        _check_inside(path, image, "symbol names", _word(headers[strings], 16), _word(headers[strings], 20))


def _check_inside(path: Path, image: bytes, name: str, offset: int, size: int) -> None:
    """Refuse a part of the file that the file is too short to hold."""
    if size and offset + size > len(image):
        raise ElfError(path, f"truncated: {name} ends at {offset + size:#x}, the file at {len(image):#x}")


def _segments(path: Path, image: bytes) -> Iterator[Segment]:
    """Every non-empty PT_LOAD segment, checked against the file and the 32-bit address space.

    Together they are not larger than either, so that a small file costs little memory and time whatever it says.
    """
    first, count = _word(image, 28), _half(image, 44)
    in_file = in_memory = 0
    for index in range(count):
        header = struct.unpack_from(_PROGRAM_HEADER_FORMAT, image, first + index * _PROGRAM_HEADER_BYTES)
        kind, offset, vaddr, paddr, filesz, memsz, _flags, _align = header
        if kind != _SEGMENT_IS_LOADED or not memsz:
            continue
        name = f"segment {index}"
        in_file, in_memory = in_file + filesz, in_memory + memsz
        _check_inside(path, image, name, offset, filesz)
        if filesz > memsz:
            raise ElfError(path, f"damaged: {name} has {filesz} bytes in the file but {memsz} in memory")
        if max(paddr, vaddr) + memsz > _ADDRESS_SPACE:
            raise ElfError(path, f"damaged: {name} reaches beyond the 32-bit address space")
        if in_file > len(image) or in_memory > _ADDRESS_SPACE:
            raise ElfError(path, f"damaged: {name} and those before it lie upon each other")
        yield Segment(paddr, vaddr, memsz, image[offset : offset + filesz])


class _RawSymbol(NamedTuple):
    """A label of the symbol table; of several at one address the one that sorts first names it best."""

    rank: int
    name: str
    address: int
    size: int
    absolute: bool


def _useful_symbols(table: "Section", most: int) -> Iterator[_RawSymbol]:
    """Every label worth knowing: defined, named, and no assembler-local or mapping symbol. ValueError when all names
    together are longer than ``most``, which names that are parts of one another can be.

    pyelftools finds the tables; it takes 60 us for a symbol, and a kernel has ten thousand, so they are unpacked here.
    """
    from elftools.elf.sections import SymbolTableSection

    if not isinstance(table, SymbolTableSection):
        return
    names = table.stringtable.data()
    for at, address, size, info, _other, section in struct.iter_unpack(_SYMBOL_FORMAT, table.data()):
        if section in (_SHN_UNDEF, _SHN_COMMON) or info not in _RANK:
            continue
        raw = names[at : names.index(b"\0", at)]
        most -= len(raw)
        if most < 0:
            raise ValueError("names of symbols lie upon each other")
        name = one_line(raw.decode())
        if name and not name.startswith((".L", "$")):
            yield _RawSymbol(_RANK[info], name, address, size, section == _SHN_ABS)


def _rank(raw: list[_RawSymbol]) -> tuple[tuple[Symbol, ...], dict[str, int]]:
    """(one best symbol per address in ascending order, address of every name; a global wins over a local).

    Absolute labels have a value but name no place, so they only count in the second.
    """
    best: dict[int, Symbol] = {}
    labels: dict[str, int] = {}
    for symbol in sorted(raw):
        if not symbol.absolute:
            best.setdefault(symbol.address, Symbol(symbol.address, symbol.name, symbol.size))
        labels.setdefault(symbol.name, symbol.address)
    return tuple(sorted(best.values())), labels
