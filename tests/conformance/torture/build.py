"""From a test to a linked program, by way of a cache that knows programs by the content of all they are made from."""

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conformance.torture.layout import MACROS, PAGE_SIZES
from tests.conformance.torture.sources import ARCHIVE, Source, cache_directory, excluded, support_library

__all__ = ["Program", "build", "build_all", "kernel"]

GUEST = Path(__file__).parent / "guest"
COMPILER = "m68k-linux-gnu-gcc"
CPU = "-mcpu=5475"
DEFINES = tuple(f"-D{name}={value:#x}" for name, value in MACROS.items())
SYMBOLS = tuple(f"-Wl,--defsym={name}={value:#x}" for name, value in MACROS.items())
# A test may have functions of the C library's names, which then count.
LINK = ("-static", "-nostdlib", "-Wl,--allow-multiple-definition", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments")
# No builtins, and no loop that becomes a call of the function it stands in.
LIBRARY_FLAGS = ("-O2", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-Wall", "-Werror", "-Wno-parentheses")

# Debian's libgcc.a for m68k is 68020 code (`-print-multi-lib` has one row), which a ColdFire cannot run: GCC's own
# sources of what GCC calls are compiled for the right processor, with these instead of its configuration.
SUPPORT = [
    *("muldi3", "negdi2", "lshrdi3", "ashldi3", "ashrdi3", "cmpdi2", "ucmpdi2", "clear_cache"),
    *("clz", "clzsi2", "clzdi2", "ctzsi2", "ctzdi2", "ffssi2", "ffsdi2"),
    *("popcount_tab", "popcountsi2", "popcountdi2", "paritysi2", "paritydi2"),
    *("clrsbsi2", "clrsbdi2", "bswapsi2", "bswapdi2"),
    *("mulsc3", "muldc3", "divsc3", "divdc3", "powisf2", "powidf2"),
    *("udivdi3", "umoddi3", "divdi3", "moddi3", "udivmoddi4", "divmoddi4"),
    *("fixdfdi", "fixsfdi", "fixunsdfdi", "fixunssfdi", "floatdidf", "floatdisf", "floatundidf", "floatundisf"),
    *("absvsi2", "absvdi2", "addvsi3", "addvdi3", "subvsi3", "subvdi3", "mulvsi3", "mulvdi3", "negvsi2", "negvdi2"),
]
CONFIGURATION = {
    "tconfig.h": "",
    "coretypes.h": "",
    "libgcc_tm.h": "",
    "tsystem.h": "#include <stddef.h>\n#include <stdlib.h>\n#include <string.h>\n",
    "tm.h": "#define BITS_PER_UNIT 8\n#define MIN_UNITS_PER_WORD 4\n",
}


@dataclass(frozen=True)
class Program:
    """A test, compiled at -O``level``. ``elf`` is None when that failed, and ``error`` says why."""

    name: str
    level: str
    elf: Path | None
    error: str = ""


def _run(*command: object) -> None:
    """Run a tool; CalledProcessError carries what it said."""
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)


@cache
def _common() -> bytes:
    """Digest of what every program depends on: the compiler, the archive of the tests, our guest sources and flags."""
    version = subprocess.run([COMPILER, "--version"], check=True, capture_output=True).stdout
    parts = [version, str(ARCHIVE.stat().st_size).encode(), repr((DEFINES, SYMBOLS, LINK, LIBRARY_FLAGS)).encode()]
    parts += [repr((SUPPORT, CONFIGURATION)).encode()]
    parts += [path.read_bytes() for path in sorted(GUEST.iterdir())]
    return hashlib.sha256(b"\0".join(parts)).digest()


def _cached(name: str, *content: object) -> Path:
    """The place in the cache of what is made from ``content``."""
    digest = hashlib.sha256(_common() + repr(content).encode()).hexdigest()
    place = cache_directory() / "built" / digest[:2] / f"{digest[2:20]}-{name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _publish(made: Path, place: Path) -> Path:
    """Move a finished file to its place; another process may do the same at the same time."""
    made.replace(place)
    return place


def _temporary(place: Path, ending: str = "") -> Path:
    return place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}{ending}")


def kernel(kilobytes: int) -> Path:
    """The kernel for pages of so many kilobytes."""
    place = _cached("kernel", kilobytes)
    if not place.exists():
        made = _temporary(place)
        page_bits = f"-DPAGE_BITS={PAGE_SIZES[kilobytes]}"
        _run(
            COMPILER,
            CPU,
            *DEFINES,
            page_bits,
            *LINK,
            *SYMBOLS,
            "-T",
            GUEST / "kernel.lds",
            GUEST / "kernel.S",
            "-o",
            made,
        )
        _publish(made, place)
    return place


@cache
def runtime() -> tuple[Path, Path]:
    """(crt0.o, an archive of our C library and GCC's support library)."""
    crt0, archive = _cached("crt0.o"), _cached("libc.a")
    if not (crt0.exists() and archive.exists()):
        work = _temporary(archive, ".work")
        work.mkdir()
        _run(COMPILER, CPU, "-c", GUEST / "crt0.S", "-o", work / "crt0.o")
        _run(COMPILER, CPU, *LIBRARY_FLAGS, "-c", GUEST / "libc.c", "-o", work / "libc.o")
        members = [work / "libc.o", *(_support(work, function) for function in SUPPORT)]
        _run("m68k-linux-gnu-ar", "rcs", work / "libc.a", *members)
        _publish(work / "crt0.o", crt0)
        _publish(work / "libc.a", archive)
        for left in work.iterdir():
            left.unlink()
        work.rmdir()
    return crt0, archive


def _support(work: Path, function: str) -> Path:
    """One function of libgcc2.c, as GCC's own makefile compiles it."""
    source, include = support_library()
    for name, text in CONFIGURATION.items():
        (work / name).write_text(text)
    made = work / f"_{function}.o"
    flags = ("-O2", "-fbuilding-libgcc", "-fno-stack-protector", "-ffreestanding", "-w")
    _run(COMPILER, CPU, *flags, f"-I{work}", f"-I{include}", f"-DL_{function}", "-c", source, "-o", made)
    return made


def build(source: Source, level: str) -> Program:
    """Compile and link one test at -O``level``, or find it in the cache. Failures are not remembered."""
    crt0, archive = runtime()
    flags = (CPU, f"-O{level}", "-w", *source.flags, "-Wl,--strip-all")  # reading symbols would take longer than a run
    place = _cached("elf", source.name, source.path.read_bytes(), flags)
    if not place.exists():
        made = _temporary(place)
        try:
            _run(COMPILER, *flags, *LINK, *SYMBOLS, "-T", GUEST / "user.lds", crt0, source.path, archive, "-o", made)
        except subprocess.CalledProcessError as error:
            complaint = next((line for line in error.stderr.splitlines() if "error" in line or "undefined" in line), "")
            return Program(source.name, level, None, complaint or error.stderr[-200:])
        _publish(made, place)
    return Program(source.name, level, place)


def build_all(sources: Iterable[Source], levels: Iterable[str], jobs: int) -> Iterator[Program]:
    """The tests at every level that does not exclude them, ``jobs`` compilers at a time, in order."""
    runtime()
    work = [(source, level) for level in levels for source in sources if not excluded(source.name, level)]
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda pair: build(*pair), work)
