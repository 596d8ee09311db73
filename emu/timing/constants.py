"""Every number of the time model that is not a cell of the instruction table, with its source: ``Costs``.

What they mean is docs/timing-model.md. The cells of the table are in :mod:`emu.timing.isa`; both can be overridden from
a file (:mod:`emu.time_numbers`).
"""

from dataclasses import dataclass, field, fields
from typing import Any

from emu.errors import UsageError

__all__ = ["CostNote", "Costs", "cost_notes"]

_MAX_COST = 1_000_000  # keeps any sum of costs far inside 64 bits; no hardware access is this slow
# Waits are packed into 3 and 2 bits (emu.timing.pipeline).
_MAX_ADDRESS_WAIT, _MAX_OPERAND_WAIT, _MAX_STORE_DISTANCE = 7, 3, 4


def _cost(default: int, source: str, confidence: str, most: int = _MAX_COST) -> Any:
    """A dataclass field for one cost: its default in core cycles, where that comes from and how sure it is."""
    return field(default=default, metadata={"source": source, "confidence": confidence, "most": most})


def _address_wait(default: int, source: str, confidence: str) -> Any:
    return _cost(default, source, confidence, _MAX_ADDRESS_WAIT)


def _operand_wait(default: int, source: str, confidence: str) -> Any:
    return _cost(default, source, confidence, _MAX_OPERAND_WAIT)


@dataclass(frozen=True, slots=True)
class Costs:
    """Core cycles that are no cell of the instruction table.

    Raises :class:`~emu.errors.UsageError` naming the cost that is out of range or no integer.
    """

    exception_entry: int = _cost(
        18,
        "TRAP #n is 18(1/2): one vector read, two stack writes, pipeline refill (5407UM T2-16); "
        "taken for every exception (sheet 4.8)",
        "INF",
    )
    mmu_register_access: int = _cost(2, "on-core register window: 1-2, the upper end taken (sheet 4.8)", "INF")
    inhibited_read: int = _cost(24, "middle of 20-28 core cycles to the first longword (sheet 4.7)", "INF")
    inhibited_write: int = _cost(
        5, "inhibited precise write, or store buffer off: pipeline stalls 5 cycles (548xRM 7-16)", "1S"
    )
    # The FPU, all levels.
    fpu_move: int = _cost(1, "FMOVE, FNEG, FABS, FTST, moves of control registers: GCC cfv4_fneg", "1S")
    fpu_pipeline: int = _cost(4, "FADD, FSUB, FMUL, FCMP, FINT, FINTRZ: GCC cfv4_falu, 7 counted from DS", "1S")
    fpu_second_longword: int = _cost(1, "a double in memory is two longwords; no cell seen", "INF")
    fdiv: int = _cost(23, "GCC cfv4_fdiv", "1S")
    fsqrt: int = _cost(56, "GCC cfv4_fsqrt", "1S")
    # The pipeline: cycles from the end of an instruction until its result can be used.
    late_address: int = _address_wait(
        3, "EX-stage result used as an address: 4 cycles after issue; GCC cfv4_00_ex", "1S"
    )
    load_address: int = _address_wait(2, "MOVE.L from memory, forwarded from OC2: GCC cfv4_10_pOEP1", "1S")
    multiply_address: int = _address_wait(6, "GCC cfv4_emac_mul: 7 counted from DS", "2S")
    multiply_operand: int = _operand_wait(3, "4 to the result: GCC cfv4_emac_mul, EMAC chapters 5223x/5281", "2S")
    early_index: int = _operand_wait(
        2, "fresh result of the address ALU as index, scale 1: GCC m68k_sched_adjust_cost", "1S"
    )
    early_index_scaled: int = _operand_wait(3, "the same with a scale: GCC m68k_sched_indexed_address_bypass_p", "1S")
    fpu_operand: int = _operand_wait(3, "4 stages, EX1-EX4: CF4UM 6-16, GCC cfv4_falu", "1S")
    mac_accumulator: int = _operand_wait(3, "4-stage array: EMAC chapters 5223x/5281", "1S")
    multiply_issue: int = _cost(1, "issue rate of the EMAC array: EMAC chapters 5223x/5281", "1S")
    fpu_issue: int = _cost(1, "one operation can start in each cycle: CF4UM 6-16", "1S")
    load_after_store: int = _cost(1, "OC1 read meets ST write: CF4UM 6-16", "1S", _MAX_ADDRESS_WAIT)
    load_after_store_distance: int = _cost(
        4, "cycles from the store to that load: stages ST and OC1, CF4UM 6-4", "INF", _MAX_STORE_DISTANCE
    )
    # Branches.
    branch_cached: int = _cost(0, "branch cache correctly predicts taken: 5407UM T2-18", "2S")
    branch_taken: int = _cost(1, "prediction table correctly predicts taken: 5407UM T2-18", "1S")
    branch_not_taken: int = _cost(1, "correctly predicted not taken: 5407UM T2-18", "1S")
    branch_mispredicted: int = _cost(8, "5407UM T2-18", "1S")
    return_predicted: int = _cost(2, "5407UM T2-17; GCC cfv4_rts", "2S")
    return_unpredicted: int = _cost(8, "5407UM T2-17", "1S")
    return_mispredicted: int = _cost(9, "5407UM T2-17", "1S")
    # Memory, level full.
    line_first: int = _cost(24, "critical longword first: 20-28 core cycles (sheet 4.7, BaS_gcc sysinit.c)", "INF")
    line_burst: int = _cost(6, "the other three longwords: 6-8 core cycles (sheet 4.7)", "INF")
    line_push: int = _cost(30, "a dirty line written back takes the bus as long as a fill", "INF")
    store_drain: int = _cost(
        5, "a buffered write takes the bus as long as an unbuffered one stalls: 548xRM 7-16", "INF"
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value, most = getattr(self, item.name), item.metadata["most"]
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"costs.{item.name}: {value!r} is not a number of cycles")
            if not 0 <= value <= most:
                raise UsageError(f"costs.{item.name}: {value} is not between 0 and {most} cycles")
        if self.early_index > self.early_index_scaled:
            limit = self.early_index_scaled
            raise UsageError(f"costs.early_index: {self.early_index} is more than costs.early_index_scaled, {limit}")


@dataclass(frozen=True, slots=True)
class CostNote:
    """One cost with its source, for printing."""

    name: str
    cycles: int
    source: str
    confidence: str


def cost_notes(costs: Costs) -> list[CostNote]:
    """Every cost in declaration order. An overridden value keeps no source: it is the user's."""
    return [_note(item, getattr(costs, item.name)) for item in fields(costs)]


def _note(item: Any, cycles: int) -> CostNote:
    if cycles != item.default:
        return CostNote(item.name, cycles, "set by the user", "-")
    return CostNote(item.name, cycles, item.metadata["source"], item.metadata["confidence"])
