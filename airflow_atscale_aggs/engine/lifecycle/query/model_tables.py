"""Models as tables: what a client sees of each before it asks anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import (
    ShownColumn,
    ShownHierarchy,
    show_column,
    show_hierarchies,
)
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.model_folders import schema_of
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.statements import render

_TYPE = exp.DType
_WIDE = {
    **dict.fromkeys((_TYPE.INT128, _TYPE.INT256, _TYPE.UINT128, _TYPE.UINT256, _TYPE.UBIGINT), "NUMERIC"),
    _TYPE.UINT: "BIGINT",
    **dict.fromkeys((_TYPE.UTINYINT, _TYPE.TINYINT, _TYPE.USMALLINT), "INT"),
}
"""Types that PostgreSQL lacks, and those that hold their values."""

_SAME = frozenset(
    {
        _TYPE.BIGINT, _TYPE.INT, _TYPE.SMALLINT, _TYPE.BOOLEAN, _TYPE.DECIMAL, _TYPE.DOUBLE, _TYPE.FLOAT, _TYPE.DATE,
        _TYPE.TIME, _TYPE.TIMESTAMP, _TYPE.TIMESTAMPTZ, _TYPE.TIMESTAMPNTZ, _TYPE.TIMESTAMPLTZ, _TYPE.DATETIME,
        _TYPE.INTERVAL, _TYPE.UUID, _TYPE.VARBINARY, _TYPE.VARCHAR, _TYPE.CHAR, _TYPE.TEXT, _TYPE.JSON, _TYPE.JSONB,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelColumn:
    """An attribute or a metric.

    Attributes:
        type_name: its type in PostgreSQL, such as ``DECIMAL(9, 2)``.
    """

    name: str
    type_name: str
    shown: ShownColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTable:
    """A model, or what a perspective shows of it, as the one flat table that queries see.

    Attributes:
        schema: where it stands, see `model_folders.schema_of`.
        perspective_of: the model's name where this is a perspective; empty: it is the whole model.
        is_secured: it depends on who asks which rows it has.
    """

    model_id: str
    catalog: str
    schema: str
    name: str
    label: str
    description: str
    perspective_of: str
    columns: tuple[ModelColumn, ...]
    hierarchies: tuple[ShownHierarchy, ...]
    is_secured: bool = False


def read_model_tables(
    workspace: Workspace, catalog: str, *, sees: Callable[[ModelRecord], bool], now: datetime
) -> list[ModelTable]:
    """The deployed models of a catalog with their perspectives, by name.

    Types are those that the warehouse gives for a query on the model that answers no rows.

    Args:
        sees: which models are there.

    Raises:
        WarehouseError: the warehouse could not be asked.
    """
    models = SnapshotCache(workspace, QueryBounds(sees=lambda record: record.catalog == catalog and sees(record)))
    snapshots = sorted(models.all(None, now), key=lambda each: each.record.name)
    return [table for snapshot in snapshots for table in _tables_of(workspace, snapshot)]


def _tables_of(workspace: Workspace, snapshot: ModelSnapshot) -> list[ModelTable]:
    dialect = workspace.warehouse.dialect
    probe = SelectPlanner(workspace, snapshot, None).columns()
    names = [column.alias for column in probe.expressions]
    with workspace.warehouse.session() as session:
        types = session.result_types(render(probe, dialect)) if names else ()
    type_by_name = {name: type_in_postgresql(kind, dialect) for name, kind in zip(names, types, strict=True)}
    views = [snapshot.seen_through(perspective) for perspective in snapshot.record.perspectives]
    return [_table_of(view, type_by_name) for view in (snapshot, *views)]


def _table_of(snapshot: ModelSnapshot, type_by_name: Mapping[str, str]) -> ModelTable:
    record = snapshot.record
    return ModelTable(
        model_id=record.id,
        catalog=record.catalog,
        schema=schema_of(record.folder),
        name=record.perspective or record.name,
        label=record.label,
        description=snapshot.model.description,
        perspective_of=record.name if record.perspective else "",
        columns=tuple(
            ModelColumn(name=name, type_name=type_by_name[name], shown=show_column(snapshot.model, meaning))
            for name, meaning in snapshot.names.unique()
            if name in type_by_name
        ),
        hierarchies=show_hierarchies(snapshot),
        is_secured=snapshot.model.is_secured,
    )


def type_in_postgresql(type_name: str, dialect: Dialect) -> str:
    """A type of the warehouse as PostgreSQL names it; text where it has none like it."""
    try:
        kind = exp.DataType.build(type_name, dialect=dialect.sqlglot_name)
        if kind.this in _WIDE:
            return _WIDE[kind.this]
        return kind.sql("postgres", unsupported_level=ErrorLevel.RAISE) if kind.this in _SAME else "TEXT"
    except SqlglotError:
        return "TEXT"
