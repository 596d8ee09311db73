"""The contract between the kernel model (Python, decides) and the nucleus (ColdFire code, acts).

Why one module: the same numbers are needed by Python and by C. They are defined here and nowhere else;
``kernel_model.abi_header`` renders ``firmware/include/abi.h`` from them, and a test holds the committed header to that.

How a run goes::

    Python: m.load_elf(nucleus); m.write_physical(ram_base + PARAMETER_OFFSET, ParameterBlock(...).pack()); m.run()
    guest:  boot construction.     GROW(BOOT, pages, vector)  -> where the next heap chunk lies
                                   PAGE_SPACE()               -> the frames that become page space, range by range
                                   GROW(USER, 1, process)     -> frames for the user processes
                                   BOOTED(figures...)
            loop:                  NEXT_COMMAND()             -> command and its arguments
                                   ... works, perhaps GROW / REFUSED / RELEASE on the way ...
                                   DONE(command, status, figures...)
    Python: answers a NEXT_COMMAND with None (the run stops) when it has no further command.

Every hypercall is ``handler(number, args) -> (status, results)``: the guest puts the arguments in ARG0.. of the mailbox
and finds the results in ARG0... Unused arguments and results are 0. Status 0 = OK, any other value is a `Refusal`.

Numbers of hardware pages are counted in *pages of the parameter block's ``page_shift``* everywhere.
Structure sizes and offsets: kernel sheet 1.5 (ColdFire, 2-byte alignment ABI); strides are parameters.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, unique

__all__ = [
    "ABI_VERSION",
    "CAP_PAGE_DIVISOR",
    "CONSOLE_VA",
    "CRASH_ILLEGAL",
    "CRASH_JUMP",
    "CRASH_UNKNOWN_READ",
    "CRASH_WRITE_PROTECTED",
    "DEVICE_OID_HIGH",
    "HASH_BUCKETS",
    "IMAGE_SIZE",
    "KVA",
    "MAGIC",
    "MAX_CHUNKS",
    "MAX_LOCKED",
    "MAX_RANGES",
    "MAX_STRING",
    "MAX_USER_PROCESSES",
    "MMUBAR",
    "NEW_OID",
    "PARAMETERS",
    "PARAMETER_OFFSET",
    "PARAMETER_SIZE",
    "SUPERVISOR_LIMIT",
    "TRANSMAP_SLOTS",
    "TRANSMAP_VA",
    "USER_DATA_VA",
    "USER_SPACE_VA",
    "USER_STACK_VA",
    "USER_TEXT_VA",
    "Command",
    "Exhaustion",
    "Field",
    "FlushPolicy",
    "GrowKind",
    "GrowthKind",
    "HandlerKind",
    "Hypercall",
    "MappingKind",
    "Operation",
    "Panic",
    "ParameterBlock",
    "Refusal",
    "Vector",
]

ABI_VERSION = 1
MAGIC = 0x6366_6B31
"""``cfk1``: first word of the parameter block; the nucleus panics when it is missing."""

# ---- address map -----------------------------------------------------------------------------------------------------
KVA = 0xC000_0000
"""Kernel virtual base, where the image is linked (kernel sheet 1.2). Direct map: PA = VA - KVA + ram_base."""
IMAGE_SIZE = 0x0010_0000
"""The image (vectors, text, data, BSS, stack, kernel page tables) owns the first MB of RAM (kernel sheet 1.6)."""
SUPERVISOR_LIMIT = 0xF000_0000
"""VAs from here up are never in a kernel table: MBAR (ACR1) and MMUBAR live there."""
MMUBAR = 0xFE00_0000
"""MMU register window (same place as Linux, hardware sheet 1.2)."""
CONSOLE_VA = 0xEFE0_0000
"""Default VA of the console device once its pages are attached (page n at CONSOLE_VA + n pages)."""
TRANSMAP_VA = 0xEFF0_0000
"""Window of TRANSMAP_SLOTS pages through which frames without a permanent address are reached, one at a time (kernel
sheet 1.2: transmap)."""
TRANSMAP_SLOTS = 64
USER_TEXT_VA = 0x0010_0000
USER_DATA_VA = 0x0020_0000
USER_STACK_VA = 0x0030_0000
"""User address space: one text page, ``user_data_pages`` data pages, one stack page, in frames of the process's own."""
USER_SPACE_VA = 0x4000_0000
"""Memory that Command.SPACE gives a process: found by walking its GPTs at each miss, never through its table."""
PARAMETER_OFFSET = 0x400
"""Offset of the parameter block from ram_base: directly behind the 1-KB vector table."""
PARAMETER_SIZE = 0x100

# ---- fixed table sizes (image BSS, kernel sheet 0, 1.2 and 4.1) -----------------------------------------------------
HASH_BUCKETS = 4096
"""Buckets of the object hash, 8 B each; bucket = low bits of the OID (kernel sheet 0.10, 5)."""
MAX_RANGES = 32
"""Entries of the soft kernel map, 16 B each, scanned linearly (kernel sheet 0.7)."""
MAX_USER_PROCESSES = 301
"""A server and 300 clients (kernel sheet 8, W2). ASIDs are 8 bits, so from 255 on processes share them."""
MAX_STRING = 0x1_0000
"""Bytes of one message (kernel sheet 8, W3)."""
CAP_PAGE_DIVISOR = 10
"""nPage / 10 of the frames are capability pages, the rest data pages (kernel sheet 3)."""
DEVICE_OID_HIGH = 0xFF00_0000
"""High word of a physical page's OID; the low word is PA / page size (kernel sheet 2.1)."""
NEW_OID = 0x0010_0000
"""First OID of pages that Command.CHURN and Command.AGE allocate: none of the objects that boot put in the cache."""


@unique
class MappingKind(IntEnum):
    """How image and boot heap are mapped (hardware sheet 2.3, 1.9; kernel sheet 4.1)."""

    ACR = 0
    """ACR0 (data) and ACR2 (code) over all SDRAM, supervisor only, copyback. Needs VA = PA, so ram_base == KVA and a
    power-of-two RAM size of 16 MB or more."""
    LOCKED_1M = 1
    """Image and every MB the boot heap touches in locked 1-MB DTLB entries, loaded when the chunk is granted.
    At most MAX_LOCKED; other memory of the direct map is loaded at miss time like UNLOCKED_1M."""
    UNLOCKED_1M = 2
    """Image locked; the rest of the direct map in 1-MB entries loaded at miss time by bounds check + add."""
    PAGED_8K = 3
    """Image locked; heap in 8-KB pages through the handler's table; page_shift 13. VA is contiguous, PA arbitrary."""
    PAGED_4K = 4
    """The same with 4-KB pages; page_shift 12."""


@unique
class HandlerKind(IntEnum):
    """Kernel-miss part of the miss handler. User misses always go through the table of the current process."""

    RANGE = 0
    """Linear scan of at most MAX_RANGES 16-byte ranges (what the Coyotos port has, kernel sheet 4.2)."""
    TWO_LEVEL = 1
    """4-KB directory of 1024 entries (VA[31:22]), then a page table: as Linux (hardware sheet 5)."""
    LINEAR = 2
    """One flat table indexed by (VA - KVA) >> page_shift, in the image."""


@unique
class FlushPolicy(IntEnum):
    """What a switch to another address space does to the TLBs (kernel sheet 8.5)."""

    FLUSH = 0
    """MMUOR[CNL]: drop all unlocked entries, as the source does."""
    ASID = 1
    """Only load the ASID register."""


@unique
class GrowthKind(IntEnum):
    """Where new device-page headers come from when the free list is empty."""

    NONE = 0
    """No growth: the attach is refused (RESERVE_EMPTY)."""
    MAPPED = 1
    """GROW(HEADERS): frames mapped at the next VA of the growth area through the TLB (range or table entries)."""
    SLAB = 2
    """GROW(SLAB): one frame at a time, used at its direct-mapped VA; headers do not cross its end. Not with PAGED_*."""
    ALTMAP = 3
    """GROW(ALTMAP): the device's own memory, mapped cache-inhibited in the growth area."""


@unique
class Exhaustion(IntEnum):
    """What the kernel does after a device page was refused and the console announcement was tried."""

    REFUSE = 0
    """The attach command ends with the refusal; the kernel goes on."""
    HALT = 1
    """Panic (as the source at HEAD: an assertion, kernel sheet 2.1)."""


@unique
class Vector(IntEnum):
    """The vectors of the boot heap in the order they are allocated (kernel sheet 1.3 item 8)."""

    PROCESS = 0
    GPT = 1
    ENDPOINT = 2
    INDEX = 3
    """page-by-address index, 4 B a frame. A frame that is not in it is taken to be nobody's: growing evicts nothing."""
    PAGE = 4
    """Page headers: first the console reserve, then page space, then what is left (the slack) for device pages"""
    DEPEND = 5
    REVMAP = 6
    OTE = 7
    USER_TABLE = 8
    """one page of PTEs per user process: count = user_processes, stride = page size"""
    RESERVE = 9
    """further Page headers for device pages; last, so that RELEASE can give back the heap's tail"""


@unique
class Hypercall(IntEnum):
    """Guest to model. Arguments and results by position; see each."""

    NEXT_COMMAND = 1
    """() -> (command, arg0, arg1, ...): see `Command`."""
    DONE = 2
    """(command, status, figure0, figure1, ...) -> (): end of a command; figures per `Command`."""
    BOOTED = 3
    """(heap start VA, heap end VA (bump pointer), heap pages backed, page-space frames, free headers for device pages,
    locked DTLB entries, ranges in use (RANGE handler), page tables in use (TWO_LEVEL)) -> ()."""
    GROW = 4
    """(kind, pages wanted, subject) -> (pa, pages granted): see `GrowKind`. Refusal status: the guest refuses the
    attach with that code, or panics when it cannot go on (boot)."""
    PAGE_SPACE = 5
    """(index,) -> (pa, pages): the index-th range of frames that becomes page space, ascending PA; pages 0 ends the
    list (at most 32 ranges). Asked after all boot-time GROW(BOOT) calls."""
    RELEASE = 6
    """(pa, pages) -> (): frames that the heap no longer uses. From Command.RELEASE, one call per physically contiguous
    piece, highest VA first; status OK: the guest now registers them as page space, a refusal: they stay idle. Also
    called inside an attach for frames that GROW(HEADERS) granted and that could not be mapped (RANGES_FULL,
    TABLES_FULL); the guest has not touched them then and registers nothing."""
    REFUSED = 7
    """(refusal code, device PA refused, pages of this command not attached, device pages attached so far)
    -> (number,): policy after a refusal. number > 0: the guest attaches the console and announces
    ``set reserve=number``; 0: no announcement (for example because one was already made)."""
    PANIC = 8
    """(panic code, VA, PC, FS, detail): the guest halts next; D0 = panic code, D1 = VA, D2 = PC, D3 = FS at HALT."""


@unique
class GrowKind(IntEnum):
    """First argument of GROW; *subject* is the third."""

    BOOT = 0
    """subject = `Vector`. A contiguous chunk of 1..wanted pages. Every vector starts on a page, so the pages wanted are
    ceil(count * stride / page size). ACR, LOCKED_1M, UNLOCKED_1M: used at VA = PA + constant, so the chunk must
    continue the previous one or hold all wanted pages. PAGED_*: any chunk; VA goes on."""
    HEADERS = 1
    """subject = PA of the device page being attached. 1..wanted contiguous frames for headers in the growth area."""
    SLAB = 2
    """subject likewise. Exactly one frame, at its direct-mapped VA."""
    ALTMAP = 3
    """subject likewise. wanted pages of device memory, contiguous; with growth_shift 20: 1-MB aligned."""
    USER = 4
    """subject = process number. One frame for a user page (text, data..., stack: user_data_pages + 2 for each process,
    at boot). It stays in page space, pinned."""


@unique
class Command(IntEnum):
    """Model to guest, result 0 of NEXT_COMMAND; arguments follow as result 1..; figures come back in DONE."""

    STOP = 0
    """() : HALT with D0 = 0. No DONE."""
    ATTACH = 1
    """(pa, pages): attach device pages one by one (operation ATTACH each) until done or refused; not RAM.
    A page that is already attached counts as attached.
    -> status, (attached, not attached, first refused PA, frames grown, console announced 0/1, headers left)."""
    COLD_PREPARE = 2
    """(lookups, seed): prepare unprepared capabilities to random RAM objects of all types (operation PREPARE each).
    seed must not be 0. -> status, (objects found, headers walked in chains, OTEs taken). Pages that were evicted for
    the heap are not found."""
    PING_PONG = 3
    """(round trips): user process 0 calls the endpoint of process 1, which replies (operation IPC each way).
    Needs user_processes >= 2. -> status, (round trips counted by the server, 0)."""
    FRAME_BUFFER = 4
    """(round trips, prepares per round trip, seed, pa, pages): process 0 is a driver that makes its kernel prepare
    random pages of an attached device (trap, operation DEVICE_PREPARE) between round trips. seed must not be 0.
    -> status, (round trips, prepares that found their page)."""
    RELEASE = 5
    """(keep,): give back whole pages of unused headers at the end of the heap, keeping at least *keep* free headers
    besides those that describe the released frames. Nothing after a DETACH that recycled headers: the free list is in
    no order of addresses then. -> status, (frames released, headers left, heap end VA)."""
    ANNOUNCE = 6
    """(number,): attach the console device from its protected reserve, page by page, and write the re-tune message
    through it, as after a refusal. -> status, (console pages attached, characters written)."""
    CRASH = 7
    """(CRASH_* kind): make one fatal access, for tests of the panic path."""
    FAN_IN = 8
    """(clients, calls of each, capabilities, seed): user processes 1..clients call process 0, all at one priority, so
    that calls queue at the server (operation IPC each way). 1..4 capabilities go with a call, the reply capability is
    the first. seed, not 0, decides the order in which clients start. Needs user_processes > clients.
    -> status, (calls answered to the client that made them, messages the server received, calls that had to queue)."""
    SPACE = 9
    """(processes, bytes, depth, seed): give each of the first user processes so much memory of its own at
    USER_SPACE_VA, in random pages of page space (cleared), reached through *depth* levels of random GPTs; what an
    earlier SPACE gave is taken back. 1..processes, depth 1..5, 16^depth pages at most, seed not 0.
    -> status, (pages given, GPTs used)."""
    FAULT_STORM = 10
    """(processes, touches of each, seed): each of the processes, one after the other, increments the first word of
    random pages of its SPACE; a miss walks the GPTs (operation WALK). -> status, (touches, walks, GPTs visited)."""
    CHURN = 11
    """(live, exchanges, seed): allocate *live* pages, exchange a random one for a new one (operations RESCIND and
    ALLOCATE) so many times, rescind all. 1..16 live for each Process, seed not 0. NO_OTE when the object table is used
    up: nothing collects it (kernel sheet 5). -> status, (pages allocated, pages rescinded, headers aged, headers walked
    in chains)."""
    AGE = 12
    """(allocations,): allocate pages and keep them, in a cache that is full. NO_OTE as above.
    -> status, (pages allocated, aging bursts, headers aged)."""
    SHUFFLE = 13
    """(seed,): bring the age lists of pages into an order that has nothing to do with addresses, as in a system that
    has run for long; every page stays in its list. seed not 0. -> status, (pages moved)."""
    STRING_IPC = 14
    """(bytes, round trips): process 0 sends so much of its SPACE to process 1, which has it copied into its own and
    answers without a string (operation IPC each way, with a STRING in one). 1..MAX_STRING bytes, for which SPACE must
    have given room. -> status, (strings received, bytes copied)."""
    DETACH = 15
    """(pa, pages, recycle): rescind attached device pages (operation DETACH each): unpin, clear, make capabilities to
    them stale. recycle 0: the header stays in the hash, as in the source (kernel sheet 2.1), and serves again only if
    the same page comes back; 1: it is free for any page. NOT_ATTACHED ends it.
    -> status, (pages detached, device pages attached, headers left)."""


CRASH_UNKNOWN_READ, CRASH_WRITE_PROTECTED, CRASH_ILLEGAL, CRASH_JUMP = 0, 1, 2, 3


@unique
class Operation(IntEnum):
    """Identifiers written to OP_BEGIN / OP_END of the mailbox; they may nest (ATTACH contains GROW)."""

    BOOT_VECTORS = 1
    PAGE_SPACE = 2
    USER_SETUP = 3
    ATTACH = 4
    """one device page, from hash lookup to hash insert, growth included"""
    GROW = 5
    """one growth event: ask, evict the frame's occupant, map, construct headers"""
    PREPARE = 6
    DEVICE_PREPARE = 7
    IPC = 8
    """one direction: trap entry to return to the other process"""
    RELEASE = 9
    CONSOLE = 10
    """attach of the console and the message"""
    WALK = 11
    """a user miss that walks the GPTs, from the miss handler's call to the loaded entry"""
    ALLOCATE = 12
    """a page for a new object, the aging burst included where it falls due"""
    RESCIND = 13
    AGE = 14
    """one aging burst"""
    STRING = 15
    """a string from the sender's memory to the receiver's"""
    DETACH = 16
    """one device page, from hash lookup to the cleared page"""


@unique
class Refusal(IntEnum):
    """Status of hypercalls and of DONE. 1..15 are decided in the guest, 16.. by the model."""

    OK = 0
    RESERVE_EMPTY = 1
    """no free header and no growth (GrowthKind.NONE)"""
    RANGES_FULL = 2
    """the growth chunk needs a 33rd range"""
    GROWTH_AREA_FULL = 3
    """growth_limit reached"""
    TABLES_FULL = 4
    """the two-level table has no page-table page left"""
    BAD_COMMAND = 5
    """unknown command or arguments out of range"""
    CONSOLE_RESERVE_EMPTY = 6
    """the protected reserve did not suffice for the console"""
    NO_OTE = 7
    """object-table entries exhausted"""
    NOT_ATTACHED = 8
    """an operation on a device page found no header"""
    NO_OBJECT = 9
    """not enough free objects of a type"""
    NO_FRAME = 16
    """the model has no frame to give"""
    POLICY = 17
    """the model's strategy does not allow it"""


@unique
class Panic(IntEnum):
    """First argument of PANIC; also in D0 at HALT."""

    NONE = 0
    BAD_PARAMETERS = 1
    UNKNOWN_ADDRESS = 2
    """a TLB miss on an address that nothing maps (FS 5, 6, A, E)"""
    VIOLATION = 3
    """any other access error (FS 4, 8, 9, C, D ...)"""
    UNEXPECTED_VECTOR = 4
    """detail = vector number"""
    HEAP_FRAGMENTED = 5
    """a boot-time chunk that cannot be used at VA = PA + constant"""
    BOOT_REFUSED = 6
    """GROW refused at boot; detail = the refusal"""
    TOO_MANY_RANGES = 7
    TOO_MANY_LOCKED = 8
    OUT_OF_HEADERS = 9
    """page space is larger than the Page vector"""
    HEADERS_EXHAUSTED = 10
    """Exhaustion.HALT: detail = device pages attached"""
    OUT_OF_OTES = 11
    FRAME_IN_USE = 12
    """a granted frame holds a pinned page; VA argument = its PA"""
    TABLES_FULL = 13
    TOO_MANY_CHUNKS = 14
    """more than MAX_CHUNKS discontiguous heap chunks"""


MAX_LOCKED = 27
"""Locked DTLB entries the nucleus accepts: 4 must stay free (hardware sheet 1.12), and one is kept for growth."""
MAX_CHUNKS = 64


# ---- the parameter block ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Field:
    """One field of the parameter block: ``count`` big-endian u32 at ``offset`` bytes; ``count`` > 1 is an array."""

    name: str
    offset: int
    count: int
    default: int | tuple[int, ...]
    meaning: str


def _lay_out(*rows: tuple[str, int | tuple[int, ...], str]) -> tuple[Field, ...]:
    fields: list[Field] = []
    offset = 0
    for name, default, meaning in rows:
        count = len(default) if isinstance(default, tuple) else 1
        fields.append(Field(name, offset, count, default, meaning))
        offset += 4 * count
    if offset > PARAMETER_SIZE:
        raise AssertionError("parameter block overflows its place in the image")
    return tuple(fields)


PARAMETERS = _lay_out(
    ("magic", MAGIC, "MAGIC"),
    ("version", ABI_VERSION, "ABI_VERSION"),
    ("ram_base", KVA, "PA of the first RAM byte, where the image is loaded: KVA or 0"),
    ("ram_size", 0x0800_0000, "bytes of RAM from ram_base; bounds the direct map"),
    ("mbar", 0xF000_0000, "PA of the MBAR window, reached through ACR1; at or above SUPERVISOR_LIMIT"),
    ("page_shift", 13, "log2 of the page: 13 or 12"),
    ("mapping", MappingKind.ACR, "MappingKind"),
    ("handler", HandlerKind.RANGE, "HandlerKind"),
    ("flush", FlushPolicy.FLUSH, "FlushPolicy"),
    ("growth", GrowthKind.NONE, "GrowthKind"),
    ("growth_va", 0, "first VA of the growth area; 0 = growth goes on at the heap's end (PAGED_* only)"),
    ("growth_limit", 0, "end of the growth area (exclusive)"),
    ("growth_pages", 1, "frames asked for in one GROW (SLAB: always 1)"),
    ("growth_shift", 13, "log2 of the TLB page of the growth area: page_shift, or 20 for ALTMAP"),
    ("exhaustion", Exhaustion.REFUSE, "Exhaustion"),
    ("heap_va", KVA + IMAGE_SIZE, "first VA of the boot heap (PAGED_*); other mappings take VA from the granted PA"),
    ("console_va", CONSOLE_VA, "VA of the console device when attached"),
    ("console_pa", 0xF000_0000, "PA of the console device: PSC0's page and its neighbours, normally the MBAR base"),
    ("console_pages", 16, "pages of the console device: 16 at 8 KB, 32 at 4 KB (kernel sheet 8.9)"),
    ("console_reserve", 16, "headers set aside at boot for the console alone"),
    ("user_processes", 2, "user processes built at boot, 0..MAX_USER_PROCESSES"),
    ("user_data_pages", 2, "data pages of each, 1..16; every IPC round touches each once"),
    ("vector_count", (0,) * len(Vector), "elements of each `Vector`"),
    (
        "vector_stride",
        (888, 316, 80, 4, 56, 128, 188, 12, 8192, 56),
        "bytes from one element to the next (kernel sheet 1.5); at least the compiled size",
    ),
)


@dataclass(frozen=True, init=False)
class ParameterBlock:
    """The boot parameters by name: ``ParameterBlock(mapping=MappingKind.ACR, vector_count=[...])``.

    Names not given take the default of `PARAMETERS`. Raises `ValueError` for an unknown name, a wrong array length
    or a value that is no u32. ``pack()`` gives the PARAMETER_SIZE bytes to write at ram_base + PARAMETER_OFFSET.
    """

    values: Mapping[str, tuple[int, ...]]

    def __init__(self, **given: int | Sequence[int]) -> None:
        unknown = given.keys() - {field.name for field in PARAMETERS}
        if unknown:
            raise ValueError(f"no such boot parameter: {', '.join(sorted(unknown))}")
        object.__setattr__(self, "values", {f.name: _words(f, given.get(f.name, f.default)) for f in PARAMETERS})

    def __getitem__(self, name: str) -> int:
        """The value of a scalar field (the first element of an array)."""
        return self.values[name][0]

    def pack(self) -> bytes:
        """Big-endian image, PARAMETER_SIZE bytes."""
        words = [word for field in PARAMETERS for word in self.values[field.name]]
        return struct.pack(f">{len(words)}I", *words).ljust(PARAMETER_SIZE, b"\0")


def _words(field: Field, value: int | Sequence[int]) -> tuple[int, ...]:
    words = (int(value),) if isinstance(value, int) else tuple(int(word) for word in value)
    if len(words) != field.count:
        raise ValueError(f"boot parameter {field.name}: {field.count} values wanted, {len(words)} given")
    for word in words:
        if not 0 <= word <= 0xFFFF_FFFF:
            raise ValueError(f"boot parameter {field.name}: {word:#x} is not an unsigned 32-bit number")
    return words
