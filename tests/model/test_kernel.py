"""The model's half of the kernel against a scripted guest: frames are conserved, answers follow the strategy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.board import get_board
from kernel_model import abi
from kernel_model.choices import Mapping
from kernel_model.devices import Device
from kernel_model.kernel import KernelModel
from kernel_model.layout import make_plan
from kernel_model.physmem import Use
from kernel_model.scenario import parse_scenario
from kernel_model.strategies import STRATEGIES

MEGABYTE = 1 << 20
DEVICES = (Device("card", 64 * MEGABYTE), Device("net", 128 << 10, memory=False))


def call(model: KernelModel, number: int, *args: int) -> tuple[int, tuple[int, ...]]:
    answer = model(number, (*args, *(0,) * (16 - len(args))))
    assert answer is not None
    return int(answer[0]), tuple(answer[1])


def booted(strategy: str, mapping: Mapping = Mapping.ACR, percent: float = 100.0, toml: str = "") -> KernelModel:
    plan = make_plan(
        parse_scenario(toml.encode(), "t"), get_board("coyotos128"), STRATEGIES[strategy], mapping, DEVICES
    )
    model = KernelModel(plan, percent)
    values = plan.parameters.values
    for vector in abi.Vector:
        pages = -(-values["vector_count"][vector] * values["vector_stride"][vector] // plan.page_size)
        while pages:
            status, (_, granted) = call(model, abi.Hypercall.GROW, abi.GrowKind.BOOT, pages, vector)
            assert status == abi.Refusal.OK
            pages -= granted
    index = 0
    while call(model, abi.Hypercall.PAGE_SPACE, index)[1][1]:
        index += 1
    call(model, abi.Hypercall.GROW, abi.GrowKind.USER, 1, 0)
    call(model, abi.Hypercall.BOOTED, 0, 0, 0, 0, 10, 1, 0, 0)
    return model


def conserved(model: KernelModel) -> bool:
    """Promised and resident + heap + headers + image = RAM."""
    kinds = (Use.PAGES, Use.PINNED, Use.HEAP, Use.HEADERS, Use.KERNEL)
    total = sum(model.memory.total(use) for use in kinds)
    resident = model.memory.total(Use.PAGES) + model.memory.total(Use.PINNED)
    return (
        total == model.plan.ram[1]
        and resident == model.bank.resident * model.plan.page_size
        and model.heap_bytes() == model.memory.total(Use.HEAP) + model.memory.total(Use.HEADERS)
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_frames_are_conserved_at_boot(strategy: str) -> None:
    mapping = Mapping.PAGED_8K if strategy == "grow" else Mapping.ACR
    assert conserved(booted(strategy, mapping))


@given(st.lists(st.booleans(), max_size=30), st.sampled_from(["grow", "hybrid", "slab"]))
def test_growth_takes_promised_frames_one_by_one(undo: list[bool], strategy: str) -> None:
    model = booted(strategy, Mapping.PAGED_8K if strategy == "grow" else Mapping.ACR)
    kind = abi.GrowKind.SLAB if strategy == "slab" else abi.GrowKind.HEADERS
    seen: set[int] = set()
    for give_back in undo:
        status, (pa, pages) = call(model, abi.Hypercall.GROW, kind, 1, DEVICES[0].size)
        assert (status, pages) == (abi.Refusal.OK, 1)
        assert pa not in seen
        if give_back:
            call(model, abi.Hypercall.RELEASE, pa, pages)
        else:
            seen.add(pa)
        assert conserved(model)
    assert model.bank.taken_back == model.bank.lost == len(seen)


def test_content_is_lost_only_when_everything_is_allocated() -> None:
    model = booted("slab", percent=50)
    for _ in range(10):
        call(model, abi.Hypercall.GROW, abi.GrowKind.SLAB, 1, 0)
    assert (model.bank.taken_back, model.bank.lost) == (10, 0)


def test_slab_frames_are_direct_mapped_and_hybrid_frames_are_not() -> None:
    slab, hybrid = booted("slab"), booted("hybrid")
    before = slab.heap_bytes()
    call(slab, abi.Hypercall.GROW, abi.GrowKind.SLAB, 1, 0)
    call(hybrid, abi.Hypercall.GROW, abi.GrowKind.HEADERS, 1, 0)
    assert slab.direct_mapped_bytes() == slab.heap_bytes() == before + 8192
    assert hybrid.direct_mapped_bytes() == hybrid.heap_bytes() - 8192


def test_top_down_paged_heap_is_nowhere_direct_mapped() -> None:
    toml = '[kernel]\nallocation = "top-down"'
    assert booted("grow", Mapping.PAGED_8K, toml=toml).direct_mapped_bytes() == 0
    assert booted("reserve", Mapping.ACR, toml=toml).direct_mapped_bytes() > 0


def test_pinned_user_frames_are_never_taken() -> None:
    model = booted("slab")
    (pinned,) = (region for region in model.memory.regions if region.use is Use.PINNED)
    taken = {call(model, abi.Hypercall.GROW, abi.GrowKind.SLAB, 1, 0)[1][0] for _ in range(50)}
    assert pinned.base not in taken


def test_altmap_takes_from_the_end_of_the_device_until_it_is_used_up() -> None:
    model = booted("altmap", toml="[kernel]\naltmap_large_pages = true")
    card, registers = model.plan.devices
    status, (pa, pages) = call(model, abi.Hypercall.GROW, abi.GrowKind.ALTMAP, 128, card.base)
    assert (status, pa, pages) == (abi.Refusal.OK, card.end - MEGABYTE, 128)
    for subject, name in ((card.base, "card"), (registers.base, "net")):
        assert call(model, abi.Hypercall.GROW, abi.GrowKind.ALTMAP, 128, subject)[0] == abi.Refusal.POLICY
        assert model.reason == f"{name} has no memory that stays and could hold its headers"
    assert model.bank.taken_back == 0
    call(model, abi.Hypercall.RELEASE, pa, pages)
    assert call(model, abi.Hypercall.GROW, abi.GrowKind.ALTMAP, 128, card.base)[1] == (pa, pages)


def test_strategies_without_growth_refuse() -> None:
    assert call(booted("reserve"), abi.Hypercall.GROW, abi.GrowKind.HEADERS, 1, 0)[0] == abi.Refusal.POLICY


def test_release_raises_the_promise() -> None:
    model = booted("release")
    promised, heap = model.bank.promised, model.heap_bytes()
    last = model.chunks[-1]
    call(model, abi.Hypercall.RELEASE, last.pa + last.size - 10 * 8192, 10)
    assert model.bank.promised == promised + 10
    assert model.heap_bytes() == heap - 10 * 8192
    assert conserved(model)


def test_only_headers_can_be_released() -> None:
    model = booted("release")
    promised, first = model.bank.promised, model.chunks[0]
    assert call(model, abi.Hypercall.RELEASE, first.pa, 1)[0] == abi.Refusal.POLICY
    assert model.bank.promised == promised
    assert conserved(model)


def test_the_retune_number_is_given_once() -> None:
    model = booted("reserve")
    model.retune = 100
    assert call(model, abi.Hypercall.REFUSED, 1, 0x80000000, 30, 20)[1] == (100,)
    assert call(model, abi.Hypercall.REFUSED, 1, 0x80000000, 30, 20)[1] == (0,)
    assert model.announced == 100


def test_unknown_hypercall_and_end_of_commands() -> None:
    model = booted("reserve")
    assert call(model, 99)[0] == abi.Refusal.BAD_COMMAND
    assert model(abi.Hypercall.NEXT_COMMAND, (0,) * 16) is None
    model.commands.append((abi.Command.PING_PONG, 5))
    assert call(model, abi.Hypercall.NEXT_COMMAND) == (0, (abi.Command.PING_PONG, 5))
