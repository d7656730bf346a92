"""Route queries on models.

A query is answered from aggregates, or from the facts when no aggregate is proven to serve.

Source: AtScale, "Life Cycle of Aggregate Tables": the engine directs queries to an aggregate table that satisfies them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.errors import (
    PermanentWarehouseError,
    QueryError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import UNBOUND, QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.query_log import QueryHistory
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import (
    DEFAULT_DIALECT,
    ExplainOptions,
    QueryOptions,
    QueryPlanner,
    Request,
    check_characters,
)
from airflow_atscale_aggs.engine.lifecycle.query.secured_rows import withheld_errors
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ModelRecord, QueryRecord, QuerySource
from airflow_atscale_aggs.engine.rewriting.parse.bind_parameters import Parameters, with_values
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import first_word
from airflow_atscale_aggs.engine.rewriting.parse.parameterization import (
    PARAMETERIZED_DIALECT,
    ParameterizedQuery,
    SqlTemplate,
    find_template,
    holds_mark,
    parameterize,
    restore_values,
)
from airflow_atscale_aggs.engine.warehouse.assumed_roles import as_role
from airflow_atscale_aggs.engine.warehouse.base import FirstRows, RowMessages, WarehouseSession, WireFormat

_REMEDIES = {
    "PIVOT": "Write the columns as `SUM(CASE WHEN attribute = value THEN metric END)`.",
    "EXPLAIN": "Ask `atscale-aggs explain`, which says what answers the query.",
    "DESCRIBE": "Read information_schema.columns, which shows models.",
    "SHOW": "Read information_schema.columns, which shows models.",
}
MOST_PLANS = 1000
"""Plans that a router keeps, by query shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rows, and where they really came from.

    Attributes:
        plan: what was run in the end.
        planned: the sources that were meant; other than ``plan.sources`` after a fallback.
        fallback_reason: why the aggregate that was meant could not be read; empty when all went as planned.
        log_loss: what the log of queries lacks because the registry could not be written; empty when it lacks nothing.
        is_cut: there are more rows than were to be fetched.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    plan: QueryPlan
    planned: tuple[PartSource, ...]
    fallback_reason: str = ""
    log_loss: str = ""
    is_cut: bool = False


@dataclass(kw_only=True)
class StreamedAnswer:
    """The rows as they come, and where they really come from. See `Answer`.

    Attributes:
        rows: to be read once, in the block; none where there are messages.
        messages: the rows as messages of PostgreSQL's protocol, where they were wanted so and the warehouse can.
        count: how many rows were read; for the log, whoever reads them keeps it.
    """

    columns: tuple[str, ...]
    plan: QueryPlan
    planned: tuple[PartSource, ...]
    fallback_reason: str
    rows: Iterator[tuple[Any, ...]]
    messages: Iterator[RowMessages] | None = None
    count: int = 0


def answer(
    workspace: Workspace,
    sql: str,
    *,
    parameters: Parameters | None = None,
    user: str = "",
    bounds: QueryBounds = UNBOUND,
    **options: Unpack[QueryOptions],
) -> Answer:
    """Run a query on a model, or plain SQL on the warehouse's tables.

    Args:
        sql: one query whose FROM names deployed models: ``SELECT … FROM catalog.model …``; or one on tables, in the
            warehouse's own SQL: run as it stands, its SELECTs on aggregates where that is proven to be the same.
        parameters: values for ``?``, ``%s``, ``$1`` (a list), or for ``:name``, ``%(name)s`` (a mapping).
        user: who asks, for the log.
        bounds: what he may read.
        options: see `QueryOptions`.

    Raises:
        QueryError: the query cannot be answered as asked; says which clause.
        NotRegisteredError: no such model.
        WarehouseError: the warehouse refused.
    """
    bound = with_values(sql, parameters, options.get("dialect", DEFAULT_DIALECT))
    with QueryRouter(workspace, user=user, bounds=bounds) as router:
        answered = router.answer(bound, **options)
    return replace(answered, log_loss=router.log_loss)


def explain(
    workspace: Workspace,
    sql: str,
    *,
    parameters: Parameters | None = None,
    estimate: bool = True,
    bounds: QueryBounds = UNBOUND,
    **options: Unpack[ExplainOptions],
) -> QueryPlan:
    """How a query would be answered, and why no other aggregate would answer it. Does not run it.

    Args:
        estimate: sketch in the warehouse how many rows the smallest change of the nearest aggregate would add, by one
            scan of the fact.
        bounds: what may be read.
        options: see `ExplainOptions`.

    Raises as `answer` does.
    """
    bound = with_values(sql, parameters, options.get("dialect", DEFAULT_DIALECT))
    return QueryRouter(workspace, bounds=bounds).explain(bound, estimate=estimate, **options)


@dataclass(frozen=True, slots=True)
class _CachedPlan:
    """A plan of a query shape, with what it was made from."""

    records: Sequence[ModelRecord]
    plan: QueryPlan
    template: SqlTemplate


class QueryRouter:
    """Answers many queries of one workspace, and keeps snapshots of models between them. For one thread.

    Args:
        user: who asks, for the log.
        bounds: what he may read, and how much of it is fetched.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        user: str = "",
        clock: Callable[[], datetime] = utc_now,
        bounds: QueryBounds = UNBOUND,
    ) -> None:
        self._workspace, self._user, self._clock, self._bounds = workspace, user, clock, bounds
        self._history = QueryHistory(workspace.registry)
        self._models = SnapshotCache(workspace, bounds)
        self._plans: OrderedDict[tuple[object, ...], _CachedPlan] = OrderedDict()
        self._tables = WarehouseTables(workspace)
        self._planner = QueryPlanner(workspace, self._models, self._tables, bounds)

    def answer(self, sql: str, **options: Unpack[QueryOptions]) -> Answer:
        """See `answer`."""
        request = Request(sql, **options)
        plan = self._plan(request)
        started = time.perf_counter()
        try:
            answered = self._fetch(plan)
        except PermanentWarehouseError as error:
            from_facts = self._plan_from_facts(request, plan, error)
            answered = replace(self._fetch(from_facts), planned=plan.sources, fallback_reason=error.reason)
        self._remember(answered, len(answered.rows), time.perf_counter() - started)
        return answered

    def _plan_from_facts(self, request: Request, plan: QueryPlan, error: PermanentWarehouseError) -> QueryPlan:
        """The plan that is run instead when the warehouse has refused one that uses aggregates.

        Raises the refusal when there were none.
        """
        if plan.unread is not None:
            raise self._make_refusal(plan.unread, error) from error
        if not plan.uses_aggregates:
            raise error
        # The warehouse has changed: the snapshots no longer hold.
        self._models.forget()
        self.forget_plans()
        return self._plan(replace(request, use_aggregates=False, max_staleness=None))

    def _make_refusal(self, unread: UnreadableQueryError, error: PermanentWarehouseError) -> QueryError:
        """The error for a statement that neither we nor the warehouse understand."""
        meant = self._models.named_in(unread.sql)
        if meant and first_word(unread.sql) not in {"SELECT", "WITH"}:
            return _no_select(meant, unread.sql)
        return UnreadableQueryError(unread.sql, f"{unread.reason}; {error.dialect} says: {error.reason}")

    def write_log(self) -> None:
        """Write what the log has not got yet; also from another thread."""
        self._history.write(self._workspace.settings, now=self._clock())

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

    def _remember(self, answered: Answer | StreamedAnswer, rows: int, seconds: float) -> None:
        plan, now = answered.plan, self._clock()
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
            planned=_log_sources(answered.planned),
            actual=_log_sources(plan.sources),
            rows=rows,
            seconds=seconds,
            fallback_reason=answered.fallback_reason,
            user=self._user,
        )
        self._history.add(record)
        if self._history.is_due(now):
            self._history.write(settings, now=now)

    def plan(self, sql: str, **options: Unpack[QueryOptions]) -> QueryPlan:
        """What `answer` would run, without reasons."""
        return self._plan(Request(sql, **options))

    def _plan(self, request: Request) -> QueryPlan:
        sql = request.sql
        check_characters(sql)
        is_free = request.max_staleness is None and (self._bounds.keeps_plans or not self._bounds.is_guarded)
        # The names of who asks stand in the SQL of secured models, and must not be taken for values of the query.
        is_named = self._bounds.reader is not None and self._bounds.reader.holds(holds_mark)
        is_parameterized = request.dialect == PARAMETERIZED_DIALECT and is_free and not is_named
        shape = parameterize(sql) if is_parameterized else None
        if shape is None:
            return self._planner.plan(request, now=self._clock())
        key = (shape.key, request.model, request.dialect, request.use_aggregates)
        cached = self._plans.get(key)
        if cached is not None and self._is_current(cached):
            self._plans.move_to_end(key)
            return _fill_plan(cached.plan, cached.template, shape)
        try:
            plan = self._planner.plan(replace(request, sql=shape.marked, written=sql), now=self._clock())
        except QueryError:
            # The error must quote the SQL as it was written.
            return self._planner.plan(request, now=self._clock())
        template = find_template(plan.sql, shape)
        if template is None or not plan.snapshots or self._models.settings_of(plan.model_id).history_literals:
            return self._planner.plan(request, now=self._clock())
        self._plans[key] = _CachedPlan(self._models.records, plan, template)
        if len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return _fill_plan(plan, template, shape)

    def result_columns(self, sql: str, **options: Unpack[QueryOptions]) -> list[tuple[str, str]]:
        """Names of the columns of an answer, with their types as the warehouse tells them. Runs nothing.

        Raises as `answer` does.
        """
        plan = self._plan(Request(sql, **options))
        with withheld_errors(is_secured=plan.is_secured), self._session_for(plan) as session:
            columns = session.result_columns(f"SELECT * FROM ({plan.sql}) AS described LIMIT 0")
        return [(plan.full_names.get(name, name), kind) for name, kind in columns]

    def names_model(self, sql: str) -> bool:
        """Whether a statement may name a deployed model. Those of PostgreSQL's own catalog are passed over."""
        self._models.look(self._clock())
        if not self._models.named_in(sql) and not self._bounds.names_table(sql):
            return False
        try:
            statements = sqlglot.parse(sql, dialect=DEFAULT_DIALECT)
        except SqlglotError:
            return False
        return any(
            self._models.named_like(table, frozenset) or self._bounds.may_read(table)
            for statement in statements
            if statement is not None
            for table in statement.find_all(exp.Table)
        )

    def forget_plans(self) -> None:
        """Forget all cached plans, so that every query is planned again."""
        self._plans.clear()

    def _is_current(self, cached: _CachedPlan) -> bool:
        """Whether everything that a cached plan was made from still holds."""
        now = self._clock()
        self._models.look(now)
        self._tables.forget_old(now)
        return (
            cached.records is self._models.records
            and all(
                self._models.is_true(snapshot, now)
                and not self._models.settings_of(snapshot.record.id).history_literals
                for snapshot in cached.plan.snapshots
            )
            and self._tables.holds(cached.plan.looked_up)
        )

    def explain(self, sql: str, *, estimate: bool = True, **options: Unpack[ExplainOptions]) -> QueryPlan:
        """See `explain`."""
        request = Request(sql, **options)
        plan = self._planner.explain(request, estimate=estimate, now=self._clock())
        name = self._models.asked_in(sql) if plan.unread is not None else ""
        if name and not any(self._tables.are_there([(None, None, name)])):
            # The warehouse has no such table, so that it would refuse to run it.
            raise _no_select(name, sql)
        return plan

    @contextlib.contextmanager
    def stream(
        self,
        sql: str,
        *,
        watch: Callable[[WarehouseSession | None], None] = lambda _: None,
        wire: WireFormat | None = None,
        **options: Unpack[QueryOptions],
    ) -> Iterator[StreamedAnswer]:
        """As `answer`; the rows come as the warehouse gives them. The log gets the query when the block ends.

        Args:
            watch: gets the session before anything runs in it, so that another thread can cancel that, and None
                afterwards.
            wire: how the rows are wanted as messages; None: as values.
        """
        request = Request(sql, **options)
        plan = planned = self._plan(request)
        reason = ""
        started = time.perf_counter()
        with contextlib.ExitStack() as stack:
            try:
                names, rows, messages = stack.enter_context(self._streamed(plan, watch, wire))
            except PermanentWarehouseError as error:
                plan, reason = self._plan_from_facts(request, plan, error), error.reason
                names, rows, messages = stack.enter_context(self._streamed(plan, watch, wire))
            answered = StreamedAnswer(
                columns=tuple(plan.full_names.get(name, name) for name in names),
                plan=plan,
                planned=planned.sources,
                fallback_reason=reason,
                rows=rows,
                messages=messages,
            )
            yield answered
        self._remember(answered, answered.count, time.perf_counter() - started)

    @contextlib.contextmanager
    def _streamed(
        self, plan: QueryPlan, watch: Callable[[WarehouseSession | None], None], wire: WireFormat | None
    ) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[Any, ...]], Iterator[RowMessages] | None]]:
        """The rows of a plan, of which the first is there: until then a warehouse may refuse."""
        with withheld_errors(is_secured=plan.is_secured), self._session_for(plan) as session:
            watch(session)
            wire = None if wire is None else replace(wire, most_rows=plan.most_rows)
            try:
                with session.stream_messages(plan.sql, wire) if wire else contextlib.nullcontext() as answer:
                    if answer is not None:
                        names, messages = answer
                        yield names, iter(()), itertools.chain(list(itertools.islice(messages, 1)), messages)
                        return
                with session.stream(plan.sql) as (names, rows):
                    yield names, itertools.chain(list(itertools.islice(rows, 1)), rows), None
            finally:
                watch(None)

    def _fetch(self, plan: QueryPlan) -> Answer:
        """Run a plan. Raises as `_session_for`; the warehouse may refuse."""
        with withheld_errors(is_secured=plan.is_secured), self._session_for(plan) as session:
            if self._bounds.rows is None:
                first = FirstRows(*session.fetch_with_names(plan.sql), is_cut=False)
            else:
                first = session.fetch_first(plan.sql, self._bounds.rows)
        columns = tuple(plan.full_names.get(column, column) for column in first.names)
        return Answer(columns=columns, rows=first.rows, plan=plan, planned=plan.sources, is_cut=first.is_cut)

    @contextlib.contextmanager
    def _session_for(self, plan: QueryPlan) -> Iterator[WarehouseSession]:
        """A session whose settings are those that the aggregates of a plan rely on.

        Raises:
            PermanentWarehouseError: a setting has another value, as after a change of a role's or database's default.
        """
        needed = {name: value for source in plan.sources for name, value in source.relies_on.items()}
        with self._workspace.warehouse.session() as session:
            if needed:
                settings = session.settings(needed)
                for name, value in needed.items():
                    if settings.get(name, "") != value:
                        reason = f"{name} of its session was `{value}` and is now `{settings.get(name, '')}`"
                        raise PermanentWarehouseError(session.dialect.name, plan.sql, reason)
            session_settings = session.dialect.session_settings
            is_rendered = plan.sql != plan.asked.sql or self._bounds.is_guarded
            is_ours = session_settings is not None and "\\" in plan.sql and is_rendered
            with (
                session.apply_settings(session_settings.literals)
                if session_settings is not None and is_ours
                else contextlib.nullcontext(),
                as_role(session, self._bounds.role),
            ):
                yield session


def _no_select(model: str, sql: str) -> UnsupportedQueryError:
    verb = first_word(sql)
    reason = f"`{model}` is a model, and a model is asked by SELECT alone"
    return UnsupportedQueryError(verb, reason, _REMEDIES.get(verb, "Write it as a SELECT on the model."))


def _fill_plan(plan: QueryPlan, template: SqlTemplate, shape: ParameterizedQuery) -> QueryPlan:
    """The plan of a shape for the values of one query."""
    if not shape.values:
        return plan
    untouched = tuple(restore_values(reason, shape.values) for reason in plan.untouched)
    return replace(plan, sql=template.fill(shape.values), untouched=untouched)


def _log_sources(sources: Iterable[PartSource]) -> tuple[QuerySource, ...]:
    return tuple(
        QuerySource(
            fact=source.fact,
            aggregate=source.aggregate or "",
            definition_id=source.definition_id or "",
            rows=source.rows,
            fact_rows=source.fact_cost.rows if source.fact_cost is not None else None,
            fact_cost=source.fact_cost.cost if source.fact_cost is not None else None,
        )
        for source in sources
    )
