"""Devices that appear after boot, and where their apertures land in the board's device window.

The aperture, not the memory chip, is what the kernel sees: one Page header for each page of it.  Sizes are those real
devices ask for in their base address registers, rounded up to a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CATALOGUE", "Arrival", "Departure", "Device", "Kind", "PlacedDevice", "place", "synthetic"]

KILOBYTE = 1 << 10
MEGABYTE = 1 << 20
GIGABYTE = 1 << 30


class Arrival(StrEnum):
    """When a device is attached; both are after boot."""

    CONFIGURATION = "configuration"  # found by its driver during start-up, before a `release` strategy gives back
    LATE = "late"  # plugged in when the system believed its configuration known


class Departure(StrEnum):
    """What becomes of a device once all have come."""

    NEVER = "never"
    UNPLUGGED = "unplugged"  # pulled out for good
    BACK = "back"  # pulled out, and plugged in again where it was
    ELSEWHERE = "elsewhere"  # pulled out, and plugged in again at another address


@dataclass(frozen=True)
class Device:
    """A device with ``size`` bytes of memory; ``base`` is None where the board chooses."""

    name: str
    size: int
    arrival: Arrival = Arrival.CONFIGURATION
    base: int | None = None
    memory: bool = True
    """Whether the aperture is memory, which could hold page headers, and not registers."""
    departure: Departure = Departure.NEVER

    @property
    def may_hold_headers(self) -> bool:
        """Whether page headers can lie in it: memory that stays."""
        return self.memory and self.departure is Departure.NEVER


@dataclass(frozen=True)
class PlacedDevice:
    """A device with its physical address, or the reason why it got none."""

    device: Device
    base: int
    refusal: str = ""

    @property
    def end(self) -> int:
        """First byte after the aperture."""
        return self.base + self.device.size

    def pages(self, page_size: int) -> int:
        """Headers that the device needs."""
        return -(-self.device.size // page_size)

    def headers(self, page_size: int, *, recycled: bool) -> int:
        """Headers that it takes in all: those of an address that it has left are lost unless they are ``recycled``."""
        addresses = 2 if self.device.departure is Departure.ELSEWHERE and not recycled else 1
        return addresses * self.pages(page_size)


@dataclass(frozen=True)
class Kind:
    """A kind of device: its aperture in bytes, whether that is memory or registers, and where the size comes from."""

    size: int
    memory: bool
    source: str


CATALOGUE: dict[str, Kind] = {
    "lcd": Kind(1 * MEGABYTE, True, "frame buffer of the Coyotos target board's LCD (kernel sheet 6)"),
    "graphics-8": Kind(8 * MEGABYTE, True, "PCI graphics of the 1990s, one linear aperture"),
    "graphics-64": Kind(64 * MEGABYTE, True, "graphics of about 2001, prefetchable BAR"),
    "graphics-128": Kind(128 * MEGABYTE, True, "graphics of about 2003, prefetchable BAR"),
    "graphics-256": Kind(256 * MEGABYTE, True, "what a GPU exposes for 32-bit compatibility (kernel sheet 6)"),
    "graphics-512": Kind(512 * MEGABYTE, True, "the guide's own example of 2007 (kernel sheet 6)"),
    "rebar-8192": Kind(8 * GIGABYTE, True, "resizable BAR of a graphics card since 2020: all of its memory"),
    "rebar-16384": Kind(16 * GIGABYTE, True, "the same, 16 GB"),
    "rebar-32768": Kind(32 * GIGABYTE, True, "the same, 32 GB"),
    "flash": Kind(8 * MEGABYTE, True, "flash of the FireBee (BaS_gcc mmu.c; hardware sheet 2.3)"),
    "network": Kind(128 * KILOBYTE, False, "Intel 8254x, memory BAR 0"),
    "usb": Kind(4 * KILOBYTE, False, "OHCI host controller, memory BAR 0"),
    "text-console": Kind(128 * KILOBYTE, True, "0xA0000 to 0xBFFFF (kernel sheet 2.1)"),
}


def synthetic(megabytes: int) -> tuple[Device, ...]:
    """A population of one device with ``megabytes`` of memory, none for 0."""
    return (Device(f"device memory {megabytes} MB", megabytes * MEGABYTE),) if megabytes else ()


def _align(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _bar_alignment(size: int, page_size: int) -> int:
    """A base address register decodes a power of two, so an aperture is aligned to its size rounded up to one."""
    return max(1 << (size - 1).bit_length(), page_size)


def place(devices: Sequence[Device], window: tuple[int, int] | None, page_size: int) -> tuple[PlacedDevice, ...]:
    """Give each device a base in ``window`` (base, size), in order, aligned as a PCI base address register is.

    A device that does not fit is placed nowhere and carries the reason: the board cannot have it whatever the kernel
    does, so it is a refusal and not bad input.
    """
    placed: list[PlacedDevice] = []
    base, size = window or (0, 0)
    taken = [(item.base, item.base + _align(item.size, page_size)) for item in devices if item.base is not None]
    for device in devices:
        if window is None:
            placed.append(PlacedDevice(device, 0, "the board has no device window"))
            continue
        start = device.base if device.base is not None else _first_fit(device.size, base, taken, page_size)
        if start < base or start + device.size > base + size:
            reason = f"{device.size} bytes do not fit the board's device window {base:#x}..{base + size - 1:#x}"
            placed.append(PlacedDevice(device, 0, reason))
            continue
        if device.base is None:
            taken.append((start, start + _align(device.size, page_size)))
        placed.append(PlacedDevice(device, start))
    return tuple(placed)


def _first_fit(size: int, base: int, taken: list[tuple[int, int]], page_size: int) -> int:
    alignment = _bar_alignment(size, page_size)
    start = _align(base, alignment)
    for low, high in sorted(taken):
        if start < high and low < start + _align(size, page_size):
            start = _align(high, alignment)
    return start
