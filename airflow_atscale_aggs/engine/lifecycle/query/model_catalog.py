"""Show models in the warehouse's own catalog.

``information_schema`` and ``pg_catalog`` show each as a view with typed columns.

Clients look there for what can be asked. A model stands in the schema of its catalog's name, beside what the warehouse
has. What a view of the catalog shows of a model is data: see `sql/model_relations.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lifecycle.query.catalog_functions import CatalogFunctions, ShownModel, replace_missing
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.model_relations import INFORMATION_SCHEMA, MODEL_VIEWS, PG_CATALOG, Shown
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.statements import render

_ROW = ("schema", "schema_number", "model", "number", "width", "name", "place", "type")
_PLAIN = frozenset({"this", "db", "catalog", "alias", "joins", "only"})
_FIRST_NUMBER = 0xF0000000
"""Object numbers of models start here. Warehouses count from low numbers, and will not reach this one."""


class ModelCatalog:
    """Adds the models of one workspace to what queries see of the catalog."""

    def __init__(self, workspace: Workspace, models: SnapshotCache, tables: WarehouseTables) -> None:
        self._workspace, self._models, self._tables = workspace, models, tables
        self._types: dict[tuple[str, int], Sequence[tuple[str, str]]] = {}

    def add_models(self, root: exp.Query, now: datetime) -> bool:
        """Change the query so that the catalog's views in it show models, too.

        Returns False when the query names no such view, or asks something that the catalog cannot answer for models.
        Then the query is unchanged.
        """
        if self._workspace.warehouse.dialect.type_of is None or not self._models.records:
            return False
        views = [(table, key) for table in root.find_all(exp.Table) if (key := self._key_of(table)) is not None]
        if (not views and not CatalogFunctions.names_relations(root)) or not all(_is_plain(view) for view, _ in views):
            return False
        shown = self._visible_models(now)
        functions = CatalogFunctions(shown)
        if not shown or not functions.is_answerable(root) or not (functions.replace_names(root) or views):
            return False
        for view, key in views:
            alias = view.args.get("alias") or exp.TableAlias(this=identifier(view.name))
            subquery = exp.Subquery(this=self._view(view, key, shown), alias=alias.copy())
            # The parser attaches joins in parentheses to the first table.
            subquery.set("joins", view.args.get("joins"))
            view.replace(subquery)
        self._replace_what_is_missing(root)
        for column in root.find_all(exp.Column):
            if (column.args.get("db") and column.text("db").casefold(), column.table.casefold()) in MODEL_VIEWS:
                column.set("db", None)
                column.set("catalog", None)
        return True

    def _replace_what_is_missing(self, root: exp.Query) -> None:
        """Replace those parts of PostgreSQL's catalog that the warehouse lacks and we know; the query is changed."""
        dialect = self._workspace.warehouse.dialect
        lacks = dialect.catalog
        if lacks is None:
            return
        for table in list(root.find_all(exp.Table)):
            text = lacks.own_views.get(table.name.casefold())
            is_own = text is not None and table.db.casefold() in {"", PG_CATALOG} and _is_plain(table)
            if text is not None and is_own and table.find_ancestor(exp.Table) is None:
                alias = table.args.get("alias") or exp.TableAlias(this=identifier(table.name))
                query = parse_one(text, read=dialect.sqlglot_name)
                subquery = exp.Subquery(this=query, alias=alias.copy())
                subquery.set("joins", table.args.get("joins"))
                table.replace(subquery)
        replace_missing(root, lacks, dialect.sqlglot_name)

    def _key_of(self, table: exp.Table) -> tuple[str, str] | None:
        """Which view of the catalog a name means; None: none that shows models."""
        if not isinstance(table.this, exp.Identifier):
            return None
        key = (table.db.casefold() or PG_CATALOG, table.name.casefold())
        if key not in MODEL_VIEWS:
            return None
        if not table.db:
            root = table.root()
            is_cte = any(cte.alias.casefold() == key[1] for cte in root.find_all(exp.CTE))
            (relation,) = self._tables.find([(None, None, table.name)])
            if is_cte or (relation is not None and relation.spelled[1] != PG_CATALOG):
                return None
        return key

    def _visible_models(self, now: datetime) -> list[ShownModel]:
        """The models whose names no table of the warehouse has."""
        snapshots = self._models.all(None, now)
        is_there_by_model = self._tables.are_there(
            [(None, snapshot.record.catalog, snapshot.record.name) for snapshot in snapshots]
        )
        is_hidden_by_model = self._tables.are_there([(None, None, snapshot.record.name) for snapshot in snapshots])
        names = [snapshot.record.name.casefold() for snapshot in snapshots]
        numbers: dict[str, int] = {}
        shown = []
        for snapshot, is_there, is_hidden in zip(snapshots, is_there_by_model, is_hidden_by_model, strict=True):
            number = _number(numbers, f"model {snapshot.record.id}")
            schema_number = _number(numbers, f"schema {snapshot.record.catalog}")
            is_visible = not is_hidden and names.count(snapshot.record.name.casefold()) == 1
            if not is_there:
                shown.append(ShownModel(snapshot, number, schema_number, is_visible))
        return shown

    def _view(self, view: exp.Table, key: tuple[str, str], shown: Sequence[ShownModel]) -> exp.Query:
        """All rows of a view, and those of the models."""
        dialect = self._workspace.warehouse.dialect
        own = exp.Select(expressions=[exp.Star()]).from_(
            exp.Table(this=view.this.copy(), db=view.args.get("db"), catalog=view.args.get("catalog")), copy=True
        )
        probe = own.copy().where(exp.false(), copy=False)
        with self._workspace.warehouse.session() as session:
            names, _ = session.fetch_with_names(render(probe, dialect))
        values = {**MODEL_VIEWS[key].columns, **(dialect.catalog.model_values if dialect.catalog is not None else {})}
        types = self._types_of(key)
        rows = list(self._rows(shown, MODEL_VIEWS[key].shown))
        ours = exp.Select().from_(exp.values(rows, alias="models", columns=list(_ROW)), copy=False)
        for column in names:
            text = values.get(column.casefold())
            value = parse_one(text, read=dialect.sqlglot_name) if text is not None else exp.Null()
            kind = types.get(column.casefold())
            if text is not None and kind is not None:
                value = exp.Cast(this=value, to=exp.DataType(this=exp.DType.USERDEFINED, kind=kind))
            ours.select(alias_as(value, column), copy=False)
        if MODEL_VIEWS[key].shown is Shown.SCHEMA:
            ours.where(_is_new_schema(), copy=False)
        return exp.Union(this=own, expression=ours, distinct=False)

    def _types_of(self, key: tuple[str, str]) -> Mapping[str, str]:
        """Types of the view's own columns, to which constants must be cast; empty where no cast is needed."""
        if key[0] == INFORMATION_SCHEMA:
            return {}
        (columns,) = self._tables.find([(None, *key)])
        return {name.casefold(): kind for name, kind in (columns or {}).items()}

    def _rows(self, shown: Sequence[ShownModel], kind: Shown) -> Iterator[tuple[str | int, ...]]:
        if kind is Shown.SCHEMA:
            for schema, number in {model.schema: model.schema_number for model in shown}.items():
                yield (schema, number, "", 0, 0, "", 0, "")
            return
        for model in shown:
            columns = self._read_column_types(model.snapshot)
            row = (model.schema, model.schema_number, model.name, model.number, len(columns))
            if kind is Shown.RELATION:
                yield (*row, "", 0, "")
                continue
            for place, (name, type_name) in enumerate(columns, 1):
                yield (*row, name, place, type_name)

    def _read_column_types(self, snapshot: ModelSnapshot) -> Sequence[tuple[str, str]]:
        """Names and types of a model's columns, asked once for each version of it."""
        key = (snapshot.record.id, snapshot.version)
        if key not in self._types:
            dialect = self._workspace.warehouse.dialect
            probe = SelectPlanner(self._workspace, snapshot, None).columns()
            names = [
                column.alias for column in probe.expressions if len(column.alias.encode()) <= dialect.max_identifier
            ]
            select = exp.Select().from_(
                exp.Subquery(this=exp.select("1"), alias=exp.TableAlias(this=identifier("one")))
            )
            for column in names:
                kind = exp.Anonymous(this=dialect.type_of, expressions=[column_of(column, "model")])
                select.select(exp.cast(kind, "text"), copy=False)
            rows = exp.Subquery(this=probe, alias=exp.TableAlias(this=identifier("model")))
            select.append("joins", exp.Join(this=rows, side="LEFT", on=exp.true()))
            with self._workspace.warehouse.session() as session:
                (kinds,) = session.fetch_all(render(select, dialect)) if names else [()]
            self._types[key] = list(zip(names, kinds, strict=True))
        return self._types[key]


def _is_plain(view: exp.Table) -> bool:
    """Whether all rows of a view are asked, in a way that a subquery in its place answers as well."""
    is_sampled = isinstance(view.parent, exp.TableSample)
    return not is_sampled and not {name for name, value in view.args.items() if value} - _PLAIN


def may_ask_for_models(sql: str) -> bool:
    """Whether a text may ask for something that a `ModelCatalog` adds."""
    text = sql.casefold()
    return any(word in text for word in ("pg_", INFORMATION_SCHEMA, "regclass", "_privilege"))


def _number(numbers: dict[str, int], name: str) -> int:
    """The number of a name. It depends on the name alone, unless two names have the same number.

    Then the next free one is taken.
    """
    if name not in numbers:
        number = _FIRST_NUMBER | (zlib.crc32(name.encode()) & ~_FIRST_NUMBER)
        while number in numbers.values():
            number = _FIRST_NUMBER | (number + 1 & ~_FIRST_NUMBER)
        numbers[name] = number
    return numbers[name]


def _is_new_schema() -> exp.Expr:
    """The condition that the warehouse has no schema of the catalog's name."""
    return parse_one(
        "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace AS n WHERE n.nspname = models.schema)", read="postgres"
    )
