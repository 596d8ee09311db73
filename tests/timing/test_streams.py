"""The machine's cycle counter against the time oracle after every instruction of random programs, at every level.

The reference engine runs them, an instruction at a time; the other engines count the same (tests/conformance).
"""

from __future__ import annotations

import random

import pytest

from emu.machine import Machine
from tests.oracle.timing import Timing
from tests.support import sequences
from tests.support.asm import HALT
from tests.support.cache_program import BEC, DEC, DESB, IEC, CacheProgram, cacr
from tests.support.guest import EUSP
from tests.support.lockstep import BOARD
from tests.support.random_program import Program
from tests.support.timing_stream import first_difference
from tests.timing.micro import Level

LEVELS: tuple[Level, ...] = ("flat", "pipeline", "full")
COPYBACK = 0x40  # MMUDR[CM]
EVENTS = 100_000  # more than any program here has


def of_every_kind(seed: int, level: Level) -> str | None:
    """Steps of tests.support.sequences: all instructions of user mode, the FPU's too."""
    rng = random.Random(seed)
    steps = sequences.random_steps(rng, 60)
    control = cacr(rng)
    with Machine(BOARD, "reference", timing=level) as machine:
        machine.write_physical(sequences.CODE, sequences.prologue(rng) + b"".join(s.code for s in steps) + HALT)
        machine.write_physical(sequences.CONSTANTS, sequences.constants(rng))
        machine.write_physical(sequences.DATA, rng.randbytes(sequences.WINDOW))
        for name, value in {"sr": 0x2700, "pc": sequences.CODE, "cacr": control}.items():
            machine.registers[name] = value
        found = first_difference(machine, Timing(level, cacr=control), EVENTS)
    return f"seed {seed}, {found}" if found else None


def of_caches(seed: int, level: Level) -> str | None:
    """Programs that strain caches, bus and branch structures."""
    program = CacheProgram(seed)
    with program.machine("reference", timing=level) as machine:
        found = first_difference(machine, Timing(level, cacr=program.cacr), EVENTS)
    return f"seed {seed}, {found}" if found else None


def of_pages(seed: int, level: Level, events: int) -> str | None:
    """Programs that strain the TLBs: exceptions, pages of all sizes and modes, code that changes."""
    control = EUSP if seed % 2 else EUSP | DEC | DESB | IEC | BEC
    program = Program(seed, 12, 12, 2, cacr=control, cache_modes=(0, COPYBACK))
    with program.machine("reference", timing=level) as machine:
        found = first_difference(machine, Timing(level), events)
    return f"seed {seed}, {found}" if found else None


@pytest.mark.parametrize("level", LEVELS)
def test_all_instructions(level: Level) -> None:
    assert [found for seed in range(10) if (found := of_every_kind(seed, level))] == []


@pytest.mark.parametrize("level", LEVELS)
def test_caches_and_branches(level: Level) -> None:
    assert [found for seed in range(4) if (found := of_caches(seed, level))] == []


@pytest.mark.parametrize("level", LEVELS)
def test_pages_and_exceptions(level: Level) -> None:
    assert [found for seed in range(2) if (found := of_pages(seed, level, 3000))] == []


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_many_programs(level: Level) -> None:
    found = [of_every_kind(seed, level) for seed in range(10, 80)]
    found += [of_caches(seed, level) for seed in range(4, 30)]
    found += [of_pages(seed, level, 20_000) for seed in range(2, 8)]
    assert [line for line in found if line] == []
