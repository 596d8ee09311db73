"""The choices that are orthogonal to the strategy: how ranges are mapped, which miss handler, when the TLB is flushed.

One place names them, so that scenario files, the command line, the plan and the result rows speak the same words.
"""

from enum import StrEnum

__all__ = ["FLUSHES", "HANDLERS", "MAPPINGS", "Flush", "Handler", "Mapping"]


class Mapping(StrEnum):
    """How the fixed part of the kernel heap is mapped."""

    ACR = "acr"
    LOCKED_1M = "locked-1m"
    UNLOCKED_1M = "unlocked-1m"
    PAGED_8K = "paged-8k"
    PAGED_4K = "paged-4k"


class Handler(StrEnum):
    """Which TLB-miss handler the firmware runs for kernel addresses."""

    RANGE = "range"
    TWO_LEVEL = "two-level"
    LINEAR = "linear"


class Flush(StrEnum):
    """What an address-space switch does to the TLB."""

    SWITCH = "switch"
    ASID = "asid"


MAPPINGS = {
    Mapping.ACR: "ACR1 and ACR3 pass kernel addresses through (PA = VA, no TLB); needs SDRAM at the kernel's address",
    Mapping.LOCKED_1M: "1-MB TLB entries locked at boot: never missed, but gone for everybody else",
    Mapping.UNLOCKED_1M: "1-MB TLB entries loaded by the miss handler",
    Mapping.PAGED_8K: "8-KB TLB entries loaded by the miss handler",
    Mapping.PAGED_4K: "4-KB TLB entries loaded by the miss handler",
}

HANDLERS = {
    Handler.RANGE: "bounds check + add for the direct range, then a scan of at most 32 ranges (the Coyotos port)",
    Handler.TWO_LEVEL: "two-level page table, as Linux/m68k walks it",
    Handler.LINEAR: "linear page table: one load indexed by the virtual page number",
}

FLUSHES = {
    Flush.SWITCH: "every switch clears all unlocked entries, kernel ones included (the Coyotos port)",
    Flush.ASID: "entries carry the address-space identifier; a switch clears nothing",
}
