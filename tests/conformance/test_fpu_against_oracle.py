"""Every FPU instruction gives the value, FPSR, FPIAR and vector that the oracle of the sheet gives."""

import copy
import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.oracle import fpu as oracle
from tests.support import asm
from tests.support.asm import d
from tests.support.guest import DATA, bench
from tests.support.units import Unit

NAMES = tuple(f"fp{i}" for i in range(8))
STATE = (*NAMES, "fpcr", "fpsr", "fpiar")
MONADIC = ("move", "int", "intrz", "sqrt", "abs", "neg", "tst")
DYADIC = ("add", "sub", "mul", "div", "cmp")
ROUNDING_FORMS = tuple(name for name in (*MONADIC, *DYADIC) if name not in ("int", "intrz", "tst", "cmp"))
FORMS = [(name, "") for name in (*MONADIC, *DYADIC)] + [(name, p) for name in ROUNDING_FORMS for p in "sd"]
PRECISIONS = {"s": oracle.SINGLE, "d": oracle.DOUBLE}  # else FPCR says it
MAX, MIN = 0x7FEFFFFFFFFFFFFF, 0x0010000000000000
CORNERS = (
    *(0, 1, MIN - 1, MIN, MIN + 1, MAX, MAX - 1, oracle.INFINITY, oracle.INFINITY + 1, oracle.DEFAULT_NAN),
    *(oracle.to_bits(x) for x in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 0.1, 1 / 3, 2.0**31, 2.0**31 - 0.5, 127.5, 32767.5)),
    *(oracle.to_bits(x) for x in (2.0**-126, 2.0**-127, 2.0**-149, 2.0**128, 2.0**128 - 2.0**103, 1 + 2.0**-24)),
    *(oracle.to_bits(x) for x in (2.0**52, 2.0**53 - 1, 2.0**52 + 0.5, 2.0**511, 2.0**512, 2.0**-511, 2.0**-512)),
)

signs = st.sampled_from((0, oracle.NEGATIVE))
near_one = st.builds(lambda e, f: (1023 + e) << 52 | f, st.integers(-60, 60), st.integers(0, (1 << 52) - 1))
magnitudes = st.one_of(st.sampled_from(CORNERS), near_one, st.integers(0, (1 << 63) - 1))
doubles = st.builds(lambda sign, bits: sign | bits, signs, magnitudes)
modes = st.sampled_from((0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x80))  # 0x40: single; 0x80 means nothing here
enables = st.one_of(st.just(0), st.integers(0, 0xFF).map(lambda bits: bits << 8))
statuses = st.integers(0, 0xFFFFFFFF).map(lambda bits: bits & 0x0F0000F8)


@st.composite
def states(draw: st.DrawFn) -> oracle.Fpu:
    """Registers with nothing pending."""
    fp = draw(st.lists(doubles, min_size=2, max_size=2)) + [oracle.DEFAULT_NAN] * 6
    return oracle.Fpu(fp, draw(modes) & 0xFF70 | draw(enables), draw(statuses), 0)


@pytest.fixture(scope="module", params=["native", "public"])
def unit(request: pytest.FixtureRequest) -> Iterator[Unit]:
    """One machine for all examples: each sets everything it uses."""
    with bench(request.param) as guest:
        yield Unit(guest)


def registers_of(state: oracle.Fpu) -> dict[str, int]:
    """The state as registers of the machine."""
    return dict(zip(STATE, (*state.fp, state.fpcr, state.fpsr, state.fpiar), strict=True))


def check_state(unit: Unit, expected: oracle.Fpu) -> None:
    """The FPU of the machine is as the oracle's."""
    found, wanted = dict(zip(STATE, unit.read(*STATE), strict=True)), registers_of(expected)
    if found != wanted:  # hexadecimal only for the report
        assert {k: hex(v) for k, v in found.items()} == {k: hex(v) for k, v in wanted.items()}


def check_registers(unit: Unit, state: oracle.Fpu, form: tuple[str, str]) -> None:
    """An operation FP0,FP1; then the next one, before which an exception that became pending is taken."""
    name, precision = form
    code = asm.fp(name, 0, 1, precision)
    assert unit.run(code, registers_of(state)) is None
    state.operate(unit.place(code), name, 1, state.fp[0], PRECISIONS.get(precision))
    check_state(unit, state)
    if state.pending:
        frame = unit.run(code, {})
        assert frame is not None
        assert (frame.vector, frame.pc) == (state.pending, unit.place(code))
        check_state(unit, state)


@given(states(), st.sampled_from(FORMS))
@example(oracle.Fpu([MAX, MAX] + [0] * 6, 0x1000), ("add", ""))
def test_operations_on_registers(unit: Unit, state: oracle.Fpu, form: tuple[str, str]) -> None:
    check_registers(unit, copy.deepcopy(state), form)  # the explicit example serves both engines


def random_double(rng: random.Random) -> int:
    """Corners, any pattern, and numbers near one, where sums and quotients round."""
    sign = rng.getrandbits(1) << 63
    kind = rng.randrange(4)
    if kind == 0:
        return sign | rng.choice(CORNERS)
    if kind == 1:
        return rng.getrandbits(64)
    short = rng.getrandbits(52) & -(1 << rng.choice((0, 20, 29, 40)))
    return sign | (1023 + rng.randint(-60, 60)) << 52 | short


@pytest.mark.conformance
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_operations_on_many_operands(unit: Unit, form: tuple[str, str]) -> None:
    rng = random.Random(str(form))
    for _ in range(10_000):
        fp = [random_double(rng) for _ in range(2)] + [0] * 6
        if rng.random() < 0.2:  # cancellation, equality
            fp[1] = fp[0] ^ rng.choice((0, 1, oracle.NEGATIVE, 1 << 52, oracle.NEGATIVE | 3))
        fpcr = rng.choice((0, 0x10, 0x20, 0x30, 0x40, 0x70)) | rng.choice((0, 0, rng.getrandbits(8) << 8))
        check_registers(unit, oracle.Fpu(fp, fpcr, rng.getrandbits(32) & 0x0F0000F8), form)


SIZES = {"b": 1, "w": 2, "l": 4, "s": 4, "d": 8}


def operand(state: oracle.Fpu, size: str, bits: int) -> tuple[int, int]:
    """(pattern of a double, exceptions) of a source operand."""
    if size == "d":
        return bits, 0
    if size == "s":
        return state.from_single(bits & 0xFFFFFFFF)
    width = 8 * SIZES[size]
    value = bits % (1 << width)
    return oracle.to_bits(float(value - (value >> (width - 1) << width))), 0


singles = doubles.map(lambda bits: bits >> 32 & 0x80000000 | (bits >> 52 & 0xFF) << 23 | bits & 0x7FFFFF)


@given(states(), st.sampled_from(sorted(SIZES)), st.one_of(doubles, singles), st.sampled_from(FORMS))
def test_operations_on_memory(unit: Unit, state: oracle.Fpu, size: str, bits: int, form: tuple[str, str]) -> None:
    name, precision = form
    data = (bits % (1 << 8 * SIZES[size])).to_bytes(SIZES[size], "big")
    unit.bench.put(DATA, data.ljust(8, b"\xee"))
    code = asm.fp_from(name, size, asm.post(0), 1, precision)
    assert unit.run(code, registers_of(state) | {"a0": DATA}) is None
    assert unit.read("a0") == (DATA + SIZES[size],)
    source, exceptions = operand(state, size, bits)
    state.operate(unit.place(code), name, 1, source, PRECISIONS.get(precision), exceptions)
    check_state(unit, state)


@given(states(), st.sampled_from("bwls"), st.one_of(singles, st.integers(0, 0xFFFFFFFF)))
def test_operations_on_data_registers(unit: Unit, state: oracle.Fpu, size: str, bits: int) -> None:
    code = asm.fp_from("add", size, d(3), 1)
    assert unit.run(code, registers_of(state) | {"d3": bits}) is None
    source, exceptions = operand(state, size, bits)
    state.operate(unit.place(code), "add", 1, source, None, exceptions)
    check_state(unit, state)


def check_store(unit: Unit, state: oracle.Fpu, size: str, to_memory: bool) -> None:
    """FMOVE FP0,<ea>: the value, or the exception at once with the next instruction's PC and nothing written."""
    width = SIZES[size]
    code = asm.fp_to(size, 0, asm.pre(0) if to_memory else d(3))
    unit.bench.put(DATA, b"\xa5" * 16)
    frame = unit.run(code, registers_of(state) | {"a0": DATA + 8 + width, "d3": 0xA5A5A5A5})
    address = unit.place(code)
    value = state.store(address, 0, size)
    check_state(unit, state)
    kept = 0xA5A5A5A5A5A5A5A5 % (1 << 8 * width)
    if value is None:
        waiting = state.fpsr & state.fpcr & 0xFF00
        assert frame is not None
        assert frame.pc == address + 4
        assert frame.vector == next(vector for bit, vector in oracle.VECTORS if waiting & bit)
    else:
        assert frame is None
    expected = kept if value is None else value
    if to_memory:
        found = unit.bench.machine.read_physical(DATA, 16)
        assert found == b"\xa5" * 8 + expected.to_bytes(width, "big") + b"\xa5" * (8 - width)
        assert unit.read("a0") == (DATA + 8 + (width if value is None else 0),)
    else:
        assert unit.read("d3") == (0xA5A5A5A5 >> 8 * width << 8 * width | expected,)


@given(states(), st.sampled_from("bwlsd"), st.booleans())
def test_stores(unit: Unit, state: oracle.Fpu, size: str, to_memory: bool) -> None:
    check_store(unit, state, size, to_memory or size == "d")


@pytest.mark.conformance
@pytest.mark.parametrize("size", "bwlsd")
def test_stores_of_many_numbers(unit: Unit, size: str) -> None:
    rng = random.Random(size)
    for _ in range(10_000):
        fp = [random_double(rng)] + [0] * 7
        if rng.random() < 0.4:
            fp[0] = oracle.to_bits(rng.choice((1, 2, 4)) * rng.getrandbits(34) / 4 - 2.0**32)
        fpcr = rng.choice((0, 0x10, 0x20, 0x30, 0x40, 0x70)) | rng.choice((0, 0, rng.getrandbits(8) << 8))
        check_store(unit, oracle.Fpu(fp, fpcr), size, size == "d" or rng.random() < 0.5)


@pytest.mark.parametrize("cc", range(16))
@pytest.mark.parametrize("enable", [0, 0x8000])
@pytest.mark.parametrize("before", [0, 0x8000])
def test_branches(unit: Unit, cc: int, enable: int, before: int) -> None:
    """All 32 predicates for each FPCC, two lengths; the predicates that are not aware of NaNs set or clear BSUN."""
    for predicate in range(32):
        for code, target in (
            (asm.fp_branch(predicate, 0x100), 0x102),
            (asm.words(0xF2C0 | predicate, 0x0001, 0x0000), 0x10002),
        ):
            state = oracle.Fpu([0] * 8, enable, cc << 24 | 0x2208 | before)
            start = registers_of(state)
            frame = unit.run(code, start)
            address = unit.place(code)
            taken = state.branch(address, predicate)
            check_state(unit, state)
            if taken is None:
                assert frame is not None
                assert (frame.vector, frame.pc) == (48, address)
            else:
                assert frame is None
                assert unit.read("pc") == (address + (target if taken else len(code)),)


# --- registers that are moved without arithmetic


def test_fmovem_moves_any_pattern_and_changes_no_status(unit: Unit) -> None:
    patterns = [1, oracle.INFINITY + 1, oracle.NEGATIVE, MAX, oracle.DEFAULT_NAN, 1 << 51, 0, oracle.NEGATIVE | 1]
    start = registers_of(oracle.Fpu(patterns, 0xFF30, 0x0F00FFF8, 0x1234))
    chosen = [0, 3, 4, 7]
    unit.bench.put(DATA, bytes(64))
    assert unit.run(asm.fmovem_store(chosen, asm.disp(0, 16)), start | {"a0": DATA}) is None
    assert unit.bench.machine.read_physical(DATA + 16, 40) == struct.pack(">5Q", *(patterns[i] for i in chosen), 0)
    assert unit.run(asm.fmovem_load(asm.disp(0, 16), [1, 2, 5, 6]), {"a0": DATA}) is None
    for target, source in zip((1, 2, 5, 6), chosen, strict=True):
        patterns[target] = patterns[source]
    check_state(unit, oracle.Fpu(patterns, 0xFF30, 0x0F00FFF8, 0x1234))


@given(st.integers(0, 0xFFFFFFFF))
def test_control_registers_keep_their_bits(unit: Unit, value: int) -> None:
    kept = {asm.FPCR: ("fpcr", 0xFF70), asm.FPSR: ("fpsr", 0x0F00FFF8), asm.FPIAR: ("fpiar", 0xFFFFFFFF)}
    start = registers_of(oracle.Fpu())
    for register, (name, bits) in kept.items():
        assert unit.run(asm.fp_to_control(d(1), register), start | {"d1": value}) is None
        assert unit.read(name) == (value & bits,)
        assert unit.run(asm.fp_from_control(register, d(2)), {}) is None
        assert unit.read("d2") == (value & bits,)


@pytest.mark.parametrize(("bit", "vector"), oracle.VECTORS)
def test_writing_fpsr_or_fpcr_can_make_an_exception_pending(unit: Unit, bit: int, vector: int) -> None:
    """It waits for the next arithmetic instruction; FMOVEM, FBcc and control moves run (548xRM 6-19)."""
    start = registers_of(oracle.Fpu([0] * 8, 0xFF00))
    assert unit.run(asm.fp_to_control(d(1), asm.FPSR), start | {"d1": bit}) is None
    assert unit.run(asm.fmovem_load(asm.ind(0), [2]), {"a0": DATA}) is None
    assert unit.run(asm.fp_branch(0, 0), {}) is None
    frame = unit.run(asm.fp("tst", 2, 2), {})
    assert frame is not None
    assert frame.vector == vector


def test_the_handler_finds_the_old_value_in_the_frame_of_fsave(unit: Unit) -> None:
    old, two = oracle.to_bits(5.0), oracle.to_bits(0.0)
    start = registers_of(oracle.Fpu([two, old] + [0] * 6, 0x0400))
    assert unit.run(asm.fp("div", 0, 1), start) is None
    frame = unit.run(asm.fp("add", 0, 2), {})
    assert frame is not None
    assert frame.vector == 50
    assert unit.run(asm.fsave(asm.ind(0)), {"a0": DATA, "sr": 0x2700}) is None
    saved = unit.bench.machine.read_physical(DATA, 16)
    assert (saved[0], saved[1]) == (0xE5, 50)
    assert saved[4:12] == struct.pack(">Q", old)
    assert unit.read("fpcr") == (0,)  # FSAVE clears it: the handler may compute
    assert unit.run(asm.fp("add", 0, 2), {}) is None
    assert unit.run(asm.frestore(asm.ind(0)), {"a0": DATA}) is None
    again = unit.run(asm.fp("add", 0, 2), {})
    assert again is not None
    assert again.vector == 50


def test_states_of_the_frame(unit: Unit) -> None:
    unit.bench.put(DATA, bytes(16))
    assert unit.run(asm.frestore(asm.ind(0)), registers_of(oracle.Fpu([0] * 8, 0x30, 8, 4)) | {"a0": DATA}) is None
    check_state(unit, oracle.Fpu())  # a null frame resets everything, FPIAR too
    assert unit.run(asm.fsave(asm.ind(0)), {"a0": DATA + 32}) is None
    assert unit.bench.machine.read_physical(DATA + 32, 1) == b"\x00"  # and null is what is saved
    assert unit.run(asm.fp("tst", 0, 0), {}) is None
    assert unit.run(asm.fsave(asm.ind(0)), {"a0": DATA + 32}) is None
    assert unit.bench.machine.read_physical(DATA + 32, 1) == b"\x05"


@pytest.mark.parametrize(
    "code",
    [
        asm.words(0xF200, 0x0002),  # opmode of FSINH
        asm.words(0xF200, 0x5C00),  # FMOVECR
        asm.words(0xF210, 0x4800),  # extended source
        asm.words(0xF210, 0x4C00),  # packed source
        asm.words(0xF200, 0x5400),  # a double in a data register
        asm.words(0xF200, 0x7400),  # to one
        asm.words(0xF210, 0x6800),  # to extended
        asm.words(0xF200, 0x2000),  # opclass 1
        asm.words(0xF201, 0x0000),  # register to register with an EA
        asm.words(0xF23A, 0x6000, 0x0000),  # store to (d16,PC)
        asm.words(0xF218, 0xD001),  # FMOVEM with (An)+
        asm.words(0xF210, 0xE001),  # FMOVEM for -(An)
        asm.words(0xF210, 0xF800),  # dynamic list
        asm.words(0xF200, 0x9800),  # two control registers
        asm.words(0xF200, 0x8000),  # none
        asm.words(0xF209, 0x9000),  # FPCR from An
        asm.words(0xF230, 0x4000, 0x0000),  # indexed
        asm.words(0xF239, 0x4000, 0x0000, 0x0000),  # absolute
        asm.words(0xF2A0, 0x0000),  # predicate 32
        asm.words(0xF248, 0x0000),  # FDBcc
    ],
    ids=lambda code: code.hex(),
)
def test_malformed_instructions_take_vector_11(unit: Unit, code: bytes) -> None:
    start = registers_of(oracle.Fpu([0] * 8, 0, 0x08000000, 4))
    frame = unit.run(code, start | {"a0": DATA, "a1": DATA})
    assert frame is not None
    assert (frame.vector, frame.pc) == (11, unit.place(code))
    check_state(unit, oracle.Fpu([0] * 8, 0, 0x08000000, 4))
