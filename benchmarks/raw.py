"""The same guest code on bare unicorn: no MMU, no counts - and, for comparison, counted by hooks written in Python."""

import time
from dataclasses import dataclass
from typing import Any

from unicorn import (
    UC_ARCH_M68K,
    UC_HOOK_CODE,
    UC_HOOK_INTR,
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_WRITE,
    UC_MODE_BIG_ENDIAN,
    Uc,
)
from unicorn.m68k_const import UC_CPU_M68K_CFV4E, UC_M68K_REG_A0, UC_M68K_REG_A7, UC_M68K_REG_D0, UC_M68K_REG_D7

from emu.elf import Elf

__all__ = ["RawRun", "run_raw"]

BASE, SIZE = 0xC0000000, 4 << 20  # what benchmarks/guest/link.ld uses of the board's memory
PAGE_SHIFT = 12


@dataclass(frozen=True)
class RawRun:
    seconds: float
    checksum: int  # the kernel's result, D0
    instructions: int  # counted by the Python hooks, 0 without them


def run_raw(elf: Elf, kernel: str, repetitions: int, *, python_hooks: bool = False) -> RawRun:
    """Run one kernel from ``user_start`` to its TRAP; ``python_hooks``: counted in Python."""
    uc = Uc(UC_ARCH_M68K, UC_MODE_BIG_ENDIAN)
    uc.ctl_set_cpu_model(UC_CPU_M68K_CFV4E)
    uc.mem_map(BASE, SIZE)
    for segment in elf.segments:
        uc.mem_write(segment.paddr, segment.data)
    uc.reg_write(UC_M68K_REG_A0, elf.address(kernel))
    uc.reg_write(UC_M68K_REG_A7, elf.address("user_stack"))
    uc.reg_write(UC_M68K_REG_D7, repetitions)
    uc.hook_add(UC_HOOK_INTR, lambda core, *_: core.emu_stop())
    counts = Counting()
    if python_hooks:
        uc.hook_add(UC_HOOK_CODE, counts.instruction)
        uc.hook_add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, counts.access)
    start = time.perf_counter()
    uc.emu_start(elf.address("user_start"), 0)
    seconds = time.perf_counter() - start
    return RawRun(seconds, uc.reg_read(UC_M68K_REG_D0), counts.instructions)


class Counting:
    """The least that an exact model must see: every instruction, and every change of the page read or written."""

    def __init__(self) -> None:
        self.instructions = 0
        self.pages = [-1, -1]
        self.lookups = 0

    def instruction(self, core: Any, address: int, size: int, data: Any) -> None:
        self.instructions += 1
        self.look_up(0, address)

    def access(self, core: Any, kind: int, address: int, size: int, value: int, data: Any) -> None:
        self.look_up(1, address)

    def look_up(self, side: int, address: int) -> None:
        page = address >> PAGE_SHIFT
        if page != self.pages[side]:
            self.pages[side] = page
            self.lookups += 1
