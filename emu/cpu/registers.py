"""Registers by name, for Python: the debugger, error messages, tests."""

from functools import lru_cache
from typing import Any

from emu.cpu import processor
from emu.cpu.core import Core
from emu.cpu.emac import MACSR_WRITABLE
from emu.cpu.fpu import FPCR_WRITABLE, FPSR_WRITABLE
from emu.errors import UsageError
from emu.jit import njit_entry
from emu.mmu.movec import movec

__all__ = ["read_register", "register_names", "write_register"]

_GENERAL = {f"{kind}{i}": 8 * (kind == "a") + i for kind in "da" for i in range(8)}
_CPU = ("pc", "sr", "usp")
# Field of the MMU record, index in it or None, MOVEC number or None (then only the window can write it).
_CONTROL: dict[str, tuple[str, int | None, int | None]] = {
    "vbr": ("vbr", None, 0x801),
    "cacr": ("cacr", None, 0x002),
    "asid": ("asid", None, 0x003),
    "acr0": ("acr", 0, 0x004),
    "acr1": ("acr", 1, 0x005),
    "acr2": ("acr", 2, 0x006),
    "acr3": ("acr", 3, 0x007),
    "mmubar": ("mmubar", None, 0x008),
    "rambar0": ("rambar", 0, 0xC04),
    "rambar1": ("rambar", 1, 0xC05),
    "mbar": ("mbar", None, 0xC0F),
    "mmucr": ("mmucr", None, None),
    "mmusr": ("mmusr", None, None),
    "mmuar": ("mmuar", None, None),
    "mmutr": ("mmutr", None, None),
    "mmudr": ("mmudr", None, None),
}
# FPU and EMAC, which live in the shared record: field, index in it or None, bits that exist.
_UNITS: dict[str, tuple[str, int | None, int]] = {
    **{f"fp{i}": ("fp", i, (1 << 64) - 1) for i in range(8)},
    "fpcr": ("fpcr", None, FPCR_WRITABLE),
    "fpsr": ("fpsr", None, FPSR_WRITABLE),
    "fpiar": ("fpiar", None, 0xFFFFFFFF),
    **{f"acc{i}": ("macc", i, (1 << 48) - 1) for i in range(4)},
    "macsr": ("macsr", None, MACSR_WRITABLE),
    "mask": ("mac_mask", None, 0xFFFF),
}


@lru_cache(maxsize=1)
def register_names() -> tuple[str, ...]:
    """All names, in the order of a dump."""
    return (*_GENERAL, *_CPU, *_CONTROL, *_UNITS)


def _signed(value: int, bits: int) -> int:
    """How the record keeps a number of this many bits: FP patterns and accumulators are signed there."""
    value &= bits
    return value - bits - 1 if bits > 0xFFFFFFFF and value > bits >> 1 else value


@njit_entry
def _get(states: Any, index: int) -> int:
    return processor.get_register(states[0], index)


@njit_entry
def _set(states: Any, index: int, value: int) -> None:
    processor.set_register(states[0], index, value)


@njit_entry
def _get_pc(states: Any) -> int:
    return processor.get_pc(states[0])


@njit_entry
def _set_pc(states: Any, value: int) -> None:
    processor.set_pc(states[0], value)


@njit_entry
def _get_sr(states: Any) -> int:
    return processor.get_sr(states[0])


@njit_entry
def _set_sr(states: Any, value: int) -> None:
    processor.set_sr(states[0], value)


@njit_entry
def _get_usp(states: Any) -> int:
    return processor.get_usp(states[0])


@njit_entry
def _movec(states: Any, number: int, value: int) -> None:
    s = states[0]
    movec(s.mmu, number, value)
    if number == 0x002:
        processor.set_eusp(s, value & 0x20)
    if number == 0xC0F:
        s.mbar_set = 1


def read_register(core: Core, name: str) -> int:
    """Value of a register; KeyError for an unknown name."""
    if name in _GENERAL:
        return int(_get(core.array, _GENERAL[name]))
    if name in _CONTROL:
        field, index, _ = _CONTROL[name]
        value = core.state["mmu"][field]
        return int(value if index is None else value[index])
    if name in _UNITS:
        field, index, bits = _UNITS[name]
        value = core.state[field]
        return int(value if index is None else value[index]) & bits
    return int({"pc": _get_pc, "sr": _get_sr, "usp": _get_usp}[name](core.array))


def write_register(core: Core, name: str, value: int) -> None:
    """Set a register, masked as the hardware does. UsageError for one that cannot be set from here."""
    if name in _UNITS:
        field, index, bits = _UNITS[name]
        if index is None:
            core.state[field] = _signed(value, bits)
        else:
            core.state[field][index] = _signed(value, bits)
        return
    value &= 0xFFFFFFFF
    if name in _GENERAL:
        _set(core.array, _GENERAL[name], value)
    elif name == "pc":
        _set_pc(core.array, value)
        core.state["block_size"] = 0
    elif name == "sr":
        _set_sr(core.array, value & 0xFFFF)
    elif name in _CONTROL and (number := _CONTROL[name][2]) is not None:
        _movec(core.array, number, value)
        core.flush()
    elif name in register_names():
        raise UsageError(f"register {name} can only be written by the guest")
    else:
        raise KeyError(name)
