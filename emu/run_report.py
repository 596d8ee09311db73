"""What one run came to, as tables for people and as JSON for programs.

Everything shown is taken from the counters of the engine; the only arithmetic here is shares and rates.
"""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from emu.counters import Counters
from emu.foreground import RunReport
from emu.plain_console import PlainConsole
from emu.profile_report import print_profile

__all__ = ["print_counters", "print_json", "print_tables", "to_dict", "warning_lines"]

MAX_SYMBOLS = 12  # rows of the symbol table; the JSON has all of them
TLB_ENTRIES = 32  # of the hardware

MissRows = dict[str, dict[str, int]]  # name -> {"itlb": n, "dtlb": n}


def to_dict(report: RunReport) -> dict[str, Any]:
    """The report as plain JSON values (documented in docs/json.md)."""
    error = report.error
    return {
        "schema": "cfemu-run/2",
        "elf": report.elf.name,
        "board": report.board,
        "engine": report.engine,
        "timing": report.timing,
        "clock": report.clock,
        "tlb": report.tlb,
        "reason": report.reason,
        "exit_status": report.exit_status,
        "pc": report.pc,
        "symbol": report.symbol,
        "console": report.console.decode("utf-8", "backslashreplace"),
        "counters": report.counters.to_dict(),
        "mmu_warnings": report.mmu_warnings,
        **({} if report.profile is None else {"profile": report.profile.to_dict()}),
        "error": None if error is None else {"message": str(error), "state": error.state},
    }


def print_json(report: RunReport) -> None:
    sys.stdout.write(json.dumps(to_dict(report), indent=2) + "\n")
    sys.stdout.flush()


def print_tables(report: RunReport) -> None:
    console = new_console()
    if report.console and not report.console.endswith(b"\n"):
        console.print()
    where = f"0x{report.pc:08x}" + (f" ({report.symbol})" if report.symbol else "")
    tlb = "" if report.tlb == TLB_ENTRIES else f", TLBs of {report.tlb} entries"
    tlb += "" if report.timing == "flat" else f", timing {report.timing}"
    tlb += "" if report.clock == "cycles" else f", clock {report.clock}"
    console.print(
        f"{report.elf.name} on {report.board}, {report.engine} engine{tlb}: {report.reason} at {where}",
        soft_wrap=True,
    )
    print_counters(report.counters, console)
    if report.profile is not None:
        print_profile(report.profile, console)


def warning_lines(warnings: dict[str, int]) -> list[str]:
    """What is to be said of the MMU's warnings, a line each."""
    return [f"MMU, {count:,} {'times' if count > 1 else 'time'}: {meaning}" for meaning, count in warnings.items()]


def new_console(*, stderr: bool = False) -> Console:
    """Where tables are printed."""
    return PlainConsole(stderr=stderr)


def print_counters(counters: Counters, console: Console | None = None) -> None:
    """The tables alone; without a console on stderr, as in the middle of a run."""
    console = console or new_console(stderr=True)
    console.print(counter_table(counters))
    misses = counters.misses
    for title, rows in (("region", misses.by_region), ("symbol", misses.by_symbol)):
        if rows:
            console.print()
            console.print(miss_table(title, rows))


def counter_table(counters: Counters) -> Table:
    """Name and value of every counter that means something even when it is zero; the others only when they are not."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for name, value, remark in counter_rows(counters):
        table.add_row(name, f"{value:,}", remark)
    return table


def counter_rows(counters: Counters) -> list[tuple[str, int, str]]:
    """(name, value, remark) of each line of the table."""
    c, m = counters, counters.misses
    rows = [
        ("instructions", c.instructions, ""),
        ("cycles", c.cycles, f"{ratio(c.cycles, c.instructions):.2f} per instruction"),
        ("in TLB refills", c.refill_cycles, f"{100 * ratio(c.refill_cycles, c.cycles):.2f} % of the cycles"),
        *bill_rows(c),
        ("TLB misses", m.total, f"{1000 * ratio(m.total, c.instructions):.3f} per 1000 instructions"),
        ("  instruction side", m.itlb, f"{m.itlb_user:,} user, {m.itlb_kernel:,} kernel"),
        ("  data side", m.dtlb, f"{m.dtlb_user:,} user, {m.dtlb_kernel:,} kernel"),
    ]
    optional = [
        ("  while refilling", m.nested),
        ("access violations", c.violations),
        ("bus errors", c.bus_errors),
        ("inhibited reads", c.inhibited_reads),
        ("inhibited writes", c.inhibited_writes),
    ]
    rows += [(name, value, "") for name, value in optional if value]
    rows += [(f"exceptions, vector {vector}", count, "") for vector, count in sorted(c.exceptions.items())]
    return rows


def bill_rows(counters: Counters) -> list[tuple[str, int, str]]:
    """What refills were spent on, and what they cost afterwards."""
    bill = counters.bill
    parts = (
        ("  exception entry", bill.entry),
        ("  instructions of handlers", bill.handler),
        ("  handlers waiting for memory", bill.stalls),
        ("  return", bill.back),
        ("lines lost to handlers, net", bill.evicted),
    )
    misses = counters.misses.total
    return [(name, cycles, f"{ratio(cycles, misses):.1f} a miss") for name, cycles in parts if cycles]


def miss_table(title: str, rows: MissRows) -> Table:
    """Misses by name, most first; names without misses are left out."""
    table = Table(box=None, pad_edge=False, title=f"TLB misses by {title}", title_justify="left")
    table.add_column(title, no_wrap=True)
    for side in ("instruction", "data", "both"):
        table.add_column(side, justify="right", no_wrap=True)
    ranked = sorted(((sum(row.values()), name, row) for name, row in rows.items()), key=lambda r: (-r[0], r[1]))
    ranked = [r for r in ranked if r[0]]
    for total, name, row in ranked[:MAX_SYMBOLS]:
        table.add_row(name, f"{row['itlb']:,}", f"{row['dtlb']:,}", f"{total:,}")
    rest = ranked[MAX_SYMBOLS:]
    if rest:
        sides = [sum(row[side] for _, _, row in rest) for side in ("itlb", "dtlb")]
        table.add_row(f"{len(rest)} more", *(f"{n:,}" for n in (*sides, sum(sides))))
    return table


def ratio(part: int, whole: int) -> float:
    """part / whole, and 0 where nothing ran."""
    return part / whole if whole else 0.0
