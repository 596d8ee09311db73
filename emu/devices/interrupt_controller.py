"""Interrupt controller: levels, priorities, masks, software interrupts, acknowledge (sheet 6.3; 548xRM chapter 13).

Sources 1 to 7 are the edge port's and have the level of their number; every other source has level and priority in its
ICR, and level 0 means that it never interrupts.
"""

from emu.devices.state import Devices
from emu.jit import njit

__all__ = ["acknowledge", "kept", "level_for_cpu", "passes", "read", "request_levels", "set_line", "update", "write"]

IPRH, IPRL, IMRH, IMRL, INTFRCH, INTFRCL = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
IRLR, ICR, SWIACK, LAST_IACK = 0x18, 0x40, 0xE0, 0xFC
FIXED = 7  # sources with a fixed level
MASK_ALL = 1  # IMRL bit 0
FIRST_VECTOR, SPURIOUS = 64, 24
BITS = 0xFFFFFFFF
MIDPOINT = 8  # between the priorities 3 (rank 7) and 4 (rank 9)


@njit
def half(source: int) -> int:
    """Which of the two registers of 32 sources."""
    return 0 if source >= 32 else 1


@njit
def level_of(d: Devices, source: int) -> int:
    """Level of ``source``; 0 = disabled."""
    return source if source <= FIXED else int(d.icr[source] >> 3 & 7)


@njit
def rank_of(d: Devices, source: int) -> int:
    """Order within a level: priorities 0 to 7 are the odd numbers, the midpoint lies between 3 and 4."""
    return MIDPOINT if source <= FIXED else int(2 * (d.icr[source] & 7) + 1)


@njit
def active(d: Devices, i: int) -> int:
    """Sources of register ``i`` that request: unmasked lines, and forced ones, which no mask stops (sheet 7, 32)."""
    return int((d.lines[i] & ~d.mask[i] | d.force[i]) & BITS)


@njit
def best(d: Devices, level: int) -> int:
    """The requesting source of highest priority at ``level``, or 0. Of two equal ones (undefined, 5281UM 10-12) the
    higher number."""
    found = 0
    for i in range(2):
        waiting = active(d, i)
        source = 32 if i == 0 else 0
        while waiting:
            if waiting & 1 and source and level_of(d, source) == level:
                if found == 0 or (rank_of(d, source), source) > (rank_of(d, found), found):
                    found = source
            waiting >>= 1
            source += 1
    return found


@njit
def request_levels(d: Devices) -> int:
    """IRLR: bit n = some source requests at level n."""
    levels = 0
    for i in range(2):
        waiting = active(d, i)
        source = 32 if i == 0 else 0
        while waiting:
            if waiting & 1 and source:
                levels |= 1 << level_of(d, source)
            waiting >>= 1
            source += 1
    return levels & ~1


@njit
def update(d: Devices) -> None:
    """Derive the request to the CPU from lines and registers."""
    levels = request_levels(d) if d.lines[0] | d.lines[1] | d.force[0] | d.force[1] else 0
    level = 0
    while levels >> 1:
        levels >>= 1
        level += 1
    d.level = level
    if level < 7:
        d.edge7_taken = 0


@njit
def level_for_cpu(d: Devices) -> int:
    """The level that may interrupt now. Level 7 is an edge: once taken it is none until it has gone, and as the
    controller asks for its highest level only, it hides the lower ones meanwhile."""
    return 0 if d.edge7_taken else int(d.level)


@njit
def set_line(d: Devices, source: int, state: bool) -> None:
    """A device raises or drops its request."""
    i = half(source)
    bit = 1 << (source & 31)
    if state:
        d.lines[i] |= bit
    else:
        d.lines[i] &= ~bit


@njit
def passes(d: Devices, source: int, mask: int) -> bool:
    """Whether a request of ``source`` would interrupt a CPU whose mask is ``mask``."""
    if d.edge7_taken:
        return False
    level = level_of(d, source)
    return d.mask[half(source)] >> (source & 31) & 1 == 0 and (level > mask or level == 7)


@njit
def vector(d: Devices, level: int) -> int:
    """Answer an acknowledge of ``level``: the vector of its best source, spurious if none is left."""
    source = best(d, level)
    if source == 0:
        return SPURIOUS
    d.iacklpr = level << 4 | (MIDPOINT if source <= FIXED else int(d.icr[source] & 7))
    return FIRST_VECTOR + source


@njit
def acknowledge(d: Devices, level: int) -> int:
    """The CPU takes an interrupt of ``level``: its vector."""
    if level == 7:
        d.edge7_taken = 1
    return vector(d, level)


@njit
def software_acknowledge(d: Devices) -> int:
    """SWIACK: the vector of the best source of all; 0, and IACKLPR cleared, if there is none (548xRM 13-14)."""
    levels = request_levels(d)
    for level in range(7, 0, -1):
        if levels >> level & 1:
            return vector(d, level)
    d.iacklpr = 0
    return 0


@njit
def mask_low(d: Devices) -> int:
    """IMRL: bit 0 reads 1 while all 63 sources are masked (sheet 7 item 28)."""
    everything = d.mask[0] == BITS and d.mask[1] >> 1 == BITS >> 1
    return int(d.mask[1] & ~MASK_ALL | (MASK_ALL if everything else 0))


@njit
def kept(d: Devices, at: int) -> int:
    """What a store to a part of the longword leaves in the rest of it: MASKALL acts only when it is stored itself."""
    return mask_low(d) & ~MASK_ALL if at == IMRL else read(d, at)


@njit
def read(d: Devices, at: int) -> int:
    """The longword at offset ``at``, a multiple of 4; of IACK registers the byte at it."""
    if at <= IPRL:
        return int(d.lines[at >> 2] & BITS)
    if at == IMRH:
        return int(d.mask[0])
    if at == IMRL:
        return mask_low(d)
    if at <= INTFRCL:
        return int(d.force[(at - INTFRCH) >> 2])
    if at == IRLR:
        return request_levels(d) << 24 | int(d.iacklpr) << 16
    if at == SWIACK:
        return software_acknowledge(d) << 24
    if at > SWIACK:
        return vector(d, (at - SWIACK) >> 2) << 24
    value = 0
    for n in range(at - ICR, at - ICR + 4):
        value = value << 8 | (n << 3 if n <= FIXED else int(d.icr[n]))
    return value


@njit
def write(d: Devices, at: int, value: int) -> None:
    """Store a longword; of the ICRs only those of sources with a level of their own."""
    if at == IMRH:
        d.mask[0] = value
    elif at == IMRL:
        d.mask[1] = value & ~MASK_ALL
        if value & MASK_ALL:
            d.mask[0] = BITS
            d.mask[1] = BITS
    elif at in (INTFRCH, INTFRCL):
        d.force[(at - INTFRCH) >> 2] = value if at == INTFRCH else value & ~1
    else:
        for k in range(4):
            n = at - ICR + k
            if n > FIXED:
                d.icr[n] = value >> 8 * (3 - k) & 0x3F
