"""Both ports' sizes against tables 1.6, 2.2 and 6 of the kernel sheet."""

import pytest

from kernel_model.sizing import MEGABYTE
from kernel_model.targets import TARGETS, boot_size, device_size, largest_ram

COLDFIRE, I386 = TARGETS["coldfire"], TARGETS["i386"]

# Table 6: device MB -> ColdFire pages, header KB, frames; i386 pages, header KB. None: not in the table.
TABLE_6 = {
    1: (128, 7, 1, 256, 15),
    8: (1024, 54, 7, 2048, 120),
    16: (2048, 108, 14, 4096, 240),
    64: (8192, 432, 54, 16384, 960),
    256: (32768, 1728, 216, 65536, 3840),
    512: (65536, 3456, 432, 131072, 7680),
    1024: (131072, 6912, 864, 262144, 15360),
    8192: (None, None, None, 2097152, 122880),
    16384: (None, None, None, 4194304, 245760),
    24576: (None, None, None, 6291456, 368640),
    32768: (None, None, None, 8388608, 491520),
}


def test_the_row_of_the_i386_in_table_1_6() -> None:
    boot = boot_size(I386, 512 * MEGABYTE)
    assert [boot.heap.count(name) for name in ("process", "gpt", "endpoint", "page")] == [4709, 28257, 37683, 78063]
    assert boot.heap.bytes / MEGABYTE == pytest.approx(155, abs=0.5)
    assert 100 * boot.share == pytest.approx(30.3, abs=0.05)
    assert boot.heap.bytes_without_tables / MEGABYTE == pytest.approx(25, abs=0.5)


def test_the_coldfire_rows_are_the_estimate_itself() -> None:
    boot = boot_size(COLDFIRE, 128 * MEGABYTE)
    assert (boot.heap.count("page"), boot.page_tables) == (14044, 0)
    assert boot_size(COLDFIRE, 128 * MEGABYTE, tables=False).heap.count("page") == 15827


@pytest.mark.parametrize("megabytes", TABLE_6)
def test_table_6(megabytes: int) -> None:
    pages, kilobytes, frames, i386_pages, i386_kilobytes = TABLE_6[megabytes]
    size = device_size(COLDFIRE, megabytes * MEGABYTE)
    if pages is not None:
        assert (size.pages, round(size.headers / 1024), size.frames, size.tables) == (pages, kilobytes, frames, 0)
    size = device_size(I386, megabytes * MEGABYTE)
    assert (size.pages, size.headers // 1024) == (i386_pages, i386_kilobytes)
    assert size.tables == -(-size.headers // (4 * MEGABYTE))


def test_the_ceiling_of_the_i386() -> None:
    """Kernel sheet 1.6: the virtual addresses end at about 3.2 GB of RAM."""
    most = largest_ram(I386)
    assert most / (1 << 30) == pytest.approx(3.2, abs=0.05)
    assert boot_size(I386, most).fits
    assert not boot_size(I386, most + MEGABYTE).fits
