"""The page of what DAG files import, from signatures and docstrings. The sources are read, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import airflow_atscale_aggs
from airflow_atscale_aggs.get_provider_info import get_provider_info
from tests.reference_pages.markdown import code, entries, page, plain, sections, sentence, table

_PACKAGE = Path(airflow_atscale_aggs.__file__).parent

_DAGS = {
    "dag_factory.py": ("batch_build_dag", "maintenance_dag"),
    "task_group.py": ("add_batch_build_tasks", "BatchBuildTaskGroup"),
    "assets/activated.py": ("aggregates_asset", "aggregate_asset", "aggregates_alias"),
}
_REST = {
    "Sensors": ("sensors/batch_build.py", "sensors/completion_file.py"),
    "Triggers": ("triggers/batch_build.py", "triggers/completion_file.py"),
    "Hook": ("hooks/aggregates.py",),
    "Notifier": ("notifications/failed_batch.py",),
}
_BASES = ("BaseTrigger", "BaseEventTrigger", "BaseSensorOperator", "BaseHook", "BaseNotifier")
_OPTIONS_OF_ALL = {
    "aggs_conn_id": "Connection of type `atscale_aggs`.",
    "aggregate": "Name of the aggregate.",
    "model": "Name of the model.",
    "tags": "Tags of the DAG.",
    "tooltip": "What the page shows for the group.",
}
"""What is said of an argument where its function or class says nothing."""

_HEAD = """
Operators take all arguments of Airflow's `BaseOperator` as well, and those that are templated say so. What is not
listed here is no public interface. [Airflow](../airflow.md) shows how the pieces work together.
"""


def airflow_page() -> str:
    """DAG factory, task group, operators, sensors, triggers, hook, notifier and the connection's fields."""
    parts = [_HEAD, "## DAGs and task groups"]
    for file, names in _DAGS.items():
        parts += [part for name in names for part in _thing(_definition(file, name), file)]
    parts.append("## Operators")
    for file, node in _operators():
        parts += _thing(node, "operators/aggregates.py", source=file)
    for heading, files in _REST.items():
        parts.append(f"## {heading}")
        for file in files:
            parts += [part for node in _classes(file) if set(_bases(node)) & set(_BASES) for part in _thing(node, file)]
    parts += ["## The connection", _connection()]
    return page("Operators, sensors, triggers, hooks", "signatures and docstrings", *parts)


def _operators() -> Iterator[tuple[str, ast.ClassDef]]:
    """What `operators/aggregates.py` offers, in its order."""
    tree = ast.parse((_PACKAGE / "operators/aggregates.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("airflow_atscale_aggs.operators.")
        ):
            file = f"operators/{node.module.rsplit('.', 1)[-1]}.py"
            for name in node.names:
                found = _definition(file, name.name)
                if isinstance(found, ast.ClassDef) and name.name.endswith("Operator"):
                    yield file, found


def _definition(file: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    tree = ast.parse((_PACKAGE / file).read_text(encoding="utf-8"))
    return next(n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef)) and n.name == name)


def _classes(file: str) -> list[ast.ClassDef]:
    tree = ast.parse((_PACKAGE / file).read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def _thing(node: ast.ClassDef | ast.FunctionDef, file: str, *, source: str = "") -> list[str]:
    module = f"airflow_atscale_aggs.{file.removesuffix('.py').replace('/', '.')}"
    found = sections(ast.get_docstring(node) or "")
    meanings = {**_OPTIONS_OF_ALL, **_inherited(node, source or file), **entries(found.get("Args", ""))}
    templated = _templated(node)
    rows = [
        (code(name), kind, code(default), _meaning(name, meanings, templated))
        for name, kind, default in _parameters(node, source or file)
    ]
    parts = [f"### {node.name}", code(f"from {module} import {node.name}"), plain(found[""])]
    parts.append(table(("argument", "type", "default", "meaning"), rows))
    for heading in ("Returns", "Raises"):
        text = found.get(heading, "")
        if text and isinstance(node, ast.ClassDef):
            parts.append(f"**{heading}:** {_list(text) if heading == 'Raises' else sentence(plain(text))}")
    if found.get("Example"):
        parts.append(f"```text\n{_unindented(found['Example'])}\n```")
    if isinstance(node, ast.ClassDef) and node.name.endswith("Hook"):
        parts.append(_methods(node))
    return [part for part in parts if part]


def _list(text: str) -> str:
    return " ".join(f"`{name}`: {said}" for name, said in entries(text).items())


def _meaning(name: str, meanings: dict[str, str], templated: set[str]) -> str:
    return f"{meanings.get(name, '')}{' Templated.' if name in templated else ''}".strip()


def _inherited(node: ast.ClassDef | ast.FunctionDef, file: str) -> dict[str, str]:
    """What the classes above in the same file, or beside it, say about their arguments."""
    if not isinstance(node, ast.ClassDef):
        return {}
    found: dict[str, str] = {}
    for base, where in _above(node, file):
        found = {**_inherited(base, where), **entries(sections(ast.get_docstring(base) or "").get("Args", ""))}
    return found


def _above(node: ast.ClassDef, file: str) -> Iterator[tuple[ast.ClassDef, str]]:
    for name in _bases(node):
        for where in (file, "operators/base.py", "operators/maintenance.py"):
            for candidate in _classes(where):
                if candidate.name == name and candidate is not node:
                    yield candidate, where
                    return


def _parameters(node: ast.ClassDef | ast.FunctionDef, file: str) -> list[tuple[str, str, str]]:
    """(name, type, default) of each argument, those of the classes above as well."""
    function = node if isinstance(node, ast.FunctionDef) else _constructor(node)
    own = _arguments(function) if function is not None else []
    is_open = function is None or function.args.kwarg is not None
    if isinstance(node, ast.ClassDef) and is_open:
        names = {name for name, _, _ in own}
        for base, where in _above(node, file):
            own += [argument for argument in _parameters(base, where) if argument[0] not in names]
    return own


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)


def _arguments(function: ast.FunctionDef) -> list[tuple[str, str, str]]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    padded = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(positional, padded, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [
        (argument.arg, ast.unparse(argument.annotation) if argument.annotation else "", _default(default))
        for argument, default in pairs
        if argument.arg not in {"self", "state", "deadline"}
    ]


def _default(default: ast.expr | None) -> str:
    if default is None:
        return ""
    text = ast.unparse(default)
    return {
        "AggregatesHook.default_conn_name": "'atscale_aggs_default'",
        "default_conn_name": "'atscale_aggs_default'",
        "DRY_RUN": "'{{ params.dry_run }}'",
    }.get(text, text)


def _templated(node: ast.ClassDef | ast.FunctionDef) -> set[str]:
    for statement in node.body if isinstance(node, ast.ClassDef) else []:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "template_fields":
            return {n.value for n in ast.walk(statement) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return set()


def _methods(node: ast.ClassDef) -> str:
    rows = [
        (code(f"{method.name}({ast.unparse(method.args).removeprefix('self').removeprefix(', ')})"), _first(method))
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
    ]
    return table(("method", "meaning"), rows)


def _first(node: ast.FunctionDef) -> str:
    return sentence(plain((ast.get_docstring(node) or "").split("\n\n")[0]))


def _unindented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def _connection() -> str:
    (kind,) = get_provider_info()["connection-types"]
    rows = [(code(name), field["label"], sentence(field["description"])) for name, field in kind["conn-fields"].items()]
    text = f"Its type is `{kind['connection-type']}` (*{kind['hook-name']}*)."
    return f"{text}\n\n" + table(("extra field", "label", "meaning"), rows)
