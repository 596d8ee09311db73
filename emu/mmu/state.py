"""What the MMU remembers: one numpy record, shared by the engine, the trace replayer and the debugger.

The record holds the architectural registers and both TLBs as register images. Beside them stand a few words derived
from the images (compare masks, barred nodes, the number of valid entries) or from the configuration (paths through the
replacement tree), so that the functions called millions of times per second stay a couple of and/or operations. They
are written only where their source is written: in ``tlb`` and, for locks, ``plru``; in ``new_mmu``.

Everything is i8, so that compiled arithmetic stays int64; whoever writes an image masks it to the bits that exist.
Never u8: numba turns uint64-with-int64 arithmetic into floats.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from emu.mmu.registers import MMUTR_V

ITLB = 0
DTLB = 1

# The first three equal QEMU's MMUAccessType with loads and stores in front (contract with the engine's hooks).
READ = 0
WRITE = 1
FETCH = 2
RMW = 3

# What a register write did to translations. One entry changed: its number and previous image are in the record.
EFFECT_NONE = 0
EFFECT_DTLB = 1
EFFECT_ITLB = 2
EFFECT_ALL = 4

PLRU = 0
LRU = 1
FIFO = 2
RANDOM = 3
POLICIES: dict[str, int] = {"plru": PLRU, "lru": LRU, "fifo": FIFO, "random": RANDOM}

MIN_ENTRIES = 2
MAX_ENTRIES = 128
# CF4UM 10-20: TLB addresses 0-31 are the ITLB, 32-63 the DTLB.
HARDWARE_ENTRIES = 32

# Things that the manuals leave open and that a guest should not rely on: counted, never fatal.
WARN_CAS_READING = 0
WARN_OVERLAP = 1
WARN_ALL_LOCKED = 2
WARN_WINDOW_ACCESS = 3
WARN_WINDOW_RESERVED = 4
WARN_NO_SUCH_ENTRY = 5
WARNINGS: dict[int, str] = {
    WARN_CAS_READING: "CAS while MMUTR[ID] differs from ASID: the guest may expect the other one (sheet 7 item 2)",
    WARN_OVERLAP: "a TLB entry was loaded beside another that matches the same access (sheet 7 item 7)",
    WARN_ALL_LOCKED: "a replacement was requested while every entry was locked (sheet 7 item 10)",
    WARN_WINDOW_ACCESS: "byte or unaligned access to the MMU register window (sheet 7 item 15)",
    WARN_WINDOW_RESERVED: "access to a reserved offset of the MMU register window",
    WARN_NO_SUCH_ENTRY: "ACC with a TLB address that this configuration has not",
}

MMU_DTYPE = np.dtype(
    [
        # Registers of the window (CF4UM 10-13, 10-16); ``mmuor`` keeps the modifier bits, ``aa`` its upper half.
        ("mmucr", "i8"),
        ("mmuor", "i8"),
        ("aa", "i8"),
        ("mmusr", "i8"),
        ("mmuar", "i8"),
        ("mmutr", "i8"),
        ("mmudr", "i8"),
        # Control registers (sheet 2.1).
        ("mmubar", "i8"),
        ("asid", "i8"),
        ("cacr", "i8"),
        ("vbr", "i8"),
        ("mbar", "i8"),
        ("acr", "i8", (4,)),
        ("rambar", "i8", (2,)),
        # Both TLBs as MMUTR/MMUDR images; ``compare`` = the bits of a tag that must equal the probe (tlb.match).
        ("tag", "i8", (2, MAX_ENTRIES)),
        ("data", "i8", (2, MAX_ENTRIES)),
        ("compare", "i8", (2, MAX_ENTRIES)),
        # Replacement: tree bits by node number (root = 1, lower half of n = 2n, upper half = 2n + 1) ...
        ("plru", "i8", (2, 4)),
        ("path_keep", "i8", (2, MAX_ENTRIES, 4)),
        ("path_mark", "i8", (2, MAX_ENTRIES, 4)),
        # ... 1 where every leaf below a node is locked or missing ...
        ("barred", "i8", (2, 2 * MAX_ENTRIES)),
        # ... and the state of the policies that hardware has not.
        ("stamp", "i8", (2, MAX_ENTRIES)),
        ("clock", "i8", (2,)),
        ("rng", "i8", (2,)),
        # Configuration, constant after new_mmu.
        ("entries", "i8", (2,)),
        ("tree", "i8", (2,)),
        ("dtlb_base", "i8"),
        ("policy", "i8"),
        ("seed", "i8"),
        ("cas_uses_mmutr", "i8"),
        # Bookkeeping: number of valid entries, and what the last entry write replaced.
        ("valid", "i8", (2,)),
        ("changed_index", "i8"),
        ("old_tag", "i8"),
        ("old_data", "i8"),
        ("warnings", "i8"),
        ("warning_count", "i8", (8,)),
    ],
    align=True,
)

# Any spelling of "one MMU record": numba sees a record, mypy must not look inside.
Mmu = Any


def tree_size(entries: int) -> int:
    """Leaves of the replacement tree: the smallest power of two that holds ``entries``."""
    return 1 << (entries - 1).bit_length()


def _fill_paths(state: Any, side: int) -> None:
    """Precompute, for each entry, which tree bits a use of it keeps and which it sets (sheet 1.12)."""
    leaves = int(state["tree"][side])
    for index in range(int(state["entries"][side])):
        keep, mark = -1, 0
        node = leaves + index
        while node > 1:
            parent = node >> 1
            keep &= ~(1 << parent)
            mark |= (node & 1) << parent
            node = parent
        for word in range(4):
            state["path_keep"][side, index, word] = keep >> 32 * word & 0xFFFFFFFF
            state["path_mark"][side, index, word] = mark >> 32 * word & 0xFFFFFFFF


def _bar_missing_leaves(state: Any, side: int) -> None:
    """Leaves that the next larger tree has too many are treated as locked for ever."""
    leaves = int(state["tree"][side])
    barred = state["barred"][side]
    barred[leaves + int(state["entries"][side]) : 2 * leaves] = 1
    for node in range(leaves - 1, 0, -1):
        barred[node] = barred[2 * node] & barred[2 * node + 1]


def new_mmu(
    itlb_entries: int = HARDWARE_ENTRIES,
    dtlb_entries: int = HARDWARE_ENTRIES,
    policy: int = PLRU,
    cas_uses_mmutr: bool = False,
    seed: int = 0,
) -> npt.NDArray[Any]:
    """An MMU after reset, as an array of shape (1,) and dtype :data:`MMU_DTYPE`.

    The defaults are the hardware. ``cas_uses_mmutr`` selects the other reading of CAS (sheet 7 item 2); ``seed`` starts
    the RANDOM policy. Raises ValueError, one line, for an entry count outside 2..128 or an unknown policy.
    """
    for name, entries in (("itlb_entries", itlb_entries), ("dtlb_entries", dtlb_entries)):
        if not MIN_ENTRIES <= entries <= MAX_ENTRIES:
            raise ValueError(f"{name}={entries}: a TLB has {MIN_ENTRIES} to {MAX_ENTRIES} entries")
    if policy not in POLICIES.values():
        raise ValueError(f"policy={policy}: choose one of {POLICIES}")
    mmu = np.zeros(1, MMU_DTYPE)
    state = mmu[0]
    state["entries"] = (itlb_entries, dtlb_entries)
    state["tree"] = (tree_size(itlb_entries), tree_size(dtlb_entries))
    state["dtlb_base"] = max(HARDWARE_ENTRIES, *(int(leaves) for leaves in state["tree"]))
    state["policy"] = policy
    state["cas_uses_mmutr"] = int(cas_uses_mmutr)
    # Xorshift never leaves zero, so zero must not be a start.
    state["seed"] = (seed ^ 0x9E3779B9) & 0xFFFFFFFF or 1
    state["rng"] = state["seed"]
    # V is compared in every entry, so that one never written does not match.
    state["compare"] = MMUTR_V
    for side in (ITLB, DTLB):
        _fill_paths(state, side)
        _bar_missing_leaves(state, side)
    return mmu
