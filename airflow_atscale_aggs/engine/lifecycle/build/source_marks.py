"""Mark the state of the datasets that a batch reads, and compare it later.

The marks are taken before anything else is read. When they are the same later, nothing was loaded in between, however
long the build took.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from functools import partial

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError, PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.mark_queries import (
    columns_of_datasets,
    file_marks_together,
    has_versions,
    is_file_mark,
    marks_together,
    table_of_first_rows,
    value_mark_sql,
    version_mark_sql,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.side_by_side import do_each

_BETWEEN = "/"
"""Stands between the values of a mark."""

_NO_FILES = _BETWEEN * 2
"""Of a table that is marked by its files and has none: three values that are NULL."""

_LISTED = "listed" + _BETWEEN
"""How a mark begins that is made of a list of files, and not of a query."""


class _Way(Enum):
    """How tables in files are marked, which is said where a mark is to be compared with an earlier one."""

    EITHER = "either"
    LIST = "list"
    QUERY = "query"


def take_marks(
    session: WarehouseSession,
    parts: Sequence[FactPart],
    sources: Sources,
    warehouse: Warehouse | None = None,
    unmarked: Collection[str] = (),
) -> tuple[SourceMark, ...]:
    """Mark every dataset that aggregates read: one scan of each.

    By the versions of its rows where the table has them, else by their values. Two round trips, except where the
    warehouse answers many small statements sooner than a long one.

    Args:
        warehouse: opens further sessions, so that several are marked at the same time where the dialect's row says so.
        unmarked: datasets that are not read for it, since a batch is to read little of them; they get no mark.

    Raises:
        TransientWarehouseError: the warehouse could not be asked.
    """
    sqls: dict[str, tuple[str, str]] = {}
    datasets = columns_of_datasets(parts)
    for dataset, columns in sorted(datasets.items()):
        if dataset in unmarked:
            continue
        try:
            source = sources[dataset]
            sqls[dataset] = version_mark_sql(source), value_mark_sql(source, sorted(columns))
        except DefinitionError:
            # It is not there, or may not be read: what needs it is refused by the plan.
            continue
    fetch_marks = partial(_fetch_marks, session, warehouse)
    by_versions = fetch_marks([sql for sql, _ in sqls.values()])
    versioned = {sql for sql, mark in by_versions.items() if mark is not None and has_versions(mark)}
    by_values = fetch_marks([by_value for sql, by_value in sqls.values() if sql not in versioned])
    found = {**by_values, **by_versions}
    chosen = {dataset: sql if sql in versioned else by_value for dataset, (sql, by_value) in sqls.items()}
    marks = (SourceMark(dataset=dataset, sql=sql, mark=found.get(sql)) for dataset, sql in chosen.items())
    return (*marks, *(SourceMark(dataset=dataset) for dataset in sorted(datasets.keys() & set(unmarked))))


def changed_datasets(
    session: WarehouseSession, marks: Sequence[SourceMark], warehouse: Warehouse | None = None
) -> tuple[str, ...]:
    """The datasets that are not what they were when they were marked, sorted.

    Those without a mark are not among them.

    Args:
        warehouse: as of `take_marks`.
    """
    alike: dict[tuple[_Way, int], list[str]] = {}
    for mark in marks:
        if mark.mark is not None:
            way = _Way.LIST if mark.mark.startswith(_LISTED) else _Way.QUERY
            alike.setdefault((way, mark.mark.count(_BETWEEN)), []).append(mark.sql)
    now: dict[str, str | None] = {}
    for (way, _), sqls in alike.items():
        now |= _fetch_marks(session, warehouse, sqls, way)
    return tuple(sorted(mark.dataset for mark in marks if mark.mark is not None and now[mark.sql] != mark.mark))


def listed_datasets(session: WarehouseSession, datasets: Collection[str], sources: Sources) -> frozenset[str]:
    """The datasets that are marked by the list of their files, for which no row of them is read."""
    sqls: dict[str, str] = {}
    for dataset in datasets:
        with contextlib.suppress(DefinitionError):
            sqls[dataset] = version_mark_sql(sources[dataset])
    listed = _list_files(session, list(sqls.values()))
    return frozenset(dataset for dataset, sql in sqls.items() if sql in listed)


def unmarked_datasets(marks: Sequence[SourceMark]) -> tuple[str, ...]:
    """The datasets without a mark: the warehouse cannot tell whether they have changed."""
    return tuple(mark.dataset for mark in marks if mark.mark is None)


def _fetch_marks(
    session: WarehouseSession, warehouse: Warehouse | None, sqls: Sequence[str], way: _Way = _Way.EITHER
) -> dict[str, str | None]:
    """The answers of marking queries as texts, by query; None where there is none.

    One round trip. Where the warehouse answers several small statements sooner than a long one, tables that are marked
    by their files are asked about by one statement, and every other dataset by one of its own. Where it refuses a
    statement, each of its queries is asked by itself.

    Args:
        sqls: with equally many columns; empty ones are passed over.
    """
    asked = [sql for sql in dict.fromkeys(sqls) if sql]
    if not session.dialect.plans_unions_slowly:
        return _fetch_together(session, asked)
    of_files = [sql for sql in asked if is_file_mark(sql, session.dialect)]
    groups = [of_files, *([sql] for sql in asked if sql not in of_files)]

    def fetch(own: WarehouseSession, group: Sequence[str]) -> Mapping[str, str | None]:
        return _fetch_of_files(own, group, way) if group is of_files else _fetch_together(own, group)

    found = do_each(warehouse, session, [group for group in groups if group], fetch)
    return {sql: mark for marks in found for sql, mark in marks.items()}


def _fetch_of_files(session: WarehouseSession, sqls: Sequence[str], way: _Way) -> Mapping[str, str | None]:
    """The marks of tables in files: by their lists where these can be had and may be, else by the queries."""
    if way is _Way.QUERY:
        return _fetch_together(session, sqls)
    listed = _list_files(session, sqls)
    if way is _Way.LIST:
        # What could be listed and no longer can is not as it was.
        return {sql: listed.get(sql) for sql in sqls}
    left = [sql for sql in sqls if sql not in listed]
    return {**listed, **(_fetch_together(session, left) if left else {})}


def _list_files(session: WarehouseSession, sqls: Sequence[str]) -> dict[str, str]:
    """The marks by lists of files, as far as they can be had, by the queries that would mark the same tables."""
    tables = {sql: table for sql in sqls if (table := table_of_first_rows(sql, session.dialect)) is not None}
    lists = session.list_files(sorted(set(tables.values()), key=str)) if tables else {}
    return {sql: _LISTED + lists[table] for sql, table in tables.items() if table in lists}


def _fetch_together(session: WarehouseSession, sqls: Sequence[str]) -> dict[str, str | None]:
    """The answers of marking queries by one statement; where the warehouse refuses that, by one for each."""
    if len(sqls) > 1:
        of_files = file_marks_together(sqls, session.dialect)
        with contextlib.suppress(PermanentWarehouseError):
            rows = session.fetch_all(of_files or marks_together(sqls))
            marks = {nearest_whole(number): _as_mark(values) for number, *values in rows}
            if of_files:
                # A table without rows is in no file.
                return {sql: marks.get(number, _NO_FILES) for number, sql in enumerate(sqls)}
            return {sql: marks[number] for number, sql in enumerate(sqls)}
    return {sql: _fetch_mark(session, sql) for sql in sqls}


def _fetch_mark(session: WarehouseSession, sql: str) -> str | None:
    try:
        (row,) = session.fetch_all(sql)
    except PermanentWarehouseError:
        return None
    return _as_mark(row)


def _as_mark(values: Sequence[object]) -> str:
    return _BETWEEN.join("" if value is None else str(value) for value in values)
