"""Trace replay beside the tools that simulate caches: libCacheSim, pycachesim, valgrind's lackey, on the same traces.

``python -m benchmarks.trace`` prints the table. Peers that are not installed are left out (libcachesim and pycachesim
from PyPI, valgrind from the distribution). Each figure is a median of interleaved repeats.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.mmu.registers import MMUBAR_V, MOVEC_ASID, MOVEC_MMUBAR, OFFSET_MMUCR, OFFSET_MMUDR, OFFSET_MMUOR, OFFSET_MMUTR
from emu.trace import events as e
from emu.trace.exports import export_oracle
from emu.trace.format import Header, MmuSetup, Trace, TraceWriter
from emu.trace.imports import import_trace
from emu.trace.pages import all_sizes, count_misses, marked_sizes
from emu.trace.replay import Geometry, Replay, Result, changed, replay, replay_all

__all__ = ["GOALS", "TraceSpeed", "lines", "measure_trace"]

GOALS = {
    "LRU at 32 entries against libCacheSim, runs": 10.0,
    "LRU at 32 entries against libCacheSim, random": 5.0,
    "full semantics, million references a second": 100.0,
    "six passes of the fastest peer against all sizes in one": 1.0,
    "two threads": 1.7,
}

ENTRIES = 32
REFERENCES = 4_000_000
PEER_REFERENCES = 400_000  # of pycachesim, which is slow
MEAN_RUN = 12
LINEAR = (10_000_000, 100_000_000, 1_000_000_000)
_SIZES = (0, 1, 2, 3)  # SZ: 1 MB, 4 KB, 8 KB, 1 KB
_PAGE_BITS = (20, 12, 13, 10)
_ASIDS = 4
_PAGES = 24  # per address space and page size
_UAA_ACC, _UAA_ACC_ITLB = 0x003, 0x013
_LOCKED = 4  # entries of each TLB

Pages = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Million references a second on one trace; peers by name."""

    trace: str
    ours: float
    peers: dict[str, float]
    misses: dict[str, int]  # of everybody, which must agree

    @property
    def ratios(self) -> dict[str, float]:
        return {name: self.ours / speed for name, speed in self.peers.items()}


@dataclass(frozen=True)
class Scaling:
    references: int
    seconds: float
    megabytes: float  # peak of the process


@dataclass(frozen=True)
class Lackey:
    """One program under lackey, its trace to a file; then importing that file, then one replay."""

    references: int
    valgrind_seconds: float
    import_seconds: float
    replay_seconds: float


@dataclass(frozen=True)
class TraceSpeed:
    lru: list[Comparison]
    all_sizes_speed: float  # million references a second, LRU at 1 to 128, runs
    marked_speed: float  # the same, LRU at 4, 8 ... 128
    six_passes_ratio: float | None  # time of six passes of the fastest peer / all sizes in one; None without peers
    full_speed: dict[str, float]  # million references a second, by geometry
    full_misses_per_1000: float
    two_threads: float
    scaling: list[Scaling]
    lackey: Lackey | None


# --- traces -------------------------------------------------------------------------------------------
def random_pages(count: int) -> Pages:
    return np.random.default_rng(1).integers(0, 1000, count)


def local_runs(references: int, seed: int = 2) -> tuple[Pages, Pages]:
    """Pages and lengths of runs: mostly a few hot pages, which change now and then, sometimes any page."""
    rng = np.random.default_rng(seed)
    count = references // MEAN_RUN
    hot = rng.integers(0, 400, (count // 2000 + 1, 16))[np.arange(count) // 2000, rng.integers(0, 16, count)]
    pages = np.where(rng.random(count) < 0.98, hot, rng.integers(0, 400, count))
    return pages.astype(np.int64), rng.geometric(1 / MEAN_RUN, count).astype(np.int64)


def machine_trace(path: Path, references: int) -> Trace:
    """A trace with all that a V4e has: four page sizes, address spaces, shared and locked entries, both TLBs."""
    with TraceWriter(path, Header(source="benchmark", mmu=MmuSetup())) as writer:
        writer.append(*e.events(_preparation()), copy=False)
        piece = 10_000_000
        for number, start in enumerate(range(0, references, piece)):
            writer.append(*_accesses(min(piece, references - start), number), copy=False)
    return Trace(path)


def _preparation() -> list[e.Row]:
    """MMU on; every page loaded once, so that a replay knows its translation; some locked."""
    rows = [(e.CONTROL_WRITE, MOVEC_MMUBAR, 0xFE000000 | MMUBAR_V), e.window_row(OFFSET_MMUCR, 1)]
    for asid in range(_ASIDS):
        rows.append((e.CONTROL_WRITE, MOVEC_ASID, asid))
        for size in _SIZES:
            for page in range(_PAGES):
                shared = page % 8 == 0
                va = _base(size) + (page << _PAGE_BITS[size])
                locked = size == 0 and page < _LOCKED
                if locked and asid:
                    continue
                for operation in (_UAA_ACC, _UAA_ACC_ITLB):
                    rows.append(e.window_row(OFFSET_MMUTR, va | asid << 2 | (shared or locked) << 1 | 1))
                    rows.append(e.window_row(OFFSET_MMUDR, va | size << 8 | 0x1C | locked << 1))
                    rows.append(e.window_row(OFFSET_MMUOR, operation))
    return rows


def _base(size: int) -> int:
    return (size + 1) << 28


def _accesses(references: int, seed: int) -> e.Events:
    numbers, counts = local_runs(references, seed)
    rng = np.random.default_rng(seed)
    page = numbers % (4 * _PAGES)
    size = page // _PAGES
    bits = np.array(_PAGE_BITS)[size]
    offset = rng.integers(0, 1 << 10, len(page)) & ~3
    va = (size + 1 << 28) + (page % _PAGES << bits) + offset
    kind = np.array([0, 1, 2, 2], np.uint8)[numbers & 3]
    code, b = kind, counts
    # Another address space every 4000 runs.
    at = np.arange(4000, len(page), 4000)
    code = np.insert(code, at, e.CONTROL_WRITE)
    va = np.insert(va, at, MOVEC_ASID)
    b = np.insert(b, at, rng.integers(0, _ASIDS, len(at)))
    return e.Events(code.astype(np.uint8), va.astype(np.uint32), b.astype(np.uint32))


# --- measuring ----------------------------------------------------------------------------------------
def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taken in turns after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            took = timed(work)
            if turn:
                seconds[name].append(took)
    return {name: median(values) for name, values in seconds.items()}


def libcachesim_run(path: Path, references: int) -> Callable[[], int] | None:
    """A pass of libCacheSim's LRU over an oracleGeneral file, giving its misses; None where it is not installed."""
    try:
        import libcachesim as lcs
    except ImportError:
        return None

    def run() -> int:
        options = lcs.ReaderInitParam(ignore_obj_size=True)
        reader = lcs.TraceReader(str(path), lcs.TraceType.ORACLE_GENERAL_TRACE, options)
        ratio, _ = lcs.LRU(ENTRIES).process_trace(reader)
        misses: int = round(ratio * references)
        return misses

    return run


def pycachesim_run(pages: Pages) -> Callable[[], int] | None:
    """A pass of pycachesim's LRU, one set of 32 ways with lines of a page; None where it is not installed."""
    try:
        import cachesim
    except ImportError:
        return None
    addresses = (pages << 12).tolist()

    def run() -> int:
        cache = cachesim.Cache("TLB", 1, ENTRIES, 4096, "LRU")
        simulator = cachesim.CacheSimulator(cache, cachesim.MainMemory())
        simulator.main_memory.load_to(cache)
        simulator.main_memory.store_from(cache)
        for address in addresses:
            simulator.load(address)
        return int(cache.stats()["MISS_count"])

    return run


def compare(name: str, pages: Pages, counts: Pages | None, folder: Path, repeats: int) -> Comparison:
    """LRU at 32 entries: ours on runs where there are runs, the peers on every reference, for they know no runs."""
    expanded = pages if counts is None else np.repeat(pages, counts)
    path = folder / f"{name}.bin"
    write_oracle(path, expanded)
    part = expanded[:PEER_REFERENCES]
    works: dict[str, tuple[Callable[[], Any], int]] = {
        "ours": (lambda: count_misses(pages, counts, entries=ENTRIES).misses, len(expanded))
    }
    if (lcs := libcachesim_run(path, len(expanded))) is not None:
        works["libCacheSim"] = lcs, len(expanded)
    if (pcs := pycachesim_run(part)) is not None:
        works["pycachesim"] = pcs, len(part)
    misses = {peer: int(work()) for peer, (work, _) in works.items()}
    expected = dict.fromkeys(misses, misses["ours"])
    if "pycachesim" in misses:
        expected["pycachesim"] = count_misses(part, entries=ENTRIES).misses
    if misses != expected:
        raise RuntimeError(f"{name}: the simulators disagree: {misses}, expected {expected}")
    seconds = interleaved({peer: work for peer, (work, _) in works.items()}, repeats)
    speeds = {peer: works[peer][1] / seconds[peer] / 1e6 for peer in works}
    return Comparison(name, speeds.pop("ours"), speeds, misses)


def write_oracle(path: Path, pages: Pages) -> None:
    """Pages as an oracleGeneral file, by way of a trace."""
    trace_path = path.with_suffix(".trace")
    with TraceWriter(trace_path, Header(source="benchmark")) as writer:
        codes, ones = np.zeros(len(pages), np.uint8), np.ones(len(pages), np.uint32)
        writer.append(codes, (pages << 12).astype(np.uint32), ones, copy=False)
    export_oracle(Trace(trace_path), path)


def replay_on(trace: Trace, geometry: Geometry) -> Result:
    return Replay(trace, geometry).run()


def measure_full(folder: Path, repeats: int) -> tuple[dict[str, float], float, float]:
    """Speed by geometry, misses per 1000 references, and what two threads gain on two replays."""
    trace = machine_trace(folder / "machine.trace", 12 * REFERENCES)
    geometries = {str(g): g for g in (changed(trace, entries=n) for n in (16, 48, 64))}
    results = {name: replay_on(trace, g) for name, g in geometries.items()}
    works: dict[str, Callable[[], Any]] = {name: partial(replay_on, trace, g) for name, g in geometries.items()}
    pair = [changed(trace, entries=n) for n in (48, 64)]
    works["one thread"] = lambda: replay_all(trace, pair, threads=1)
    works["two threads"] = lambda: replay_all(trace, pair, threads=2)
    seconds = interleaved(works, repeats)
    speeds = {name: results[name].references / seconds[name] / 1e6 for name in geometries}
    middle = results[str(changed(trace, entries=48))]
    gain = seconds["one thread"] / seconds["two threads"]
    return speeds, 1000 * middle.misses / middle.references, gain


def measure_scaling(folder: Path, sizes: Sequence[int]) -> list[Scaling]:
    """One replay of ever longer traces, each in a process of its own, whose peak of memory is its own."""
    found = []
    for references in sizes:
        path = folder / f"long-{references}.trace"
        machine_trace(path, references)
        command = [sys.executable, "-m", "benchmarks.trace", "--one", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(Scaling(references, **json.loads(done.stdout)))
        path.unlink()
    return found


def replay_one(path: Path) -> dict[str, float]:
    """What :func:`measure_scaling` wants of its process."""
    trace = Trace(path)
    replay(trace_start(path), entries=48)  # load the compiled code
    seconds = timed(lambda: replay(trace, entries=48))
    return {"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def trace_start(path: Path) -> Trace:
    """A short trace beside a long one."""
    return machine_trace(path.with_suffix(".start"), 10_000)


def measure_lackey(folder: Path) -> Lackey | None:
    """`true` under lackey; None where valgrind is not installed."""
    if shutil.which("valgrind") is None:
        return None
    log = folder / "true.lackey"
    command = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={log}", "/bin/true"]
    valgrind = timed(lambda: subprocess.run(command, check=True, capture_output=True))
    import_trace(log, folder / "warm.trace", "lackey")
    took = timed(lambda: import_trace(log, folder / "true.trace", "lackey"))
    trace = Trace(folder / "true.trace")
    result = replay(trace)
    return Lackey(result.references, valgrind, took, timed(lambda: replay(trace)))


def measure_trace(repeats: int, scaling: Sequence[int] = LINEAR[:2]) -> TraceSpeed:
    """Everything; ``scaling``: how long the traces of the linearity test are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages, counts = local_runs(REFERENCES)
        lru = [
            compare("random", random_pages(REFERENCES), None, folder, repeats),
            compare("runs", pages, counts, folder, repeats),
        ]
        works = {"all": lambda: all_sizes(pages, counts), "marked": lambda: marked_sizes(pages, counts)}
        seconds = interleaved(works, repeats)
        references = int(counts.sum())
        fastest = max(lru[1].peers.values(), default=0.0)
        full, per_1000, gain = measure_full(folder, repeats)
        return TraceSpeed(
            lru=lru,
            all_sizes_speed=references / seconds["all"] / 1e6,
            marked_speed=references / seconds["marked"] / 1e6,
            six_passes_ratio=6 * references / fastest / 1e6 / seconds["all"] if fastest else None,
            full_speed=full,
            full_misses_per_1000=per_1000,
            two_threads=gain,
            scaling=measure_scaling(folder, scaling),
            lackey=measure_lackey(folder),
        )


def lines(speed: TraceSpeed) -> list[str]:
    """The table."""
    found = ["Trace replay, million references a second; LRU at 32 entries beside cache simulators on the same trace"]
    for comparison in speed.lru:
        peers = ", ".join(
            f"{name} {comparison.peers[name]:.1f} ({ratio:.0f}x)" for name, ratio in comparison.ratios.items()
        )
        found.append(f"{comparison.trace:8} {comparison.ours:8.1f}   {peers or 'no peer is installed'}")
    six = (
        "" if speed.six_passes_ratio is None else f"; six passes of the fastest peer take {speed.six_passes_ratio:.0f}x"
    )
    found.append(f"{'1 to 128':8} {speed.all_sizes_speed:8.1f}   LRU at every size in one pass{six}")
    found.append(f"{'4 to 128':8} {speed.marked_speed:8.1f}   LRU at six sizes in one pass, by region markers")
    found.append(
        f"goals: {GOALS['LRU at 32 entries against libCacheSim, runs']:.0f}x libCacheSim on runs, "
        f"{GOALS['LRU at 32 entries against libCacheSim, random']:.0f}x on random pages"
    )
    found.append("\nFull V4e semantics: PLRU, four page sizes, ASIDs, locked entries, from the compressed file")
    for geometry, value in speed.full_speed.items():
        found.append(f"{value:8.1f}   {geometry}")
    found.append(
        f"{speed.full_misses_per_1000:.2f} misses per 1000 references at 48 entries; two threads "
        f"{speed.two_threads:.2f}x (goals: 100 million, 1.7x)"
    )
    found += [f"{p.references:14,} references: {p.seconds:7.2f} s, {p.megabytes:6.0f} MB" for p in speed.scaling]
    if speed.lackey is not None:
        lackey = speed.lackey
        found.append(
            f"\nlackey on /bin/true: {lackey.references:,} references; valgrind {lackey.valgrind_seconds:.2f} s, "
            f"import {lackey.import_seconds:.3f} s, a replay {lackey.replay_seconds:.4f} s"
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trace", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="interleaved repeats (default 5)")
    parser.add_argument("--long", action="store_true", help="up to 10^9 references")
    parser.add_argument("--one", type=Path, metavar="TRACE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(replay_one(arguments.one)))
        return 0
    speed = measure_trace(max(1, arguments.repeats), LINEAR if arguments.long else LINEAR[:2])
    if arguments.json:
        print(json.dumps({"schema": "cfemu-bench-trace/1", "goals": GOALS, **asdict(speed)}, indent=2))
    else:
        print("\n".join(lines(speed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
