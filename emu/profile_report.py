"""The profile of access errors as tables for people."""

from rich.console import Console
from rich.table import Table

from emu.profile import PUBLISHED, Profile, Share

__all__ = ["print_profile"]

MAX_SYMBOLS = 16


def print_profile(profile: Profile, console: Console) -> None:
    """What access errors cost: by cause, by process, by symbol, and altogether beside published figures."""
    for table in (
        cause_table(profile),
        share_table("process (ASID)", {str(asid): row for asid, row in profile.processes.items()}),
        share_table("symbol", profile.symbols),
        cost_table(profile),
    ):
        console.print()
        console.print(table)


def cause_table(profile: Profile) -> Table:
    table = Table(box=None, pad_edge=False, title="Access errors by cause: cycles, entry to RTE", title_justify="left")
    table.add_column("cause", no_wrap=True)
    for name in ("count", "min", "median", "p99", "max", "instructions", "all cycles"):
        table.add_column(name, justify="right", no_wrap=True)
    for cause, d in profile.causes.items():
        figures = (d.count, d.minimum, d.median, d.p99, d.maximum, d.instructions, d.cycles)
        table.add_row(cause, *(f"{n:,}" for n in figures))
    return table


def share_table(title: str, rows: dict[str, Share]) -> Table:
    table = Table(box=None, pad_edge=False, title=f"Access errors by {title}", title_justify="left")
    table.add_column(title, no_wrap=True)
    for name in ("misses", "violations", "cycles"):
        table.add_column(name, justify="right", no_wrap=True)
    listed = list(rows.items())
    for name, row in listed[:MAX_SYMBOLS]:
        table.add_row(name, f"{row.misses:,}", f"{row.violations:,}", f"{row.cycles:,}")
    rest = [row for _, row in listed[MAX_SYMBOLS:]]
    if rest:
        sums = (sum(r.misses for r in rest), sum(r.violations for r in rest), sum(r.cycles for r in rest))
        table.add_row(f"{len(rest)} more", *(f"{n:,}" for n in sums))
    return table


def cost_table(profile: Profile) -> Table:
    table = Table(box=None, pad_edge=False, title="Cost of translation", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row("refills and first writes to clean pages, cycles", f"{profile.translation_cycles:,}")
    table.add_row("per instruction outside of them", f"{profile.per_instruction:.4f}")
    table.add_row("share of all cycles", f"{100 * profile.share:.2f} %")
    for source, value in PUBLISHED:
        table.add_row(f"published: {source}", value, style="dim")
    return table
