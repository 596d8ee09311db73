"""What a conditional branch or a return costs, once it is known where it went (docs/timing-model.md, section 3).

The branch cache, the prediction table and the return stack as the manuals describe them (CF4UM 6-5, 5407UM 1-7).
"""

from emu.jit import njit
from emu.timing.pipeline import elapse
from emu.timing.state import BRANCH_CACHE_ENTRIES, RETURN_ENTRIES, TABLE_ENTRIES, Time

__all__ = ["BRANCH", "CALL", "NO_BRANCH", "RETURN", "forget_branches", "resolve_branch"]

NO_BRANCH, BRANCH, CALL, RETURN = range(4)  # what is pending
TAKEN, MOST = 2, 3  # two-bit counters: from here on they predict "taken"; their end
INITIAL = 1


@njit
def forget_branches(t: Time) -> None:
    """CACR[BCINVA]: the branch cache is empty, the prediction table as after reset."""
    for i in range(BRANCH_CACHE_ENTRIES):
        t.branch_pc[i] = -1
    for i in range(TABLE_ENTRIES):
        t.table[i] = INITIAL


@njit
def moved(count: int, taken: bool) -> int:
    """A two-bit counter after one more outcome."""
    return min(count + 1, MOST) if taken else max(count - 1, 0)


@njit
def predict(t: Time, pc: int, taken: bool, backward: bool, enabled: bool) -> int:
    """Cycles of the conditional branch at ``pc``; the structures learn its outcome."""
    costs = t.costs
    if not enabled:
        if taken == backward:
            return int(costs.branch_taken if taken else costs.branch_not_taken)
        return int(costs.branch_mispredicted)
    entry = pc >> 2 & (BRANCH_CACHE_ENTRIES - 1)
    row = (pc >> 9 ^ pc >> 2) & (TABLE_ENTRIES - 1)
    cached = t.branch_pc[entry] == pc
    predicted = (t.branch_count[entry] if cached else t.table[row]) >= TAKEN
    t.table[row] = moved(t.table[row], taken)
    if cached:
        t.branch_count[entry] = moved(t.branch_count[entry], taken)
    elif taken:
        t.branch_pc[entry] = pc
        t.branch_count[entry] = TAKEN
    if predicted != taken:
        return int(costs.branch_mispredicted)
    if not taken:
        return int(costs.branch_not_taken)
    return int(costs.branch_cached if cached else costs.branch_taken)


@njit
def call(t: Time, back: int) -> None:
    """BSR or JSR: remember where it returns to; the oldest of the stack is lost."""
    if t.n_returns == RETURN_ENTRIES:
        for i in range(RETURN_ENTRIES - 1):
            t.returns[i] = t.returns[i + 1]
        t.n_returns -= 1
    t.returns[t.n_returns] = back
    t.n_returns += 1


@njit
def come_back(t: Time, target: int) -> int:
    """Cycles of an RTS to ``target``."""
    if t.n_returns == 0:
        return int(t.costs.return_unpredicted)
    t.n_returns -= 1
    if t.returns[t.n_returns] == target:
        return int(t.costs.return_predicted)
    return int(t.costs.return_mispredicted)


@njit
def resolve_branch(t: Time, pc: int, enabled: bool) -> int:
    """The instruction behind a pending branch is at ``pc``: cycles of that branch. ``enabled``: CACR[BEC]."""
    kind = t.pending
    t.pending = NO_BRANCH
    cycles = 0
    if kind == BRANCH:
        cycles = predict(t, t.pending_pc, pc != t.pending_next, t.pending_backward != 0, enabled)
    elif kind == CALL:
        call(t, t.pending_next)
    elif kind == RETURN:
        cycles = come_back(t, pc)
    if cycles:
        elapse(t, cycles)
    return cycles
