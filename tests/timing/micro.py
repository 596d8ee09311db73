"""Micro-benchmarks of the time model: small guest programs whose cycles were worked out by hand.

Each has its place in the hardware sheet ("sheet 4.4") or in docs/timing-model.md ("model 2"), and the cycles of its
measured part at each level, typed as numbers from those two texts; no table of the product or of the oracle is behind
them.
"""

from tests.timing import branches, cells, folds, memory, waits
from tests.timing.program import BOARD, START, Level, Micro, measure, prepare, start

__all__ = ["BOARD", "MICROS", "START", "Level", "Micro", "measure", "prepare", "start"]

MICROS: tuple[Micro, ...] = tuple(
    micro
    for group in (
        cells.cells,
        cells.others,
        waits.early_results,
        waits.late_results,
        waits.loads,
        waits.products,
        waits.fpu,
        waits.emac,
        waits.stores_and_loads,
        waits.barriers,
        folds.folds,
        branches.branches,
        memory.data_cache,
        memory.write_through,
        memory.beside_the_caches,
        memory.instruction_cache,
        memory.pushes,
    )
    for micro in group()
)
