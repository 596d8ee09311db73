"""A gdb stub: what each packet of the remote protocol asks of a debugging session (gdb manual, appendix E).

Addresses are the guest's virtual ones. Breakpoints are stop addresses of the engine, hardware and software ones alike,
so guest memory is never changed for them. A packet that makes no sense gets an error, one that is not known the empty
answer; none ends anything.
"""

from collections.abc import Callable
from dataclasses import dataclass

from emu.debug.catcher import Accessed
from emu.debug.gdb_target import MEMORY_MAP, REGISTERS, Register, target_description, threads_description
from emu.debug.history import Edge
from emu.debug.monitor import Monitor
from emu.debug.rsp import MOST, escape, from_hex, number, to_hex, unescape
from emu.debug.session import Breakpoint, Catchpoint, Point, Session, Stop, Watchpoint
from emu.debug.threads import Thread, ThreadList, the_cpu
from emu.errors import CfemuError

__all__ = ["Reply", "Stub"]

OK, UNKNOWN, NOTHING = b"OK", b"", None
BAD_PACKET, BAD_ADDRESS, BAD_VALUE = b"E01", b"E14", b"E22"  # EPERM, EFAULT, EINVAL
SIGINT, SIGTRAP, SIGSEGV = 2, 5, 11
OUTPUT_CHUNK = MOST // 2 - 64  # bytes of text in one packet, as digits
ONE_PROCESS = b"1"  # no multiprocess extensions
FEATURES = (
    f"PacketSize={MOST:x};QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;"
    "vContSupported+;ReverseStep+;ReverseContinue+;swbreak+;hwbreak+"
).encode()
BREAKPOINTS, WATCHPOINTS = (b"0", b"1"), {b"2": (False, True), b"3": (True, False), b"4": (True, True)}
HITS = {(False, True): b"watch", (True, False): b"rwatch", (True, True): b"awatch"}


@dataclass(frozen=True)
class Reply:
    """Packets to send, in order, and what becomes of the connection."""

    packets: tuple[bytes, ...]
    no_acks: bool = False  # from now on
    detach: bool = False
    kill: bool = False


class Stub:
    """One client's view of a session; ``threads``: who finds the guest's threads."""

    def __init__(self, session: Session, threads: ThreadList = the_cpu) -> None:
        self._session = session
        self._list_threads = threads
        self._monitor = Monitor(session)
        self._points: dict[bytes, Point] = {}  # by the packet that set it
        self._tells_breaks = {b"swbreak": False, b"hwbreak": False}
        self._selected = 0  # thread of register packets, 0 = the running one
        self._stop: Stop | None = None
        self._commands: dict[bytes, Callable[[bytes], bytes | Reply | None]] = {
            b"?": lambda _: self._stop_reply(),
            b"g": self._read_registers,
            b"G": self._write_registers,
            b"p": self._read_register,
            b"P": self._write_register,
            b"m": lambda rest: to_hex(self._read_memory(rest)) or BAD_ADDRESS,
            b"x": lambda rest: b"b" + escape(self._read_memory(rest)),
            b"M": self._write_memory,
            b"X": self._write_binary,
            b"Z": self._insert,
            b"z": self._remove,
            b"H": self._select_thread,
            b"T": self._is_alive,
            b"c": lambda rest: self._resume(rest, self._session.continue_),
            b"s": lambda rest: self._resume(rest, self._session.step),
            b"C": lambda rest: self._resume(rest.partition(b";")[2], self._session.continue_),
            b"S": lambda rest: self._resume(rest.partition(b";")[2], self._session.step),
            b"bc": lambda _: self._moved(self._session.reverse_continue()),
            b"bs": lambda _: self._moved(self._session.reverse_step()),
            b"D": lambda _: Reply((OK,), detach=True),
            b"k": lambda _: Reply((), kill=True),
            b"vKill": lambda _: Reply((OK,), kill=True),
            b"vCont?": lambda _: b"vCont;c;C;s;S;r",
            b"vCont": self._resume_threads,
            b"qSupported": self._supported,
            b"QStartNoAckMode": lambda _: Reply((OK,), no_acks=True),
            b"qXfer": self._transfer,
            b"qRcmd": self._command,
            b"qC": lambda _: b"QC%x" % self._running().number,
            b"qfThreadInfo": lambda _: b"m" + b",".join(b"%x" % t.number for t in self._threads()),
            b"qsThreadInfo": lambda _: b"l",
            b"qThreadExtraInfo": self._thread_name,
            b"qAttached": lambda _: ONE_PROCESS,
            b"qSymbol": lambda _: OK,
        }

    def handle(self, packet: bytes) -> Reply:
        """The answer to one packet; never raises on what a client may send."""
        name, rest = self._parse(packet)
        command = self._commands.get(name)
        if command is None:
            return Reply((UNKNOWN,))
        try:
            answer = command(rest)
        except ValueError:
            return Reply((BAD_PACKET,))
        except CfemuError as error:
            return Reply((self._error(error),))
        if isinstance(answer, Reply):
            return answer
        return Reply(() if answer is None else (answer,))

    def disconnect(self) -> None:
        """The client is gone: its breakpoints go with it, and its catchpoints."""
        for point in self._session.points.copy():
            self._session.remove(point)
        self._points.clear()
        self._selected = 0

    def interrupt(self) -> None:
        """The client wants the movement under way to end."""
        self._session.interrupt()

    @staticmethod
    def _parse(packet: bytes) -> tuple[bytes, bytes]:
        """(Command, its arguments)."""
        if packet[:1] in b"qQv" or packet[:2] in (b"bc", b"bs"):
            at = next((i for i, byte in enumerate(packet) if byte in b":;,"), len(packet))
            return packet[:at], packet[at + 1 :]
        return packet[:1], packet[1:]

    @staticmethod
    def _error(error: Exception) -> bytes:
        text = str(error).encode("ascii", "replace").translate(None, b"#$}*\n")
        return b"E." + text

    # --- what the target is

    def _supported(self, rest: bytes) -> bytes:
        for name in self._tells_breaks:
            self._tells_breaks[name] = name + b"+" in rest.split(b";")
        return FEATURES

    def _transfer(self, rest: bytes) -> bytes:
        what, _, rest = rest.partition(b":")
        action, _, rest = rest.partition(b":")
        annex, _, span = rest.rpartition(b":")
        documents: dict[tuple[bytes, bytes], Callable[[], str]] = {
            (b"features", b"target.xml"): target_description,
            (b"memory-map", b""): lambda: MEMORY_MAP,
            (b"threads", b""): lambda: threads_description(self._threads()),
        }
        document = documents.get((what, annex))
        if action != b"read" or document is None:
            return b"E00"
        first, length = (number(part) for part in span.split(b","))
        data = document().encode()
        part = data[first : first + min(length, OUTPUT_CHUNK)]
        return (b"l" if first + len(part) >= len(data) else b"m") + escape(part)

    # --- threads

    def _threads(self) -> list[Thread]:
        return self._list_threads(self._session.machine)

    def _running(self) -> Thread:
        return next(thread for thread in self._threads() if thread.running)

    def _thread(self, text: bytes) -> Thread | None:
        """The thread that a packet names."""
        wanted = number(text)
        return next((thread for thread in self._threads() if thread.number == wanted), None)

    def _select_thread(self, rest: bytes) -> bytes:
        operation, text = rest[:1], rest[1:]
        if text in (b"0", b"-1"):
            chosen = 0
        else:
            thread = self._thread(text)
            if thread is None:
                return BAD_VALUE
            chosen = 0 if thread.running else thread.number
        if operation == b"g":
            self._selected = chosen
        return OK

    def _is_alive(self, rest: bytes) -> bytes:
        return BAD_VALUE if self._thread(rest) is None else OK

    def _thread_name(self, rest: bytes) -> bytes:
        thread = self._thread(rest)
        return BAD_VALUE if thread is None else to_hex(f"{thread.name} {thread.detail}".encode())

    # --- registers

    def _values(self) -> dict[str, int]:
        """Registers of the selected thread; only those that are known."""
        if self._selected:
            for thread in self._threads():
                if thread.number == self._selected and not thread.running:
                    return dict(thread.registers)
        return dict(self._session.registers)

    @staticmethod
    def _digits(register: Register, values: dict[str, int]) -> bytes:
        value = values.get(register.name)
        return b"xx" * (register.bits // 8) if value is None else b"%0*x" % (register.bits // 4, value)

    def _read_registers(self, _rest: bytes) -> bytes:
        values = self._values()
        return b"".join(self._digits(register, values) for register in REGISTERS)

    def _read_register(self, rest: bytes) -> bytes:
        index = number(rest)
        if index >= len(REGISTERS):
            return BAD_VALUE
        return self._digits(REGISTERS[index], self._values())

    def _write_register(self, rest: bytes) -> bytes:
        index, _, digits = rest.partition(b"=")
        if number(index) >= len(REGISTERS) or self._selected:
            return BAD_VALUE
        register = REGISTERS[number(index)]
        if len(digits) != register.bits // 4:
            return BAD_VALUE
        self._session.write_register(register.name, number(digits))
        return OK

    def _write_registers(self, rest: bytes) -> bytes:
        """All registers at once: those that change are written."""
        if self._selected or len(rest) != sum(register.bits // 4 for register in REGISTERS):
            return BAD_VALUE
        before = self._values()
        at = 0
        changes = []
        for register in REGISTERS:
            digits = rest[at : at + register.bits // 4]
            at += len(digits)
            if digits.strip(b"x") and number(digits) != before[register.name]:
                changes.append((register.name, number(digits)))
        for name, value in changes:
            self._session.write_register(name, value)
        return OK

    # --- memory

    def _span(self, rest: bytes) -> tuple[int, int]:
        va, _, length = rest.partition(b",")
        if number(va) >> 32 or number(length) > 1 << 24:
            raise ValueError("no such memory")
        return number(va), number(length)

    def _read_memory(self, rest: bytes) -> bytes:
        va, length = self._span(rest)
        return self._session.read_memory(va, min(length, OUTPUT_CHUNK))

    def _write_memory(self, rest: bytes) -> bytes:
        span, _, digits = rest.partition(b":")
        return self._store(*self._span(span), from_hex(digits))

    def _write_binary(self, rest: bytes) -> bytes:
        span, _, data = rest.partition(b":")
        return self._store(*self._span(span), unescape(data))

    def _store(self, va: int, length: int, data: bytes) -> bytes:
        if len(data) != length:
            return BAD_PACKET
        if data:  # gdb asks with nothing whether X is known
            self._session.write_memory(va, data)
        return OK

    # --- points to stop at

    def _insert(self, rest: bytes) -> bytes:
        kind, _, span = rest.partition(b",")
        va, length = self._span(span.partition(b";")[0])
        if rest in self._points:
            return OK
        if kind in BREAKPOINTS:
            self._points[rest] = self._session.add_breakpoint(va)
        elif kind in WATCHPOINTS:
            reads, writes = WATCHPOINTS[kind]
            self._points[rest] = self._session.add_watchpoint(va, length, reads=reads, writes=writes)
        else:
            return UNKNOWN
        return OK

    def _remove(self, rest: bytes) -> bytes:
        kind, _, span = rest.partition(b",")
        self._span(span.partition(b";")[0])
        if kind not in (*BREAKPOINTS, *WATCHPOINTS):
            return UNKNOWN
        point = self._points.pop(rest, None)
        if point is not None:
            self._session.remove(point.number)
        return OK

    # --- stepping and running

    def _resume(self, rest: bytes, move: Callable[[], Stop]) -> Reply:
        if rest:
            va = number(rest)
            if va != self._session.registers["pc"]:
                self._session.write_register("pc", va)
        return self._moved(move())

    def _resume_threads(self, rest: bytes) -> Reply:
        """vCont: the guest has one CPU, so the first action decides."""
        action = rest.partition(b";")[0].partition(b":")[0]
        match action[:1]:
            case b"c" | b"C":
                return self._moved(self._session.continue_())
            case b"s" | b"S":
                return self._moved(self._session.step())
            case b"r":
                start, end = (number(part) for part in action[1:].split(b","))
                return self._moved(self._step_through(range(start, end)))
        raise ValueError("no such action")

    def _step_through(self, addresses: range) -> Stop:
        """Step until PC is outside a range."""
        while True:
            stop = self._session.step()
            if stop.hits or stop.edge or stop.pc not in addresses:
                return stop

    def _moved(self, stop: Stop) -> Reply:
        """The guest has stopped: say why in words where gdb has none, then as the protocol does."""
        self._stop = stop
        self._selected = 0  # gdb takes that for granted when a thread stops
        words = stop.text if stop.edge or any(isinstance(hit, Catchpoint) for hit in stop.hits) else ""
        output = (b"O" + to_hex(f"cfemu: {words}\n".encode()),) if words and stop.edge is not Edge.INTERRUPTED else ()
        return Reply((*output, self._stop_reply()))

    def _stop_reply(self) -> bytes:
        stop = self._stop
        signal = SIGTRAP
        reason = b""
        if stop is not None:
            if stop.edge is Edge.INTERRUPTED:
                signal = SIGINT
            elif stop.edge is Edge.ERROR:
                signal = SIGSEGV
            elif stop.edge in (Edge.START, Edge.END):
                reason = b"replaylog:%s;" % (b"begin" if stop.edge is Edge.START else b"end")
            reason = reason or self._hit(stop)
        return b"T%02x%sthread:%x;" % (signal, reason, self._running().number)

    def _hit(self, stop: Stop) -> bytes:
        """Which of gdb's points was hit."""
        for packet, point in self._points.items():
            if point not in stop.hits:
                continue
            if isinstance(point, Watchpoint) and isinstance(stop.found, Accessed):
                return b"%s:%x;" % (HITS[point.reads, point.writes], max(point.va, stop.found.va))
            name = b"swbreak" if packet.startswith(b"0") else b"hwbreak"
            if isinstance(point, Breakpoint) and self._tells_breaks[name]:
                return name + b":;"
        return b""

    # --- monitor

    def _command(self, rest: bytes) -> Reply:
        answer = self._monitor.run(from_hex(rest).decode("utf-8", "replace")).encode()
        self._stop = None  # it may have moved
        pieces = [answer[i : i + OUTPUT_CHUNK] for i in range(0, len(answer), OUTPUT_CHUNK)]
        return Reply((*(b"O" + to_hex(piece) for piece in pieces), OK))
