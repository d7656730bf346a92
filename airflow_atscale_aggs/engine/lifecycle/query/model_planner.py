"""Plan one SELECT on one model: read it, split it by fact, match the parts, compose the SQL.

Proofs are made when needed.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError, QueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.reference_types import bound_of, type_of_references
from airflow_atscale_aggs.engine.lifecycle.query.secured_rows import SecuredRows, withheld_errors
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.compose.distinct_members import compose_groups, members_of_groups
from airflow_atscale_aggs.engine.rewriting.compose.grouping_levels import compose_levels, level_queries
from airflow_atscale_aggs.engine.rewriting.divisions import (
    KIND,
    KINDS,
    KindOf,
    NumberKind,
    kind_of_answer,
    kind_of_type,
    kinds_of_columns,
    sum_of,
    translate_divisions,
)
from airflow_atscale_aggs.engine.rewriting.flat_table import Meaning
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import Match
from airflow_atscale_aggs.engine.rewriting.match.fact_cost import FactCost, cost_on_facts, statistics_of
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss, nearness
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref
from airflow_atscale_aggs.engine.rewriting.parse.column_probe import (
    asks_for_columns,
    asks_for_sample,
    column_query,
    excluded_columns,
    with_columns,
    without_rows,
)
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import Statement
from airflow_atscale_aggs.engine.rewriting.parse.postgres_meaning import (
    Columns,
    check_query,
    note_types,
    translate_query,
    with_decimal_rounding,
)
from airflow_atscale_aggs.engine.rewriting.parse.row_counts import with_facts_of_rows
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, split_by_fact
from airflow_atscale_aggs.engine.rewriting.split.member_moves import Calendar, proven_calendar
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, AnswerRows, FactRows
from airflow_atscale_aggs.engine.sql.sketches import estimate_statement, read_estimates
from airflow_atscale_aggs.engine.sql.statements import render, table


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSource:
    """What one part of a query is answered from.

    Attributes:
        fact: the fact dataset, or a dimension's own for a query on members.
        aggregate: None when it is the facts.
        rows: of the aggregate.
        fact_cost: what the facts would cost, or did; None when the warehouse does not tell.
        relies_on: settings of the session that decide what the aggregate stores, with the values that they must have.
        is_restricted: to the rows that the reader may see; how many there are in all is not told.
        joined_back: names of the attributes that the aggregate stores the keys of, and dimensions give the rest of.
    """

    model: str
    fact: str
    aggregate: str | None = None
    instance_id: str | None = None
    definition_id: str | None = None
    rows: int | None = None
    as_of: datetime | None = None
    fact_cost: FactCost | None = None
    relies_on: Mapping[str, str] = field(default_factory=dict)
    joined_back: tuple[str, ...] = ()
    is_restricted: bool = False


class SelectPlanner:
    """Plans one SELECT on one model."""

    def __init__(
        self, workspace: Workspace, snapshot: ModelSnapshot, since: datetime | None, reader: Reader | None = None
    ) -> None:
        self._workspace, self.snapshot, self._since, self._reader = workspace, snapshot, since, reader
        self._secured: SecuredRows | None = None
        self.query: ModelQuery | None = None
        self._parts: list[tuple[ModelQuery, FactQuery]] = []
        self._matches: list[Match | None] = []
        self.sources: list[PartSource] = []

    @property
    def model_id(self) -> str:
        """The model that is asked."""
        return self.snapshot.record.id

    def plan(self, statement: Statement, select: exp.Select, *, use_aggregates: bool) -> exp.Query:
        """Plan the SELECT: returns it as a SELECT on tables."""
        snapshot = self.snapshot
        if asks_for_columns(select):
            return self.columns(excluded_columns(select))
        if snapshot.model.is_secured:
            self._secured = SecuredRows(self._workspace, snapshot, self._reader)
        with withheld_errors(is_secured=snapshot.model.is_secured):
            return self._plan(statement, select, use_aggregates=use_aggregates)

    def _plan(self, statement: Statement, select: exp.Select, *, use_aggregates: bool) -> exp.Query:
        snapshot = self.snapshot
        if asks_for_sample(select):
            select = with_columns(select, self._columns_of(self._fullest_fact()))
        query = read_select(select, snapshot.names, snapshot.calculations, dialect=statement.dialect, nests=True)
        query = with_facts_of_rows(query, snapshot.model, snapshot.paths)
        query, columns = self._translate(query, statement)
        self.query = query
        try:
            select_on_tables = self._answer(query, use_aggregates=use_aggregates)
        except DefinitionError as error:
            if not any(self._matches):
                reason = error.reason if self._secured is None else self._secured.withhold(error.reason)
                raise UnsupportedQueryError(statement.sql, reason, error.remedy) from error
            # An attribute that the aggregate lacks could not be joined back to it: plan again on the facts.
            return self._plan(statement, select, use_aggregates=False)
        return self._note_kinds(select_on_tables, query, columns, statement)

    def _answer(self, query: ModelQuery, *, use_aggregates: bool) -> exp.Select:
        """Compose all levels of totals of a query as one SELECT on tables."""
        self._parts, self._matches, self.sources = [], [], []
        if not query.sets:
            return self._compose(query, use_aggregates=use_aggregates)
        levels = level_queries(query)
        return compose_levels(query, [self._compose(level, use_aggregates=use_aggregates) for level in levels])

    def _translate(self, query: ModelQuery, statement: Statement) -> tuple[ModelQuery, Columns]:
        """The query with functions that mean what they mean in its own dialect.

        Returns the types of its columns as well.
        """
        snapshot, written, warehouse = self.snapshot, statement.dialect, self.snapshot.sources.dialect
        translator = translator_of(written, warehouse)
        if translator is not None:
            return translate_query(query, type_of_references(query, snapshot), translator)
        check_query(query, written, warehouse)
        query = with_decimal_rounding(query, warehouse)
        if "/" in statement.sql:
            query = translate_divisions(query, _kinds(query, snapshot, written), written, warehouse)
        return query, {}

    def _note_kinds(
        self, select_on_tables: exp.Select, query: ModelQuery, columns: Columns, statement: Statement
    ) -> exp.Query:
        """The SELECT with notes about its columns, which the statement around it needs."""
        written, warehouse = statement.dialect, self.snapshot.sources.dialect
        kind, kinds_by_name = None, dict[str, NumberKind]()
        if "/" in statement.sql and translator_of(written, warehouse) is None:
            kinds = _kinds(query, self.snapshot, written)
            kind = kind_of_answer(query, kinds, written, warehouse)
            kinds_by_name = dict(kinds_of_columns(query, kinds, written, warehouse))
        select_on_tables.meta[KIND], select_on_tables.meta[KINDS] = kind, kinds_by_name
        note_types(select_on_tables, columns)
        return select_on_tables

    def _compose(self, query: ModelQuery, *, use_aggregates: bool) -> exp.Select:
        """Compose a query of one level of totals on tables. Notes its parts, and from what each is answered."""
        inner = members_of_groups(query)
        if inner is not None:
            return compose_groups(query, inner, self._compose(inner, use_aggregates=use_aggregates))
        parts = [self._order_members(part) for part in self._split(query)]
        rows_by_part: list[tuple[FactQuery, AnswerRows]] = []
        for part in parts:
            cost = self._cost_on_facts(part)
            match = self._match(query, part, cost) if use_aggregates else None
            self._parts.append((query, part))
            self._matches.append(match)
            self.sources.append(self._source(part, match, cost))
            rows_by_part.append((part, self._rows(part, match)))
        return compose(query, rows_by_part, self._rows_of, self._all_members(query, parts))

    def _split(self, query: ModelQuery) -> tuple[FactQuery, ...]:
        parts = split_by_fact(query, self.snapshot.model, self.snapshot.paths)
        return parts if self._secured is None else tuple(map(self._secured.guard, parts))

    def _all_members(self, query: ModelQuery, parts: Sequence[FactQuery]) -> tuple[FactQuery, ...]:
        """Parts whose members are shown even when they have no fact rows."""
        parts_shown = empty_member_queries(query, parts, self.snapshot.model, self.snapshot.paths)
        for part in parts_shown:
            self._prove(part.needed)
        return parts_shown

    def columns(self, others: Collection[str] = ()) -> exp.Select:
        """A SELECT without rows of all columns of the flat table, except some."""
        snapshot, queries_by_name = self.snapshot, dict[str, exp.Query]()
        for name, meaning in snapshot.names.unique():
            if name in others:
                continue
            with contextlib.suppress(DefinitionError, QueryError):
                queries_by_name[name] = self._column(name, meaning)
        return without_rows(queries_by_name.items())

    def _fullest_fact(self) -> str:
        """The fact with the most metrics."""
        snapshot = self.snapshot
        numbers = Counter(metric.dataset for metric in snapshot.model.metrics.values())
        return max(snapshot.model.fact_datasets, key=lambda fact: numbers[fact])

    def _columns_of(self, fact: str) -> list[str]:
        """Names of the columns that rows of a fact have: one value of each attribute, and its own metrics."""
        snapshot = self.snapshot
        reached = snapshot.paths.attributes_of(fact)
        names = []
        for name, meaning in snapshot.names.unique():
            if isinstance(meaning, GrainAttribute):
                if meaning in reached and not reached[meaning].is_many_to_many:
                    names.append(name)
                continue
            with contextlib.suppress(QueryError):
                query = read_select(
                    column_query(name), snapshot.names, snapshot.calculations, dialect=snapshot.sources.dialect.name
                )
                parts = split_by_fact(query, snapshot.model, snapshot.paths)
                if (
                    not query.frames
                    and not query.slices
                    and all(part.fact == fact and not part.edges for part in parts)
                ):
                    names.append(name)
        return names

    def _column(self, name: str, meaning: Meaning) -> exp.Query:
        snapshot = self.snapshot
        if isinstance(meaning, GrainAttribute):
            bound = bound_of(meaning, snapshot)
            assert bound is not None  # noqa: S101 - names are made of what facts reach
            source = snapshot.sources[bound.dataset]
            column = source.column(bound.name_column, bound.dataset)
            return exp.select(column).from_(source.relation(bound.dataset), copy=False).where(exp.false(), copy=False)
        query = read_select(
            column_query(name), snapshot.names, snapshot.calculations, dialect=snapshot.sources.dialect.name
        )
        parts = split_by_fact(query, snapshot.model, snapshot.paths)
        return compose(query, [(part, self._rows(part, None)) for part in parts])

    def plan_on_aggregate(self, query: ModelQuery, part: FactQuery, *, use_aggregates: bool) -> exp.Query | None:
        """The SELECT on an aggregate that answers a query of one part; None when none does, or none may."""
        cost = self._cost_on_facts(part)
        match = self._match(query, part, cost) if use_aggregates else None
        self.query, self._parts, self._matches = query, [(query, part)], [match]
        self.sources = [self._source(part, match, cost)]
        if match is None:
            return None
        try:
            return compose(query, [(part, self._rows(part, match))])
        except DefinitionError:
            self._matches, self.sources = [None], [self._source(part, None, cost)]
            return None

    def candidates(self, *, estimate: bool) -> list[tuple[Candidate, ...]]:
        """For each part, the aggregates that do not answer it, with the reason, the nearest first."""
        with withheld_errors(is_secured=self.snapshot.model.is_secured):
            return self._candidates(estimate=estimate)

    def _candidates(self, *, estimate: bool) -> list[tuple[Candidate, ...]]:
        snapshot = self.snapshot
        candidates: list[tuple[Candidate, ...]] = []
        for (query, part), match in zip(self._parts, self._matches, strict=True):
            self._prove_with(part, snapshot.index.claimed_sources(part))
            others = [candidate for candidate in snapshot.not_serving if candidate.fact == part.fact]
            proven = snapshot.proofs.proven.functional
            others += snapshot.index.misses(query, part, proven, since=self._since, rows_of=self._rows_of_dataset)
            dear = self._find(query, part) if match is None else None
            if dear is not None:
                name, rows = dear.instance.aggregate, dear.instance.rows
                others.append(Candidate(aggregate=name, fact=part.fact, miss=Miss.FACTS_CHEAPER, rows=rows))
            others.sort(key=nearness)
            if part.guards:
                others = [replace(other, rows=None) for other in others]
            elif estimate and match is None and others:
                others[0] = self._estimate(others[0])
            candidates.append(tuple(others))
        return candidates

    def _estimate(self, candidate: Candidate) -> Candidate:
        """The candidate with the number of rows that its change would add, where it adds attributes."""
        snapshot = self.snapshot
        instance = next(
            (instance for instance in snapshot.index.instances if instance.aggregate == candidate.aggregate), None
        )
        if not candidate.lacking or instance is None:
            return candidate
        wider = FactPart(fact=candidate.fact, attributes=(*instance.part.attributes, *candidate.lacking), measures=())
        self._prove(wider)
        try:
            statement = estimate_statement([wider], snapshot.sources, snapshot.proofs.proven)
        except DefinitionError:
            return candidate
        with self._workspace.warehouse.session() as session:
            rows = session.fetch_all(render(statement, snapshot.sources.dialect))
        (wide,) = read_estimates(rows, 1, snapshot.sources.dialect)
        return replace(candidate, extra_rows=max(wide - instance.rows, 0))

    def _match(self, query: ModelQuery, part: FactQuery, cost: FactCost | None) -> Match | None:
        match = self._find(query, part)
        # The facts are read where that is cheaper: where an index leads to the rows that the condition keeps.
        return None if match is None or _are_cheaper(cost, match.instance.rows) else match

    def _find(self, query: ModelQuery, part: FactQuery) -> Match | None:
        snapshot = self.snapshot
        candidates_found, wanted = snapshot.index.find_improvements(query, part, snapshot.proofs.proven.functional)
        self._prove_with(part, wanted)
        among = None if wanted else candidates_found
        proven = snapshot.proofs.proven.functional
        return snapshot.index.find(query, part, proven, since=self._since, among=among, rows_of=self._rows_of_dataset)

    def _rows_of_dataset(self, dataset: str) -> int:
        snapshot = self.snapshot
        try:
            statistics = statistics_of(dataset, snapshot.sources, snapshot.sizes.of(self._workspace.warehouse))
        except DefinitionError:
            return 0
        return 0 if statistics is None else statistics.rows

    def _cost_on_facts(self, part: FactQuery) -> FactCost | None:
        if part.guards:
            # How many rows have a value is told by all rows, also those that the reader may not see.
            return None
        try:
            return cost_on_facts(part, self.snapshot.sources, self.snapshot.sizes.of(self._workspace.warehouse))
        except DefinitionError:
            # A table or column is missing. The error comes when the facts are read.
            return None

    def _rows(self, part: FactQuery, match: Match | None) -> AnswerRows:
        snapshot = self.snapshot
        if match is None:
            self._prove(part.needed)
            return self._rows_of(part.needed)
        instance, proven = match.instance, snapshot.proofs.proven
        place = table(instance.table, instance.schema)
        rows = AggregateRows(part.needed, instance.layout, match.way, place, snapshot.sources, proven)
        if self._secured is not None:
            self._secured.restrict_aggregate(instance, rows)
        return rows

    def _order_members(self, part: FactQuery) -> FactQuery:
        """The part with members in the proven order of its calendar, where it moves among members."""
        shift = part.shift
        if shift is None or shift.calendar is None:
            return part
        proofs = self.snapshot.proofs
        with self._workspace.warehouse.session() as session:
            proofs.add(session, [shift.calendar.part])
            proofs.add_claims(session, shift.calendar.all_claims)
        try:
            calendar = proven_calendar(shift.calendar, proofs.proven.functional)
        except UnsupportedQueryError:
            self._check_joins(shift.calendar)
            raise
        return replace(part, shift=replace(shift, calendar=calendar))

    def _check_joins(self, calendar: Calendar) -> None:
        """Raise an error about a join that cannot be made.

        Its claim was not asked of the data, so the data has not refuted it.
        """
        try:
            self._rows_of(calendar.part)
        except DefinitionError as error:
            raise UnsupportedQueryError(calendar.metric, error.reason, error.remedy) from error

    def _rows_of(self, part: FactPart) -> FactRows:
        """Rows of a fact's or dimension's dataset, those that the reader may see."""
        rows = FactRows(part, self.snapshot.sources, self.snapshot.proofs.proven)
        if self._secured is not None:
            self._secured.restrict_facts(part.fact, rows)
        return rows

    def _prove_with(self, part: FactQuery, sources: tuple[BoundAttribute, ...]) -> None:
        """Ask the data whether the keys of stored attributes determine what the part needs."""
        if sources:
            attributes = tuple(dict.fromkeys((*part.needed.attributes, *sources)))
            self._prove(FactPart(fact=part.fact, attributes=attributes, measures=()))

    def _prove(self, part: FactPart) -> None:
        with self._workspace.warehouse.session() as session:
            self.snapshot.proofs.add(session, [part])

    def _source(self, part: FactQuery, match: Match | None, cost: FactCost | None) -> PartSource:
        model = self.snapshot.record.name
        if match is None:
            return PartSource(model=model, fact=part.fact, fact_cost=cost, is_restricted=bool(part.guards))
        instance = match.instance
        origins = zip(part.needed.attributes, match.way.origins, strict=True)
        return PartSource(
            model=model,
            fact=part.fact,
            aggregate=instance.aggregate,
            instance_id=instance.id,
            definition_id=instance.definition_id,
            rows=None if part.guards else instance.rows,
            as_of=instance.as_of,
            is_restricted=bool(part.guards),
            fact_cost=cost,
            relies_on=instance.relies_on,
            joined_back=tuple(bound.attribute.query_name for bound, origin in origins if not origin.is_stored),
        )


def _kinds(query: ModelQuery, snapshot: ModelSnapshot, written: str) -> KindOf:
    """Whether attributes and metrics are whole numbers, by the types of their columns in the warehouse."""

    def kind_of(kind: Ref, place: int) -> NumberKind:
        if kind is Ref.ATTRIBUTE:
            return _kind_of_attribute(query.attributes[place], snapshot)
        metric = snapshot.model.metric(query.metrics[place])
        method = query.methods.get(place) or (metric.calculation_method if metric is not None else "")
        if metric is None or "count" in method:
            return NumberKind.WIDE
        if method not in {"sum", "sum distinct", "minimum", "maximum"}:
            return NumberKind.OTHER
        number = kind_of_type(snapshot.sources[metric.dataset].data_type(metric.column))
        return sum_of(number, written) if method.startswith("sum") else number

    return kind_of


def _kind_of_attribute(attribute: GrainAttribute, snapshot: ModelSnapshot) -> NumberKind:
    bound = bound_of(attribute, snapshot)
    if bound is None:
        return NumberKind.UNKNOWN
    return kind_of_type(snapshot.sources[bound.dataset].data_type(bound.name_column))


def _are_cheaper(cost: FactCost | None, rows: int) -> bool:
    """Whether reading the facts costs less than an aggregate.

    An estimate of fewer fact rows than aggregate rows is outdated.
    """
    return cost is not None and bool(cost.index) and cost.cost < rows <= cost.rows
