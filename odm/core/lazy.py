"""Public names of a package, imported on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for the ``__init__`` of a package.

    Importing the package then costs next to nothing; a name's module is imported when the name is
    first used. Type checkers and editors do not see through this: the ``__init__`` repeats the
    names in an ``if TYPE_CHECKING:`` block, as ``from module import name as name``.

    Args:
        package: the package's ``__name__``.
        homes: full name of the module that defines it, by public name.
    """

    def get_attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    names = sorted(homes)
    return get_attribute, lambda: names, names
