"""The registers of the CPU, behind one seam: native code reaches unicorn's structure, the public engine asks the API.

unicorn's own ``uc_reg_read(SR)`` is wrong and destroys the lazily kept flags (unicorn issue 2380), so SR never goes
that way. The native engine calls the function that unicorn's generated code uses. The public engine keeps the system
byte itself (every instruction that writes it is intercepted) and lets the guest CPU compute CCR: two instructions of
ours, MOVE CCR,D0 and HALT, run at a scratch address.
"""

from emu.cpu.address_map import SCRATCH_CACR, SCRATCH_CCR
from emu.cpu.memory import empty_softmmu, make_room
from emu.cpu.native import ENV_CACR, ENV_CURRENT_SP, ENV_PC, ENV_SR, ENV_SSP, ENV_USP, QEMU_SSP, QEMU_USP
from emu.cpu.raw import call_get_sr, call_reg, call_set_sr, call_start, load32, store32
from emu.cpu.state import F_GET_SR, F_REG_READ, F_REG_WRITE, F_SET_SR, F_START, State
from emu.jit import njit

__all__ = [
    "A7",
    "drop_missing_bits",
    "get_pc",
    "get_register",
    "get_sr",
    "get_usp",
    "in_supervisor",
    "set_eusp",
    "set_other",
    "set_pc",
    "set_register",
    "set_sr",
]

A7 = 15
SR_S, SR_T, SR_M, SR_I = 0x2000, 0x8000, 0x1000, 0x0700
SR_IMPLEMENTED = 0xB71F  # the other bits do not exist and read 0 (sheet 3.6)
SR_X, SR_N, SR_Z, SR_V, SR_C = 16, 8, 4, 2, 1

CACR_EUSP = 0x20
QEMU_EUSP = 0x10  # QEMU looks at CACR bit 4; the V4e bit is bit 5 (sheet 2.2)

UC_A0, UC_D0, UC_SR, UC_PC, UC_USP, UC_SSP = 1, 9, 17, 18, 26, 27  # register ids of unicorn's m68k


@njit
def uc_id(index: int) -> int:
    """unicorn's id of register ``index`` (0-7 = D0-D7, 8-15 = A0-A7)."""
    return UC_D0 + index if index < 8 else UC_A0 + index - 8


@njit
def uc_read(s: State, register: int) -> int:
    """One register through the documented API."""
    call_reg(s.fn[F_REG_READ], (s.uc, register, s.scratch_address))
    return load32(s.scratch_address)


@njit
def uc_write(s: State, register: int, value: int) -> None:
    """One register through the documented API."""
    store32(s.scratch_address, value)
    call_reg(s.fn[F_REG_WRITE], (s.uc, register, s.scratch_address))


@njit
def get_register(s: State, index: int) -> int:
    """D0-D7 = 0-7, A0-A7 = 8-15."""
    if s.native:
        return load32(s.env + 4 * index)
    return uc_read(s, uc_id(index))


@njit
def set_register(s: State, index: int, value: int) -> None:
    """D0-D7 = 0-7, A0-A7 = 8-15."""
    if s.native:
        store32(s.env + 4 * index, value)
    else:
        uc_write(s, uc_id(index), value)


@njit
def get_pc(s: State) -> int:
    """Address of the next instruction; exact whenever unicorn is not inside a block."""
    if s.native:
        return load32(s.env + ENV_PC)
    return uc_read(s, UC_PC)


@njit
def set_pc(s: State, value: int) -> None:
    """The run loop starts unicorn here."""
    if s.native:
        store32(s.env + ENV_PC, value)
    else:
        uc_write(s, UC_PC, value)


@njit
def run_scratch(s: State, address: int, d0: int) -> int:
    """Run the scratch instructions at ``address`` with D0 = ``d0``; D0 after them. PC and D0 are preserved."""
    pc, old = get_pc(s), get_register(s, 0)
    s.scratch_run = 1
    set_register(s, 0, d0)
    make_room(s)
    call_start(s.fn[F_START], (s.uc, address, 0, 0, 0))
    empty_softmmu(s)
    s.scratch_run = 0
    result = get_register(s, 0)
    set_register(s, 0, old)
    set_pc(s, pc)
    return result


@njit
def system_byte(s: State) -> int:
    """SR without the condition codes: T, S, M, I."""
    if s.native:
        return load32(s.env + ENV_SR) & 0xFF00
    return int(s.shadow_sr) & 0xFF00


@njit
def in_supervisor(s: State) -> int:
    """1 in supervisor mode, 0 in user mode."""
    return (system_byte(s) & SR_S) >> 13


@njit
def get_sr(s: State) -> int:
    """SR with the true condition codes, the lazy state undamaged. Not from inside a public hook."""
    if s.native:
        return call_get_sr(s.fn[F_GET_SR], (s.env,)) & SR_IMPLEMENTED
    return system_byte(s) | (run_scratch(s, SCRATCH_CCR, 0) & 0x1F)


@njit
def set_sr(s: State, value: int) -> None:
    """Write SR; A7 is exchanged with the other stack pointer when S changes and CACR[EUSP] is set."""
    value &= SR_IMPLEMENTED
    if s.native:
        call_set_sr(s.fn[F_SET_SR], (s.env, value))
    else:
        uc_write(s, UC_SR, value)
    s.shadow_sr = value


# --- the other A7 (sheet 2.2). While CACR[EUSP] is clear QEMU copies A7 into its USP at each write of SR, so the other
# one is kept in ``s.other_a7`` then; -1 means that QEMU has it.


@njit
def get_other(s: State) -> int:
    """The A7 that is not in use."""
    if s.other_a7 >= 0:
        return int(s.other_a7)
    if s.native:
        return load32(s.env + (ENV_USP if in_supervisor(s) else ENV_SSP))
    return uc_read(s, UC_USP if in_supervisor(s) else UC_SSP)


@njit
def set_other(s: State, value: int) -> None:
    """Write the A7 that is not in use."""
    if s.other_a7 >= 0:
        s.other_a7 = value
    elif s.native:
        store32(s.env + (ENV_USP if in_supervisor(s) else ENV_SSP), value)
    else:
        uc_write(s, UC_USP if in_supervisor(s) else UC_SSP, value)


@njit
def drop_missing_bits(s: State) -> None:
    """Native: after MOVE to SR, which unicorn does and which ends a block, no bits are left that do not exist."""
    if s.native:
        store32(s.env + ENV_SR, load32(s.env + ENV_SR) & SR_IMPLEMENTED)


@njit
def get_usp(s: State) -> int:
    """The user stack pointer: A7 in user mode, else the other one."""
    return get_other(s) if in_supervisor(s) else get_register(s, A7)


@njit
def set_eusp(s: State, enabled: int) -> None:
    """CACR was written. Mirror EUSP to where QEMU looks for it; both pointers keep their values.

    QEMU must be told which of its stack pointers A7 now is, or it exchanges them at the next write of SR.
    """
    if (s.other_a7 < 0) == (enabled != 0):
        return
    a7, other = get_register(s, A7), get_other(s)
    value = QEMU_EUSP if enabled else 0
    if s.native:
        store32(s.env + ENV_CACR, value)
        store32(s.env + ENV_CURRENT_SP, QEMU_SSP if enabled and in_supervisor(s) else QEMU_USP)
        s.in_code_write = 2  # MOVE USP is translated anew (emu.cpu.decoders)
    else:
        sr = get_sr(s)
        uc_write(s, UC_SR, sr | SR_S)  # from outside CACR may be written in user mode too
        run_scratch(s, SCRATCH_CACR, value)
        uc_write(s, UC_SR, sr)
        set_register(s, A7, a7)
    s.other_a7 = -1 if enabled else other
    if enabled:
        set_other(s, other)
