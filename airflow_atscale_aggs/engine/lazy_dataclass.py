"""``dataclass`` of the standard library, whose methods are generated when a class is first used.

The standard library writes and compiles the methods of a dataclass while its module is imported, which takes half a
millisecond per class. A process imports hundreds of our classes and makes instances of a few dozen.
Here a class has its slots at once, and stand-ins for the methods. The first call of one runs the decorator of the
standard library, whose methods then take the places of the stand-ins: what a class does is decided there alone.
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> type | Callable[[type], type]:
        """Make a class a dataclass, as `dataclasses.dataclass` does, which explains the options.

        What is wrong with a class, such as a field without a default behind one that has it, is told as the standard
        library tells it, at the first use. A class without a docstring keeps none.
        """
        if cls is None:
            return lambda given: _decorated(given, options)
        return _decorated(cls, options)


__all__ = ["complete_classes", "dataclass"]

_OPTIONS = {"slots", "frozen", "kw_only", "order", "eq"}
"""With others the standard library's decorator is called at once."""

_READ_BY_THE_DECORATOR = ("ClassVar", "InitVar", "KW_ONLY")
"""Annotations that do not make a field, or not only."""

_MAKING = ("__init__", "__match_args__", *(("__replace__",) if sys.version_info >= (3, 13) else ()))
_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")
_FROZEN = ("__setattr__", "__delattr__")
_STATE = ("__getstate__", "__setstate__")

_COMPARING = frozenset(("__repr__", "__eq__", "__hash__", *_ORDER, "__dataclass_params__"))
"""Generated when one of them is first used: most classes are made and read, and never compared or printed."""

_MAKES_NOTHING_TO_COMPARE = {"repr": False, "eq": False, "order": False}


class _StandIn:
    """In place of one method of one class, until the first use."""

    __slots__ = ("_name", "_pending")

    def __init__(self, pending: _Pending, name: str) -> None:
        self._pending = pending
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> object:
        cls = self._pending.cls
        if vars(cls)[self._name] is self:
            self._pending.complete(self._name)
        method = vars(cls)[self._name]
        bind = getattr(type(method), "__get__", None)
        return method if bind is None else bind(method, instance, owner)


class _Pending:
    """A class that has stand-ins, and what the standard library's decorator is to be given for it."""

    __slots__ = ("__weakref__", "_body", "_options", "cls")

    def __init__(self, body: Mapping[str, object], options: Mapping[str, bool]) -> None:
        self._body = body
        self._options = options
        self.cls: type = object

    def complete(self, used: str) -> None:
        """Put generated methods in place: those that compare and print, or all others.

        Without a lock: each call decorates a class of its own, and each method that it sets is right by itself. So
        threads may come at once, and one that is interrupted half-way leaves the rest to the next.
        """
        is_comparing = used in _COMPARING
        options = self._options if is_comparing else {**self._options, **_MAKES_NOTHING_TO_COMPARE}
        given = type(self.cls)(self.cls.__name__, self.cls.__bases__, dict(self._body))
        made = vars(_standard(given, options))
        for name, value in list(vars(self.cls).items()):
            if isinstance(value, _StandIn) and (name in _COMPARING) is is_comparing:
                setattr(self.cls, name, made[name])


_waiting: weakref.WeakSet[_Pending] = weakref.WeakSet()
"""Classes that have stand-ins."""


def complete_classes() -> None:
    """Generate the methods of all classes that are loaded.

    For a process that forks others: whatever it leaves to the first use, each of them does again.
    """
    for pending in list(_waiting):
        pending.complete("__init__")
        pending.complete("__eq__")


def _decorated(cls: type, options: Mapping[str, bool]) -> type:
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    annotations = body.get("__annotations__") or {}
    inherited = _slots(cls.__mro__[1:-1])
    if not _is_common(body, annotations, inherited, options):
        return _standard(cls, options)
    body["__qualname__"] = cls.__qualname__
    light = {name: value for name, value in body.items() if name not in annotations}
    light["__slots__"] = tuple(name for name in annotations if name not in inherited)
    # The standard library would write the signature of the class for a docstring, which is dear.
    body["__doc__"] = body["__doc__"] or cls.__name__
    pending = _Pending(body, options)
    for name in _generated(body, options):
        light[name] = _StandIn(pending, name)
    if options.get("eq", True) and not options.get("frozen", False):
        light.setdefault("__hash__", None)
    made = type(cls)(cls.__name__, cls.__bases__, light)
    pending.cls = made
    _waiting.add(pending)
    return made


def _standard(cls: type, options: Mapping[str, bool]) -> type:
    decorate: Callable[..., Callable[[type], type]] = dataclasses.dataclass
    return decorate(**options)(cls)


def _slots(bases: Iterable[type]) -> set[str]:
    slots: set[str] = set()
    for base in bases:
        names = vars(base).get("__slots__") or ()
        slots.update([names] if isinstance(names, str) else names)
    return slots


def _is_common(
    body: Mapping[str, object], annotations: Mapping[str, object], inherited: set[str], options: Mapping[str, bool]
) -> bool:
    """Whether the class is of the kind that is cheap to make: slots, and fields whose annotations are texts."""
    if not options.get("slots") or not options.keys() <= _OPTIONS or "__slots__" in body:
        return False
    never_defined = _ORDER * options.get("order", False) + _FROZEN * options.get("frozen", False)
    if any(name in body for name in never_defined):
        return False  # the standard library refuses it at once
    if any(name in body and name not in annotations for name in inherited):
        return False  # a value in place of a field of a base
    if not all(isinstance(kind, str) for kind in annotations.values()):
        return False
    text = " ".join(map(str, annotations.values()))
    return not any(word in text for word in _READ_BY_THE_DECORATOR)


def _generated(body: Mapping[str, object], options: Mapping[str, bool]) -> list[str]:
    """Names of what the standard library would generate. What a class defines itself stays."""
    eq, frozen = options.get("eq", True), options.get("frozen", False)
    names = [name for name in (*_MAKING, "__repr__") if name not in body]
    if eq and "__eq__" not in body:
        names.append("__eq__")
    if options.get("order", False):
        names += _ORDER
    if frozen:
        names += [*_FROZEN, *(name for name in _STATE if name not in body)]
        own_hash = body.get("__hash__", dataclasses.MISSING)
        # Python itself writes None into a class that defines equality and no hash.
        if eq and (own_hash is dataclasses.MISSING or (own_hash is None and "__eq__" in body)):
            names.append("__hash__")
    return [*names, "__dataclass_fields__", "__dataclass_params__"]
