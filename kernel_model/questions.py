"""What the nucleus asks its half of the kernel in Python, and what that decides, in words for a debugger."""

from collections.abc import Callable, Sequence
from enum import IntEnum

from emu.debug.history import Call
from emu.debug.target import plain_call
from kernel_model import abi

__all__ = ["tell_call"]


def tell_call(call: Call) -> str:
    """One hypercall and its answer, in a line."""
    teller = TELLERS.get(call.number)
    return plain_call(call) if teller is None else teller(call.arguments, call.status, call.results)


Teller = Callable[[Sequence[int], int, Sequence[int]], str]


def _grow(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    kind, wanted, subject = asked[:3]
    who = {
        abi.GrowKind.BOOT: lambda: _name(abi.Vector, subject),
        abi.GrowKind.USER: lambda: f"user process {subject}",
    }.get(abi.GrowKind(kind), lambda: f"device page {subject:#010x}")()
    how = "" if kind in (abi.GrowKind.BOOT, abi.GrowKind.USER) else f" ({_name(abi.GrowKind, kind)})"
    answer = f"granted {given[1]} at PA {given[0]:#010x}" if status == abi.Refusal.OK else _refusal(status)
    return f"grow{how} {wanted} pages for {who}: {answer}"


def _next_command(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    if not given:
        return "next command: none"
    arguments = " ".join(f"{value:#x}" for value in _used(given[1:]))
    return f"next command: {_name(abi.Command, given[0])} {arguments}".rstrip()


def _done(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    ended = "ok" if asked[1] == abi.Refusal.OK else _refusal(asked[1])
    figures = " ".join(f"{value:,}" for value in _used(asked[2:]))
    return f"done: {_name(abi.Command, asked[0])}, {ended}; {figures}".rstrip("; ")


def _booted(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    return f"booted: heap {asked[0]:#010x} to {asked[1]:#010x}, {asked[4]:,} headers free, {asked[5]} entries locked"


def _page_space(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    return f"page space {asked[0]}: " + (f"{given[1]:,} pages at PA {given[0]:#010x}" if given[1] else "no more")


def _release(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    answer = "taken back" if status == abi.Refusal.OK else _refusal(status)
    return f"release {asked[1]} pages at PA {asked[0]:#010x}: {answer}"


def _refused(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    announced = f"; announce reserve={given[0]}" if given and given[0] else ""
    return f"refused device page {asked[1]:#010x}: {_name(abi.Refusal, asked[0])}, {asked[2]:,} pages left{announced}"


def _panic(asked: Sequence[int], status: int, given: Sequence[int]) -> str:
    return f"panic: {_name(abi.Panic, asked[0])}, VA {asked[1]:#010x}, PC {asked[2]:#010x}"


TELLERS: dict[int, Teller] = {
    abi.Hypercall.NEXT_COMMAND: _next_command,
    abi.Hypercall.DONE: _done,
    abi.Hypercall.BOOTED: _booted,
    abi.Hypercall.GROW: _grow,
    abi.Hypercall.PAGE_SPACE: _page_space,
    abi.Hypercall.RELEASE: _release,
    abi.Hypercall.REFUSED: _refused,
    abi.Hypercall.PANIC: _panic,
}


def _name(names: type[IntEnum], value: int) -> str:
    """A constant's name as words; the number where there is none."""
    return names(value).name.lower().replace("_", " ") if value in names._value2member_map_ else str(value)


def _refusal(status: int) -> str:
    return f"refused, {_name(abi.Refusal, status)}"


def _used(values: Sequence[int]) -> Sequence[int]:
    """Without the zeros at the end."""
    count = max((i + 1 for i, value in enumerate(values) if value), default=0)
    return values[:count]
