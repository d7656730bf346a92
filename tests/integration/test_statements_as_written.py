"""Spellings that tools and people use, on both warehouses: answered as the same question on the tables, or refused
helpfully.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_RATIO = (
    "unique_name: Ratio\nobject_type: metric_calc\nlabel: r\nexpression: '[Measures].[Amount] / "
    "[Measures].[Quantity]'\n"
)
_SHOPS = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
_DAYS = f"{_SHOPS} JOIN day d ON f.day_id = d.day_id"
_RANKED = f"SELECT s.city, SUM(f.amount) AS a, RANK() OVER (ORDER BY SUM(f.amount) DESC) AS r {_SHOPS} GROUP BY 1"

_ANSWERED = {
    "qualify": (
        (
            'SELECT "City", SUM("Amount") AS a FROM tiny_sales GROUP BY 1 QUALIFY RANK() OVER (ORDER BY SUM("Amount") '
            "DESC) <= 2"
        ),
        f"SELECT city, a FROM ({_RANKED}) t WHERE r <= 2",
    ),
    "qualify by a name, and the first of what is kept": (
        (
            'SELECT "City", SUM("Amount") AS a, RANK() OVER (ORDER BY SUM("Amount") DESC) AS r FROM tiny_sales '
            "GROUP BY 1 "
            'QUALIFY r <= 2 ORDER BY SUM("Amount") LIMIT 1'
        ),
        f"SELECT city, a, r FROM ({_RANKED}) t WHERE r = 2",
    ),
    "qualify in a CTE, of what shares its name with a metric": (
        (
            'WITH best AS (SELECT "Month", "City", SUM("Amount") AS "Amount" FROM tiny_sales GROUP BY 1, 2 '
            'QUALIFY ROW_NUMBER() OVER (PARTITION BY "Month" ORDER BY SUM("Amount") DESC) = 1) '
            'SELECT SUM("Amount") FROM best'
        ),
        (
            "SELECT SUM(a) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY d.month "
            "ORDER BY SUM(f.amount) DESC) AS n, SUM(f.amount) AS a "
            f"{_DAYS} GROUP BY d.month, s.city) t WHERE n = 1"
        ),
    ),
    "the first of each": (
        (
            'SELECT DISTINCT ON ("Month") "Month", "City", SUM("Amount") AS a FROM tiny_sales GROUP BY 1, 2 '
            "ORDER BY 1, a DESC"
        ),
        (
            f"SELECT DISTINCT ON (m) m, c, a FROM (SELECT d.month AS m, s.city AS c, SUM(f.amount) AS a {_DAYS} "
            "GROUP BY 1, 2) t "
            "ORDER BY m, a DESC"
        ),
    ),
    "a comment behind the end": (
        'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1; -- from a notebook',
        f"SELECT s.city, SUM(f.amount) {_SHOPS} GROUP BY 1",
    ),
    "texts between dollars, and national ones": (
        'SELECT SUM("Amount") FROM tiny_sales WHERE "City" = $$North$$ OR "City" = N\'South\'',
        f"SELECT SUM(f.amount) {_SHOPS} WHERE s.city IN ('North', 'South')",
    ),
    "an escape of one's own": (
        'SELECT "City", SUM("Amount") FROM tiny_sales WHERE "City" LIKE \'S!_d!%\' ESCAPE \'!\' GROUP BY 1',
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'S_d%' GROUP BY 1",
    ),
    "one of several patterns": (
        'SELECT "City", SUM("Amount") FROM tiny_sales WHERE "City" ILIKE ANY (ARRAY[\'no%\', \'%h\']) GROUP BY 1',
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city IN ('North', 'South') GROUP BY 1",
    ),
    "rows of a query": (
        (
            'SELECT "Month", "City", SUM("Amount") FROM tiny_sales WHERE ("City", "Month") IN '
            '(SELECT "City", MIN("Month") FROM tiny_sales GROUP BY 1) GROUP BY 1, 2'
        ),
        f"SELECT d.month, s.city, SUM(f.amount) {_DAYS} WHERE d.month = 'month 0' GROUP BY 1, 2",
    ),
    "rows that are not of a query that has NULLs": (
        (
            'SELECT "Month", "City", SUM("Amount") FROM tiny_sales WHERE ("City", "Month") NOT IN '
            "(SELECT 'North', month FROM day UNION ALL SELECT NULL, 'month 0') GROUP BY 1, 2"
        ),
        f"SELECT d.month, s.city, SUM(f.amount) {_DAYS} WHERE s.city <> 'North' AND d.month <> 'month 0' GROUP BY 1, 2",
    ),
    "quotients of decimals in a comparison": (
        'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1 HAVING SUM("Quantity") / 2.0 >= 25.0 / 2',
        f"SELECT s.city, SUM(f.amount) {_SHOPS} GROUP BY 1 HAVING SUM(f.quantity) >= 25",
    ),
    "a calculated metric, rounded": (
        (
            'SELECT "City", ROUND(SUM("Ratio"), 2), TRUNC("Ratio", 1) FROM tiny_sales GROUP BY 1 '
            'HAVING ROUND("Ratio", 1) > 0'
        ),
        (
            "SELECT s.city, ROUND(SUM(f.amount) / SUM(f.quantity), 2), TRUNC(SUM(f.amount) / SUM(f.quantity), 1) "
            f"{_SHOPS} GROUP BY 1"
        ),
    ),
    "the middle of totals, and a quarter from above": (
        (
            "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a) AS m, PERCENTILE_CONT(0.25) WITHIN GROUP "
            "(ORDER BY a DESC) AS q "
            'FROM (SELECT "Month", SUM("Amount") AS a FROM tiny_sales GROUP BY 1) t'
        ),
        (
            "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a), PERCENTILE_CONT(0.75) WITHIN GROUP (ORDER BY a) "
            "FROM (SELECT d.month, SUM(f.amount) AS a FROM sales f JOIN day d ON f.day_id = d.day_id GROUP BY 1) t"
        ),
    ),
    "numbers that are counted up": (
        (
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4) "
            'SELECT n.i, t.a FROM n LEFT JOIN (SELECT "Month", SUM("Amount") AS a FROM tiny_sales GROUP BY 1) t '
            "ON t.\"Month\" = 'month ' || n.i"
        ),
        (
            "SELECT CASE d.month WHEN 'month 0' THEN 0 WHEN 'month 1' THEN 1 WHEN 'month 2' THEN 2 ELSE 3 END, "
            "SUM(f.amount) "
            "FROM sales f JOIN day d ON f.day_id = d.day_id GROUP BY 1 UNION ALL SELECT 4, NULL"
        ),
    ),
    "a clock of another place": (
        (
            "SELECT \"City\", DATE_PART('hour', TIMESTAMP '2024-01-15 10:00:00' AT TIME ZONE 'Europe/Berlin' AT TIME "
            "ZONE 'UTC') AS t, SUM(\"Amount\") FROM tiny_sales GROUP BY 1"
        ),
        f"SELECT s.city, 9, SUM(f.amount) {_SHOPS} GROUP BY 1",
    ),
}

_REFUSED = {
    (
        'SELECT "City", (SELECT MAX(month) FROM day WHERE day_name = "Shop") AS m, SUM("Amount") FROM tiny_sales '
        "GROUP BY 1"
    ): ('`"Shop"` depends on the row around it'),
    "SELECT COLUMNS('A.*') FROM tiny_sales": "not part of the SQL surface",
    'SELECT DISTINCT ON ("City") "City", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY "City", "Shop"': (
        "Add it to SELECT"
    ),
}


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with a calculated metric, deployed and built."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL, "UPDATE shop SET city = 'S_d%' WHERE shop_id = 4")
    folder = tiny_star.write_model(tmp_path / "model")
    model = folder / "model.yml"
    last = "  - unique_name: Average Amount\n"
    model.write_text(model.read_text().replace(last, f"{last}  - unique_name: Ratio\n"))
    (folder / "ratio.yml").write_text(_RATIO)
    deploy(empty_workspace, folder, now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return empty_workspace


def test_they_are_answered_as_on_the_tables(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """Aggregates serve all of it, and so do the facts; nothing is written to the log."""
    for name, (sql, equals) in _ANSWERED.items():
        with workspace.warehouse.session() as session:
            wanted = session.fetch_all(equals)
        assert wanted, name
        for use in (True, False):
            with caplog.at_level(logging.WARNING, "sqlglot"):
                result = answer(workspace, sql, use_aggregates=use)
            assert same_rows(result.rows, wanted) == "", (name, result.plan.sql)
            assert result.plan.uses_aggregates is use, name
    assert not [record for record in caplog.records if record.name == "sqlglot"]


def test_what_is_refused_says_what_to_do(workspace: Workspace) -> None:
    """It is refused by name, on both warehouses, before anything runs."""
    for sql, message in _REFUSED.items():
        with pytest.raises(UnsupportedQueryError) as refused:
            answer(workspace, sql)
        assert message in str(refused.value)


def test_columns_may_be_left_out_of_all(workspace: Workspace) -> None:
    """They are left out of a sample, and of an answer without rows."""
    for end in ("LIMIT 1", "LIMIT 0"):
        columns = answer(workspace, f'SELECT * EXCLUDE ("City", "Ratio") FROM tiny_sales {end}').columns
        assert columns == ("Month", "Day", "Shop", "Quantity", "Amount", "Average Amount")
