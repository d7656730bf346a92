"""The facts answer where an index leads to few of their rows; the answer is the same, and explain says why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.stars import tiny_star

_DAYS, _ROWS = 400, 20_000
_ONE_DAY = 'SELECT "Shop", "Quantity" FROM tiny.tiny_sales WHERE "Day" = \'day 7\''

_PLAIN = (
    "SELECT shop_name, SUM(quantity) FROM sales JOIN day USING (day_id) JOIN shop USING (shop_id) "
    "WHERE day_name = 'day 7' GROUP BY 1"
)


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A star whose finest aggregate is not much smaller than its facts, which lie in the order of days."""
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL[:4],
        f"INSERT INTO day SELECT d, 'day ' || d, 'month ' || (d % 12) FROM generate_series(0, {_DAYS - 1}) AS t(d)",
        f"INSERT INTO sales SELECT n * {_DAYS} / {_ROWS}, n % 7, n % 5, n FROM generate_series(0, {_ROWS - 1}) AS t(n)",
    )
    deploy(empty_workspace, tiny_star.write_model(tmp_path / "model"), now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return empty_workspace


def test_without_an_index_the_aggregate_answers(workspace: Workspace) -> None:
    """All facts would be read; what the warehouse tells of them is in the plan."""
    tiny_star.run_sql(workspace, "ANALYZE")

    source = answer(workspace, _ONE_DAY).plan.sources[0]

    assert source.aggregate == "by_day_and_shop"
    assert source.fact_cost is not None
    assert (source.fact_cost.rows, source.fact_cost.cost, source.fact_cost.index) == (_ROWS, _ROWS, "")


@pytest.mark.postgres
@pytest.mark.parametrize("warehouse_url", ["postgres"], indirect=True)
def test_an_index_makes_the_facts_cheaper(workspace: Workspace) -> None:
    """One day of facts is less than all days of the aggregate; most days are not, and the month has no index."""
    tiny_star.run_sql(workspace, "CREATE INDEX ON sales (day_id)", "ANALYZE")

    plan, result = explain(workspace, _ONE_DAY), answer(workspace, _ONE_DAY)

    assert plan.sources[0].aggregate is None
    assert (plan.candidates[0][0].aggregate, plan.candidates[0][0].miss) == ("by_day_and_shop", Miss.FACTS_CHEAPER)
    assert plan.verdict(0) == (
        "The facts `sales` answer: the index on `day_id` leads to about 50 of 20,000 rows, "
        f"fewer than the {plan.candidates[0][0].rows:,} of `by_day_and_shop`."
    )
    assert not result.plan.uses_aggregates
    tiny_star.run_sql(workspace, "DROP INDEX sales_day_id_idx")
    assert sorted(answer(workspace, _ONE_DAY).rows) == sorted(result.rows)
    assert answer(workspace, _ONE_DAY).plan.uses_aggregates


@pytest.mark.postgres
@pytest.mark.parametrize("warehouse_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("query", "aggregate"),
    [
        (_ONE_DAY.replace("\"Day\" = 'day 7'", "\"Day\" BETWEEN 'day 1' AND 'day 9'"), "by_day_and_shop"),
        (_ONE_DAY.replace("\"Day\" = 'day 7'", "\"Day\" <> 'day 7'"), "by_day_and_shop"),
        (_ONE_DAY.replace("= 'day 7'", "= 'day 7' OR \"Shop\" = 'South'"), "by_day_and_shop"),
        (_ONE_DAY.replace("= 'day 7'", "IN ('day 7', 'day 8') AND \"Shop\" = 'South'"), None),
        ('SELECT "City", "Quantity" FROM tiny.tiny_sales WHERE "Month" = \'month 3\'', "by_month_and_city"),
        (_PLAIN, None),
    ],
)
def test_only_a_selective_condition_counts(workspace: Workspace, query: str, aggregate: str | None) -> None:
    """Ranges keep a third; `<>` and OR use no index; a small aggregate is cheaper than a part of the facts."""
    tiny_star.run_sql(workspace, "CREATE INDEX ON sales (day_id)", "ANALYZE")

    result = answer(workspace, query)

    assert result.plan.sources[0].aggregate == aggregate
    from_facts = answer(workspace, query, use_aggregates=False).rows
    assert sorted(result.rows, key=str) == sorted(from_facts, key=str)


_SHOPS_OR_MONTHS = {
    "by_month_and_city": (("Month", "City"), ("Quantity",)),
    "by_shop": (("Shop",), ("Quantity",)),
}


@pytest.mark.parametrize(
    ("more_shops", "cheaper", "other", "miss"),
    [
        (0, "by_shop", "by_month_and_city", Miss.DEARER),
        (5_000, "by_month_and_city", "by_shop", Miss.JOINS_DEARER),
    ],
)
def test_joining_a_dimension_back_has_its_price(
    empty_workspace: Workspace, tmp_path: Path, more_shops: int, cheaper: str, other: str, miss: Miss
) -> None:
    """The smaller aggregate lacks the city; it is taken while reading the shops costs less than the other's rows."""
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL,
        f"INSERT INTO shop SELECT 1000 + n, 'shop ' || n, 'South' FROM generate_series(1, {more_shops}) AS t(n)",
        "ANALYZE",
    )
    deploy(empty_workspace, tiny_star.write_model(tmp_path / "model", _SHOPS_OR_MONTHS), now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")
    cities = 'SELECT "City", "Quantity" FROM tiny.tiny_sales'

    plan, result = explain(empty_workspace, cities), answer(empty_workspace, cities)

    assert result.plan.sources[0].aggregate == cheaper
    assert [(candidate.aggregate, candidate.miss) for candidate in plan.candidates[0]] == [(other, miss)]
    assert sorted(result.rows, key=str) == sorted(answer(empty_workspace, cities, use_aggregates=False).rows, key=str)
