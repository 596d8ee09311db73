"""Registers by name, for Python: the debugger, error messages, tests."""

from functools import lru_cache

from emu.cpu import compiled
from emu.cpu.core import Core
from emu.cpu.state import FPCR_WRITABLE, FPSR_WRITABLE, MACSR_WRITABLE
from emu.errors import UsageError

__all__ = ["read_register", "register_names", "write_register"]

_GENERAL = {f"{kind}{i}": 8 * (kind == "a") + i for kind in "da" for i in range(8)}
_CPU = {"pc": compiled.GET_PC, "sr": compiled.GET_SR, "usp": compiled.GET_USP}
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


def read_register(core: Core, name: str) -> int:
    """Value of a register; KeyError for an unknown name."""
    if name in _GENERAL:
        return core.ask(compiled.GET_REGISTER, _GENERAL[name])
    if name in _CONTROL:
        field, index, _ = _CONTROL[name]
        value = core.state["mmu"][field]
        return int(value if index is None else value[index])
    if name in _UNITS:
        field, index, bits = _UNITS[name]
        value = core.state[field]
        return int(value if index is None else value[index]) & bits
    return core.ask(_CPU[name])


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
        core.ask(compiled.SET_REGISTER, _GENERAL[name], value)
    elif name == "pc":
        core.ask(compiled.SET_PC, value)
        core.state["block_size"] = 0
        core.state["done_at"] = -1
    elif name == "sr":
        core.ask(compiled.SET_SR, value & 0xFFFF)
    elif name in _CONTROL and (number := _CONTROL[name][2]) is not None:
        core.ask(compiled.MOVEC, number, value)
        core.flush()
    elif name in register_names():
        raise UsageError(f"register {name} can only be written by the guest")
    else:
        raise KeyError(name)
