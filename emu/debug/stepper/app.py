"""The screen of ``cfemu step``: panes over one :class:`~emu.debug.stepper.stepper.Stepper`, in Textual.

On a small terminal one pane is shown at a time, on a large one all of them; ``stepper.tcss`` decides. Commands run in a
thread of their own, one at a time, so that a long one can be interrupted; panes are made there too, because the log may
have the guest run again.
"""

import asyncio
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Footer, Input, Static

from emu.debug.stepper import actions as do
from emu.debug.stepper import tables
from emu.debug.stepper.commands import COMMANDS, GROUPS, Command, complete, execute
from emu.debug.stepper.stepper import Result, Stepper
from emu.debug.stepper.tables import Cell, Line, plain
from emu.errors import CfemuError
from emu.mmu.state import DTLB, ITLB

__all__ = ["StepperApp", "run_screen"]

STYLES = {
    "now": "bold reverse",
    "changed": "bold yellow",
    "loaded": "bold green",
    "load": "green",
    "out": "red",
    "hit": "bold cyan",
    "next": "magenta",
    "dim": "dim",
    "head": "bold",
    "source": "italic blue",
    "miss": "bold red",
    "clear": "yellow",
    "asid": "blue",
    "call": "bold blue",
    "interrupt": "magenta",
    "spark": "cyan",
    "error": "bold red",
}
CODE_ROWS, LOG_ROWS, MEMORY_ROWS, STACK_ROWS = 60, 100, 8, 16
SPARK_WIDTH = 60
PATIENCE = 0.3  # seconds that one look at the misses over time may take


@dataclass(frozen=True)
class PaneKind:
    """``lines``: what it shows; ``key``: shows it where one is shown at a time; ``to_see``: number of the line that
    must be in sight; ``indent``: lines that are too long go on in the next row, so far to the right (None: they are
    cut)."""

    name: str
    key: str
    title: str
    lines: Callable[[Stepper], Iterable[Line]]
    to_see: Callable[[Stepper], int | None] = lambda _: None
    indent: int | None = None


def _memory(stepper: Stepper) -> Iterable[Line]:
    return [*stepper.memory_pane(MEMORY_ROWS), (Cell("stack", "head"),), *stepper.stack(STACK_ROWS)]


def _entry_to_see(side: int) -> Callable[[Stepper], int]:
    return lambda stepper: tables.TLB_HEADING + stepper.tlb_entry_to_see(side)


PANES = (
    PaneKind("code", "1", "Code", lambda stepper: stepper.code(CODE_ROWS)),
    PaneKind("log", "2", "Log", lambda stepper: stepper.log(LOG_ROWS), indent=tables.LOG_INDENT),
    PaneKind("dtlb", "3", "DTLB", lambda stepper: stepper.tlb(DTLB), _entry_to_see(DTLB)),
    PaneKind("itlb", "4", "ITLB", lambda stepper: stepper.tlb(ITLB), _entry_to_see(ITLB)),
    PaneKind("registers", "5", "Regs", lambda stepper: stepper.registers()),
    PaneKind("mmu", "6", "MMU", lambda stepper: stepper.mmu()),
    PaneKind("counters", "7", "Counters", lambda stepper: stepper.counters(SPARK_WIDTH, PATIENCE)),
    PaneKind("memory", "8", "Memory", _memory),
)

GRID = ("code", "dtlb", "log", "itlb", "registers", "mmu", "memory", "counters")  # two columns, row by row

# Key, action, and what the footer says of it.
SHORTCUTS = (
    ("s", "go('step')", "step"),
    ("n", "go('next')", "next"),
    ("c", "go('continue')", "cont"),
    ("f", "go('finish')", ""),
    ("r", "reverse", "reverse"),
    ("m", "run('next-miss')", "miss"),
    ("M", "run('previous-miss')", ""),
    ("l", "run('next-load')", ""),
    ("L", "run('previous-load')", ""),
    ("y", "run('why')", "why"),
    ("b", "ask('break ')", ""),
    ("w", "ask('watch ')", ""),
    ("d", "ask('delete ')", ""),
    ("k", "ask('mark ')", ""),
    ("g", "ask('goto ')", ""),
    ("/", "ask('search ')", ""),
    ("\\", "ask('rsearch ')", ""),
    (":", "ask('')", "command"),
    ("enter", "run('')", ""),
    ("?", "help", "help"),
    ("q", "end", "quit"),
)
OF_KEYS = {"pane", *(action.partition("(")[0] for _, action, _ in SHORTCUTS)}

KEYS = """\
s n c f   step, next, continue, finish    r and one of them: backwards
m  M      next, previous TLB miss         y  why it missed
l  L      next, previous load of the TLB entry that why named,
          or of the one loaded last
b  w  d   break, watch, delete points     k  g  bookmark, go to
/  \\      search the log, backwards       1 to 8  panes
:         command line; Tab completes, up and down bring former lines,
          Esc leaves
Enter     the last command again          Esc  interrupt what runs
?  q      this help, quit
Mouse     a tab; a line of the log: go there; an instruction: breakpoint
"""
USAGE = 31  # columns of a command's usage in the help


def to_text(lines: Iterable[Line], *, wrap: bool = False) -> Text:
    """Lines of a pane with their colours."""
    text = Text(no_wrap=not wrap, overflow="fold" if wrap else "crop")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for cell in line:
            text.append(cell.text, STYLES.get(cell.style, ""))
    return text


def wrapped(lines: Sequence[Line], width: int, indent: int) -> tuple[list[Line], list[int]]:
    """Lines of at most ``width`` columns, and for each of them the number of the line that it is a part of. Only the
    last cell of a line is broken, at a semicolon if it can be."""
    rows: list[Line] = []
    origins: list[int] = []
    for number, line in enumerate(lines):
        if width <= 2 * indent or sum(len(cell.text) for cell in line) <= width:
            parts = [line]
        else:
            *head, last = line
            texts = [row for part in last.text.split("; ") for row in textwrap.wrap(part, width - indent)]
            parts = [(*head, Cell(texts[0], last.style))]
            parts += [(Cell(" " * indent), Cell(text, last.style)) for text in texts[1:]]
        rows += parts
        origins += len(parts) * [number]
    return rows, origins


class Pane(VerticalScroll):
    """One view, which scrolls."""

    def __init__(self, kind: PaneKind) -> None:
        super().__init__(id=kind.name, classes="pane")
        self.kind = kind
        self.lines: list[Line] = []
        self.rows: list[Line] = []  # as they are shown,
        self._origins: list[int] = []  # and the line that each is a part of
        self._to_see: int | None = None
        self.border_title = kind.title
        self._content = Static()

    def compose(self) -> ComposeResult:
        yield self._content

    def show(self, lines: Iterable[Line], to_see: int | None) -> None:
        """Show these lines instead; the one that is now, or ``to_see``, stays in sight."""
        self.lines = list(lines)
        self._to_see = to_see
        self._fill()

    def _fill(self) -> None:
        self.rows, self._origins = self.lines, list(range(len(self.lines)))
        if self.kind.indent is not None:
            self.rows, self._origins = wrapped(self.lines, self.scrollable_content_region.width, self.kind.indent)
        self._content.update(to_text(self.rows))
        self.call_after_refresh(self.follow)

    def on_resize(self) -> None:
        if self.kind.indent is not None:
            self._fill()

    def follow(self) -> None:
        """Scroll to what is now, without need not at all."""
        if not self.size.height:
            return
        if self.kind.name == "log":
            self.scroll_end(animate=False)
        row = next((i for i, line in enumerate(self.lines) if any(c.style == "now" for c in line)), None)
        height = self.size.height
        if row is not None:
            self.scroll_to(y=max(0, row - height // 2), animate=False)
        elif self._to_see is not None:  # with the heading, if there is room for it
            self.scroll_to(y=max(0, self._to_see - height // 2) if self._to_see >= height else 0, animate=False)

    def on_click(self, event: events.Click) -> None:
        row = event.screen_offset.y - self.content_region.y + int(self.scroll_y)
        if 0 <= row < len(self.rows):
            app, line = self.app, self._origins[row]
            assert isinstance(app, StepperApp)
            app.line_clicked(self.kind.name, line, plain([self.lines[line]])[0])


class Tab(Static):
    """The name of a pane, to click."""

    def __init__(self, kind: PaneKind) -> None:
        super().__init__(f"{kind.key} {kind.title}", classes="tab", id=f"tab-{kind.name}")
        self.kind = kind

    def on_click(self) -> None:
        app = self.app
        assert isinstance(app, StepperApp)
        app.action_pane(self.kind.name)


class Completions(Suggester):
    """What a line may become, shown behind the cursor."""

    def __init__(self, stepper: Stepper) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._stepper = stepper

    async def get_suggestion(self, value: str) -> str | None:
        """The first completion."""
        return next((line for line in complete(self._stepper, value) if line != value), None) if value else None


class CommandLine(Input):
    """Commands, with completion and former lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "complete", show=False),
        Binding("up", "former(-1)", "former line", show=False),
        Binding("down", "former(1)", "later line", show=False),
    ]

    def __init__(self, stepper: Stepper) -> None:
        hint = ": for a command, ? for help"
        super().__init__(id="command", placeholder=hint, suggester=Completions(stepper), select_on_focus=False)
        self.cursor_blink = False
        self._stepper = stepper
        self._lines: list[str] = []
        self._at = 0

    def remember(self, line: str) -> None:
        """A line was entered."""
        if line and self._lines[-1:] != [line]:
            self._lines.append(line)
        self._at = len(self._lines)

    def action_former(self, by: int) -> None:
        """Show a former line."""
        self._at = min(max(self._at + by, 0), len(self._lines))
        self.value = self._lines[self._at] if self._at < len(self._lines) else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """As far as all completions agree; where they do not, they are listed."""
        found = complete(self._stepper, self.value)
        if not found:
            return
        common = found[0]
        for line in found[1:]:
            while not line.startswith(common):
                common = common[:-1]
        if len(found) > 1 and common == self.value:
            app = self.app
            assert isinstance(app, StepperApp)
            app.answer([(Cell("  ".join(line.rpartition(" ")[2] for line in found[:60]), "dim"),)])
        self.value = common + (" " if len(found) == 1 else "")
        self.cursor_position = len(self.value)


def _help_line(command: Command) -> str:
    """A command with its arguments and what it does, in two lines if the first is long."""
    gap = "\n" + " " * (USAGE + 3) if len(command.usage) > USAGE else ""
    return f"  {command.usage:{USAGE}} {gap}{command.help}"


class HelpScreen(ModalScreen[None]):
    """Keys and commands."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        lines = [KEYS]
        for group in GROUPS:
            lines.append(f"{group}:")
            lines += [_help_line(command) for command in COMMANDS if command.group == group]
        with VerticalScroll(id="help"):
            yield Static(Text("\n".join(lines)))


class StepperApp(App[None]):
    """``stepper`` on a screen."""

    TITLE = "cfemu step"
    CSS_PATH = "stepper.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (150, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (40, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, action, text, show=bool(text), key_display=key, priority=True)
            for key, action, text in SHORTCUTS
        ),
        *(Binding(kind.key, f"pane('{kind.name}')", kind.title, show=False, priority=True) for kind in PANES),
        Binding("escape", "leave", "leave", show=False),
        Binding("ctrl+c", "interrupt", "interrupt", show=False, priority=True),
    ]

    def __init__(self, stepper: Stepper) -> None:
        super().__init__()
        self.stepper = stepper
        self._busy = False
        self._runs = 0
        self._reverse = False
        self._where = ""
        self.answered: list[Line] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the command line and in the help a letter is a letter. (Elsewhere keys act as soon as they come, so that
        those behind a ``:`` that are typed fast are not taken for keys.)"""
        typing = isinstance(self.focused, CommandLine) or isinstance(self.screen, HelpScreen)
        return not typing or action not in OF_KEYS

    def compose(self) -> ComposeResult:
        yield Static(Text(f" {self.stepper.source.title}", no_wrap=True, overflow="ellipsis"), id="title")
        with Horizontal(id="tabs"):
            for kind in PANES:
                yield Tab(kind)
        with Container(id="panes"):
            for kind in sorted(PANES, key=lambda kind: GRID.index(kind.name)):
                yield Pane(kind)
        yield Static(id="where")
        with VerticalScroll(id="answer", can_focus=False):
            yield Static(id="text")
        yield CommandLine(self.stepper)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.action_pane("code")
        notes: list[Line] = [(Cell(note),) for note in self.stepper.source.notes]
        self.answer([*notes, (Cell("m goes to the next TLB miss, y says why it happened; ? helps", "dim"),)])
        self._start(None)

    # --- commands

    def action_run(self, line: str) -> None:
        """Run a command, unless one is running; without one, the last one again."""
        if not self._busy:
            self._start(lambda: execute(self.stepper, line), line)

    def action_go(self, name: str) -> None:
        """Run a movement, backwards if r was the key before."""
        prefix = "reverse-" if self._reverse else ""
        self._reverse = False
        self.action_run(prefix + name)

    def action_reverse(self) -> None:
        """The next movement goes backwards."""
        self._reverse = True
        if not self._busy:
            self._show_state("r: now s, n, c or f")

    def action_ask(self, start: str) -> None:
        """Go to the command line."""
        line = self.query_one(CommandLine)
        line.value = start
        self.screen.set_focus(line)  # at once: what is typed fast must not be taken for keys
        line.cursor_position = len(start)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        line = self.query_one(CommandLine)
        line.remember(event.value)
        line.value = ""
        self.screen.set_focus(self.query_one(f"#{self._shown}", Pane))
        if self._busy:
            self.answer([(Cell(f"{event.value}: not yet; Esc interrupts what is running", "error"),)])
        else:
            self.action_run(event.value)

    def action_interrupt(self) -> None:
        """End what is running. It is asked again until it ends: it may not have begun yet."""
        self._insist(self._runs)

    def _insist(self, run: int) -> None:
        if self._busy and run == self._runs:
            self.stepper.source.interrupt()
            self.set_timer(0.1, lambda: self._insist(run))

    def action_leave(self) -> None:
        """Out of the command line, or end what is running."""
        self._reverse = False
        self.action_interrupt()
        if not self._busy:
            self._show_state("")
        self.screen.set_focus(self.query_one(f"#{self._shown}", Pane))

    def action_end(self) -> None:
        """Leave; what is running is ended."""
        self.action_interrupt()
        self.exit()

    def action_help(self) -> None:
        """Keys and commands."""
        self.push_screen(HelpScreen())

    def _start(self, action: Callable[[], Result] | None, line: str = "") -> None:
        """Do something, or only look, in a thread."""
        self._busy = True
        self._runs += 1
        self._reverse = False
        self._show_state(f"running {line}{' ' * bool(line)}... Esc interrupts")
        self.run_worker(self._work(action, line), exit_on_error=True)

    async def _work(self, action: Callable[[], Result] | None, line: str) -> None:
        """What was asked for, and what the panes show after it."""
        try:
            result = None if action is None else await asyncio.to_thread(_guarded, action)
            panes = await asyncio.to_thread(self._look)
        finally:
            self._busy = False
        if result is not None and result.ended:
            self.exit()
            return
        if result is not None:
            self.answer([(Cell(text, style),) for text, style in _styled(line, result)])
        for kind, (lines, to_see) in zip(PANES, panes, strict=True):
            self.query_one(f"#{kind.name}", Pane).show(lines, to_see)
        self._show_state("")

    def _look(self) -> list[tuple[list[Line], int | None]]:
        stepper = self.stepper
        stepper.source.begin()
        source_line = stepper.source_line()
        self._where = stepper.where() + (f"   {source_line}" if source_line else "")
        panes: list[tuple[list[Line], int | None]] = []
        for kind in PANES:
            try:
                panes.append((list(kind.lines(stepper)), kind.to_see(stepper)))
            except CfemuError as error:  # an interrupt, or memory that went away
                panes.append(([(Cell(str(error), "error"),)], None))
        return panes

    # --- looking

    def answer(self, lines: Iterable[Line]) -> None:
        """What the last command said."""
        self.answered = list(lines)
        self.query_one("#text", Static).update(to_text(self.answered, wrap=True))
        self.query_one("#answer", VerticalScroll).scroll_home(animate=False)

    def action_pane(self, name: str) -> None:
        """Show this pane, where one is shown at a time, and scroll it with the arrow keys."""
        self._shown = name
        for kind in PANES:
            self.query_one(f"#{kind.name}", Pane).set_class(kind.name == name, "shown")
            self.query_one(f"#tab-{kind.name}", Tab).set_class(kind.name == name, "shown")
        pane = self.query_one(f"#{name}", Pane)
        pane.focus()
        pane.call_after_refresh(pane.follow)

    def line_clicked(self, pane: str, row: int, text: str) -> None:
        """A line of the log: go there; an instruction: a breakpoint."""
        words = text.removeprefix("=>").split()
        if pane == "log" and row < len(self.stepper.logged) and not self._busy:
            moment = self.stepper.logged[row]
            self._start(lambda: do.return_to(self.stepper, moment))
        elif pane == "code" and words and len(address := words[words[0] == "b"]) == 8:
            self.action_run(self.stepper.toggle_breakpoint(int(address, 16)))

    def _show_state(self, state: str) -> None:
        """In the status line; without any, where we are."""
        text = Text(state or self._where, "bold yellow" if state else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#where", Static).update(text)


def _guarded(action: Callable[[], Result]) -> Result:
    """What is wrong is an answer, too."""
    try:
        return action()
    except CfemuError as error:
        return Result((str(error),), {"error": True})


def _styled(line: str, result: Result) -> Iterable[tuple[str, str]]:
    if line:
        yield f"{line}", "dim"
    style = "error" if result.data.get("error") else ""
    for text in result.lines:
        yield text, style


def run_screen(stepper: Stepper) -> None:
    """Until the user quits."""
    StepperApp(stepper).run()
