"""``emu.mmu`` as plain Python: without numba, from syntax trees that may have been changed.

Compiling a mutant takes numba a minute where the tests take seconds. The switch NUMBA_DISABLE_JIT would not do: the
compiled functions take fields of a numpy record as attributes, which numba knows and numpy does not.
"""

import ast
import sys
from collections.abc import Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from operator import itemgetter
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

__all__ = ["PACKAGE", "PlainPython", "compiled", "load_trees", "module_of"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "emu.mmu"


def load_trees() -> dict[str, ast.Module]:
    """The modules of the package by name."""
    folder = ROOT.joinpath(*PACKAGE.split("."))
    return {path.stem: ast.parse(path.read_text()) for path in sorted(folder.glob("[!_]*.py"))}


class PlainPython(MetaPathFinder, Loader):
    """Imports the package from its trees, with ``emu.jit`` replaced by decorators that do nothing."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.codes = {name: compiled(name, tree) for name, tree in trees.items()}

    def install(self) -> None:
        """Take the place of numba and of the compiled package in this process."""
        assert "emu.jit" not in sys.modules, "numba has compiled the package already"
        # Compiled arithmetic wraps without a word.
        np.seterr(all="ignore")
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Part of the import protocol."""
        package, _, name = fullname.rpartition(".")
        known = fullname == "emu.jit" or (package == PACKAGE and name in self.codes)
        return ModuleSpec(fullname, self) if known else None

    def exec_module(self, module: ModuleType) -> None:
        """Part of the import protocol."""
        if module.__name__ == "emu.jit":
            vars(module).update(njit=_unchanged, njit_entry=_unchanged)
            return
        name = module.__name__.rpartition(".")[2]
        exec(self.codes[name], vars(module))
        if name == "state":
            vars(module)["MMU_DTYPE"] = _with_attributes(module.MMU_DTYPE)


def compiled(module: str, tree: ast.Module) -> CodeType:
    """Code of a module; its file name is that of the module, as :func:`module_of` wants it."""
    code: CodeType = compile(tree, f"{PACKAGE}.{module}", "exec")
    return code


def module_of(code: CodeType) -> str | None:
    """The module that a function was compiled in by :func:`compiled`; None for any other code."""
    package, _, module = code.co_filename.rpartition(".")
    return module if package == PACKAGE else None


def _unchanged(function: Any) -> Any:
    return function


def _with_attributes(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same record type with its fields as attributes."""

    def attribute(name: str) -> property:
        return property(itemgetter(name), lambda record, value: record.__setitem__(name, value))

    record = type("Record", (np.void,), {name: attribute(name) for name in dtype.names or ()})
    return np.dtype((record, dtype))
