"""Both ends of the gdb server for tests: a small client of the protocol, and gdb itself driven by a script."""

import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emu.debug.gdb_server import GdbServer
from emu.debug.rsp import Decoder, Sign, encode, from_hex, to_hex
from emu.debug.session import Session

GDB = shutil.which("gdb-multiarch")
MISSING = "gdb-multiarch is not installed (Debian's package gdb-multiarch)"
SECONDS = 60  # until something hangs
ROOT = Path(__file__).resolve().parents[2]


class Client:
    """A client without acknowledgements, once it has said so."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._decoder = Decoder()
        self._packets: list[bytes | Sign] = []

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, packet: bytes) -> None:
        self.socket.sendall(encode(packet))

    def receive(self) -> bytes:
        """The next packet; b"" is the empty answer. EOFError when the server has closed."""
        while True:
            while self._packets:
                what = self._packets.pop(0)
                if isinstance(what, bytes):
                    return what
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._packets += self._decoder.feed(data)

    def ask(self, packet: bytes) -> bytes:
        """A packet's answer."""
        self.send(packet)
        return self.receive()

    def move(self, packet: bytes) -> tuple[bytes, str]:
        """The stop reply to a movement, and what was said before it."""
        self.send(packet)
        said = ""
        while (answer := self.receive()).startswith(b"O") and answer != b"OK":
            said += from_hex(answer[1:]).decode()
        return answer, said

    def monitor(self, line: str) -> str:
        """The answer to a monitor command."""
        answer, said = self.move(b"qRcmd," + to_hex(line.encode()))
        assert answer == b"OK"
        return said


@contextmanager
def serving(session: Session) -> Iterator[int]:
    """A server in a thread of its own; its port. It must be let end by a kill, which this sends where nobody did."""
    server = GdbServer(session)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.address[1]
    finally:
        try:
            while thread.is_alive():
                with Client(server.address[1]) as client:
                    client.send(b"k")
                    thread.join(5)
        finally:
            server.close()
        assert not thread.is_alive()


@contextmanager
def cfemu_gdb(*arguments: object) -> Iterator[int]:
    """``cfemu gdb`` in a process of its own; its port."""
    main = "import sys; from kernel_model.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "gdb", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError(said)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(SECONDS)
        if process.stderr is not None:
            process.stderr.close()


def run_gdb(elf: Path, port: int, commands: Sequence[str]) -> str:
    """What gdb prints for these commands, once it is connected; an error of one of them ends the script."""
    assert GDB is not None
    before = ["set pagination off", "set confirm off", "set width 0", f"target remote 127.0.0.1:{port}"]
    arguments = [option for command in (*before, *commands, "detach") for option in ("-ex", command)]
    done = subprocess.run(
        [GDB, "-q", "-nx", "-batch", *arguments, str(elf)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # in the order in which a user sees it
        text=True,
        timeout=SECONDS * 5,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout
