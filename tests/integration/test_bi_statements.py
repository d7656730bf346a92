"""Statements as BI tools send them are answered like the same question on the tables, or refused helpfully."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.bi_statements import ANSWERED
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_PROBES = (
    'SELECT * FROM "tiny"."tiny_sales" LIMIT 0',
    'SELECT * FROM (SELECT * FROM "tiny"."tiny_sales") "t" LIMIT 0',
    'SELECT * FROM "tiny"."tiny_sales" "t" WHERE ("City" = \'North\') AND 1 = 0',
    "SELECT * FROM tiny.tiny_sales WHERE FALSE LIMIT 1000",
)

_REFUSED = {
    "SELECT * FROM tiny.tiny_sales": "`SELECT * … LIMIT 0` tells which there are",
    "SELECT * FROM tiny.tiny_sales WHERE 1 = 1": "Name the columns",
    'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = ?': "Put the value in",
    'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = $1': "Put the value in",
    'SELECT "City", AVG(DISTINCT "Amount") FROM tiny.tiny_sales GROUP BY 1': "Write the metric without a function",
    'SELECT SUM(CAST("Amount" AS INTEGER)) FROM tiny.tiny_sales': "it is no aggregate of the model",
    'SELECT "City" AS c FROM tiny.tiny_sales HAVING RANK() OVER (ORDER BY "City") = 1': "Put the query into a subquery",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A tiny star on DuckDB with its model deployed and built; nobody changes it."""
    folder = tmp_path_factory.mktemp("bi")
    warehouse, registry = f"duckdb:///{folder / 'w.duckdb'}", f"sqlite:///{folder / 'r.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        deploy(opened, tiny_star.write_model(folder / "model"), now=datetime.now(UTC))
        run_batch(opened, "tiny_sales", owner="test")
        yield opened


@pytest.mark.parametrize("case", ANSWERED.values(), ids=ANSWERED)
def test_it_is_answered(workspace: Workspace, case: tuple[str, ...]) -> None:
    """The rows are the same with and without aggregates."""
    sql, equals, dialect = (*case, "postgres")[:3]
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(equals)

    for use in (True, False):
        result = answer(workspace, sql, dialect=dialect, use_aggregates=use)
        assert same_rows(result.rows, wanted) == "", result.plan.sql


@pytest.mark.parametrize("columns", ["[City], SUM([Amount])", "CITY, amount"])
def test_columns_are_named_as_the_model_spells_them_where_case_does_not_matter(
    workspace: Workspace, columns: str
) -> None:
    """SQL Server's names ignore case; PostgreSQL folds names that are not quoted."""
    sql = f"SELECT {columns} FROM tiny.tiny_sales"

    assert answer(workspace, sql, dialect="tsql").columns == ("City", "Amount")
    assert answer(workspace, "SELECT CITY, amount FROM tiny.tiny_sales").columns == ("city", "amount")


@pytest.mark.parametrize("sql", _PROBES)
def test_columns_are_told_without_reading_rows(workspace: Workspace, sql: str) -> None:
    """They are all columns that queries may name, with the types of answers."""
    result = answer(workspace, sql)

    assert (result.rows, result.columns) == (
        [],
        ("Month", "Day", "City", "Shop", "Quantity", "Amount", "Average Amount"),
    )
    with workspace.warehouse.session() as session:
        types = {row[0]: row[1] for row in session.fetch_all(f"DESCRIBE {result.plan.sql}")}
        names = ", ".join(f'"{name}"' for name in result.columns)
        real = answer(workspace, f"SELECT {names} FROM tiny.tiny_sales")
        assert types == {row[0]: row[1] for row in session.fetch_all(f"DESCRIBE {real.plan.sql}")}


@pytest.mark.parametrize(("sql", "message"), _REFUSED.items())
def test_what_is_refused_says_what_to_do(workspace: Workspace, sql: str, message: str) -> None:
    """The sentence says what somebody can do."""
    with pytest.raises(QueryError) as caught:
        answer(workspace, sql)

    assert message in str(caught.value)
