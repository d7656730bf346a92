"""How many fact rows a fact query would read: all of them, unless an index leads to those that its condition keeps.

    WHERE day = …    1 of 1,826 days, index on sales.day_id, rows in the order of days     rows / 1,826
                     the same, rows in any order                                           rows / 1,826, times four

An aggregate costs all of its rows, and those of the dimensions that are joined back to it. The values of conditions do
not matter here: one plan serves every query that differs from it in values alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinKind
from airflow_atscale_aggs.engine.rewriting.model_query import Ref, attribute_at, references
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.table_statistics import ColumnStatistics, TableStatistics

_ORDERED = 0.9
"""From this correlation on, rows of one value lie together."""

_SCATTERED = 4
"""Reading a row somewhere costs as much as reading so many in a row; PostgreSQL's own default ratio."""

_RANGE = 1 / 3
"""Share of the rows that a range is assumed to keep; PostgreSQL's own default."""


@dataclass(frozen=True, slots=True)
class FactCost:
    """What answering from the facts costs.

    Attributes:
        rows: of the fact.
        cost: rows that are read, each that lies elsewhere counted several times.
        index: the indexed column that leads to them; empty when all are read.
    """

    rows: int
    cost: int
    index: str = ""


Statistics = Mapping[tuple[str, str], TableStatistics]
"""By (schema, table) as the warehouse spells them."""


def cost_on_facts(fact_query: FactQuery, sources: Sources, statistics: Statistics) -> FactCost | None:
    """What the fact query costs on its fact dataset; None when the warehouse does not tell its size."""
    fact = statistics_of(fact_query.fact, sources, statistics)
    if fact is None:
        return None
    shares: dict[str, float] = {}
    for bound, condition in _conditions(fact_query):
        column = _leading_column(bound, sources)
        column_statistics = fact.columns.get(column) if column else None
        share = _share(condition, bound, sources, statistics)
        if column and column_statistics is not None and column_statistics.is_indexed and share is not None:
            shares[column] = shares.get(column, 1.0) * share
    costs = [(fact.rows * share * _cost_of_row(fact.columns[column]), column) for column, share in shares.items()]
    cost, index = min(costs, default=(fact.rows, ""))
    return FactCost(fact.rows, fact.rows) if cost >= fact.rows else FactCost(fact.rows, max(int(cost), 1), index)


def _cost_of_row(column: ColumnStatistics) -> int:
    return 1 if abs(column.correlation) >= _ORDERED else _SCATTERED


def _conditions(fact_query: FactQuery) -> Iterator[tuple[BoundAttribute, exp.Expr]]:
    """Conditions that all rows meet, on one attribute each."""
    where = fact_query.where
    if where is None:
        return
    for condition in where.flatten() if isinstance(where, exp.And) else [where]:
        plain = condition.unnest()
        places = set(references(plain, Ref.ATTRIBUTE))
        if len(places) == 1:
            place = places.pop()
            bound = fact_query.attributes[place]
            yield replace(bound, name_column=fact_query.columns.get(place, bound.name_column)), plain


def _leading_column(bound: BoundAttribute, sources: Sources) -> str:
    """The fact's column by whose index the rows of a member are found; empty when there is none."""
    if any(step.kind is JoinKind.BRIDGE for step in bound.steps):
        return ""
    if not bound.steps:
        return sources[bound.dataset].physical_name(bound.name_column) or ""
    first = bound.steps[0]
    return (
        sources[first.from_dataset].physical_name(first.from_columns[0]) or "" if len(first.from_columns) == 1 else ""
    )


def _share(condition: exp.Expr, bound: BoundAttribute, sources: Sources, statistics: Statistics) -> float | None:
    """The share of the rows that a condition keeps; None for a condition that no index serves."""
    if isinstance(condition, (exp.Between, exp.LT, exp.LTE, exp.GT, exp.GTE)):
        return _RANGE if _compares_attribute(condition) else None
    if not isinstance(condition, (exp.EQ, exp.In)) or not _compares_attribute(condition):
        return None
    values = len(condition.expressions) if isinstance(condition, exp.In) else 1
    table = statistics_of(bound.dataset, sources, statistics)
    column = sources[bound.dataset].physical_name(bound.name_column)
    column_statistics = table.columns.get(column) if table is not None and column is not None else None
    return (
        min(values / column_statistics.distinct, 1.0)
        if column_statistics is not None and column_statistics.distinct
        else None
    )


def _compares_attribute(condition: exp.Expr) -> bool:
    """The attribute itself stands on one side."""
    sides = (condition.this, condition.args.get("expression"))
    return any(side is not None and attribute_at(side) is not None for side in sides)


def statistics_of(dataset: str, sources: Sources, statistics: Statistics) -> TableStatistics | None:
    """What is known of a dataset's table; None where nothing is, or where it is a query."""
    place = sources[dataset].place
    return None if place is None else statistics.get((place[1] or "", place[2]))
