"""Plan a query from its text: resolve its names, plan its SELECTs on models, and leave the rest as it stands."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TypedDict

from sqlglot import UnsupportedError, exp
from sqlglot.dialects.dialect import Dialect as SqlDialect

from airflow_atscale_aggs.engine.errors import (
    DefinitionError,
    NotRegisteredError,
    QueryError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_catalog import ModelCatalog, may_ask_for_models
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.name_meanings import (
    Meanings,
    resolve_models,
    resolve_names,
    written_name,
)
from airflow_atscale_aggs.engine.lifecycle.query.plain_planner import PlainPlan, PlainPlanner, PlainText
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import UNBOUND, QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.star_tables import places_of
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables, key_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.aggregate_calls import AS_DEFINED, keeps_calculation, method_of
from airflow_atscale_aggs.engine.rewriting.parse.deep_nesting import with_room
from airflow_atscale_aggs.engine.rewriting.parse.flattening import rename_ctes
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import Statement, model_statement, parse_with_tables
from airflow_atscale_aggs.engine.rewriting.parse.outer_divisions import translate_outer_divisions
from airflow_atscale_aggs.engine.rewriting.parse.postgres_meaning import translate_around
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.translating import Translator
from airflow_atscale_aggs.engine.sql.long_names import has_long_names, shorten_names
from airflow_atscale_aggs.engine.sql.statements import render_last

DEFAULT_DIALECT = "postgres"


class ExplainOptions(TypedDict, total=False):
    """How a query is asked for, by keyword.

    Attributes:
        model: the model that is meant where the query names none that is deployed.
        dialect: the SQL that the query on a model is written in, by sqlglot's name; `DEFAULT_DIALECT` where it is left
            out.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
    """

    model: str | None
    dialect: str
    max_staleness: timedelta | None


class QueryOptions(ExplainOptions, total=False):
    """The same for a query that is run.

    Attributes:
        use_aggregates: False: from the facts.
    """

    use_aggregates: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A query as it was asked; its options are those of `QueryOptions`.

    Attributes:
        written: the query with its own values, where ``sql`` has marks in their place; empty: as ``sql``.
    """

    sql: str
    model: str | None = None
    dialect: str = DEFAULT_DIALECT
    use_aggregates: bool = True
    max_staleness: timedelta | None = None
    written: str = ""


@dataclass(frozen=True, slots=True)
class _OnModels:
    """A statement on models, with the planner of each of its SELECTs."""

    statement: Statement
    planners: tuple[SelectPlanner, ...]
    meanings: Meanings


@dataclass(frozen=True, slots=True)
class _OnTables:
    """Plain SQL. ``plan`` is None for SQL that is run without being planned."""

    sql: str
    plan: PlainPlan | None
    unread: UnreadableQueryError | None
    meanings: Meanings
    reason: str = ""


class QueryPlanner:
    """Plans the queries of one workspace. For one thread."""

    def __init__(
        self, workspace: Workspace, models: SnapshotCache, tables: WarehouseTables, bounds: QueryBounds = UNBOUND
    ) -> None:
        self._workspace, self._models, self._tables, self._bounds = workspace, models, tables, bounds
        self._catalog = ModelCatalog(workspace, models, tables)

    def plan(self, request: Request, *, now: datetime) -> QueryPlan:
        """The plan, without reasons. Raises as `router.answer` does."""
        return with_room(lambda: self._plan(request, now), request.sql)

    def _plan(self, request: Request, now: datetime) -> QueryPlan:
        resolved = self._resolve_names(request, now)
        if isinstance(resolved, _OnTables):
            return self._on_tables(resolved)
        return self._on_models(resolved, use_aggregates=request.use_aggregates)

    def explain(self, request: Request, *, estimate: bool, now: datetime) -> QueryPlan:
        """The plan with the other candidates. Raises as `router.explain` does."""
        check_characters(request.sql)
        return with_room(lambda: self._explain(request, now, estimate=estimate), request.sql)

    def _explain(self, request: Request, now: datetime, *, estimate: bool) -> QueryPlan:
        resolved = self._resolve_names(request, now)
        if isinstance(resolved, _OnTables):
            candidates = resolved.plan.candidates(estimate=estimate) if resolved.plan is not None else []
            return replace(self._on_tables(resolved), candidates=tuple(candidates))
        plan = self._on_models(resolved, use_aggregates=True)
        candidates = [candidate for planner in resolved.planners for candidate in planner.candidates(estimate=estimate)]
        return replace(plan, candidates=tuple(candidates))

    def _on_models(self, resolved: _OnModels, *, use_aggregates: bool) -> QueryPlan:
        statement, planners = resolved.statement, resolved.planners
        translator = translator_of(statement.dialect, self._workspace.warehouse.dialect)
        divides = translator is None and "/" in statement.sql

        def compose_select(number: int, select: exp.Select) -> exp.Query:
            if divides:
                translate_outer_divisions(select, statement.dialect, self._workspace.warehouse.dialect, besides=select)
            return planners[number].plan(statement, select, use_aggregates=use_aggregates)

        sql, full_names = self._render(statement, compose_select, divides=divides, translator=translator)
        keys, metrics, predicates = _names([planner.query for planner in planners if planner.query is not None])
        return QueryPlan(
            sql=sql,
            sources=tuple(source for planner in planners for source in planner.sources),
            # No SELECT on a model is left where a CTE on one is never used.
            model_id=planners[0].model_id if planners else "",
            asked=statement,
            keys=keys,
            metrics=metrics,
            predicates=predicates,
            meant=resolved.meanings.notes,
            snapshots=tuple(planner.snapshot for planner in planners),
            looked_up=resolved.meanings.looked_up,
            full_names=full_names,
        )

    def _on_tables(self, resolved: _OnTables) -> QueryPlan:
        """The plan of plain SQL: it is run as it stands, unless a part of it is answered from an aggregate."""
        plain = resolved.plan
        if plain is None:
            reason = resolved.unread.reason if resolved.unread is not None else resolved.reason
            statement = Statement(resolved.sql, "", exp.Select(), (), ())
            return QueryPlan(
                sql=resolved.sql,
                sources=(),
                model_id="",
                asked=statement,
                untouched=(f"{reason}.",),
                meant=resolved.meanings.notes,
                unread=resolved.unread,
            )
        keys, metrics, predicates = _names(plain.queries)
        composed = plain.composed
        is_rendered = bool(composed) or self._bounds.is_guarded
        return QueryPlan(
            sql=self._render(plain.statement, lambda number, _: composed[number])[0] if is_rendered else resolved.sql,
            sources=tuple(plain.sources),
            model_id=plain.planners[0].model_id if plain.planners else "",
            asked=plain.statement,
            keys=keys,
            metrics=metrics,
            predicates=predicates,
            untouched=tuple(plain.untouched),
            meant=resolved.meanings.notes,
            snapshots=plain.snapshots,
            looked_up=resolved.meanings.looked_up,
        )

    def _resolve_names(self, request: Request, now: datetime) -> _OnTables | _OnModels:
        """Resolve the names in the query. What they mean decides whether it is planned on models or on tables."""
        self._models.look(now)
        self._tables.forget_old(now)
        unreadable, root, named = self._parse(request.sql, request.dialect)
        self._bounds.check_names(named, request.dialect)
        if not self._bounds.reads_tables and not self._are_stars(named, now):
            meanings = self._resolve_models(request, unreadable, named)
        else:
            meanings = resolve_names(named, self._models, self._tables)
        if not meanings.models:
            planner = PlainPlanner(self._workspace, self._tables, self._bounds)
            plain = planner.read(request.sql)
            if plain is not None:
                return self._read_plain(request, planner, plain, meanings, now)
            if root is None or not named:
                reason = "it is no query of the warehouse, and it names no model"
                raise unreadable or UnreadableQueryError(request.sql, reason)
            meanings = self._use_default_model(named, request.model, meanings)
        assert root is not None  # noqa: S101 - names were found in it
        return self._read_models(request, root, named, meanings, now)

    def _are_stars(self, named: Sequence[exp.Table], now: datetime) -> bool:
        """Whether tables alone are named, and all of them may be read. A name that a model has means the model."""
        are_stars = bool(named) and all(
            self._bounds.may_read(table) and not self._models.named_like(table, self._tables.here) for table in named
        )
        if not are_stars:
            return False
        # A model may have become secured since its tables were shown.
        names = {table.name.casefold() for table in named}
        return not any(
            place[2].casefold() in names
            for snapshot in self._models.all(None, now)
            if snapshot.model.is_secured
            for place in places_of(snapshot)
        )

    def _resolve_models(
        self, request: Request, unreadable: UnreadableQueryError | None, named: Sequence[exp.Table]
    ) -> Meanings:
        """What names mean to somebody who may ask models only.

        Raises:
            OutOfReachError: a name means no model.
        """
        if unreadable is not None:
            raise unreadable
        strange = [table for table in named if not self._models.named_like(table, self._tables.here)]
        if request.model is not None and named and len(strange) == len(named):
            return self._use_default_model(named, request.model, Meanings())
        self._bounds.require_model(named, request.sql)
        self._bounds.check_tables(map(written_name, strange))
        return resolve_models(named, self._models, self._tables.here)

    def _read_models(
        self, request: Request, root: exp.Query, named: Sequence[exp.Table], meanings: Meanings, now: datetime
    ) -> _OnModels:
        """A query on models; it is used up."""
        for _, record in meanings.models:
            self._bounds.check_model(record)
        self._bounds.check(request.sql, root, request.dialect)
        snapshots = list({id(record): self._models.of(record, now) for _, record in meanings.models}.values())
        numbers = {snapshot.record.id: number for number, snapshot in enumerate(snapshots)}
        models = [(table, numbers[record.id]) for table, record in meanings.models]
        self._note_columns(table for table in named if id(table) not in {id(table) for table, _ in meanings.models})
        rename_ctes(root, {name for snapshot in snapshots for name in _names_inside(snapshot)})
        keeps_metric = functools.partial(_is_kept, snapshots)
        statement = model_statement(request.sql, root, dialect=request.dialect, models=models, is_kept=keeps_metric)
        since = now - request.max_staleness if request.max_staleness is not None else None
        planners = tuple(
            SelectPlanner(self._workspace, snapshots[number], since, self._bounds.reader) for number in statement.models
        )
        return _OnModels(statement, planners, meanings)

    def _read_plain(
        self, request: Request, planner: PlainPlanner, plain: PlainText, meanings: Meanings, now: datetime
    ) -> _OnTables:
        if plain.root is None:
            return _OnTables(request.sql, None, plain.unread, meanings)
        sql = self._with_models(request.sql, plain.root, now)
        if sql is not None:
            return _OnTables(sql, None, None, meanings, "it asks for the catalog, which shows models as views")
        since = now - request.max_staleness if request.max_staleness is not None else None
        plan = planner.plan(
            request.sql,
            plain.root,
            self._models.all(request.model, now),
            since=since,
            written=request.written or request.sql,
            use_aggregates=request.use_aggregates,
        )
        return _OnTables(request.sql, plan, None, meanings)

    def _with_models(self, sql: str, root: exp.Query, now: datetime) -> str | None:
        """A query on the catalog, which shows models as well; None: it is none, or it cannot be said exactly."""
        shows = root.copy() if may_ask_for_models(sql) else None
        if shows is None or not self._catalog.add_models(shows, now):
            return None
        try:
            text = render_last(shows, self._workspace.warehouse.dialect)
        except UnsupportedError:
            return None
        # The parser may take an operator for a function that only some warehouses mean by it.
        is_said = "~" in text or "REGEXP_MATCHES(" in text
        return text if "~" not in sql or is_said else None

    def _note_columns(self, tables: Iterable[exp.Table]) -> None:
        """Note the columns of tables that stand beside models: names without a table are looked up among them."""
        beside = list(tables)
        for table, columns in zip(beside, self._tables.find([key_of(table) for table in beside]), strict=True):
            if columns is not None:
                table.meta[COLUMNS] = {**{name.casefold(): kind for name, kind in columns.items()}, **columns}

    def _use_default_model(self, named: Sequence[exp.Table], model: str | None, meanings: Meanings) -> Meanings:
        """Take the default model where none of the names exists.

        Raises:
            NotRegisteredError: there is no default, or no such model.
        """
        if model is None:
            name = written_name(named[0])
            raise NotRegisteredError("model, and the warehouse no table,", name, self._models.near(named[0]))
        record = self._models.default(model)
        return replace(meanings, models=tuple((table, record) for table in named))

    @staticmethod
    def _parse(sql: str, dialect: str) -> tuple[UnreadableQueryError | None, exp.Query | None, list[exp.Table]]:
        """The query and its tables, or why it is none in this dialect; plain SQL may be one in the warehouse's."""
        try:
            return None, *parse_with_tables(sql, dialect=_checked_dialect(sql, dialect))
        except UnreadableQueryError as error:
            return error, None, []

    def _render(
        self,
        statement: Statement,
        composed: Callable[[int, exp.Select], exp.Query],
        *,
        divides: bool = False,
        translator: Translator | None = None,
    ) -> tuple[str, dict[str, str]]:
        """The SQL for the warehouse, and the full names of those that it has cut.

        Args:
            translator: gives what stands around the SELECTs on models its meaning.
        """
        dialect = self._workspace.warehouse.dialect
        try:
            query = statement.replace_selects(composed)
            if divides:
                translate_outer_divisions(query, statement.dialect, dialect)
            if translator is not None and not statement.is_plain:
                translate_around(query, translator)
            is_long = has_long_names(statement.sql, dialect.max_identifier)
            full_names = shorten_names(query, dialect.max_identifier) if is_long else {}
            return render_last(query, dialect), full_names
        except UnsupportedError as error:
            reason = f"it cannot be said in {self._workspace.warehouse.dialect.name}: {error}"
            raise UnsupportedQueryError(statement.sql, reason) from error


def _is_kept(snapshots: Sequence[ModelSnapshot], number: int, name: str, around: exp.Expr) -> bool | None:
    """Whether an aggregate function around a column means the metric as it is defined; None: it is no metric."""
    names = snapshots[number].names
    try:
        meaning = names.find(name) if names.has(name) else None
    except QueryError:
        return False
    if meaning is None or isinstance(meaning, GrainAttribute):
        return None
    is_distinct = isinstance(around.this, exp.Distinct)
    if not isinstance(around, exp.AggFunc):
        return False
    if isinstance(meaning, Metric):
        return method_of(around, meaning, is_distinct=is_distinct) == AS_DEFINED
    # Tools put SUM around any number. Other functions mean something else: the greatest of several ratios is not the
    # ratio of all.
    return isinstance(around, exp.Sum) and keeps_calculation(around, is_distinct=is_distinct)


def _names_inside(snapshot: ModelSnapshot) -> Iterator[str]:
    """Names without a schema that SQL on a model's tables uses: a CTE of one of them would hide the table."""
    yield from snapshot.model.datasets
    for dataset in snapshot.model.datasets:
        with contextlib.suppress(DefinitionError):
            place = snapshot.sources[dataset].place
            if place is not None:
                yield place[2]


def _names(queries: Sequence[ModelQuery]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What the queries group by, measure and filter by."""
    return (
        tuple(dict.fromkeys(name for query in queries for name in query.key_names)),
        tuple(dict.fromkeys(metric for query in queries for metric in query.metrics)),
        tuple(dict.fromkeys(name for query in queries for name in query.predicate_names)),
    )


def _checked_dialect(sql: str, dialect: str) -> str:
    """The dialect's name, when there is one of that name."""
    try:
        _check_dialect(dialect)
    except ValueError as error:
        raise UnreadableQueryError(sql, f"there is no SQL dialect `{dialect}`: {error}") from error
    return dialect


@cache
def _check_dialect(name: str) -> None:
    SqlDialect.get_or_raise(name)


def check_characters(sql: str) -> None:
    """Refuse lone surrogates: bytes of a command line that are no UTF-8 become such characters.

    No warehouse takes them.

    Raises:
        UnreadableQueryError: there is one.
    """
    if sql.isascii():
        return
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        shown = sql.encode(errors="replace").decode()
        raise UnreadableQueryError(shown, "it holds bytes that are no UTF-8 text") from error
