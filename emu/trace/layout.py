"""Where the state of a replay is: the numbers of its scalars and the columns of its tables.

The state between two chunks is kept in arrays: ``s`` (scalars by the numbers below), two hash tables (rows of ``book``
and ``seen``, column 0 the key, 0 = free), the templates of refills (``arena``), the handlers open at the moment
(``open_``, ``capture``), a memo of decodes, the LRU stacks and the log of misses. Nothing grows with the length of the
trace, only with the number of translations in it.
"""

from typing import Any

from emu.mmu.registers import (
    MMUDR_R,
    MMUDR_W,
    MMUDR_X,
    MMUOR_CA,
    MMUOR_CAS,
    MMUOR_CNL,
)
from emu.mmu.state import WARN_OVERLAP

__all__ = [
    "APPROXIMATED",
    "ARENA_USED",
    "BOOK_COLUMNS",
    "BOOK_USED",
    "BYPASS",
    "BYPASSED",
    "CAPACITY",
    "CHECKED_ENTRIES",
    "CLEARS",
    "CLEAR_ALL",
    "CLEAR_ASID",
    "CLOCK",
    "COLD",
    "COST",
    "COSTED",
    "COSTS",
    "CURRENT_PHASE",
    "CYCLES",
    "DATA",
    "DEPTH",
    "EVENT",
    "EXACT",
    "EXPLAINED",
    "FATE",
    "FATE_FLUSHED",
    "FATE_REPLACED",
    "FATE_RESIDENT",
    "FIRST_WRONG",
    "FLUSH",
    "FORCED",
    "FORCED_BITS",
    "FOREIGN",
    "HIT",
    "HITS",
    "INSIDE",
    "INSTRUCTIONS",
    "IN_PLACE_CYCLES",
    "KEY",
    "KEY_ASID",
    "KEY_SHARED",
    "KEY_SIDE",
    "LENGTH",
    "LOCK",
    "LOCKED",
    "LOG_ASID",
    "LOG_CLASS",
    "LOG_CODE",
    "LOG_COLUMNS",
    "LOG_CYCLES",
    "LOG_EVENT",
    "LOG_INSTRUCTIONS",
    "LOG_PC",
    "LOG_PHASE",
    "LOG_USED",
    "LOG_VA",
    "LOOKAHEAD",
    "LOST_LOADS",
    "MARGIN",
    "MAX_DEPTH",
    "MAX_REFILL_EVENTS",
    "MEMO",
    "MEMO_COLUMNS",
    "MEMO_DATA",
    "MEMO_EPOCH",
    "MEMO_INDEX",
    "MEMO_KEY",
    "MEMO_RIGHTS",
    "MEMO_TAG",
    "MISS",
    "MISSES",
    "MISS_NUMBER",
    "NESTED",
    "OPEN_COLUMNS",
    "OPEN_CYCLES",
    "OPEN_INNER",
    "OPEN_KEY",
    "OPEN_LENGTH",
    "OPEN_SIDE",
    "OPEN_VA",
    "OVERLAPS",
    "OWN_ID",
    "PATCH_PC",
    "PC",
    "PENDING",
    "PENDING_SIDE",
    "PENDING_VA",
    "POLICY",
    "POSITION",
    "RECORDED_BASE",
    "REFERENCES",
    "REFILLS",
    "RIGHTS",
    "SCALARS",
    "SCAN_COLUMNS",
    "SCAN_DEPTH",
    "SCAN_EVENTS",
    "SCAN_LOADED",
    "SCAN_MISSES",
    "SCAN_NUMBER",
    "SCAN_PENDING",
    "SCAN_SCALARS",
    "SCAN_TAG",
    "SEEN_COLUMNS",
    "SEEN_USED",
    "SEEN_WHEN",
    "SHAPES",
    "SIZES",
    "SKIPPED",
    "SKIPPED_CYCLES",
    "SKIP_FROM",
    "STACK",
    "STALE",
    "START",
    "SYNTHESISED",
    "SYNTHESISED_CYCLES",
    "TAG",
    "UNCLASSIFIED",
    "UNEXPLAINED",
    "UNKNOWN",
    "VARIES",
    "VIOLATION",
    "VIOLATIONS",
    "WHEN",
    "WRONG_ENTRIES",
    "WRONG_MISSES",
    "Ints",
]


# Arrays of int64, and the columns of events: numba sees arrays, mypy must not look inside.
Ints = Any

# --- scalars ------------------------------------------------------------------------------------------
POSITION = 0  # of the next event in the chunk
EVENT = 1  # events before this chunk
INSTRUCTIONS = 2
CYCLES = 3
CURRENT_PHASE = 4
PC = 5  # the last fetch, at the granule's precision
HITS = 6  # two: per side
MISSES = 8  # two: per side
NESTED = 10  # misses of refill handlers' own references
BYPASSED = 11  # references that MMUBAR, a RAMBAR, an ACR or a switched-off MMU answered for
VIOLATIONS = 12
# What differs between the recording and this replay, on the recorded geometry.
WRONG_MISSES = 13
WRONG_ENTRIES = 14
CHECKED_ENTRIES = 15
FIRST_WRONG = 16  # number of the event, -1 = none
# What no rule explains, on other geometries.
FORCED = 17  # kernel work behind a recorded miss that did not miss here: executed all the same
STALE = 18  # an access that completed was refused here by an older translation's rights
UNEXPLAINED = 19  # a miss on a page that nobody ever loaded
LOST_LOADS = 20  # loads of entry numbers that this TLB has not
# Costs in cycles.
IN_PLACE_CYCLES = 21
SKIPPED_CYCLES = 22
SYNTHESISED_CYCLES = 23
SYNTHESISED = 24
SKIPPED = 25
COSTED = 26  # two: recorded refills per side ...
COSTS = 28  # two: ... and their cycles, inner ones not included
# Progress inside handlers.
DEPTH = 30  # recorded refills open
SKIP_FROM = 31  # the one of them that is left out, and all inside it; 0 = events are executed
MISS_NUMBER = 32  # recorded misses so far
PENDING = 33  # the last event was a recorded miss that begins a refill: 1 = executed, 2 = left out; else 0
PENDING_VA = 34
PENDING_SIDE = 35
PATCH_PC = 36  # the newest row of the log still waits for the PC in ENTER
# Tables.
BOOK_USED = 37
SEEN_USED = 38
ARENA_USED = 39
LOG_USED = 40
CLOCK = 41  # orders loads in time
MEMO_EPOCH = 42
# Configuration.
EXACT = 43
FOREIGN = 44
FORCED_BITS = 45  # log2 of the page size of every unlocked entry, 0 = as recorded
RECORDED_BASE = 46  # first TLB address of the recorded DTLB
EXPLAINED = 47  # classify misses, measure reuse distances
REFERENCES = 48  # completed, HANDLER ones included
INSIDE = 49  # HANDLER references among them
LOCKED = 50  # two: locked valid entries per side, kept for the classification
SHAPES = 52  # bits SZ << 1 | SG that occurred among the loads
APPROXIMATED = 53  # synthesised refills that may not be what a handler would do: see the rule
SCALARS = 54

# Columns of the tables.
KEY, TAG, DATA, WHEN, START, LENGTH, COST, OWN_ID, VARIES = range(9)
BOOK_COLUMNS = 9
FATE, SEEN_WHEN = 1, 2
SEEN_COLUMNS = 3
FATE_RESIDENT, FATE_REPLACED, FATE_FLUSHED = 1, 2, 3
LOG_EVENT, LOG_VA, LOG_CODE, LOG_ASID, LOG_PC, LOG_CLASS, LOG_PHASE, LOG_INSTRUCTIONS, LOG_CYCLES = range(9)
LOG_COLUMNS = 9
COLD, CAPACITY, FLUSH, LOCK, POLICY, UNCLASSIFIED = range(6)

# Open refills: deeper nests, longer refills and more of a handler's references are nowhere in sight.
MAX_DEPTH = 8
MAX_REFILL_EVENTS = 256
OPEN_KEY, OPEN_LENGTH, OPEN_CYCLES, OPEN_INNER, OPEN_VA, OPEN_SIDE = range(6)
OPEN_COLUMNS = 6
SCAN_NUMBER, SCAN_EVENTS, SCAN_LOADED = range(3)
SCAN_COLUMNS = 3
SCAN_DEPTH, SCAN_MISSES, SCAN_PENDING, SCAN_TAG = range(4)
SCAN_SCALARS = 4
MARGIN = 4 * MAX_REFILL_EVENTS  # rows that one event can add to any table
LOOKAHEAD = MAX_DEPTH * (MAX_REFILL_EVENTS + 1)
REFILLS = 1 << 18  # more than there are misses in two chunks and LOOKAHEAD
STACK = 128
MEMO = 1024
MEMO_KEY, MEMO_RIGHTS, MEMO_INDEX, MEMO_TAG, MEMO_DATA = range(5)
MEMO_COLUMNS = 5

HIT, BYPASS, MISS, VIOLATION = 0, 1, 2, 3
UNKNOWN = -2
SIZES = 4
RIGHTS = MMUDR_R | MMUDR_W | MMUDR_X
CLEARS = MMUOR_CA | MMUOR_CNL | MMUOR_CAS
OVERLAPS = 1 << WARN_OVERLAP

# Keys of pages, of kernel.page_keys.
CLEAR_ALL, CLEAR_ASID = -1, -2  # keys of page_keys; the second is less by the ASID
KEY_SIDE, KEY_SHARED, KEY_ASID = 31, 30, 22  # bits of a page's key
