"""Boards: what answers at which physical address, and how fast the core runs.

A device aperture that appears later is attached with :meth:`emu.machine.Machine.attach_memory` in ``device_window``.
"""

from dataclasses import dataclass

from emu.errors import BoardError

__all__ = ["BOARDS", "DEFAULT_BOARD", "Board", "get_board"]

MB = 1 << 20
GB = 1 << 30
ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True)
class Board:
    """One board. ``ram``: (PA, bytes) of each bank; ``device_window``: (PA, bytes) where devices may appear, or None;
    ``mbar``: PA of the peripheral window after reset; ``core_hz``: core clock; ``kernel_va``: where a kernel is linked;
    ``bus_ratio``: core cycles per bus clock, which the peripherals count.
    """

    name: str
    summary: str
    ram: tuple[tuple[int, int], ...]
    device_window: tuple[int, int] | None
    mbar: int
    core_hz: int
    kernel_va: int = 0xC0000000
    bus_ratio: int = 2

    def __post_init__(self) -> None:
        """BoardError for a board that cannot be."""
        if not self.ram:
            raise BoardError(f"board {self.name!r} has no RAM")
        for base, size in (*self.ram, *([self.device_window] if self.device_window is not None else ())):
            if not (base >= 0 < size and base + size <= ADDRESS_SPACE):
                raise BoardError(f"board {self.name!r}: no {size} bytes at {base:#x} in 32 bits of addresses")
        if self.core_hz < 1 or self.bus_ratio < 1:
            raise BoardError(f"board {self.name!r}: its clocks must be positive")

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM in all banks."""
        return sum(size for _, size in self.ram)


TARGET_MB = 128  # of the target of coyotos-dev, 2007


def coyotos(megabytes: int, low: bool) -> Board:
    """The target of coyotos-dev, with so much SDRAM, where the kernel is linked or at PA 0."""
    name = f"coyotos{megabytes}" + ("-low" if low else "")
    if megabytes != TARGET_MB:
        summary = f"the target with {megabytes} MB SDRAM at PA " + ("0" if low else "0xC0000000")
    elif low:
        summary = "the same with SDRAM at PA 0: VA = PA + 0xC0000000, so no ACR can map the kernel"
    else:
        summary = "the target of coyotos-dev, 2007: 128 MB SDRAM at PA 0xC0000000, where the kernel is linked"
    base = 0 if low else 0xC0000000
    return Board(name, summary, ((base, megabytes * MB),), (0x80000000, GB), 0xF0000000, 266_000_000)


_ALL = (
    coyotos(TARGET_MB, low=False),
    coyotos(TARGET_MB, low=True),
    *(coyotos(megabytes, low) for megabytes in (16, 32, 64, 256, 512) for low in (False, True)),
    Board(
        "m5475evb",
        "Freescale M5475EVB: 64 MB SDRAM at PA 0, 256-MB PCI window (U-Boot M5485EVB.h), MBAR 0xFF000000 (Linux)",
        ((0x00000000, 64 * MB),),
        (0x80000000, 256 * MB),
        0xFF000000,
        266_000_000,
    ),
    Board(
        "firebee",
        "FireBee, MCF5474: 512 MB SDRAM at PA 0, 1-GB PCI window (BaS_gcc pci.h), MBAR 0xFF000000",
        ((0x00000000, 512 * MB),),
        (0x80000000, GB),
        0xFF000000,
        264_000_000,
    ),
)
BOARDS: dict[str, Board] = {board.name: board for board in _ALL}
DEFAULT_BOARD = "coyotos128"


def get_board(name: str) -> Board:
    """The board called ``name``; raises BoardError naming the ones there are."""
    if name not in BOARDS:
        raise BoardError(f"board {name!r} is unknown; there are {', '.join(BOARDS)}")
    return BOARDS[name]
