"""Random instruction words through the real engine: the host process must survive every one of them.

Run as a program, in a process of its own, because what is looked for kills the process::

    python -m tests.support.fuzz --words 200000 --seed 1

Each word is an op word once, with random words behind it as extension words and as the code that follows. Registers
hold random values and addresses in RAM; the mode is user or supervisor, the MMU off or on, until a word changes that. A
machine that cannot go on starts again. The last line tells how often each outcome was seen.
"""

import argparse
import faulthandler
import random
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from emu.cpu.state import EVENT_FAIL, EVENT_HALT, EVENT_RESET, EVENT_STOPPED
from emu.errors import EngineError, GuestError
from emu.machine import Machine
from emu.mmu.registers import VECTORS
from tests.support import asm
from tests.support.guest import BOARD, CODE, DATA, ENGINES, FRAMES, RAM, STACK, STUBS, WINDOW, bench, enter_virtual_mode

FOLLOWING = 2  # instructions that may run from each word
REFRESH = 256  # words between new registers
PAGE = 1024  # words between new code
REPORT = 100_000
PATIENCE = 600  # seconds for so many words, which take ten; a machine that hangs is as bad as one that dies
ENDS = {EVENT_STOPPED: "STOP", EVENT_HALT: "HALT", EVENT_RESET: "reset"}
ADDRESS_REGISTERS = (DATA, FRAMES, CODE, STACK - 256, WINDOW, BOARD.mbar + 0x700, RAM + 0x3FFFFE, 0, 0xFFFFFFFC)


def randomise(machine: Machine, rng: random.Random) -> None:
    """New registers: numbers in D0-D7, mostly useful addresses in A0-A6, random FP and EMAC state."""
    registers = machine.registers
    for i in range(8):
        registers[f"d{i}"] = rng.choice((rng.getrandbits(32), rng.randrange(64), 0xFFFFFFFF, 0x80000000))
        registers[f"fp{i}"] = rng.getrandbits(64)
    for i in range(7):
        registers[f"a{i}"] = rng.choice(ADDRESS_REGISTERS) + rng.randrange(8)
    for i in range(4):
        registers[f"acc{i}"] = rng.getrandbits(48)
    registers["fpcr"], registers["macsr"] = rng.getrandbits(16), rng.getrandbits(12)


def outcome(machine: Machine) -> str:
    """Run a few instructions; what became of them: an exception, or why the machine stopped.

    The core is called directly: what Machine.run adds takes longer than the instructions.
    """
    state = machine.core.state
    # The limit follows from the budget when a device is touched.
    state["instruction_limit"] = state["instruction_budget"] = state["instructions"] + FOLLOWING
    event = machine.core.run()
    if event == EVENT_FAIL:
        try:
            return machine.run().reason.name
        except GuestError as error:
            return type(error).__name__
    vector = (machine.registers["pc"] - STUBS) // 16
    return VECTORS.get(vector, "interrupt") if 0 <= vector < 256 else ENDS.get(event, "no exception")


def fuzz(words: int, seed: int, engine: str) -> Counter[str]:
    """Execute ``words`` random op words; outcomes by name. An EngineError is a defect and is not caught."""
    rng = random.Random(seed)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    seen: Counter[str] = Counter()
    with bench(engine) as guest:
        machine = guest.machine
        first = [machine.snapshot()]
        guest.run(enter_virtual_mode(), asm.HALT)
        first.append(machine.snapshot())
        for n in range(words):
            if n % PAGE == 0:
                start = rng.choice(first)
                machine.restore(start)
                code = rng.randbytes(2 * PAGE + 16)
                machine.write_physical(FRAMES, code)
            if n % REFRESH == 0:
                randomise(machine, rng)
            machine.registers["sr"] = rng.choice((0x0000, 0x2000, 0x2700, 0x271F, 0x8000))
            machine.registers["a7"] = STACK
            machine.registers["pc"] = FRAMES + 2 * (n % PAGE)
            result = outcome(machine)
            seen[result] += 1
            if machine.core.state["halted"] or machine.core.state["stopped"]:
                machine.restore(start)
                machine.write_physical(FRAMES, code)
                randomise(machine, rng)
            if (n + 1) % REPORT == 0:
                print(f"{n + 1:,} of {words:,} words", file=sys.stderr, flush=True)
                faulthandler.dump_traceback_later(PATIENCE, exit=True)
    faulthandler.cancel_dump_traceback_later()
    return seen


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES, default="native")
    parser.add_argument("--jobs", type=int, default=1, help="processes; each has its share of the words and a seed")
    options = parser.parse_args()
    shares = [options.words // options.jobs] * options.jobs
    shares[0] += options.words - sum(shares)
    seeds = [options.seed + 1000 * n for n in range(options.jobs)]
    try:
        with ProcessPoolExecutor(options.jobs, initializer=faulthandler.enable) as pool:
            seen = sum(pool.map(fuzz, shares, seeds, [options.engine] * options.jobs), Counter[str]())
    except (EngineError, BrokenProcessPool) as error:
        sys.exit(str(error))
    print("; ".join(f"{name} {count}" for name, count in seen.most_common()), f"total={seen.total()}", sep="; ")


if __name__ == "__main__":
    main()
