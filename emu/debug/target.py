"""What is debugged: a session with everything around it that a debugger's user interface wants to know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from emu.debug.history import DEFAULT_MEMORY, Call
from emu.debug.session import Session
from emu.debug.threads import ThreadList, the_cpu
from emu.errors import UsageError
from emu.foreground import Setup, build_machine, read_program

__all__ = ["Target", "open_elf", "plain_call"]


def plain_call(call: Call) -> str:
    """A hypercall of which nobody knows what it means."""
    arguments = ", ".join(f"{value:#x}" for value in call.arguments)
    return f"hypercall {call.number}({arguments}): status {call.status}"


@dataclass(frozen=True)
class Target:
    """``title``: what it is, in a line; ``files``: ELF files with its code and names; ``notes``: what its user should
    know; ``tell_call``: one hypercall and what was decided, in words."""

    session: Session
    title: str
    files: tuple[Path, ...]
    threads: ThreadList = the_cpu
    notes: tuple[str, ...] = field(default=())
    tell_call: Callable[[Call], str] = plain_call

    def close(self) -> None:
        """Free the machine."""
        self.session.close()
        self.session.machine.close()


def open_elf(
    setup: Setup,
    script: Path | None = None,
    *,
    memory: int = DEFAULT_MEMORY,
    on_console: Callable[[bytes], None] | None = None,
) -> Target:
    """A board with a program loaded, at reset. ``script``: what is typed on its console as soon as it listens.

    UsageError for bad files.
    """
    machine = build_machine(setup, read_program(setup))
    machine.on_console = on_console
    if script is not None:
        try:
            text = script.read_bytes()
        except OSError as error:
            raise UsageError(f"{script}: {(error.strerror or str(error)).lower()}") from error
        machine.when_listening(lambda: text)
    title = f"{setup.elf.name} on {machine.board.name}, {machine.engine} engine"
    return Target(Session(machine, memory=memory), title, (setup.elf, *setup.symbols))
