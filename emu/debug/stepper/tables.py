"""The panes as plain data: lines of cells, each a text and a style by name. What a style means is told by marks in the
text, too, so nothing is lost where there are no colours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy.typing as npt

from emu.debug.disassembly import Line as Instruction
from emu.debug.history import Moment
from emu.debug.stepper.events import SIDES, Cleared, Event, Image, Loaded
from emu.debug.stepper.source import Source, describe
from emu.mmu import api
from emu.mmu.registers import MMUDR_LK, MMUTR_V, REGISTERS, BitField, decode, register_value
from emu.mmu.state import DTLB, PLRU, RANDOM

__all__ = [
    "LOG_INDENT",
    "TLB_HEADING",
    "Cell",
    "Entry",
    "Line",
    "code_lines",
    "counter_lines",
    "log_line",
    "memory_lines",
    "mmu_lines",
    "plain",
    "register_lines",
    "rhythm_line",
    "stack_lines",
    "tlb_entries",
    "tlb_lines",
]

ADDRESS_FIELDS = ("VA", "PA", "BA", "FA")
SPARKS = "▁▂▃▄▅▆▇█"
CACHE_MODES = ("WT", "CB", "IP", "II")
CODE_BEFORE = 0x200  # bytes: code in front of PC is disassembled from its symbol on, if that is not further away
GENERAL = [f"{kind}{i}" for kind in "da" for i in range(8)]
SR_FLAGS = ((0x8000, "T"), (0x2000, "S"), (0x1000, "M"), (0x10, "X"), (8, "N"), (4, "Z"), (2, "V"), (1, "C"))
SR_MASK_SHIFT, SR_MASK = 8, 7
TLB_HEADING = 2  # lines
LOG_INDENT = 23  # columns in front of what happened


class Cell(NamedTuple):
    """``style``: now, changed, loaded, out, hit, dim, head, a kind of event, or nothing."""

    text: str
    style: str = ""


Line = tuple[Cell, ...]


def plain(lines: Iterable[Line]) -> list[str]:
    """The texts alone."""
    return ["".join(cell.text for cell in line).rstrip() for line in lines]


# --- TLBs


@dataclass(frozen=True)
class Entry:
    """One TLB entry. ``age``: 0 = used last, larger = nearer to being replaced, None where locked or by chance;
    ``mark``: what the last movement has done to it (load: loaded last, +: loaded before that, out: dropped, hit: used
    last), or next: the next victim."""

    address: int
    side: str
    image: Image
    age: int | None
    mark: str


def tlb_entries(
    mmu: npt.NDArray[Any],
    side: int,
    since: Sequence[Event] = (),
    before: int | None = None,
    just_loaded: int | None = None,
) -> list[Entry]:
    """All entries of one TLB. ``since``: events of the last movement; ``before``: the entry used last before it;
    ``just_loaded``: TLB address of the one behind whose load it stopped."""
    copy = mmu.copy()
    count, base = int(copy[0]["entries"][side]), int(copy[0]["dtlb_base"]) if side == DTLB else 0
    ages = [_age(copy, side, index) for index in range(count)]
    loads = [event.address for event in since if isinstance(event, Loaded) and event.side == SIDES[side]]
    if just_loaded is not None and base <= just_loaded < base + count:
        loads.append(just_loaded)
    dropped = {
        a for event in since if isinstance(event, Cleared) for a, where, _ in event.dropped if where == SIDES[side]
    }
    victim = api.replacement(copy, side) + base
    last = last_used(copy, side)
    entries = []
    for index in range(count):
        address = base + index
        image = Image(*api.read_entry(copy, side, index))
        marks = (
            ("out", not image.valid and address in (*dropped, *loads)),
            ("load", address in loads[-1:]),
            ("+", address in loads),
            ("hit", index == last and index != before),
            ("next", address == victim),
        )
        mark = next((name for name, holds in marks if holds), "")
        entries.append(Entry(address, SIDES[side], image, ages[index], mark))
    return entries


def last_used(mmu: npt.NDArray[Any], side: int) -> int | None:
    """Index of the entry that was hit or loaded last, locked ones aside; None if there was none."""
    count = int(mmu[0]["entries"][side])
    ages = [(age, index) for index in range(count) if (age := _age(mmu, side, index)) is not None]
    if not ages or not any(_valid(mmu, side, index) for _, index in ages):
        return None
    age, index = min(ages)
    return index if _valid(mmu, side, index) else None


def _valid(mmu: npt.NDArray[Any], side: int, index: int) -> bool:
    return bool(int(mmu[0]["tag"][side, index]) & MMUTR_V)


def _age(mmu: npt.NDArray[Any], side: int, index: int) -> int | None:
    """How near an entry is to being replaced, by the replacement policy alone."""
    state = mmu[0]
    if int(state["data"][side, index]) & MMUDR_LK or state["policy"] == RANDOM:
        return None
    if state["policy"] != PLRU:
        stamps = state["stamp"][side, : int(state["entries"][side])]
        return int((stamps > stamps[index]).sum())
    # The bits of the tree on the way to the entry, the root's first: 1 where the other half was used more recently.
    leaves, age = int(state["tree"][side]), 0
    node, weight = leaves + index, 1
    while node > 1:
        parent = node >> 1
        recent_upper = int(state["plru"][side, parent >> 5]) >> (parent & 31) & 1
        age += weight * (recent_upper != node & 1)
        node, weight = parent, weight << 1
    # What was summed has the root's bit on top already: it is visited last.
    return age


def tlb_lines(entries: Sequence[Entry], *, raw: bool = True) -> list[Line]:
    """A table with a heading."""
    side = entries[0].side.upper()
    valid = sum(entry.image.valid for entry in entries)
    head = f"{side} {valid} of {len(entries)}"
    titles = "mark  nr VA       size ASID PA       SRWXL CM age" + ("  MMUTR    MMUDR" if raw else "")
    return [(Cell(head, "head"),), (Cell(titles, "head"),), *(_entry_line(entry, raw=raw) for entry in entries)]


def _entry_line(entry: Entry, *, raw: bool) -> Line:
    image = entry.image
    style = {"load": "loaded", "+": "load", "out": "out", "hit": "hit", "next": "next"}.get(
        entry.mark, "" if image.valid else "dim"
    )
    images = f"  {image.tag:08X} {image.data:08X}" if raw else ""
    head = f"{entry.mark:5}{entry.address:3} "
    if not image.valid:
        return (Cell(f"{head}{'invalid':40}{images}", style),)
    d = decode("MMUDR", image.data)
    flags = "".join(name[0] if d[name] else "-" for name in ("SP", "R", "W", "X", "LK"))
    space = "  SG" if image.shared else f"{image.asid:4}"
    age = "  -" if entry.age is None else f"{entry.age:3}"
    text = f"{image.va:08x} {image.size:>4} {space} {image.pa:08x} {flags} {CACHE_MODES[d['CM']]} {age}"
    return (Cell(head + text + images, style),)


# --- registers


def mmu_lines(mmu: npt.NDArray[Any], before: Mapping[str, int]) -> list[Line]:
    """The MMU's registers, raw and decoded; ``before``: their values in front of the last movement."""
    lines: list[Line] = []
    for row in REGISTERS:
        value = register_value(mmu, row.name)
        fields = " ".join(f"{f.name}={_content(f, value)}" for f in row.fields)
        changed = before.get(row.name, value) != value
        mark, style = ("*", "changed") if changed else (" ", "")
        lines.append((Cell(f"{row.name:7}{value:08X}{mark} ", style), Cell(fields, "" if value else "dim")))
    return lines


def _content(field: BitField, value: int) -> str:
    """A field's value; of one that holds an address, the address."""
    if field.name in ADDRESS_FIELDS:
        return f"{value & field.mask:08X}"
    return f"{(value & field.mask) >> field.shift:X}"


def register_lines(values: Mapping[str, int], before: Mapping[str, int]) -> list[Line]:
    """The processor's registers, four in a line; ``*``: changed by the last movement."""
    rows = [GENERAL[i : i + 4] for i in range(0, 16, 4)] + [["pc", "sr", "usp", "asid"]]
    lines: list[Line] = []
    for names in rows:
        cells = []
        for name in names:
            value = values[name]
            changed = before.get(name, value) != value
            cells.append(Cell(f"{name:>4} {value:08x}{'*' if changed else ' '} ", "changed" if changed else ""))
        lines.append(tuple(cells))
    sr = values["sr"]
    flags = "".join(letter if sr & bit else "-" for bit, letter in SR_FLAGS)
    mode = "supervisor" if sr & 0x2000 else "user"
    lines.append((Cell(f"  sr {flags}, interrupt mask {sr >> SR_MASK_SHIFT & SR_MASK}, {mode}"),))
    return lines


# --- code and memory


def code_lines(
    source: Source, count: int, breakpoints: Iterable[int] = (), source_line: Mapping[int, str] | None = None
) -> list[Line]:
    """About ``count`` lines around PC: symbols, source lines where they are known, instructions."""
    pc = source.pc
    lines: list[Line] = []
    stops = set(breakpoints)
    shown = _around(source, pc, count)
    last_source = ""
    for at, instruction in enumerate(shown):
        va = instruction.va
        name = source.symbol(va)
        if (at == 0 or "+" not in name) and not name.startswith("0x"):
            lines.append((Cell(f"{name}:", "head"),))
        if source_line and va in source_line and source_line[va] != last_source:
            last_source = source_line[va]
            lines.append((Cell(f"     {last_source}", "source"),))
        mark = ("=>" if va == pc else "  ") + ("b" if va in stops else " ")
        text = f"{mark} {va:08x} {instruction.bytes.hex():12} {instruction.text}"
        lines.append((Cell(text, "now" if va == pc else ""),))
    return lines or [(Cell(f"{pc:#010x}: no instruction can be fetched here", "dim"),)]


def _around(source: Source, pc: int, count: int) -> list[Instruction]:
    """Instructions around PC, if those in front of it can be told."""
    name, _, offset = source.symbol(pc).partition("+")
    distance = int(offset, 16) if offset else 0
    if distance and distance <= CODE_BEFORE and not name.startswith("0x"):
        before = source.disassemble(pc - distance, distance // 2 + count)
        at = next((i for i, line in enumerate(before) if line.va == pc), None)
        if at is not None:
            return before[max(0, at - count // 3) :][:count]
    return source.disassemble(pc, count)


def memory_lines(source: Source, va: int, count: int) -> list[Line]:
    """``count`` lines of 16 bytes, in hexadecimal and as text."""
    lines: list[Line] = []
    for at in range(va, va + 16 * count, 16):
        data = source.read(at & 0xFFFFFFFF, 16)
        words = " ".join(data[i : i + 4].hex() for i in range(0, len(data), 4))
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
        cell = Cell(f"{at & 0xFFFFFFFF:08x}  {words:36} {text}") if data else Cell(f"{at:08x}  not mapped", "dim")
        lines.append((cell,))
    return lines


def stack_lines(source: Source, count: int) -> list[Line]:
    """Longwords from the stack pointer up, with what they point to, if that is code."""
    sp = source.registers()["a7"]
    data = source.read(sp, 4 * count)
    lines: list[Line] = []
    for i in range(0, len(data) - 3, 4):
        value = int.from_bytes(data[i : i + 4])
        name = source.symbol(value)
        lines.append((Cell(f"{sp + i:08x}  {value:08x}  "), Cell("" if name.startswith("0x") else name, "dim")))
    return lines or [(Cell(f"{sp:08x}  not mapped", "dim"),)]


# --- time


def log_line(source: Source, event: Event, now: Moment) -> Line:
    """One event: when, what kind, what."""
    kind, text = describe(source, event)
    style = "dim" if event.moment > now else kind
    return Cell(f"{event.moment.instructions:>12,} ", "dim"), Cell(f"{kind:9} ", style), Cell(text, style)


def counter_lines(source: Source) -> list[Line]:
    """Everything counted up to now."""
    return [(Cell(f"{name:24}{value:>16,}"),) for name, value in source.counters().items()]


def rhythm_line(source: Source, width: int, patience: float) -> Line:
    """Misses over time as a row of bars, from the start to as far as the guest was run; the part behind now is dim."""
    misses = source.misses_by_time(width, patience)
    if not misses:
        return (Cell("no misses over time yet", "dim"),)
    most = max(misses)
    bars = "".join(SPARKS[min(7, value * 8 // (most + 1))] if value else " " for value in misses)
    first, last, now = source.first.instructions, source.last.instructions, source.now.instructions
    done = round(len(bars) * (now - first) / max(1, last - first))
    return Cell(bars[:done], "spark"), Cell(bars[done:], "dim"), Cell(f" at most {most:,}", "dim")
