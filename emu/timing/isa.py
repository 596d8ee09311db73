"""Every op word of the ColdFire V4e, drawn as a bit picture, with its length and its cycles.

This is the one description of the instruction set that the product has: instruction lengths (for counting retired
instructions and for disassembly), privilege, and the flat cycle model all come from it.

Bit pictures: ``0`` and ``1`` are fixed; ``eeeeee`` is the effective address ``mmmrrr``; ``EEEEEE`` the destination of
MOVE, stored as ``rrrmmm``; every other letter is a free bit. Spaces are for the eye.

The instruction set is ISA_A + ISA_B + the USP moves + FPU + EMAC (hardware sheet 4.1). An instruction has at most
three words, which is why MOVE and the FPU lack many of the 68000's combinations.

Cycles are the cells of the hardware sheet 4.3-4.6 for a cache hit and no stall, in the flat model of 4.8. They are
the manuals' numbers; that they may be added up without looking at the neighbours is our simplification.
"""

from dataclasses import dataclass

from emu.timing.effective_address import (
    ALL,
    ALTERABLE,
    CONTROL,
    DATA,
    DATA_ALTERABLE,
    MEMORY_ALTERABLE,
)

__all__ = [
    "FOLD_ADDRESS",
    "FOLD_LOAD",
    "FOLD_MOVE",
    "FOLD_QUICK",
    "FOLD_SIMPLE",
    "FOLD_STORE",
    "FORM_EA",
    "FORM_FPU",
    "FORM_MAC",
    "FORM_MOVE",
    "FORM_MOVEM",
    "FORM_STACK",
    "F_BITOP_MEM",
    "F_BRANCH",
    "F_FPU",
    "F_ILLEGAL",
    "F_INDEXED",
    "F_MOVEM",
    "F_PRIVILEGED",
    "F_RMW",
    "ROWS",
    "SURCHARGES",
    "UNIT_ACC",
    "UNIT_BCC",
    "UNIT_CALL",
    "UNIT_DIV_L",
    "UNIT_EARLY",
    "UNIT_FBCC",
    "UNIT_FPU",
    "UNIT_FPU_ALL",
    "UNIT_LATE",
    "UNIT_MAC",
    "UNIT_MAC_LOAD",
    "UNIT_MOVEC",
    "UNIT_MOVEM_LOAD",
    "UNIT_MOVEM_STORE",
    "UNIT_MOVE_L",
    "UNIT_MUL",
    "UNIT_MUL_L",
    "UNIT_NOP",
    "UNIT_RTS",
    "UNIT_UNLK",
    "UNIT_WHOLE",
    "Cell",
    "Row",
]

F_RMW = 1  # memory operand is read, then written
F_MOVEM = 2  # cycles = registers in the list, which is the extension word
F_FPU = 4  # cycles depend on the FPU extension word
F_BRANCH = 8  # transfers control, or stops: ends a basic block
F_ILLEGAL = 16  # no V4e instruction starts with this word (vector 4, 10 or 11)
F_PRIVILEGED = 32  # vector 8 in user mode
F_BITOP_MEM = 64  # BCHG, BCLR or BSET with a memory operand
F_INDEXED = 128  # uses (d8,An,Xi) or (d8,PC,Xi)

# How the pipeline comes to the result of an instruction (docs/timing-model.md, section 1), and what else it does there.
(
    UNIT_LATE,  # the EX stage; a memory operand makes every result late
    UNIT_EARLY,  # the address ALU, if the operands are ready
    UNIT_MOVE_L,  # EARLY, or a load that is forwarded early
    UNIT_WHOLE,  # the cell is the whole time
    UNIT_MUL,
    UNIT_MUL_L,  # registers in the extension word
    UNIT_DIV_L,
    UNIT_MOVEM_LOAD,
    UNIT_MOVEM_STORE,
    UNIT_MOVEC,
    UNIT_UNLK,
    UNIT_MAC,
    UNIT_MAC_LOAD,
    UNIT_ACC,  # reads an accumulator
    UNIT_FPU,
    UNIT_FBCC,
    UNIT_FPU_ALL,  # FSAVE, FRESTORE: wait for the whole FPU
    UNIT_NOP,
    UNIT_BCC,
    UNIT_CALL,
    UNIT_RTS,
) = range(21)

# Parts in a folded pair (docs/timing-model.md, section 2).
FOLD_LOAD = 1  # first of case 1
FOLD_STORE = 2  # first of case 2
FOLD_ADDRESS = 4  # first of case 3
FOLD_SIMPLE = 8  # second of cases 1 and 3
FOLD_MOVE = 16  # second of case 2
FOLD_QUICK = 32  # second of case 3 only

# Where the data accesses of an instruction go (emu.cpu.accesses).
FORM_EA = 0  # the effective address: a read, a write, or with both a read-modify-write
FORM_MOVE = 1  # a read at the effective address, then a write at the destination
FORM_STACK = 2  # a read at (A7), or a write at -(A7)
FORM_MOVEM = 3  # a longword for each register in the list, which is the extension word
FORM_FPU = 4  # what the FPU extension word says
FORM_MAC = 5  # a read at the effective address under MASK

_MEMORY_ONLY_FLAGS = F_RMW | F_BITOP_MEM


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a timing table: ``cycles`` for the simplest operand, its source and confidence (sheet 0.1)."""

    cycles: int
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Row:
    """One form of one instruction.

    ``ea`` / ``destination``: allowed addressing modes as letters of :data:`~emu.timing.effective_address.MODE_LETTERS`.
    ``extra``: extension words that do not belong to an effective address. ``immediate``: words of a ``#imm`` operand.
    ``flags``: of every op word of the row; F_RMW and F_BITOP_MEM are dropped where ``ea`` is a register.
    ``load`` / ``store``: bytes that one data access reads and writes, where they are in memory; ``form`` says where.
    ``forbidden``: bits of the extension word with which the instruction is illegal, before any access.
    ``regs``: what the letters of the picture that name registers mean for the pipeline, as ``letter=use`` (emu.timing.
    operands); operands at effective addresses follow from ``load`` and ``store``. ``unit``: where results come from.
    ``fold``: parts in folded pairs, as letters (emu.timing.operands).
    """

    name: str
    picture: str
    cell: Cell
    ea: str = ""
    destination: str = ""
    extra: int = 0
    immediate: int = 2
    flags: int = 0
    load: int = 0
    store: int = 0
    form: int = FORM_EA
    forbidden: int = 0
    regs: str = ""
    unit: int = UNIT_LATE
    fold: str = ""

    @property
    def memory_only_flags(self) -> int:
        """The flags that hold only for op words with a memory operand."""
        return self.flags & _MEMORY_ONLY_FLAGS


# What an operand adds to the cell of its instruction. Their names are those of cells in a file that overrides numbers.
SURCHARGES = {
    "indexed": Cell(1, "sheet 4.4: +1 for an indexed operand; 5407UM T2-14, T2-15", "2S"),
    "memory to memory": Cell(1, "MOVE of memory to memory: one read cycle, one write cycle, 548xRM 3-42", "2S"),
}

# --- Timing cells (hardware sheet 4.3-4.6) --------------------------------------------------------------------------

_MOVE = Cell(1, "CF4UM 6-6; GCC cfv4", "2S")
_MOVE_ROW = Cell(1, "CF4UM 6-6; memory to memory +1: 548xRM 3-42", "2S")
_MOVEQ = Cell(1, "5407UM T2-13; GCC cfv4", "2S")
_MOV3Q = Cell(1, "GCC cfv4", "1S")
_TST = Cell(1, "5407UM T2-14", "1S")
_UNARY = Cell(1, "5407UM T2-14; GCC cfv4", "2S")
_ALU = Cell(1, "5407UM T2-15; GCC cfv4", "2S")
_CMP = Cell(1, "5407UM T2-15", "1S")
_ALU_A = Cell(1, "5407UM T2-15 note: use the ADD row", "1S")
_BTST = Cell(1, "5407UM T2-15: embedded load rule", "INF")
_BITOP = Cell(1, "GCC cfv4; cells not seen", "1S")
_LEA = Cell(1, "GCC cfv4; indexed not seen", "1S")
_PEA = Cell(1, "GCC cfv4", "1S")
_LINK = Cell(2, "5407UM T2-16; GCC cfv4", "2S")
_UNLK = Cell(1, "5407UM T2-16 (sheet 7 item 26)", "1S")
_MOVEM = Cell(1, "5407UM T2-16: n(n/0), n(0/n)", "1S")
_TAS = Cell(1, "read-modify-write costs no more than a read (sheet 4.4); cell not seen", "INF")
_CCR = Cell(1, "simple register operation (sheet 4.4); cell not seen", "INF")
_TO_SR = Cell(9, "sheet 4.4, MOVE to SR", "UNV")
_MOVEC = Cell(20, "sheet 4.4, MOVEC", "UNV")
_STOP = Cell(6, "sheet 4.4, STOP", "UNV")
_CPUSHL = Cell(9, "sheet 4.4, CPUSHL", "UNV")
_INTOUCH = Cell(19, "sheet 4.4, INTOUCH", "UNV")
_NOP = Cell(6, "CF4UM 6-6; 5407UM T2-16 (minimum)", "2S")
_TPF = Cell(1, "CF4UM 6-6", "1S")
# The engine charges exception entry (18 cycles, taken from this very cell) for every exception, TRAP included.
_TRAP = Cell(0, "5407UM T2-16: 18(1/2), charged as exception entry", "1S")
_DEBUG = Cell(1, "no cell seen; default instruction (sheet 4.8)", "INF")

_BCC = Cell(1, "5407UM T2-18 (predicted by the table)", "1S")
_BRA = Cell(1, "5407UM T2-17; GCC cfv4", "2S")
_JMP = Cell(5, "5407UM T2-17; GCC cfv4", "2S")
_JMP_ABSOLUTE = Cell(1, "5407UM T2-17", "1S")
_RTS = Cell(2, "5407UM T2-17; GCC cfv4 (return stack hit)", "2S")
_RTE = Cell(15, "5407UM T2-17", "1S")

_MUL = Cell(4, "GCC cfv4; EMAC chapters 5223x/5281", "2S")
_DIV_W = Cell(20, "5407UM T2-15; GCC cfv4", "2S")
_DIV_L = Cell(35, "5407UM T2-15; GCC cfv4", "2S")
_MAC = Cell(1, "EMAC chapters 5223x/5281: issue rate 1", "1S")
_EMAC_MOVE = Cell(1, "EMAC chapters 5223x/5281; pipe drain not modelled", "INF")

_FPU = Cell(1, "GCC cfv4 by operation: see emu.timing.cost.fpu_cycles", "1S")
_FBCC = Cell(2, "GCC cfv4", "1S")
_FSAVE = Cell(4, "four longwords, 548xRM 6-24; one a cycle as MOVEM", "INF")


# --- Line 0: immediate arithmetic and bit operations ----------------------------------------------------------------

_LINE_0 = (
    Row("ORI.L", "0000 0000 1000 0ddd", _CMP, extra=2, regs="d=m", unit=UNIT_EARLY),
    Row("ANDI.L", "0000 0010 1000 0ddd", _CMP, extra=2, regs="d=m", unit=UNIT_EARLY),
    Row("SUBI.L", "0000 0100 1000 0ddd", _CMP, extra=2, regs="d=m", unit=UNIT_EARLY),
    Row("ADDI.L", "0000 0110 1000 0ddd", _CMP, extra=2, regs="d=m", unit=UNIT_EARLY),
    Row("EORI.L", "0000 1010 1000 0ddd", _CMP, extra=2, regs="d=m", unit=UNIT_EARLY),
    Row("CMPI.B", "0000 1100 0000 0ddd", _CMP, extra=1, regs="d=r"),
    Row("CMPI.W", "0000 1100 0100 0ddd", _CMP, extra=1, regs="d=r"),
    Row("CMPI.L", "0000 1100 1000 0ddd", _CMP, extra=2, regs="d=r"),
    Row("BTST Dy", "0000 yyy1 00ee eeee", _BTST, DATA, immediate=1, load=1, regs="y=r"),
    Row(
        "BCHG Dy", "0000 yyy1 01ee eeee", _BITOP, DATA_ALTERABLE, flags=F_RMW | F_BITOP_MEM, load=1, store=1, regs="y=r"
    ),
    Row(
        "BCLR Dy", "0000 yyy1 10ee eeee", _BITOP, DATA_ALTERABLE, flags=F_RMW | F_BITOP_MEM, load=1, store=1, regs="y=r"
    ),
    Row(
        "BSET Dy", "0000 yyy1 11ee eeee", _BITOP, DATA_ALTERABLE, flags=F_RMW | F_BITOP_MEM, load=1, store=1, regs="y=r"
    ),
    # Static bit number: two words before the EA's own, so only modes with at most one more.
    Row("BTST #", "0000 1000 00ee eeee", _BTST, "DI+-d", extra=1, load=1, forbidden=0xFF00),
    Row(
        "BCHG #",
        "0000 1000 01ee eeee",
        _BITOP,
        "DI+-d",
        extra=1,
        flags=F_RMW | F_BITOP_MEM,
        load=1,
        store=1,
        forbidden=0xFF00,
    ),
    Row(
        "BCLR #",
        "0000 1000 10ee eeee",
        _BITOP,
        "DI+-d",
        extra=1,
        flags=F_RMW | F_BITOP_MEM,
        load=1,
        store=1,
        forbidden=0xFF00,
    ),
    Row(
        "BSET #",
        "0000 1000 11ee eeee",
        _BITOP,
        "DI+-d",
        extra=1,
        flags=F_RMW | F_BITOP_MEM,
        load=1,
        store=1,
        forbidden=0xFF00,
    ),
)


# --- Lines 1-3: MOVE and MOVEA --------------------------------------------------------------------------------------


def _move_rows(size: str, bits: str, source_registers: str, destination_registers: str, immediate: int) -> list[Row]:
    """The four groups of MOVE: what the source leaves of the three words decides the destinations."""
    picture = f"00{bits} EEEEEEeeeeee"
    plain = f"{destination_registers}I+-"
    # ISA_B added byte and word immediates to a displaced address; a long one would make four words (sheet 4.1).
    after_immediate = plain + ("d" if immediate == 1 else "")
    groups = (
        (f"{source_registers}I+-", plain + "dxwl"),
        ("dp", plain + "d"),
        ("xqwl", plain),
        ("#", after_immediate),
    )
    width = {"B": 1, "W": 2, "L": 4}[size]
    unit = UNIT_MOVE_L if size == "L" else UNIT_LATE
    return [
        Row(
            f"MOVE.{size}",
            picture,
            _MOVE_ROW,
            ea,
            to,
            immediate=immediate,
            load=width,
            store=width,
            form=FORM_MOVE,
            unit=unit,
            fold="l" if size == "L" else "w",
        )
        for ea, to in groups
    ]


_MOVES = (
    *_move_rows("B", "01", "D", "D", immediate=1),
    *_move_rows("L", "10", "DA", "DA", immediate=2),
    *_move_rows("W", "11", "DA", "DA", immediate=1),
)


# --- Line 4: unary, control, multiply and divide --------------------------------------------------------------------

_MUL_DIV_EA = "DI+-d"  # the operation word and its extension leave one word (GAS: no indexed MULx.L)

_LINE_4 = (
    Row("NEGX.L", "0100 0000 1000 0ddd", _UNARY, regs="d=m", fold="s"),
    Row("MOVE SR,Dx", "0100 0000 1100 0ddd", _CCR, flags=F_PRIVILEGED, regs="d=w"),
    Row("LEA", "0100 aaa1 11ee eeee", _LEA, CONTROL, regs="a=w", unit=UNIT_EARLY, fold="3"),
    Row("CLR.B", "0100 0010 00ee eeee", _UNARY, DATA_ALTERABLE, store=1, fold="2"),
    Row("CLR.W", "0100 0010 01ee eeee", _UNARY, DATA_ALTERABLE, store=2, fold="2"),
    Row("CLR.L", "0100 0010 10ee eeee", _UNARY, DATA_ALTERABLE, store=4, unit=UNIT_EARLY, fold="23q"),
    Row("MOVE CCR,Dx", "0100 0010 1100 0ddd", _CCR, regs="d=w"),
    Row("NEG.L", "0100 0100 1000 0ddd", _UNARY, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("MOVE Dy,CCR", "0100 0100 1100 0ddd", _CCR, regs="d=r"),
    Row("MOVE #,CCR", "0100 0100 1111 1100", _CCR, extra=1),
    Row("NOT.L", "0100 0110 1000 0ddd", _UNARY, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("MOVE Dy,SR", "0100 0110 1100 0ddd", _TO_SR, flags=F_PRIVILEGED, regs="d=r"),
    Row("MOVE #,SR", "0100 0110 1111 1100", _TO_SR, extra=1, flags=F_PRIVILEGED),
    Row("SWAP", "0100 1000 0100 0ddd", _UNARY, regs="d=m", fold="s"),
    Row("PEA", "0100 1000 01ee eeee", _PEA, CONTROL, store=4, form=FORM_STACK, fold="2"),
    Row("EXT.W", "0100 1000 1000 0ddd", _UNARY, regs="d=m", fold="s"),
    Row("EXT.L", "0100 1000 1100 0ddd", _UNARY, regs="d=m", fold="s"),
    Row("EXTB.L", "0100 1001 1100 0ddd", _UNARY, regs="d=m", fold="s"),
    Row(
        "MOVEM.L list,",
        "0100 1000 11ee eeee",
        _MOVEM,
        "Id",
        extra=1,
        flags=F_MOVEM,
        store=4,
        form=FORM_MOVEM,
        unit=UNIT_MOVEM_STORE,
    ),
    Row(
        "MOVEM.L ,list",
        "0100 1100 11ee eeee",
        _MOVEM,
        "Id",
        extra=1,
        flags=F_MOVEM,
        load=4,
        form=FORM_MOVEM,
        unit=UNIT_MOVEM_LOAD,
    ),
    Row("TST.B", "0100 1010 00ee eeee", _TST, DATA, immediate=1, load=1),
    Row("TST.W", "0100 1010 01ee eeee", _TST, ALL, immediate=1, load=2),
    Row("TST.L", "0100 1010 10ee eeee", _TST, ALL, load=4, fold="s"),
    # Memory only: CFPRM list [UNV]; GAS and QEMU also take TAS Dn.
    Row("TAS.B", "0100 1010 11ee eeee", _TAS, MEMORY_ALTERABLE, flags=F_RMW, load=1, store=1),
    Row("HALT", "0100 1010 1100 1000", _DEBUG, flags=F_PRIVILEGED | F_BRANCH),
    Row("PULSE", "0100 1010 1100 1100", _DEBUG),
    Row("MULU/MULS.L", "0100 1100 00ee eeee", _MUL, _MUL_DIV_EA, extra=1, load=4, forbidden=0x0400, unit=UNIT_MUL_L),
    Row("DIVx/REMx.L", "0100 1100 01ee eeee", _DIV_L, _MUL_DIV_EA, extra=1, load=4, unit=UNIT_DIV_L),
    Row("SATS.L", "0100 1100 1000 0ddd", _UNARY, regs="d=m"),
    Row("TRAP", "0100 1110 0100 vvvv", _TRAP, flags=F_BRANCH),
    Row("LINK.W", "0100 1110 0101 0aaa", _LINK, extra=1, store=4, form=FORM_STACK, regs="a=l"),
    # The low bits of UNLK are those of the mode (An)+, and it reads as that does.
    Row("UNLK", "0100 1110 0101 1aaa", _UNLK, load=4, regs="a=u", unit=UNIT_UNLK),
    Row("MOVE Ay,USP", "0100 1110 0110 0aaa", _CCR, flags=F_PRIVILEGED, regs="a=r"),
    Row("MOVE USP,Ax", "0100 1110 0110 1aaa", _CCR, flags=F_PRIVILEGED, regs="a=w"),
    Row("NOP", "0100 1110 0111 0001", _NOP, unit=UNIT_NOP),
    Row("STOP", "0100 1110 0111 0010", _STOP, extra=1, flags=F_PRIVILEGED | F_BRANCH),
    Row("RTE", "0100 1110 0111 0011", _RTE, flags=F_PRIVILEGED | F_BRANCH),
    Row("RTS", "0100 1110 0111 0101", _RTS, flags=F_BRANCH, load=4, form=FORM_STACK, unit=UNIT_RTS),
    Row("MOVEC", "0100 1110 0111 1011", _MOVEC, extra=1, flags=F_PRIVILEGED, unit=UNIT_MOVEC),
    Row("JSR", "0100 1110 10ee eeee", _JMP, "Idxpq", flags=F_BRANCH, store=4, form=FORM_STACK, unit=UNIT_CALL),
    Row(
        "JSR abs", "0100 1110 10ee eeee", _JMP_ABSOLUTE, "wl", flags=F_BRANCH, store=4, form=FORM_STACK, unit=UNIT_CALL
    ),
    Row("JMP", "0100 1110 11ee eeee", _JMP, "Idxpq", flags=F_BRANCH),
    Row("JMP abs", "0100 1110 11ee eeee", _JMP_ABSOLUTE, "wl", flags=F_BRANCH),
)


# --- Lines 5-7: quick arithmetic, conditions, branches, MOVEQ, MVS, MVZ ---------------------------------------------

_LINES_5_TO_7 = (
    Row("ADDQ.L", "0101 qqq0 10ee eeee", _ALU, ALTERABLE, flags=F_RMW, load=4, store=4, unit=UNIT_EARLY, fold="s"),
    Row("SUBQ.L", "0101 qqq1 10ee eeee", _ALU, ALTERABLE, flags=F_RMW, load=4, store=4, unit=UNIT_EARLY, fold="s"),
    Row("Scc", "0101 cccc 1100 0ddd", _UNARY, regs="d=w"),
    Row("TPF.W", "0101 0001 1111 1010", _TPF, extra=1),
    Row("TPF.L", "0101 0001 1111 1011", _TPF, extra=2),
    Row("TPF", "0101 0001 1111 1100", _TPF),
    # The displacement byte is the whole displacement, or 0x00: a word follows, or 0xFF: a long word (ISA_B).
    Row("Bcc.B", "0110 cccc bbbb bbbb", _BCC, flags=F_BRANCH, unit=UNIT_BCC),
    Row("Bcc.W", "0110 cccc 0000 0000", _BCC, extra=1, flags=F_BRANCH, unit=UNIT_BCC),
    Row("Bcc.L", "0110 cccc 1111 1111", _BCC, extra=2, flags=F_BRANCH, unit=UNIT_BCC),
    Row("BRA.B", "0110 0000 bbbb bbbb", _BRA, flags=F_BRANCH),
    Row("BRA.W", "0110 0000 0000 0000", _BRA, extra=1, flags=F_BRANCH),
    Row("BRA.L", "0110 0000 1111 1111", _BRA, extra=2, flags=F_BRANCH),
    Row("BSR.B", "0110 0001 bbbb bbbb", _BRA, flags=F_BRANCH, store=4, form=FORM_STACK, unit=UNIT_CALL),
    Row("BSR.W", "0110 0001 0000 0000", _BRA, extra=1, flags=F_BRANCH, store=4, form=FORM_STACK, unit=UNIT_CALL),
    Row("BSR.L", "0110 0001 1111 1111", _BRA, extra=2, flags=F_BRANCH, store=4, form=FORM_STACK, unit=UNIT_CALL),
    Row("MOVEQ", "0111 ddd0 iiii iiii", _MOVEQ, regs="d=w", unit=UNIT_EARLY, fold="3qm"),
    # An has a low byte here, unlike in MOVE.B: GAS accepts it, GCC -mcpu=5475 emits it (gcc.c-torture pr94524-2).
    Row("MVS.B", "0111 ddd1 00ee eeee", _MOVE, ALL, immediate=1, load=1, regs="d=w"),
    Row("MVS.W", "0111 ddd1 01ee eeee", _MOVE, ALL, immediate=1, load=2, regs="d=w"),
    Row("MVZ.B", "0111 ddd1 10ee eeee", _MOVE, ALL, immediate=1, load=1, regs="d=w"),
    Row("MVZ.W", "0111 ddd1 11ee eeee", _MOVE, ALL, immediate=1, load=2, regs="d=w"),
)


# --- Lines 8, 9, B-E: long arithmetic, compares, shifts -------------------------------------------------------------

_ARITHMETIC = (
    Row("OR.L ,Dx", "1000 ddd0 10ee eeee", _ALU, DATA, load=4, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("OR.L Dy,", "1000 ddd1 10ee eeee", _ALU, MEMORY_ALTERABLE, flags=F_RMW, load=4, store=4, regs="d=r"),
    Row("DIVU.W", "1000 ddd0 11ee eeee", _DIV_W, DATA, immediate=1, load=2, regs="d=m", unit=UNIT_WHOLE),
    Row("DIVS.W", "1000 ddd1 11ee eeee", _DIV_W, DATA, immediate=1, load=2, regs="d=m", unit=UNIT_WHOLE),
    Row("SUB.L ,Dx", "1001 ddd0 10ee eeee", _ALU, ALL, load=4, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("SUB.L Dy,", "1001 ddd1 10ee eeee", _ALU, MEMORY_ALTERABLE, flags=F_RMW, load=4, store=4, regs="d=r"),
    Row("SUBX.L", "1001 ddd1 1000 0yyy", _CMP, regs="d=m y=r", fold="s"),
    Row("SUBA.L", "1001 aaa1 11ee eeee", _ALU_A, ALL, load=4, regs="a=m", unit=UNIT_EARLY, fold="s"),
    Row("CMP.B", "1011 ddd0 00ee eeee", _CMP, DATA, immediate=1, load=1, regs="d=r"),
    Row("CMP.W", "1011 ddd0 01ee eeee", _CMP, ALL, immediate=1, load=2, regs="d=r"),
    Row("CMP.L", "1011 ddd0 10ee eeee", _CMP, ALL, load=4, regs="d=r", fold="s"),
    Row(
        "EOR.L",
        "1011 ddd1 10ee eeee",
        _ALU,
        DATA_ALTERABLE,
        flags=F_RMW,
        load=4,
        store=4,
        regs="d=r",
        unit=UNIT_EARLY,
        fold="s",
    ),
    Row("CMPA.L", "1011 aaa1 11ee eeee", _ALU_A, ALL, load=4, regs="a=r", fold="s"),
    Row("AND.L ,Dx", "1100 ddd0 10ee eeee", _ALU, DATA, load=4, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("AND.L Dy,", "1100 ddd1 10ee eeee", _ALU, MEMORY_ALTERABLE, flags=F_RMW, load=4, store=4, regs="d=r"),
    Row("MULU.W", "1100 ddd0 11ee eeee", _MUL, DATA, immediate=1, load=2, regs="d=m", unit=UNIT_MUL),
    Row("MULS.W", "1100 ddd1 11ee eeee", _MUL, DATA, immediate=1, load=2, regs="d=m", unit=UNIT_MUL),
    Row("ADD.L ,Dx", "1101 ddd0 10ee eeee", _ALU, ALL, load=4, regs="d=m", unit=UNIT_EARLY, fold="s"),
    Row("ADD.L Dy,", "1101 ddd1 10ee eeee", _ALU, MEMORY_ALTERABLE, flags=F_RMW, load=4, store=4, regs="d=r"),
    Row("ADDX.L", "1101 ddd1 1000 0yyy", _CMP, regs="d=m y=r", fold="s"),
    Row("ADDA.L", "1101 aaa1 11ee eeee", _ALU_A, ALL, load=4, regs="a=m", unit=UNIT_EARLY, fold="s"),
    Row("ASx.L", "1110 qqqr 10i0 0ddd", _ALU, regs="d=m q=i", fold="s"),
    Row("LSx.L", "1110 qqqr 10i0 1ddd", _ALU, regs="d=m q=i", fold="s"),
)


# --- Line A: MOV3Q and the EMAC -------------------------------------------------------------------------------------

_LINE_A = (
    Row("MOV3Q.L", "1010 qqq1 01ee eeee", _MOV3Q, ALTERABLE, store=4, unit=UNIT_EARLY, fold="23q"),
    Row("MAC/MSAC", "1010 xxx0 Ax00 yyyy", _MAC, extra=1, unit=UNIT_MAC),
    Row(
        "MAC/MSAC load",
        "1010 www0 Awee eeee",
        _MAC,
        "I+-d",
        extra=1,
        load=4,
        form=FORM_MAC,
        forbidden=0x0003,
        unit=UNIT_MAC_LOAD,
    ),
    Row("MOVE ,ACCx", "1010 0AA1 00ee eeee", _EMAC_MOVE, "DA#", regs="e=r"),
    # unicorn 2.1.4 takes it for MOVE (Ay),ACCx, which the V4e does not have: it reads there.
    Row("MOVE ACCy,ACCx", "1010 0AA1 0001 00BB", _EMAC_MOVE, load=4, unit=UNIT_ACC),
    Row("MOVE ,MACSR", "1010 1001 00ee eeee", _EMAC_MOVE, "DA#", regs="e=r"),
    Row("MOVE ,ACCext", "1010 1B11 00ee eeee", _EMAC_MOVE, "DA#", regs="e=r"),
    Row("MOVE ,MASK", "1010 1101 00ee eeee", _EMAC_MOVE, "DA#", regs="e=r"),
    Row("MOVE ACCy,Rx", "1010 0AA1 1000 rrrr", _EMAC_MOVE, regs="r=w", unit=UNIT_ACC),
    Row("MOVCLR ACCy,Rx", "1010 0AA1 1100 rrrr", _EMAC_MOVE, regs="r=w", unit=UNIT_ACC),
    Row("MOVE MACSR,Rx", "1010 1001 1000 rrrr", _EMAC_MOVE, regs="r=w"),
    Row("MOVE MACSR,CCR", "1010 1001 1100 0000", _EMAC_MOVE),
    Row("MOVE ACCext,Rx", "1010 1B11 1000 rrrr", _EMAC_MOVE, regs="r=w", unit=UNIT_ACC),
    Row("MOVE MASK,Rx", "1010 1101 1000 rrrr", _EMAC_MOVE, regs="r=w"),
)


# --- Line F: FPU, caches, debug -------------------------------------------------------------------------------------

_LINE_F = (
    # An is legal for FPIAR only; the other restrictions on modes depend on the extension word (548xRM 6-3).
    Row("FPU general", "1111 0010 00ee eeee", _FPU, "DAI+-dp", extra=1, flags=F_FPU, form=FORM_FPU, unit=UNIT_FPU),
    Row("FBcc.W, FNOP", "1111 0010 100c cccc", _FBCC, extra=1, flags=F_BRANCH, unit=UNIT_FBCC),
    Row("FBcc.L", "1111 0010 110c cccc", _FBCC, extra=2, flags=F_BRANCH, unit=UNIT_FBCC),
    # (d16,PC) for FRESTORE: CFPRM list [UNV]; GAS gives it to FSAVE, which cannot write there.
    Row("FSAVE", "1111 0011 00ee eeee", _FSAVE, "Id", flags=F_PRIVILEGED, unit=UNIT_FPU_ALL),
    Row("FRESTORE", "1111 0011 01ee eeee", _FSAVE, "Idp", flags=F_PRIVILEGED, unit=UNIT_FPU_ALL),
    Row("INTOUCH", "1111 0100 0010 1aaa", _INTOUCH, flags=F_PRIVILEGED, regs="a=a"),
    Row("CPUSHL dc", "1111 0100 0110 1aaa", _CPUSHL, flags=F_PRIVILEGED, regs="a=a"),
    Row("CPUSHL ic", "1111 0100 1010 1aaa", _CPUSHL, flags=F_PRIVILEGED, regs="a=a"),
    Row("CPUSHL bc", "1111 0100 1110 1aaa", _CPUSHL, flags=F_PRIVILEGED, regs="a=a"),
    Row("WDDATA.B", "1111 1011 00ee eeee", _DEBUG, MEMORY_ALTERABLE),
    Row("WDDATA.W", "1111 1011 01ee eeee", _DEBUG, MEMORY_ALTERABLE),
    Row("WDDATA.L", "1111 1011 10ee eeee", _DEBUG, MEMORY_ALTERABLE),
    Row("WDEBUG.L", "1111 1011 11ee eeee", _DEBUG, "Id", extra=1, flags=F_PRIVILEGED),
)

# A later row overrides an earlier one where pictures overlap (Bcc.W over Bcc.B, BRA over Bcc, ...).
ROWS: tuple[Row, ...] = (*_LINE_0, *_MOVES, *_LINE_4, *_LINES_5_TO_7, *_ARITHMETIC, *_LINE_A, *_LINE_F)
