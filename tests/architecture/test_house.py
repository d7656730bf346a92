"""The house keeps its own rules: layers, sizes, empty `__init__` files, documents that agree with the tree."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "airflow_atscale_aggs"
_FILES = sorted(file for file in _PACKAGE.rglob("*.py") if "node_modules" not in file.parts)
_MOST_FILE_LINES, _MOST_FUNCTION_LINES, _MOST_PARAMETERS = 500, 40, 6

_LONG_FUNCTIONS = {
    "registry/migrations/versions/v0001_initial.py:upgrade": "a migration lists its tables once and never changes",
    "registry/batches.py:open": "one transaction; two thirds of it are the columns of its rows",
    "cli/build_verbs.py:build": "a click command: options, one call, output",
}
_MANY_PARAMETERS = {
    "cli/build_verbs.py:build": "the options of a verb",
    "cli/build_verbs.py:plan": "the options of a verb",
    "registry/batches.py:open": "the columns of a batch, by keyword",
    "lifecycle/build/attempt.py:build_instance": "options by keyword",
    "lifecycle/build/batch.py:begin_batch": "options by keyword",
    "lifecycle/build/batch.py:run_batch": "options by keyword",
    "lifecycle/build/plan.py:plan_batch": "options by keyword",
    "engine/sql/indicator_lookup.py:lookup_statement": "what is looked up, by keyword",
    "operators/aggregate_aware_sql.py:__init__": "the options of an operator, by keyword",
    "operators/batch_begin.py:__init__": "the options of an operator, by keyword",
    "operators/batch_trigger.py:__init__": "the options of an operator, by keyword",
    "cli/query_verbs.py:explain": "a click command: its options, by keyword",
    "cli/query_verbs.py:query": "a click command: its options, by keyword",
    "cli/serve_verb.py:serve": "a click command: its options, by keyword",
    "cli/recommend_verb.py:recommend": "a click command: its options, by keyword",
    "dag_factory.py:batch_build_dag": "the options of a DAG, by keyword",
    "task_group.py:add_batch_build_tasks": "the options of the tasks of a batch, by keyword",
    "sensors/completion_file.py:__init__": "the options of a task, by keyword",
    "triggers/completion_file.py:__init__": "the options of a task, by keyword",
}


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in _FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{file.relative_to(_PACKAGE)}:{node.name}", node


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@functools.cache
def _type_aliases(file: Path) -> dict[str, ast.expr]:
    """What stands behind the names that a file defines, or imports from a module of the package."""
    aliases: dict[str, ast.expr] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            aliases[node.targets[0].id] = node.value
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{_PACKAGE.name}."):
            source = _ROOT / f"{node.module.replace('.', '/')}.py"
            behind = _type_aliases(source) if source.exists() else {}
            aliases |= {name.asname or name.name: behind[name.name] for name in node.names if name.name in behind}
    return aliases


def _count_values(annotation: ast.expr | None, aliases: dict[str, ast.expr]) -> int:
    """How many values a parameter carries: a tuple of fixed length carries as many as it has members."""
    match annotation:
        case ast.Name(id=name) if name in aliases:
            return _count_values(aliases[name], {})
        case ast.BinOp(left=left, right=right):
            return max(_count_values(left, aliases), _count_values(right, aliases))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=members)):
            is_open = any(isinstance(member, ast.Constant) and member.value is ... for member in members)
            return 1 if is_open else len(members)
    return 1


def _count_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, aliases: dict[str, ast.expr]) -> int:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return sum(
        _count_values(argument.annotation, aliases)
        for argument in arguments
        if argument.arg not in {"self", "cls", "ctx"}
    )


def _is_listed(name: str, listed: dict[str, str]) -> bool:
    return any(name.endswith(entry) for entry in listed)


def test_layers() -> None:
    """The import contracts of pyproject.toml hold."""
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(_ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("file", _FILES, ids=lambda file: str(file.relative_to(_PACKAGE)))
def test_no_file_is_crowded(file: Path) -> None:
    """A room that gets crowded is redesigned."""
    assert len(file.read_text(encoding="utf-8").splitlines()) <= _MOST_FILE_LINES


def test_functions_are_short() -> None:
    """At most forty lines of code; exceptions carry a reason, and are needed."""
    long = {name for name, node in _functions() if _code_lines(node) > _MOST_FUNCTION_LINES}

    assert {name for name in long if not _is_listed(name, _LONG_FUNCTIONS)} == set()
    assert {entry for entry in _LONG_FUNCTIONS if not any(name.endswith(entry) for name in long)} == set()


def test_functions_take_few_parameters() -> None:
    """At most six besides self; exceptions carry a reason, and are needed. A tuple counts as what is packed in it."""
    aliases = {str(file.relative_to(_PACKAGE)): _type_aliases(file) for file in _FILES}
    many = {
        name for name, node in _functions() if _count_parameters(node, aliases[name.split(":")[0]]) > _MOST_PARAMETERS
    }

    assert {name for name in many if not _is_listed(name, _MANY_PARAMETERS)} == set()
    assert {entry for entry in _MANY_PARAMETERS if not any(name.endswith(entry) for name in many)} == set()


@pytest.mark.parametrize(
    ("parameters", "number"),
    [
        ("self, a, *, b: int", 2),
        ("a: tuple[int, str, bytes], b: int", 4),
        ("a: None | tuple[int, str]", 2),
        ("a: tuple[int, ...], *b: tuple[int, int]", 1),
        ("a: Mapping[str, tuple[int, int]]", 1),
        ("a: Pair", 2),
    ],
)
def test_parameters_that_are_packed_in_a_tuple_are_counted(parameters: str, number: int) -> None:
    """Whether the tuple stands in the annotation or behind a name."""
    (alias, function) = ast.parse(f"Pair = tuple[int, str]\ndef f({parameters}): ...").body
    assert isinstance(alias, ast.Assign)
    assert isinstance(function, ast.FunctionDef)

    assert _count_parameters(function, {"Pair": alias.value}) == number


@pytest.mark.parametrize(
    "file", [f for f in _FILES if f.name == "__init__.py"], ids=lambda f: str(f.relative_to(_PACKAGE))
)
def test_init_files_hold_a_docstring_only(file: Path) -> None:
    """People import from the module that defines the thing; the root adds the version and imports nothing."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    allowed = 2 if file.parent == _PACKAGE else 1

    assert ast.get_docstring(tree)
    assert len(tree.body) <= allowed
    assert not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body)


def test_values_of_the_engine_get_their_methods_late() -> None:
    """They are made by `engine/lazy_dataclass.py`: the standard library's decorator takes most of an import's time."""
    engine = _PACKAGE / "engine"
    importing = re.compile(r"^from dataclasses import .*\bdataclass\b|^import dataclasses", re.MULTILINE)
    files = {file for file in engine.rglob("*.py") if importing.search(file.read_text(encoding="utf-8"))}

    assert files == {engine / "lazy_dataclass.py"}


def test_architecture_names_every_room() -> None:
    """docs/architecture.md and the tree agree on the rooms."""
    text = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    engine = _PACKAGE / "engine"
    rooms = {p.name for p in (*_PACKAGE.iterdir(), *engine.iterdir()) if (p / "__init__.py").exists()}
    stages = {f"{p.parent.name}/{p.name}" for p in engine.glob("*/*") if (p / "__init__.py").exists()}

    assert {room for room in rooms | stages if f"`{room}/`" not in text} == set()


def test_what_documents_name_is_there() -> None:
    """Every file and room of the package and of the tests that a page names, but for decisions, which tell what was."""
    places = (_PACKAGE, _PACKAGE / "engine", _ROOT)
    named = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`")
    for page in sorted((_ROOT / "docs").glob("*.md")):
        for name in named.findall(page.read_text(encoding="utf-8")):
            first = name.split("/")[0]
            if any((place / first).is_dir() for place in places):
                assert any((place / name).exists() for place in places), f"{page.name}: {name}"


def test_every_public_thing_is_explained() -> None:
    """Public modules, classes and functions of the engine have a docstring."""
    for file in _FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), file
        scopes: list[ast.Module | ast.ClassDef] = [
            tree,
            *(node for node in tree.body if isinstance(node, ast.ClassDef)),
        ]
        for scope in scopes:
            for node in scope.body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                    assert ast.get_docstring(node), f"{file}: {node.name}"


def test_no_test_imports_from_a_test() -> None:
    """What tests share stands under tests/support; benchmarks use it from there as well."""
    importing = [
        f"{file.relative_to(_ROOT)}: {line.strip()}"
        for folder in ("tests", "benchmarks")
        for file in sorted((_ROOT / folder).rglob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) tests\.[\w.]*\btest_\w+", line)
    ]

    assert importing == []


_SHARED_MODULE_NAMES = {
    "aggregates": "public import paths of the provider, as Airflow's providers name them; and the functions of SQL",
    "base": "what the members of a family share: operators, warehouses",
    "batch_build": "a sensor and its trigger",
    "completion_file": "a sensor and its trigger",
    "duckdb": "how DuckDB is reached, and how it says PostgreSQL's functions",
    "errors": "the error tree of the engine, and that of signals",
    "files": "the files of a model, and the files that signals are read from",
}


def test_a_module_name_tells_its_room() -> None:
    """A name stands in one room, so that a search finds one file; exceptions carry a reason, and are needed."""
    rooms: dict[str, set[Path]] = {}
    for file in _FILES:
        if file.name != "__init__.py":
            rooms.setdefault(file.stem, set()).add(file.parent)

    assert {name for name, folders in rooms.items() if len(folders) > 1} == set(_SHARED_MODULE_NAMES)
