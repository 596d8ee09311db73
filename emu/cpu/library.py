"""The C API of libunicorn through ctypes: the product's typed facade for it.

The Python bindings cannot take a native function as a hook, so only the library that they ship is used.
"""

import ctypes as c
import importlib.util
from functools import lru_cache
from pathlib import Path

from emu.cpu.state import FUNCTIONS
from emu.errors import EngineError

__all__ = ["INTERNAL_FUNCTIONS", "address", "check", "ctl", "has", "reg_read", "reg_write", "version"]

ARCH_M68K, MODE_BIG_ENDIAN, CPU_CFV4E = 7, 1 << 30, 7
REG_A0, REG_D0, REG_SR, REG_PC = 1, 9, 17, 18
HOOK_INTR, HOOK_BLOCK, HOOK_TLB_FILL = 1 << 0, 1 << 3, 1 << 17
PROT_ALL = 7
CTL_WRITE = 1 << 30
CTL_UC_USE_EXITS, CTL_CPU_MODEL, CTL_TLB_TYPE = 4, 7, 12
TLB_VIRTUAL = 1

# Beside the documented functions of FUNCTIONS the native engine needs these names.
INTERNAL_FUNCTIONS = (
    *(name for name in FUNCTIONS if not name.startswith("uc_")),
    "unicorn_fill_tlb_m68k",
    "tcg_func_start_m68k",
    "tcg_const_i32_m68k",
)


@lru_cache(maxsize=1)
def _library() -> c.CDLL:
    """libunicorn, from the installed unicorn package, without running that package's Python code."""
    spec = importlib.util.find_spec("unicorn")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the package unicorn is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "lib"
    for name in ("libunicorn.so.2", "libunicorn.2.dylib", "unicorn.dll"):
        if (folder / name).is_file():
            return c.CDLL(str(folder / name))
    raise EngineError("the package unicorn has no libunicorn inside")


def has(name: str) -> bool:
    """Whether the library exports ``name``."""
    return hasattr(_library(), name)


def address(name: str) -> int:
    """Address of an exported function."""
    value = c.cast(getattr(_library(), name), c.c_void_p).value
    if value is None:
        raise EngineError(f"libunicorn: {name} has no address")
    return value


def version() -> tuple[int, int, int]:
    """(major, minor, patch) of the library."""
    word = int(_library().uc_version(None, None))
    return word >> 24 & 0xFF, word >> 16 & 0xFF, word >> 8 & 0xFF


def make_constant(tcg: int, value: int) -> None:
    """Let the translator begin a block and load a constant in it. Nothing is done with the block."""
    _library().tcg_func_start_m68k(c.c_void_p(tcg))
    _library().tcg_const_i32_m68k(c.c_void_p(tcg), c.c_int32(value))


def check(error: int, what: str) -> None:
    """Raise EngineError with unicorn's own words if a call failed."""
    if error:
        text = _library().uc_strerror
        text.restype = c.c_char_p
        raise EngineError(f"unicorn: {what}: {text(error).decode()}")


def open_m68k() -> int:
    """A new ColdFire V4e instance; its address."""
    handle = c.c_void_p()
    check(_library().uc_open(ARCH_M68K, MODE_BIG_ENDIAN, c.byref(handle)), "uc_open")
    uc = handle.value or 0
    ctl(uc, CTL_CPU_MODEL, CPU_CFV4E)
    ctl(uc, CTL_UC_USE_EXITS, 1)  # without it every start looks its end address up in the TLB (unicorn-notes 5)
    _number_pages_apart(uc)
    ctl(uc, CTL_TLB_TYPE, TLB_VIRTUAL)
    return uc


def _number_pages_apart(uc: int) -> None:
    """Keep unicorn from taking translations of one block of memory for those of another.

    It finds translated code by page numbers, and gives blocks of memory overlapping ones when a larger block is mapped
    after a smaller one (``find_ram_offset_last``). Once a block was unmapped, it looks for numbers that are free.
    """
    page = (c.c_uint8 * 8192)()
    host = c.addressof(page) + 4095 & -4096
    map_memory(uc, 0, 4096, host)
    check(_library().uc_mem_unmap(c.c_void_p(uc), c.c_uint64(0), c.c_uint64(4096)), "uc_mem_unmap")


def close(uc: int) -> None:
    """Free an instance."""
    check(_library().uc_close(c.c_void_p(uc)), "uc_close")


def ctl(uc: int, control: int, value: int) -> None:
    """uc_ctl write with one int argument."""
    check(_library().uc_ctl(c.c_void_p(uc), c.c_uint32(control | 1 << 26 | CTL_WRITE), c.c_int(value)), "uc_ctl")


def map_memory(uc: int, where: int, size: int, host: int) -> None:
    """Map ``size`` bytes at ``host`` of this process."""
    error = _library().uc_mem_map_ptr(
        c.c_void_p(uc), c.c_uint64(where), c.c_uint64(size), c.c_uint32(PROT_ALL), c.c_void_p(host)
    )
    check(error, f"uc_mem_map_ptr {where:#x}")


def map_io(uc: int, where: int, size: int, read: int, write: int, data: int) -> None:
    """Map native callbacks."""
    error = _library().uc_mmio_map(
        c.c_void_p(uc),
        c.c_uint64(where),
        c.c_uint64(size),
        c.c_void_p(read),
        c.c_void_p(data),
        c.c_void_p(write),
        c.c_void_p(data),
    )
    check(error, f"uc_mmio_map {where:#x}")


def add_hook(uc: int, kind: int, callback: int, data: int) -> None:
    """Add a native callback for all addresses."""
    handle = c.c_size_t()
    error = _library().uc_hook_add(
        c.c_void_p(uc),
        c.byref(handle),
        c.c_int(kind),
        c.c_void_p(callback),
        c.c_void_p(data),
        c.c_uint64(1),
        c.c_uint64(0),
    )
    check(error, "uc_hook_add")


def reg_read(uc: int, register: int) -> int:
    """One 32-bit register. Not for SR: see :mod:`emu.cpu.processor`."""
    value = c.c_uint32()
    check(_library().uc_reg_read(c.c_void_p(uc), c.c_int(register), c.byref(value)), "uc_reg_read")
    return value.value


def reg_write(uc: int, register: int, value: int) -> None:
    """One 32-bit register."""
    word = c.c_uint32(value & 0xFFFFFFFF)
    check(_library().uc_reg_write(c.c_void_p(uc), c.c_int(register), c.byref(word)), "uc_reg_write")


def context_new(uc: int) -> int:
    """Room for :func:`uc_context_save`; its address."""
    context = c.c_void_p()
    check(_library().uc_context_alloc(c.c_void_p(uc), c.byref(context)), "uc_context_alloc")
    return context.value or 0


def context_free(context: int) -> None:
    """Undo :func:`context_new`."""
    check(_library().uc_context_free(c.c_void_p(context)), "uc_context_free")


def context_save(uc: int) -> bytes:
    """All registers of the CPU as unicorn keeps them, lazy flags and FPU included."""
    size = int(_library().uc_context_size(c.c_void_p(uc)))
    context = context_new(uc)
    check(_library().uc_context_save(c.c_void_p(uc), c.c_void_p(context)), "uc_context_save")
    data = c.string_at(context, size)
    context_free(context)
    return data


def context_restore(uc: int, data: bytes) -> None:
    """Undo to what :func:`context_save` returned for this instance."""
    buffer = c.create_string_buffer(data, len(data))
    check(_library().uc_context_restore(c.c_void_p(uc), buffer), "uc_context_restore")
