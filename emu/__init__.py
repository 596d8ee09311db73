"""The machine: a ColdFire V4e with its MMU, and what it does, counted. docs/api.md tells what may be relied on.

::

    from emu import Machine, Trace, get_board, load_elf

    with Machine(get_board("m5475evb")) as machine:
        machine.load_elf(load_elf("hello.elf"))
        machine.run()
        machine.counters()                      # a table in a notebook

    Trace("boot.trace").replay(entries=[16, 32, 64]).to_pandas()
"""

from emu.lazy import attribute_getter

TYPE_CHECKING = False  # as type checkers know it; typing takes time in which Ctrl-C is not heard yet
if TYPE_CHECKING:
    from emu.board import BOARDS, Board, get_board
    from emu.counters import Counters
    from emu.elf import Elf, load_elf
    from emu.errors import CfemuError, GuestError, UsageError
    from emu.machine import Machine, RunResult, StopReason
    from emu.recording import Recording, record
    from emu.tabular import Table
    from emu.trace.questions import Trace

__all__ = [
    "BOARDS",
    "Board",
    "CfemuError",
    "Counters",
    "Elf",
    "GuestError",
    "Machine",
    "Recording",
    "RunResult",
    "StopReason",
    "Table",
    "Trace",
    "UsageError",
    "get_board",
    "load_elf",
    "record",
]

_HOMES = {
    "BOARDS": "emu.board",
    "Board": "emu.board",
    "CfemuError": "emu.errors",
    "Counters": "emu.counters",
    "Elf": "emu.elf",
    "GuestError": "emu.errors",
    "Machine": "emu.machine",
    "Recording": "emu.recording",
    "RunResult": "emu.machine",
    "StopReason": "emu.machine",
    "Table": "emu.tabular",
    "Trace": "emu.trace.questions",
    "UsageError": "emu.errors",
    "get_board": "emu.board",
    "load_elf": "emu.elf",
    "record": "emu.recording",
}

if not TYPE_CHECKING:  # which would take any name for one of ours
    __getattr__ = attribute_getter(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
