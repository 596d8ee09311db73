"""What the time model remembers between two instructions, as one record inside the machine's.

``a``, ``b`` and ``c`` are the waits of docs/timing-model.md, section 1, packed so that a block's cost can be remembered
by the state it began in. Everything is i8, as in :mod:`emu.mmu.state`.
"""

from dataclasses import fields
from typing import Any

import numpy as np

from emu.timing.constants import Costs

__all__ = [
    "COSTS_DTYPE",
    "FLAT",
    "FULL",
    "LEVELS",
    "MEMO_RECORD",
    "PIPELINE",
    "TABLE_ENTRIES",
    "TIME_DTYPE",
    "Time",
    "new_time",
]

FLAT, PIPELINE, FULL = range(3)
LEVELS: dict[str, int] = {"flat": FLAT, "pipeline": PIPELINE, "full": FULL}

BRANCH_CACHE_ENTRIES, TABLE_ENTRIES, RETURN_ENTRIES = 8, 128, 4  # CF4UM 6-5, 5407UM 1-7
SETS, WAYS = 512, 4  # 548xRM 7-8
STORE_BUFFER_ENTRIES = 4  # 548xRM 7-16
MEMO_RECORD = 144  # bytes of a remembered block (emu.timing.blocks)

# One number per cost, by the name it has in Costs.
COSTS_DTYPE = np.dtype([(field.name, "i8") for field in fields(Costs)])

# A cache: line addresses (-1 invalid) and dirty bits by set and way, the round-robin counter, a count of fills.
CACHE_DTYPE = np.dtype(
    [("line", "i8", (SETS, WAYS)), ("dirty", "i1", (SETS, WAYS)), ("turn", "i8"), ("changes", "i8")], align=True
)

TIME_DTYPE = np.dtype(
    [
        ("level", "i8"),
        ("costs", COSTS_DTYPE),
        # Waits of the pipeline (emu.timing.pipeline): behind the instruction charged last, and at the block's start.
        ("a", "i8"),
        ("b", "i8"),
        ("c", "i8"),
        ("begin_a", "i8"),
        ("begin_b", "i8"),
        ("begin_c", "i8"),
        # The block that runs: instructions and cycles charged, which of the remembered blocks it is (0 none).
        ("block_count", "i8"),
        ("block_cycles", "i8"),
        ("block_serial", "i8"),
        ("serial", "i8"),
        ("memo", "i8"),  # address of the remembered blocks, MEMO_RECORD bytes each
        # The instruction measured last: its op word, the next word, where it is in the block and where it ends.
        ("last_op", "i8"),
        ("last_ext", "i8"),
        ("last_at", "i8"),
        ("last_end", "i8"),
        # The branch whose outcome the next instruction will tell (emu.timing.branches).
        ("pending", "i8"),
        ("pending_pc", "i8"),
        ("pending_next", "i8"),
        ("pending_backward", "i8"),
        ("branch_pc", "i8", (BRANCH_CACHE_ENTRIES,)),
        ("branch_count", "i8", (BRANCH_CACHE_ENTRIES,)),
        ("table", "i8", (TABLE_ENTRIES,)),
        ("returns", "i8", (RETURN_ENTRIES,)),
        ("n_returns", "i8"),
        # Caches and memory (emu.timing.caches). The shadows see only what happens outside of TLB-miss handlers.
        ("icache", CACHE_DTYPE),
        ("dcache", CACHE_DTYPE),
        ("ishadow", CACHE_DTYPE),
        ("dshadow", CACHE_DTYPE),
        ("bus_free", "i8"),  # core cycle when the bus is free
        ("stores", "i8", (STORE_BUFFER_ENTRIES,)),  # core cycles when the latest stores have left the store buffer
        ("fetch_line", "i8"),  # line in the fill buffer of inhibited instruction fetches, -1 none
        ("last_line", "i8"),  # line and longword of the last word of the instruction before, -1 none
        ("last_long", "i8"),
        ("in_handler", "i8"),  # a TLB-miss handler runs
        ("memory_slack", "i8"),  # more than one instruction can wait for memory
        # Cycles that TLB misses cost, by what they were spent on.
        ("misses", "i8"),  # exceptions taken, and handlers that have returned
        ("returned", "i8"),
        ("entry_stalls", "i8"),
        ("handler_stalls", "i8"),
        ("return_stalls", "i8"),
        ("evicted_stalls", "i8"),  # outside of handlers: for lines that would be there without them, less the opposite
        ("stalls", "i8"),  # all waits for memory
    ],
    align=True,
)

Time = Any  # a numba record of TIME_DTYPE


def new_time(level: int, costs: Costs) -> Any:
    """A record of shape (1,) of the core after reset: nothing waits, the caches are empty.

    The hardware's caches hold anything then, but software must invalidate them (548xRM 7-8).
    """
    time = np.zeros(1, TIME_DTYPE)
    record = time[0]
    record["level"] = level
    for field in fields(Costs):
        record["costs"][field.name] = getattr(costs, field.name)
    record["branch_pc"] = record["fetch_line"] = record["last_line"] = record["last_long"] = -1
    record["table"] = 1
    for name in ("icache", "dcache", "ishadow", "dshadow"):
        record[name]["line"] = -1
    accesses = 2 * 16  # MOVEM of all registers, each across two lines
    one = costs.line_first + costs.line_burst + costs.line_push
    waiting = one + STORE_BUFFER_ENTRIES * costs.store_drain
    record["memory_slack"] = accesses * (one + waiting + costs.store_drain + costs.inhibited_read)
    return time
