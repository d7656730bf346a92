"""How one SELECT on one model is answered: read, split by fact, matched, composed; proofs are made where they are needed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError, QueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.reference_types import bound_of, type_of_references
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
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
    translate_query,
    with_decimal_rounding,
    with_types,
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
        facts: what the facts would cost, or do; None when the warehouse does not tell.
        relies_on: settings of the session that decide what the aggregate stores, with the values that they must have.
    """

    model: str
    fact: str
    aggregate: str | None = None
    instance_id: str | None = None
    definition_id: str | None = None
    rows: int | None = None
    as_of: datetime | None = None
    facts: FactCost | None = None
    relies_on: Mapping[str, str] = field(default_factory=dict)


class SelectPlanner:
    """Plans one SELECT on one model."""

    def __init__(self, workspace: Workspace, knowledge: ModelSnapshot, since: datetime | None) -> None:
        self._workspace, self.known, self._since = workspace, knowledge, since
        self.query: ModelQuery | None = None
        self._parts: list[tuple[ModelQuery, FactQuery]] = []
        self._matches: list[Match | None] = []
        self.sources: list[PartSource] = []

    @property
    def model_id(self) -> str:
        """The model that is asked."""
        return self.known.record.id

    def plan(self, statement: Statement, select: exp.Select, *, use_aggregates: bool) -> exp.Query:
        """The SELECT on tables."""
        known = self.known
        if known.model.row_securities:
            # Neither facts nor aggregates know who asks.
            names = ", ".join(f"`{name}`" for name in known.model.row_securities)
            reason = f"the model has row security ({names}), which this version does not apply"
            raise UnsupportedQueryError(known.record.name, reason, "Ask the warehouse itself, as somebody it knows.")
        if asks_for_columns(select):
            return self.columns(excluded_columns(select))
        if asks_for_sample(select):
            select = with_columns(select, self._columns_of(self._fullest_fact()))
        query = read_select(select, known.names, known.calculations, dialect=statement.dialect, nests=True)
        query = with_facts_of_rows(query, known.model, known.paths)
        query, columns = self._meant(query, statement)
        self.query = query
        try:
            made = self._answer(query, use_aggregates=use_aggregates)
        except DefinitionError as error:
            if not any(self._matches):
                raise UnsupportedQueryError(statement.sql, error.reason, error.remedy) from error
            # What an aggregate lacks could not be joined back to it after all.
            return self.plan(statement, select, use_aggregates=False)
        return self._noted(made, query, columns, statement)

    def _answer(self, query: ModelQuery, *, use_aggregates: bool) -> exp.Select:
        """All levels of a query on tables."""
        self._parts, self._matches, self.sources = [], [], []
        if not query.sets:
            return self._composed(query, use_aggregates=use_aggregates)
        levels = level_queries(query)
        return compose_levels(query, [self._composed(one, use_aggregates=use_aggregates) for one in levels])

    def _meant(self, query: ModelQuery, statement: Statement) -> tuple[ModelQuery, Columns]:
        """The query with functions that mean on the warehouse what they mean where it was written; its columns' types."""
        known, written, warehouse = self.known, statement.dialect, self.known.sources.dialect
        translator = translator_of(written, warehouse)
        if translator is not None:
            return translate_query(query, type_of_references(query, known), translator)
        check_query(query, written, warehouse)
        query = with_decimal_rounding(query, warehouse)
        if "/" in statement.sql:
            query = translate_divisions(query, _kinds(query, known, written), written, warehouse)
        return query, {}

    def _noted(self, made: exp.Select, query: ModelQuery, columns: Columns, statement: Statement) -> exp.Query:
        """The SELECT with what is known of its columns, for what stands around it."""
        written, warehouse = statement.dialect, self.known.sources.dialect
        kind, kinds_by_name = None, dict[str, NumberKind]()
        if "/" in statement.sql and translator_of(written, warehouse) is None:
            kinds = _kinds(query, self.known, written)
            kind = kind_of_answer(query, kinds, written, warehouse)
            kinds_by_name = dict(kinds_of_columns(query, kinds, written, warehouse))
        made.meta[KIND], made.meta[KINDS] = kind, kinds_by_name
        return with_types(made, columns)

    def _composed(self, query: ModelQuery, *, use_aggregates: bool) -> exp.Select:
        """A query of one level on tables; remembers its parts, and from what each is answered."""
        known = self.known
        inner = members_of_groups(query)
        if inner is not None:
            return compose_groups(query, inner, self._composed(inner, use_aggregates=use_aggregates))
        parts = [self._in_order(part) for part in split_by_fact(query, known.model, known.paths)]
        answered: list[tuple[FactQuery, AnswerRows]] = []
        for part in parts:
            cost = self._cost_on_facts(part)
            match = self._match(query, part, cost) if use_aggregates else None
            self._parts.append((query, part))
            self._matches.append(match)
            self.sources.append(self._source(part, match, cost))
            answered.append((part, self._rows(part, match)))
        return compose(query, answered, self._rows_of, self._all_members(query, parts))

    def _all_members(self, query: ModelQuery, parts: Sequence[FactQuery]) -> tuple[FactQuery, ...]:
        """Parts whose members are shown without facts, too."""
        found = empty_member_queries(query, parts, self.known.model, self.known.paths)
        for part in found:
            self._prove(part.needed)
        return found

    def columns(self, others: Collection[str] = ()) -> exp.Select:
        """All columns of the flat table that can be asked, but for some, without rows."""
        known, found = self.known, dict[str, exp.Query]()
        for name, meaning in known.names.unique():
            if name in others:
                continue
            with contextlib.suppress(DefinitionError, QueryError):
                found[name] = self._column(name, meaning)
        return without_rows(found.items())

    def _fullest_fact(self) -> str:
        """The fact that most metrics are of."""
        known = self.known
        numbers = Counter(metric.dataset for metric in known.model.metrics.values())
        return max(known.model.fact_datasets, key=lambda fact: numbers[fact])

    def _columns_of(self, fact: str) -> list[str]:
        """Names of the columns that rows of a fact have: one value of each attribute, and its own metrics."""
        known = self.known
        reached = known.paths.attributes_of(fact)
        names = []
        for name, meaning in known.names.unique():
            if isinstance(meaning, GrainAttribute):
                if meaning in reached and not reached[meaning].is_many_to_many:
                    names.append(name)
                continue
            with contextlib.suppress(QueryError):
                query = read_select(
                    column_query(name), known.names, known.calculations, dialect=known.sources.dialect.name
                )
                parts = split_by_fact(query, known.model, known.paths)
                if (
                    not query.frames
                    and not query.slices
                    and all(part.fact == fact and not part.edges for part in parts)
                ):
                    names.append(name)
        return names

    def _column(self, name: str, meaning: Meaning) -> exp.Query:
        known = self.known
        if isinstance(meaning, GrainAttribute):
            bound = bound_of(meaning, known)
            assert bound is not None  # noqa: S101 - names are made of what facts reach
            source = known.sources[bound.dataset]
            column = source.column(bound.name_column, bound.dataset)
            return exp.select(column).from_(source.relation(bound.dataset), copy=False).where(exp.false(), copy=False)
        query = read_select(column_query(name), known.names, known.calculations, dialect=known.sources.dialect.name)
        parts = split_by_fact(query, known.model, known.paths)
        return compose(query, [(part, self._rows(part, None)) for part in parts])

    def answered(self, query: ModelQuery, part: FactQuery, *, use_aggregates: bool) -> exp.Query | None:
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
        """By part: what does not answer it, and why, nearest first."""
        known = self.known
        found: list[tuple[Candidate, ...]] = []
        for (query, part), match in zip(self._parts, self._matches, strict=True):
            self._prove_with(part, known.index.claimed_sources(part))
            others = [one for one in known.not_serving if one.fact == part.fact]
            proven = known.proofs.facts.functional
            others += known.index.misses(query, part, proven, since=self._since, rows_of=self._rows_of_dataset)
            dear = self._find(query, part) if match is None else None
            if dear is not None:
                name, rows = dear.instance.aggregate, dear.instance.rows
                others.append(Candidate(aggregate=name, fact=part.fact, miss=Miss.FACTS_CHEAPER, rows=rows))
            others.sort(key=nearness)
            if estimate and match is None and others:
                others[0] = self._estimated(others[0])
            found.append(tuple(others))
        return found

    def _estimated(self, candidate: Candidate) -> Candidate:
        """With the rows that its change would add, where it adds attributes."""
        known = self.known
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
        (wide,) = read_estimates(rows, 1, known.sources.dialect)
        return replace(candidate, extra_rows=max(wide - instance.rows, 0))

    def _match(self, query: ModelQuery, part: FactQuery, facts: FactCost | None) -> Match | None:
        found = self._find(query, part)
        # Facts are read where that is cheaper, which takes an index to the rows that the condition keeps.
        return None if found is None or _are_cheaper(facts, found.instance.rows) else found

    def _find(self, query: ModelQuery, part: FactQuery) -> Match | None:
        known = self.known
        found, wanted = known.index.find_improvements(query, part, known.proofs.facts.functional)
        self._prove_with(part, wanted)
        among = None if wanted else found
        proven = known.proofs.facts.functional
        return known.index.find(query, part, proven, since=self._since, among=among, rows_of=self._rows_of_dataset)

    def _rows_of_dataset(self, dataset: str) -> int:
        known = self.known
        try:
            found = statistics_of(dataset, known.sources, known.sizes.of(self._workspace.warehouse))
        except DefinitionError:
            return 0
        return 0 if found is None else found.rows

    def _cost_on_facts(self, part: FactQuery) -> FactCost | None:
        try:
            return cost_on_facts(part, self.known.sources, self.known.sizes.of(self._workspace.warehouse))
        except DefinitionError:
            # A table or column is gone: whoever reads the facts says so.
            return None

    def _rows(self, part: FactQuery, match: Match | None) -> AnswerRows:
        known = self.known
        if match is None:
            self._prove(part.needed)
            return FactRows(part.needed, known.sources, known.proofs.facts)
        instance = match.instance
        place = table(instance.table, instance.schema)
        context = (known.sources, known.proofs.facts)
        return AggregateRows(part.needed, instance.part, match.way, place, context, layout=instance.layout)

    def _in_order(self, part: FactQuery) -> FactQuery:
        """With members that the data tells apart, where the part moves among some."""
        scope = part.shift
        if scope is None or scope.calendar is None:
            return part
        proofs = self.known.proofs
        with self._workspace.warehouse.session() as session:
            proofs.add(session, [scope.calendar.part])
            proofs.add_claims(session, scope.calendar.all_claims)
        try:
            calendar = proven_calendar(scope.calendar, proofs.facts.functional)
        except UnsupportedQueryError:
            self._check_joins(scope.calendar)
            raise
        return replace(part, shift=replace(scope, calendar=calendar))

    def _check_joins(self, calendar: Calendar) -> None:
        """Claims over joins that cannot be made are not asked of the data, which has not broken them then."""
        try:
            self._rows_of(calendar.part)
        except DefinitionError as error:
            raise UnsupportedQueryError(calendar.metric, error.reason, error.remedy) from error

    def _rows_of(self, part: FactPart) -> FactRows:
        """Rows of a dimension's dataset."""
        return FactRows(part, self.known.sources, self.known.proofs.facts)

    def _prove_with(self, part: FactQuery, sources: tuple[BoundAttribute, ...]) -> None:
        """Ask the data whether the keys of stored attributes determine what the part needs."""
        if sources:
            attributes = tuple(dict.fromkeys((*part.needed.attributes, *sources)))
            self._prove(FactPart(fact=part.fact, attributes=attributes, measures=()))

    def _prove(self, part: FactPart) -> None:
        with self._workspace.warehouse.session() as session:
            self.known.proofs.add(session, [part])

    def _source(self, part: FactQuery, match: Match | None, facts: FactCost | None) -> PartSource:
        model = self.known.record.name
        if match is None:
            return PartSource(model=model, fact=part.fact, facts=facts)
        one = match.instance
        return PartSource(
            model=model,
            fact=part.fact,
            aggregate=one.aggregate,
            instance_id=one.id,
            definition_id=one.definition_id,
            rows=one.rows,
            as_of=one.as_of,
            facts=facts,
            relies_on=one.relies_on,
        )


def _kinds(query: ModelQuery, known: ModelSnapshot, written: str) -> KindOf:
    """Whether attributes and metrics are whole numbers, by the types of their columns in the warehouse."""

    def kind_of(kind: Ref, place: int) -> NumberKind:
        if kind is Ref.ATTRIBUTE:
            return _kind_of_attribute(query.attributes[place], known)
        metric = known.model.metric(query.metrics[place])
        method = query.methods.get(place) or (metric.calculation_method if metric is not None else "")
        if metric is None or "count" in method:
            return NumberKind.WIDE
        if method not in {"sum", "sum distinct", "minimum", "maximum"}:
            return NumberKind.OTHER
        number = kind_of_type(known.sources[metric.dataset].data_type(metric.column))
        return sum_of(number, written) if method.startswith("sum") else number

    return kind_of


def _kind_of_attribute(attribute: GrainAttribute, known: ModelSnapshot) -> NumberKind:
    bound = bound_of(attribute, known)
    if bound is None:
        return NumberKind.UNKNOWN
    return kind_of_type(known.sources[bound.dataset].data_type(bound.name_column))


def _are_cheaper(facts: FactCost | None, rows: int) -> bool:
    """Facts than an aggregate; estimates that have the facts smaller than what was made of them are old."""
    return facts is not None and bool(facts.index) and facts.cost < rows <= facts.rows
