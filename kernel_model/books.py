"""The books of a run in the words of a result row: heap bytes, frames, and refusals as sentences."""

from kernel_model import abi
from kernel_model.kernel import KernelModel
from kernel_model.results import Frames, HeapBytes, UnpluggedHeaders
from kernel_model.session import Session

__all__ = ["frame_figures", "header_figures", "heap_figures", "refusal_in_words"]

HEADER_VECTORS = frozenset({abi.Vector.PAGE, abi.Vector.RESERVE})

REFUSAL_WORDS = {
    abi.Refusal.RESERVE_EMPTY: "no page header is left",
    abi.Refusal.RANGES_FULL: f"growth needs another range, but the miss handler's table holds {abi.MAX_RANGES}",
    abi.Refusal.GROWTH_AREA_FULL: "the growth area is full",
    abi.Refusal.TABLES_FULL: "no page-table page is left for growth",
    abi.Refusal.NO_OTE: "no object-table entry is left",
    abi.Refusal.NO_FRAME: "no frame is left to take",
}


def frame_figures(model: KernelModel) -> Frames:
    """The promise to the space bank and what became of it."""
    return Frames(promised=model.bank.promised, taken_back=model.bank.taken_back, lost=model.bank.lost)


def header_figures(model: KernelModel) -> UnpluggedHeaders:
    """What became of the headers of detached pages."""
    return UnpluggedHeaders(leaked=len(model.idle_headers), reused=model.reused_headers)


def heap_figures(session: Session) -> HeapBytes:
    """Heap in RAM: what backs it, what is used of it.

    A Page header is used when it describes a resident frame of page space or an attached device page; headers in
    device memory (strategy altmap) are not RAM and count nowhere here.
    """
    plan, model = session.plan, session.model
    values = plan.parameters.values
    counts, strides = values["vector_count"], values["vector_stride"]
    others = sum(counts[vector] * strides[vector] for vector in abi.Vector if vector not in HEADER_VECTORS)
    reserved = model.heap_bytes()
    in_ram = min(session.device_pages().attached, _device_headers_in_ram(session))
    used = others + (model.bank.resident + in_ram) * strides[abi.Vector.PAGE]
    return HeapBytes(reserved=reserved, used=used, wasted=reserved - used, direct_mapped=model.direct_mapped_bytes())


def _device_headers_in_ram(session: Session) -> int:
    """How many of the device headers can lie in RAM: with altmap those made at boot only."""
    booted = session.model.booted
    if session.plan.strategy.growth is not abi.GrowthKind.ALTMAP or booted is None:
        return session.device_pages().attached
    return booted.free_headers


def refusal_in_words(session: Session) -> str | None:
    """Which devices were refused, and why; None when none was."""
    page = session.plan.page_size
    lines = []
    for item in session.placed():
        refused = [event for event in session.model.refused if item.base <= event.pa < item.end]
        if item.refusal:
            lines.append(f"{item.device.name}: {item.refusal}")
        elif refused:
            wanted = item.pages(page) - session.plan.header_pages_in(item)
            reason = refused[0].reason or REFUSAL_WORDS.get(abi.Refusal(refused[0].code), f"code {refused[0].code}")
            lines.append(f"{item.device.name}: {refused[0].pages_left} of {wanted} pages refused, {reason}")
    if session.halted:
        lines.append("the kernel halts there (kernel sheet 2.1)")
    elif session.model.announced is not None:
        lines.append(f"re-tune with reserve={session.model.announced} and reboot")
    return "; ".join(lines) or None
