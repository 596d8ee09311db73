"""Random guest programs that strain the TLBs: reproducible from a seed, the same for every engine.

Code and data lie on pages of all four sizes, with random frames, so that straight-line code, instructions and operands
run across page boundaries of every kind, while the program itself loads, locks and clears TLB entries, switches ASIDs
and privilege, patches its own code through other addresses and takes away the page it runs on.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emu.board import Board
from emu.machine import Machine
from tests.support import asm, kernel
from tests.support.asm import (
    A0,
    A1,
    D0,
    D1,
    D2,
    D3,
    D4,
    D5,
    D6,
    D7,
    SP,
    Assembler,
    at,
    d,
    disp,
    imm,
    ind,
    index,
    post,
    pre,
)
from tests.support.guest import (
    ACC,
    ADR,
    CA,
    CAS,
    CM_INHIBITED,
    CNL,
    CODE,
    DTLB_BASE,
    EUSP,
    ITLB,
    LK,
    MBAR,
    RAM,
    READ,
    STACK,
    STLB,
    UAA,
    WINDOW,
    R,
    W,
    X,
    enter_virtual_mode,
    go_to,
    image,
    tag,
)
from tests.support.guest import SP as SP_BIT

RAM_BYTES = 64 << 20
BOARD = Board("random", "memory for random programs", ((RAM, RAM_BYTES),), None, MBAR, 266_000_000)
SMALL_FRAMES = range(RAM + (2 << 20), RAM + (16 << 20), 8192)  # inside the ACR: the supervisor reaches them by PA too
BIG_FRAMES = range(RAM + (16 << 20), RAM + RAM_BYTES, 1 << 20)
CODE_VA, DATA_VA, ALIAS = 0x00100000, 0x10000000, 0x20000000  # the alias of a code page is its VA + ALIAS
MEGABYTE = 1 << 20
ASIDS = (1, 2, 3)
STACK_ROOM = 400  # at the end of each run of data pages; the user stack is in one of them
LOCKABLE = 10  # TLB entries below this may be locked: enough stay free for any instruction (sheet 1.12)
AR, TR, DR, OR = 0x10, 0x14, 0x18, 0x04
GROUPS = ((13,), (12, 12), (12, 10, 10, 10, 10), (10, 10, 10, 10, 12), (10,) * 8)  # ways to fill 8 KB


@dataclass(frozen=True)
class Page:
    """A page of the program: its frame in each address space and what its entries say."""

    va: int
    bits: int
    frames: dict[int, int]
    flags: int
    fetch_flags: int
    shared: bool

    @property
    def end(self) -> int:
        return self.va + (1 << self.bits)


@dataclass
class Layout:
    """Pages in runs without holes."""

    runs: list[list[Page]] = field(default_factory=list)

    @property
    def pages(self) -> list[Page]:
        return [page for run in self.runs for page in run]


def _sizes(rng: random.Random, count: int, megabytes: int, smallest: int) -> list[list[int]]:
    """Page sizes of each run: small pages up to a megabyte boundary, a 1-MB page, small pages behind it."""
    runs: list[list[int]] = []
    while count > 0:
        run: list[int] = []
        for part in range(2):
            for _ in range(rng.randint(1, 4)):
                run += rng.choice([group for group in GROUPS if min(group) >= smallest])
            if part == 0:
                if megabytes == 0:
                    break
                run.append(20)
                megabytes -= 1
        runs.append(run)
        count -= len(run)
    return runs


class Frames:
    """Random frames, each handed out once; 1-KB and 4-KB frames are random pieces of larger ones.

    Unless ``scattered``, the 1-KB pages of 4 KB of VA lie in one 4-KB frame, in order.
    """

    def __init__(self, rng: random.Random, scattered: bool) -> None:
        self._rng, self._scattered = rng, scattered
        self._quarters: dict[tuple[int, int], int] = {}
        self._small = rng.sample(SMALL_FRAMES, len(SMALL_FRAMES))
        self._big = rng.sample(BIG_FRAMES, len(BIG_FRAMES))
        self._pieces: dict[int, list[int]] = {10: [], 12: []}

    def take(self, va: int, bits: int, asid: int = 0) -> int:
        """A frame of 2**bits bytes for the page at ``va``."""
        if bits == 10 and not self._scattered:
            key = (va >> 12, asid)
            if key not in self._quarters:
                self._quarters[key] = self.take(va, 12)
            return self._quarters[key] + (va & 0xC00)
        if bits == 20:
            return self._big.pop()
        if bits == 13:
            return self._small.pop()
        if not self._pieces[bits]:
            whole = [self._small.pop() for _ in range(4)]
            self._pieces[bits] = [frame + at for frame in whole for at in range(0, 8192, 1 << bits)]
            self._rng.shuffle(self._pieces[bits])
        return self._pieces[bits].pop()


def _lay_out(rng: random.Random, base: int, runs: list[list[int]], make: Callable[[int, int], Page]) -> Layout:
    """Give the runs their VAs: each 1-MB page is aligned, and what stands before it ends where it begins."""
    layout, megabyte = Layout(), base
    for sizes in runs:
        big = sizes.index(20) if 20 in sizes else 0
        va = (
            megabyte + MEGABYTE - sum(1 << bits for bits in sizes[:big]) if big else megabyte + rng.randrange(64) * 8192
        )
        pages = []
        for bits in sizes:
            pages.append(make(va, bits))
            va += 1 << bits
        layout.runs.append(pages)
        megabyte += 4 * MEGABYTE
    return layout


class Program:
    """One random program. ``code_pages`` and ``data_pages``: about how many; ``asm_mode``: MMUCR[ASM]; ``smallest``:
    log2 of the smallest page size; ``cache_modes``: MMUDR[CM] of data pages, which take turns."""

    def __init__(
        self,
        seed: int,
        code_pages: int,
        data_pages: int,
        loops: int,
        asm_mode: int = 0,
        scattered: bool = True,
        smallest: int = 10,
        cacr: int = EUSP,
        cache_modes: tuple[int, ...] = (0,),
    ) -> None:
        self.rng = rng = random.Random(seed)
        self.asm_mode, self.cacr, self.cache_modes = asm_mode, cacr, cache_modes
        self.frames = Frames(rng, scattered)
        self.code = _lay_out(rng, CODE_VA, _sizes(rng, code_pages, 1 + code_pages // 32, smallest), self._code_page)
        self.data = _lay_out(rng, DATA_VA, _sizes(rng, data_pages, 1 + data_pages // 16, smallest), self._data_page)
        self.pieces: list[tuple[int, bytes]] = []
        self.slots: list[int] = []  # VAs of immediates of MOVEQ that may be patched
        self._labels = 0
        self._data_pages, self._code_pages = self.data.pages, self.code.pages
        self._write_program(loops)
        self._write_tables()

    # --- pages

    def _code_page(self, va: int, bits: int) -> Page:
        frame = self.frames.take(va, bits)
        fetch = X if self.rng.random() < 0.95 else self.rng.choice((0, X | SP_BIT))
        shared = self.rng.random() < 0.5
        return Page(va, bits, dict.fromkeys(ASIDS, frame), R | W, fetch, shared)

    def _data_page(self, va: int, bits: int) -> Page:
        shared = bits == 20 or va >> 13 & 1 == 0
        frame = self.frames.take(va, bits)
        frames = {asid: frame if shared else self.frames.take(va, bits, asid) for asid in ASIDS}
        flags = R | W if self.rng.random() < 0.8 else self.rng.choice((R, W, R | W | SP_BIT, 0))
        if self.rng.random() < 0.05:
            flags |= CM_INHIBITED
        else:
            flags |= self.cache_modes[(va >> 10) % len(self.cache_modes)]
        return Page(va, bits, frames, flags, X, shared and self.rng.random() < 0.5)

    def _tags(self, page: Page, asid: int, va: int) -> tuple[int, int]:
        """Images of MMUTR for user and supervisor; with ASM=1 the supervisor sees only ID 0 (CF4UM 10-13)."""
        user = tag(va, asid, page.shared)
        return user, tag(va, 0) if self.asm_mode else user

    def _write_tables(self) -> None:
        tables = kernel.Tables()
        for asid in ASIDS:
            for page in self._code_pages + self._data_pages:
                data = image(page.frames[asid], page.bits, page.flags)
                fetch = image(page.frames[asid], page.bits, page.fetch_flags)
                tables.map(asid, page.va, page.bits, (*self._tags(page, asid, page.va), data, fetch))
            for page in self._code_pages:
                data = image(page.frames[asid], page.bits, R | W)
                va = page.va + ALIAS
                tables.map(asid, va, page.bits, (*self._tags(page, asid, va), data, data))
        self.pieces += tables.pieces()

    def _physical(self, va: int) -> int:
        """PA of a byte of code."""
        page = next(page for page in self._code_pages if page.va <= va < page.end)
        return page.frames[1] + va - page.va

    def _scatter(self, va: int, code: bytes) -> None:
        """Write code at its VA into its frames."""
        while code:
            size = 1024 - va % 1024  # inside the smallest page
            self.pieces.append((self._physical(va), code[:size]))
            va, code = va + size, code[size:]

    # --- data addresses

    def _data_va(self) -> int:
        """An address with 64 mapped bytes behind it: mostly one that an operand may cross a page at."""
        run = self.rng.choice(self.data.runs)
        page = self.rng.choice(run)
        if self.rng.random() < 0.5:
            va = page.end - self.rng.randint(0, 9)
        else:
            va = page.va + self.rng.randrange(1 << page.bits)
        return max(run[0].va + 64, min(va, run[-1].end - STACK_ROOM))

    # --- operations: each returns code that loads all it needs

    def _memory(self, p: Assembler) -> None:
        """A memory instruction of a random kind at a random place."""
        rng, n, m = self.rng, self.rng.randrange(5), self.rng.randrange(5)
        size = rng.choice("bwl")
        aligned = asm.lea(at(self._data_va()), A0)
        choices: tuple[Callable[[], bytes], ...] = (
            lambda: asm.move(size, ind(A0), d(n)),
            lambda: asm.move(size, post(A0), d(n)),
            lambda: asm.move(size, d(n), pre(A0)),
            lambda: asm.move(size, d(n), disp(A0, rng.randrange(-32, 32))),
            lambda: asm.move("l", imm(rng.getrandbits(32)), ind(A0)),
            lambda: asm.moveq(rng.randrange(4), D6) + asm.move("l", index(A0, D6, rng.randrange(16), 4), d(n)),
            lambda: asm.lea(at(self._data_va()), A1) + asm.move(size, post(A0), post(A1)),
            lambda: asm.lea(at(self._data_va()), A1) + asm.move(size, pre(A0), disp(A1, 4)),
            lambda: asm.alu(rng.choice(("add", "sub", "and", "or", "cmp")), ind(A0), n),
            lambda: asm.alu_to(rng.choice(("add", "sub", "and", "or", "eor")), n, ind(A0)),
            lambda: asm.addq(rng.randint(1, 8), ind(A0)) + asm.subq(rng.randint(1, 8), disp(A0, 4)),
            lambda: asm.bit(rng.choice(("bset", "bclr", "bchg", "btst")), rng.randrange(8), ind(A0)),
            lambda: asm.bit_by(rng.choice(("bset", "bclr", "bchg", "btst")), n, ind(A0)),
            lambda: asm.tas(ind(A0)),
            lambda: asm.clr(size, ind(A0)),
            lambda: asm.mov3q(rng.choice((-1, 1, 5)), post(A0)),
            lambda: asm.mvs(rng.choice("bw"), ind(A0), n) + asm.mvz(rng.choice("bw"), disp(A0, 2), m),
            lambda: asm.movem_store(range(rng.randint(1, 8)), disp(A0, -8)),
            lambda: asm.movem_load(ind(A0), [D0, D1, D2, D3, D4][: rng.randint(1, 5)]),
            lambda: asm.movem_load(disp(A0, 4), [D1, D3, 8 + A0, 8 + A1]),
            lambda: asm.mul_l(True, ind(A0), n),
            lambda: asm.mul_w(False, ind(A0), n),
            lambda: asm.moveq(7, D5) + asm.move("l", d(D5), ind(A0)) + asm.div_l(True, ind(A0), n),
            lambda: asm.tst(size, ind(A0)),
            lambda: asm.pea(disp(A0, 4)) + asm.move("l", post(SP), d(n)),
            lambda: asm.link(5, -12) + asm.move("l", d(n), disp(5, -4)) + asm.unlk(5),
        )
        p.add(aligned, rng.choice(choices)())

    def _arithmetic(self, p: Assembler) -> None:
        rng, n, m = self.rng, self.rng.randrange(5), self.rng.randrange(5)
        choices: tuple[Callable[[], bytes], ...] = (
            lambda: asm.alu_i(rng.choice(("addi", "subi", "andi", "ori", "eori", "cmpi")), rng.getrandbits(32), n),
            lambda: asm.moveq(rng.randrange(256), n),
            lambda: asm.addx(n, m),
            lambda: asm.shift(rng.choice(("asl", "asr", "lsl", "lsr")), rng.randint(1, 8), n),
            lambda: asm.single(rng.choice(("swap", "ext.w", "ext.l", "extb.l", "neg.l", "negx.l", "not.l")), n),
            lambda: asm.move_from_ccr(n),
            lambda: asm.TPF * rng.randint(1, 6),
            lambda: asm.NOP,
            lambda: asm.move("l", imm(rng.getrandbits(32)), d(n)),
            lambda: asm.alu_i("ori", 1, n) + asm.rem_l(rng.random() < 0.5, d(n), m, (m + 1) % 5),
        )
        p.add(rng.choice(choices)())

    def _refused(self, p: Assembler) -> None:
        """An exception whose handler skips one word."""
        p.add(asm.moveq(0, D5), self.rng.choice((asm.ILLEGAL, asm.words(0xA17C), asm.div_w(False, d(D5), D1))))

    def _skip(self, p: Assembler) -> None:
        """A conditional branch over something."""
        self._labels += 1
        name = f"skip {self._labels}"
        p.branch(self.rng.choice(("ne", "eq", "cs", "pl", "gt", "vs")), name)
        self._memory(p)
        p.label(name)

    def _subroutine(self, p: Assembler) -> None:
        self._labels += 1
        name = f"sub {self._labels}"
        p.branch("sr", name)
        p.branch("ra", name + " end")
        p.label(name)
        self._memory(p)
        p.add(asm.RTS)
        p.label(name + " end")

    def _inner_loop(self, p: Assembler) -> None:
        self._labels += 1
        name = f"loop {self._labels}"
        p.add(asm.moveq(self.rng.randint(2, 5), D4), asm.move("l", d(D4), at(self._data_va())))
        p.add(asm.lea(at(self._data_va()), A0), asm.lea(at(self._data_va()), A1))
        p.label(name)
        p.add(asm.alu_to("add", D4, ind(A0)), asm.move("l", ind(A1), d(D3)), asm.subq(1, d(D4)))
        p.branch("ne", name)

    def _patch(self, p: Assembler) -> None:
        """Change the immediate of a MOVEQ of this program through another VA; sometimes one a few words ahead."""
        if not self.slots or self.rng.random() < 0.3:
            self._store_byte(p, at(p.here + 6 + 4 + 2 * 1 + 1 + ALIAS))
            p.add(asm.TPF)
            self._slot(p)
        else:
            self._store_byte(p, at(self.rng.choice(self.slots) + ALIAS))

    def _store_byte(self, p: Assembler, target: asm.Ea) -> None:
        p.add(asm.lea(target, A1), asm.move("b", imm(self.rng.randrange(256), "b"), ind(A1)))

    def _slot(self, p: Assembler) -> None:
        self.slots.append(p.here + 1)
        p.add(asm.moveq(1, D5), asm.alu("add", d(D5), D2))

    # --- operations on the MMU

    def _put(self, p: Assembler, offset: int, value: int, inline: bool) -> None:
        """An MMU register := value, directly as supervisor or by a trap."""
        if inline:
            p.add(asm.move("l", imm(value), d(D0)), asm.move("l", d(D0), at(WINDOW + offset)))
        else:
            p.add(asm.move("l", imm(offset), d(D0)), asm.move("l", imm(value), d(D1)), asm.trap(kernel.TRAP_WRITE))

    def _load(self, p: Assembler, inline: bool) -> None:
        """Load a page into a TLB entry of the program's choice, or the hardware's; maybe locked or invalid."""
        rng = self.rng
        fetch = rng.random() < 0.4
        page, asid = rng.choice(self._code_pages if fetch else self._data_pages), rng.choice(ASIDS)
        user, supervisor = self._tags(page, asid, page.va)
        flags = X if fetch else rng.choice((page.flags, R | W, R))
        number = rng.randrange(32)
        if number < LOCKABLE and rng.random() < 0.5:
            flags |= LK
        word = rng.choice((user, supervisor, user & ~1 if rng.random() < 0.3 else user))
        self._put(p, TR, word, inline)
        self._put(p, DR, image(page.frames[asid], page.bits, flags), inline)
        if rng.random() < 0.2:
            self._put(p, DR, image(page.frames[asid], page.bits, flags & ~LK), inline)
            self._put(p, OR, UAA | ACC | (ITLB if fetch else 0), inline)
        else:
            self._put(p, AR, number if fetch else DTLB_BASE + number, inline)
            self._put(p, OR, ADR | ACC | (ITLB if fetch else 0), inline)

    def _clear(self, p: Assembler, inline: bool) -> None:
        self._put(p, OR, self.rng.choice((CA, CNL, CNL, CAS, CAS, UAA, ITLB | UAA)), inline)

    def _probe(self, p: Assembler) -> None:
        """Search, or read an entry; the kernel folds the answer into memory."""
        rng = self.rng
        number = rng.randrange(64)
        side = ITLB if number < DTLB_BASE else 0
        search = STLB | rng.choice((0, ITLB)) | rng.choice((0, READ | ACC))
        pages = self._code_pages + self._data_pages
        read = (number, ADR | READ | ACC | side), (rng.choice(pages).va | rng.randrange(2), search)
        address, command = rng.choice(read)
        p.add(asm.move("l", imm(command), d(D0)), asm.move("l", imm(address), d(D1)), asm.trap(kernel.TRAP_PROBE))

    def _switch(self, p: Assembler) -> None:
        p.add(asm.moveq(self.rng.choice(ASIDS), D0), asm.trap(kernel.TRAP_ASID))

    def _physical_patch(self, p: Assembler) -> None:
        """As supervisor: patch code by its PA, through the ACR."""
        near = [slot for slot in self.slots if self._physical(slot) < BIG_FRAMES[0]]
        if near:
            self._store_byte(p, at(self._physical(self.rng.choice(near))))

    # --- fragments

    def _operation(self, p: Assembler, supervisor: bool) -> None:
        inline = supervisor and self.rng.random() < 0.7
        table: tuple[tuple[int, Callable[[], None]], ...] = (
            (40, lambda: self._memory(p)),
            (20, lambda: self._arithmetic(p)),
            (5, lambda: self._skip(p)),
            (4, lambda: self._subroutine(p)),
            (3, lambda: self._inner_loop(p)),
            (3, lambda: self._slot(p)),
            (2, lambda: self._patch(p)),
            (1, lambda: self._refused(p)),
            (5, lambda: self._load(p, inline)),
            (2, lambda: self._clear(p, inline)),
            (3, lambda: self._probe(p)),
            (2, lambda: self._switch(p)),
            (2 if supervisor else 0, lambda: self._physical_patch(p)),
        )
        self.rng.choices([action for _, action in table], [weight for weight, _ in table])[0]()

    def _fragment(self, start: int, length: int) -> Assembler:
        """About ``length`` bytes of operations at VA ``start``."""
        p = Assembler(start)
        mode = self.rng.choice((kernel.TRAP_USER, kernel.TRAP_SUPERVISOR, None))
        if mode is not None:
            p.add(asm.trap(mode))
        while p.here < start + length - 80:
            self._operation(p, mode == kernel.TRAP_SUPERVISOR)
        return p

    def _tour(self, start: int) -> Assembler:
        """Code at VA ``start`` that reads a byte of every data page."""
        p = Assembler(start)
        p.add(asm.trap(self.rng.choice((kernel.TRAP_USER, kernel.TRAP_SUPERVISOR))))
        for page in self.rng.sample(self._data_pages, len(self._data_pages)):
            p.add(asm.tst("b", at(page.va + self.rng.randrange(1 << page.bits))))
        return p

    def _places(self) -> tuple[int, list[tuple[int, int]]]:
        """Where the tour fits, and (start, length) of fragments: one across, or up to, nearly every boundary between
        two code pages."""
        places = []
        tours = []
        room = 6 * len(self._data_pages) + 40
        for run in self.code.runs:
            cursor = run[0].va
            for page in run[:-1]:
                start = max(cursor, page.end - 2 * self.rng.randint(1, 60))
                if start >= page.end - 2:
                    continue
                length = self.rng.choice((140, 160, 200, 300, 1300))
                if start + length + 200 > run[-1].end:
                    break
                if start - cursor > room:
                    tours.append(cursor)
                places.append((start, length))
                cursor = start + length + 120  # an operation may overshoot
        self.rng.shuffle(places)
        return self.rng.choice(tours), places

    def _write_program(self, loops: int) -> None:
        tour, places = self._places()
        fragments = [self._tour(tour), *(self._fragment(*place) for place in places)]
        for fragment, following in itertools.pairwise(fragments):
            fragment.add(asm.jmp(at(following.origin)))
        last = fragments[-1]
        last.add(asm.subq(1, d(D7)))
        last.branch("eq", "end")
        last.add(asm.jmp(at(fragments[0].origin)))
        last.label("end")
        last.add(asm.trap(kernel.TRAP_EXIT))
        for fragment in fragments:
            self._scatter(fragment.origin, fragment.finish())
        user_stack = self.data.runs[0][-1].end - 64
        boot = enter_virtual_mode(cacr=self.cacr, asid=ASIDS[0], mmucr=1 | self.asm_mode << 1)
        boot += asm.moveq(loops, D7) + asm.lea(at(user_stack), A0) + asm.move_to_usp(A0) + asm.lea(at(user_stack), 5)
        boot += go_to(fragments[0].origin, 0, STACK)
        self.pieces += [(RAM, kernel.vector_table()), (CODE, kernel.KERNEL), (kernel.BOOT, boot)]

    # --- running

    def machine(self, engine: str, **options: Any) -> Machine:
        """A machine that is about to run this program."""
        machine = Machine(BOARD, engine=engine, **options)
        for address, data in self.pieces:
            machine.write_physical(address, data)
        for page in self._data_pages:
            for asid in ASIDS:
                random_bytes = random.Random(page.va ^ asid).randbytes(128)
                machine.write_physical(page.frames[asid], random_bytes)
        machine.regions.add("code", CODE_VA, DATA_VA)
        machine.regions.add("data", DATA_VA, ALIAS)
        machine.registers["sr"] = 0x2700
        machine.registers["a7"] = STACK
        machine.registers["pc"] = kernel.BOOT
        return machine
