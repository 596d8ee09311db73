"""The stepper's commands: one table of names, arguments, help and completion, for the screen and for scripts.

Names are gdb's where gdb has the command; an abbreviation that fits one name only is that name. What is wrong with a
line is a UsageError.
"""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from emu.debug.stepper import actions as do
from emu.debug.stepper.actions import Action, Words
from emu.debug.stepper.events import SIDES
from emu.debug.stepper.stepper import Result, Stepper
from emu.errors import UsageError

__all__ = ["COMMANDS", "GROUPS", "Command", "complete", "execute", "find"]

GROUPS = ("move", "stop", "ask", "keep and change", "help")
MANY = 64  # arguments
Completer = Callable[[Stepper], Iterable[str]]


@dataclass(frozen=True)
class Command:
    """``arguments``: as help shows them, ``least`` to ``most`` words; ``completers``: for each what it may be, the last
    one for all that follow."""

    group: str
    name: str
    aliases: tuple[str, ...]
    arguments: str
    help: str
    run: Action
    least: int
    most: int
    completers: tuple[Completer, ...]

    @property
    def usage(self) -> str:
        return f"{self.name} {self.arguments}".strip()


def command(
    group: str,
    names: str,
    arguments: str,
    text: str,
    run: Action,
    words: tuple[int, int] = (0, 0),
    completers: tuple[Completer, ...] = (),
) -> Command:
    """A row of the table; ``names``: the name and its aliases; ``words``: how many arguments at least, at most."""
    name, *aliases = names.split()
    return Command(group, name, tuple(aliases), arguments, text, run, *words, completers)


def find(name: str) -> Command:
    """The command of a name, an alias or an abbreviation. UsageError for none, or several."""
    exact = next((c for c in COMMANDS if name == c.name or name in c.aliases), None)
    if exact is not None:
        return exact
    found = [row for row in COMMANDS if row.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name}: one of {', '.join(row.name for row in found)}")
    raise UsageError(f"{name}: no such command; `help` lists them")


def execute(stepper: Stepper, line: str) -> Result:
    """Run one line. An empty one repeats the last movement or question, as in gdb. UsageError if it is wrong."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"{line}: {str(error).lower()}") from None
    if not words:
        if line.strip() or not stepper.last_line:
            return Result()
        return execute(stepper, stepper.last_line)
    row = find(words[0])
    if not row.least <= len(words) - 1 <= row.most:
        raise UsageError(f"usage: {row.usage}")
    stepper.last_line = line
    stepper.source.begin()
    return row.run(stepper, words[1:])


def complete(stepper: Stepper, line: str) -> list[str]:
    """What the last word of ``line`` may become: whole lines, in order."""
    head, _, last = line.rpartition(" ")
    words = head.split()
    if not words:
        names = [name for row in COMMANDS for name in (row.name, *row.aliases)]
        return sorted(name for name in names if name.startswith(last))
    try:
        row = find(words[0])
    except UsageError:
        return []
    if len(words) > row.most or not row.completers:
        return []
    completer = row.completers[min(len(words), len(row.completers)) - 1]
    return [f"{head} {word}" for word in sorted(set(completer(stepper))) if word.startswith(last)]


# --- completion


def symbols(stepper: Stepper) -> Iterable[str]:
    return [*stepper.labels(), *stepper.lines.places()]


def register_names(stepper: Stepper) -> Iterable[str]:
    return stepper.source.registers()


def where_missed(stepper: Stepper) -> Iterable[str]:
    return [*SIDES, *stepper.source.region_names()]


def entries(stepper: Stepper) -> Iterable[str]:
    return (do.ANY,)


def sides(stepper: Stepper) -> Iterable[str]:
    return SIDES


def catchable(stepper: Stepper) -> Iterable[str]:
    return ("miss", "exception", "load")


def numbers(stepper: Stepper) -> Iterable[str]:
    return map(str, stepper.session.points)


def moments(stepper: Stepper) -> Iterable[str]:
    return ("start", "end", *stepper.marks)


def names(stepper: Stepper) -> Iterable[str]:
    return (row.name for row in COMMANDS)


def topics(stepper: Stepper) -> Iterable[str]:
    return ("breakpoints", "registers", "threads")


def kinds(stepper: Stepper) -> Iterable[str]:
    return ("r", "w", "x", "user")


# --- about commands themselves


def help_text(stepper: Stepper, words: Words) -> Result:
    if words:
        row = find(words[0])
        aliases = f" (or {', '.join(row.aliases)})" if row.aliases else ""
        return Result((f"{row.usage}{aliases}", row.help))
    lines = []
    for group in GROUPS:
        lines.append(f"{group}:")
        lines += [f"  {' '.join((c.name, *c.aliases)):24} {c.help}" for c in COMMANDS if c.group == group]
    return Result(tuple(lines))


def end(stepper: Stepper, words: Words) -> Result:
    return Result(ended=True)


CATCHABLE = "miss [itlb|dtlb] [REGION] | exception [VECTOR] | load [ENTRY]"
MOVE, STOP, ASK, KEEP, HELP = GROUPS
PLACES = (symbols,)
COMMANDS: tuple[Command, ...] = (
    command(MOVE, "step s si stepi", "[N]", "one instruction, or into a handler", do.step, (0, 1)),
    command(MOVE, "next n ni nexti", "[N]", "the same, over calls and exceptions", do.by_session("next"), (0, 1)),
    command(MOVE, "continue c", "[N]", "to the next point", do.by_session("continue_"), (0, 1)),
    command(MOVE, "finish f fin", "", "to where the function or handler returns", do.by_session("finish")),
    command(MOVE, "until u", "ADDR", "to an address", do.until, (1, 1), PLACES),
    command(MOVE, "reverse-step rs rsi", "[N]", "undo a step", do.reverse_step, (0, 1)),
    command(MOVE, "reverse-next rn rni", "[N]", "undo a next", do.by_session("reverse_next"), (0, 1)),
    command(MOVE, "reverse-continue rc", "[N]", "to the last point", do.by_session("reverse_continue"), (0, 1)),
    command(MOVE, "reverse-finish rf", "", "to the call, or what is handled", do.by_session("reverse_finish")),
    command(
        MOVE, "next-miss nm m", "[itlb|dtlb] [REGION]", "to the next TLB miss", do.next_miss, (0, 2), (where_missed,)
    ),
    command(
        MOVE,
        "previous-miss pm rm",
        "[itlb|dtlb] [REGION]",
        "to the miss before",
        do.previous_miss,
        (0, 2),
        (where_missed,),
    ),
    command(
        MOVE, "next-load nl", "[ENTRY|any]", "to the next load of this TLB entry", do.next_load, (0, 1), (entries,)
    ),
    command(
        MOVE, "previous-load pl rl", "[ENTRY|any]", "to the load of it before", do.previous_load, (0, 1), (entries,)
    ),
    command(MOVE, "goto g", "INSTRUCTION|BOOKMARK|start|end", "be there", do.goto, (1, 1), (moments,)),
    command(MOVE, "search /", "TEXT", "to the next event with this text", do.search, (1, MANY), (where_missed,)),
    command(MOVE, "rsearch", "TEXT", "to the last event with it", do.search_backwards, (1, MANY), (where_missed,)),
    command(
        STOP, "break b", "[ADDR [if VALUE OP VALUE]]", "in front of an instruction", do.break_at, (0, MANY), PLACES
    ),
    command(STOP, "watch", "ADDR [BYTES]", "at writes", do.watch(reads=False, writes=True), (1, 2), PLACES),
    command(STOP, "rwatch", "ADDR [BYTES]", "at reads", do.watch(reads=True, writes=False), (1, 2), PLACES),
    command(STOP, "awatch", "ADDR [BYTES]", "at both", do.watch(reads=True, writes=True), (1, 2), PLACES),
    command(STOP, "catch", CATCHABLE, "behind an event", do.catch, (1, 3), (catchable, where_missed)),
    command(STOP, "points", "", "all that stops the guest", do.points),
    command(STOP, "delete d", "[NUMBER ...]", "forget some, or all", do.delete, (0, MANY), (numbers,)),
    command(ASK, "why y", "", "why the last TLB miss happened, what it replaced and cost", do.why_missed),
    command(ASK, "log l", "[N]", "the last events", do.log, (0, 1)),
    command(ASK, "tlb t", "[itlb|dtlb]", "all entries, raw and decoded", do.show_tlb, (0, 1), (sides,)),
    command(ASK, "mmu", "", "the MMU's registers, decoded", do.show_mmu),
    command(ASK, "translate tr", "ADDR [r|w|x] [user]", "who answers for it", do.translate, (1, 3), (symbols, kinds)),
    command(ASK, "registers r regs", "[NAME ...|all]", "registers", do.registers, (0, MANY), (register_names,)),
    command(ASK, "info i", "breakpoints|registers|threads", "as in gdb", do.info, (1, MANY), (topics,)),
    command(ASK, "print p", "VALUE", "a value: $d0, *ADDR, symbol+4", do.print_value, (1, MANY), PLACES),
    command(ASK, "where w", "", "the present moment", do.where),
    command(ASK, "disassemble dis", "[ADDR] [N]", "code, around PC without ADDR", do.disassemble, (0, 2), PLACES),
    command(ASK, "x memory", "[ADDR] [LINES]", "memory", do.show_memory, (0, 2), PLACES),
    command(ASK, "stack", "[N]", "the stack, and what it points to", do.stack, (0, 1)),
    command(ASK, "counters", "", "everything counted so far, misses over time", do.counters),
    command(ASK, "misses", "", "misses by region and by symbol", do.misses),
    command(ASK, "threads", "", "processes, as far as they are known", do.threads),
    command(ASK, "console", "", "what the guest has printed up to now", do.console),
    command(ASK, "history", "", "where we are in time, and what is kept of it", do.history),
    command(KEEP, "mark k", "NAME", "bookmark this moment", do.mark, (1, 1)),
    command(KEEP, "marks bookmarks", "", "all bookmarks", do.marks),
    command(KEEP, "set", "REGISTER|*ADDR VALUE", "another future", do.change, (2, 2), (register_names, symbols)),
    command(KEEP, "type", "TEXT", "on the guest's console; another future", do.type_text, (1, MANY)),
    command(HELP, "help h ?", "[COMMAND]", "this list", help_text, (0, 1), (names,)),
    command(HELP, "quit q exit", "", "end", end),
)
