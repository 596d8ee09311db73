"""The list of data accesses that emu.cpu.accesses makes is what unicorn does, for every op word.

A plain unicorn, with nothing of ours but hooks that watch it, executes each instruction once; the list is made for the
same instruction and the same registers. Registers and extension words are random, so any address can come out.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import unicorn as u
import unicorn.m68k_const as m

from emu.cpu.accesses import list_accesses
from emu.cpu.memory import fetch16
from emu.cpu.processor import get_pc
from emu.cpu.trapped import TRAPPED
from emu.jit import njit_entry
from emu.mmu.state import READ, RMW, WRITE
from emu.timing.optable import F_ILLEGAL, opcode_table
from tests.support import asm
from tests.support.guest import RAM, RAM_BYTES, Bench, bench

TABLE = opcode_table()
SLOT = 16  # bytes for one instruction and the ILLEGAL behind it
CODE_SLOTS = range(RAM + 0x100000, RAM + RAM_BYTES - 0x1000, SLOT)
SCRATCH, SCRATCH_PAGES = 0x10000000, 64  # where the plain unicorn finds the pages of operands
REGISTERS = (*range(m.UC_M68K_REG_D0, m.UC_M68K_REG_D7 + 1), *range(m.UC_M68K_REG_A0, m.UC_M68K_REG_A7 + 1))
NAMES = tuple(f"{kind}{i}" for kind in "da" for i in range(8))
SUPERVISOR_SR = 0x2700

Access = tuple[int, int, int]  # VA, bytes, kind


@njit_entry
def make_list(states: Any) -> None:
    """The list for the instruction at PC."""
    s = states[0]
    pc = get_pc(s)
    list_accesses(s, pc, fetch16(s, pc, 1))


class Plain:
    """unicorn alone. Every page of operands is there: each gets a scratch page when it is first touched."""

    def __init__(self) -> None:
        self.uc = u.Uc(u.UC_ARCH_M68K, u.UC_MODE_BIG_ENDIAN)
        self.uc.ctl_set_cpu_model(m.UC_CPU_M68K_CFV4E)
        self.uc.ctl_set_tlb_mode(u.UC_TLB_VIRTUAL)
        self.uc.mem_map(RAM, RAM_BYTES)
        self.uc.mem_map(SCRATCH, SCRATCH_PAGES * 4096)
        self.uc.reg_write(m.UC_M68K_REG_SR, SUPERVISOR_SR)
        self.fresh = self.uc.context_save()
        self.start, self.begun = 0, False
        self.pages: list[int] = []
        self.seen: list[Access] = []
        self.uc.hook_add(u.UC_HOOK_TLB_FILL, self._fill)
        self.uc.hook_add(u.UC_HOOK_MEM_READ | u.UC_HOOK_MEM_WRITE, self._access)
        self.uc.hook_add(u.UC_HOOK_INTR, lambda uc, _number, _data: uc.emu_stop())
        self.uc.hook_add(u.UC_HOOK_BLOCK, self._block)

    def _fill(self, _uc: Any, va: int, kind: int, entry: Any, _data: Any) -> bool:
        va &= 0xFFFFFFFF
        if kind == u.UC_MEM_FETCH:
            entry.paddr, entry.perms = va, u.UC_PROT_EXEC
            return 0 <= va - (self.start & ~0xFFF) <= 0x1000
        if va not in self.pages:
            self.pages.append(va)
        entry.paddr, entry.perms = SCRATCH + 4096 * self.pages.index(va), u.UC_PROT_READ | u.UC_PROT_WRITE
        return True

    def _access(self, _uc: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
        va = self.pages[address - SCRATCH >> 12] | address & 0xFFF
        self.seen.append((va, size, WRITE if kind == u.UC_MEM_WRITE else READ))

    def _block(self, uc: Any, _address: int, _size: int, _data: Any) -> None:
        if self.begun:
            uc.emu_stop()
        self.begun = True

    def run(self, pc: int, code: bytes, values: list[int]) -> list[Access]:
        """What the one instruction ``code`` at ``pc`` accesses."""
        self.uc.context_restore(self.fresh)
        self.uc.ctl(u.UC_CTL_TLB_FLUSH, u.UC_CTL_IO_WRITE)
        self.uc.ctl_flush_tb()  # a jump may have had these addresses translated before
        self.uc.mem_write(pc, code + asm.ILLEGAL)
        for register, value in zip(REGISTERS, values, strict=True):
            self.uc.reg_write(register, value)
        self.start, self.begun, self.pages, self.seen = pc, False, [], []
        try:
            self.uc.emu_start(pc, 0)
        except u.UcError as error:
            if error.errno != u.UC_ERR_EXCEPTION:  # that is the end of a jump to another page
                raise
        return self.seen


@pytest.fixture(scope="module")
def plain() -> Plain:
    """One plain unicorn for all."""
    return Plain()


@pytest.fixture(scope="module")
def guest() -> Iterator[Bench]:
    """A machine of the public engine; only its registers and its memory are used."""
    with bench("public") as made:
        yield made


def listed(guest: Bench, pc: int, code: bytes, values: list[int]) -> list[Access]:
    """The list; unicorn makes two accesses of a read-modify-write."""
    guest.put(pc, code)
    for name, value in zip(NAMES, values, strict=True):
        guest.registers[name] = value
    guest.registers["pc"] = pc
    make_list(guest.machine.core.array)
    s = guest.machine.core.state
    found: list[Access] = []
    for va, size, kind in s["accesses"][: int(s["n_accesses"])].tolist():
        found += [(va, size, one) for one in ((READ, WRITE) if kind == RMW else (kind,))]
    return found


def executed_by_unicorn() -> list[int]:
    """The op words that an engine leaves to unicorn."""
    ops = np.arange(len(TABLE))
    left = TABLE["flags"] & F_ILLEGAL == 0
    for mask, match in TRAPPED:
        left &= (ops & mask) != match
    return [int(op) for op in ops[left]]


def compare(guest: Bench, plain: Plain, instructions: Iterable[bytes], seed: int) -> int:
    """Compare for every instruction, given with a word too many or two; how many access memory."""
    rng = random.Random(seed)
    with_memory = 0
    for pc, words in zip(CODE_SLOTS, instructions):
        code = words[: 2 * int(TABLE["words"][int.from_bytes(words[:2], "big")])]
        values = [rng.getrandbits(32) for _ in NAMES]
        expected = plain.run(pc, code, values)
        assert listed(guest, pc, code, values) == expected, f"{code.hex()} at {pc:#x}"
        with_memory += bool(expected)
    return with_memory


def instruction(op: int, rng: random.Random) -> bytes:
    """The op word with extension words that are valid as often as not."""
    brief = 0x0800 | rng.getrandbits(16) & 0xF6FF  # an index of the V4e
    first = rng.choice((brief, rng.getrandbits(16), rng.getrandbits(8)))
    return asm.words(op, first, rng.choice((brief, rng.getrandbits(16))))


@pytest.mark.parametrize("part", range(16))
@pytest.mark.slow
def test_the_list_is_what_unicorn_does_for_every_op_word(part: int, guest: Bench, plain: Plain) -> None:
    rng = random.Random(part)
    ops = executed_by_unicorn()[part::16]
    assert compare(guest, plain, [instruction(op, rng) for op in ops for _ in range(2)], part) > 1000


def test_the_list_is_what_unicorn_does_for_a_sample(guest: Bench, plain: Plain) -> None:
    rng = random.Random(99)
    sample = rng.sample(executed_by_unicorn(), 2000)
    assert compare(guest, plain, [instruction(op, rng) for op in sample], 99) > 500


def test_every_movem_list(guest: Bench, plain: Plain) -> None:
    lists = [1 << i for i in range(16)] + [(1 << i) - 1 for i in range(17)] + [0xA5A5]
    ops = (0x48D0, 0x48E8, 0x4CD7, 0x4CEF)
    codes = [asm.words(op, registers, 0xFFF8) for op in ops for registers in lists]
    assert compare(guest, plain, codes, 1) == len(codes) - len(ops)  # all but the empty list
