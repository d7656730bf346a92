"""A class whose methods are generated at the first use does what one of the standard library does."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import pickle
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import airflow_atscale_aggs.engine
from airflow_atscale_aggs.engine import lazy_dataclass
from airflow_atscale_aggs.engine.model.semantic_model import DegenerateColumns

_CLASSES = '''
from __future__ import annotations
import abc, copy, dataclasses, inspect, pickle, weakref
from dataclasses import KW_ONLY, InitVar, asdict, astuple, field, fields, is_dataclass, replace
from typing import ClassVar, Generic, TypeVar, get_type_hints

T = TypeVar("T")

@dataclass(frozen=True, slots=True)
class Plain:
    """Two fields."""
    a: int
    b: str = "b"

    @property
    def both(self) -> str: return f"{self.a}{self.b}"

@dataclass(frozen=True, slots=True)
class Same:
    """The fields of another class."""
    a: int
    b: str = "b"

@dataclass(frozen=True, slots=True)
class Longer(Plain):
    """More fields, and another default."""
    c: tuple[int, ...] = ()
    b: str = "longer"

@dataclass(frozen=True, slots=True)
class Unchanged(Plain):
    """No field of its own."""

class Undecorated(Plain):
    """Not a dataclass by itself."""

@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """Fields by name alone, each of a kind."""
    a: int
    b: list[int] = field(default_factory=list)
    c: int = field(default=3, repr=False)
    d: int = field(default=4, compare=False)
    e: int = field(default=5, hash=False, metadata={"unit": "s"})
    f: int = field(default=6, init=False)

@dataclass(frozen=True, slots=True)
class Mixed:
    """One field by name alone."""
    a: int
    b: int = field(kw_only=True)

@dataclass(frozen=True, slots=True, order=True)
class Ordered:
    """In the order of its fields."""
    a: int
    b: int = field(default=0, compare=False)

@dataclass(slots=True)
class Changing:
    """May be changed, and so is no key."""
    a: int
    b: list[int] = field(default_factory=list)
    c: int = field(default=0, init=False)

@dataclass(slots=True)
class ChangingBelow(Changing):
    """A base with a field that is not given."""
    d: int = 0

@dataclass(slots=True)
class OwnHash:
    """Its own hash."""
    a: int
    def __hash__(self): return 7

@dataclass(frozen=True, slots=True)
class OwnEquality:
    """Equal to everything."""
    a: int
    def __eq__(self, other): return True

@dataclass(frozen=True, slots=True)
class OwnMethods:
    """What it defines itself stays."""
    a: int
    __match_args__ = ()
    def __init__(self, a): object.__setattr__(self, "a", a * 2)
    def __repr__(self): return "mine"
    def __hash__(self): return 8
    def __getstate__(self): return [self.a + 1]
    def __setstate__(self, state): object.__setattr__(self, "a", state[0])

@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Equal to itself alone."""
    a: int

@dataclass(frozen=True, slots=True)
class After:
    """Something is done after it is made."""
    a: int
    twice: int = field(init=False)
    def __post_init__(self): object.__setattr__(self, "twice", self.a * 2)

@dataclass(frozen=True, slots=True)
class Nothing:
    """No field."""

class Abstract(abc.ABC):
    @abc.abstractmethod
    def said(self): ...

@dataclass(frozen=True, slots=True)
class StillAbstract(Abstract):
    """A method is missing."""
    a: int

@dataclass(frozen=True, slots=True)
class Concrete(StillAbstract):
    """None is."""
    def said(self): return self.a

@dataclass(frozen=True, slots=True)
class Holder(Generic[T]):
    """Holds something."""
    held: T

@dataclass(frozen=True, slots=True)
class WithConstant:
    """A constant of the class beside a field."""
    a: int
    most: ClassVar[int] = 9

@dataclass(slots=True)
class WithHelp:
    """A value that only helps to make it."""
    a: int
    by: InitVar[int] = 1
    def __post_init__(self, by): self.a += by

@dataclass(slots=True)
class WithMark:
    """What stands behind the mark is given by name."""
    a: int
    _: KW_ONLY
    b: int = 0

@dataclass(frozen=True)
class Roomy:
    """Without slots."""
    a: int

@dataclass
class Bare:
    """Without anything."""
    a: int = 1

@dataclass(frozen=True, slots=True, weakref_slot=True)
class Weak:
    """May be referred to weakly."""
    a: int

@dataclass(frozen=True, slots=True)
class Untold:
    a: int

def changed(thing, name, value):
    setattr(thing, name, value)
    return thing

def deleted(thing, name):
    delattr(thing, name)
    return thing

def matched(thing):
    match thing:
        case Plain(a, "b"): return ("plain", a)
        case Plain(a, b): return ("plain", a, b)
        case Ordered(a): return ("ordered", a)
        case Changing(a=a): return ("changing", a)
    return None

def state(thing):
    return pickle.loads(pickle.dumps(thing))
'''

_MADE = (
    *("Plain(1)", "Plain(1, 'c')", "Plain(a=1, b='b')", "Same(1)", "Longer(1)", "Longer(1, 'x', (2,))", "Unchanged(1)"),
    *("Undecorated(1)", "Keywords(a=1)", "Keywords(a=1, b=[2], c=0, d=0, e=0)", "Mixed(1, b=2)", "Ordered(1)"),
    *("Ordered(2, 1)", "Changing(1)", "Changing(1, [2])", "ChangingBelow(1, [], 3)", "OwnHash(1)", "OwnEquality(1)"),
    *("OwnMethods(1)", "Identity(1)", "After(2)", "Nothing()", "Concrete(1)", "Holder(1)", "Holder[int](held=1)"),
    *("WithConstant(1)", "WithHelp(1, 2)", "WithMark(1, b=2)", "Roomy(1)", "Bare()", "Weak(1)", "Untold(1)"),
)
_REFUSED = (
    *(
        "Plain()",
        "Plain(1, 'b', 2)",
        "Plain(1, d=2)",
        "Plain(1, a=2)",
        "Keywords(1)",
        "Keywords(a=1, f=2)",
        "Keywords()",
    ),
    *("Mixed(1)", "Mixed(1, 2)", "Changing(1, c=2)", "StillAbstract(1)", "Nothing(1)", "After(1, 2)", "Unchanged()"),
)
_OF_ONE = (
    *("repr({})", "fields({})", "[f.name for f in fields({})]", "asdict({})", "astuple({})", "is_dataclass({})"),
    *(
        "copy.copy({}) == {}",
        "copy.deepcopy({}) == {}",
        "repr(copy.deepcopy({}))",
        "replace({}, a=9)",
        "repr(state({}))",
    ),
    *("repr(replace({}))", "replace({}, unknown=1)", "matched({})", "changed({}, 'a', 5)", "changed({}, 'new', 5)"),
    *(
        "deleted({}, 'a')",
        "deleted({}, 'new')",
        "{} == {}",
        "{} != {}",
        "len({{ {}, {} }})",
        "(lambda *of: hash(of[0]) == hash(of[1]))({}, {})",
    ),
    *("{} < {}", "{} >= {}", "type({}).__slots__", "type({}).__match_args__", "type({}).__dataclass_params__"),
    *(
        "inspect.signature(type({}))",
        "hasattr({}, '__dict__')",
        "weakref.ref({})() is None",
        "get_type_hints(type({}))",
    ),
    *("type({}).__qualname__", "type({}).__module__", "type({}).__hash__ is None", "type({}).__init__.__qualname__"),
    *("{}.__getstate__()", "state({}) == {}", "sorted(dir({}))", "type({}).__abstractmethods__", "type({}).__doc__"),
    *(
        "sorted(vars(type({})))",
        "type({}).__annotations__",
        "isinstance({}, Plain)",
    ),
    *(
        "[type(f.default).__name__ for f in fields({})]",
        "[dict(f.metadata) for f in fields({})]",
        "getattr({}, 'f', 0)",
    ),
    *(
        "[c.__name__ for c in type({}).__mro__]",
        "copy.replace({}, a=3)",
        "pickle.dumps({}, 0)[:0]",
        "{}.__reduce_ex__(4)",
    ),
)
_OF_TWO = (
    "{} == {}",
    "{} != {}",
    "{} < {}",
    "{} <= {}",
    "{} > {}",
    "(lambda *of: hash(of[0]) == hash(of[1]))({}, {})",
    "len({{ {}, {} }})",
)

_expressions = st.one_of(
    st.sampled_from(_REFUSED),
    st.builds(lambda text, one: text.replace("{}", one), st.sampled_from(_OF_ONE), st.sampled_from(_MADE)),
    st.builds(str.format, st.sampled_from(_OF_TWO), st.sampled_from(_MADE), st.sampled_from(_MADE)),
).map(lambda text: text.replace("{{", "{").replace("}}", "}"))


def _module(decorator: Callable[..., object]) -> ModuleType:
    """The classes, made by a decorator."""
    module = ModuleType("classes_of_a_test")
    vars(module)["dataclass"] = decorator
    sys.modules[module.__name__] = module
    exec(_CLASSES, vars(module))
    return module


def _outcome(module: ModuleType, expression: str) -> tuple[str, str]:
    """What an expression gives as text, or the error that it raises."""
    sys.modules[module.__name__] = module
    try:
        return "value", repr(eval(expression, vars(module)))
    except Exception as error:  # noqa: BLE001 - every error is compared
        return type(error).__name__, str(error)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    sys.modules.pop("classes_of_a_test", None)


def _undocumented(expression: str) -> bool:
    return "Untold" in expression and "__doc__" in expression


@pytest.mark.parametrize("form", [*_OF_ONE, "{}"])
def test_each_use_may_be_the_first(form: str) -> None:
    """Every class anew, and asked one thing."""
    lazy, standard = _module(lazy_dataclass.dataclass), _module(dataclasses.dataclass)
    for made in _MADE:
        expression = form.replace("{}", made).replace("{{", "{").replace("}}", "}")
        if not _undocumented(expression):
            assert _outcome(lazy, expression) == _outcome(standard, expression), expression


@pytest.mark.parametrize("expression", _REFUSED)
def test_what_cannot_be_made_is_refused_in_the_same_words(expression: str) -> None:
    lazy, standard = _module(lazy_dataclass.dataclass), _module(dataclasses.dataclass)

    assert _outcome(lazy, expression) == _outcome(standard, expression)
    assert _outcome(lazy, expression)[0] == "TypeError"


@settings(max_examples=int(os.environ.get("LAZY_DATACLASS_EXAMPLES", "40")), deadline=None)
@given(st.lists(_expressions, min_size=1, max_size=12))
def test_uses_in_any_order(expressions: list[str]) -> None:
    lazy, standard = _module(lazy_dataclass.dataclass), _module(dataclasses.dataclass)
    for expression in expressions:
        if not _undocumented(expression):
            assert _outcome(lazy, expression) == _outcome(standard, expression), expression


def test_nothing_is_generated_before_the_first_use() -> None:
    """Else the other tests would compare the standard library with itself."""
    lazy = _module(lazy_dataclass.dataclass)
    late = {name for name, kind in vars(lazy).items() if isinstance(kind, type) and _pending(kind)}

    assert {"Plain", "Longer", "Keywords", "Ordered", "Changing", "After", "Concrete", "Holder", "Untold"} <= late
    assert late & {"WithConstant", "WithHelp", "WithMark", "Roomy", "Bare", "Weak"} == set()
    lazy.Longer(1)
    assert {"__repr__", "__eq__", "__hash__"} < _pending(lazy.Longer)
    assert "__init__" not in _pending(lazy.Longer)
    lazy.Longer(1) == lazy.Longer(2)
    assert _pending(lazy.Longer) == set()
    assert "__dataclass_fields__" not in _pending(lazy.Plain)
    assert "__init__" in _pending(lazy.Same)


def _pending(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if type(value).__module__ == lazy_dataclass.__name__}


def test_a_class_without_a_docstring_keeps_none() -> None:
    """The standard library writes its signature there, which costs more than all the rest."""
    lazy = _module(lazy_dataclass.dataclass)
    lazy.Untold(1)

    assert lazy.Untold.__doc__ is None


def test_methods_are_those_of_the_standard_library_afterwards() -> None:
    """So that an instance is made, compared and printed as quickly."""
    lazy, standard = _module(lazy_dataclass.dataclass), _module(dataclasses.dataclass)
    assert lazy.Plain(1) == lazy.Plain(1)

    for name in ("__init__", "__eq__", "__hash__", "__setattr__"):
        mine, its = vars(lazy.Plain)[name], vars(standard.Plain)[name]
        assert inspect.unwrap(mine).__code__.co_code == inspect.unwrap(its).__code__.co_code


def test_several_threads_use_a_class_first() -> None:
    for _ in range(20):
        lazy = _module(lazy_dataclass.dataclass)
        barrier = threading.Barrier(6)
        outcomes: list[tuple[str, str]] = []

        def use(lazy: ModuleType = lazy, barrier: threading.Barrier = barrier, found: list = outcomes) -> None:  # type: ignore[type-arg]
            barrier.wait()
            found.append(_outcome(lazy, "(Keywords(a=1), Longer(2), Longer(2) == Longer(2), hash(Longer(2)) != 0)"))

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 6
        assert len(set(outcomes)) == 1
        assert outcomes[0][0] == "value"


def test_a_first_use_that_is_interrupted_leaves_a_class_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may come at any moment: a task that is told to end, a reader who presses Ctrl-C."""
    lazy, standard = _module(lazy_dataclass.dataclass), _module(dataclasses.dataclass)
    genuine = dataclasses.dataclass

    def interrupted(**options: bool) -> Callable[[type], type]:
        def halfway(cls: type) -> type:
            genuine(**options)(cls)
            raise KeyboardInterrupt

        return halfway

    monkeypatch.setattr(dataclasses, "dataclass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lazy.Keywords(a=1)
    monkeypatch.undo()

    for expression in ("Keywords(a=1)", "Keywords(a=1, b=[2])", "fields(Keywords)[1].name", "Keywords()"):
        assert _outcome(lazy, expression) == _outcome(standard, expression)


def test_an_instance_is_unpickled_where_its_class_was_never_used() -> None:
    columns = DegenerateColumns(dataset="orders", key_columns=("id",), name_column="name")
    program = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))"
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    printed = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(columns), env=variables, capture_output=True, check=True
    ).stdout

    assert printed.decode().strip() == str(columns)


def test_a_process_that_forks_others_completes_all_classes_at_once() -> None:
    """Those that are loaded; once more does nothing."""
    lazy = _module(lazy_dataclass.dataclass)
    assert _pending(lazy.Longer)

    lazy_dataclass.complete_classes()
    lazy_dataclass.complete_classes()

    assert {name for name, kind in vars(lazy).items() if isinstance(kind, type) and _pending(kind)} == set()
    assert lazy.Longer(2) == lazy.Longer(2)


def test_every_class_of_the_engine_can_be_completed() -> None:
    """What is wrong with a class is told at its first use, so each is used here."""
    seen = 0
    for found in pkgutil.walk_packages(airflow_atscale_aggs.engine.__path__, "airflow_atscale_aggs.engine."):
        if ".migrations." in found.name:
            continue
        for kind in vars(importlib.import_module(found.name)).values():
            if isinstance(kind, type) and kind.__module__ == found.name and dataclasses.is_dataclass(kind):
                seen += 1
                hash(kind.__init__), hash(kind.__repr__)
                assert _pending(kind) == set()
    assert seen > 300
