"""``make linux-profile``: docs/linux.md, what the TLB misses of a Linux session cost, from a run of it."""

import re
import subprocess
import sys

from benchmarks.documents import ROOT

__all__ = ["DOCUMENT", "profile_document"]

DOCUMENT = ROOT / "docs" / "linux.md"
VMLINUX, SCRIPT = "build/linux/vmlinux", ROOT / "firmware" / "linux" / "commands.txt"
TABLES = "Access errors by cause"  # the first line of them
TEXT = """\
# What Linux pays for its TLB

Written by `make linux-profile` from a run of this command; the kernel is {version}.

```sh
cfemu run --board m5475evb build/linux/vmlinux --profile tlb < firmware/linux/commands.txt
```

The session boots, runs every command of the shell once and restarts the board: {instructions} instructions, {cycles}
cycles, most of which pass in STOP. Kernel text, data and devices are mapped by ACRs and never miss; what misses is user
memory, touched by programs or by the kernel on their behalf, and vmalloc. An access error lasts from its exception's
entry to the RTE that pops its frame. A *page fault* is a miss of a page that did not exist yet: the kernel makes it,
and the access misses once more. Costs are those of the flat model, without caches.

```text
{tables}
```

The refill was estimated from compiled code at about 150 instructions and 280 to 330 cycles (hardware sheet, section 5);
the rows "user read" and "user write" measure it.
"""


def found(pattern: str, text: str) -> str:
    """The first group of ``pattern`` in the output of the run; RuntimeError if it is not there."""
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"the run did not print {pattern!r}; it ends with {text[-300:]!r}")
    return match[1]


def profile_document() -> str:
    """The document, from a run; build/linux/vmlinux must have been built."""
    command = [sys.executable, "-m", "emu", "run", "--board", "m5475evb", VMLINUX, "--profile", "tlb"]
    with SCRIPT.open() as script:
        done = subprocess.run(command, cwd=ROOT, stdin=script, check=True, stdout=subprocess.PIPE, text=True)
    tables = [line.rstrip() for line in done.stdout[done.stdout.index(TABLES) :].splitlines()]
    return TEXT.format(
        version=found(r"^(Linux \d+\.\d+\.\d+) ", done.stdout),
        instructions=found(r"^instructions +([\d,]+)", done.stdout),
        cycles=found(r"^cycles +([\d,]+)", done.stdout),
        tables="\n".join(tables),
    )


def main() -> int:
    DOCUMENT.write_text(profile_document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
