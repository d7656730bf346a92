"""Models as tables: what a client sees of each before it asks anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.lifecycle.query.model_planner import SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
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
        is_metric: False: it is an attribute.
    """

    name: str
    type_name: str
    is_metric: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTable:
    """A model as the one flat table that queries see.

    Attributes:
        version: of its deployment: with another one the columns may be others.
    """

    model_id: str
    catalog: str
    name: str
    version: int
    columns: tuple[ModelColumn, ...]


def read_model_tables(workspace: Workspace, catalog: str, *, now: datetime) -> list[ModelTable]:
    """The deployed models of a catalog, by name.

    Types are those that the warehouse gives for a query on the model that answers no rows.

    Raises:
        WarehouseError: the warehouse could not be asked.
    """
    models = SnapshotCache(workspace)
    snapshots = [snapshot for snapshot in models.all(None, now) if snapshot.record.catalog == catalog]
    return [_table_of(workspace, snapshot) for snapshot in sorted(snapshots, key=lambda each: each.record.name)]


def _table_of(workspace: Workspace, snapshot: ModelSnapshot) -> ModelTable:
    dialect = workspace.warehouse.dialect
    probe = SelectPlanner(workspace, snapshot, None).columns()
    names = [column.alias for column in probe.expressions]
    with workspace.warehouse.session() as session:
        types = session.result_types(render(probe, dialect)) if names else ()
    meanings = dict(snapshot.names.unique())
    return ModelTable(
        model_id=snapshot.record.id,
        catalog=snapshot.record.catalog,
        name=snapshot.record.name,
        version=snapshot.version,
        columns=tuple(
            ModelColumn(
                name=name,
                type_name=type_in_postgresql(type_name, dialect),
                is_metric=not isinstance(meanings[name], GrainAttribute),
            )
            for name, type_name in zip(names, types, strict=True)
        ),
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
