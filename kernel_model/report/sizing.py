"""Sizes of both ports, as tables and as JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from emu.plain_console import PlainConsole
from kernel_model.targets import TARGETS, BootSize, DeviceSize, boot_size, device_size, largest_ram

__all__ = ["print_sizes", "print_sizes_json"]

MEGABYTE, GIGABYTE = 1 << 20, 1 << 30
ADDRESSES = 1 << 32  # bytes that a physical address of either port reaches without PAE


def _boots(rams: Sequence[int], tables: bool) -> list[BootSize]:
    return [boot_size(target, ram, tables=tables) for target in TARGETS.values() for ram in rams]


def _devices(devices: Sequence[int]) -> list[DeviceSize]:
    return [device_size(target, device) for target in TARGETS.values() for device in devices]


def print_sizes(rams: Sequence[int], devices: Sequence[int], *, tables: bool) -> None:
    """What boot asks for, what devices cost, and where the kernel's addresses end."""
    console = PlainConsole()
    headings = ("RAM MB", "process", "GPT", "endpoint", "pages", "heap MB", "% of RAM", "page tables MB", "fits")
    boots = [
        (
            boot.target,
            boot.ram // MEGABYTE,
            *(boot.heap.count(name) for name in ("process", "gpt", "endpoint", "page")),
            f"{boot.heap.bytes / MEGABYTE:.2f}",
            f"{100 * boot.share:.1f}",
            f"{boot.page_tables * TARGETS[boot.target].page_size / MEGABYTE:.1f}",
            "yes" if boot.fits else "NO",
        )
        for boot in _boots(rams, tables)
    ]
    console.print(_table(headings, boots))
    without = "" if tables else ", without Depend and RevMap"
    console.print(
        Text(f"the kernel's estimate at boot{without}. fits: in the virtual addresses of the heap.", style="dim")
    )
    console.print()
    device_headings = ("device MB", "pages", "headers KB", "frames", "page-table frames")
    rows = [
        (size.target, size.device // MEGABYTE, size.pages, size.headers // 1024, size.frames, size.tables)
        for size in _devices(devices)
    ]
    console.print(_table(device_headings, rows))
    headers = ", ".join(f"{target.sizes.page} bytes on {target.name}" for target in TARGETS.values())
    console.print(Text(f"what the headers of so much device memory take, as compiled: {headers}.", style="dim"))
    console.print()
    for target in TARGETS.values():
        most = largest_ram(target, tables=tables)
        limit = "more than it can address" if most >= ADDRESSES else f"{most // MEGABYTE:,} MB of RAM"
        console.print(
            f"{target.name}: {target.heap_va // MEGABYTE:,} MB of addresses for the heap are enough for {limit}"
        )


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("port", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row))
    return table


def print_sizes_json(rams: Sequence[int], devices: Sequence[int], *, tables: bool) -> None:
    """The same as one object; sizes in bytes."""
    boots = [
        {
            "target": boot.target,
            "ram": boot.ram,
            "heap": boot.heap.bytes,
            "vectors": {vector.name: vector.count for vector in boot.heap.vectors},
            "page_tables": boot.page_tables,
            "fits": boot.fits,
        }
        for boot in _boots(rams, tables)
    ]
    limits = {target.name: largest_ram(target, tables=tables) for target in TARGETS.values()}
    result = {"boot": boots, "devices": [vars(size) for size in _devices(devices)], "largest_ram": limits}
    json.dump(result, sys.stdout, indent=2)
    print()
