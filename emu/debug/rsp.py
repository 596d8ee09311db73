"""gdb's remote serial protocol as bytes: packets out of a stream, and into one (gdb manual, appendix E).

Nothing here knows what packets mean. Whatever bytes come, the decoder gives packets, interrupts and complaints, and
never raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["MOST", "Decoder", "Sign", "encode", "escape", "from_hex", "number", "to_hex", "unescape"]

MOST = 0x8000  # bytes of a packet; more is dropped
ESCAPE, FLIP = 0x7D, 0x20
DIGITS = frozenset(b"0123456789abcdefABCDEF")
LONGEST_NUMBER = 16


class Sign(Enum):
    """What is no packet."""

    ACK = auto()
    NACK = auto()
    INTERRUPT = auto()
    BAD = auto()  # a packet with a wrong checksum, or too long


@dataclass
class Decoder:
    """Cuts a stream into packets, whose contents come as they were sent, escapes and all."""

    checked: bool = True  # whether checksums count; without acknowledgements gdb's are still right
    _buffer: bytearray | None = None  # of the packet that has begun
    _digits: bytearray | None = None  # of its checksum

    def feed(self, data: bytes) -> Iterator[bytes | Sign]:
        """What ``data`` completes, in order."""
        for byte in data:
            result = self._take(byte)
            if result is not None:
                yield result

    def _take(self, byte: int) -> bytes | Sign | None:
        if self._digits is not None:
            self._digits.append(byte)
            return self._end() if len(self._digits) == 2 else None
        if byte == ord("$"):  # also in the middle of a packet, whose end was lost
            self._buffer = bytearray()
        elif self._buffer is None:
            return {ord("+"): Sign.ACK, ord("-"): Sign.NACK, 3: Sign.INTERRUPT}.get(byte)
        elif byte == ord("#"):
            self._digits = bytearray()
        elif len(self._buffer) < MOST:
            self._buffer.append(byte)
        else:
            self._buffer = None
            return Sign.BAD
        return None

    def _end(self) -> bytes | Sign:
        assert self._buffer is not None
        assert self._digits is not None
        packet, digits = bytes(self._buffer), bytes(self._digits)
        self._buffer = self._digits = None
        try:
            right = int(digits, 16) == checksum(packet)
        except ValueError:
            right = False
        return packet if right or not self.checked else Sign.BAD


def checksum(packet: bytes) -> int:
    """The sum of all bytes, modulo 256."""
    return sum(packet) & 0xFF


def encode(packet: bytes) -> bytes:
    """A packet as it goes over the wire; its contents are escaped already where they need it."""
    return b"$" + packet + b"#%02x" % checksum(packet)


def escape(data: bytes) -> bytes:
    """Binary data inside a packet."""
    found = bytearray()
    for byte in data:
        if byte in b"#$}*":
            found += bytes([ESCAPE, byte ^ FLIP])
        else:
            found.append(byte)
    return bytes(found)


def unescape(data: bytes) -> bytes:
    """The binary data that was escaped. ValueError when an escape is cut off."""
    found = bytearray()
    rest = iter(data)
    for byte in rest:
        if byte == ESCAPE:
            byte = next(rest, -1) ^ FLIP
        if byte < 0:
            raise ValueError("an escape is cut off")
        found.append(byte)
    return bytes(found)


def to_hex(data: bytes) -> bytes:
    """Two digits a byte."""
    return data.hex().encode()


def from_hex(text: bytes) -> bytes:
    """The bytes that were sent as digits. ValueError for anything else."""
    if not set(text) <= DIGITS:  # bytes.fromhex lets spaces pass
        raise ValueError("no hex digits")
    return bytes.fromhex(text.decode("ascii"))


def number(text: bytes) -> int:
    """A hexadecimal number, without sign or prefix. ValueError for anything else."""
    if not 0 < len(text) <= LONGEST_NUMBER or not set(text) <= DIGITS:  # int would let 0x, _ and signs pass
        raise ValueError("no hex number")
    return int(text, 16)
