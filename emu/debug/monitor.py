"""Commands in words, for gdb's ``monitor``: what gdb has no command for. Each answers with text."""

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emu.debug.session import Breakpoint, Catchpoint, ExceptionEvent, Load, Miss, Session, Watchpoint
from emu.errors import UsageError
from emu.mmu.registers import dump
from emu.mmu.state import DTLB, FETCH, ITLB, READ, WRITE
from emu.run_report import warning_lines

if TYPE_CHECKING:
    from emu.debug.stepper.live import LiveGuest

__all__ = ["Monitor"]

KINDS = {"r": READ, "w": WRITE, "x": FETCH}
MOST_PLACES = 20
SHOWN = 40  # characters of what is wrong


class Monitor:
    """The commands of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._guest: LiveGuest | None = None  # what `why` has found out
        self._commands: dict[str, tuple[str, Callable[..., str]]] = {
            "help": ("help: this list", self._help),
            "tlb": ("tlb [itlb|dtlb]: all entries, raw and decoded; the next victim is marked", self._tlb),
            "mmu": (
                "mmu: the registers of the MMU, decoded, and what the guest did that the manuals leave open",
                self._mmu,
            ),
            "counters": ("counters: everything counted so far", self._counters),
            "translate": ("translate ADDR [r|w|x] [user]: who answers for an address", self._translate),
            "misses": ("misses: TLB misses so far, by region and by symbol", self._misses),
            "why": ("why: why the last TLB miss happened, what it replaces and costs", self._why),
            "history": ("history: where we are in time, and what is kept of it", self._history),
            "goto": ("goto INSTRUCTION: be where so many instructions have retired", self._goto),
            "catch": (
                "catch miss [itlb|dtlb] [REGION] | exception [VECTOR] | load [ENTRY]: stop there, in both directions",
                self._catch,
            ),
            "points": ("points: everything that stops the guest", self._points),
            "delete": ("delete NUMBER: forget what `points` lists", self._delete),
            "type": ("type TEXT: on the guest's console, with a newline; forgets the future", self._type),
        }

    def run(self, line: str) -> str:
        """The answer to a line, which ends with a newline; what is wrong with it is an answer too."""
        try:
            words = shlex.split(line)
            return self.execute(words[0] if words else "help", *words[1:]) + "\n"
        except (UsageError, ValueError) as error:
            return f"{error}\n"

    def execute(self, name: str, *arguments: str) -> str:
        """The answer to one command, which may be abbreviated. UsageError for what is wrong with it."""
        found = [name] if name in self._commands else [n for n in self._commands if n.startswith(name)]
        if len(found) != 1:
            raise UsageError(f"{name}: no such command; try `monitor help`")
        usage, command = self._commands[found[0]]
        try:
            return command(*arguments).rstrip("\n")
        except (TypeError, ValueError):
            raise UsageError(f"usage: {usage}") from None

    def _help(self) -> str:
        return "\n".join(usage for usage, _ in self._commands.values())

    def _tlb(self, side: str = "") -> str:
        from emu.mmu.dump import dump_tlb  # with numba, so only when it is asked for

        sides = {"itlb": [ITLB], "dtlb": [DTLB], "": [ITLB, DTLB]}
        if side not in sides:
            raise ValueError
        mmu = self._session.machine.core.array["mmu"]
        return "\n".join(dump_tlb(np.ascontiguousarray(mmu), number) for number in sides[side])

    def _mmu(self) -> str:
        machine = self._session.machine
        return "\n".join([dump(machine.core.array["mmu"]), *warning_lines(machine.mmu_warnings())])

    def _counters(self) -> str:
        c = self._session.machine.counters()
        m = c.misses
        rows = [
            ("instructions", c.instructions),
            ("cycles", c.cycles),
            ("refill cycles", c.refill_cycles),
            ("ITLB misses", m.itlb),
            ("ITLB misses, user", m.itlb_user),
            ("ITLB misses, kernel", m.itlb_kernel),
            ("DTLB misses", m.dtlb),
            ("DTLB misses, user", m.dtlb_user),
            ("DTLB misses, kernel", m.dtlb_kernel),
            ("nested misses", m.nested),
            ("violations", c.violations),
            ("bus errors", c.bus_errors),
            ("inhibited reads", c.inhibited_reads),
            ("inhibited writes", c.inhibited_writes),
            *((f"exceptions, vector {vector}", count) for vector, count in c.exceptions.items()),
        ]
        return "\n".join(f"{name:24}{value:>16,}" for name, value in rows)

    def _translate(self, address: str, *options: str) -> str:
        va = self._address(address)
        kind = next((KINDS[option] for option in options if option in KINDS), READ)
        if any(option not in (*KINDS, "user") for option in options):
            raise ValueError
        found = self._session.view.translate(va, kind, supervisor="user" not in options)
        region = self._session.region_of(va) or "no region"
        if found is None:
            return f"{va:#010x} ({region}): TLB miss"
        allowed = found.permissions or "nothing"
        return (
            f"{va:#010x} ({region}) -> PA {found.pa:#010x} by {found.source}, {found.page >> 10} KB,"
            f" allowed: {allowed}, {found.cache_mode}"
        )

    def _misses(self) -> str:
        m = self._session.machine.counters().misses
        lines = [f"{'':32}{'ITLB':>10}{'DTLB':>10}", f"{'all':32}{m.itlb:>10,}{m.dtlb:>10,}"]
        for rows in (m.by_region, m.by_symbol):
            ordered = sorted(rows.items(), key=lambda row: -sum(row[1].values()))
            lines += [f"{name:32}{n['itlb']:>10,}{n['dtlb']:>10,}" for name, n in ordered[:MOST_PLACES]]
            if len(ordered) > MOST_PLACES:
                lines.append(f"({len(ordered) - MOST_PLACES} more)")
        return "\n".join(lines)

    def _why(self) -> str:
        from emu.debug.stepper import why  # the stepper has this module's commands, too
        from emu.debug.stepper.live import LiveGuest
        from emu.debug.stepper.source import Interrupted
        from emu.debug.target import Target

        guest = self._guest = self._guest or LiveGuest(Target(self._session, "", ()))
        guest.begin()
        try:
            with guest.excursion():
                miss = why.last_miss(guest, "`monitor catch miss` stops at one")
            return "\n".join(why.tell(guest, why.explain(guest, miss)))
        except Interrupted as error:
            return str(error)

    def _history(self) -> str:
        history = self._session.history
        now, first, last = history.now, history.first, history.last
        return (
            f"now:   instruction {now.instructions:,}, exception {now.exceptions:,}, cycle {now.cycles:,}\n"
            f"first: instruction {first.instructions:,}\n"
            f"last:  instruction {last.instructions:,}\n"
            f"{len(history.checkpoints)} checkpoints, {history.bytes_kept / (1 << 20):.1f} MB of at most"
            f" {history.memory / (1 << 20):.0f}"
        )

    def _goto(self, instruction: str) -> str:
        stop = self._session.goto(int(instruction.replace(",", "").replace("_", "")))
        where = self._session.machine.symbol(stop.pc)
        note = f"; {stop.text}" if stop.text else ""
        return f"instruction {stop.moment.instructions:,}, PC {stop.pc:#010x} ({where}){note}"

    def _catch(self, what: str, *arguments: str) -> str:
        match what, arguments:
            case "miss", _:
                sides = [a for a in arguments if a in ("itlb", "dtlb")]
                regions = [a for a in arguments if a not in sides]
                if len(sides) > 1 or len(regions) > 1:
                    raise ValueError
                event: Miss | ExceptionEvent | Load = Miss(next(iter(sides), None), next(iter(regions), None))
            case "exception", ():
                event = ExceptionEvent()
            case "exception", (vector,):
                event = ExceptionEvent(int(vector, 0))
            case "load", ():
                event = Load()
            case "load", (entry,):
                event = Load(int(entry, 0))
            case _:
                raise ValueError
        point = self._session.add_catchpoint(event)
        return f"{point.number}: {event}"

    def _points(self) -> str:
        lines = []
        for number, point in self._session.points.items():
            match point:
                case Breakpoint(va=va):
                    lines.append(f"{number}: breakpoint at {va:#010x} ({self._session.machine.symbol(va)})")
                case Watchpoint(va=va, size=size):
                    kinds = ("reads " if point.reads else "") + ("writes" if point.writes else "")
                    lines.append(f"{number}: {kinds.strip()} of {size} bytes at {va:#010x}")
                case Catchpoint(event=event):
                    lines.append(f"{number}: {event}")
        return "\n".join(lines) or "nothing stops the guest"

    def _delete(self, number: str) -> str:
        point = self._session.points.get(int(number))
        if isinstance(point, Breakpoint | Watchpoint):
            raise UsageError(f"{number} is gdb's: delete it there")
        self._session.remove(int(number))
        return f"{number} is gone"

    def _type(self, *words: str) -> str:
        self._session.type_in(" ".join(words).encode() + b"\n")
        return "typed"

    def _address(self, text: str) -> int:
        """A number, or a symbol of the program."""
        elf = self._session.machine.elf
        if elf is not None and text in elf.labels:
            return elf.labels[text]
        try:
            va = int(text, 0)
        except ValueError:
            raise UsageError(f"{text[:SHOWN]}: neither a number nor a symbol") from None
        if not 0 <= va < 1 << 32:
            raise UsageError(f"{text[:SHOWN]}: not an address of 32 bits")
        return va
