"""Mark the state of the datasets that a batch reads, and compare it later.

The marks are taken before anything else is read. When they are the same later, nothing was loaded in between, however
long the build took.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.errors import DefinitionError, PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.mark_queries import (
    columns_of_datasets,
    has_versions,
    value_mark_sql,
    version_mark_sql,
)
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


def take_marks(session: WarehouseSession, parts: Sequence[FactPart], sources: Sources) -> tuple[SourceMark, ...]:
    """Mark every dataset that aggregates read: one scan of each.

    Raises:
        TransientWarehouseError: the warehouse could not be asked.
    """
    marks = []
    for dataset, columns in sorted(columns_of_datasets(parts).items()):
        try:
            marks.append(_mark_of(session, dataset, sources[dataset], sorted(columns)))
        except DefinitionError:
            # It is not there, or may not be read: what needs it is refused by the plan.
            continue
    return tuple(marks)


def changed_datasets(session: WarehouseSession, marks: Sequence[SourceMark]) -> tuple[str, ...]:
    """The datasets that are not what they were when they were marked, sorted.

    Those without a mark are not among them.
    """
    return tuple(
        sorted(mark.dataset for mark in marks if mark.mark is not None and _fetch_mark(session, mark.sql) != mark.mark)
    )


def unmarked_datasets(marks: Sequence[SourceMark]) -> tuple[str, ...]:
    """The datasets without a mark: the warehouse cannot tell whether they have changed."""
    return tuple(mark.dataset for mark in marks if mark.mark is None)


def _mark_of(session: WarehouseSession, dataset: str, source: DatasetSource, columns: Sequence[str]) -> SourceMark:
    """Mark one dataset by the versions of its rows where the table has them, else by their values."""
    sql = version_mark_sql(source)
    mark = _fetch_mark(session, sql)
    if mark is None or not has_versions(mark):
        sql = value_mark_sql(source, columns)
        mark = _fetch_mark(session, sql)
    return SourceMark(dataset=dataset, sql=sql, mark=mark)


def _fetch_mark(session: WarehouseSession, sql: str) -> str | None:
    """The answer of a marking query as text; None where there is none."""
    if not sql:
        return None
    try:
        (row,) = session.fetch_all(sql)
    except PermanentWarehouseError:
        return None
    return "/".join("" if value is None else str(value) for value in row)
