"""DIVS, DIVU, REMS, REMU, MVS and MVZ give what the manual's oracle gives, host crash and overflow included."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import integer as oracle
from tests.support import asm
from tests.support.asm import d, post
from tests.support.guest import DATA, bench
from tests.support.units import Unit

CORNERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFF8000, 0xFFFFFFFF)
DIVISIONS = ("divs.w", "divu.w", "divs.l", "divu.l", "rems.l", "remu.l")
MOVES = ("mvs.b", "mvs.w", "mvz.b", "mvz.w")

longs = st.one_of(st.sampled_from(CORNERS), st.integers(0, 0xFFFFFFFF))
flags = st.integers(0, 31)


@pytest.fixture(scope="module", params=["native", "public"])
def unit(request: pytest.FixtureRequest) -> Iterator[Unit]:
    """One machine for all examples: each sets everything it uses."""
    with bench(request.param) as guest:
        yield Unit(guest)


def instruction(name: str, ea: asm.Ea, target: int, remainder: int) -> bytes:
    """The instruction ``name`` with Dtarget, and the register of the remainder."""
    signed, size = name[3] == "s", name[-1]
    if name[:2] == "mv":
        return (asm.mvs if name[2] == "s" else asm.mvz)(size, ea, target)
    if size == "w":
        return asm.div_w(signed, ea, target)
    if name[:3] == "rem":
        return asm.rem_l(signed, ea, target, remainder)
    return asm.div_l(signed, ea, target)


def expected(name: str, value: int, target: int, remainder: int, old: int, ccr: int) -> oracle.Outcome:
    """What the oracle says of it; ``old``: the target before."""
    signed, size = name[3] == "s", name[-1]
    if name[:2] == "mv":
        return oracle.move_extended(name[2] == "s", 1 if size == "b" else 2, value, target, ccr)
    if size == "w":
        return oracle.divide_word(signed, old, value, target, ccr)
    return oracle.divide_long(signed, old, value, target, remainder if name[:3] == "rem" else target, ccr)


def check(unit: Unit, name: str, value: int, old: int, ccr: int, registers: tuple[int, int], in_memory: bool) -> None:
    """One instruction with ``value`` as its source, in D7 or behind (A0)+."""
    target, remainder = registers
    size = {"b": 1, "w": 2, "l": 4}[name[-1]]
    start = {f"d{i}": 0x11111111 * i for i in range(7)} | {"d7": value, f"d{target}": old, "a0": DATA}
    code = instruction(name, post(0) if in_memory else d(7), target, remainder)
    if in_memory:
        unit.bench.put(DATA, (value % (1 << 8 * size)).to_bytes(size, "big"))
    frame = unit.run(code, start | {"sr": 0x2700 | ccr})
    outcome = expected(name, value, target, remainder, old, ccr)
    if outcome.vector is not None:
        assert frame is not None
        assert (frame.vector, frame.pc, frame.sr & 0x1F) == (outcome.vector, unit.place(code), ccr)
        assert unit.read("a0") == (DATA,)
        return
    assert frame is None
    after = start | {f"d{n}": new for n, new in outcome.registers.items()}
    assert unit.read(*(f"d{i}" for i in range(8))) == tuple(after[f"d{i}"] for i in range(8))
    assert unit.read("sr", "a0") == (0x2700 | outcome.ccr, DATA + size * in_memory)


pairs = st.tuples(st.integers(0, 6), st.integers(0, 6))


@given(st.sampled_from(DIVISIONS + MOVES), longs, longs, flags, pairs, st.booleans())
def test_one(unit: Unit, name: str, value: int, old: int, ccr: int, pair: tuple[int, int], in_memory: bool) -> None:
    check(unit, name, value, old, ccr, pair, in_memory)


@pytest.mark.parametrize("name", DIVISIONS)
def test_corners(unit: Unit, name: str) -> None:
    for value in CORNERS:
        for old in CORNERS:
            check(unit, name, value, old, 0x1F, (2, 3), False)


@pytest.mark.slow
@pytest.mark.parametrize("name", DIVISIONS + MOVES)
def test_many(unit: Unit, name: str) -> None:
    rng = random.Random(name)
    for _ in range(10_000):
        value, old = (rng.choice((rng.choice(CORNERS), rng.getrandbits(32), rng.getrandbits(12))) for _ in range(2))
        check(unit, name, value, old, rng.getrandbits(5), (rng.randrange(7), rng.randrange(7)), rng.random() < 0.3)
