"""A plugin: a strategy that holds headers for half of the tunable reserve and takes slabs for the rest, a workload of
short calls, a smaller board, and a camera. Use it as ``cfemu compare --plugin examples/plugin_half.py``."""

from emu.board import Board
from kernel_model import abi
from kernel_model.devices import Kind
from kernel_model.strategies import STRATEGIES as KNOWN
from kernel_model.strategies import Strategy
from kernel_model.strategies.base import Reserves
from kernel_model.workloads.base import Guest, Workload

MEGABYTE = 1 << 20


def half(reserves: Reserves) -> int:
    """Device memory that headers are made for at boot."""
    return reserves.device // 2


def short_calls(guest: Guest) -> None:
    """As ping-pong, a tenth as long."""
    guest.command(abi.Command.PING_PONG, max(1, guest.amounts.ipc_round_trips // 10))


SLAB = KNOWN["slab"]
STRATEGIES = [
    Strategy(
        name="half",
        summary="headers for half of the reserve at boot, slabs of them when those run out",
        origin="an example",
        growth=SLAB.growth,
        area=SLAB.area,
        boot_memory=half,
        on_grow=SLAB.on_grow,
        cannot=SLAB.cannot,
    )
]
WORKLOADS = [Workload("short-calls", "a tenth of ping-pong", short_calls, by_default=False)]
BOARDS = [
    Board(
        name="mine",
        summary="24 MB SDRAM at PA 0",
        ram=((0, 24 * MEGABYTE),),
        device_window=(0x80000000, 256 * MEGABYTE),
        mbar=0xFF000000,
        core_hz=200_000_000,
    )
]
DEVICES = {"camera": Kind(4 * MEGABYTE, True, "frame memory of a camera")}
