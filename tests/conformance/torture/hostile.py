"""Run one program: on the bare machine, under qemu-m68k, and behind the hostile MMU."""

import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emu.elf import Elf, load_elf
from emu.errors import CfemuError
from emu.machine import Machine, Snapshot, StopReason
from tests.conformance.torture import build
from tests.conformance.torture.layout import BOARD, LOCK_LIST, PAGE_SIZES, PAGE_TABLE, USER, USER_BYTES
from tests.support.asm import long
from tests.support.guest import ACC, ADR, CA, CAS, CNL, DTLB_BASE, ITLB, LK, R, W, X, image, read_frame, tag

__all__ = ["DTLB_FREE", "ITLB_FREE", "Outcome", "Rig", "run_qemu"]

ITLB_FREE, DTLB_FREE = 2, 4  # the architectural minimum (sheet 1.12)
ENTRIES = 32
LOCKED_VA = 0x80000000  # nobody goes there: the locked entries only take room
ASIDS = 5
COMMANDS = (0, CNL, CNL, CA, CAS)
LEVEL, VECTOR = 6, 64
# Cycles: the longest gap of a young program; how many times younger a gap is than its program; what the handler takes.
FIRST_GAP, SHARE, HANDLER, HANDLER_THAT_LOCKS = 400, 40, 250, 2500
FLAT_BUDGET, HOSTILE_BUDGET, HOSTILE_FACTOR = 3_000_000_000, 20_000_000, 200  # instructions
QEMU_SECONDS = 120
# What Linux makes of an exception: the signal that kills a process under qemu-m68k.
SIGNALS = {2: 11, 3: 10, 4: 4, 5: 8, 8: 4, 10: 4, 11: 4, **dict.fromkeys(range(48, 56), 8), 61: 4}


@dataclass(frozen=True)
class Outcome:
    """How a program ended: ``status`` is the exit status, 128 + n for a signal, or -1 when it did not end.

    ``note`` says more about an end that is no exit. ``retired``: instructions, the kernel's included.
    """

    status: int
    output: bytes
    note: str = ""
    retired: int = 0
    misses: int = 0
    interrupts: int = 0
    violations: int = 0


def run_qemu(elf: Path) -> Outcome:
    """The program as a Linux process under qemu-m68k."""
    command = ["qemu-m68k", "-cpu", "cfv4e", str(elf)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=QEMU_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Outcome(-1, b"", f"still running after {QEMU_SECONDS} seconds")
    code = done.returncode
    return Outcome(128 - code if code < 0 else code, done.stdout, f"signal {-code}" if code < 0 else "")


class Enemy:
    """The host's half of the kernel: decides at each interrupt what is cleared, who runs, and when it comes back.

    Interrupts are dense while a program is young and become rarer in proportion to its age, so that a long one meets
    hundreds of them and not hundreds of thousands.
    """

    def __init__(self, machine: Machine, seed: str) -> None:
        self._machine = machine
        self._random = random.Random(seed)
        self.interrupts = 0
        self._start = self._now
        self._schedule(1)

    @property
    def _now(self) -> int:
        return int(self._machine.core.state["cycles"])

    def _schedule(self, least: int) -> None:
        age = self._now - self._start
        gap = least + self._random.randrange(FIRST_GAP + age // SHARE)
        self._machine.schedule_interrupt(LEVEL, VECTOR, self._now + gap)

    def answer(self, number: int, arguments: Sequence[int]) -> tuple[int, tuple[int, int]]:
        """(status, (MMUOR command, ASID)) for the handler that asks."""
        self.interrupts += 1
        command = self._random.choice(COMMANDS)
        self._schedule(HANDLER_THAT_LOCKS if command == CA else HANDLER)
        return 0, (command, self._random.randrange(ASIDS))


class Rig:
    """One machine that runs any number of programs, each from the same beginning."""

    def __init__(self, engine: str = "auto") -> None:
        self.machine = Machine(BOARD, engine=engine)
        self._kernels: dict[int, Elf] = {}
        self._ready: dict[int, Snapshot] = {}
        self.frames: dict[int, list[int]] = {}

    def close(self) -> None:
        """Free the machine."""
        self.machine.close()

    def flat(self, program: Elf) -> Outcome:
        """The undisturbed run: no MMU, VA = PA, no interrupts."""
        self._restore(8)
        for segment in program.segments:
            self.machine.write_physical(segment.vaddr, segment.data)
        return self._run(self._kernels[8], program, FLAT_BUDGET)

    def hostile(self, program: Elf, kilobytes: int, seed: str, retired: int) -> Outcome:
        """Behind the MMU, with everything that ``seed`` decides; ``retired``: instructions of the undisturbed run."""
        self._restore(kilobytes)
        machine, kernel = self.machine, self._kernels[kilobytes]
        bits, frames = PAGE_SIZES[kilobytes], self.frames[kilobytes]
        for segment in program.segments:
            for va, part in pages(segment.vaddr, segment.data, bits):
                machine.write_physical(USER + (frames[va - USER >> bits] << bits) + va % (1 << bits), part)
        end = max(segment.vaddr + segment.memsz for segment in program.segments)
        used = (end - USER + (1 << bits) - 1) >> bits
        machine.write_physical(PAGE_TABLE + 4 * used, bytes(4 * (len(frames) - used)))
        machine.write_physical(LOCK_LIST, lock_list(random.Random(seed + " locks")))
        machine.write_physical(kernel.address("virtual_mode"), long(1))
        enemy = Enemy(machine, seed)
        machine.on_hypercall = enemy.answer
        outcome = self._run(kernel, program, HOSTILE_BUDGET + HOSTILE_FACTOR * retired)
        counts = machine.core.state
        return Outcome(
            outcome.status,
            outcome.output,
            outcome.note,
            outcome.retired,
            misses=int(counts["misses"].sum()),
            interrupts=enemy.interrupts,
            violations=int.from_bytes(machine.read_physical(kernel.address("violations"), 4), "big"),
        )

    def _restore(self, kilobytes: int) -> None:
        """The machine with the kernel for pages of that size loaded, as before its first instruction."""
        if kilobytes in self._ready:
            self.machine.restore(self._ready[kilobytes])
            return
        if not self._ready:
            self._ready[0] = self.machine.snapshot()
        self.machine.restore(self._ready[0])
        self._kernels[kilobytes] = load_elf(build.kernel(kilobytes))
        self.machine.load_elf(self._kernels[kilobytes])
        bits = PAGE_SIZES[kilobytes]
        frames = list(range(USER_BYTES >> bits))
        random.Random(kilobytes).shuffle(frames)
        self.frames[kilobytes] = frames
        clean = b"".join(long(image(USER + (frame << bits), bits, R | X)) for frame in frames)
        self.machine.write_physical(PAGE_TABLE, clean)
        self._ready[kilobytes] = self.machine.snapshot()

    def _run(self, kernel: Elf, program: Elf, budget: int) -> Outcome:
        machine = self.machine
        machine.write_physical(kernel.address("user_entry"), long(program.entry))
        machine.console.clear()
        before = int(machine.core.state["instructions"])
        try:
            result = machine.run(max_instructions=budget)
        except CfemuError as error:
            return Outcome(-1, bytes(machine.console), str(error).splitlines()[0])
        finally:
            machine.on_hypercall = None
        retired = int(machine.core.state["instructions"]) - before
        status, note = -1, f"stopped: {result.reason.value} at {result.pc:#x}"
        if result.reason is StopReason.HALT:
            status, note = self._ending(kernel, result.pc)
        return Outcome(status, bytes(machine.console), note, retired)

    def _ending(self, kernel: Elf, pc: int) -> tuple[int, str]:
        """Status and note of a HALT before ``pc``."""
        registers = self.machine.registers
        if pc == kernel.address("exited") + 2:
            return registers["d1"] & 0xFF, ""
        frame = read_frame(self.machine, registers["a7"])
        note = f"vector {frame.vector}, FS {frame.fs}, PC {frame.pc:#x}, MMUAR {registers['mmuar']:#x}"
        return 128 + SIGNALS.get(frame.vector, 127), note


def pages(va: int, data: bytes, bits: int) -> Iterator[tuple[int, bytes]]:
    """``data`` at ``va``, cut where pages of 2**bits bytes meet."""
    at = 0
    while at < len(data):
        size = min(len(data) - at, (1 << bits) - (va + at) % (1 << bits))
        yield va + at, data[at : at + size]
        at += size


def lock_list(chance: random.Random) -> bytes:
    """What the kernel locks: all entries of both TLBs but the minimum, which ``chance`` picks."""
    free = {*chance.sample(range(ENTRIES), ITLB_FREE)}
    free |= {DTLB_BASE + i for i in chance.sample(range(ENTRIES), DTLB_FREE)}
    rows = b""
    for number in (n for n in range(2 * ENTRIES) if n not in free):
        va = LOCKED_VA + (number << 20)
        command = ADR | ACC | (ITLB if number < DTLB_BASE else 0)
        rows += long(number) + long(tag(va, shared=True)) + long(image(va, 20, R | W | X | LK)) + long(command)
    return rows + long(-1)
