"""The one typed facade over numba.

numba ships no type information, so every compiled function of the project goes through these decorators: mypy sees
the plain Python signature, numba sees its own options, and those options (cache, no GIL, C division) are chosen once.

Compiled code is kept on disk under a digest of the sources of all compiled code. numba itself looks only at the file
that a cached function stands in, and would go on using it after a function that it calls has changed.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["cfunc", "njit", "njit_entry", "njit_inline"]

COMPILED = ("cpu", "mmu", "timing")  # the folders that hold compiled code
KEPT_CACHES = 3


def _cache_directory() -> str:
    """Directory of compiled code for exactly these sources; caches of other versions are pruned to a few."""
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for folder in COMPILED:
        for source in sorted((package / folder).glob("*.py")):
            digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cfemu"
    mine = home / digest.hexdigest()[:16]
    try:
        mine.mkdir(parents=True, exist_ok=True)
        others = sorted((d for d in home.iterdir() if d != mine), key=lambda d: d.stat().st_mtime, reverse=True)
        for old in others[KEPT_CACHES:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return ""  # no writable cache: numba falls back to the directory of each source file
    return str(mine)


if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = _cache_directory()

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _widened(kind: Any) -> Any:
    """The one integer type of compiled code instead of a literal or a narrower integer."""
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, types.Integer) else kind


def _one_version(dispatcher: Any) -> Any:
    """Keep numba from compiling a function again for every constant and width of integer it is called with."""
    template_for = dispatcher.get_call_template

    def get_call_template(args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return template_for(tuple(map(_widened, args)), keywords)

    dispatcher.get_call_template = get_call_template
    return dispatcher


def njit(function: F) -> F:
    """Compile ``function`` for callers that are compiled themselves; from Python it cannot be called.

    It holds no GIL, divides as C does, and is not cached by itself: the entry or callback it becomes part of is.
    """
    compiled: F = _one_version(numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function))
    return compiled


def njit_inline(function: F) -> F:
    """As :func:`njit`, copied into each caller: for what runs at every block or softmmu miss."""
    options = {"inline": "always", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: F = _one_version(numba.njit(**options, **_OPTIONS)(function))
    return compiled


def njit_entry(function: F) -> F:
    """As :func:`njit`, for functions that Python calls; cached on disk."""
    compiled: F = _one_version(numba.njit(cache=True, **_OPTIONS)(function))
    return compiled


def cfunc(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function to a cached native callback (numba ``CFunc``; ``.address`` is its entry point)."""
    decorate: Callable[[Callable[..., Any]], Any] = numba.cfunc(signature, cache=True, error_model="numpy")
    return decorate
