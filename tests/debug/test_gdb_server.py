"""The gdb server, packet by packet: what gdb does rarely, what it never does, and what no gdb would send."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.debug.gdb import Stub
from emu.debug.gdb_server import GdbServer
from emu.debug.gdb_target import REGISTERS, target_description
from emu.debug.rsp import encode, escape, from_hex, to_hex
from emu.debug.session import Session
from emu.debug.threads import Thread
from emu.errors import UsageError
from tests.debug.test_history import everything
from tests.machine.test_state import busy
from tests.support import asm
from tests.support.asm import D0, at, d
from tests.support.gdb_client import Client, serving
from tests.support.guest import CODE, DATA, Bench, bench, stub

D0_NUMBER, PC_NUMBER, FP0_NUMBER = 0, 17, 18


@pytest.fixture
def guest() -> Iterator[Bench]:
    with bench("native") as made:
        yield made


@pytest.fixture
def client(guest: Bench) -> Iterator[Client]:
    """Connected to a guest that counts in D0 and stores it."""
    guest.start(asm.moveq(0, D0) + asm.addq(1, d(D0)) + asm.move("l", d(D0), at(DATA)) + asm.branch_b("ra", -10))
    with serving(Session(guest.machine)) as port, Client(port) as made:
        yield made


# --- packets


def test_the_features_are_announced(client: Client) -> None:
    features = client.ask(b"qSupported:multiprocess+;swbreak+;hwbreak+").split(b";")
    assert {b"ReverseStep+", b"ReverseContinue+", b"QStartNoAckMode+", b"qXfer:features:read+"} <= set(features)
    assert client.ask(b"QStartNoAckMode") == b"OK"
    assert client.ask(b"vMustReplyEmpty") == b""
    assert client.ask(b"qAttached") == b"1"
    assert client.ask(b"vCont?") == b"vCont;c;C;s;S;r"


def test_the_description_is_read_in_parts_and_is_that_of_all_registers(client: Client) -> None:
    text, at_ = b"", 0
    while True:
        part = client.ask(b"qXfer:features:read:target.xml:%x,%x" % (at_, 500))
        text += part[1:]
        at_ += len(part) - 1
        if part[:1] == b"l":
            break
    assert text.decode() == target_description()
    root = ET.fromstring(text)
    names = [register.attrib["name"] for register in root.iter("reg")]
    assert names == [register.gdb for register in REGISTERS]
    assert names[:18] == [*(f"d{i}" for i in range(8)), *(f"a{i}" for i in range(6)), "fp", "sp", "ps", "pc"]
    assert [f.attrib["name"] for f in root.iter("feature")][:2] == [
        "org.gnu.gdb.coldfire.core",
        "org.gnu.gdb.coldfire.fp",
    ]
    assert client.ask(b"qXfer:features:read:other.xml:0,100") == b"E00"
    assert b'length="0x100000000"' in client.ask(b"qXfer:memory-map:read::0,1000")


def test_registers_one_by_one_and_all_together(client: Client) -> None:
    assert client.ask(b"P%x=%s" % (D0_NUMBER, b"12345678")) == b"OK"
    assert client.ask(b"P%x=%s" % (FP0_NUMBER, b"3ff0000000000000")) == b"OK"
    assert client.ask(b"p%x" % D0_NUMBER) == b"12345678"
    assert client.ask(b"p%x" % PC_NUMBER) == b"%08x" % CODE
    everything_ = client.ask(b"g")
    assert everything_[:8] == b"12345678"
    assert everything_[18 * 8 :][:16] == b"3ff0000000000000"
    assert client.ask(b"G" + b"00000007" + everything_[8:]) == b"OK"
    assert client.ask(b"p0") == b"00000007"
    assert client.ask(b"G00") == b"E22"
    assert client.ask(b"pff") == b"E22"
    mmutr = next(i for i, register in enumerate(REGISTERS) if register.gdb == "mmutr")
    assert client.ask(b"P%x=00000001" % mmutr).startswith(b"E.")  # only the guest can write it


def test_memory_in_digits_and_in_binary(client: Client) -> None:
    data = bytes(range(256))
    assert client.ask(b"X%x,0:" % DATA) == b"OK"
    assert client.ask(b"X%x,%x:" % (DATA, len(data)) + escape(data)) == b"OK"
    assert client.ask(b"m%x,%x" % (DATA, len(data))) == to_hex(data)
    assert client.ask(b"x%x,%x" % (DATA, len(data))) == b"b" + escape(data)
    assert client.ask(b"M%x,2:beef" % DATA) == b"OK"
    assert client.ask(b"m%x,3" % DATA) == b"beef02"
    assert client.ask(b"m40000000,4") == b"E14"
    assert client.ask(b"M40000000,1:00").startswith(b"E.")
    assert client.ask(b"M%x,2:be" % DATA) == b"E01"


def test_breakpoints_of_both_kinds_and_steps_both_ways(client: Client) -> None:
    client.ask(b"qSupported:swbreak+;hwbreak+")
    assert client.ask(b"Z0,%x,2" % (CODE + 4)) == b"OK"
    assert client.ask(b"Z0,%x,2" % (CODE + 4)) == b"OK"
    assert client.ask(b"vCont;c") == b"T05swbreak:;thread:1;"
    assert client.ask(b"p11") == b"%08x" % (CODE + 4)
    assert client.ask(b"z0,%x,2" % (CODE + 4)) == b"OK"
    assert client.ask(b"Z1,%x,2" % (CODE + 4)) == b"OK"
    assert client.ask(b"c") == b"T05hwbreak:;thread:1;"
    assert client.ask(b"p0") == b"00000002"
    assert client.ask(b"bs") == b"T05thread:1;"
    assert client.ask(b"bc") == b"T05hwbreak:;thread:1;"
    assert client.ask(b"p0") == b"00000001"
    assert client.ask(b"bs") == b"T05thread:1;"
    assert client.move(b"bc") == (b"T05replaylog:begin;thread:1;", "cfemu: the history begins here\n")
    assert client.ask(b"s") == b"T05thread:1;"
    assert client.ask(b"vCont;r%x,%x" % (CODE, CODE + 4)) == b"T05hwbreak:;thread:1;"
    assert client.ask(b"Z5,0,0") == b""


def test_watchpoints_tell_the_address(client: Client) -> None:
    assert client.ask(b"Z2,%x,4" % DATA) == b"OK"
    assert client.ask(b"c") == b"T05watch:%x;thread:1;" % DATA
    assert client.ask(b"m%x,4" % DATA) == b"00000001"
    assert client.ask(b"c") == b"T05watch:%x;thread:1;" % DATA
    assert client.ask(b"bc") == b"T05watch:%x;thread:1;" % DATA
    assert client.ask(b"m%x,4" % DATA) == b"00000001"  # in front of the second store
    assert client.ask(b"z2,%x,4" % DATA) == b"OK"
    assert client.ask(b"Z4,%x,1" % (DATA + 3)) == b"OK"
    assert client.ask(b"c") == b"T05awatch:%x;thread:1;" % (DATA + 3)
    assert client.ask(b"Z3,%x,1" % DATA) == b"OK"
    assert client.ask(b"Z3,%x,0" % DATA).startswith(b"E.")


def test_a_running_guest_can_be_interrupted_and_gone_on(client: Client) -> None:
    counts = [0]
    while counts[-1] < 1000:  # an interrupt may come before the first instruction
        client.send(b"c")
        client.socket.sendall(b"\x03")
        assert client.receive() == b"T02thread:1;"
        assert client.ask(b"?") == b"T02thread:1;"
        counts.append(int(client.ask(b"p0"), 16))
    assert counts == sorted(counts)


def test_threads(client: Client) -> None:
    assert client.ask(b"qfThreadInfo") == b"m1"
    assert client.ask(b"qsThreadInfo") == b"l"
    assert client.ask(b"qC") == b"QC1"
    assert client.ask(b"Hg1") == client.ask(b"Hc-1") == client.ask(b"T1") == b"OK"
    assert client.ask(b"Hg9") == client.ask(b"T9") == b"E22"
    assert from_hex(client.ask(b"qThreadExtraInfo,1")) == b"CPU ASID 0"
    assert b'<thread id="1" name="CPU">' in client.ask(b"qXfer:threads:read::0,1000")


def test_registers_of_a_thread_that_does_not_run(guest: Bench) -> None:
    guest.start(asm.HALT)
    threads = [Thread(1, "on", True), Thread(2, "off", False, registers={"d0": 5, "pc": 0x1000})]
    stub_ = Stub(Session(guest.machine), lambda machine: threads)
    assert stub_.handle(b"Hg2").packets == (b"OK",)
    (registers,) = stub_.handle(b"g").packets
    assert registers[:16] == b"00000005xxxxxxxx"
    assert stub_.handle(b"p11").packets == (b"00001000",)
    assert stub_.handle(b"P0=00000001").packets == (b"E22",)
    stub_.handle(b"s")
    assert stub_.handle(b"p11").packets == (b"%08x" % (CODE + 2),)  # a stop selects the thread that runs


def test_words_where_the_protocol_has_none(guest: Bench) -> None:
    guest.start(asm.moveq(1, D0) + asm.HALT + asm.trap(0))
    with serving(Session(guest.machine)) as port, Client(port) as client:
        assert client.move(b"c") == (b"T05thread:1;", "cfemu: HALT instruction\n")
        assert client.move(b"c") == (b"T05thread:1;", "cfemu: HALT instruction\n")  # the run stays at its end,
        assert client.ask(b"P11=%08x" % (CODE + 4)) == b"OK"  # until something is changed
        assert "catchpoint" not in client.monitor("catch exception 32")
        stop, said = client.move(b"c")
        assert stop == b"T05thread:1;"
        assert re.match(r"cfemu: \d+: TRAP #0, PC 0x[0-9a-f]+", said), said


def test_monitor(client: Client) -> None:
    for command in ("tlb itlb", "mmu", "counters", "misses", "history", "points"):
        assert len(client.monitor(command).splitlines()) >= 1
    usages = client.monitor("help")
    assert all(name in usages for name in ("tlb", "mmu", "counters", "translate", "misses", "history"))
    assert "physical: the MMU is off" in client.monitor(f"translate {CODE:#x} x")
    assert client.monitor("goto 100").startswith("instruction 100,")
    assert client.ask(b"p0") == b"00000021"
    assert "1: dtlb miss" in client.monitor("catch miss dtlb")
    assert client.monitor("delete 1") == "1 is gone\n"
    for wrong in (
        "nonsense",
        "goto",
        "goto x",
        "translate",
        "translate nowhere",
        "catch",
        "catch load 99",
        "delete 7",
        "'",
    ):
        assert client.monitor(wrong).count("\n") == 1


# --- connections


def test_a_client_may_go_and_another_come(guest: Bench) -> None:
    guest.start(asm.branch_b("ra", -2))
    with serving(Session(guest.machine)) as port:
        with Client(port) as first:
            assert first.ask(b"Z0,%x,2" % CODE) == b"OK"
            assert first.ask(b"D") == b"OK"
        with Client(port) as second:
            second.send(b"c")  # the first one's breakpoint is gone
            second.socket.sendall(b"\x03")
            assert second.receive() == b"T02thread:1;"
        with Client(port) as third:
            third.send(b"c")  # and leaves in the middle of a run
        with Client(port) as fourth:
            assert fourth.ask(b"qC") == b"QC1"
            assert fourth.ask(b"vKill;1") == b"OK"


def test_a_second_client_is_told_about_the_first(client: Client) -> None:
    client.ask(b"?")
    port = client.socket.getpeername()[1]
    with Client(port) as second:
        assert second.receive() == b"E.cfemu: another debugger is connected"
        with pytest.raises(EOFError):
            second.receive()
    client.send(b"c")
    with Client(port) as third:  # while the guest runs, too
        assert third.receive().startswith(b"E.")
    client.socket.sendall(b"\x03")
    assert client.receive() == b"T02thread:1;"


def received(client: Client, size: int) -> bytes:
    """So many bytes, however they come: a socket with a time limit gives what there is."""
    found = b""
    while len(found) < size:
        found += client.socket.recv(size - len(found))
    return found


def test_a_packet_that_was_damaged_is_asked_for_again(client: Client) -> None:
    client.socket.sendall(b"$qC#00")
    assert client.socket.recv(1) == b"-"
    client.socket.sendall(b"$qC#b4")
    assert received(client, len(encode(b"QC1")) + 1) == b"+" + encode(b"QC1")
    client.socket.sendall(b"-")
    assert received(client, len(encode(b"QC1"))) == encode(b"QC1")


def test_a_port_in_use_is_an_error(guest: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        GdbServer(Session(guest.machine), port=taken.getsockname()[1])


# --- noise

COMMANDS = [
    *(bytes([letter]) for letter in b"?gGpPmMxXZzHTcsCSDqQv!Rk"),
    b"Z2,",
    b"vCont;",
    b"qXfer:",
    b"qRcmd,",
    b"bs",
    b"bc",
]
PACKETS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        bytes.__add__,
        st.sampled_from(COMMANDS),
        st.binary(max_size=20),
    ),
    st.from_regex(rb"[gGpPmMXxZzHT][0-9a-f]{0,9}[,=:;]?[0-9a-f]{0,9}:?[0-9a-f]{0,8}", fullmatch=True),
    st.from_regex(rb"(Z|z)[0-4],[0-9a-f]{1,8},[0-9a-f]{1,2}", fullmatch=True),
    st.from_regex(
        rb"(qXfer:(features|memory-map|threads):read:[a-z.]{0,10}:|vCont;[cCsSrt]|qRcmd,)[0-9a-f,;:]{0,12}",
        fullmatch=True,
    ),
)
ENDS = (b"k", b"D", b"vKill")  # which end the connection, as they should


@settings(max_examples=300)
@given(packet=PACKETS)
def test_no_packet_ends_the_stub(packet: bytes) -> None:
    with FUZZED:
        reply = FUZZED.stub.handle(packet)
        assert reply.kill == packet.startswith((b"k", b"vKill"))
        assert all(isinstance(answer, bytes) for answer in reply.packets)
        encode(b"".join(reply.packets))


class _Fuzzed:
    """One guest for all packets; it counts for ever, so movements are interrupted at once."""

    def __enter__(self) -> None:
        if not hasattr(self, "stub"):
            guest = Bench("native")
            guest.start(asm.addq(1, d(D0)) + asm.branch_b("ra", -4))
            session = Session(guest.machine)
            session.poll = session.interrupt
            self.stub = Stub(session)

    def __exit__(self, *_: object) -> None:
        self.stub.disconnect()


FUZZED = _Fuzzed()


@settings(max_examples=60)
@given(noise=st.lists(st.one_of(st.binary(max_size=60), PACKETS.map(encode)), max_size=6))
def test_no_noise_ends_the_live_server(noise: list[bytes]) -> None:
    port = LIVE.port
    with Client(port) as client:
        for data in noise:
            if any(encode(end)[:-3] in data for end in ENDS):
                return
            client.socket.sendall(data)
    while True:
        with Client(port) as client, contextlib.suppress(ConnectionError, EOFError):
            if not (answer := client.ask(b"qC")).startswith(b"E."):  # the noise is still connected
                break
    assert answer == b"QC1"


class _Live:
    """A server for the whole module, in a thread that ends with the process."""

    def __init__(self) -> None:
        self._port = 0

    @property
    def port(self) -> int:
        if not self._port:
            guest = Bench("native")
            guest.start(asm.addq(1, d(D0)) + asm.branch_b("ra", -4))
            server = GdbServer(Session(guest.machine))
            threading.Thread(target=server.serve, daemon=True).start()
            self._port = server.address[1]
        return self._port


LIVE = _Live()


# --- counts


def test_a_debugger_attached_or_not_the_counts_are_the_same() -> None:
    with bench("native", timing="full") as guest, bench("native", timing="full") as plain:
        busy(guest)
        busy(plain)
        plain.resume()
        with serving(Session(guest.machine)) as port, Client(port) as client:
            client.ask(b"Z0,%x,2" % stub(2))
            client.ask(b"Z2,1000000,4")
            client.monitor("catch load")
            for i in range(60):
                client.ask(b"m%x,100" % (0x01000000 + 0x2124 * i))
                client.move(b"c" if i % 3 else b"bs")
                client.monitor("tlb dtlb")
                client.ask(b"g")
            client.ask(b"z0,%x,2" % stub(2))
            client.ask(b"z2,1000000,4")
            client.monitor("delete 3")
            while "HALT" not in client.move(b"c")[1]:
                pass
            assert everything(guest.machine) == everything(plain.machine)
