"""``make answer``: docs/answer.md, the post of 19 December 2007 answered point by point from rows of six small sweeps.

Each claim states what must hold of the rows, and the script fails where it does not: a sentence cannot outlive its
figures. The sweeps are the files in benchmarks/answer/.
"""

import re
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.documents import ROOT
from kernel_model.advise import ANNOUNCEMENT
from kernel_model.report.entries import Entry, read_entries
from kernel_model.report.figures import tlb_strips
from kernel_model.report.verdict import comparable, label
from kernel_model.results import Row
from kernel_model.sizing import MEGABYTE
from kernel_model.structures import Alignment, sizes
from kernel_model.sweeps.command import sweep
from kernel_model.targets import TARGETS, boot_size, device_size

__all__ = ["DOCUMENT", "answer_document"]

DOCUMENT = ROOT / "docs" / "answer.md"
SWEEPS = ROOT / "benchmarks" / "answer"
KILOBYTE = 1 << 10
WIDTH = 120
CLASSES = (
    ("grow", "today: grows page by page"),
    ("reserve", "(1) tunable reserve"),
    ("hybrid", "(2) fixed heap, growable part outside the direct map"),
    ("release", "(3) over-reserve, then release"),
    ("reserve+release", "(1) + (3), the author's preference"),
    ("slab", "ours: slabs of headers from any frame under the direct map"),
    ("altmap", "ours, after Linux: headers in the device's own memory"),
)


@dataclass(frozen=True)
class Table:
    """The rows of one sweep."""

    name: str
    entries: list[Entry]

    def find(self, which: Callable[[Entry], bool]) -> Entry:
        """The one entry for which ``which`` holds."""
        found = [entry for entry in self.entries if which(entry)]
        if len(found) != 1:
            raise RuntimeError(f"{self.name}: {len(found)} rows where one is expected")
        return found[0]

    def row(self, strategy: str, mapping: str) -> Row:
        """The row of a strategy under a mapping."""
        return self.find(lambda entry: (entry.row.strategy, entry.row.mapping) == (strategy, mapping)).row

    def same_work(self) -> dict[str, Row]:
        """Rows that attached every device, by strategy/mapping, with the work that all of them finished."""
        return {label(row): row for row in comparable([entry.row for entry in self.entries])}


def read(name: str, directory: Path) -> Table:
    """Make a sweep and read its rows."""
    out = directory / f"{name}.parquet"
    sweep(SWEEPS / f"{name}.toml", out)
    table = Table(name, read_entries(out))
    failures = [entry.error for entry in table.entries if entry.error]
    if failures:
        raise RuntimeError(f"{name}: {failures[0]}")
    return table


def must(condition: bool, claim: str) -> str:
    """The claim, if the rows bear it out."""
    if not condition:
        raise RuntimeError(f"the rows no longer say: {claim}")
    return claim


def cycles(row: Row) -> int:
    assert row.cycles is not None
    return row.cycles.total


def share(row: Row) -> float:
    """Percent of the cycles that refills took."""
    assert row.cycles is not None
    return 100 * row.cycles.share


def kernel_misses(row: Row) -> int:
    assert row.misses is not None
    return row.misses.kernel


def user_misses(row: Row) -> int:
    assert row.misses is not None
    return row.misses.user


def heap(row: Row) -> int:
    """Kilobytes at the end."""
    assert row.heap is not None
    return row.heap.reserved // KILOBYTE


def lost(row: Row) -> int:
    assert row.frames is not None
    return row.frames.lost


def refused(row: Row) -> int:
    assert row.device_pages is not None
    return row.device_pages.refused


def attached(row: Row) -> int:
    assert row.device_pages is not None
    return row.device_pages.attached


def median(row: Row, workload: str, operation: str) -> int:
    assert row.workloads is not None
    return row.workloads[workload].operations[operation].p50


def worst(row: Row) -> int:
    assert row.worst_operation is not None
    return row.worst_operation.cycles


# --- the parts of the document


def summary(classes: Table, cards: Table) -> str:
    reserve, both, slab = (classes.row(name, "acr") for name in ("reserve", "reserve+release", "slab"))
    ratio = worst(both) / worst(reserve)
    same = classes.same_work()
    more = 100 * (cycles(same["reserve+release/acr"]) / cycles(same["reserve/acr"]) - 1)
    big = {entry.inputs.strategy: entry.row for entry in cards.entries if entry.device_bytes // MEGABYTE == 256}
    claims = (
        must(
            kernel_misses(reserve) == kernel_misses(both) == kernel_misses(slab) == 0,
            "Map the whole heap directly, by an ACR if SDRAM lies where the kernel is linked: kernel mappings then use no"
            " TLB entry at all, whatever becomes of the heap.",
        ),
        must(
            refused(reserve) == refused(both) == lost(both) == 0 and ratio > 100 and heap(both) < heap(reserve),
            f"The author's preference, (1) + (3), works: no frame is lost, and it ends with {heap(both):,} KB of heap where"
            f" the reserve alone keeps {heap(reserve):,}. Its price is time, once: building headers for 512 MB and giving"
            f" them back makes the whole run {more:.0f} % longer, and the release is the longest operation of all,"
            f" {worst(both):,} cycles (a reserve's worst: {worst(reserve):,}).",
        ),
        must(
            refused(big["reserve"]) > 0 and refused(big["reserve+release"]) == 0 and refused(big["slab"]) == 0,
            "A reserve that was tuned for yesterday's card refuses tomorrow's; over-reserving does not, and slabs do not,"
            " at the price of frames that the space bank was promised.",
        ),
    )
    return "\n".join(f"{number}. {claim}" for number, claim in enumerate(claims, 1))


def premise_estimate(slack: Table) -> str:
    """Is the estimate at boot exact?"""
    aligned = [e for e in slack.entries if e.inputs.scenario.kernel.alignment.value == "aligned"]
    counts = {
        (entry.ram_bytes // MEGABYTE, entry.inputs.scenario.kernel.tables): attached(entry.row) for entry in aligned
    }
    sizes = sorted({ram for ram, _ in counts})
    lines = ["| RAM, MB | " + " | ".join(map(str, sizes)) + " |", "|---|" + "--:|" * len(sizes)]
    for tables, what in ((False, "without Depend and RevMap"), (True, "with them")):
        lines.append(f"| headers left, {what} | " + " | ".join(str(counts[ram, tables]) for ram in sizes) + " |")
    least, most = min(counts.values()), max(counts.values())
    claim = must(
        0 < least and most < 40 and all(refused(entry.row) > 0 for entry in aligned),
        f"No, but nearly. It errs on the safe side by {least} to {most} page headers, those of the frames included that"
        " become page tables of the two user processes. That is the whole reserve there is: with no console reserve and a"
        " card of 128 MB the kernel halts at the first page after them.",
    )
    return claim + "\n\n" + "\n".join(lines)


def premise_constant(constants: Table) -> str:
    """How much of the heap is VA = PA + constant?"""
    down, up = (
        constants.find(lambda e, d=direction: e.inputs.scenario.kernel.allocation.value == d).row  # type: ignore[misc]
        for direction in ("top-down", "bottom-up")
    )
    assert down.heap is not None
    assert up.heap is not None
    part = 100 * up.heap.direct_mapped / up.heap.reserved
    return must(
        down.heap.direct_mapped == 0
        and up.heap.direct_mapped > 0
        and "table holds 32" in (down.refusal or "")
        and refused(up) == 0,
        "None of it. Frames come from the top of RAM while addresses go up, so each vector has a constant of its own, and"
        " every growth adds one: the miss handler's table of 32 ranges is full after"
        f" {attached(down):,} device pages ({attached(down) * 8 // 1024} MB), and the rest of the card is refused. Taking"
        f" frames from below is the smallest change: {part:.0f} % of the heap, all that boot makes, then has one constant"
        " and needs one range, and every page of the card is attached.",
    )


def premise_displaced(displaced: Table) -> str:
    """Do kernel mappings displace user entries?"""

    def row(flush: str, mapping: str) -> Row:
        return displaced.find(lambda e: (e.inputs.scenario.kernel.flush.value, e.row.mapping) == (flush, mapping)).row

    lines = ["| flush | mapping | user misses | kernel misses | refills, % of cycles |", "|---|---|--:|--:|--:|"]
    for flush in ("switch", "asid"):
        for mapping in ("acr", "locked-1m", "unlocked-1m", "paged-8k"):
            one = row(flush, mapping)
            lines.append(f"| {flush} | {mapping} | {user_misses(one):,} | {kernel_misses(one):,} | {share(one):.1f} |")
    direct, paged = row("switch", "acr"), row("switch", "paged-8k")
    tagged, tagged_paged = row("asid", "acr"), row("asid", "paged-8k")
    extra, tagged_extra = user_misses(paged) - user_misses(direct), user_misses(tagged_paged) - user_misses(tagged)
    claim = must(
        0 <= extra < user_misses(direct) / 50 < tagged_extra and kernel_misses(paged) > 2 * user_misses(paged),
        "Hardly, today: every switch clears the TLB anyway, so a paged heap costs the kernel's own"
        f" {kernel_misses(paged):,} misses but only {extra} more of the user's. It is the flush that hides it: with ASIDs"
        f" and no flush the user misses {user_misses(tagged):,} times instead of {user_misses(direct):,}, and then a paged"
        f" heap does displace its entries, {tagged_extra} more misses."
        f" Dropping the flush takes refills from {share(direct):.1f} to {share(tagged):.1f} % of the cycles under an ACR, and"
        f" from {share(paged):.1f} to {share(tagged_paged):.1f} % with a paged heap.",
    )
    return claim + "\n\n" + "\n".join(lines)


def cold_prepare(row: Row) -> str:
    """Of an object chosen at random, where 256 MB of device memory were attached."""
    return "refused" if "cold-prepare-256" in row.unfinished else f"{median(row, 'cold-prepare-256', 'prepare'):,}"


def class_table(classes: Table) -> str:
    lines = [
        "| strategy | mapping | kernel misses | refills, % of cycles | IPC, median | cold prepare, 256 MB | worst operation | heap, KB | frames lost |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, what in CLASSES:
        for mapping in ("acr", "locked-1m", "unlocked-1m", "paged-8k"):
            row = classes.row(name, mapping)
            if row.cycles is None:
                continue
            lines.append(
                f"| {name}: {what} | {mapping} | {kernel_misses(row):,} | {share(row):.2f} |"
                f" {median(row, 'ping-pong', 'ipc'):,} | {cold_prepare(row)} |"
                f" {worst(row):,} | {heap(row):,} | {lost(row):,} |"
            )
            what = "the same"
    return "\n".join(lines)


def entries_and_cycles(classes: Table) -> str:
    """How many TLB entries and cycles does each class cost?"""
    reserve, hybrid, slab = (classes.row(name, "acr") for name in ("reserve", "hybrid", "slab"))
    locked = {name: locked_entries(classes, name) for name in ("reserve", "slab", "release", "reserve+release")}
    grow = classes.row("grow", "paged-8k")
    claims = (
        must(
            kernel_misses(reserve) == 0
            and locked["reserve"] >= locked["slab"]
            and locked["release"] == locked["reserve+release"] > locked["reserve"],
            "Classes (1), (3) and (1) + (3), and slabs: no entry under an ACR, as many as the heap has megabytes at boot"
            f" where it is mapped by locked 1-MB entries (here {locked['slab']} for slabs, {locked['reserve']} for a"
            f" reserve, the image's included), a few that come and go where they are not locked. (3) and (1) + (3) pay"
            f" for what they over-reserve: {locked['release']} entries, which stay locked when the memory behind them is"
            " released, for the nucleus does not unlock what it has locked at boot.",
        ),
        must(
            kernel_misses(hybrid) > 0
            and "cold-prepare-256" not in hybrid.unfinished + slab.unfinished
            and median(hybrid, "cold-prepare-256", "prepare") > median(slab, "cold-prepare-256", "prepare"),
            f"Class (2): its growable part is missed {kernel_misses(hybrid):,} times, however well the fixed part is"
            " mapped, for headers of device pages lie in every chain of the object hash. A cold prepare with 256 MB of"
            f" device memory takes {median(hybrid, 'cold-prepare-256', 'prepare'):,} cycles where slabs, which are never"
            f" missed, take {median(slab, 'cold-prepare-256', 'prepare'):,}.",
        ),
        must(
            share(grow) > 5 * share(reserve),
            f"Today's heap, paged: {kernel_misses(grow):,} kernel misses; refills take {share(grow):.1f} % of the cycles"
            f" (a reserve under an ACR: {share(reserve):.1f} %), and {lost(grow)} promised frames are lost.",
        ),
    )
    return "\n".join(f"- {claim}" for claim in claims)


def locked_entries(classes: Table, strategy: str) -> int:
    """Data entries that are locked at boot where the heap is mapped so."""
    strips = tlb_strips([entry for entry in classes.entries if entry.inputs.strategy == strategy])
    return next(strip.locked for strip in strips if strip.mapping == "locked-1m")


def direct_map(classes: Table) -> str:
    """When is the direct map worth it?"""
    rows = {name: classes.row("reserve", name) for name in ("acr", "locked-1m", "unlocked-1m", "paged-8k")}
    ipc = {name: median(row, "ping-pong", "ipc") for name, row in rows.items()}
    saved = 100 * (cycles(rows["paged-8k"]) - cycles(rows["acr"])) / cycles(rows["paged-8k"])
    return must(
        ipc["acr"] == ipc["locked-1m"] < ipc["unlocked-1m"] < ipc["paged-8k"] and saved > 5,
        f"Always, on this hardware. One IPC takes {ipc['acr']:,} cycles under an ACR or locked 1-MB entries,"
        f" {ipc['unlocked-1m']:,} with 1-MB entries that the flush throws out, {ipc['paged-8k']:,} with 8-KB pages: a"
        f" direct map saves {saved:.0f} % of all cycles of this mix, boot and device memory included. It costs address"
        " space, and where SDRAM does not lie at the kernel's addresses, locked entries instead of an ACR.",
    )


def hard_bound(bound: Table) -> str:
    """What must the hard bound be?"""
    enough, short = (
        bound.find(lambda e, n=n: e.inputs.scenario.reserve.device == n).row  # type: ignore[misc]
        for n in (133324800, 133316608)
    )
    kernel = replace(TARGETS["coldfire"], sizes=sizes(Alignment.ALIGNED))  # as in all rows of this document
    size = device_size(kernel, 1024 * MEGABYTE)
    boot = boot_size(kernel, 128 * MEGABYTE, tables=False)
    per_cent = 100 * kernel.sizes.page / kernel.page_size
    return must(
        refused(enough) == 0 and refused(short) > 0 and short.console is True,
        f"{per_cent:.2f} % of the device memory to come, and a page less refuses: with reserve.device = 133,324,800 bytes"
        f" all {attached(enough):,} pages of a 128-MB card, a network card and a USB controller are attached, with 8 KB"
        f" less {refused(short)} are refused, and the console still says so. The board's window bounds it from above: a"
        f" whole gigabyte of PCI memory needs {size.headers // KILOBYTE:,} KB of headers, {size.frames} frames, against"
        f" {boot.heap.bytes // KILOBYTE:,} KB for everything else in the heap of a 128-MB board. `cfemu advise` finds the"
        " least value for any devices.",
    )


def device_prepare(entry: Entry) -> str:
    """Of a page of the card, where any of it was attached."""
    return "-" if entry.device_bytes >> 33 else f"{median(entry.row, 'frame-buffer', 'device_prepare'):,}"


def graphics_cards(cards: Table) -> str:
    """What is to be done about graphics cards?"""
    lines = [
        "| card, MB | strategy | pages refused | frames lost | heap, KB | a prepare of a device page, median | console |",
        "|--:|---|--:|--:|--:|--:|---|",
    ]
    for entry in cards.entries:
        row, megabytes = entry.row, round(entry.device_bytes / MEGABYTE)
        if row.cycles is None:
            continue
        lines.append(
            f"| {megabytes:,} | {row.strategy} | {refused(row):,} | {lost(row):,} | {heap(row):,} |"
            f" {device_prepare(entry)} | {'yes' if row.console else 'NO'} |"
        )
    by = {(round(e.device_bytes / MEGABYTE), e.inputs.strategy): e.row for e in cards.entries}
    claims = (
        must(
            refused(by[128, "reserve"]) == 0 < refused(by[256, "reserve"]) < refused(by[512, "reserve"])
            and refused(by[512, "reserve+release"]) == lost(by[512, "reserve+release"]) == 0,
            "A reserve for 160 MB takes a card of 128 MB and refuses the rest of a larger one, page by page, with the"
            " number to set; over-reserving for 512 MB and releasing takes them all and loses no frame.",
        ),
        must(
            all(entry.row.console for entry in cards.entries if entry.row.cycles is not None),
            "In every row the console came up after the refusal: 16 protected headers (896 bytes) are enough for the"
            " post's minimum, to tell the user to re-tune and reboot.",
        ),
        must(
            lost(by[512, "slab"]) > 0
            and lost(by[512, "altmap"]) == 0
            and heap(by[512, "altmap"]) < heap(by[128, "slab"]),
            f"Without any reserve, slabs take the frames they need ({lost(by[512, 'slab'])} for 512 MB); altmap takes none,"
            " for a card that brings memory brings room for its headers, at"
            f" {median(by[512, 'altmap'], 'frame-buffer', 'device_prepare'):,} cycles a prepare instead of"
            f" {median(by[512, 'slab'], 'frame-buffer', 'device_prepare'):,}, for that memory is slow and mapped by the TLB.",
        ),
        must(
            all(refused(e.row) >= 1 << 20 for e in cards.entries if e.device_bytes >> 33 and e.row.cycles is not None),
            "A resizable BAR of 8 GB has no place in a 32-bit machine's window: it is refused as a whole, before any"
            " header is asked for, and everything else comes up.",
        ),
    )
    return "\n".join(f"- {claim}" for claim in claims) + "\n\n" + "\n".join(lines)


def better(classes: Table) -> str:
    """Where is a strategy outside the three classes better?"""
    hybrid, slab, altmap, reserve = (classes.row(name, "acr") for name in ("hybrid", "slab", "altmap", "reserve"))
    same = {name: cycles(row) for name, row in classes.same_work().items()}
    claims = (
        must(
            lost(slab) == lost(hybrid)
            and heap(slab) == heap(hybrid)
            and cycles(slab) < cycles(hybrid)
            and kernel_misses(slab) == 0 < kernel_misses(hybrid),
            f"*slab* is class (2) without its price: the same frames ({lost(slab)}), the same heap, but no TLB miss, because"
            " headers need no contiguity and any frame already has a direct address. Wherever the direct map covers all RAM"
            " it replaces (2).",
        ),
        must(
            same["slab/acr"] == min(value for name, value in same.items() if not name.startswith("altmap/")),
            "It is also the fastest of those whose headers lie in RAM, by the work that all finish"
            f" ({same['slab/acr'] / 1e6:.1f} million cycles; reserve {same['reserve/acr'] / 1e6:.1f}), because it makes"
            " headers only for pages that exist; what it breaks is the promise to the space bank. From a reserve of frames"
            " instead of a reserve of headers it would break none.",
        ),
        must(
            heap(altmap) < heap(slab) and lost(altmap) == 0 and worst(altmap) < worst(slab),
            f"*altmap* has the smallest heap ({heap(altmap):,} KB), needs no reserve, and loses no frame. It pays with slow"
            f" headers ({median(altmap, 'frame-buffer', 'device_prepare'):,} cycles a prepare of a device page, reserve"
            f" {median(reserve, 'frame-buffer', 'device_prepare'):,}), and is no use for devices that are registers only.",
        ),
    )
    return "\n".join(f"- {claim}" for claim in claims)


TEXT = """\
# The question of 2007, answered

Written by `make answer` from rows of six sweeps ([benchmarks/answer](../benchmarks/answer)), and made again by a test; the claims are conditions on those rows, which the script checks. The board has 128 MB unless the text says otherwise, pages of 8 KB, no Depend and RevMap, and 128 MB of graphics memory, a network card and a USB controller appear after boot. Cycles are those of the level full of the [time model](timing-model.md) in the sweep `classes`, flat in the others; no hardware was at hand to compare with.

The post (coyotos-dev, 19 December 2007): the kernel's heap should be mapped directly or by large pages, because kernel mappings compete for 32 TLB entries; heap needs are known at boot but for device memory, each page of which needs a header. Proposed: (1) a tunable reserve, (2) a fixed heap and a growable part outside the direct map, (3) to over-reserve and release; the author prefers (1) and (3) together.

## In short

{summary}

## The post's premises

**Is the estimate at boot exact?** {estimate}

**How much of the heap is VA = PA + constant today?** {constant}

**How much do kernel mappings displace user entries?** {displaced}

## What each class costs

{entries}

{classes}

Misses are of all workloads; IPC is one message of ping-pong, a cold prepare one of an object chosen at random, with 256 MB of device memory attached, part of which a reserve for 160 MB refuses.

## When is the direct map worth it?

{direct}

## What must the hard bound be?

{bound}

## What about graphics cards?

{cards}

## Where is a strategy outside the three classes better?

{better}

## What a kernel must print

When headers run out the nucleus writes, through the console that its protected reserve kept possible:
`{announcement}N and reboot`, N being the number of headers that all devices of the scenario need.

## To check it

```sh
make answer
cfemu sweep benchmarks/answer/classes.toml --out classes.parquet
cfemu query classes.parquet "SELECT strategy, mapping, misses_kernel, cycles_share FROM runs ORDER BY cycles_share"
```
"""


def wrapped(text: str) -> str:
    """Paragraphs and items cut into lines; tables and code as they are."""
    lines = []
    for line in text.splitlines():
        item = re.match(r"(- |\d+\. )?", line)
        assert item is not None
        indent = " " * len(item[0])
        prose = len(line) > WIDTH and not line.startswith(("|", "cfemu"))
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False) if prose else [line]
    return "\n".join(lines) + "\n"


def answer_document() -> str:
    """The document, from new runs. RuntimeError where the rows do not bear out a claim."""
    with tempfile.TemporaryDirectory() as directory:
        names = ("classes", "displaced", "slack", "constants", "bound", "cards")
        classes, displaced, slack, constants, bound, cards = (read(name, Path(directory)) for name in names)
    text = TEXT.format(
        summary=summary(classes, cards),
        estimate=premise_estimate(slack),
        constant=premise_constant(constants),
        displaced=premise_displaced(displaced),
        entries=entries_and_cycles(classes),
        classes=class_table(classes),
        direct=direct_map(classes),
        bound=hard_bound(bound),
        cards=graphics_cards(cards),
        better=better(classes),
        announcement=ANNOUNCEMENT,
    )
    return wrapped(text)


def main() -> int:
    DOCUMENT.write_text(answer_document())
    print("docs/answer.md is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
