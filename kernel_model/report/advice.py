"""An advice as text for people."""

from rich.table import Table

from emu.plain_console import PlainConsole
from kernel_model.advise import GOALS, Advice, Choice

__all__ = ["print_advice"]

MEGABYTE = 1 << 20


def print_advice(advice: Advice) -> None:
    console = PlainConsole()
    chosen, row = advice.chosen, advice.chosen.row
    console.print(f"{chosen.strategy} under {chosen.mapping} on {advice.board}", style="bold")
    console.print(f"goal {advice.goal}: {GOALS[advice.goal].summary}")
    for value in chosen.values:
        console.print(f"set {value.key} = {value.bytes} ({value.headers:,} page headers; one less refuses)")
    if row.refusal:
        console.print(f"even so: {row.refusal}")
    if row.cycles and row.heap and row.frames and row.worst_operation:
        console.print(
            f"costs {row.heap.reserved // 1024:,} KB of heap, {row.frames.lost:,} frames lost,"
            f" {100 * row.cycles.share:.2f} % of the cycles in TLB refills;"
            f" worst operation {row.worst_operation.cycles:,} cycles ({row.worst_operation.name})"
        )
    more = f"up to {advice.largest_more // MEGABYTE} MB" if advice.largest_more else "none, not even of 1 MB"
    console.print(f"one more device that still fits, plugged in late: {more}")
    console.print(f"when headers run out the kernel must print: {advice.announcement}")
    console.print()
    console.print(table([advice.chosen, *advice.others]))


def table(choices: list[Choice]) -> Table:
    """The best rows in their order."""
    result = Table(box=None, pad_edge=False)
    result.add_column("strategy", no_wrap=True)
    result.add_column("mapping", no_wrap=True)
    for heading in ("refused", "heap KB", "lost", "Mcycles", "refill%", "worst", "misses"):
        result.add_column(heading, justify="right", no_wrap=True)
    for item in choices:
        row = item.row
        assert row.cycles is not None
        assert row.heap is not None
        assert row.frames is not None
        assert row.misses is not None
        assert row.device_pages is not None
        result.add_row(
            item.strategy,
            item.mapping,
            f"{row.device_pages.refused:,}",
            f"{row.heap.reserved // 1024:,}",
            f"{row.frames.lost:,}",
            f"{row.cycles.total / 1e6:.2f}",
            f"{100 * row.cycles.share:.2f}",
            f"{row.worst_operation.cycles:,}" if row.worst_operation else "-",
            f"{row.misses.itlb + row.misses.dtlb:,}",
        )
    return result
