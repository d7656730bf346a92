"""Used: queries on a model are answered from its aggregates, or from the facts when none can be proven to serve.

Source: AtScale, "Life Cycle of Aggregate Tables": the engine directs queries to an aggregate table that satisfies them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlglot import UnsupportedError, exp
from sqlglot.dialects.dialect import Dialect as SqlDialect

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import (
    DefinitionError,
    NotRegisteredError,
    PermanentWarehouseError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.history import QueryHistory
from airflow_atscale_aggs.engine.lifecycle.knowledge import ModelKnowledge, know_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QueryRecord, QuerySource
from airflow_atscale_aggs.engine.rewriting.composing import compose
from airflow_atscale_aggs.engine.rewriting.matching import Candidate, Match, Miss, nearness
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parts import QueryPart, split_by_fact
from airflow_atscale_aggs.engine.rewriting.reading import read_select
from airflow_atscale_aggs.engine.rewriting.statements import ModelTable, Statement, read_statement
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, AnswerRows, FactRows
from airflow_atscale_aggs.engine.sql.sketches import estimate_statement, read_estimates
from airflow_atscale_aggs.engine.sql.statements import render, table

DEFAULT_DIALECT = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSource:
    """What one part of a query is answered from.

    Attributes:
        fact: the fact dataset, or a dimension's own for a query on members.
        aggregate: None when it is the facts.
        rows: of the aggregate.
    """

    model: str
    fact: str
    aggregate: str | None = None
    instance_id: str | None = None
    definition_id: str | None = None
    rows: int | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """How a query would be answered now.

    Attributes:
        sql: for the warehouse, in its dialect.
        sources: one per part.
        model_id: of the first model that it asks.
        fingerprint: of the query without its values.
        shape: the query as the log keeps it: without its values, unless a setting keeps them.
        keys, metrics, predicates: names of what it groups by, measures and filters by.
        candidates: by part: the other aggregates with the reason against each, nearest first.
    """

    sql: str
    sources: tuple[PartSource, ...]
    model_id: str
    fingerprint: str = ""
    shape: str = ""
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


class QueryRouter:
    """Answers many queries of one workspace; keeps what it knows of models between them. For one thread.

    Args:
        user: who asks, for the log.
    """

    def __init__(self, workspace: Workspace, *, user: str = "", clock: Callable[[], datetime] = utc_now) -> None:
        self._workspace, self._user, self._clock = workspace, user, clock
        self._history = QueryHistory(workspace.registry)
        self._known: dict[str, ModelKnowledge] = {}

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
        settings = self._workspace.settings_of(plan.model_id)
        if not settings.history:
            return
        record = QueryRecord(
            model_id=plan.model_id,
            fingerprint=plan.fingerprint,
            asked_at=now,
            shape=plan.shape,
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
        statement, planners = self._planners(sql, model, dialect, max_staleness)
        composed = [
            planner.plan(statement, select, use_aggregates=use_aggregates)
            for planner, select in zip(planners, statement.selects, strict=True)
        ]
        return self._plan(statement, planners, composed)

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
        self, statement: Statement, planners: Sequence[_SelectPlanner], composed: Sequence[exp.Query]
    ) -> QueryPlan:
        queries = [planner.query for planner in planners if planner.query is not None]
        model_id = planners[0].model_id
        with_literals = self._workspace.settings_of(model_id).history_literals
        plain = statement.shape(with_literals=False)
        return QueryPlan(
            sql=self._rendered(statement, composed),
            sources=tuple(source for planner in planners for source in planner.sources),
            model_id=model_id,
            fingerprint=hashlib.sha256(f"{model_id}\x00{plain}".encode()).hexdigest()[:32],
            shape=statement.shape(with_literals=True) if with_literals else plain,
            keys=tuple(dict.fromkeys(name for query in queries for name in query.key_names)),
            metrics=tuple(dict.fromkeys(name for query in queries for name in query.metrics)),
            predicates=tuple(dict.fromkeys(name for query in queries for name in query.predicate_names)),
        )

    def _planners(
        self, sql: str, model: str | None, dialect: str, max_staleness: timedelta | None
    ) -> tuple[Statement, list[_SelectPlanner]]:
        statement = read_statement(sql, dialect=_known_dialect(sql, dialect))
        now = self._clock()
        since = now - max_staleness if max_staleness is not None else None
        known = [self._knowledge(named, model, now) for named in statement.tables]
        return statement, [_SelectPlanner(self._workspace, one, since) for one in known]

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
        record = _model_of(self._workspace, named, default)
        known = self._known.get(record.id)
        if known is not None and known.version == self._workspace.registry.version(record.id):
            longest = timedelta(seconds=self._workspace.settings_of(record.id).proof_seconds)
            if now - known.known_at <= longest:
                return known
        self._known[record.id] = made = know_model(self._workspace, record, now=now)
        return made


class _SelectPlanner:
    """Plans one SELECT on one model."""

    def __init__(self, workspace: Workspace, knowledge: ModelKnowledge, since: datetime | None) -> None:
        self._workspace, self._known, self._since = workspace, knowledge, since
        self.query: ModelQuery | None = None
        self._parts: tuple[QueryPart, ...] = ()
        self._matches: list[Match | None] = []
        self.sources: list[PartSource] = []

    @property
    def model_id(self) -> str:
        """The model that is asked."""
        return self._known.record.id

    def plan(self, statement: Statement, select: exp.Select, *, use_aggregates: bool) -> exp.Query:
        """The SELECT on tables."""
        known = self._known
        query = read_select(select, known.names, known.calculations, dialect=statement.dialect)
        self.query, self._parts = query, split_by_fact(query, known.model, known.paths)
        self._matches = [self._match(query, part) if use_aggregates else None for part in self._parts]
        try:
            rows = [self._rows(part, match) for part, match in zip(self._parts, self._matches, strict=True)]
            made = compose(query, list(zip(self._parts, rows, strict=True)))
        except DefinitionError as error:
            if not any(self._matches):
                raise UnsupportedQueryError(statement.sql, error.reason, error.remedy) from error
            # What an aggregate lacks could not be joined back to it after all.
            return self.plan(statement, select, use_aggregates=False)
        self.sources = [self._source(part, match) for part, match in zip(self._parts, self._matches, strict=True)]
        return made

    def candidates(self, *, estimate: bool) -> list[tuple[Candidate, ...]]:
        """By part: what does not answer it, and why, nearest first."""
        query, known = self.query, self._known
        found: list[tuple[Candidate, ...]] = []
        if query is None:
            return found
        for part, match in zip(self._parts, self._matches, strict=True):
            self._prove_with(part, known.index.claimed(part))
            others = [one for one in known.not_serving if one.fact == part.fact]
            others += known.index.misses(query, part, known.proofs.facts.functional, since=self._since)
            others.sort(key=nearness)
            if estimate and match is None and others:
                others[0] = self._estimated(others[0])
            found.append(tuple(others))
        return found

    def _estimated(self, candidate: Candidate) -> Candidate:
        """With the rows that its change would add, where it adds attributes."""
        known = self._known
        instance = next((one for one in known.index.instances if one.aggregate == candidate.aggregate), None)
        if not candidate.lacking or instance is None:
            return candidate
        wider = FactPart(fact=candidate.fact, attributes=(*instance.part.attributes, *candidate.lacking), measures=())
        self._prove(wider)
        try:
            statement = estimate_statement([wider], known.sources, known.proofs.facts)
        except DefinitionError:
            return candidate
        with self._workspace.warehouse.session() as session:
            rows = session.fetch_all(render(statement, known.sources.dialect))
        are_registers = known.sources.dialect.approx_count_distinct is None
        (wide,) = read_estimates(rows, 1, are_registers=are_registers)
        return replace(candidate, extra_rows=max(wide - instance.rows, 0))

    def _match(self, query: ModelQuery, part: QueryPart) -> Match | None:
        known = self._known
        wanted = known.index.wanted(query, part, known.proofs.facts.functional)
        self._prove_with(part, wanted)
        return known.index.find(query, part, known.proofs.facts.functional, since=self._since)

    def _rows(self, part: QueryPart, match: Match | None) -> AnswerRows:
        known = self._known
        if match is None:
            self._prove(part.needed)
            return FactRows(part.needed, known.sources, known.proofs.facts)
        instance = match.instance
        place = table(instance.table, instance.schema)
        context = (known.sources, known.proofs.facts)
        return AggregateRows(part.needed, instance.part, match.way, place, context)

    def _prove_with(self, part: QueryPart, sources: tuple[BoundAttribute, ...]) -> None:
        """Ask the data whether the keys of stored attributes determine what the part needs."""
        if sources:
            attributes = tuple(dict.fromkeys((*part.needed.attributes, *sources)))
            self._prove(FactPart(fact=part.fact, attributes=attributes, measures=()))

    def _prove(self, part: FactPart) -> None:
        with self._workspace.warehouse.session() as session:
            self._known.proofs.add(session, [part])

    def _source(self, part: QueryPart, match: Match | None) -> PartSource:
        model = self._known.record.name
        if match is None:
            return PartSource(model=model, fact=part.fact)
        one = match.instance
        return PartSource(
            model=model,
            fact=part.fact,
            aggregate=one.aggregate,
            instance_id=one.id,
            definition_id=one.definition_id,
            rows=one.rows,
            as_of=one.as_of,
        )


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


def _model_of(workspace: Workspace, named: ModelTable, default: str | None) -> ModelRecord:
    """The deployed model that FROM names, exactly or without case; else the default."""
    records = workspace.registry.models()
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
