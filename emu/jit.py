"""The one typed facade over numba.

numba ships no type information, so every compiled function of the project goes through these decorators: mypy sees
the plain Python signature, numba sees its own options, and those options (cache, no GIL, C division) are chosen once.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numba
from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.event import Listener, register
from numba.core.registry import cpu_target

from emu import object_code

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["cfunc", "njit", "njit_entry", "njit_inline"]

# numba looks only at the file that a cached function stands in, and would go on using it after a function that it calls
# has changed; the folder changes with any of them.
if not numba.config.CACHE_DIR and (folder := object_code.numba_directory()) is not None:
    numba.config.CACHE_DIR = str(folder)


class _Announcement(Listener):  # type: ignore[misc]  # numba has no types
    """Tells a person at a terminal, once, what takes so long: what is not in the cache is compiled now."""

    made = False

    def on_start(self, event: Any) -> None:
        if not self.made and sys.stderr.isatty():
            self.made = True
            print(
                "cfemu: compiling native code, which is kept; this takes from seconds to two minutes", file=sys.stderr
            )

    def on_end(self, event: Any) -> None:
        """The next one begins."""


register("numba:compile", _Announcement())

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _widened(kind: Any) -> Any:
    """The one integer type of compiled code instead of a literal or a narrower integer."""
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, types.Integer) else kind


class _Nesting:
    """How many functions are being compiled only because another one, which is being compiled, calls them."""

    depth = 0


class _Library(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
    """What numba makes of one function, without the work that nobody needs.

    numba optimizes every function together with everything that it calls and makes machine code of that, although of a
    function that only compiled code calls just the unoptimized form is used: by its caller, in which it is optimized
    again. That was half of the time that compiling the engine took.
    """

    def finalize(self) -> None:
        if _Nesting.depth:
            self._raise_if_finalized()
            self._finalize_dynamic_globals()
            self._finalized = True
            return
        self._linking_libraries: list[Any] = _all_libraries(self._linking_libraries)
        super().finalize()


def _all_libraries(libraries: Iterable[Any]) -> list[Any]:
    """Everything that these need, each once."""
    found: dict[Any, None] = {}
    waiting = list(libraries)
    while waiting:
        library = waiting.pop()
        if library not in found:
            found[library] = None
            waiting.extend(library._linking_libraries)
    return list(found)


def _only_make_what_is_needed() -> None:
    """Have numba use :class:`_Library`. What has no machine code has no place for its environment, either: that is
    Python's, for exceptions, which nothing here raises."""
    codegen = cpu_target.target_context.codegen()
    set_environment = codegen.set_env

    def set_env(name: str, environment: Any) -> None:
        if not _Nesting.depth:
            set_environment(name, environment)

    codegen._library_class = _Library
    codegen.set_env = set_env


_only_make_what_is_needed()


def _one_version(dispatcher: Any, *, is_entry: bool = False) -> Any:
    """Keep numba from compiling a function again for every constant and width of integer it is called with.

    ``is_entry``: machine code is made of it even where compiled code calls it, because it is cached.
    """
    template_for = dispatcher.get_call_template

    def get_call_template(args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        before = _Nesting.depth
        _Nesting.depth = 0 if is_entry else before + 1
        try:
            return template_for(tuple(map(_widened, args)), keywords)
        finally:
            _Nesting.depth = before

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
    compiled: F = _one_version(numba.njit(cache=True, **_OPTIONS)(function), is_entry=True)
    return compiled


class Callback:
    """A native callback: ``address`` is its entry point."""

    def __init__(self, address: int) -> None:
        self.address = address


def cfunc(signature: Any) -> Callable[[Callable[..., Any]], Callback]:
    """Compile a function to a native callback, or load it if that was done before."""

    def decorate(function: Callable[..., Any]) -> Callback:
        name = f"{function.__module__}.{function.__name__}"
        address = object_code.load(name)
        if address is None:
            compiled = numba.cfunc(signature, error_model="numpy")(function)
            library = compiled._library
            object_code.save(name, compiled.native_name, _needed(library), library._get_compiled_object())
            address = compiled.address
        return Callback(address)

    return decorate


def _needed(library: Any) -> list[str]:
    """What the object file of a compiled function leaves for others to define."""
    module = library._final_module
    declared = [value for values in (module.functions, module.global_variables) for value in values]
    return [value.name for value in declared if value.is_declaration and not value.name.startswith("llvm.")]
