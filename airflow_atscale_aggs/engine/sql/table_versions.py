"""Say in a statement as of which version it reads a table. Delta tables have such versions."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

Place = tuple[str, ...]
"""Database, schema and name of a table, as far as the statement names them, in lower case."""


def places_read(sql: str, dialect: str) -> frozenset[Place]:
    """The tables that a SELECT, or a CREATE TABLE … AS, reads; not what it makes, nor its own WITH.

    Args:
        dialect: sqlglot's name of it.

    Raises:
        sqlglot.ParseError: it is no statement of the dialect.

    >>> sorted(places_read("CREATE TABLE a.new AS WITH c AS (SELECT * FROM W.t) SELECT * FROM c JOIN u", "spark"))
    [('u',), ('w', 't')]
    """
    return frozenset(_place(table) for table in _tables_read(sqlglot.parse_one(sql, dialect=dialect)))


def with_versions(sql: str, versions: Mapping[Place, str], dialect: str) -> str:
    """The statement with the versions behind the names of its tables; everything else stays to the letter.

    Args:
        versions: what stands behind a table's name, such as ``VERSION AS OF 3``.

    Raises:
        sqlglot.ParseError: as `places_read`.

    >>> with_versions("SELECT * FROM `w`.`T` AS x JOIN u", {("w", "t"): "VERSION AS OF 3"}, "spark")
    'SELECT * FROM `w`.`T` VERSION AS OF 3 AS x JOIN u'
    """
    ends = {
        int(table.this.meta["end"]) + 1: versions[_place(table)]
        for table in _tables_read(sqlglot.parse_one(sql, dialect=dialect))
        if _place(table) in versions
    }
    for end in sorted(ends, reverse=True):
        sql = f"{sql[:end]} {ends[end]}{sql[end:]}"
    return sql


def _tables_read(statement: exp.Expr) -> list[exp.Table]:
    is_made_table = isinstance(statement, exp.Create) and statement.kind == "TABLE"
    if not isinstance(statement, exp.Query) and not is_made_table:
        # A view shows what will be there, and DESCRIBE and DROP take no versions.
        return []
    own = {cte.alias.casefold() for cte in statement.find_all(exp.CTE)}
    made = statement.find(exp.Table) if is_made_table else None
    return [
        table
        for table in statement.find_all(exp.Table)
        if table is not made
        and isinstance(table.this, exp.Identifier)
        and (table.db or table.name.casefold() not in own)
    ]


def _place(table: exp.Table) -> Place:
    return tuple(part.name.casefold() for part in table.parts)
