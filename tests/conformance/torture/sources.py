"""The tests of ``gcc-12-source``: unpacked once, found, and read for what they ask of the compiler."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = [
    "EXCLUDED",
    "EXPLAINED",
    "PACKAGES",
    "Exclusion",
    "Explanation",
    "Source",
    "all_sources",
    "cache_directory",
    "excluded",
    "missing_package",
    "support_library",
]

ARCHIVE = Path("/usr/src/gcc-12/gcc-12.2.0-dfsg.tar.xz")
TOP = "gcc-12.2.0"
TESTS = "gcc/testsuite/gcc.c-torture/execute"
PARTS = (f"{TESTS}/*", "libgcc/libgcc2.*", "include/longlong.h")
FOLDERS = ("", "ieee")  # of TESTS; builtins/ replaces the C library's functions and asks for them by their own names
PACKAGES = {  # what has to be there -> Debian's package
    "m68k-linux-gnu-gcc": "gcc-m68k-linux-gnu",
    "qemu-m68k": "qemu-user",
    "/usr/m68k-linux-gnu/include/stdio.h": "libc6-dev-m68k-cross",
    str(ARCHIVE): "gcc-12-source",
}


@dataclass(frozen=True)
class Exclusion:
    """Why a test is not run, at some ``levels`` or (none given) at all."""

    reason: str
    levels: str = ""


@dataclass(frozen=True)
class Explanation:
    """Why a test ends otherwise than with status 0: ``machine`` is its status on the machine, ``qemu`` under QEMU."""

    machine: int
    qemu: int
    reason: str


_ICE = Exclusion("internal error of GCC 12.2 at -mcpu=5475 (move_insn in haifa-sched.cc)", "2")
EXCLUDED = {
    "990413-2": Exclusion("assembly of the x87: for i386 only"),
    "nestfunc-5": _ICE,
    "nestfunc-6": _ICE,
    "pr80692": Exclusion("decimal floating point, which GCC does not have for m68k"),
    "pr84748": Exclusion("__int128, which GCC has on 64-bit targets only"),
    "pr93213": Exclusion("__int128, which GCC has on 64-bit targets only"),
}

# The machine's status here is also that of the tests on a host with the same rule switched on (x86: MXCSR[DAZ], and FTZ
# for 20000320-1).
_OPERANDS = "denormal operands count as zero (sheet 4.6, CF4UM 4-11, 548xRM 6-11)"
_SUITE = "the suite itself expects the failure on a ColdFire FPU (its .x file)"
EXPLAINED = {
    "20101011-1": Explanation(136, 136, "divides by zero and wants a signal handler: vector 5 here, SIGFPE there"),
    "ieee/20000320-1": Explanation(134, 0, f"single-precision results that underflow are zero; {_SUITE}"),
    "ieee/cdivchkd": Explanation(134, 0, _OPERANDS),
    "ieee/cdivchkf": Explanation(134, 0, _OPERANDS),
    "ieee/mul-subnormal-single-1": Explanation(134, 134, f"{_OPERANDS}; {_SUITE}"),
}

# { dg-options "..." } for every target; one with a selector behind the options is for other processors.
_OPTIONS = re.compile(r'\{ *dg-(?:additional-)?options +\{? *"([^"]*)" *\}? *(\{ *target[^\n]*)?\}')
_EXTRA = re.compile(r'^lappend additional_flags "([^"]*)"', re.MULTILINE)  # in NAME.x, unconditionally


def cache_directory() -> Path:
    """Where the unpacked sources and the linked programs stay. Not below cfemu's own cache, which prunes itself."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "cfemu-torture"


def missing_package() -> str | None:
    """The first Debian package that is not installed, or None when the tests can run."""
    for what, package in PACKAGES.items():
        if not (Path(what).exists() if what.startswith("/") else shutil.which(what)):
            return package
    return None


def unpacked() -> Path:
    """The tree of GCC's sources, as far as it is needed; unpacked the first time."""
    target = cache_directory() / TOP
    if not target.exists():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        members = [f"{TOP}/{part}" for part in PARTS]
        command = ["tar", "-xf", str(ARCHIVE), "-C", str(partial), "--wildcards", *members]
        subprocess.run(command, check=True)
        (partial / TOP).rename(target)
        partial.rmdir()
    return target


def support_library() -> tuple[Path, Path]:
    """(libgcc2.c, the folder of longlong.h)."""
    return unpacked() / "libgcc" / "libgcc2.c", unpacked() / "include"


@dataclass(frozen=True)
class Source:
    """One test. ``name``: path below the suite without the ending, for instance ``ieee/fp-cmp-1``."""

    name: str
    path: Path

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Compiler flags that the test itself asks for, by its comments and by the ``.x`` file beside it."""
        text = self.path.read_text(errors="replace")
        flags = [flag for options, selector in _OPTIONS.findall(text) if not selector for flag in options.split()]
        if self.name.startswith("ieee/"):
            flags += ["-fno-inline", "-ffloat-store"]  # ieee.exp, for m68k
        beside = self.path.with_suffix(".x")
        if beside.exists():
            flags += [flag for options in _EXTRA.findall(beside.read_text()) for flag in options.split()]
        return tuple(flags)


def all_sources() -> list[Source]:
    """Every test of the suite, the excluded ones too, in order of name."""
    suite = unpacked() / TESTS
    found = [path for folder in FOLDERS for path in (suite / folder).glob("*.c")]
    return sorted(
        (Source(path.relative_to(suite).with_suffix("").as_posix(), path) for path in found), key=lambda s: s.name
    )


def excluded(name: str, level: str) -> bool:
    """Whether a test is not to be built at -O``level``."""
    return name in EXCLUDED and (not EXCLUDED[name].levels or level in EXCLUDED[name].levels)
