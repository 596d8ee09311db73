"""Random programs on the peripherals: native = public = reference = any slicing of a run, in all there is to see.

What the peripherals do is tested by name in tests/machine; here only that no engine, and no cut of a run, sees anything
else: time, every count and register, the state of each peripheral, memory, and what the console has heard.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from emu.debug.disassembly import disassemble
from emu.devices.state import DEVICES_DTYPE, PSC_DTYPE
from emu.machine import Machine
from tests.conformance.test_engines_agree import assert_equal
from tests.support.guest import CODE, bench
from tests.support.random_devices import PINS, PROGRAMS, TYPED, drive, prepare

WHOLE = [100]


def peripherals(machine: Machine) -> dict[str, Any]:
    """The state of every peripheral, without addresses of the host."""
    d = machine.core.devices
    names = [name for name in DEVICES_DTYPE.names or () if name not in ("map", "console", "ended", "psc")]
    seen = {name: np.array(d[name]).tolist() for name in names}
    seen |= {f"psc.{name}": np.array(d["psc"][name]).tolist() for name in PSC_DTYPE.names or () if name != "line"}
    return seen


def agree(program: bytes, pins: list[tuple[int, bool]], typed: bytes, slices: list[int]) -> tuple[int, int]:
    """Run on every engine, and in slices; (instructions, interrupts taken) of the run."""
    note("\n".join(f"{line.va:#x} {line.text}" for line in disassemble(program, CODE)))
    with bench("reference") as reference:
        prepare(reference, program)
        ending = drive(reference.machine, pins, typed, WHOLE)
        for engine, cut in (("native", WHOLE), ("public", WHOLE), ("native", slices), ("public", slices)):
            with bench(engine) as other:
                prepare(other, program)
                assert drive(other.machine, pins, typed, cut) is ending, (engine, cut)
                assert_equal(other.machine, reference.machine)
                assert peripherals(other.machine) == peripherals(reference.machine), (engine, cut)
                assert other.machine.console == reference.machine.console
        counters = reference.machine.counters()
        return counters.instructions, sum(n for vector, n in counters.exceptions.items() if 64 <= vector < 128)


def check(examples: int) -> None:
    """The property, for so many programs; and they did something."""
    runs = []

    @settings(max_examples=examples)
    @given(PROGRAMS, PINS, TYPED, st.lists(st.integers(1, 9), min_size=1, max_size=4))
    def engines_agree(program: bytes, pins: list[tuple[int, bool]], typed: bytes, slices: list[int]) -> None:
        runs.append(agree(program, pins, typed, slices))

    engines_agree()
    # The programs did run, and the peripherals did interrupt them: the engines did not agree about nothing.
    assert sum(instructions for instructions, _ in runs) > 300 * len(runs)
    assert sum(taken for _, taken in runs) > 5 * len(runs)


def test_engines_agree_about_the_peripherals() -> None:
    check(30)


@pytest.mark.slow
def test_engines_agree_about_the_peripherals_in_many_programs() -> None:
    check(600)
