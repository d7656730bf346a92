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
from types import TracebackType
from typing import Any, Self

from sqlglot import UnsupportedError, exp
from sqlglot.dialects.dialect import Dialect as SqlDialect

from airflow_atscale_aggs.engine.errors import (
    NotRegisteredError,
    PermanentWarehouseError,
    QueryError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.history import QueryHistory
from airflow_atscale_aggs.engine.lifecycle.knowledge import ModelKnowledge, know_model
from airflow_atscale_aggs.engine.lifecycle.select_planner import PartSource, SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QueryRecord, QuerySource
from airflow_atscale_aggs.engine.rewriting.matching import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.shapes import SHAPED_DIALECT, SqlTemplate, shape_of, template_of
from airflow_atscale_aggs.engine.rewriting.statements import ModelTable, Statement, read_statement
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.statements import render

DEFAULT_DIALECT = "postgres"
LOOK_EVERY = timedelta(seconds=1)
"""How long a router takes the registry to be as it was."""

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
    """

    sql: str
    sources: tuple[PartSource, ...]
    model_id: str
    asked: Statement
    keys: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    candidates: tuple[tuple[Candidate, ...], ...] = ()

    def verdict(self, number: int) -> str:
        """Why a part is answered from where it is, in one sentence; needs ``candidates``."""
        source = self.sources[number]
        if source.aggregate is not None:
            return f"`{source.aggregate}` answers, with {source.rows:,} rows, instead of `{source.fact}`."
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
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    plan: QueryPlan
    planned: tuple[PartSource, ...]
    fallback_reason: str = ""


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
    """Run a query on a model.

    Args:
        sql: one query whose FROM names deployed models: ``SELECT … FROM catalog.model …``.
        model: the model that is meant where the query names none that is deployed.
        dialect: the SQL that the query is written in, by sqlglot's name.
        use_aggregates: False: from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
        user: who asks, for the log.

    Raises:
        QueryError: the query cannot be answered as asked; says which clause.
        NotRegisteredError: no such model.
        WarehouseError: the warehouse refused.
    """
    with QueryRouter(workspace, user=user) as router:
        return router.answer(
            sql, model=model, dialect=dialect, use_aggregates=use_aggregates, max_staleness=max_staleness
        )


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

    plan: QueryPlan
    template: SqlTemplate
    known: tuple[ModelKnowledge, ...]


class QueryRouter:
    """Answers many queries of one workspace; keeps what it knows of models between them. For one thread.

    Args:
        user: who asks, for the log.
    """

    def __init__(self, workspace: Workspace, *, user: str = "", clock: Callable[[], datetime] = utc_now) -> None:
        self._workspace, self._user, self._clock = workspace, user, clock
        self._history = QueryHistory(workspace.registry)
        self._known: dict[str, ModelKnowledge] = {}
        self._records: Sequence[ModelRecord] = ()
        self._versions: dict[str, int] = {}
        self._settings: dict[str, Settings] = {}
        self._looked_at: datetime | None = None
        self._plans: OrderedDict[tuple[object, ...], _CachedPlan] = OrderedDict()

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
        self._history.write(self._workspace.settings, now=self._clock())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remember(self, found: Answer, seconds: float) -> None:
        plan, now = found.plan, self._clock()
        settings = self._settings_of(plan.model_id)
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
            return self._new_plan(sql, options, max_staleness)[0]
        key = (shape.key, *options)
        cached = self._plans.get(key)
        if cached is not None and self._holds(cached):
            self._plans.move_to_end(key)
            return replace(cached.plan, sql=cached.template.filled(shape.values))
        try:
            plan, known = self._new_plan(shape.marked, options, None)
        except QueryError:
            # The sentence must quote what was written.
            return self._new_plan(sql, options, None)[0]
        template = template_of(plan.sql, shape)
        if template is None or self._settings_of(plan.model_id).history_literals:
            return self._new_plan(sql, options, None)[0]
        self._plans[key] = _CachedPlan(plan, template, known)
        if len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return replace(plan, sql=template.filled(shape.values))

    def forget_plans(self) -> None:
        """Plan every query anew."""
        self._plans.clear()

    def _holds(self, cached: _CachedPlan) -> bool:
        """Whether what a plan was made from is still true."""
        now = self._clock()
        self._look(now)
        return all(
            self._known.get(known.record.id) is known
            and self._is_true(known, now)
            and not self._settings_of(known.record.id).history_literals
            for known in cached.known
        )

    def _new_plan(
        self, sql: str, options: tuple[str | None, str, bool], max_staleness: timedelta | None
    ) -> tuple[QueryPlan, tuple[ModelKnowledge, ...]]:
        model, dialect, use_aggregates = options
        statement, planners = self._planners(sql, model, dialect, max_staleness)
        composed = [
            planner.plan(statement, select, use_aggregates=use_aggregates)
            for planner, select in zip(planners, statement.selects, strict=True)
        ]
        return self._plan(statement, planners, composed), tuple(planner.known for planner in planners)

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
        statement, planners = self._planners(sql, model, dialect, max_staleness)
        composed = [
            planner.plan(statement, select, use_aggregates=True)
            for planner, select in zip(planners, statement.selects, strict=True)
        ]
        candidates = [found for planner in planners for found in planner.candidates(estimate=estimate)]
        return replace(self._plan(statement, planners, composed), candidates=tuple(candidates))

    def _plan(
        self, statement: Statement, planners: Sequence[SelectPlanner], composed: Sequence[exp.Query]
    ) -> QueryPlan:
        queries = [planner.query for planner in planners if planner.query is not None]
        model_id = planners[0].model_id
        return QueryPlan(
            sql=self._rendered(statement, composed),
            sources=tuple(source for planner in planners for source in planner.sources),
            model_id=model_id,
            asked=statement,
            keys=tuple(dict.fromkeys(name for query in queries for name in query.key_names)),
            metrics=tuple(dict.fromkeys(name for query in queries for name in query.metrics)),
            predicates=tuple(dict.fromkeys(name for query in queries for name in query.predicate_names)),
        )

    def _planners(
        self, sql: str, model: str | None, dialect: str, max_staleness: timedelta | None
    ) -> tuple[Statement, list[SelectPlanner]]:
        statement = read_statement(sql, dialect=_known_dialect(sql, dialect))
        now = self._clock()
        since = now - max_staleness if max_staleness is not None else None
        known = [self._knowledge(named, model, now) for named in statement.tables]
        return statement, [SelectPlanner(self._workspace, one, since) for one in known]

    def _rendered(self, statement: Statement, composed: Sequence[exp.Query]) -> str:
        try:
            return render(statement.answered_by(composed), self._workspace.warehouse.dialect)
        except UnsupportedError as error:
            reason = f"it cannot be said in {self._workspace.warehouse.dialect.name}: {error}"
            raise UnsupportedQueryError(statement.sql, reason) from error

    def _fetch(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        with self._workspace.warehouse.session() as session:
            return session.fetch_named(sql)

    def _knowledge(self, named: ModelTable, default: str | None, now: datetime) -> ModelKnowledge:
        """What is known of a model, while it is true: until the registry changes, or proofs have become old."""
        self._look(now)
        record = _model_of(self._workspace, self._records, named, default)
        known = self._known.get(record.id)
        if known is not None and self._is_true(known, now):
            return known
        self._known[record.id] = made = know_model(self._workspace, record, now=now)
        return made

    def _is_true(self, known: ModelKnowledge, now: datetime) -> bool:
        key = known.record.id
        if key not in self._versions:
            self._versions[key] = self._workspace.registry.version(key)
        longest = timedelta(seconds=self._settings_of(key).proof_seconds)
        return known.version == self._versions[key] and now - known.known_at <= longest

    def _look(self, now: datetime) -> None:
        """Ask the registry again, once a second at most: old tables stay much longer after they are superseded."""
        if self._looked_at is None or not timedelta(0) <= now - self._looked_at < LOOK_EVERY:
            self._records = self._workspace.registry.models()
            self._versions.clear()
            self._settings.clear()
            self._looked_at = now

    def _settings_of(self, model_id: str) -> Settings:
        if model_id not in self._settings:
            self._settings[model_id] = self._workspace.settings_of(model_id)
        return self._settings[model_id]


def _remembered(sources: Iterable[PartSource]) -> tuple[QuerySource, ...]:
    return tuple(
        QuerySource(fact=one.fact, aggregate=one.aggregate or "", definition_id=one.definition_id or "")
        for one in sources
    )


def _known_dialect(sql: str, dialect: str) -> str:
    try:
        SqlDialect.get_or_raise(dialect)
    except ValueError as error:
        raise UnreadableQueryError(sql, f"there is no SQL dialect `{dialect}`: {error}") from error
    return dialect


def _model_of(
    workspace: Workspace, records: Sequence[ModelRecord], named: ModelTable, default: str | None
) -> ModelRecord:
    """The deployed model that FROM names, exactly or without case; else the default."""
    for fold in (str, str.casefold):
        found = [
            one
            for one in records
            if fold(one.name) == fold(named.name) and (not named.catalog or fold(one.catalog) == fold(named.catalog))
        ]
        if len(found) == 1:
            return found[0]
    if default is not None and not found:
        return workspace.registry.model(default)
    name = f"{named.catalog}.{named.name}" if named.catalog else named.name
    try:
        return workspace.registry.model(name)
    except NotRegisteredError as error:
        near = error.near or tuple(f"{one.catalog}.{one.name}" for one in records)[:3]
        raise NotRegisteredError("model", name, near) from error
