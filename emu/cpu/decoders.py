"""Native engine: instructions whose translation unicorn gets wrong by a step, put right while they are translated.

A slot of unicorn's opcode table is ``void decoder(env, context, op)``. Ours calls the ones that are there already, so
that the repaired instruction costs nothing when it runs.
"""

from numba import carray, types

from emu.cpu.memory import halt
from emu.cpu.native import CPU_ENV, CPU_OPAQUE, OP_ARGUMENT, TCG_LAST_OP
from emu.cpu.raw import call_decoder, load8, load64, state_pointer, store64
from emu.cpu.state import HALT_ENGINE
from emu.cpu.trapped import OP_CLR_L, OP_TST_L
from emu.jit import cfunc

__all__ = ["decode_mov3q", "decode_mvz", "decode_usp"]


@cfunc(types.void(types.int64, types.int64, types.int32))
def decode_mvz(env: int, context: int, op: int) -> None:
    """MVZ <ea>,Dn: unicorn sets N and Z from the narrow source, so that N may be set. TST.L Dn makes them those of the
    zero-extended result (CFPRM 4-58: N is always cleared); V, C and X are as MVZ leaves them."""
    s = carray(state_pointer(load64(env - CPU_ENV + CPU_OPAQUE)), 1)[0]
    call_decoder(s.mvz_decoder, (env, context, op & 0xFFFF))
    call_decoder(s.tst_decoder, (env, context, OP_TST_L | (op >> 9 & 7)))


@cfunc(types.void(types.int64, types.int64, types.int32))
def decode_mov3q(env: int, context: int, op: int) -> None:
    """MOV3Q #n,<ea> in memory: unicorn sets the flags before it stores, so that they are lost when the store is refused
    (sheet 7 item 23). CLR.L stores before: it is translated instead, and its 0, the constant that it begins with,
    becomes n."""
    s = carray(state_pointer(load64(env - CPU_ENV + CPU_OPAQUE)), 1)[0]
    before = load64(s.tcg + TCG_LAST_OP)
    call_decoder(s.clr_decoder, (env, context, OP_CLR_L | op & 0x3F))
    constant = load64(before)
    if load8(constant) == s.tcg_constant and load64(constant + OP_ARGUMENT) == 0:
        store64(constant + OP_ARGUMENT, op >> 9 & 7 if op & 0x0E00 else -1)
    else:
        halt(s, HALT_ENGINE, op & 0xFFFF, 0)


@cfunc(types.void(types.int64, types.int64, types.int32))
def decode_usp(env: int, context: int, op: int) -> None:
    """MOVE An,USP and MOVE USP,An: while CACR[EUSP] is clear unicorn's USP is not the other A7 (emu.cpu.processor), and
    they are intercepted. A change of EUSP drops all translations."""
    s = carray(state_pointer(load64(env - CPU_ENV + CPU_OPAQUE)), 1)[0]
    decoder = s.illegal_decoder if s.other_a7 >= 0 else s.usp_decoder[op >> 3 & 1]
    call_decoder(decoder, (env, context, op & 0xFFFF))
