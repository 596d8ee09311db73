"""Strategies, workloads, boards and kinds of devices from outside this package (docs/plugins.md).

A plugin is a Python module that defines any of the lists ``STRATEGIES``, ``WORKLOADS`` and ``BOARDS`` and the dict
``DEVICES``. It is named by ``--plugin FILE`` anywhere on the command line, by ``plugins`` in a scenario or a sweep, by
the environment variable CFEMU_PLUGINS (files, separated as in PATH), or by an entry point of the group
``cfemu.plugins`` in an installed distribution. What it defines goes into the registries that every command uses, and
the hash of its source into the versions that a result depends on.
"""

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, wraps
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from emu.errors import CfemuError, UsageError
from emu.files import why

__all__ = [
    "GROUP",
    "VARIABLE",
    "Plugin",
    "load_plugins",
    "loaded_plugins",
    "plugin_versions",
    "require_plugins",
    "split_arguments",
]

GROUP = "cfemu.plugins"
VARIABLE = "CFEMU_PLUGINS"
OPTION = "--plugin"
VERSION = "plugin "  # what the key of a plugin among the versions begins with
SHOWN = 60  # characters of a value in a message
MOST = 1 << 40  # of anything that a plugin counts


@dataclass(frozen=True)
class Plugin:
    """``name``: of the file, or of the entry point; ``file``: None for an entry point; ``digest``: SHA-256 of the
    source."""

    name: str
    file: Path | None
    digest: str


_loaded: dict[str, Plugin] = {}


def loaded_plugins() -> list[Plugin]:
    """In the order of loading."""
    return list(_loaded.values())


def plugin_versions() -> dict[str, str]:
    """What results depend on: the source of each plugin."""
    return {VERSION + plugin.name: plugin.digest for plugin in sorted(_loaded.values(), key=lambda one: one.name)}


def require_plugins(versions: Mapping[str, str], what: str) -> list[Plugin]:
    """The plugins among the versions that ``what`` was computed with. UsageError where one is not loaded."""
    names = [name.removeprefix(VERSION) for name in versions if name.startswith(VERSION)]
    for name in names:
        if name not in _loaded:
            raise UsageError(f"{what}: made with the plugin {name}, which is not loaded; name it with {OPTION}")
    return [_loaded[name] for name in names]


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    """The command line without its ``--plugin FILE`` options, which may stand anywhere, and their files.

    UsageError for one without a file.
    """
    rest: list[str] = []
    files: list[Path] = []
    items = iter(arguments)
    for item in items:
        if item == "--":
            rest += [item, *items]
        elif item == OPTION:
            file = next(items, None)
            if file is None:
                raise UsageError(f"{OPTION}: names no file")
            files.append(Path(file))
        elif item.startswith(OPTION + "="):
            files.append(Path(item.removeprefix(OPTION + "=")))
        else:
            rest.append(item)
    return rest, files


def load_plugins(files: Iterable[Path] = ()) -> None:
    """Load the plugins of installed distributions, of CFEMU_PLUGINS and of ``files``, each once.

    UsageError, naming the plugin, for one that cannot be loaded or defines what cannot be used.
    """
    _load_installed()
    named = (Path(file) for file in os.environ.get(VARIABLE, "").split(os.pathsep) if file)
    for file in (*named, *files):
        _load_file(file)


def _load_file(file: Path) -> None:
    known = _loaded.get(file.name)
    if known is not None and known.file is not None and known.file.resolve() == file.resolve():
        return
    if known is not None:
        raise _broken(file, f"another plugin is called {file.name}: {known.file or 'an installed one'}")
    try:
        source = file.read_bytes()
    except OSError as error:
        raise _broken(file, why(error)) from None
    except ValueError:  # a null in the name
        raise _broken(file, "no such file or directory") from None
    _enter(_execute(file), Plugin(file.name, file, _digest(source)))


@cache  # once a process
def _load_installed() -> None:
    """Plugins by entry point. importlib.metadata takes 25 ms, so it is asked only where there are any."""
    folders = [Path(folder) for folder in sys.path if folder]
    texts = (file for folder in folders for file in folder.glob("*.dist-info/entry_points.txt"))
    if not any(f"[{GROUP}]" in text.read_text(errors="replace") for text in texts):
        return
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            module = point.load()
        except (Exception, SystemExit) as error:
            raise _broken(f"{point.name} ({point.value})", _in_a_line(error)) from None
        if not isinstance(module, ModuleType) or module.__file__ is None:
            raise _broken(f"{point.name} ({point.value})", "not a module")
        _enter(module, Plugin(point.name, None, _digest(Path(module.__file__).read_bytes())))


def _execute(file: Path) -> ModuleType:
    name = f"cfemu_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _broken(file, "not a Python file (.py)")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look for their module there
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise _broken(file, f"{_place(error, file)}{error.msg}") from None
    except (Exception, SystemExit) as error:
        raise _broken(file, f"{_place(error, file)}{_in_a_line(error)}") from None
    return module


def _place(error: BaseException, file: Path) -> str:
    """The line of the plugin at which it went wrong."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"line {error.lineno}: "
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"line {lines[-1]}: " if lines else ""


def _in_a_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _broken(plugin: Path | str, why: str) -> UsageError:
    return UsageError(f"plugin {plugin}: {why}")


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


@dataclass(frozen=True)
class _Registry:
    """Where what a plugin calls ``what`` goes: values of ``kind``, in a list if they have names, else in a dict."""

    what: str
    kind: type
    container: type
    known: MutableMapping[str, Any]


def _registries() -> tuple[_Registry, ...]:
    from emu.board import BOARDS, Board
    from kernel_model.devices import CATALOGUE, Kind
    from kernel_model.strategies import STRATEGIES, Strategy
    from kernel_model.workloads import WORKLOADS, Workload

    return (
        _Registry("STRATEGIES", Strategy, list, STRATEGIES),
        _Registry("WORKLOADS", Workload, list, WORKLOADS),
        _Registry("BOARDS", Board, list, BOARDS),
        _Registry("DEVICES", Kind, dict, CATALOGUE),
    )


def _enter(module: ModuleType, plugin: Plugin) -> None:
    """Check everything that the module defines, then enter all of it into the registries."""
    registries = _registries()
    try:
        new = [(registry, _checked(registry, getattr(module, registry.what, None))) for registry in registries]
        if not any(items for _, items in new):
            raise ValueError(f"defines none of {', '.join(registry.what for registry in registries)}")
    except ValueError as error:
        raise _broken(plugin.file or plugin.name, str(error)) from None
    for registry, items in new:
        registry.known.update({name: _guarded(item, name, module, plugin) for name, item in items.items()})
    _loaded[plugin.name] = plugin


def _checked(registry: _Registry, defined: object) -> dict[str, Any]:
    """What a plugin defines for the registry, by name; ValueError where it cannot be used."""
    what, kind = registry.what, registry.kind.__name__
    if defined is None:
        return {}
    if not isinstance(defined, list | dict) or not isinstance(defined, registry.container):
        raise ValueError(f"{what}: {_shown(defined)} is no {registry.container.__name__} of {kind}")
    values: list[Any] = list(defined.values() if isinstance(defined, dict) else defined)
    for value in values:
        if not isinstance(value, registry.kind):
            raise ValueError(f"{what}: {_shown(value)} is no {kind}")
        for name, hint in get_type_hints(registry.kind).items():
            if not _is_a(getattr(value, name), hint):
                raise ValueError(f"{what}: {_shown(getattr(value, name))} is no {name} of {kind}")
    names: list[Any] = list(defined) if isinstance(defined, dict) else [value.name for value in values]
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise ValueError(f"{what}: {_shown(name)} is no name")
        if name in registry.known or name in names[:number]:
            raise ValueError(f"{what}: the name {name!r} is taken")
    return dict(zip(names, values))


def _is_a(value: object, hint: Any) -> bool:
    """As far as the outermost types tell."""
    kinds = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    return isinstance(value, tuple(get_origin(kind) or kind for kind in kinds))


def _guarded(item: Any, name: str, module: ModuleType, plugin: Plugin) -> Any:
    """With functions whose errors are told as those of the plugin."""
    own = {field.name: getattr(item, field.name) for field in fields(item)}
    functions = {key: value for key, value in own.items() if callable(value)}
    guards = {key: _guard(value, key, name, module, plugin) for key, value in functions.items()}
    return replace(item, **guards) if guards else item


def _guard(function: Callable[..., Any], key: str, name: str, module: ModuleType, plugin: Plugin) -> Callable[..., Any]:
    """UsageError for what it raises, unless that is an answer or an error of ours, and for what it must not return."""
    from kernel_model.physmem import OutOfMemory
    from kernel_model.strategies.base import Refused

    @wraps(function)
    def guarded(*arguments: Any) -> Any:
        try:
            answer = function(*arguments)
        except (CfemuError, OutOfMemory, Refused):
            raise
        except Exception as error:
            place = _place(error, Path(module.__file__ or ""))
            raise _broken(plugin.file or plugin.name, f"{place}{key} of {name}: {_in_a_line(error)}") from error
        if key in ANSWERS and not ANSWERS[key](answer):
            raise _broken(plugin.file or plugin.name, f"{key} of {name}: {_shown(answer)} is no answer")
        return answer

    return guarded


def _is_amount(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < MOST


def _is_memory(value: object) -> bool:
    """A physical address and a number of pages."""
    return isinstance(value, tuple) and len(value) == 2 and all(_is_amount(part) and part < 1 << 32 for part in value)


#: What functions of a plugin may return, by the field that they are in.
ANSWERS: dict[str, Callable[[object], bool]] = {
    "boot_memory": _is_amount,
    "released_down_to": _is_amount,
    "on_grow": _is_memory,
    "processes": _is_amount,
}


def _shown(value: object) -> str:
    """A value in a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else text[:SHOWN] + " ..."
