"""Replay: the recorded accesses once more through :mod:`emu.mmu`, on the recorded TLBs or on any others.

**On the recorded geometry** every event is executed as it was recorded: accesses are looked up, stores to MMU registers
are stored, RTE returns. What misses, and which entry each load takes, is compared with the recording.

**On another geometry** (number of entries, policy, page size) the recorded software cannot run again, so its refills
are moved. A *refill* is a recorded miss and its exception, if that does nothing but refill: from ENTER to its RTE at
most 256 events, all of them HANDLER references, other refills, and stores to MMUTR, MMUDR, MMUAR, MMUSR and MMUOR, with
at least one load and without a clear. Then:

1. A recorded miss that misses here too: its exception is executed as recorded; loads choose their entry by this policy.
2. A recorded miss that hits here: its refill is left out, with its references and its cycles. Its loads are remembered.
   If its exception is more than a refill (a page fault, a first write), the kernel's work is executed all the same and
   counted as ``forced``.
3. A reference that hit in the recording and misses here: the last recorded refill of that page is repeated at this
   point - its references to pages in the order in which it made them (a miss among them loads the translation of that
   page, and no more), its loads by UAA and ACC, unlocked, and its cycles. A translation that no refill has loaded (a
   preload, or an entry of the initial state) is loaded alone, for the mean cost of the refills of that TLB.
4. All else is executed as recorded: clears, searches, loads outside refills, ASID and ACR. A load of a numbered entry
   goes to the entry of that number; where this TLB has none it is lost and counted.
5. With another page size every unlocked entry is loaded with that size around the same VA and with every right: what
   the recording allowed is never refused, and what it refused is not looked at again.
6. A foreign trace has no MMU events: a miss loads the page, shared and with every right.

Misses then differ from a live machine of that geometry only by what such a machine's software would do otherwise; the
counters ``forced``, ``stale``, ``unexplained`` and ``lost_loads`` say how often a rule had to decide against the
evidence, and ``approximated`` how often the evidence is thin: a repeated refill whose page was refilled along different
ways (a handler that walks a hash chain, say), or never by a refill alone (its misses were page faults, too).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.errors import UsageError
from emu.mmu.registers import MMUBAR_V, MMUCR_EN
from emu.mmu.state import MAX_ENTRIES, MIN_ENTRIES, POLICIES, new_mmu
from emu.trace import kernel as k
from emu.trace.events import ASIDE, MISSED, Events
from emu.trace.format import MmuSetup, Trace

__all__ = ["PAGE_SIZES", "Geometry", "Replay", "Result", "geometry_of", "replay", "replay_all"]

PAGE_SIZES = {1024: 10, 4096: 12, 8192: 13, 1 << 20: 20}
_TABLE = 1 << 12
_LOG = 1 << 14
_FOREIGN_WINDOW = 0xFFFF0000  # user accesses do not see it


@dataclass(frozen=True)
class Geometry:
    """The TLBs of a replay; ``page_size`` None = the sizes that were loaded."""

    itlb_entries: int
    dtlb_entries: int
    policy: str
    page_size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, entries in (("instruction", self.itlb_entries), ("data", self.dtlb_entries)):
            if not MIN_ENTRIES <= entries <= MAX_ENTRIES:
                raise UsageError(f"{entries} {name} entries: a TLB has {MIN_ENTRIES} to {MAX_ENTRIES}")
        if self.policy not in POLICIES:
            raise UsageError(f"policy {self.policy!r}: choose one of {', '.join(POLICIES)}")
        if self.page_size is not None and self.page_size not in PAGE_SIZES:
            raise UsageError(f"page size {self.page_size}: choose one of {', '.join(map(str, PAGE_SIZES))}")

    def __str__(self) -> str:
        entries = f"{self.itlb_entries}"
        if self.itlb_entries != self.dtlb_entries:
            entries += f"+{self.dtlb_entries}"
        size = f", {self.page_size >> 10}-KB pages" if self.page_size else ""
        return f"{entries} entries, {self.policy}{size}"


@dataclass(frozen=True)
class Result:
    """What a replay counted. ``hits`` + ``misses`` + ``bypassed`` are all completed references and all misses of them.

    A reference is completed once; a miss is one refused attempt, as in the machine's counters, and completes later.
    """

    geometry: Geometry
    exact: bool  # the recorded geometry: nothing was synthesised
    foreign: bool
    events: int
    references: int
    handler_references: int
    bypassed: int
    itlb_hits: int
    dtlb_hits: int
    itlb_misses: int
    dtlb_misses: int
    nested: int
    violations: int
    instructions: int
    recorded_cycles: int
    cycles: int  # recorded, less the refills left out, and those that were synthesised
    refill_cycles: int  # from the entry of an outermost refill to its RTE; page faults behind a miss are none
    recorded_itlb_misses: int
    recorded_dtlb_misses: int
    # On the recorded geometry: what differs from the recording.
    wrong_misses: int
    wrong_entries: int
    checked_entries: int
    first_difference: int | None
    # On others: see the rule.
    synthesised: int
    left_out: int
    forced: int
    stale: int
    unexplained: int
    lost_loads: int
    approximated: int

    @property
    def misses(self) -> int:
        return self.itlb_misses + self.dtlb_misses

    @property
    def recorded_misses(self) -> int:
        return self.recorded_itlb_misses + self.recorded_dtlb_misses

    @property
    def per_1000_instructions(self) -> float:
        return 1000 * self.misses / self.instructions if self.instructions else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        found = asdict(self)
        return found | {"misses": self.misses, "per_1000_instructions": self.per_1000_instructions}


def geometry_of(setup: MmuSetup) -> Geometry:
    """The recorded geometry."""
    return Geometry(setup.itlb_entries, setup.dtlb_entries, setup.policy, None, setup.seed)


class Replay:
    """One pass over a trace. ``explained``: classify each miss and measure reuse distances (slower)."""

    def __init__(self, trace: Trace, geometry: Geometry, *, explained: bool = False) -> None:
        setup = trace.header.mmu
        self.trace = trace
        self.geometry = geometry
        self.foreign = setup is None
        self.exact = setup is not None and geometry == geometry_of(setup)
        self.mmu, s = _machine(setup, geometry)
        s[k.EXACT] = self.exact
        s[k.FOREIGN] = self.foreign
        page_size = geometry.page_size or (trace.header.page_size if self.foreign else None)
        s[k.FORCED_BITS] = PAGE_SIZES[page_size] if page_size else 0
        s[k.EXPLAINED] = explained
        s[k.FIRST_WRONG] = -1
        self.s = s
        self._refill = np.zeros(k.REFILLS, np.uint8)
        self._scan, self._scan_open = np.zeros(k.SCAN_SCALARS, np.int64), _table(k.MAX_DEPTH, k.SCAN_COLUMNS)
        self._book, self._seen = _table(_TABLE, k.BOOK_COLUMNS), _table(_TABLE, k.SEEN_COLUMNS)
        self._arena = np.zeros(_TABLE, np.int64)
        self._log = _table(_LOG, k.LOG_COLUMNS)
        self.histogram = _table(2, k.STACK + 1)
        self._fixed = (
            _table(k.MAX_DEPTH, k.OPEN_COLUMNS),
            _table(k.MAX_DEPTH, k.MAX_REFILL_EVENTS),
            _table(2, k.STACK),
            self.histogram,
        )
        self._memo = np.full((k.MEMO, k.MEMO_COLUMNS), -1, np.int64)
        self._before = np.zeros((2, 2, MAX_ENTRIES), np.int64)
        self._recorded = [0, 0]
        self._carry_setup(setup)

    def misses(self) -> Iterator[npt.NDArray[np.int64]]:
        """Run, giving the log of misses piece by piece: columns LOG_* of ``emu.trace.kernel``."""
        s = self.s
        for code, a, b in self._scanned():
            missed = (code < ASIDE) & ((code & MISSED) != 0)
            fetches = int((code[missed] & 3 == 2).sum())
            self._recorded[0] += fetches
            self._recorded[1] += int(missed.sum()) - fetches
            done = False
            while not done:
                open_, capture, stack, histogram = self._fixed
                done = k.replay_chunk(
                    self.mmu, s, self._refill, self._memo, self._book, self._seen, self._arena, open_, capture, stack,
                    histogram, self._log, self._before, code, a, b,
                )  # fmt: skip
                if s[k.LOG_USED]:
                    yield self._drain()
                self._grow()
        if s[k.PATCH_PC] and s[k.LOG_USED]:
            s[k.PATCH_PC] = 0
            yield self._drain()

    def run(self) -> Result:
        """Run without looking at the misses."""
        for _ in self.misses():
            pass
        return self.result()

    def result(self) -> Result:
        """What was counted so far."""
        s = self.s
        n = {name: int(s[getattr(k, name.upper())]) for name in ("references", "bypassed", "nested", "violations")}
        cycles, skipped, made = (int(s[i]) for i in (k.CYCLES, k.SKIPPED_CYCLES, k.SYNTHESISED_CYCLES))
        return Result(
            geometry=self.geometry,
            exact=self.exact,
            foreign=self.foreign,
            events=int(s[k.EVENT]),
            **n,
            handler_references=int(s[k.INSIDE]),
            itlb_hits=int(s[k.HITS]),
            dtlb_hits=int(s[k.HITS + 1]),
            itlb_misses=int(s[k.MISSES]),
            dtlb_misses=int(s[k.MISSES + 1]),
            instructions=int(s[k.INSTRUCTIONS]),
            recorded_cycles=cycles,
            cycles=cycles - skipped + made,
            refill_cycles=int(s[k.IN_PLACE_CYCLES]) + made,
            recorded_itlb_misses=self._recorded[0],
            recorded_dtlb_misses=self._recorded[1],
            wrong_misses=int(s[k.WRONG_MISSES]),
            wrong_entries=int(s[k.WRONG_ENTRIES]),
            checked_entries=int(s[k.CHECKED_ENTRIES]),
            first_difference=int(s[k.FIRST_WRONG]) if s[k.FIRST_WRONG] >= 0 else None,
            synthesised=int(s[k.SYNTHESISED]),
            left_out=int(s[k.SKIPPED]),
            forced=int(s[k.FORCED]),
            stale=int(s[k.STALE]),
            unexplained=int(s[k.UNEXPLAINED]),
            lost_loads=int(s[k.LOST_LOADS]),
            approximated=int(s[k.APPROXIMATED]),
        )

    def _scanned(self) -> Iterator[Events]:
        """The chunks, held back until all that follow a miss closely enough to tell whether it is a refill are seen."""
        waiting: deque[Events] = deque()
        ahead = 0  # events waiting behind the first chunk
        for chunk in self.trace.chunks():
            if not self.foreign:
                k.scan(self._scan, self._scan_open, self._refill, *chunk.events)
            if waiting:
                ahead += chunk.events.length
            waiting.append(chunk.events)
            while len(waiting) > 1 and (ahead >= k.LOOKAHEAD or self.foreign):
                yield waiting.popleft()
                ahead -= waiting[0].length
        yield from waiting

    def _carry_setup(self, setup: MmuSetup | None) -> None:
        """What the recorded TLBs held when recording began: as it was, or known and loaded where there is room."""
        if setup is None or not setup.state:
            return
        k.prepare(self.mmu if self.exact else setup.build(), self.s, self._book, self._seen)
        if not self.exact:
            self._grow()
            k.adopt(self.mmu, setup.build(), self.s, self._seen)

    def _drain(self) -> npt.NDArray[np.int64]:
        """Take the log; its last row stays while it waits for the PC of its exception."""
        used = int(self.s[k.LOG_USED])
        kept = int(self.s[k.PATCH_PC])
        rows = self._log[: used - kept].copy()
        self._log[:kept] = self._log[used - kept : used]
        self.s[k.LOG_USED] = kept
        return rows

    def _grow(self) -> None:
        """Make room in the tables that are nearly full."""
        self._book = _grown(self._book, int(self.s[k.BOOK_USED]))
        self._seen = _grown(self._seen, int(self.s[k.SEEN_USED]))
        if self.s[k.ARENA_USED] + k.MARGIN > len(self._arena):
            self._arena = np.concatenate([self._arena, np.zeros_like(self._arena)])


def replay(
    trace: Trace,
    *,
    entries: int | tuple[int, int] | None = None,
    policy: str | None = None,
    page_size: int | None = None,
    seed: int | None = None,
) -> Result:
    """Replay on the recorded geometry, changed by what is given; ``entries`` of both TLBs or (instruction, data)."""
    return Replay(trace, changed(trace, entries=entries, policy=policy, page_size=page_size, seed=seed)).run()


def changed(
    trace: Trace,
    *,
    entries: int | tuple[int, int] | None = None,
    policy: str | None = None,
    page_size: int | None = None,
    seed: int | None = None,
) -> Geometry:
    """The recorded geometry (the hardware's, for a foreign trace), with some of it changed."""
    geometry = geometry_of(trace.header.mmu or MmuSetup())
    if entries is not None:
        sides = entries if isinstance(entries, tuple) else (entries, entries)
        geometry = replace(geometry, itlb_entries=sides[0], dtlb_entries=sides[1])
    changes: dict[str, Any] = {"policy": policy, "page_size": page_size, "seed": seed}
    return replace(geometry, **{name: value for name, value in changes.items() if value is not None})


def replay_all(trace: Trace, geometries: Sequence[Geometry], *, threads: int = 1) -> list[Result]:
    """Replay on several geometries, on ``threads`` threads: the compiled code holds no GIL."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda geometry: Replay(trace, geometry).run(), geometries))


def _machine(setup: MmuSetup | None, geometry: Geometry) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """An MMU of this geometry in the state in which the recording begins, entries aside; and the scalars."""
    s = np.zeros(k.SCALARS, np.int64)
    if setup is not None and geometry == geometry_of(setup):
        mmu = setup.build()
        s[k.RECORDED_BASE] = mmu[0]["dtlb_base"]
        return mmu, s
    uses_mmutr = setup.cas_uses_mmutr if setup else False
    mmu = new_mmu(geometry.itlb_entries, geometry.dtlb_entries, POLICIES[geometry.policy], uses_mmutr, geometry.seed)
    if setup is None:
        mmu["mmubar"] = _FOREIGN_WINDOW | MMUBAR_V
        mmu["mmucr"] = MMUCR_EN
        s[k.RECORDED_BASE] = mmu[0]["dtlb_base"]
        return mmu, s
    recorded = setup.build()
    s[k.RECORDED_BASE] = recorded[0]["dtlb_base"]
    for name in ("mmucr", "mmusr", "mmuar", "mmutr", "mmudr", "mmubar", "asid", "cacr", "vbr", "mbar", "acr", "rambar"):
        mmu[name] = recorded[name]
    return mmu, s


def _table(rows: int, columns: int) -> npt.NDArray[np.int64]:
    return np.zeros((rows, columns), np.int64)


def _grown(table: npt.NDArray[np.int64], used: int) -> npt.NDArray[np.int64]:
    if 2 * (used + k.MARGIN) <= len(table):
        return table
    larger = _table(2 * len(table), table.shape[1])
    k.rehash(table, larger)
    return larger
