"""The oracle itself, on values the facts sheet states."""

from __future__ import annotations

import pytest

from tests.oracle.entries import Side
from tests.oracle.mmu import MMUAR, MMUCR, MMUDR, MMUOR, MMUSR, MMUTR, OracleMMU

SHEET_VICTIMS = [
    *(0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30),
    *(1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31),
]
ALL_RIGHTS = 0x1C  # R, W, X
SZ_4K = 0x100
WINDOW = 0xFE00_0000


def translating(entries: int = 32, cas_uses_mmutr: bool = False) -> OracleMMU:
    mmu = OracleMMU(entries, entries, cas_uses_mmutr)
    mmu.movec(0x008, WINDOW | 1)
    mmu.window_write(MMUCR, 4, 1)
    return mmu


def refill(
    mmu: OracleMMU, va: int, pa: int, flags: int = ALL_RIGHTS | SZ_4K, asid: int = 0, side: Side = "dtlb"
) -> int:
    """Linux's refill, word 0x003 or 0x013; returns AA."""
    mmu.window_write(MMUTR, 4, va | asid << 2 | 1)
    mmu.window_write(MMUDR, 4, pa | flags)
    mmu.window_write(MMUOR, 4, 0x013 if side == "itlb" else 0x003)
    return mmu.window_read(MMUOR, 4) >> 16


@pytest.mark.parametrize("side", ["itlb", "dtlb"])
def test_victims_follow_the_sheets_list(side: Side) -> None:
    mmu = translating()
    base = 32 if side == "dtlb" else 0
    order = [refill(mmu, n << 12, 0, side=side) - base for n in range(96)]
    assert order == list(range(32)) + 2 * SHEET_VICTIMS


@pytest.mark.parametrize("entries", [2, 3, 8, 31, 33, 48, 64, 100, 128])
def test_every_existing_entry_is_reused(entries: int) -> None:
    mmu = translating(entries)
    base = max(32, 1 << (entries - 1).bit_length())
    assert [refill(mmu, n << 12, 0) for n in range(entries)] == list(range(base, base + entries))
    seen = {refill(mmu, n << 12, 0) for n in range(entries, 4 * entries)}
    assert seen <= set(range(base, base + entries))
    if entries & (entries - 1) == 0:
        assert len(seen) == entries


def test_locked_group_counts_as_recent() -> None:
    mmu = translating()
    for n in range(32):
        refill(mmu, n << 12, 0, ALL_RIGHTS | SZ_4K | (2 if 12 <= n <= 15 else 0))
    order = {refill(mmu, n << 12, 0) - 32 for n in range(32, 128)}
    assert order == set(range(32)) - {12, 13, 14, 15}


def test_all_locked_falls_back_to_the_tree() -> None:
    mmu = translating()
    for n in range(32):
        refill(mmu, n << 12, 0, ALL_RIGHTS | SZ_4K | 2)
    assert mmu.replacement("dtlb") == 32
    mmu.window_write(MMUOR, 4, 0x001)
    assert "all entries locked" in mmu.warnings[-1]


def test_linux_acr_values() -> None:
    mmu = translating()
    for number, value in enumerate([0xFF00_A048, 0x0001_A028, 0, 0x0001_A008]):
        assert mmu.movec(0x004 + number, value)
    assert mmu.resolve(0xFF00_0900, "read", True).index == 0
    assert mmu.resolve(0xFFFF_FFFC, "write", True).source == "acr"
    assert mmu.resolve(0x01FF_FFFC, "rmw", True).index == 1
    assert mmu.resolve(0x0200_0000, "read", True).source == "miss"
    assert mmu.resolve(0x01FF_FFFE, "fetch", True).index == 3
    assert mmu.resolve(0xFF00_0000, "fetch", True).source == "miss"
    assert mmu.resolve(0x0000_1000, "read", False).source == "miss", "a user access passes S=01 by"
    assert mmu.resolve(WINDOW + 4, "write", True).source == "window", "outside every ACR"
    assert mmu.access(0x0012_3456, "read", True) == (0, 0x0012_3456)


def test_acr_mask_with_holes() -> None:
    mmu = translating()
    mmu.movec(0x004, 0xE00D_0000 | 0x8000 | 0x4000 | 0x400)  # item 34
    matching = [mb for mb in range(16) if mmu.resolve(0xE000_0000 | mb << 20, "read", True).source == "acr"]
    assert matching == [0, 1, 4, 5, 8, 9, 12, 13]


def test_firebee_flash_acr() -> None:
    mmu = translating()
    mmu.movec(0x005, 0xE007_0000 | 0x8000 | 0x4000 | 0x400)
    assert mmu.resolve(0xE07F_FFFF, "read", False).source == "acr"
    assert mmu.resolve(0xE080_0000, "read", False).source == "miss"


@pytest.mark.parametrize(("code", "size"), [(0, 1 << 20), (1, 4096), (2, 8192), (3, 1024)])
def test_page_sizes(code: int, size: int) -> None:
    mmu = translating()
    page = 0x1230_0000
    refill(mmu, page, 0x7FFF_FC00, ALL_RIGHTS | code << 8)
    base = 0x7FFF_FC00 & -size
    assert mmu.access(page, "read", True) == (0, base)
    assert mmu.access(page + size - 1, "read", True) == (0, base + size - 1)
    assert mmu.access(page + size, "read", True) == (14, None)


@pytest.mark.parametrize(
    ("kind", "fs", "status"), [("read", 14, 0), ("rmw", 14, 0), ("write", 10, 0), ("fetch", 5, 0x2A)]
)
def test_misses(kind: str, fs: int, status: int) -> None:
    mmu = translating()
    mmu.window_write(MMUSR, 4, 0xFFFF_FFFF)
    mmu.window_write(MMUAR, 4, 0xDEAD)
    if kind == "fetch":
        assert mmu.access(0x4000_1234, "fetch", False) == (fs, None)
        assert (mmu.mmuar, mmu.mmusr, mmu.aa) == (0xDEAD, 0x3A, 0)
        return
    assert mmu.access(0x4000_1234, kind, False) == (fs, None)  # type: ignore[arg-type]
    assert (mmu.mmuar, mmu.mmusr, mmu.aa) == (0x4000_1234, status, 32)


def test_violations() -> None:
    mmu = translating()
    refill(mmu, 0x1000, 0, SZ_4K | 0x10)  # R
    refill(mmu, 0x2000, 0, SZ_4K | 0x38)  # SP R W
    assert mmu.access(0x1000, "write", True) == (9, None)
    assert (mmu.mmusr, mmu.aa) == (0x0A, 32)
    assert mmu.access(0x1000, "rmw", True) == (13, None)
    assert mmu.mmusr == 0x0A
    assert mmu.access(0x2004, "read", False) == (13, None)
    assert (mmu.mmusr, mmu.aa, mmu.mmuar) == (0x22, 33, 0x2004)
    refill(mmu, 0x3000, 0, SZ_4K, side="itlb")
    assert mmu.access(0x3000, "fetch", True) == (4, None)
    assert mmu.mmusr == 0x22


def test_asm_hides_shared_entries_from_the_supervisor() -> None:
    mmu = translating()
    refill(mmu, 0x1000 | 2, 0x8000, asid=5)
    assert mmu.access(0x1000, "read", True)[0] == 0
    mmu.window_write(MMUCR, 4, 3)
    assert mmu.access(0x1000, "read", False)[0] == 0
    assert mmu.access(0x1000, "read", True)[0] == 14


def test_clears() -> None:
    for option in (False, True):
        mmu = translating(cas_uses_mmutr=option)
        refill(mmu, 0x1000, 0, asid=1)
        refill(mmu, 0x2000, 0, asid=2)
        refill(mmu, 0x3000, 0, SZ_4K | ALL_RIGHTS | 2, asid=1)
        mmu.movec(0x003, 1)
        mmu.window_write(MMUTR, 4, 2 << 2)
        mmu.window_write(MMUOR, 4, 0x020)
        assert [tag & 1 for tag, _ in mmu.images("dtlb")[:3]] == ([1, 0, 1] if option else [0, 1, 1])
        mmu.window_write(MMUOR, 4, 0x040)
        assert [tag & 1 for tag, _ in mmu.images("dtlb")[:3]] == [0, 0, 1]
        mmu.window_write(MMUOR, 4, 0x080)
        assert not any(tag & 1 for tag, _ in mmu.images("dtlb"))
        assert mmu.replacement("dtlb") == 32


def test_search_and_read_back() -> None:
    mmu = translating()
    refill(mmu, 0x1000, 0xABCD_E000, SZ_4K | 0xFE)
    refill(mmu, 0x1000, 0xABCD_E000, SZ_4K | 0xFE, side="itlb")
    mmu.window_write(MMUAR, 4, 0x1000)
    mmu.window_write(MMUOR, 4, 0x106)  # BAS: search and read
    assert (mmu.mmusr, mmu.aa, mmu.mmutr, mmu.mmudr) == (2, 32, 0x1001, 0xABCD_E1FA)
    mmu.window_write(MMUAR, 4, 0)
    mmu.window_write(MMUOR, 2, 0xFFFF)  # upper half: nothing happens
    mmu.window_write(MMUOR + 2, 2, 0x00E)  # 16-bit form of a read by address
    assert mmu.mmudr == 0xABCD_E1A6, "the ITLB keeps neither R, W nor CM0"
    assert mmu.window_read(MMUOR, 4) == 32 << 16 | 0x00C
    mmu.window_write(MMUAR, 4, 0x9000)
    mmu.window_write(MMUOR, 4, 0x108)  # Linux stack probe
    assert (mmu.mmusr, mmu.aa) == (0, 33)


def test_window_sizes() -> None:
    mmu = OracleMMU()
    mmu.window_write(MMUTR, 2, 0x1234)
    mmu.window_write(MMUTR + 2, 2, 0x5678)
    mmu.window_write(MMUTR, 1, 0xFF)
    assert mmu.window_read(MMUTR, 4) == 0x1234_5678
    assert [mmu.window_read(MMUTR + n, 2) for n in (0, 1, 2)] == [0x1234, 0, 0x5678]
    assert mmu.window_read(MMUTR + 1, 1) == 0
    mmu.window_write(0x0C, 4, 1)
    assert mmu.window_read(0x0C, 4) == 0
    assert len(mmu.warnings) == 3


def test_movec_and_reset() -> None:
    mmu = OracleMMU()
    assert mmu.movec(0x801, 0x1234_5678)
    assert mmu.vbr == 0x1230_0000
    assert not any(mmu.movec(n, 0) for n in (0x000, 0x001, 0x009, 0x80F, 0xC00, 0xC01, 0xC0E))
    assert mmu.movec(0xC04, 0x2000_0021)
    assert mmu.movec(0x008, 0xFFFF_FFFF)
    assert mmu.mmubar == 0xFFFF_0001
    mmu.reset()
    assert (mmu.mmubar, mmu.rambar, mmu.vbr) == (0, [0x2000_0020, 0], 0)


def test_window_is_for_supervisor_data_only() -> None:
    mmu = translating()
    assert mmu.resolve(WINDOW, "write", True).source == "window"
    assert mmu.resolve(WINDOW, "write", False).source == "miss"
    assert mmu.resolve(WINDOW, "fetch", True).source == "miss"


def test_without_translation_the_cacr_defaults_hold() -> None:
    mmu = OracleMMU()
    mmu.movec(0x002, 0x4080_0080)  # DW, DDSP, IDSP
    assert mmu.access(0x100, "read", True) == (0, 0x100)
    assert mmu.access(0x100, "write", True) == (9, None)
    assert mmu.mmusr == 0x08
    assert mmu.access(0x104, "read", False) == (13, None)
    assert (mmu.mmusr, mmu.mmuar) == (0x20, 0x104)
    assert mmu.access(0x108, "fetch", False) == (4, None)


@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_other_policies(policy: str) -> None:
    mmu = OracleMMU(4, 4, policy=policy)  # type: ignore[arg-type]
    mmu.movec(0x008, WINDOW | 1)
    mmu.window_write(MMUCR, 4, 1)
    for n in range(4):
        refill(mmu, n << 12, 0)
    mmu.access(0, "read", True)
    assert mmu.replacement("dtlb") == (33 if policy == "lru" else 32)
    assert "dtlb: 4 entries" in mmu.dump()
