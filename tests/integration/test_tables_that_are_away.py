"""While an ETL drops a table and makes it anew, an aggregate that serves goes on answering."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars.tiny_star import SETUP_SQL, run_sql, write_model

_BY_CITY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1'
_MONTH_OF_DAY = 'SELECT "Month", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1'
"""Answered from an aggregate by day, whose dimension proves that a day lies in one month."""

_AGGREGATES = {"by_city": (("City",), ("Amount",)), "by_day": (("Day",), ("Amount",))}


@pytest.fixture
def built_star(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """The tiny star with two aggregates."""
    run_sql(empty_workspace, *SETUP_SQL)
    deploy(empty_workspace, write_model(tmp_path / "model", _AGGREGATES), now=utc_now())
    run_batch(empty_workspace, "tiny_sales", build_type=BuildType.FULL, owner="test")
    return empty_workspace


_AWAY = {
    "dropped": ("DROP TABLE sales CASCADE",),
    "renamed": ("ALTER TABLE sales RENAME TO sales_old",),
    "emptied": ("TRUNCATE TABLE sales",),
    "in another schema of that name": (
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.sales AS SELECT * FROM sales",
        "DROP TABLE sales CASCADE",
    ),
    "made anew": (
        "CREATE TABLE fresh AS SELECT * FROM sales",
        "DROP TABLE sales CASCADE",
        "ALTER TABLE fresh RENAME TO sales",
    ),
}


@pytest.mark.parametrize("how", _AWAY)
@pytest.mark.parametrize("is_new_process", [True, False], ids=["asked for the first time", "asked before"])
def test_an_aggregate_answers_while_its_facts_are_away(built_star: Workspace, how: str, is_new_process: bool) -> None:
    """It answers in a process that has never seen the table, too."""
    wanted = answer(built_star, _BY_CITY).rows
    router = QueryRouter(built_star)
    if not is_new_process:
        router.plan(_BY_CITY)

    run_sql(built_star, *_AWAY[how])
    result = router.answer(_BY_CITY)
    router.close()

    assert (result.plan.sources[0].aggregate, result.fallback_reason) == ("by_city", "")
    assert result.rows == wanted


def test_the_facts_are_said_to_be_away_where_they_are_needed(built_star: Workspace) -> None:
    """The error is in our words, with the table's name."""
    run_sql(built_star, "DROP TABLE sales CASCADE")

    with pytest.raises(UnsupportedQueryError, match=r"of dataset `sales` .* is not in the warehouse now"):
        answer(built_star, _BY_CITY, use_aggregates=False)
    with pytest.raises(UnsupportedQueryError, match=r"of dataset `sales` .* is not in the warehouse now"):
        answer(built_star, 'SELECT "City", "Quantity" FROM tiny_sales GROUP BY 1')


def test_what_was_proven_stands_while_a_dimension_is_locked(built_star: Workspace) -> None:
    """Plain SQL relies on its key being unique, which was proven before the build; its rows are not needed."""
    sql = "SELECT s.city, SUM(f.amount) AS a FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id GROUP BY s.city"
    if built_star.warehouse.dialect.name == "duckdb":
        pytest.skip("a DuckDB table is never locked for readers")
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with built_star.warehouse.session() as session, session.transaction():
            session.execute("LOCK TABLE shop, sales IN ACCESS EXCLUSIVE MODE")
            locked.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(60)
        result = answer(built_star, sql)
    finally:
        done.set()
        holder.join()

    assert result.plan.sources[0].aggregate == "by_city"
    assert len(result.rows) == 3


def test_a_table_that_is_back_is_asked_again(built_star: Workspace) -> None:
    """Proofs that were seen last give way to what the data says now: a day in two months is in none of them for
    certain.
    """
    assert answer(built_star, _MONTH_OF_DAY).plan.sources[0].aggregate == "by_day"
    run_sql(built_star, "DROP TABLE sales CASCADE", *[sql for sql in SETUP_SQL if " sales " in sql])
    assert answer(built_star, _MONTH_OF_DAY).plan.sources[0].aggregate == "by_day"

    run_sql(built_star, "INSERT INTO day VALUES (1, 'day 1', 'another month')")

    with pytest.raises(UnsupportedQueryError, match="would multiply measures"):
        answer(built_star, _MONTH_OF_DAY)
