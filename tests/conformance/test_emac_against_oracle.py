"""Every EMAC instruction, in every mode, gives what the oracle of the manual gives."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import emac as oracle
from tests.support import asm
from tests.support.asm import Mac, d
from tests.support.guest import DATA, bench
from tests.support.units import Unit

UNITS = ("acc0", "acc1", "acc2", "acc3", "macsr", "mask")
CORNERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFF8000, 0xFFFFFFFF)
ACC_CORNERS: tuple[int, ...] = (0, 1, 0x7F, 0x80, 0x180, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFF, 0x8000000000)
ACC_CORNERS += (0x7FFFFFFFFFFF, 0x800000000000, 0xFFFFFFFFFFFF, 0xFF8000000000, 0x007FFFFF8000, 0x000000800000)

longs = st.one_of(st.sampled_from(CORNERS), st.integers(0, 0xFFFFFFFF))
accumulators = st.one_of(st.sampled_from(ACC_CORNERS), st.integers(0, (1 << 48) - 1))
states = st.builds(
    oracle.Emac,
    acc=st.lists(accumulators, min_size=4, max_size=4),
    macsr=st.integers(0, 0xFFF),
    mask=st.integers(0, 0xFFFF),
)
macs = st.builds(
    Mac,
    x=st.integers(0, 6),
    y=st.integers(0, 6),
    acc=st.integers(0, 3),
    long=st.booleans(),
    subtract=st.booleans(),
    scale=st.sampled_from((0, 1, 3)),
    upper_x=st.booleans(),
    upper_y=st.booleans(),
)


@pytest.fixture(scope="module", params=["native", "public"])
def unit(request: pytest.FixtureRequest) -> Iterator[Unit]:
    """One machine for all examples: each sets everything it uses."""
    with bench(request.param) as guest:
        yield Unit(guest)


def registers_of(state: oracle.Emac) -> dict[str, int]:
    """The state as registers of the machine."""
    return dict(zip(UNITS, (*state.acc, state.macsr, state.mask), strict=True))


def check_state(unit: Unit, expected: oracle.Emac) -> None:
    """The EMAC of the machine is as the oracle's."""
    assert unit.read(*UNITS) == tuple(registers_of(expected).values())


def apply(state: oracle.Emac, fields: Mac, values: list[int]) -> None:
    """MAC or MSAC on the oracle."""
    state.accumulate(
        fields.acc,
        values[fields.x],
        values[fields.y],
        subtract=fields.subtract,
        long=fields.long,
        scale=fields.scale,
        upper_x=fields.upper_x,
        upper_y=fields.upper_y,
    )


def check_mac(unit: Unit, state: oracle.Emac, fields: Mac, values: list[int]) -> None:
    """One MAC or MSAC of data registers."""
    named = {f"d{i}": value for i, value in enumerate(values)}
    assert unit.run(asm.mac(fields), named | registers_of(state)) is None
    apply(state, fields, values)
    check_state(unit, state)


@given(states, macs, st.lists(longs, min_size=7, max_size=7))
def test_mac(unit: Unit, state: oracle.Emac, fields: Mac, values: list[int]) -> None:
    check_mac(unit, state, fields, values)


@pytest.mark.conformance
def test_mac_on_many_operands(unit: Unit) -> None:
    rng = random.Random(0x5475)
    for _ in range(100_000):
        state = oracle.Emac(
            [rng.choice((rng.choice(ACC_CORNERS), rng.getrandbits(48))) for _ in range(4)],
            rng.getrandbits(12),
            rng.getrandbits(16),
        )
        fields = Mac(
            rng.randrange(7),
            rng.randrange(7),
            rng.randrange(4),
            rng.random() < 0.5,
            rng.random() < 0.5,
            rng.choice((0, 1, 3)),
            rng.random() < 0.5,
            rng.random() < 0.5,
        )
        check_mac(unit, state, fields, [rng.choice((rng.choice(CORNERS), rng.getrandbits(32))) for _ in range(7)])


MODES = {"(An)": asm.ind(0), "(An)+": asm.post(0), "-(An)": asm.pre(0), "(d16,An)": asm.disp(0, 8)}


@given(
    states,
    macs,
    st.lists(longs, min_size=7, max_size=7),
    st.sampled_from(sorted(MODES)),
    st.sampled_from((0, 3, 9, 15)),
    st.booleans(),
)
def test_mac_with_load(
    unit: Unit, state: oracle.Emac, fields: Mac, values: list[int], mode: str, target: int, masked: bool
) -> None:
    """The old registers are multiplied, the load comes from the masked address, and An is updated through the mask."""
    state.mask |= 0xF0F0  # all masked addresses are in RAM
    address = DATA + 0x0F08
    named = {f"d{i}": value for i, value in enumerate(values)} | {"a0": address, "a1": 0}
    operand, updated = state.masked_address(mode, address, 8)
    if not masked:
        plain = oracle.Emac(mask=0xFFFF)
        operand, updated = plain.masked_address(mode, address, 8)
    unit.bench.put(operand & ~3, bytes(range(0x81, 0x89)))
    loaded = unit.bench.long(operand)
    assert unit.run(asm.mac_load(fields, MODES[mode], target, masked), named | registers_of(state)) is None
    apply(state, fields, values)
    check_state(unit, state)
    name = f"{'a' if target > 7 else 'd'}{target & 7}"
    assert unit.read(name) == (loaded,)
    assert unit.read("a0") == (updated,)


@given(states, st.integers(0, 3), longs)
def test_moves_to_the_emac(unit: Unit, state: oracle.Emac, i: int, value: int) -> None:
    start = registers_of(state)
    state.load(i, value)
    assert unit.run(asm.move_to_emac(d(1), i), start | {"d1": value}) is None
    check_state(unit, state)
    start = registers_of(state)
    state.load_extension(i & 1, value)
    assert unit.run(asm.move_to_emac(asm.a(1), (asm.ACCEXT01, asm.ACCEXT23)[i & 1]), start | {"a1": value}) is None
    check_state(unit, state)
    start = registers_of(state)
    state.mask, state.macsr = value & 0xFFFF, value >> 16 & 0xFFF
    assert unit.run(asm.move_to_emac(d(1), asm.MASK), start | {"d1": value}) is None
    assert unit.run(asm.move_to_emac(d(1), asm.MACSR), {"d1": value >> 16}) is None
    check_state(unit, state)


@given(states, st.integers(0, 3))
def test_moves_from_the_emac(unit: Unit, state: oracle.Emac, i: int) -> None:
    start = registers_of(state)
    expected = {asm.move_from_emac(i, 9): state.store(i), asm.move_from_emac(asm.MACSR, 9): state.macsr}
    expected |= {asm.move_from_emac(asm.MASK, 9): 0xFFFF0000 | state.mask}
    expected |= {asm.move_from_emac((asm.ACCEXT01, asm.ACCEXT23)[i & 1], 9): state.store_extension(i & 1)}
    for code, value in expected.items():
        assert unit.run(code, start) is None
        assert unit.read("a1") == (value,)
    check_state(unit, state)  # none of them changes anything
    assert unit.run(asm.movclr(i, 2), start) is None
    assert unit.read("d2") == (state.store_and_clear(i),)
    check_state(unit, state)


@given(states, st.integers(0, 3), st.integers(0, 3))
def test_moves_between_accumulators(unit: Unit, state: oracle.Emac, source: int, target: int) -> None:
    start = registers_of(state)
    state.copy(source, target)
    assert unit.run(asm.move_acc(source, target), start) is None
    check_state(unit, state)


@given(states)
def test_macsr_to_ccr(unit: Unit, state: oracle.Emac) -> None:
    assert unit.run(asm.MACSR_TO_CCR, registers_of(state) | {"sr": 0x271F}) is None
    assert unit.read("sr") == (0x2700 | state.ccr(),)
