"""Source lines of a program, as far as its DWARF tells them: from an address to FILE:LINE and back."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elftools.dwarf.dwarfinfo import DWARFInfo

__all__ = ["SourceLines", "load_lines"]

Row = tuple[int, str, int]
"""An address, the file and the line whose code begins there; line 0: no line's code."""


class SourceLines(Mapping[int, str]):
    """As a mapping: from the address at which a line's code begins to what :meth:`at` says of it."""

    def __init__(self, rows: tuple[Row, ...] | list[Row], folders: tuple[Path, ...] = ()) -> None:
        best: dict[int, Row] = {}  # where one line ends and another begins, the other one counts
        for row in rows:
            if row[2] or row[0] not in best:
                best[row[0]] = row
        self._rows = sorted(best.values())
        self._starts = [row[0] for row in self._rows]
        self._folders = folders
        self._texts: dict[str, list[str]] = {}

    def at(self, address: int) -> str:
        """``file:line  text of the line``, without the text if the file is not found; empty where nothing is known."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or not self._rows[index][2]:
            return ""
        _, name, line = self._rows[index]
        text = self._text(name)
        return f"{Path(name).name}:{line}" + (f"  {text[line - 1].strip()}" if 0 < line <= len(text) else "")

    def address(self, place: str) -> int | None:
        """The first address of FILE:LINE; None if there is no such line."""
        name, _, line = place.rpartition(":")
        if not name or not line.isdecimal():
            return None
        rows = (row for row in self._rows if Path(row[1]).name == Path(name).name and row[2] == int(line))
        return next((address for address, _, _ in rows), None)

    def places(self) -> list[str]:
        """Every FILE:LINE, for completion."""
        return sorted({f"{Path(name).name}:{line}" for _, name, line in self._rows if line})

    def __getitem__(self, address: int) -> str:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or self._starts[index] != address or not self._rows[index][2]:
            raise KeyError(address)
        return self.at(address)

    def __iter__(self) -> Iterator[int]:
        return (address for address, _, line in self._rows if line)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _text(self, name: str) -> list[str]:
        """Lines of a source file: where it was compiled, or near the program."""
        if name not in self._texts:
            places = [Path(name), *(folder / part for folder in self._folders for part in (name, Path(name).name))]
            found = next((place for place in places if place.is_file()), None)
            self._texts[name] = found.read_text(errors="replace").splitlines() if found else []
        return self._texts[name]


@lru_cache(maxsize=8)
def load_lines(*paths: Path) -> SourceLines:
    """The lines of ELF files; none where there is no DWARF, or none that can be read."""
    rows: list[Row] = []
    for path in paths:
        rows += _rows(path)
    folders = tuple(folder for path in paths for folder in (path.parent, path.parent / "src", path.parent.parent))
    return SourceLines(rows, folders)


def _rows(path: Path) -> list[Row]:
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            if not elf.has_dwarf_info():
                return []
            return list(_of_units(elf.get_dwarf_info()))
    except (OSError, ELFError, DWARFError, ConstructError, ValueError, KeyError, IndexError, AttributeError):
        return []  # a program runs without them


def _of_units(dwarf: "DWARFInfo") -> Iterator[Row]:
    for unit in dwarf.iter_CUs():
        program: Any = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        names = _names(program.header)
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            line = 0 if state.end_sequence else state.line
            yield state.address, names.get(state.file, "?"), line


def _names(header: Any) -> dict[int, str]:
    """The files of a line program by their numbers: from 0 in DWARF 5, from 1 before."""
    first = 0 if header.version >= 5 else 1
    folders = [_text(folder) for folder in header.include_directory]
    names = {}
    for number, entry in enumerate(header.file_entry, first):
        folder = entry.dir_index - (0 if header.version >= 5 else 1)
        base = folders[folder] if 0 <= folder < len(folders) else ""
        names[number] = str(Path(base) / _text(entry.name))
    return names


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
