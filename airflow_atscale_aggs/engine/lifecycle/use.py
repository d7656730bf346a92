"""Used: queries on a model are answered from its aggregates, or from the facts when none can be proven to serve.

Source: AtScale, "Life Cycle of Aggregate Tables": the engine directs queries to an aggregate table that satisfies them.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from types import TracebackType
from typing import Any, Self

from sqlglot import UnsupportedError, exp
from sqlglot.dialects.dialect import Dialect as SqlDialect

from airflow_atscale_aggs.engine.errors import (
    PermanentWarehouseError,
    QueryError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.history import QueryHistory
from airflow_atscale_aggs.engine.lifecycle.knowledge import ModelKnowledge
from airflow_atscale_aggs.engine.lifecycle.known_models import KnownModels
from airflow_atscale_aggs.engine.lifecycle.plain_planner import PlainPlan, PlainPlanner, PlainTables
from airflow_atscale_aggs.engine.lifecycle.select_planner import PartSource, SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QueryRecord, QuerySource
from airflow_atscale_aggs.engine.rewriting.divisions import check_divisions_around
from airflow_atscale_aggs.engine.rewriting.matching import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.shapes import (
    SHAPED_DIALECT,
    Shape,
    SqlTemplate,
    shape_of,
    template_of,
    without_marks,
)
from airflow_atscale_aggs.engine.rewriting.statements import (
    Statement,
    model_statement,
    parse_with_tables,
)
from airflow_atscale_aggs.engine.sql.statements import render_last

DEFAULT_DIALECT = "postgres"
MOST_PLANS = 1000
"""Plans that a router keeps, by query shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """How a query would be answered now.

    Attributes:
        sql: for the warehouse, in its dialect.
        sources: one per part.
        model_id: of the first model that it asks.
        asked: the query, as it was parsed.
        keys, metrics, predicates: names of what it groups by, measures and filters by.
        candidates: by part: the other aggregates with the reason against each, nearest first.
        untouched: of plain SQL on tables: why its SELECTs, or some of them, are run as they stand.
    """

    sql: str
    sources: tuple[PartSource, ...]
    model_id: str
    asked: Statement
    keys: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    candidates: tuple[tuple[Candidate, ...], ...] = ()
    untouched: tuple[str, ...] = ()

    def verdict(self, number: int) -> str:
        """Why a part is answered from where it is, in one sentence; needs ``candidates``."""
        source = self.sources[number]
        if source.aggregate is not None:
            return f"`{source.aggregate}` answers, with {source.rows:,} rows, instead of `{source.fact}`."
        facts, nearest = source.facts, next(iter(self.candidates[number]), None)
        if facts is not None and nearest is not None and nearest.miss is Miss.FACTS_CHEAPER:
            return (
                f"The facts `{source.fact}` answer: the index on `{facts.index}` leads to about {facts.cost:,} of "
                f"{facts.rows:,} rows, fewer than the {nearest.rows:,} of `{nearest.aggregate}`."
            )
        misses = {one.miss for one in self.candidates[number]}
        if not misses:
            return f"The facts `{source.fact}` answer: no aggregate is defined for them."
        if misses <= {Miss.NOT_BUILT}:
            return f"The facts `{source.fact}` answer: aggregates are defined for them, but not built."
        return f"The facts `{source.fact}` answer: aggregates are built, but none of them matches."

    @property
    def uses_aggregates(self) -> bool:
        """True when at least one part is answered from an aggregate."""
        return any(source.aggregate is not None for source in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rows, and where they really came from.

    Attributes:
        plan: what was run in the end.
        planned: the sources that were meant; other than ``plan.sources`` after a fallback.
        fallback_reason: why the aggregate that was meant could not be read; empty when all went as planned.
        log_loss: what the log of queries lacks because the registry could not be written; empty when it lacks nothing.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    plan: QueryPlan
    planned: tuple[PartSource, ...]
    fallback_reason: str = ""
    log_loss: str = ""


def answer(
    workspace: Workspace,
    sql: str,
    *,
    model: str | None = None,
    dialect: str = DEFAULT_DIALECT,
    use_aggregates: bool = True,
    max_staleness: timedelta | None = None,
    user: str = "",
) -> Answer:
    """Run a query on a model, or plain SQL on the warehouse's tables.

    Args:
        sql: one query whose FROM names deployed models: ``SELECT … FROM catalog.model …``; or one on tables, in the
            warehouse's own SQL: run as it stands, its SELECTs on aggregates where that is proven to be the same.
        model: the model that is meant where the query names none that is deployed.
        dialect: the SQL that the query on a model is written in, by sqlglot's name.
        use_aggregates: False: from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
        user: who asks, for the log.

    Raises:
        QueryError: the query cannot be answered as asked; says which clause.
        NotRegisteredError: no such model.
        WarehouseError: the warehouse refused.
    """
    with QueryRouter(workspace, user=user) as router:
        found = router.answer(
            sql, model=model, dialect=dialect, use_aggregates=use_aggregates, max_staleness=max_staleness
        )
    return replace(found, log_loss=router.log_loss)


def explain(
    workspace: Workspace,
    sql: str,
    *,
    model: str | None = None,
    dialect: str = DEFAULT_DIALECT,
    max_staleness: timedelta | None = None,
    estimate: bool = True,
) -> QueryPlan:
    """How a query would be answered, and why no other aggregate would answer it. Does not run it.

    Args:
        estimate: sketch in the warehouse how many rows the smallest change of the nearest aggregate would add, by one
            scan of the fact.

    Raises as `answer` does.
    """
    router = QueryRouter(workspace)
    return router.explain(sql, model=model, dialect=dialect, max_staleness=max_staleness, estimate=estimate)


@dataclass(frozen=True, slots=True)
class _CachedPlan:
    """A plan of a query shape, with what it was made from."""

    records: Sequence[ModelRecord]
    plan: QueryPlan
    template: SqlTemplate
    known: tuple[ModelKnowledge, ...]


_Options = tuple[str | None, str, bool]
"""Default model, dialect, whether aggregates may be used."""


class QueryRouter:
    """Answers many queries of one workspace; keeps what it knows of models between them. For one thread.

    Args:
        user: who asks, for the log.
    """

    def __init__(self, workspace: Workspace, *, user: str = "", clock: Callable[[], datetime] = utc_now) -> None:
        self._workspace, self._user, self._clock = workspace, user, clock
        self._history = QueryHistory(workspace.registry)
        self._models = KnownModels(workspace)
        self._plans: OrderedDict[tuple[object, ...], _CachedPlan] = OrderedDict()
        self._tables = PlainTables(workspace)

    def answer(
        self,
        sql: str,
        *,
        model: str | None = None,
        dialect: str = DEFAULT_DIALECT,
        use_aggregates: bool = True,
        max_staleness: timedelta | None = None,
    ) -> Answer:
        """See `answer`."""
        plan = self.plan(sql, model=model, dialect=dialect, use_aggregates=use_aggregates, max_staleness=max_staleness)
        begun = time.perf_counter()
        try:
            columns, rows = self._fetch(plan.sql)
            found = Answer(columns=columns, rows=rows, plan=plan, planned=plan.sources)
        except PermanentWarehouseError as error:
            if not plan.uses_aggregates:
                raise
            from_facts = self.plan(sql, model=model, dialect=dialect, use_aggregates=False)
            columns, rows = self._fetch(from_facts.sql)
            reason = error.reason
            found = Answer(columns=columns, rows=rows, plan=from_facts, planned=plan.sources, fallback_reason=reason)
        self._remember(found, time.perf_counter() - begun)
        return found

    def close(self) -> None:
        """Write what the log has not got yet. The workspace stays open."""
        self._history.close(self._workspace.settings, now=self._clock())

    @property
    def log_loss(self) -> str:
        """What the log of queries lacks, in one sentence; empty when nothing was lost."""
        return self._history.log_loss

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remember(self, found: Answer, seconds: float) -> None:
        plan, now = found.plan, self._clock()
        if not plan.model_id:
            # Plain SQL that has nothing to do with a model.
            return
        settings = self._models.settings_of(plan.model_id)
        if not settings.history:
            return
        record = QueryRecord(
            model_id=plan.model_id,
            fingerprint=hashlib.sha256(f"{plan.model_id}\x00{plan.asked.shape}".encode()).hexdigest()[:32],
            asked_at=now,
            shape=plan.asked.sql if settings.history_literals else plan.asked.shape,
            keys=plan.keys,
            metrics=plan.metrics,
            predicates=plan.predicates,
            planned=_remembered(found.planned),
            actual=_remembered(plan.sources),
            rows=len(found.rows),
            seconds=seconds,
            fallback_reason=found.fallback_reason,
            user=self._user,
        )
        self._history.add(record)
        if self._history.is_due(now):
            self._history.write(settings, now=now)

    def plan(
        self,
        sql: str,
        *,
        model: str | None = None,
        dialect: str = DEFAULT_DIALECT,
        use_aggregates: bool = True,
        max_staleness: timedelta | None = None,
    ) -> QueryPlan:
        """What `answer` would run, without reasons."""
        options = (model, dialect, use_aggregates)
        shape = shape_of(sql) if dialect == SHAPED_DIALECT and max_staleness is None else None
        if shape is None:
            return self._new_plan(sql, options, max_staleness, sql)[0]
        key = (shape.key, *options)
        cached = self._plans.get(key)
        if cached is not None and self._holds(cached):
            self._plans.move_to_end(key)
            return _filled(cached.plan, cached.template, shape)
        try:
            plan, known = self._new_plan(shape.marked, options, None, sql)
        except QueryError:
            # The sentence must quote what was written.
            return self._new_plan(sql, options, None, sql)[0]
        template = template_of(plan.sql, shape)
        if template is None or not known or self._models.settings_of(plan.model_id).history_literals:
            return self._new_plan(sql, options, None, sql)[0]
        self._plans[key] = _CachedPlan(self._models.records, plan, template, known)
        if len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return _filled(plan, template, shape)

    def forget_plans(self) -> None:
        """Plan every query anew."""
        self._plans.clear()

    def _holds(self, cached: _CachedPlan) -> bool:
        """Whether what a plan was made from is still true."""
        now = self._clock()
        self._models.look(now)
        return cached.records is self._models.records and all(
            self._models.is_true(known, now) and not self._models.settings_of(known.record.id).history_literals
            for known in cached.known
        )

    def _new_plan(
        self, sql: str, options: _Options, max_staleness: timedelta | None, written: str
    ) -> tuple[QueryPlan, tuple[ModelKnowledge, ...]]:
        """A plan and what it was made from.

        Args:
            written: the query with its own values, where ``sql`` has marks in their place.
        """
        asked = self._read(sql, options, max_staleness, written)
        if isinstance(asked, PlainPlan):
            return self._plain_plan(sql, asked), asked.known
        statement, planners = asked
        plan = self._plan(statement, planners, use_aggregates=options[2])
        return plan, tuple(planner.known for planner in planners)

    def explain(
        self,
        sql: str,
        *,
        model: str | None = None,
        dialect: str = DEFAULT_DIALECT,
        max_staleness: timedelta | None = None,
        estimate: bool = True,
    ) -> QueryPlan:
        """See `explain`."""
        asked = self._read(sql, (model, dialect, True), max_staleness, sql)
        if isinstance(asked, PlainPlan):
            return replace(self._plain_plan(sql, asked), candidates=tuple(asked.candidates(estimate=estimate)))
        statement, planners = asked
        plan = self._plan(statement, planners, use_aggregates=True)
        candidates = [found for planner in planners for found in planner.candidates(estimate=estimate)]
        return replace(plan, candidates=tuple(candidates))

    def _plan(self, statement: Statement, planners: Sequence[SelectPlanner], *, use_aggregates: bool) -> QueryPlan:
        sql = self._rendered(
            statement,
            lambda number, select: planners[number].plan(statement, select, use_aggregates=use_aggregates),
        )
        keys, metrics, predicates = _names([planner.query for planner in planners if planner.query is not None])
        return QueryPlan(
            sql=sql,
            sources=tuple(source for planner in planners for source in planner.sources),
            model_id=planners[0].model_id,
            asked=statement,
            keys=keys,
            metrics=metrics,
            predicates=predicates,
        )

    def _plain_plan(self, sql: str, plain: PlainPlan) -> QueryPlan:
        """As it stands, unless a part of it is answered from an aggregate."""
        keys, metrics, predicates = _names(plain.queries)
        return QueryPlan(
            sql=self._rendered(plain.statement, lambda number, _: plain.composed[number]) if plain.composed else sql,
            sources=tuple(plain.sources),
            model_id=plain.planners[0].model_id if plain.planners else "",
            asked=plain.statement,
            keys=keys,
            metrics=metrics,
            predicates=predicates,
            untouched=tuple(plain.untouched),
        )

    def _read(
        self, sql: str, options: _Options, max_staleness: timedelta | None, written: str
    ) -> PlainPlan | tuple[Statement, list[SelectPlanner]]:
        """The plan of plain SQL on tables, or a statement on models with the planners of its SELECTs."""
        model, dialect, use_aggregates = options
        now = self._clock()
        self._models.look(now)
        self._tables.forget_old(now)
        since = now - max_staleness if max_staleness is not None else None
        unreadable, root, named = self._parsed(sql, dialect)
        if not self._models.are_named_by(named):
            plain = PlainPlanner(self._workspace, self._tables)
            on_tables = plain.read(sql)
            known = self._models.all(model, now) if on_tables is not None else []
            if on_tables is not None and (model is None or plain.is_on_tables_of(on_tables, known[0])):
                return plain.plan(sql, on_tables, known, since=since, written=written, use_aggregates=use_aggregates)
        if root is None:
            raise unreadable or UnreadableQueryError(sql, "it is no query")
        statement = model_statement(sql, root, dialect=dialect, named=named)
        if "/" in sql:
            check_divisions_around(statement.root, statement.selects, dialect, self._workspace.warehouse.dialect)
        asked = [self._models.named(one, model, now) for one in statement.tables]
        return statement, [SelectPlanner(self._workspace, one, since) for one in asked]

    @staticmethod
    def _parsed(sql: str, dialect: str) -> tuple[UnreadableQueryError | None, exp.Query | None, list[exp.Table]]:
        """The query and its tables, or why it is none in this dialect; plain SQL may be one in the warehouse's."""
        try:
            return None, *parse_with_tables(sql, dialect=_known_dialect(sql, dialect))
        except UnreadableQueryError as error:
            return error, None, []

    def _rendered(self, statement: Statement, composed: Callable[[int, exp.Select], exp.Query]) -> str:
        try:
            return render_last(statement.answered_by(composed), self._workspace.warehouse.dialect)
        except UnsupportedError as error:
            reason = f"it cannot be said in {self._workspace.warehouse.dialect.name}: {error}"
            raise UnsupportedQueryError(statement.sql, reason) from error

    def _fetch(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        with self._workspace.warehouse.session() as session:
            return session.fetch_named(sql)


def _filled(plan: QueryPlan, template: SqlTemplate, shape: Shape) -> QueryPlan:
    """The plan of a shape for the values of one query."""
    if not shape.values:
        return plan
    untouched = tuple(without_marks(reason, shape.values) for reason in plan.untouched)
    return replace(plan, sql=template.filled(shape.values), untouched=untouched)


def _names(queries: Sequence[ModelQuery]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What the queries group by, measure and filter by."""
    return (
        tuple(dict.fromkeys(name for query in queries for name in query.key_names)),
        tuple(dict.fromkeys(name for query in queries for name in query.metrics)),
        tuple(dict.fromkeys(name for query in queries for name in query.predicate_names)),
    )


def _remembered(sources: Iterable[PartSource]) -> tuple[QuerySource, ...]:
    return tuple(
        QuerySource(
            fact=one.fact,
            aggregate=one.aggregate or "",
            definition_id=one.definition_id or "",
            rows=one.rows,
            fact_rows=one.facts.rows if one.facts is not None else None,
            fact_cost=one.facts.cost if one.facts is not None else None,
        )
        for one in sources
    )


def _known_dialect(sql: str, dialect: str) -> str:
    """The dialect's name, when there is one of that name."""
    try:
        _check_dialect(dialect)
    except ValueError as error:
        raise UnreadableQueryError(sql, f"there is no SQL dialect `{dialect}`: {error}") from error
    return dialect


@cache
def _check_dialect(name: str) -> None:
    SqlDialect.get_or_raise(name)
