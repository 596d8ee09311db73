"""All engines agree on the nucleus: retired instructions, cycles, every miss count, registers and memory."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from kernel_model.abi import Command, FlushPolicy, GrowthKind, HandlerKind, MappingKind
from tests.support.nucleus import CARD, Driver

REGISTERS = [f"{kind}{i}" for kind in "da" for i in range(8)] + ["pc", "sr", "usp", "asid"]
CASES: list[tuple[str, dict[str, int]]] = [
    ("coyotos128", {"mapping": MappingKind.UNLOCKED_1M, "growth": GrowthKind.SLAB}),
    ("coyotos128", {"mapping": MappingKind.ACR, "growth": GrowthKind.ALTMAP, "handler": HandlerKind.LINEAR}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_8K, "growth": GrowthKind.MAPPED}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_4K, "page_shift": 12, "handler": HandlerKind.TWO_LEVEL}),
]


def outcome(engine: str, board: str, parameters: Mapping[str, int]) -> dict[str, Any]:
    window = {"growth_va": 0xE000_0000, "growth_limit": 0xE100_0000} if "growth" in parameters else {}
    with Driver(board, engine=engine, parameters={**parameters, **window, "flush": FlushPolicy.FLUSH}) as guest:
        guest.run(Command.PING_PONG, 6)
        guest.run(Command.ATTACH, CARD, 300)
        guest.run(Command.FRAME_BUFFER, 3, 4, 9, CARD, 60)
        guest.run(Command.COLD_PREPARE, 100, 7)
        memory = guest.machine.read_physical(guest.base, 0x0400_0000)
        return {
            "counters": guest.machine.counters().to_dict(),
            "registers": [guest.machine.registers[name] for name in REGISTERS],
            "memory": hashlib.sha256(memory).hexdigest(),
            "done": guest.done,
        }


@pytest.mark.parametrize(("board", "parameters"), CASES)
@pytest.mark.parametrize("engine", ["native", "public"])
def test_an_engine_counts_what_the_reference_counts(engine: str, board: str, parameters: Mapping[str, int]) -> None:
    assert outcome(engine, board, parameters) == outcome("reference", board, parameters)
