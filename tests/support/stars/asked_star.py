"""A model with its tables in memory, whose queries can be looked at on every step of their way from text to rows."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count, stored_measures
from airflow_atscale_aggs.engine.lifecycle.proofs import Proofs
from airflow_atscale_aggs.engine.model.datasets import table_key
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, SemanticModel
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.compose.distinct_members import compose_groups, members_of_groups
from airflow_atscale_aggs.engine.rewriting.compose.grouping_levels import compose_levels, level_queries
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex, Match
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.row_counts import with_facts_of_rows
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, split_by_fact
from airflow_atscale_aggs.engine.rewriting.split.member_moves import proven_calendar
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, AnswerRows, FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import count_rows, create_table_as, render, table
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars import market_star


def read_model(folder: Path, name: str) -> SemanticModel:
    """The model of a folder."""
    return ModelResolver(read_model_folder(folder)).resolve(name)


class AskedStar:
    """A model, and a session with the database that its tables are in."""

    def __init__(self, model: SemanticModel, session: WarehouseSession) -> None:
        self.model, self.session = model, session
        self.paths = JoinPaths(model)
        keys = {key for key in map(table_key, model.datasets.values()) if key is not None}
        self.sources = Sources(model.datasets, session.columns(sorted(keys, key=str)), session.dialect)
        self.proofs = Proofs(self.sources)

    def changed(self, model: SemanticModel) -> AskedStar:
        """Another model on the same tables."""
        return AskedStar(model, self.session)

    def with_calculations(self, expressions: Mapping[str, str]) -> AskedStar:
        """The same star with further calculated metrics, by name."""
        more = {name: Calculation(name=name, label=name, expression=text) for name, text in expressions.items()}
        return self.changed(replace(self.model, calculations={**self.model.calculations, **more}))

    def read(self, sql: str) -> ModelQuery:
        """The query as a value."""
        select = read_statement(sql, dialect="postgres").selects[0]
        names = SurfaceNames(self.model, self.paths)
        query = read_select(select, names, CalculatedMetrics(self.model), dialect="postgres", nests=True)
        return with_facts_of_rows(query, self.model, self.paths)

    def split(self, sql: str) -> tuple[FactQuery, ...]:
        """The fact queries of a query."""
        return split_by_fact(self.read(sql), self.model, self.paths)

    def only_part(self, sql: str) -> tuple[ModelQuery, FactQuery]:
        """A query, and its only fact query; of a query with shifted metrics the last one."""
        query = self.read(sql)
        return query, split_by_fact(query, self.model, self.paths)[-1]

    def bound(self, name: str, fact: str = "sales") -> BoundAttribute:
        """An attribute as a fact reaches it, by its query name."""
        return next(bound for at, bound in self.paths.attributes_of(fact).items() if at.query_name == name)

    def attribute(self, name: str, fact: str = "sales") -> GrainAttribute:
        """An attribute by its query name."""
        return self.bound(name, fact).attribute

    def part(self, attributes: Iterable[str], metrics: Iterable[str], fact: str = "sales") -> FactPart:
        """What an aggregate of a fact stores."""
        named = [self.model.metrics[name] for name in metrics]
        pieces = {
            piece
            for metric in named
            for piece in stored_measures(metric.calculation_method, metric.dataset, metric.column)
        }
        return FactPart(
            fact=fact,
            attributes=tuple(self.bound(name, fact) for name in attributes),
            measures=tuple(sorted({*pieces, row_count(fact)})),
        )

    def instance(
        self, attributes: Iterable[str], metrics: Iterable[str], *, rows: int = 10, fact: str = "sales"
    ) -> ServingInstance:
        """An aggregate as the router knows it, named after its attributes, whose table nobody reads."""
        part = self.part(attributes, metrics, fact)
        name = "by " + ", ".join(bound.attribute.query_name for bound in part.attributes)
        return ServingInstance(id=name, definition_id=name, aggregate=name, part=part, rows=rows, table=name)

    def build(self, attributes: Iterable[str], metrics: Iterable[str], fact: str = "sales") -> ServingInstance:
        """An aggregate whose table is made."""
        instance = self.instance(attributes, metrics, fact=fact)
        select = select_from_fact(instance.part, self.sources, self.proven(instance.part))
        dialect, target = self.session.dialect, table(instance.table)
        self.session.execute(render(create_table_as(target, select, dialect), dialect))
        ((rows,),) = self.session.fetch_all(render(count_rows(target), dialect))
        return replace(instance, rows=rows)

    def proven(self, *parts: FactPart) -> ProvenConstraints:
        """What the data proves of the keys and hierarchies of some parts, and of those that were asked about before."""
        self.proofs.add(self.session, parts)
        return self.proofs.proven

    def rows_of(self, part: FactPart) -> FactRows:
        """The rows of a dataset with all that a part needs of them."""
        return FactRows(part, self.sources, self.proven(part))

    def _match(self, query: ModelQuery, fact_query: FactQuery, instances: Sequence[ServingInstance]) -> Match | None:
        proven = self.proven(fact_query.needed, *(instance.part for instance in instances))
        return InstanceIndex(instances).find(query, fact_query, proven.functional)

    def select_of(self, query: ModelQuery, instances: Sequence[ServingInstance] = ()) -> exp.Select:
        """The SELECT on tables that answers a query, from aggregates where they serve."""
        if query.sets:
            return compose_levels(query, [self.select_of(level, instances) for level in level_queries(query)])
        inner = members_of_groups(query)
        if inner is not None:
            return compose_groups(query, inner, self.select_of(inner, instances))
        parts = [self._in_order(part) for part in split_by_fact(query, self.model, self.paths)]
        members = empty_member_queries(query, parts, self.model, self.paths)
        return self.select_of_parts(query, parts, instances, members)

    def select_of_parts(
        self,
        query: ModelQuery,
        parts: Sequence[FactQuery],
        instances: Sequence[ServingInstance] = (),
        members: Sequence[FactQuery] = (),
    ) -> exp.Select:
        """The SELECT that answers the fact queries of a query."""
        answered = [(part, self._rows(part, self._match(query, part, instances))) for part in parts]
        return compose(query, answered, self.rows_of, members)

    def sql_of(self, sql: str, instances: Sequence[ServingInstance] = ()) -> str:
        """The statement on tables that answers a query."""
        return render(self.select_of(self.read(sql), instances), self.session.dialect)

    def answer(self, sql: str, instances: Sequence[ServingInstance] = ()) -> list[Row]:
        """The rows of the answer, sorted, NULL last, unless the query orders them."""
        rows = self.session.fetch_all(self.sql_of(sql, instances))
        return rows if "ORDER BY" in sql else sorted_rows(rows)

    def _rows(self, part: FactQuery, match: Match | None) -> AnswerRows:
        if match is None:
            return self.rows_of(part.needed)
        place = table(match.instance.table)
        return AggregateRows(part.needed, match.instance.layout, match.way, place, self.sources, self.proofs.proven)

    def _in_order(self, part: FactQuery) -> FactQuery:
        """With the members of its calendar in the order that the data proves."""
        if part.shift is None or part.shift.calendar is None:
            return part
        self.proven(part.shift.calendar.part)
        self.proofs.add_claims(self.session, part.shift.calendar.all_claims)
        calendar = proven_calendar(part.shift.calendar, self.proofs.proven.functional)
        return replace(part, shift=replace(part.shift, calendar=calendar))


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of their values as text, NULL last."""
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


SHOPS_ON_TWO_TABLES = (
    (
        "shops",
        "level_attributes:\n",
        (
            "  - {unique_name: Openings, label: Openings, levels: [{unique_name: Opening}], filter_empty: 'no'}\n"
            "level_attributes:\n"
            "  - {unique_name: Opening, label: Opening, dataset: day, key_columns: [day_id], name_column: day_name}\n"
        ),
    ),
    (
        "model",
        "metrics:\n",
        (
            "  - {unique_name: sales_opening, from: {dataset: sales, join_columns: [day_id]}, "
            "to: {dimension: Shops, level: Opening}}\nmetrics:\n"
        ),
    ),
)
"""Changes after which the level `Opening` of `Shops` is in another table than their other levels."""


@functools.cache
def market_model(*changes: tuple[str, str, str]) -> SemanticModel:
    """The market's model, with texts of its files replaced."""
    with tempfile.TemporaryDirectory() as folder:
        return read_model(market_star.write_model(Path(folder), *changes), market_star.MODEL)


@contextlib.contextmanager
def asked_market() -> Iterator[AskedStar]:
    """The market, for the length of a ``with`` block."""
    with open_warehouse("duckdb://?threads=1").session() as session:
        session.execute(market_star.SETUP_SQL)
        yield AskedStar(market_model(), session)
