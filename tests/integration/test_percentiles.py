"""Percentile metrics: from the facts, interpolated, beside SELECTs written by hand; never from an aggregate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import UnknownColumnError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_METRICS = {
    "Middle": ("amount", "named_quantiles: median"),
    "Spread": ("quantity", "named_quantiles: quartiles\ncustom_quantiles: [0.9, 1, 0.25, 2]"),
    "Silent": ("quantity", "compression: 1000"),
}
_FACTS = "FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id LEFT JOIN day d ON d.day_id = f.day_id"


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with percentile metrics, and the usual aggregates built."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL, "INSERT INTO sales VALUES (0, 4, NULL, NULL)")
    folder = tiny_star.write_model(tmp_path / "model")
    for name, (column, more) in _METRICS.items():
        (folder / f"{name}.yml").write_text(
            f"unique_name: {name}\nobject_type: metric\nlabel: The {name.casefold()}\ncalculation_method: percentile\n"
            f"dataset: sales\ncolumn: {column}\n{more}\n",
            encoding="utf-8",
        )
    model = folder / "model.yml"
    listed = "".join(f"  - unique_name: {name}\n" for name in _METRICS)
    model.write_text(
        model.read_text(encoding="utf-8").replace("metrics:\n", f"metrics:\n{listed}", 1), encoding="utf-8"
    )
    deploy(empty_workspace, folder, now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return empty_workspace


def _quantile(share: str, column: str, condition: str = "TRUE") -> str:
    """Written by hand: the values in order, numbered from 0; between the two around share * (n - 1)."""
    values = (
        f"SELECT CAST({column} AS DOUBLE PRECISION) AS v, ROW_NUMBER() OVER (ORDER BY {column}) - 1 AS i, "
        f"(COUNT(*) OVER () - 1) * CAST({share} AS DOUBLE PRECISION) AS spot {_FACTS} WHERE {column} IS NOT NULL "
        f"AND {condition}"
    )
    return (
        f"(SELECT MAX(CASE WHEN i = FLOOR(spot) THEN v END) + (MAX(CASE WHEN i = CEIL(spot) THEN v END) "
        f"- MAX(CASE WHEN i = FLOOR(spot) THEN v END)) * MAX(spot - FLOOR(spot)) FROM ({values}) AS numbered)"
    )


@pytest.mark.parametrize(
    ("query", "equals"),
    [
        ('SELECT "Middle" FROM tiny.tiny_sales', f"SELECT {_quantile('0.5', 'amount')}"),
        (
            """SELECT "Middle_instance_0.5" AS m, "Spread_instance_0.25", "the spread 0.9", "Spread_instance_1"
            FROM tiny.tiny_sales WHERE "Month" <> 'month 2'""",
            "SELECT "
            + ", ".join(
                _quantile(share, column, "d.month <> 'month 2'")
                for share, column in (("0.5", "amount"), ("0.25", "quantity"), ("0.9", "quantity"), ("1", "quantity"))
            ),
        ),
        (
            (
                'SELECT "City", "Spread_instance_0.75", "Amount", COUNT(*) FROM tiny.tiny_sales '
                'HAVING "Middle" > 20 OR "City" IS NULL'
            ),
            "SELECT c.city, "
            + _quantile("0.75", "quantity", "s.shop_id IS NOT NULL AND s.city IS NOT DISTINCT FROM c.city")
            + ", SUM(o.amount), COUNT(*) FROM sales o JOIN shop c ON c.shop_id = o.shop_id GROUP BY c.city "
            "HAVING c.city IS NULL OR "
            + _quantile("0.5", "amount", "s.shop_id IS NOT NULL AND s.city IS NOT DISTINCT FROM c.city")
            + " > 20",
        ),
        (
            'SELECT "Middle" - "Spread_instance_0.5" AS gap FROM tiny.tiny_sales WHERE "City" = \'Nowhere\'',
            "SELECT NULL",
        ),
    ],
)
def test_quantiles_equal_those_counted_by_hand(workspace: Workspace, query: str, equals: str) -> None:
    """A quantile may lie between two values; NULL values do not count, and there is none of nothing."""
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(equals)

    result = answer(workspace, query)

    assert same_rows(result.rows, wanted) == "", result.plan.sql
    assert not result.plan.uses_aggregates


def test_explain_says_that_only_the_facts_know_them(workspace: Workspace) -> None:
    """The reason is typed, without a change that would help; the aggregates are built and do not match."""
    plan = explain(workspace, 'SELECT "City", "Spread_instance_0.5", "Amount" FROM tiny.tiny_sales')

    assert "none of them matches" in plan.verdict(0)
    assert {(candidate.miss, candidate.missing, candidate.change) for candidate in plan.candidates[0]} == {
        (Miss.SKETCH, ("Spread_instance_0.5",), "")
    }


def test_what_names_no_quantile_is_refused(workspace: Workspace) -> None:
    """The error has the names that there are; deployment has warned."""
    with pytest.raises(
        UnsupportedQueryError, match=r"Ask for `Spread_instance_0.25`, `Spread_instance_0.5`, `Spread_ins"
    ):
        answer(workspace, 'SELECT "Spread" FROM tiny.tiny_sales')
    with pytest.raises(
        UnsupportedQueryError, match=r"`Silent` is not answered.*Add `named_quantiles` to it at Silent.yml"
    ):
        answer(workspace, 'SELECT "Silent" FROM tiny.tiny_sales')
    with pytest.raises(UnknownColumnError, match=r"Spread_instance_0\.9"):
        answer(workspace, 'SELECT "Spread_instance_0.8" FROM tiny.tiny_sales')


def test_deploying_tells_of_wrong_quantiles(workspace: Workspace, tmp_path: Path) -> None:
    """They are left out; the metric works with the others."""
    issues = [str(issue) for issue in deploy(workspace, tmp_path / "model", now=datetime.now(UTC)).issues]

    assert [issue for issue in issues if "custom_quantiles" in issue and "`2`" in issue]
    assert [issue for issue in issues if "`Silent` names no quantile" in issue]


def test_the_log_and_its_readers_know_quantiles(workspace: Workspace) -> None:
    """They are remembered by the name in the query."""
    answer(workspace, 'SELECT "City", "Spread_instance_0.5" FROM tiny.tiny_sales')

    (record,) = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)
    assert (record.metrics, record.actual[0].aggregate) == (("Spread_instance_0.5",), "")
