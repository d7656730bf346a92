"""Queries that answer differently once a dataset was changed.

Rows that come, go or change, also by a table put in its place.

A table whose rows know which transaction has written them is marked by these: a row that is written later has another
one, and one that is gone is missing. A table in files is marked by the files that its rows are in, of which none is
changed once it is written: no column is read. Where a driver can list the files of a table, and no row of them can be
deleted, the list is its mark, and no row is read. Everything else is marked by the values of the columns that
aggregates read. All are sums of hashes, so that the order of rows does not count.

Sources: PostgreSQL, "System Columns" (xmin): foreign tables have none, there it is 0, or cannot be asked for. Apache
Spark, "Metadata Columns" (_metadata): views and Sail have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.row_hashes import hash_row
from airflow_atscale_aggs.engine.sql.sources import DatasetSource
from airflow_atscale_aggs.engine.sql.statements import render

_ROWS = "f"


def columns_of_datasets(parts: Sequence[FactPart]) -> Mapping[str, frozenset[str]]:
    """By dataset: the columns that aggregates store, and those that they join by."""
    columns_by_dataset: dict[str, set[str]] = {part.fact: set() for part in parts}
    for part in parts:
        columns_by_dataset[part.fact] |= {measure.column for measure in part.measures if measure.column}
        for bound in part.attributes:
            columns_by_dataset.setdefault(bound.dataset, set()).update(bound.columns)
            for step in bound.steps:
                columns_by_dataset.setdefault(step.from_dataset, set()).update(step.from_columns)
                columns_by_dataset.setdefault(step.to_dataset, set()).update(step.to_columns)
    return {dataset: frozenset(columns) for dataset, columns in columns_by_dataset.items()}


def version_mark_sql(source: DatasetSource) -> str:
    """Marks a table by the versions of its rows, or of the files that they are in.

    The number of rows, a sum, the least version; empty where there are none.
    """
    dialect = source.dialect
    if source.place is None or (source.table is not None and source.table.kind == "view"):
        return ""
    if dialect.file_version:
        is_numbered = source.table is not None and source.table.format in dialect.numbered_formats
        return _file_mark_sql(source.relation(_ROWS), dialect, is_numbered=is_numbered)
    if dialect.row_version is None or dialect.hash_text is None:
        return ""
    column = exp.Column(this=exp.to_identifier(dialect.row_version, quoted=True), table=exp.to_identifier(_ROWS))
    version = exp.cast(column, "text")
    hashed = exp.Anonymous(this=dialect.hash_text, expressions=[version, exp.Literal.number(0)])
    return _render_mark(source, hashed, exp.Min(this=version.copy()))


def _file_mark_sql(relation: exp.Expr, dialect: Dialect, *, is_numbered: bool) -> str:
    """The number of rows, a sum over the files of which each is hashed with its number of rows, the least version.

    The rows of a file are counted first: a hash for each row takes four times as long. Where rows have numbers, the
    first one stands for its file, which takes a third of that.
    """
    names = _names_of_parts(dialect)
    files = exp.Select()
    for name, part in zip(names, dialect.file_version, strict=True):
        files.select(alias_as(_file_part(part), name), copy=False)
        files.group_by(_file_part(part), copy=False)
    files.select(alias_as(exp.Count(this=exp.Star(), big_int=True), "n"), copy=False)
    files.from_(relation, copy=False)
    if is_numbered:
        files.where(_is_first_row(), copy=False)
    mark = _sum_of_files(files, dialect)
    return "" if mark is None else render(mark, dialect)


def file_marks_together(sqls: Sequence[str], dialect: Dialect) -> str | None:
    """One query with a row for each of some queries that mark tables by their files: its number, and what it answers.

    The rows of all tables are put under each other and grouped once. A table without rows has no row in the answer.

    Returns:
        None where one of the queries is none of those.
    """
    names = _names_of_parts(dialect)
    rows: exp.Expr | None = None
    for number, sql in enumerate(sqls):
        marked = _marked_by_files(sql, dialect)
        if marked is None:
            return None
        relation, is_numbered = marked
        parts = [alias_as(_file_part(part), name) for name, part in zip(names, dialect.file_version, strict=True)]
        side = exp.select(alias_as(exp.Literal.number(number), "mark_number"), *parts).from_(relation, copy=False)
        if is_numbered:
            side.where(_is_first_row(), copy=False)
        rows = side if rows is None else exp.Union(this=rows, expression=side, distinct=False)
    keys = [column_of(name) for name in ("mark_number", *names)]
    files = exp.select(*keys, alias_as(exp.Count(this=exp.Star(), big_int=True), "n"))
    files.from_(exp.Subquery(this=rows, alias=exp.TableAlias(this=identifier("file_rows"))), copy=False)
    files.group_by(*(key.copy() for key in keys), copy=False)
    mark = _sum_of_files(files, dialect)
    if mark is None:
        return None
    mark.set("expressions", [column_of("mark_number"), *mark.expressions])
    return render(mark.group_by(column_of("mark_number"), copy=False), dialect)


def is_file_mark(sql: str, dialect: Dialect) -> bool:
    """Whether a query marks a table by its files."""
    return _marked_by_files(sql, dialect) is not None


def table_of_first_rows(sql: str, dialect: Dialect) -> TableKey | None:
    """The table that a query marks by the first row of each of its files, so that their list alone would do.

    None where it is no such query.
    """
    marked = _marked_by_files(sql, dialect)
    if marked is None or not marked[1] or not isinstance(marked[0], exp.Table):
        return None
    table = marked[0]
    return table.catalog or None, table.db or None, table.name


def _marked_by_files(sql: str, dialect: Dialect) -> tuple[exp.Expr, bool] | None:
    """The table that a query marks by its files, and whether by their first rows.

    None where it is no such query, to the letter.
    """
    if not dialect.file_version or "_metadata" not in sql:
        return None
    found = sqlglot.parse_one(sql, dialect=dialect.sqlglot_name).find(exp.Table)
    if found is None:
        return None
    ways = (way for way in (False, True) if _file_mark_sql(found.copy(), dialect, is_numbered=way) == sql)
    return next(((found, way) for way in ways), None)


def _sum_of_files(files: exp.Select, dialect: Dialect) -> exp.Select | None:
    """What all files of a query come to; None where the warehouse does not hash."""
    names = _names_of_parts(dialect)
    hashed = hash_row([column_of(name) for name in (*names, "n")], dialect)
    if hashed is None:
        return None
    return exp.select(
        exp.cast(exp.Sum(this=column_of("n")), "text"),
        exp.cast(exp.Sum(this=hashed), "text"),
        exp.Min(this=exp.cast(column_of(names[-1]), "text")),
    ).from_(exp.Subquery(this=files, alias=exp.TableAlias(this=identifier("files"))), copy=False)


def _names_of_parts(dialect: Dialect) -> list[str]:
    return [f"p{place}" for place in range(len(dialect.file_version))]


def _file_part(name: str) -> exp.Column:
    """A part of the column with which Spark tells the file that a row is in."""
    return exp.Column(this=exp.to_identifier(name), table=exp.to_identifier("_metadata"), db=exp.to_identifier(_ROWS))


def _is_first_row() -> exp.Expr:
    """The condition that a row is the first one of its file, in a format that numbers them."""
    return exp.EQ(this=_file_part("row_index"), expression=exp.Literal.number(0))


def has_versions(mark: str) -> bool:
    """False for the mark of a table whose rows do not know who wrote them."""
    return not mark.endswith("/0")


def value_mark_sql(source: DatasetSource, columns: Sequence[str]) -> str:
    """Marks a dataset by the values of some columns; empty where the warehouse does not hash."""
    values = []
    for column in columns:
        try:
            values.append(source.column(column, _ROWS))
        except DefinitionError:
            # What reads it is not built.
            continue
    hashed = hash_row(values, source.dialect) if values else exp.Literal.number(0)
    return "" if hashed is None else _render_mark(source, hashed)


def marks_together(sqls: Sequence[str]) -> str:
    """One query with a row for each of some marking queries: its number, and what it answers.

    >>> marks_together(["SELECT 1", "SELECT 2"])
    'SELECT 0 AS mark_number, m.* FROM (SELECT 1) AS m UNION ALL SELECT 1 AS mark_number, m.* FROM (SELECT 2) AS m'
    """
    return " UNION ALL ".join(
        f"SELECT {number} AS mark_number, m.* FROM ({sql}) AS m" for number, sql in enumerate(sqls)
    )


def _render_mark(source: DatasetSource, hashed: exp.Expr, *further: exp.Expr) -> str:
    select = exp.select(
        exp.cast(exp.Count(this=exp.Star(), big_int=True), "text"),
        exp.cast(exp.Sum(this=hashed), "text"),
        *further,
    ).from_(source.relation(_ROWS), copy=False)
    return render(select, source.dialect)
