"""The command ``cfemu gdb``: serve one target until a debugger kills it, or Ctrl-C."""

import ipaddress
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from emu.debug.gdb_server import GdbServer
from emu.debug.target import Target

__all__ = ["serve_gdb"]


def serve_gdb(target: Target, host: str, port: int) -> None:
    """Serve ``target`` and say on stderr how to connect. UsageError when the port cannot be had."""
    server = GdbServer(target.session, host, port, threads=target.threads, say=say)
    try:
        where, number = server.address
        say(target.title)
        for note in target.notes:
            say(note)
        if not is_loopback(where):
            say(f"warning: whoever reaches {where}:{number} over the network controls this guest, without a password")
        say(f"listening on {where}:{number}; connect with")
        say(f"  gdb-multiarch {target.files[0]} -ex 'target remote {where}:{number}'")
        with leaving_by_signal():
            server.serve()
    finally:
        server.close()


def say(text: str) -> None:
    """A message; the guest's console has stdout."""
    print(f"cfemu: {text}", file=sys.stderr, flush=True)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach ``host``, an address."""
    return ipaddress.ip_address(host).is_loopback


@contextmanager
def leaving_by_signal() -> Iterator[None]:
    """SIGTERM ends the server as Ctrl-C does."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
