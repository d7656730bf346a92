"""Check that a calculated metric's answer is that of plain Python, or is refused where the oracle says so."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import event
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.proofs import prove, prove_claims
from airflow_atscale_aggs.engine.model.datasets import PhysicalTables
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, SemanticModel
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of, split_by_fact
from airflow_atscale_aggs.engine.rewriting.split.member_moves import proven_calendar
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, AnswerRows, FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render, table
from tests.support.oracles.form_oracle import FormOracle, FormQuery, Refused
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars.calendar_star import METRICS, setup_sql, write_model
from tests.support.stars.throwaway_database import Database, Rows
from tests.support.strategies.form_strategies import form_queries, form_stars

_QUERIES = 6
"""Queries for each star."""


def check(database: Database, data: st.DataObject) -> None:
    """Make one star with two aggregates, and ask it a few queries."""
    tables = data.draw(form_stars(), label="star")
    queries = [data.draw(form_queries(tables), label="query") for _ in range(_QUERIES)]
    chosen = [data.draw(st.lists(st.sampled_from(_GRAINS), max_size=5, unique=True), label="grain") for _ in range(2)]
    with database.example():
        for statement in setup_sql(tables):
            database.fetch_all(statement)
        asker = _Asker(database, chosen)
        oracle = FormOracle(tables)
        for query in queries:
            _ask(asker, oracle, query)


def _ask(asker: _Asker, oracle: FormOracle, query: FormQuery) -> None:
    try:
        expected = oracle.answer(query)
    except Refused:
        event(f"refused: {query.form.kind}")
        try:
            asker.answers(query)
        except UnsupportedQueryError:
            return
        message = f"not refused: {query.form.mdx}\n{query.sql}"
        raise AssertionError(message) from None
    event(f"answered: {query.form.kind}")
    for source, rows in asker.answers(query):
        event(f"from {source.split(':')[0]}: {query.form.kind}")
        wrong = same_rows(rows, expected)
        assert not wrong, f"{source}: {wrong}\n{query.form.mdx}\n{query.sql}"


_GRAINS = (
    "Sold Year",
    "Sold Quarter",
    "Sold Month",
    "Sold Day",
    "Sold Week",
    "Sold Season",
    "Category",
    "Class",
    "Shop",
)


@cache
def _model() -> SemanticModel:
    with tempfile.TemporaryDirectory() as folder:
        model_folder = read_model_folder(write_model(Path(folder) / "model"))
    model = ModelResolver(model_folder).resolve("forms")
    datasets = {name: replace(dataset, schema=None) for name, dataset in model.datasets.items()}
    return replace(model, datasets=datasets)


@cache
def _paths() -> JoinPaths:
    return JoinPaths(_model())


class _Asker:
    """Answers queries on the star from the facts and from aggregates."""

    def __init__(self, database: Database, grains: Sequence[Sequence[str]]) -> None:
        self._database, self._model, self._paths = database, _model(), _paths()
        physical: PhysicalTables = {
            (None, None, name): {column: str(sml_column.data_type) for column, sml_column in dataset.columns.items()}
            for name, dataset in self._model.datasets.items()
        }
        self._sources = Sources(self._model.datasets, physical, database.dialect)
        reached = {attribute.query_name: bound for attribute, bound in self._paths.attributes_of("sales").items()}
        pieces = {piece for name in METRICS for piece in pieces_of(self._model.metrics[name], "sales")}
        measures = tuple(sorted({*pieces, row_count("sales")}))
        parts = [
            FactPart(fact="sales", attributes=tuple(reached[name] for name in grain), measures=measures)
            for grain in grains
        ]
        self._constraints = prove(database.session, parts, self._sources)
        self._instances = [self._build(part) for part in parts]

    def _build(self, part: FactPart) -> ServingInstance:
        return self._database.build(part, select_from_fact(part, self._sources, self._constraints))

    def answers(self, form_query: FormQuery) -> list[tuple[str, Rows]]:
        """The answers from the facts, then from each aggregate that answers some part of the query."""
        model = replace(
            self._model, calculations={"Form": Calculation(name="Form", label="Form", expression=form_query.form.mdx)}
        )
        names = SurfaceNames(model, self._paths)
        statement = read_statement(form_query.sql, dialect="postgres")
        query = read_select(statement.selects[0], names, CalculatedMetrics(model), dialect="postgres")
        parts = split_by_fact(query, model, self._paths)
        calendars = [
            part.shift.calendar for part in parts if part.shift is not None and part.shift.calendar is not None
        ]
        needed = [
            *(part.needed for part in parts),
            *(calendar.part for calendar in calendars),
            *(instance.part for instance in self._instances),
        ]
        constraints = prove(self._database.session, needed, self._sources)
        claims = {claim for calendar in calendars for claim in calendar.all_claims}
        constraints = prove_claims(self._database.session, constraints, sorted(claims), self._sources)
        parts = tuple(_with_proven_calendar(part, constraints) for part in parts)
        results = [("facts", self._run(query, parts, constraints, None))]
        for instance in self._instances:
            if any(InstanceIndex([instance]).find(query, part, constraints.functional) for part in parts):
                grain = [bound.attribute.query_name for bound in instance.part.attributes]
                results.append((f"aggregate: {grain}", self._run(query, parts, constraints, instance)))
        return results

    def _run(
        self,
        query: ModelQuery,
        parts: Sequence[FactQuery],
        constraints: ProvenConstraints,
        instance: ServingInstance | None,
    ) -> Rows:
        def rows_of(part: FactPart) -> FactRows:
            return FactRows(part, self._sources, constraints)

        rows: list[AnswerRows] = []
        for part in parts:
            match = (
                InstanceIndex([instance]).find(query, part, constraints.functional) if instance is not None else None
            )
            if match is None:
                rows.append(rows_of(part.needed))
            else:
                place, layout = table(match.instance.table), match.instance.layout
                rows.append(AggregateRows(part.needed, layout, match.way, place, self._sources, constraints))
        select = compose(query, list(zip(parts, rows, strict=True)), rows_of)
        return self._database.fetch_all(render(select, self._database.dialect))


def _with_proven_calendar(part: FactQuery, constraints: ProvenConstraints) -> FactQuery:
    scope = part.shift
    if scope is None or scope.calendar is None:
        return part
    return replace(part, shift=replace(scope, calendar=proven_calendar(scope.calendar, constraints.functional)))
