"""The product's MMU and the independent oracle, driven in lockstep by random programs.

Every rule does the same thing to both; the comparison after it looks at all state software could ever see:
registers, entry images, the next replacement on both sides and how a fixed set of addresses is decoded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from emu.mmu import api
from emu.mmu.state import new_mmu
from tests.oracle.entries import PAGE_BYTES, Kind, Side
from tests.oracle.mmu import (
    MMUAR,
    MMUCR,
    MMUDR,
    MMUOR,
    MMUSR,
    MMUTR,
    OR_ACC,
    OR_ADR,
    OR_CA,
    OR_CAS,
    OR_CNL,
    OR_ITLB,
    OR_RW,
    OR_STLB,
    OR_UAA,
    OracleMMU,
    Resolution,
    Source,
)

ENTRY_COUNTS = (2, 3, 8, 31, 32, 33, 48, 64, 100, 128)
KINDS: tuple[Kind, ...] = ("read", "write", "fetch", "rmw")  # in the product's numbering
SIDES: tuple[Side, ...] = ("itlb", "dtlb")
SOURCES: tuple[Source, ...] = ("miss", "physical", "window", "rambar0", "rambar1", "acr", "tlb")  # from -1 up
EFFECT_OF_SIDE: dict[Side, int] = {"dtlb": 1, "itlb": 2}
EFFECT_ALL = 4

WINDOW = 0xFE00_0000
BASES = (0x0000_0000, 0x0010_0000, 0x4000_0000, WINDOW)
PAGES = tuple(base + page for base in BASES for page in (0x0000, 0x0400, 0x1000, 0x2000, 0x3000, 0xF_F000))
POOL = tuple(page + offset for page in PAGES for offset in (0x000, 0x3FE))
# DCINVA, BCINVA, ICINVA start an action; no software can read CACR, so whether they are kept is nobody's business.
CACR_COMMANDS = 0x0104_0100
MBAR_BASE = 0xFFFC_0000  # a 256-KB window; any low bits are accepted (2.4)
# A few addresses decoded after every step, in every kind and mode.
WATCHED = (0x0000_0000, 0x0010_1000, 0x4000_23FE, 0x400F_F000, WINDOW + 0x0400)


class Product:
    """The product's MMU behind the oracle's interface."""

    def __init__(self, entries: int, cas_uses_mmutr: bool, dtlb_base: int) -> None:
        self.state: np.ndarray[Any, Any] = new_mmu(entries, entries, cas_uses_mmutr=cas_uses_mmutr)
        api.reset(self.state)
        self.entries = entries
        self.first_address = (0, dtlb_base)

    def field(self, name: str) -> Any:
        return self.state[0][name]

    def resolve(self, va: int, kind: Kind, supervisor: bool) -> tuple[Resolution, int, int]:
        """The resolution, the cache mode and log2 of the page size."""
        number = KINDS.index(kind)
        source, index, pa, perms, cm, page_bits = api.resolve(self.state, va, number, int(supervisor))
        name = SOURCES[source + 1]
        allowed = name != "miss" and bool(api.permits(perms, number))
        if name == "tlb":
            index += self.first_address[0 if kind == "fetch" else 1]
        elif name in ("rambar0", "rambar1"):
            index = source - SOURCES.index("rambar0") + 1
        elif name != "acr":
            index = -1
        return Resolution(name, index, None if name == "miss" else pa, allowed), cm, page_bits

    def access(self, va: int, kind: Kind, supervisor: bool) -> tuple[int, int | None]:
        fs, pa = api.access(self.state, va, KINDS.index(kind), int(supervisor))
        return fs, pa if fs == 0 else None

    def replacement(self, side: Side) -> int:
        number = SIDES.index(side)
        return self.first_address[number] + int(api.replacement(self.state, number))

    def images(self, side: Side) -> list[tuple[int, int]]:
        number = SIDES.index(side)
        tags, data = self.field("tag")[number], self.field("data")[number]
        return list(zip(tags[: self.entries].tolist(), data[: self.entries].tolist()))


# --- what the rules draw ----------------------------------------------------------------------------

addresses = st.sampled_from(POOL)
kinds = st.sampled_from(KINDS)
sides = st.sampled_from(SIDES)
asids = st.sampled_from((0, 0, 1, 2, 255))
flags = st.integers(0, 31).map(lambda n: n == 0)  # seldom true
mostly = st.integers(0, 7).map(lambda n: n != 0)  # seldom false


@st.composite
def tags(draw: st.DrawFn) -> int:
    """An MMUTR image: usually valid, sometimes shared, sometimes with address bits no large page compares."""
    return draw(st.sampled_from(PAGES)) | draw(asids) << 2 | draw(st.booleans()) << 1 | draw(mostly)


@st.composite
def data_images(draw: st.DrawFn, locked: st.SearchStrategy[bool] = flags) -> int:
    """An MMUDR image: every page size and right, bit 0 (unimplemented) now and then."""
    page = draw(st.sampled_from((0x0000_0000, 0x1234_5400, 0xFFFF_FC00)))
    rights = draw(mostly) << 4 | draw(mostly) << 3 | draw(mostly) << 2 | draw(flags) | (not draw(mostly)) << 5
    return page | draw(st.integers(0, 15)) << 6 | rights | draw(locked) << 1


@st.composite
def acrs(draw: st.DrawFn) -> int:
    """An ACR image; half of them off, so that most addresses still reach the TLBs."""
    base, mask = draw(st.sampled_from(((0x00, 0x00), (0x40, 0x0D), (0xFE, 0x01), (0x40, 0x07), (0x00, 0x40))))
    who, amm, cm = draw(st.integers(0, 3)), draw(st.booleans()), draw(st.integers(0, 3))
    protect = draw(flags) << 3 | draw(st.booleans()) << 2
    return base << 24 | mask << 16 | draw(st.booleans()) << 15 | who << 13 | amm << 10 | cm << 5 | protect


@st.composite
def rambars(draw: st.DrawFn) -> int:
    """A RAMBAR image; half of them off."""
    page = draw(st.sampled_from((0x4000_2000, 0x0010_1000, WINDOW)))
    return page | draw(st.booleans()) << 8 | draw(st.booleans()) << 7 | draw(st.integers(0, 63))


cacrs = st.sampled_from((0, 0x0104_0100, 0xA408_8020, 0x4000_0000, 0x0080_0000, 0x0000_0080, 0x4080_0080))
mmubars = st.sampled_from((WINDOW | 1, WINDOW | 1, WINDOW | 1, 0x4000_FFFF, WINDOW))
controls = (
    st.tuples(st.just(0x008), mmubars),
    st.tuples(st.integers(0x004, 0x007), acrs()),
    st.tuples(st.integers(0xC04, 0xC05), rambars()),
    st.tuples(st.just(0x002), cacrs),
    st.tuples(st.sampled_from((0x000, 0x001, 0x009, 0x801, 0x80F, 0xC00, 0xC01, 0xC03, 0xC0F)), st.just(0xFF0F_0000)),
)


class Lockstep(RuleBasedStateMachine):
    """Both MMUs, kept in step; subclasses set the two constants."""

    entries = 32  # in each TLB
    cas_uses_mmutr = False  # the option of section 7, item 2

    def __init__(self) -> None:
        super().__init__()
        self.oracle = OracleMMU(self.entries, self.entries, self.cas_uses_mmutr)
        self.product = Product(self.entries, self.cas_uses_mmutr, self.oracle.dtlb_base)

    # -- the same thing to both --

    def watched(self) -> list[Resolution]:
        """How the oracle decodes the watched addresses."""
        return [self.oracle.resolve(va, kind, s) for va in WATCHED for kind in KINDS for s in (False, True)]

    def check_effect(self, effect: int, before: list[Resolution], images: dict[Side, list[tuple[int, int]]]) -> None:
        """What a write reports must cover what it did: caches of translations are dropped by it alone."""
        if effect & EFFECT_ALL:
            return
        if effect == 0:
            assert self.watched() == before, "a translation changed, the effect says none did"
        for side in SIDES:
            now = self.oracle.images(side)
            changed = [n for n in range(self.entries) if now[n] != images[side][n]]
            if not effect & EFFECT_OF_SIDE[side]:
                assert not changed, f"{side} entries {changed} changed, effect {effect}"
                continue
            number = int(self.product.field("changed_index"))
            assert set(changed) <= {number}, f"{side} entries {changed} changed, product names {number}"
            old = int(self.product.field("old_tag")), int(self.product.field("old_data"))
            assert old == images[side][number], f"{side} entry {number}: image before the write"

    def write(self, offset: int, value: int, size: int = 4) -> None:
        before, images = self.watched(), {side: self.oracle.images(side) for side in SIDES}
        self.oracle.window_write(offset, size, value)
        effect = api.write_window(self.product.state, offset, size, value)
        self.check_effect(effect, before, images)

    def movec(self, number: int, value: int) -> None:
        before, images = self.watched(), {side: self.oracle.images(side) for side in SIDES}
        exists = self.oracle.movec(number, value)
        effect = api.write_control(self.product.state, number, value)
        assert exists == (effect >= 0), f"MOVEC register {number:#x}"
        if exists:
            self.check_effect(effect, before, images)

    def write_all(self, *writes: tuple[int, int]) -> None:
        """Bulk writes, left out of `write`'s checks for speed; the invariants see the result."""
        for offset, value in writes:
            self.oracle.window_write(offset, 4, value)
            api.write_window(self.product.state, offset, 4, value)

    def refill(self, side: Side, tag: int, data: int) -> None:
        word = OR_UAA | OR_ACC | (OR_ITLB if side == "itlb" else 0)
        self.write_all((MMUTR, tag), (MMUDR, data), (MMUOR, word))

    # -- rules --

    @initialize(started=mostly)
    def switch_on(self, started: bool) -> None:
        self.movec(0x008, WINDOW | 1)
        self.write(MMUCR, int(started))

    @rule(side=sides, tag=tags(), data=data_images())
    def load(self, side: Side, tag: int, data: int) -> None:
        self.write(MMUTR, tag)
        self.write(MMUDR, data)
        self.write(MMUOR, OR_UAA | OR_ACC | (OR_ITLB if side == "itlb" else 0))

    @rule(side=sides, data=data_images(), first=st.integers(0, 200), count=st.integers(1, 140))
    def fill(self, side: Side, data: int, first: int, count: int) -> None:
        """Many loads of distinct pages, to reach full TLBs; some for the supervisor only, some not writable."""
        for n in range(first, first + count):
            rights = (0x10 if n % 5 == 0 else 0x1C) | (0x20 if n % 3 == 0 else 0)
            self.refill(side, 0x4000_0000 + (n << 10) | 1, data & ~0x3E | rights)

    @rule(number=st.integers(0, 255), tag=tags(), data=data_images(st.booleans()))
    def load_at(self, number: int, tag: int, data: int) -> None:
        """A load of one entry by its TLB address; upper bits of MMUAR must not matter."""
        self.write(MMUTR, tag)
        self.write(MMUDR, data)
        self.write(MMUAR, self.existing(number) | -2 * self.oracle.dtlb_base & 0xFFFF_FFFF)
        self.write(MMUOR, OR_ADR | OR_ACC)

    @rule(side=sides, first=st.integers(0, 127), count=st.integers(1, 128), tag=tags(), data=data_images())
    def lock(self, side: Side, first: int, count: int, tag: int, data: int) -> None:
        """A run of locked entries, so that whole groups of the tree become unavailable."""
        for n in range(first % self.entries, min(first % self.entries + count, self.entries)):
            address = n + (self.oracle.dtlb_base if side == "dtlb" else 0)
            tag_here = 0x6000_0000 + (n << 13) | tag & 0x3FF
            self.write_all((MMUTR, tag_here), (MMUDR, data | 2), (MMUAR, address), (MMUOR, OR_ADR | OR_ACC))

    def existing(self, number: int) -> int:
        """A TLB address behind which there is an entry."""
        base = self.oracle.dtlb_base if number & 1 else 0
        return base + (number >> 1) % self.entries

    @rule(operation=st.sampled_from((OR_CA, OR_CNL, OR_CNL, OR_CAS, OR_CAS, OR_CNL | OR_CAS)), tag=tags())
    def clear(self, operation: int, tag: int) -> None:
        self.write(MMUTR, tag)
        self.write(MMUOR, operation)
        if operation == OR_CA:  # item 24; no victim shows it, as every entry is loaded anew before the tree is asked
            assert not self.product.field("plru").any(), "replacement state after CA"

    @rule(
        va=st.one_of(addresses, st.integers(0, 127)),
        supervisor=st.booleans(),
        side=sides,
        asm=st.booleans(),
        stale=st.booleans(),
        extra=st.sampled_from((0, OR_ADR, OR_RW | OR_ACC, OR_RW, OR_UAA)),
    )
    def search(self, va: int, supervisor: bool, side: Side, asm: bool, stale: bool, extra: int) -> None:
        """A small number stands for the page of that entry; the mode matters only with ASM = 1."""
        if 0 < va < 128:
            va = self.oracle.tlb_of(side).entries[va % self.entries].va
        self.write(MMUCR, 1 | asm << 1)
        self.write(MMUSR, 0x3A * stale)
        self.write(MMUAR, va & ~1 | supervisor)
        self.write(MMUOR, OR_STLB | extra | (OR_ITLB if side == "itlb" else 0))

    @rule(number=st.integers(0, 255), search=st.booleans())
    def read_back(self, number: int, search: bool) -> None:
        """BAS's 0x10E, and the same without the search."""
        self.write(MMUAR, self.existing(number))
        self.write(MMUOR, OR_ADR | OR_RW | OR_ACC | (OR_STLB if search else 0))

    @rule(word=st.integers(0, 0xFFFF), number=st.integers(0, 255), keep=st.booleans(), half=st.booleans())
    def any_word(self, word: int, number: int, keep: bool, half: bool) -> None:
        """Any combination of actions (seldom CA, which ends every interesting history)."""
        word = word & ~OR_CA if keep else word
        self.write(MMUAR, self.existing(number))
        if half:
            self.write(MMUOR + 2, word, 2)
        else:
            self.write(MMUOR, 0x5A5A, 2)
            self.write(MMUOR, 0x5A5A_0000 | word)

    def access(self, va: int, kind: Kind, supervisor: bool) -> None:
        self.compare_resolution(va, kind, supervisor)
        assert self.product.access(va, kind, supervisor) == self.oracle.access(va, kind, supervisor)

    @rule(order=st.lists(st.tuples(addresses, kinds, st.booleans()), min_size=1, max_size=8))
    def access_anywhere(self, order: list[tuple[int, Kind, bool]]) -> None:
        for va, kind, supervisor in order:
            self.access(va, kind, supervisor)

    @rule(
        order=st.lists(st.tuples(st.integers(0, 127), kinds, st.booleans(), mostly), min_size=1, max_size=20),
        asm=st.booleans(),
    )
    def access_what_is_mapped(self, order: list[tuple[int, Kind, bool, bool]], asm: bool) -> None:
        """A burst aimed at pages the TLBs hold, mostly in their own address space: hits and violations."""
        self.write(MMUCR, 1 | asm << 1)
        for number, kind, supervisor, own_space in order:
            tlb = self.oracle.itlb if kind == "fetch" else self.oracle.dtlb
            entry = tlb.entries[number % self.entries]
            if own_space:
                self.movec(0x003, entry.id)
            last_byte = entry.va | PAGE_BYTES[entry.sz] - 1
            self.access(last_byte if number & 1 else entry.va, kind, supervisor)
            for side in SIDES:
                assert self.product.replacement(side) == self.oracle.replacement(side), f"{side} replacement"

    @rule(asid=asids, high=st.integers(0, 1))
    def set_asid(self, asid: int, high: int) -> None:
        self.movec(0x003, high << 8 | asid)

    @rule(enable=mostly, asm=st.booleans(), rest=flags)
    def set_mmucr(self, enable: bool, asm: bool, rest: bool) -> None:
        self.write(MMUCR, enable | asm << 1 | rest * 0xFFFF_FFFC)

    @rule(write=st.one_of(controls))
    def set_control(self, write: tuple[int, int]) -> None:
        self.movec(*write)

    @rule(
        offset=st.integers(0, 0x23).filter(lambda n: n not in (4, 6, 7)) | st.sampled_from((0x104, 0xFFFC)),
        size=st.sampled_from((1, 2, 4, 4)),
        value=st.integers(0, 0xFFFF_FFFF),
    )
    def write_register(self, offset: int, size: int, value: int) -> None:
        """Also bytes, halves and unaligned accesses; operations (offsets 4 and 6) have their own rules."""
        self.write(offset, value & (1 << 8 * size) - 1, size)

    @rule(offset=st.integers(0, 0x1F), size=st.sampled_from((1, 2, 4)))
    def read_part(self, offset: int, size: int) -> None:
        assert api.read_window(self.product.state, offset, size) == self.oracle.window_read(offset, size)

    # -- comparison --

    def compare_resolution(self, va: int, kind: Kind, supervisor: bool) -> None:
        expected = self.oracle.resolve(va, kind, supervisor)
        found, cm, page_bits = self.product.resolve(va, kind, supervisor)
        assert found == expected, f"{kind} of {va:#x}, supervisor {supervisor}"
        if expected.source == "tlb":
            tlb = self.oracle.itlb if kind == "fetch" else self.oracle.dtlb
            entry = tlb.entries[expected.index - tlb.first_address]
            # A page of which other entries answer for a part counts as one of 1 KB (item 7).
            whole = all(
                self.oracle.resolve(va & ~0xFFF | quarter << 10, kind, supervisor).index == expected.index
                for quarter in range(4)
            )
            size = PAGE_BYTES[entry.sz] if whole else 1024
            assert (cm, 1 << page_bits) == (entry.cm, size), f"entry {expected.index}"

    @invariant()
    def registers_agree(self) -> None:
        for name in ("mmubar", "mmucr", "mmusr", "mmuar", "mmutr", "mmudr", "aa", "asid", "vbr"):
            assert int(self.product.field(name)) == getattr(self.oracle, name), name
        assert (int(self.product.field("mbar")) ^ self.oracle.mbar) & MBAR_BASE == 0, "mbar"
        assert (int(self.product.field("cacr")) ^ self.oracle.cacr) & ~CACR_COMMANDS == 0, "cacr"
        assert self.product.field("acr").tolist() == self.oracle.acr
        assert self.product.field("rambar").tolist() == self.oracle.rambar
        for offset in range(0, 0x20, 4):
            assert api.read_window(self.product.state, offset, 4) == self.oracle.window_read(offset, 4), hex(offset)

    @invariant()
    def entries_agree(self) -> None:
        for side in SIDES:
            assert self.product.images(side) == self.oracle.images(side), side
            assert self.product.replacement(side) == self.oracle.replacement(side), f"{side} replacement"

    @invariant()
    def watched_addresses_agree(self) -> None:
        for va in WATCHED:
            for kind in KINDS:
                for supervisor in (False, True):
                    self.compare_resolution(va, kind, supervisor)


def run(entries: int, cas_uses_mmutr: bool, profile: settings) -> None:
    members = {"entries": entries, "cas_uses_mmutr": cas_uses_mmutr}
    run_state_machine_as_test(type(f"Lockstep{entries}", (Lockstep,), members), settings=profile)


@pytest.mark.parametrize("entries", ENTRY_COUNTS)
def test_quick(entries: int) -> None:
    run(entries, False, settings(max_examples=8, stateful_step_count=40))


def test_quick_with_the_other_reading_of_cas() -> None:
    run(32, True, settings(max_examples=8, stateful_step_count=40))


def test_reset_from_any_state() -> None:
    """Only what 1.2, 1.3 and 2.2-2.4 define: undefined bits may be anything."""
    both = Lockstep()
    both.switch_on(True)
    both.fill("dtlb", 0x1C, 0, 40)
    for number, value in ((0x002, 0xA408_8020), (0x004, 0xFF00_A048), (0x007, 0x0001_A008), (0xC04, 0x2000_0021)):
        both.movec(number, value)
    both.oracle.reset()
    api.reset(both.product.state)
    for name in ("mmubar", "mmucr", "cacr"):
        assert int(both.product.field(name)) == 0, name
    assert not (both.product.field("acr") & 0x8000).any()
    assert both.product.field("rambar").tolist() == both.oracle.rambar
    both.watched_addresses_agree()
    both.switch_on(True)
    both.watched_addresses_agree()
    both.entries_agree()


def test_no_entry_answers_before_the_first_load() -> None:
    """Also without a reset: a record straight from new_mmu has empty TLBs."""
    state = new_mmu(32, 32)
    api.write_control(state, 0x008, WINDOW | 1)
    api.write_window(state, MMUCR, 4, 1)
    oracle = OracleMMU()
    oracle.movec(0x008, WINDOW | 1)
    oracle.window_write(MMUCR, 4, 1)
    for va in POOL:
        for number, kind in enumerate(KINDS):
            expected = SOURCES.index(oracle.resolve(va, kind, False).source) - 1
            assert api.resolve(state, va, number, 0)[0] == expected, f"{kind} of {va:#x}"


@pytest.mark.slow
@pytest.mark.parametrize("cas_uses_mmutr", [False, True])
@pytest.mark.parametrize("entries", ENTRY_COUNTS)
def test_deep(entries: int, cas_uses_mmutr: bool) -> None:
    run(entries, cas_uses_mmutr, settings(max_examples=50, stateful_step_count=60))
