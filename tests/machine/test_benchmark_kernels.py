"""The benchmark kernels compute on the engine what they compute on bare unicorn, and every engine counts the same."""

import pytest

from benchmarks.raw import run_raw
from benchmarks.speed import KERNELS, MISSING, guest, run_exact

NAMES = [kernel.name for kernel in (*KERNELS, MISSING)]
FEW = {"mix": 1, "calls": 1, "copy": 1, "fill": 1, "alu": 500, "chase16": 500, "chase64": 50}
ELF = guest()


@pytest.mark.parametrize("kernel", NAMES)
def test_the_result_is_that_of_bare_unicorn(kernel: str) -> None:
    assert run_exact(ELF, kernel, FEW[kernel]).checksum == run_raw(ELF, f"k_{kernel}", FEW[kernel]).checksum


@pytest.mark.parametrize("engine", ["public", "reference"])
@pytest.mark.parametrize("kernel", NAMES)
def test_every_engine_counts_the_same(kernel: str, engine: str) -> None:
    native, other = (run_exact(ELF, kernel, FEW[kernel], name) for name in ("native", engine))

    assert other.counters == native.counters
    assert other.checksum == native.checksum


def test_user_code_misses_once_per_page_and_64_pages_at_every_load() -> None:
    fits, does_not = run_exact(ELF, "chase16", 500), run_exact(ELF, "chase64", 500)

    assert fits.counters.misses.dtlb == 16 + 1  # the pages and the stack
    assert does_not.counters.misses.dtlb >= 500 * 4
    assert fits.counters.misses.kernel == does_not.counters.misses.kernel == 0


def test_python_hooks_count_the_instructions_that_the_engine_counts() -> None:
    exact = run_exact(ELF, "alu", 500)
    handler = exact.counters.exceptions[2]
    hooked = run_raw(ELF, "k_alu", 500, python_hooks=True)

    assert handler == exact.counters.misses.total
    assert 0 < exact.counters.instructions - hooked.instructions < 100  # boot and the miss handler
