"""Names of a package that are imported when they are first used: `cfemu --help` needs none of what they need."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["attribute_getter"]


def attribute_getter(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """A ``__getattr__`` for ``package`` (PEP 562). ``homes``: the module of each name."""

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return get
