"""Models in the warehouse's own catalog: ``information_schema.tables`` and ``.columns`` show each as a view with typed columns.

Clients look there for what can be asked. A model stands in the schema of its catalog's name, beside what the warehouse has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.knowledge import ModelKnowledge
from airflow_atscale_aggs.engine.lifecycle.known_models import KnownModels
from airflow_atscale_aggs.engine.lifecycle.select_planner import SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.warehouse_tables import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.quoting import column_of, identifier, named
from airflow_atscale_aggs.engine.sql.statements import render

_SCHEMA = "information_schema"
_VIEWS: Mapping[str, Mapping[str, str]] = {
    "tables": {"table_schema": "schema", "table_name": "model", "table_type": "kind"},
    "columns": {
        "table_schema": "schema",
        "table_name": "model",
        "column_name": "name",
        "ordinal_position": "place",
        "is_nullable": "nullable",
        "data_type": "type",
    },
}
"""By view of the catalog: which of our columns each of its columns shows; the others are NULL."""

_Rows = Sequence[tuple[str | int, ...]]


class ModelCatalog:
    """Adds the models of one workspace to what queries see of the catalog."""

    def __init__(self, workspace: Workspace, models: KnownModels, tables: WarehouseTables) -> None:
        self._workspace, self._models, self._tables = workspace, models, tables
        self._types: dict[tuple[str, int], Sequence[tuple[str, str]]] = {}

    def add_models(self, root: exp.Query, now: datetime) -> bool:
        """Let the catalog's views that a query names show models, too; the query is changed. False: it names none."""
        views = [table for table in root.find_all(exp.Table) if _is_view(table)]
        if not views or not self._models.records or self._workspace.warehouse.dialect.type_of is None:
            return False
        known = self._models.all(None, now)
        keys = [(None, one.record.catalog, one.record.name) for one in known]
        shown = [one for one, is_there in zip(known, self._tables.are_there(keys), strict=True) if not is_there]
        if not shown:
            return False
        for view in views:
            made = self._view(view, shown)
            alias = view.args.get("alias") or exp.TableAlias(this=identifier(view.name))
            view.replace(exp.Subquery(this=made, alias=alias.copy()))
        return True

    def _view(self, view: exp.Table, shown: Iterable[ModelKnowledge]) -> exp.Query:
        """All rows of a view, and those of the models."""
        own = exp.Select(expressions=[exp.Star()]).from_(exp.Table(this=view.this.copy(), db=view.args["db"].copy()))
        probe = own.copy().where(exp.false(), copy=False)
        with self._workspace.warehouse.session() as session:
            names, _ = session.fetch_named(render(probe, self._workspace.warehouse.dialect))
        columns = _VIEWS[view.name.casefold()]
        rows = self._tables_of(shown) if view.name.casefold() == "tables" else self._columns_of(shown)
        values = exp.values(rows, alias="models", columns=_names(view))
        ours = exp.Select().from_(values, copy=False)
        for name in names:
            source = columns.get(name.casefold())
            value: exp.Expression = column_of(source, "models") if source is not None else exp.Null()
            if name.casefold() == "table_catalog":
                value = exp.Anonymous(this="CURRENT_DATABASE")
            ours.select(named(value, name), copy=False)
        return exp.Union(this=own, expression=ours, distinct=False)

    @staticmethod
    def _tables_of(shown: Iterable[ModelKnowledge]) -> _Rows:
        return [(one.record.catalog, one.record.name, "VIEW") for one in shown]

    def _columns_of(self, shown: Iterable[ModelKnowledge]) -> _Rows:
        return [
            (one.record.catalog, one.record.name, name, place, "YES", kind)
            for one in shown
            for place, (name, kind) in enumerate(self._typed(one), 1)
        ]

    def _typed(self, known: ModelKnowledge) -> Sequence[tuple[str, str]]:
        """Names and types of a model's columns, asked once for each version of it."""
        key = (known.record.id, known.version)
        if key not in self._types:
            dialect = self._workspace.warehouse.dialect
            probe = SelectPlanner(self._workspace, known, None).columns()
            names = [one.alias for one in probe.expressions if len(one.alias.encode()) <= dialect.max_identifier]
            select = exp.Select().from_(
                exp.Subquery(this=exp.select("1"), alias=exp.TableAlias(this=identifier("one")))
            )
            for name in names:
                kind = exp.Anonymous(this=dialect.type_of, expressions=[column_of(name, "model")])
                select.select(exp.cast(kind, "text"), copy=False)
            rows = exp.Subquery(this=probe, alias=exp.TableAlias(this=identifier("model")))
            select.append("joins", exp.Join(this=rows, side="LEFT", on=exp.true()))
            with self._workspace.warehouse.session() as session:
                (kinds,) = session.fetch_all(render(select, dialect)) if names else [()]
            self._types[key] = list(zip(names, kinds, strict=True))
        return self._types[key]


def _is_view(table: exp.Table) -> bool:
    return table.db.casefold() == _SCHEMA and table.name.casefold() in _VIEWS and not table.args.get("joins")


def _names(view: exp.Table) -> list[str]:
    return list(_VIEWS[view.name.casefold()].values())
