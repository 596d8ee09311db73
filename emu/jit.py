"""The one typed facade over numba.

numba ships no type information, so every compiled function of the project goes through these decorators: mypy sees
the plain Python signature, numba sees its own options, and those options (cache, no GIL, C division) are chosen once.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["cfunc", "njit", "njit_inline"]


def njit(function: F) -> F:
    """Compile ``function`` to cached native code that neither holds the GIL nor raises ZeroDivisionError."""
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def njit_inline(function: F) -> F:
    """As :func:`njit`, for helpers so small that they are inlined into each caller before optimisation."""
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")(function)
    return compiled


def cfunc(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function to a cached native callback (numba ``CFunc``; ``.address`` is its entry point)."""
    decorate: Callable[[Callable[..., Any]], Any] = numba.cfunc(signature, cache=True, error_model="numpy")
    return decorate
