"""The TCP end of the gdb stub: one client at a time, on the loopback interface unless told otherwise.

Everything happens in one thread. While the guest runs, the session looks at the sockets between two slices: for gdb's
interrupt, and for a second client, who is told that there is a first one.
"""

import contextlib
import select
import socket
from collections.abc import Callable

from emu.debug.gdb import Reply, Stub
from emu.debug.rsp import Decoder, Sign, encode
from emu.debug.session import Session
from emu.debug.threads import ThreadList, the_cpu
from emu.errors import UsageError

__all__ = ["GdbServer"]

RECEIVE = 1 << 16
PATIENCE = 0.1  # seconds until it is looked for other clients
BUSY = encode(b"E.cfemu: another debugger is connected")


class _Gone(Exception):
    """The client has closed the connection."""


class GdbServer:
    """Serves ``session`` on ``host``, ``port`` (0: a free one, which ``address`` then names).

    UsageError when that cannot be had. ``say`` gets messages for whoever started the server.
    """

    def __init__(
        self,
        session: Session,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        threads: ThreadList = the_cpu,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._session = session
        self._stub = Stub(session, threads)
        self._say = say
        try:
            self._listener = socket.create_server((host, port), family=_family(host))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from error
        self._client: _Client | None = None
        session.poll = self._poll

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def serve(self) -> None:
        """Serve clients, one after the other, until one of them kills the guest."""
        while True:
            connection, peer = self._listener.accept()
            with connection:
                self._say(f"{peer[0]}:{peer[1]} is connected")
                killed = self._serve_client(connection)
                self._stub.disconnect()
                self._say("killed" if killed else f"{peer[0]}:{peer[1]} is gone; the guest waits where it is")
            if killed:
                return

    def close(self) -> None:
        """Free the port."""
        self._listener.close()

    def _serve_client(self, connection: socket.socket) -> bool:
        """Serve one client to the end of its connection; whether it killed the guest."""
        client = self._client = _Client(connection)
        try:
            while True:
                packet = client.next_packet(self._refuse_others)
                reply = self._stub.handle(packet)
                client.send(reply)
                if reply.detach or reply.kill:
                    return reply.kill
        except (_Gone, OSError):
            return False
        finally:
            self._client = None

    def _poll(self) -> None:
        """Between two slices of a running guest."""
        if self._client is not None and self._client.wants_interrupt():
            self._stub.interrupt()
        else:
            self._refuse_others()

    def _refuse_others(self) -> None:
        """Whoever else connects is told why that does not work."""
        while select.select([self._listener], [], [], 0)[0]:
            connection, _peer = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"+" + BUSY)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Client:
    """One connection: packets in, packets out, with acknowledgements as long as the client wants them."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._decoder = Decoder()
        self._waiting: list[bytes | Sign] = []  # packets and interrupts in the order they came
        self._acks = True
        self._sent = b""
        self._gone = False

    def next_packet(self, meanwhile: Callable[[], None]) -> bytes:
        """Wait for a packet; ``meanwhile`` is called when something else may have happened."""
        while True:
            self._receive()
            while self._waiting:
                what = self._waiting.pop(0)
                if isinstance(what, bytes):  # else an interrupt of a guest that stands still
                    return what
            if self._gone:
                raise _Gone
            meanwhile()
            select.select([self._connection], [], [], PATIENCE)

    def wants_interrupt(self) -> bool:
        """Whether an interrupt has come, or the connection has gone: then nobody waits for the guest either."""
        self._receive()
        if Sign.INTERRUPT in self._waiting:
            self._waiting.remove(Sign.INTERRUPT)
            return True
        return self._gone

    def send(self, reply: Reply) -> None:
        """Send all packets of a reply."""
        for packet in reply.packets:
            self._sent = encode(packet)
            self._connection.sendall(self._sent)
        if reply.no_acks:
            self._acks = False

    def _receive(self) -> None:
        """Take what has come, without waiting."""
        while not self._gone and select.select([self._connection], [], [], 0)[0]:
            data = self._connection.recv(RECEIVE)
            self._gone = not data
            for what in self._decoder.feed(data):
                if isinstance(what, bytes):
                    self._acknowledge(b"+")
                    self._waiting.append(what)
                elif what is Sign.INTERRUPT:
                    self._waiting.append(what)
                elif what is Sign.BAD:
                    self._acknowledge(b"-")
                elif what is Sign.NACK and self._acks and self._sent:
                    self._connection.sendall(self._sent)

    def _acknowledge(self, sign: bytes) -> None:
        if self._acks:
            self._connection.sendall(sign)
