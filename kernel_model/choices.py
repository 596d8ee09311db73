"""The choices that are orthogonal to the strategy: how ranges are mapped, which miss handler, when the TLB is flushed.

One place names them, so that scenario files, the command line, the plan and the result rows speak the same words.
"""

from enum import StrEnum

__all__ = ["Flush", "Handler", "Mapping"]


class Mapping(StrEnum):
    """How the fixed part of the kernel heap is mapped."""

    ACR = "acr"
    """ACR0 and ACR2 pass kernel addresses through: PA = VA, no TLB; needs SDRAM where the kernel is linked."""
    LOCKED_1M = "locked-1m"
    """1-MB TLB entries locked at boot: never missed, but gone for everybody else."""
    UNLOCKED_1M = "unlocked-1m"
    """1-MB TLB entries, loaded by the miss handler with a bounds check and an addition."""
    PAGED_8K = "paged-8k"
    """8-KB TLB entries, loaded by the miss handler from its table."""
    PAGED_4K = "paged-4k"
    """The same with 4-KB pages throughout: twice as many page headers."""


class Handler(StrEnum):
    """Which TLB-miss handler the firmware runs for kernel addresses."""

    RANGE = "range"
    """A scan of at most 32 ranges, as in the Coyotos port."""
    TWO_LEVEL = "two-level"
    """A two-level page table, as Linux/m68k walks it."""
    LINEAR = "linear"
    """A linear page table: one load, indexed by the virtual page number."""


class Flush(StrEnum):
    """What an address-space switch does to the TLB."""

    SWITCH = "switch"
    """It clears all unlocked entries, kernel ones included, as in the Coyotos port."""
    ASID = "asid"
    """Nothing: entries carry the address-space identifier."""
