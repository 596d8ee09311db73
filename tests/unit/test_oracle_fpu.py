"""The FPU oracle's exact arithmetic against the host's IEEE doubles and singles, wherever both mean the same."""

import math
import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.oracle.fpu import DOUBLE, SINGLE, Format, Fpu, to_bits, to_float

NORMAL = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}


def result(name: str, a: float, b: float, form: Format = DOUBLE) -> float:
    """What the oracle makes of a op b."""
    fpu = Fpu([to_bits(a)] + [0] * 7)
    fpu.operate(0, name, 0, to_bits(b), form)
    return to_float(fpu.fp[0])


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=NORMAL, b=NORMAL)
def test_doubles(name: str, a: float, b: float) -> None:
    assume(name != "div" or b)
    expected = OPERATIONS[name](a, b)
    assume(expected == 0 or 2.0**-1022 < abs(expected))  # below, the FPU flushes (548xRM 6-22)
    assume(expected or a == 0 or b == 0 or name in ("add", "sub"))
    found = result(name, a, b)
    assert to_bits(found) == to_bits(expected)


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=st.floats(width=32, allow_nan=False, allow_infinity=False), b=st.floats(width=32, min_value=0.5, max_value=2))
def test_singles(name: str, a: float, b: float) -> None:
    assume(a == 0 or abs(a) > 2.0**-120)
    with np.errstate(all="ignore"):
        expected = float(OPERATIONS[name](np.float32(a), np.float32(b)))  # type: ignore[arg-type]
    assume(expected == 0 or 2.0**-126 < abs(expected))
    assert to_bits(result(name, a, b, SINGLE)) == to_bits(expected)


@given(a=NORMAL)
def test_square_roots(a: float) -> None:
    fpu = Fpu()
    fpu.operate(0, "sqrt", 0, to_bits(abs(a)))
    assert to_float(fpu.fp[0]) == math.sqrt(abs(a))


@given(a=NORMAL, mode=st.integers(0, 3))
def test_integers(a: float, mode: int) -> None:
    fpu = Fpu(fpcr=mode << 4)
    fpu.operate(0, "int", 0, to_bits(a))
    expected = (np.rint, np.trunc, np.floor, np.ceil)[mode](a)
    assert to_bits(to_float(fpu.fp[0])) == to_bits(float(expected))
