"""The page of the registry's tables, from their definition."""

from __future__ import annotations

import ast
import inspect
import itertools

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from airflow_atscale_aggs.engine.registry import tables
from tests.reference_pages.markdown import code, page, plain, table

_HEAD = """
The registry is our own memory, in SQLite or PostgreSQL. It is no public interface: tables change with versions, and
`atscale-aggs registry upgrade` changes them. The command line (`--json`) and the REST API are what programs read. This
page helps whoever backs a registry up, watches its size or looks into it. Times are UTC without a zone.
"""


def registry_page() -> str:
    """Every table with its columns."""
    texts = _docstrings()
    parts = [_HEAD, f"The schema version of this program is `{tables.SCHEMA_VERSION}`."]
    for made in tables.metadata.sorted_tables:
        parts += [f"## {made.name}", plain(texts.get(made.name, "")), _columns(made)]
    return page("The registry's tables", "`airflow_atscale_aggs/engine/registry/tables.py`", *parts)


def _docstrings() -> dict[str, str]:
    """What stands under the definition of each table."""
    body = ast.parse(inspect.getsource(tables)).body
    named = {name: value for name, value in vars(tables).items() if isinstance(value, Table)}
    found = {}
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            name = ast.unparse(node.targets[0])
            if name in named:
                found[str(named[name].name)] = inspect.cleandoc(str(after.value.value))
    return found


def _columns(made: Table) -> str:
    rows = [
        (code(str(column.name)), _kind(column), "" if column.nullable else "yes", _role(column))
        for column in made.columns
    ]
    return table(("column", "type", "always there", "key"), rows)


def _kind(column: Column[object]) -> str:
    return str(column.type.compile(postgresql.dialect())).lower()


def _role(column: Column[object]) -> str:
    roles = ["primary"] if column.primary_key else []
    roles += [f"of `{key.column.table.name}`" for key in column.foreign_keys]
    return ", ".join(sorted(roles))
