"""Mark the state of the datasets that a batch reads, and compare it later.

The marks are taken before anything else is read. When they are the same later, nothing was loaded in between, however
long the build took.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError, PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.mark_queries import (
    columns_of_datasets,
    has_versions,
    marks_together,
    value_mark_sql,
    version_mark_sql,
)
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.side_by_side import do_each

_BETWEEN = "/"
"""Stands between the values of a mark."""


def take_marks(
    session: WarehouseSession, parts: Sequence[FactPart], sources: Sources, warehouse: Warehouse | None = None
) -> tuple[SourceMark, ...]:
    """Mark every dataset that aggregates read: one scan of each.

    By the versions of its rows where the table has them, else by their values. Two round trips, except where the
    warehouse answers many small statements sooner than a long one.

    Args:
        warehouse: opens further sessions, so that several are marked at the same time where the dialect's row says so.

    Raises:
        TransientWarehouseError: the warehouse could not be asked.
    """
    sqls: dict[str, tuple[str, str]] = {}
    for dataset, columns in sorted(columns_of_datasets(parts).items()):
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
    return tuple(SourceMark(dataset=dataset, sql=sql, mark=found.get(sql)) for dataset, sql in chosen.items())


def changed_datasets(
    session: WarehouseSession, marks: Sequence[SourceMark], warehouse: Warehouse | None = None
) -> tuple[str, ...]:
    """The datasets that are not what they were when they were marked, sorted.

    Those without a mark are not among them.

    Args:
        warehouse: as of `take_marks`.
    """
    by_width: dict[int, list[str]] = {}
    for mark in marks:
        if mark.mark is not None:
            by_width.setdefault(mark.mark.count(_BETWEEN), []).append(mark.sql)
    fetch_marks = partial(_fetch_marks, session, warehouse)
    now = {sql: found for sqls in by_width.values() for sql, found in fetch_marks(sqls).items()}
    return tuple(sorted(mark.dataset for mark in marks if mark.mark is not None and now[mark.sql] != mark.mark))


def unmarked_datasets(marks: Sequence[SourceMark]) -> tuple[str, ...]:
    """The datasets without a mark: the warehouse cannot tell whether they have changed."""
    return tuple(mark.dataset for mark in marks if mark.mark is None)


def _fetch_marks(session: WarehouseSession, warehouse: Warehouse | None, sqls: Sequence[str]) -> dict[str, str | None]:
    """The answers of marking queries as texts, by query; None where there is none.

    One round trip. Where the warehouse refuses it, each query is asked by itself.

    Args:
        sqls: with equally many columns; empty ones are passed over.
    """
    asked = [sql for sql in dict.fromkeys(sqls) if sql]
    if len(asked) > 1 and not session.dialect.plans_unions_slowly:
        with contextlib.suppress(PermanentWarehouseError):
            rows = session.fetch_all(marks_together(asked))
            return {asked[nearest_whole(number)]: _as_mark(values) for number, *values in rows}
    return dict(zip(asked, do_each(warehouse, session, asked, _fetch_mark), strict=True))


def _fetch_mark(session: WarehouseSession, sql: str) -> str | None:
    try:
        (row,) = session.fetch_all(sql)
    except PermanentWarehouseError:
        return None
    return _as_mark(row)


def _as_mark(values: Sequence[object]) -> str:
    return _BETWEEN.join("" if value is None else str(value) for value in values)
