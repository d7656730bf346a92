# ruff: noqa: ARG005 - a planted bug ignores what it should not
"""The property test of the router catches bugs of the kinds that others had: each is planted, and must be found.

Every kind is a line of the trap list that the router was designed against. A plant that nobody finds would mean that
the property test cannot fail there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.rewriting.compose import compose as composing
from airflow_atscale_aggs.engine.rewriting.compose.finish import finish
from airflow_atscale_aggs.engine.rewriting.match import aggregate_index, miss, serving
from airflow_atscale_aggs.engine.sql.derivations import InstanceRows
from airflow_atscale_aggs.engine.sql.rows import AggregateRows, FactRows, MetricPieces
from tests.support.kill.planting import Plant, assert_found, plants
from tests.support.oracles.routed_answers import check
from tests.support.stars.throwaway_database import duckdb_in_memory


def _rows_from_a_count(patch: pytest.MonkeyPatch) -> None:
    """COUNT(*) is answered from a count of non-NULL values where one is stored."""
    plain = InstanceRows.roll_up

    def roll_up(self: InstanceRows, measure: StoredMeasure, only: exp.Expr | None = None) -> exp.Expr:
        counts = [measure for measure in self._from.measures if measure.function is StoredFunction.COUNT]
        if measure.function is StoredFunction.COUNT_ROWS and counts:
            return plain(self, counts[0])
        return plain(self, measure)

    patch.setattr(InstanceRows, "roll_up", roll_up)


def _no_join_rule(patch: pytest.MonkeyPatch) -> None:
    """Rows without a member are kept on aggregates."""
    patch.setattr(AggregateRows, "keep_members", lambda self, attributes: None)


def _base_without_join_rule(patch: pytest.MonkeyPatch) -> None:
    """Rows without a member are kept on the facts."""
    patch.setattr(FactRows, "keep_members", lambda self, attributes: None)


def _always_inner_joins(patch: pytest.MonkeyPatch) -> None:
    """The join rule `no` is ignored on aggregates."""
    plain = AggregateRows.keep_members

    def keep(self: AggregateRows, attributes: list[BoundAttribute]) -> None:
        plain(self, [replace(bound, filter_empty="yes") for bound in attributes])

    patch.setattr(AggregateRows, "keep_members", keep)


def _average_of_averages(patch: pytest.MonkeyPatch) -> None:
    """Averages are averaged."""
    plain = AggregateRows.metric

    def metric(self: AggregateRows, wanted: MetricPieces, only: exp.Expr | None = None) -> exp.Expr:
        if wanted.method != "average":
            return plain(self, wanted)
        pieces = [
            StoredMeasure(function, self._needed.fact, wanted.column)
            for function in (StoredFunction.SUM, StoredFunction.COUNT)
        ]
        total, count = (self._rows.stored_column(piece) for piece in pieces)
        return exp.Avg(
            this=exp.Div(
                this=exp.cast(total, "double"), expression=exp.Nullif(this=count, expression=exp.Literal.number(0))
            )
        )

    patch.setattr(AggregateRows, "metric", metric)


def _no_regrouping(patch: pytest.MonkeyPatch) -> None:
    """Sums are taken as they are stored, as if equal keys were one row."""
    plain = InstanceRows.roll_up

    def roll_up(self: InstanceRows, measure: StoredMeasure, only: exp.Expr | None = None) -> exp.Expr:
        is_sum = measure.function is StoredFunction.SUM
        return exp.Max(this=self.stored_column(measure)) if is_sum else plain(self, measure)

    patch.setattr(InstanceRows, "roll_up", roll_up)


def _distinct_counts_add_up(patch: pytest.MonkeyPatch) -> None:
    """Exact distinct counts are summed to any coarser grain."""
    for module in (aggregate_index, miss):
        patch.setattr(module, "not_single_rows", lambda query, part: ())
    patch.setattr(aggregate_index.InstanceIndex, "_only_grain", lambda self, query, part: -1)
    patch.setattr(miss, "fragile_metrics", lambda part: ())
    patch.setattr(AggregateRows, "_only_stored_value", lambda self, metric, only: exp.Sum(this=_distinct(self, metric)))


def _distinct(rows: AggregateRows, metric: MetricPieces) -> exp.Expr:
    function = StoredFunction.COUNT_DISTINCT if metric.method == "count distinct" else StoredFunction.SUM_DISTINCT
    return rows._rows.stored_column(StoredMeasure(function, rows._needed.fact, metric.column))


def _names_are_keys(patch: pytest.MonkeyPatch) -> None:
    """Members of one name are taken for one member by exact distinct counts."""
    patch.setattr(serving, "is_told_apart", lambda bound: True)


def _bridges_are_joins(patch: pytest.MonkeyPatch) -> None:
    """An aggregate by members of a many-to-many attribute answers queries without it."""
    patch.setattr(BoundAttribute, "is_many_to_many", property(lambda self: False))


def _or_becomes_and(patch: pytest.MonkeyPatch) -> None:
    """OR over nested conditions is flattened wrongly on aggregates."""
    _change_conditions(patch, lambda where: where.transform(_and_for_or))


def _and_for_or(node: exp.Expr) -> exp.Expr:
    return exp.And(this=node.this, expression=node.expression) if isinstance(node, exp.Or) else node


def _filter_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """An equality on a key that is not shown is lost."""
    _change_conditions(patch, lambda where: exp.true())


def _change_conditions(patch: pytest.MonkeyPatch, change: Callable[[exp.Expr], exp.Expr]) -> None:
    plain = composing._Group.__init__

    def init(self: Any, query: Any, part: Any, rows: Any) -> None:
        if isinstance(rows, AggregateRows) and part.where is not None:
            part = replace(part, where=change(part.where.copy()))
        plain(self, query, part, rows)

    patch.setattr(composing._Group, "__init__", init)


def _having_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """HAVING is forgotten on aggregates and facts alike; plain Python remembers."""
    plain = finish
    patch.setattr(
        composing,
        "finish",
        lambda query, select, values, **rest: plain(replace(query, having=None), select, values, **rest),
    )


def _hierarchies_are_believed(patch: pytest.MonkeyPatch) -> None:
    """What the model claims of its levels is not proven."""

    class Everything(frozenset[Any]):
        def __contains__(self, claim: object) -> bool:
            return claim is not None

    def believing(plain: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **more: plain(
            *(Everything() if isinstance(argument, frozenset) else argument for argument in arguments), **more
        )

    patch.setattr(aggregate_index.InstanceIndex, "find", believing(aggregate_index.InstanceIndex.find))
    patch.setattr(aggregate_index, "explain_miss", believing(miss.explain_miss))


def _roles_are_one(patch: pytest.MonkeyPatch) -> None:
    """A role-played attribute is taken from another role of its dimension, where only one is stored."""
    plain = AggregateRows.value

    def value(self: AggregateRows, bound: BoundAttribute, column: str | None = None) -> exp.Expr:
        layout = self._rows._from.attributes
        others = [
            attribute
            for attribute in layout
            if attribute.role.dimension == bound.attribute.role.dimension and attribute.name == bound.attribute.name
        ]
        if bound.attribute not in layout or len(others) < 2:
            return plain(self, bound, column)
        return self._rows._parent(layout[next(attribute for attribute in others if attribute != bound.attribute)].name)

    patch.setattr(AggregateRows, "value", value)


def _null_groups_are_lost(patch: pytest.MonkeyPatch) -> None:
    """Groups whose key is NULL are left out."""
    plain = composing._Group.close

    def close(self: Any, select: exp.Select) -> None:
        plain(self, select)
        if isinstance(self._rows, AggregateRows):
            for key in self._keys.values():
                select.having(exp.Not(this=exp.Is(this=key.copy(), expression=exp.Null())), copy=False)

    patch.setattr(composing._Group, "close", close)


def _deviations_add_up(patch: pytest.MonkeyPatch) -> None:
    """Squared deviations of parts are summed without those between the parts."""
    patch.setattr(InstanceRows, "_squares", lambda self, measure, column: exp.Sum(this=column))


def _a_least_is_a_sum(patch: pytest.MonkeyPatch) -> None:
    """The greatest value of an aggregate is that of any of its rows."""
    plain = InstanceRows.roll_up

    def roll_up(self: InstanceRows, measure: StoredMeasure, only: exp.Expr | None = None) -> exp.Expr:
        is_greatest = measure.function is StoredFunction.MAXIMUM
        return exp.Min(this=self.stored_column(measure)) if is_greatest else plain(self, measure)

    patch.setattr(InstanceRows, "roll_up", roll_up)


_PLANTS: tuple[Plant, ...] = (
    _rows_from_a_count,
    _no_join_rule,
    _base_without_join_rule,
    _always_inner_joins,
    _average_of_averages,
    _no_regrouping,
    _distinct_counts_add_up,
    _names_are_keys,
    _bridges_are_joins,
    _or_becomes_and,
    _filter_is_dropped,
    _having_is_dropped,
    _hierarchies_are_believed,
    _roles_are_one,
    _null_groups_are_lost,
    _deviations_add_up,
    _a_least_is_a_sum,
)


_QUICK = (
    _rows_from_a_count,
    _no_join_rule,
    _no_regrouping,
    _distinct_counts_add_up,
    _filter_is_dropped,
    _having_is_dropped,
)
"""Found within seconds; the others take up to minutes."""


@pytest.mark.slow
@pytest.mark.parametrize("plant", plants(_PLANTS, is_slow=lambda plant: plant not in _QUICK))
def test_a_planted_bug_is_found(plant: Plant) -> None:
    """The property fails, by a wrong answer or by an answer where plain Python has none."""
    with duckdb_in_memory() as database:
        assert_found(plant, lambda data: check(database, data), examples=1500)
