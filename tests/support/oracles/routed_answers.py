"""Check that a routed answer is that of the facts and of plain Python, for a drawn star with aggregates and queries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import event
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.compose.grouping_levels import compose_levels, level_queries
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex, Match
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss, explain_miss
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, split_by_fact
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render, table
from tests.support.oracles.query_oracle import expected_answer, same_rows
from tests.support.stars.throwaway_database import Database, Rows
from tests.support.strategies.query_strategies import StarQuery, model_of, queries_of, with_join_rules
from tests.support.strategies.strategies import Star, aggregates_of, stars

EXAMPLES = 10 * int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""20,000 for the 2,000 of ``make fuzz``."""

POSTGRES_EXAMPLES = max(EXAMPLES // 10, 1)
CLICKHOUSE_EXAMPLES = max(EXAMPLES // 20, 1)
SAIL_EXAMPLES = max(EXAMPLES // 50, 1)

_QUERIES = 4
"""Queries for each star and its aggregates."""


class StarPaths(JoinPaths):
    """`JoinPaths` of a star: its attributes are reached as they were drawn."""

    def __init__(self, star: Star) -> None:
        self._reached = {bound.attribute: bound for bound in star.attributes}

    def attributes_of(self, fact: str) -> Mapping[GrainAttribute, BoundAttribute]:
        """All attributes, from the one fact."""
        return self._reached if fact == "sales" else {}


def check(database: Database, data: st.DataObject) -> None:
    """Make one star with its aggregates, and ask it a few queries."""
    star = data.draw(with_join_rules(data.draw(stars(), label="star")))
    parts = data.draw(aggregates_of(star), label="aggregates")
    queries = [data.draw(queries_of(star, parts), label="query") for _ in range(_QUERIES)]
    with database.example():
        for star_table in star.tables.values():
            for statement in star_table.setup_sql():
                database.ask(statement)
        sources = Sources(star.datasets(), star.physical(), database.dialect)
        instances = build_all(database, parts, sources)
        for query in queries:
            _ask(database, star, query, instances, sources)


def build_all(database: Database, parts: tuple[FactPart, ...], sources: Sources) -> list[ServingInstance]:
    """Build the aggregates whose joins the data allows."""
    constraints = prove(database.session, parts, sources)
    instances = []
    for part in parts:
        try:
            select = select_from_fact(part, sources, constraints)
        except DefinitionError:
            continue
        instances.append(database.build(part, select))
    return instances


def _ask(
    database: Database, star: Star, star_query: StarQuery, instances: list[ServingInstance], sources: Sources
) -> None:
    model, paths = model_of(star, star_query), StarPaths(star)
    statement = read_statement(star_query.sql, dialect="postgres")
    names = SurfaceNames(model, paths)
    query = read_select(statement.selects[0], names, CalculatedMetrics(model), dialect="postgres")
    if query.sets:
        _ask_levels(database, star, star_query, (query, split_levels(query, model, paths)), (instances, sources))
        return
    (part,) = split_by_fact(query, model, paths)
    constraints = prove(database.session, [part.needed, *(instance.part for instance in instances)], sources)
    expected = expected_answer(star, star_query)
    if expected is None:
        event("refused: a join would have to guess")
        with pytest.raises(DefinitionError):
            FactRows(part.needed, sources, constraints)
        return
    base = _run(database, query, part, FactRows(part.needed, sources, constraints))
    wrong = same_rows(base, expected)
    assert not wrong, f"base: {wrong}\n{star_query.sql}"
    for instance in instances:
        match = InstanceIndex([instance]).find(query, part, constraints.functional)
        assert (match is not None) == (explain_miss(query, part, instance, constraints.functional).miss is Miss.DEARER)
        if match is None:
            _check_change(query, part, instance, constraints)
            continue
        _check_match(database, star_query, (query, part), match, base, (sources, constraints))
    _check_index(query, part, instances, constraints)


def split_levels(query: ModelQuery, model: SemanticModel, paths: StarPaths) -> list[tuple[ModelQuery, FactQuery]]:
    """The levels of ROLLUP and its like, with the part of the only fact."""
    levels = []
    for level in level_queries(query):
        (part,) = split_by_fact(level, model, paths)
        levels.append((level, part))
    return levels


def _ask_levels(
    database: Database,
    star: Star,
    star_query: StarQuery,
    read: tuple[ModelQuery, list[tuple[ModelQuery, FactQuery]]],
    context: tuple[list[ServingInstance], Sources],
) -> None:
    """Answer each level from the facts, then from any aggregate that serves it."""
    (query, levels), (instances, sources) = read, context
    parts = [part.needed for _, part in levels]
    constraints = prove(database.session, [*parts, *(instance.part for instance in instances)], sources)
    expected = expected_answer(star, star_query)
    if expected is None:
        return
    for instance in (None, *instances):
        index, selects = InstanceIndex([instance] if instance else []), []
        for level, part in levels:
            match = index.find(level, part, constraints.functional)
            rows = _rows(part, match, (sources, constraints))
            event(f"level: {'aggregate' if isinstance(rows, AggregateRows) else 'facts'}")
            selects.append(compose(level, [(part, rows)]))
        answer = database.fetch_all(render(compose_levels(query, selects), database.dialect))
        wrong = same_rows(answer, expected)
        assert not wrong, f"levels: {wrong}\n{star_query.sql}"


def _rows(part: FactQuery, match: Match | None, context: tuple[Sources, ProvenConstraints]) -> FactRows | AggregateRows:
    if match is not None:
        try:
            place = table(match.instance.table)
            return AggregateRows(part.needed, match.instance.layout, match.way, place, *context)
        except DefinitionError:
            event("match: cannot be joined back after all")
    return FactRows(part.needed, *context)


def _check_change(
    query: ModelQuery, part: FactQuery, instance: ServingInstance, constraints: ProvenConstraints
) -> None:
    """The smallest change that is named would make the aggregate match."""
    why = explain_miss(query, part, instance, constraints.functional)
    event(f"no match: {why.miss}")
    if why.change.startswith("add "):
        wider = FactPart(
            fact=part.fact,
            attributes=(*instance.part.attributes, *why.lacking),
            measures=tuple(sorted({*instance.part.measures, *part.needed.measures})),
        )
        assert InstanceIndex([replace(instance, part=wider)]).find(query, part, constraints.functional) is not None, why
    elif why.change:
        exact = replace(instance, part=part.needed)
        assert InstanceIndex([exact]).find(query, part, constraints.functional) is not None, why


def _check_match(
    database: Database,
    star_query: StarQuery,
    read: tuple[ModelQuery, FactQuery],
    match: Match,
    base: Rows,
    context: tuple[Sources, ProvenConstraints],
) -> None:
    query, part = read
    event("match: joined back" if not all(origin.is_stored for origin in match.way.origins) else "match: stored")
    if star_query.tuples:
        event("match: tuple")
    if star_query.filtered:
        event("match: filtered")
    if any("distinct" in str(name) for name in query.metrics):
        event("match: exact distinct")
    try:
        rows = AggregateRows(part.needed, match.instance.layout, match.way, table(match.instance.table), *context)
    except DefinitionError:
        event("match: cannot be joined back after all")
        return
    routed = _run(database, query, part, rows)
    wrong = same_rows(routed, base)
    grain = [bound.attribute.query_name for bound in match.instance.part.attributes]
    assert not wrong, f"routed to {grain}: {wrong}\n{star_query.sql}"
    if query.keys:
        keys = len(query.keys)
        assert [row[:keys] for row in routed] == [row[:keys] for row in base], star_query.sql


def _check_index(
    query: ModelQuery, part: FactQuery, instances: list[ServingInstance], constraints: ProvenConstraints
) -> None:
    """The index finds what a loop finds: one with the fewest rows of those that match."""
    index = InstanceIndex(instances)
    match = index.find(query, part, constraints.functional)
    fit = [
        instance
        for instance in instances
        if explain_miss(query, part, instance, constraints.functional).miss is Miss.DEARER
    ]
    assert (match.instance.rows if match else None) == min((instance.rows for instance in fit), default=None)
    assert len(index.misses(query, part, constraints.functional)) == len(instances) - (match is not None)


def _run(database: Database, query: ModelQuery, part: FactQuery, rows: FactRows | AggregateRows) -> Rows:
    return database.fetch_all(render(compose(query, [(part, rows)]), database.dialect))
