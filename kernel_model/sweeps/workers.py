"""Runs in parallel: processes of this machine, or a dask cluster. Each run gives one record, whatever happens to it."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)

from emu.board import get_board
from emu.errors import CfemuError, UsageError
from emu.machine import Machine
from kernel_model.experiment import fork_context
from kernel_model.sweeps.run import Record, Run, execute, lost

__all__ = ["run_locally", "run_on_cluster"]

PATIENCE = 0.2  # seconds until the caller may refresh its display
AHEAD = 2  # runs handed out per worker, so that none waits for this process


def run_locally(runs: list[Run], workers: int | None, idle: Callable[[], None]) -> Generator[Record]:
    """In ``workers`` processes, by default one a processor; calls ``idle`` now and then.

    A run during which a worker dies (the kernel's out-of-memory killer, a crash in native code) is tried again in a
    process of its own, because it may be its neighbour that was to blame, and is lost when it dies there, too.
    """
    waiting = deque(runs)
    count = min(workers or os.cpu_count() or 1, len(runs))
    _warm_up(runs)
    while waiting:
        suspects = yield from _in_processes(count, waiting, idle)
        for run in suspects:
            if (yield from _in_processes(1, deque([run]), idle)):
                yield lost(run, "the process that computed it died; was there enough memory?")


def run_on_cluster(runs: list[Run], address: str, idle: Callable[[], None]) -> Generator[Record]:
    """On the workers of a dask scheduler, which need this same product. UsageError where there is none."""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--cluster: needs dask; install cfemu[cluster]") from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--cluster {address}: no scheduler answers there ({type(error).__name__})") from None
    with client:
        workers = max(1, sum(client.nthreads().values()))
        executor = client.get_executor(pure=False)
        try:
            yield from _through(executor, deque(runs), AHEAD * workers, idle)
        finally:
            executor.shutdown(wait=False)  # after Ctrl-C: what is out there is cancelled, not waited for


def _warm_up(runs: list[Run]) -> None:
    """What an engine compiles on its first use is compiled once, here, and inherited by the workers."""
    for board, engine, timing in sorted({(r.inputs.scenario.board, r.inputs.engine, r.inputs.timing) for r in runs}):
        try:
            Machine(get_board(board), engine=engine, timing=timing).close()
        except CfemuError:  # its runs will say so
            continue


def _in_processes(count: int, waiting: deque[Run], idle: Callable[[], None]) -> Generator[Record, None, list[Run]]:
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(count, mp_context=fork_context(), initializer=_begin_worker) as pool:
        try:
            return (yield from _through(pool, waiting, AHEAD * count if count > 1 else 1, idle))
        except BaseException:  # Ctrl-C above all: what is running is not finished, and will not be waited for
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise


def _begin_worker() -> None:
    """Ctrl-C reaches every process of the terminal, but only the parent decides; without a parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _through(
    executor: Executor, waiting: deque[Run], ahead: int, idle: Callable[[], None]
) -> Generator[Record, None, list[Run]]:
    """Take runs from ``waiting``; ends when all are finished, or with those that were out when the executor broke."""
    out: dict[Future[Record], Run] = {}
    suspects: list[Run] = []
    broken = False
    while out or (waiting and not broken):
        while waiting and len(out) < ahead and not broken:
            try:
                out[executor.submit(execute, waiting[0])] = waiting[0]
                waiting.popleft()
            except BrokenExecutor:  # a worker died that had nothing to do
                broken = True
        done, _ = wait(out, PATIENCE, FIRST_COMPLETED)
        idle()
        for future in done:
            run = out.pop(future)
            try:
                yield future.result()
            except BrokenExecutor:
                suspects.append(run)
                broken = True
            except CancelledError:
                raise CfemuError("the cluster has gone; what was finished is kept") from None
            except Exception as error:  # a cluster gives a run up, or could not send it
                yield lost(run, f"{type(error).__name__}: {error}")
    return suspects
