"""Modules that our libraries import and no verb uses are imported when something asks for what is in them.

SQLAlchemy imports asyncio for drivers that we do not have. Both SQLAlchemy and SQLGlot import importlib.metadata, to
look for dialects that others have installed. With what those two import, such as ssl, email and zipfile, they are a
tenth of a start. While one of these libraries is imported, stand-ins take their places, and stay in its modules.
Whoever imports them later has the modules themselves.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_LIBRARIES = ("sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlglot")

_LATE = {"asyncio": ("iscoroutine",), "importlib.metadata": ("entry_points", "version")}
"""By module, the functions that a library takes out of it, or may, while it is imported."""


def put_off_imports() -> None:
    """Let the libraries that are imported from now on do without the modules that they do not need at once."""
    sys.meta_path.insert(0, _LibraryFinder())


class _LibraryFinder:
    """Finds the libraries, and nothing else."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Where a library is, as Python finds it."""
        if fullname not in _LIBRARIES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _LibraryLoader(spec.loader.name, spec.loader.path)
        return spec


class _LibraryLoader(SourceFileLoader):
    """Runs the code of a library, which imports all that the library is made of."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it, with stand-ins in place."""
        with _stand_ins():
            super().exec_module(module)


class _StandIn(ModuleType):
    """In place of a module: imports it when an attribute is asked for, or when a function of it is called."""

    def __init__(self, name: str, functions: Sequence[str]) -> None:
        super().__init__(name)
        self.__path__ = _LatePath([name])
        for function in functions:
            setattr(self, function, _late_function(name, function))

    def __getattr__(self, name: str) -> Any:
        return getattr(_imported(self.__name__), name)


class _LatePath(list[str]):
    """The folders of a package, which Python wants to see when a module of the package is imported by itself."""

    def __iter__(self) -> Iterator[str]:
        return iter(_imported(self[0]).__path__)


def _late_function(module: str, name: str) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        return getattr(_imported(module), name)(*given, **named)

    return call


def _imported(name: str) -> ModuleType:
    """The module itself."""
    if isinstance(sys.modules.get(name), _StandIn):
        del sys.modules[name]
    return importlib.import_module(name)


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Stand-ins are found in place of the modules that nothing has imported yet."""
    placed = {name: _StandIn(name, functions) for name, functions in _LATE.items() if name not in sys.modules}
    sys.modules.update(placed)
    for name, stand_in in placed.items():
        package, _, last = name.rpartition(".")
        if package:
            # It stays: who has imported it says `importlib.metadata` later, too.
            setattr(sys.modules[package], last, stand_in)
    try:
        yield
    finally:
        for name, stand_in in placed.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
