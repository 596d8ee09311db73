"""Compiled callbacks on disk, loaded without numba: importing numba and its caches takes longer than a small run.

A callback is kept as the object file that numba made of it, under a digest of the sources of all compiled code, of
numba and of the host CPU: a callback holds the code of everything it calls, wherever that stands.
"""

import ctypes
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

__all__ = ["cache_directory", "load", "save"]

COMPILED = (
    "jit.py",
    "raw_memory.py",
    "cpu/*.py",
    "devices/*.py",
    "mmu/*.py",
    "timing/*.py",
    "trace/events.py",
)  # what holds compiled code
# Python among it that compiled code takes nothing from.
NOT_COMPILED = ("cpu/core.py", "cpu/library.py", "cpu/registers.py", "cpu/semihosting.py", "mmu/dump.py")
KEPT_CACHES = 8  # several work trees may be in use at once
# What numba's wrappers call when a function raises. Ours raise nothing, so none of it is ever called.
ERROR_PATH = ("NRT_", "numba_")


@lru_cache(maxsize=1)
def cache_directory() -> Path | None:
    """Where compiled code for exactly these sources is kept, or None if it cannot be written.

    Those of other versions are pruned to a few.
    """
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256(_numba_version() + llvm.get_host_cpu_name().encode())
    digest.update(llvm.get_host_cpu_features().flatten().encode())
    for pattern in COMPILED:
        for source in sorted(package.glob(pattern)):
            if source.relative_to(package).as_posix() in NOT_COMPILED:
                continue
            digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cfemu"
    mine = home / digest.hexdigest()[:16]
    try:
        mine.mkdir(parents=True, exist_ok=True)
        others = sorted((d for d in home.iterdir() if d != mine), key=lambda d: d.stat().st_mtime, reverse=True)
        for old in others[KEPT_CACHES:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return None
    return mine if os.access(mine, os.W_OK) else None


def _numba_version() -> bytes:
    """What numba says of its version, without importing it: importlib.metadata takes 20 ms."""
    spec = find_spec("numba")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("_version.py").read_bytes()


def save(name: str, symbol: str, needed: Sequence[str], code: bytes) -> None:
    """Keep the object file ``code``, whose entry point is ``symbol`` and which ``needed`` other symbols."""
    folder = cache_directory()
    if folder is None:
        return
    head = json.dumps({"symbol": symbol, "needed": list(needed), "size": len(code)})
    part = folder / f"{name}.{os.getpid()}.part"
    part.write_bytes(head.encode() + b"\n" + code)
    part.replace(folder / f"{name}.o")  # never half-written


@lru_cache(maxsize=1)
def _engine() -> Any:
    """LLVM's loader; what it has loaded stays for the life of the process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _resolved(symbol: str) -> bool:
    """Whether LLVM will find ``symbol``: in this process, or because it stands on an error path of numba."""
    process = ctypes.CDLL(None)
    if hasattr(process, symbol):
        return True
    if symbol.startswith(ERROR_PATH):
        llvm.add_symbol(symbol, ctypes.cast(process.abort, ctypes.c_void_p).value)
    return symbol.startswith(ERROR_PATH)


@cache
def load(name: str) -> int | None:
    """Address of a callback that was kept, or None."""
    folder = cache_directory()
    try:
        head, _, code = (folder / f"{name}.o").read_bytes().partition(b"\n") if folder else (b"", b"", b"")
        about = json.loads(head)
        if len(code) != about["size"] or not all(map(_resolved, about["needed"])):
            return None
    except (OSError, ValueError, KeyError):
        return None
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(about["symbol"])) or None
