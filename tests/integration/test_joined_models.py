"""What stands around a model in a statement: joins, CTEs, views on it, SELECTs laid together; each as the same SQL on
the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_SHOPS = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
_DAYS = f"{_SHOPS} JOIN day d ON f.day_id = d.day_id"
_BY_CITY = f"SELECT s.city, SUM(f.amount) AS a {_SHOPS} GROUP BY 1"
_NORTH = f"SELECT s.city, SUM(f.amount) AS a {_SHOPS} WHERE s.city = 'North' GROUP BY 1"
_TOP = 'SELECT "City" AS c, SUM("Amount") AS x FROM tiny_sales GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1'
_MARKS = (
    "CREATE TABLE mark (city VARCHAR(20), colour VARCHAR(20), weight INTEGER)",
    (
        "INSERT INTO mark VALUES ('North', 'red', 1), ('South', 'blue', 2), ('South', 'green', 3), (NULL, 'grey', 4), "
        "('East', 'red', 5)"
    ),
)

_ANSWERED = {
    "tableau: top n": (
        (
            'SELECT "tiny_sales"."City" AS "City", SUM("tiny_sales"."Amount") AS "sum:Amount:ok" '
            'FROM "public"."tiny_sales" "tiny_sales" '
            'INNER JOIN (SELECT "tiny_sales"."City" AS "City", SUM("tiny_sales"."Amount") AS "$__alias__0" '
            'FROM "public"."tiny_sales" '
            '"tiny_sales" GROUP BY 1 ORDER BY 2 DESC, 1 ASC LIMIT 1) "t0" ON ("tiny_sales"."City" = "t0"."City") '
            "GROUP BY 1"
        ),
        _NORTH,
    ),
    "tableau: top n, nulls as members": (
        (
            f'SELECT m."City", SUM(m."Amount") FROM tiny_sales m JOIN ({_TOP}) t ON m."City" IS NOT DISTINCT FROM t.c '
            "GROUP BY 1"
        ),
        _NORTH,
    ),
    "tableau: top n of two, in one condition": (
        (
            'SELECT m."Month", m."City", SUM(m."Quantity") FROM tiny_sales m '
            'JOIN (SELECT "Month" AS mo, "City" AS c, SUM("Amount") AS x '
            'FROM tiny_sales WHERE "City" IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 2) t ON '
            '(m."Month" = t.mo) AND (m."City" = t.c) GROUP BY 1, 2'
        ),
        (
            f"SELECT d.month, s.city, SUM(f.quantity) {_DAYS} JOIN (SELECT d.month AS mo, s.city AS c, "
            f"SUM(f.amount) AS x {_DAYS} "
            "WHERE s.city IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 2) t ON d.month = t.mo "
            "AND s.city = t.c GROUP BY 1, 2"
        ),
    ),
    "superset: series limit": (
        (
            'SELECT "Month" AS "Month", "City" AS "City", SUM("Amount") AS "SUM(Amount)" FROM tiny.tiny_sales '
            'JOIN (SELECT "City" AS "City__", '
            'SUM("Amount") AS mme_inner__ FROM tiny.tiny_sales GROUP BY "City" '
            "ORDER BY mme_inner__ DESC LIMIT 1) AS series_limit "
            'ON "City" = "City__" GROUP BY "Month", "City" ORDER BY "SUM(Amount)" DESC LIMIT 1000'
        ),
        f"SELECT d.month, s.city, SUM(f.amount) {_DAYS} WHERE s.city = 'North' GROUP BY 1, 2",
    ),
    "power bi: a semi-join to values": (
        (
            'SELECT "a"."City", SUM("a"."Amount") AS "s" FROM "tiny_sales" "a" INNER '
            "JOIN (SELECT CAST('North' AS VARCHAR) AS \"k\" "
            'UNION ALL SELECT \'Nowhere\') "b" ON "a"."City" = "b"."k" GROUP BY 1'
        ),
        _NORTH,
    ),
    "values": (
        (
            "SELECT m.\"City\", SUM(m.\"Amount\") FROM tiny_sales m JOIN (VALUES ('North'), ('East')) AS v (k) ON v.k "
            '= m."City" GROUP BY 1'
        ),
        _NORTH,
    ),
    "values that repeat count twice, as in SQL": (
        (
            'SELECT m."City", SUM(m."Amount"), COUNT(*) FROM tiny_sales m '
            "JOIN (VALUES ('North'), ('North')) AS v (k) ON v.k = m.\"City\" GROUP BY 1"
        ),
        f"SELECT s.city, 2 * SUM(f.amount), 2 * COUNT(*) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
    ),
    "top n and others": (
        (
            'SELECT CASE WHEN t.c IS NULL THEN \'others\' ELSE m."City" END AS g, SUM(m."Amount"), COUNT(*) '
            f"FROM tiny_sales m LEFT JOIN ({_TOP}) t "
            'ON m."City" = t.c GROUP BY 1'
        ),
        (
            "SELECT CASE WHEN s.city = 'North' THEN 'North' ELSE 'others' END, SUM(f.amount), COUNT(*) "
            f"{_SHOPS} GROUP BY 1"
        ),
    ),
    "a share of the whole": (
        (
            'SELECT m."City", SUM(m."Amount"), MAX(t.x) FROM tiny_sales m CROSS JOIN (SELECT SUM("Amount") AS x '
            "FROM tiny_sales) t GROUP BY 1"
        ),
        f"SELECT s.city, SUM(f.amount), (SELECT SUM(amount) FROM sales) {_SHOPS} GROUP BY 1",
    ),
    "a comma": (
        f'SELECT m."City", m."Amount" FROM tiny_sales m, ({_TOP}) t WHERE m."City" = t.c',
        _NORTH,
    ),
    "the model stands last": (
        f'SELECT m."City", SUM(m."Amount") FROM ({_TOP}) t JOIN tiny_sales m ON m."City" = t.c GROUP BY 1',
        _NORTH,
    ),
    "the model stands in the middle": (
        (
            f'SELECT m."City", SUM(m."Amount") FROM ({_TOP}) t JOIN mark k ON k.city = t.c '
            'JOIN tiny_sales m ON m."City" = t.c GROUP BY 1'
        ),
        _NORTH,
    ),
    "using": (
        (
            'SELECT "City", SUM("Amount") FROM tiny_sales JOIN (SELECT "City" FROM tiny_sales '
            'ORDER BY 1 LIMIT 1) t USING ("City") GROUP BY 1'
        ),
        _NORTH,
    ),
    "a table, grouped by its column": (
        (
            'SELECT k.colour, SUM("Amount"), AVG("Average Amount"), COUNT(*) FROM tiny_sales m '
            'JOIN mark k ON k.city = m."City" GROUP BY 1'
        ),
        f"SELECT k.colour, SUM(f.amount), AVG(f.amount), COUNT(*) {_SHOPS} JOIN mark k ON k.city = s.city GROUP BY 1",
    ),
    "a table, left": (
        (
            'SELECT colour, SUM("Quantity") AS q FROM tiny_sales LEFT JOIN mark ON city = "City" GROUP BY colour '
            'HAVING SUM("Quantity") > 1'
        ),
        (
            f"SELECT k.colour, SUM(f.quantity) {_SHOPS} LEFT JOIN mark k ON k.city = s.city GROUP BY 1 "
            "HAVING SUM(f.quantity) > 1"
        ),
    ),
    "a table, filtered by its columns": (
        (
            'SELECT m."Month", SUM(m."Amount") FROM tiny_sales m JOIN mark k ON k.city = m."City" AND k.weight > 1 '
            "WHERE k.colour <> 'blue' GROUP BY 1"
        ),
        (
            f"SELECT d.month, SUM(f.amount) {_DAYS} JOIN mark k ON k.city = s.city AND k.weight > 1 "
            "WHERE k.colour <> 'blue' GROUP BY 1"
        ),
    ),
    "a table, on a range": (
        'SELECT k.colour, SUM(m."Amount") FROM tiny_sales m JOIN mark k ON k.city >= m."City" GROUP BY 1',
        f"SELECT k.colour, SUM(f.amount) {_SHOPS} JOIN mark k ON k.city >= s.city GROUP BY 1",
    ),
    "a dimension's own table": (
        'SELECT s.shop_id, SUM(m."Quantity") FROM tiny_sales m JOIN shop s ON s.shop_name = m."Shop" GROUP BY 1',
        f"SELECT s.shop_id, SUM(f.quantity) {_SHOPS} GROUP BY 1",
    ),
    "members of a joined table": (
        (
            'SELECT m."City", COUNT(DISTINCT k.colour), MIN(k.colour) FROM tiny_sales m LEFT '
            'JOIN mark k ON k.city = m."City" GROUP BY 1'
        ),
        (
            f"SELECT s.city, COUNT(DISTINCT k.colour), MIN(k.colour) {_SHOPS} LEFT JOIN mark k ON k.city = s.city "
            "GROUP BY 1"
        ),
    ),
    "members without metrics": (
        'SELECT m."City", m."Shop" FROM tiny_sales m JOIN mark k ON k.city = m."City" GROUP BY 1, 2',
        "SELECT DISTINCT s.city, s.shop_name FROM shop s JOIN mark k ON k.city = s.city",
    ),
    "a CTE is joined": (
        (
            f'WITH top AS ({_TOP}) SELECT m."City", SUM(m."Amount") FROM tiny_sales m JOIN top ON top.c = m."City" '
            "GROUP BY 1"
        ),
        _NORTH,
    ),
    "groups of groups": (
        (
            f'WITH top AS ({_TOP}) SELECT m."Month", m."City", m."Amount" FROM tiny_sales m '
            'JOIN top ON top.c = m."City" AND m."Month" <> \'month 1\''
        ),
        f"SELECT d.month, s.city, SUM(f.amount) {_DAYS} WHERE s.city = 'North' AND d.month <> 'month 1' GROUP BY 1, 2",
    ),
    "levels of totals of a join": (
        (
            'SELECT k.colour, SUM(m."Amount") FROM tiny_sales m JOIN mark k ON k.city = m."City" '
            "GROUP BY ROLLUP (k.colour)"
        ),
        f"SELECT k.colour, SUM(f.amount) {_SHOPS} JOIN mark k ON k.city = s.city GROUP BY ROLLUP (k.colour)",
    ),
    "two SELECTs, joined": (
        (
            'SELECT a."City", a.x, b.y FROM (SELECT "City", SUM("Amount") AS x FROM tiny_sales GROUP BY 1) a '
            'LEFT JOIN (SELECT "City" AS c, COUNT(*) AS y FROM tiny_sales WHERE "Month" = \'month 1\' '
            'GROUP BY 1) b ON a."City" = b.c'
        ),
        (
            f"SELECT a.city, a.a, b.y FROM ({_BY_CITY}) a LEFT JOIN (SELECT s.city, COUNT(*) AS y {_DAYS} "
            "WHERE d.month = 'month 1' GROUP BY 1) b "
            "ON a.city = b.city"
        ),
    ),
    "a CTE over everything": (
        'WITH t AS (SELECT * FROM tiny_sales) SELECT "City", SUM("Amount") FROM t GROUP BY 1',
        _BY_CITY,
    ),
    "CTEs on CTEs, used twice": (
        (
            "WITH t AS (SELECT * FROM tiny_sales), n AS (SELECT * FROM t WHERE t.\"City\" = 'North') "
            'SELECT x."City", SUM(x."Amount") FROM n AS x '
            'GROUP BY 1 UNION ALL SELECT y."City", SUM(y."Amount") FROM t y WHERE y."City" = \'South\' GROUP BY 1'
        ),
        f"{_NORTH} UNION ALL SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'South' GROUP BY 1",
    ),
    "a CTE of the model's name": (
        (
            'WITH tiny_sales AS (SELECT * FROM tiny_sales WHERE "City" = \'North\') SELECT "City", SUM("Amount") '
            "FROM tiny_sales GROUP BY 1"
        ),
        _NORTH,
    ),
    "a CTE of a fact's name": (
        (
            'WITH sales AS (SELECT "City", SUM("Amount") AS a FROM tiny_sales '
            'GROUP BY 1), shop AS (SELECT "City" AS c, SUM("Average Amount") AS b '
            'FROM tiny_sales GROUP BY 1) SELECT sales."City", sales.a FROM sales LEFT '
            'JOIN shop ON shop.c = sales."City"'
        ),
        _BY_CITY,
    ),
    "a CTE that nothing uses": (
        'WITH unused AS (SELECT * FROM tiny_sales), also AS (SELECT 1 AS one) SELECT "City", "Amount" FROM tiny_sales',
        _BY_CITY,
    ),
    "CTEs inside subqueries": (
        (
            'SELECT * FROM (WITH t AS (SELECT * FROM tiny_sales) SELECT "City", SUM("Amount") AS a FROM t '
            "GROUP BY 1) q WHERE a > 0"
        ),
        _BY_CITY,
    ),
    "power bi: a base table of more columns than are used": (
        (
            'SELECT "t0"."City" AS "c1", SUM("t0"."Amount") AS "a0" FROM (SELECT "_"."City" AS "City", '
            '"_"."Amount" AS "Amount", '
            '"_"."Month" AS "Month", "_"."Day" AS "Day" FROM "tiny_sales" AS "_") AS "t0" '
            'WHERE "t0"."Month" IN (\'month 1\', \'month 2\') GROUP BY "t0"."City"'
        ),
        f"SELECT s.city, SUM(f.amount) {_DAYS} WHERE d.month IN ('month 1', 'month 2') GROUP BY 1",
    ),
    "power bi: a base table in a base table": (
        (
            'select "b"."c" as "c", sum("b"."m") as "a0" from (select "a"."City" as "c", "a"."Amount" as "m", '
            '"a"."Shop" as "u" from (select "_"."City", '
            '"_"."Amount", "_"."Shop", "_"."Month" from "tiny_sales" "_") "a") "b" group by "b"."c" limit 1000001'
        ),
        _BY_CITY,
    ),
    "power bi: an average stays one": (
        (
            'SELECT t."City", AVG(t."Average Amount") FROM (SELECT "City", "Shop", "Average Amount" '
            'FROM tiny_sales) t GROUP BY t."City"'
        ),
        f"SELECT s.city, AVG(f.amount) {_SHOPS} GROUP BY 1",
    ),
    "superset: a dataset with calculated columns": (
        (
            'SELECT up AS up, SUM("Amount") AS s FROM (SELECT *, UPPER("City") AS up '
            "FROM tiny_sales) AS virtual_table WHERE \"Month\" = 'month 1' "
            "GROUP BY up ORDER BY up"
        ),
        f"SELECT UPPER(s.city), SUM(f.amount) {_DAYS} WHERE d.month = 'month 1' GROUP BY 1",
    ),
    "counts of the rows of an answer": (
        'SELECT COUNT(*) FROM (SELECT "City", "Amount" FROM tiny_sales) q',
        f"SELECT COUNT(*) FROM ({_BY_CITY}) q",
    ),
    "averages of groups": (
        (
            'SELECT AVG(q.a), SUM(q.a) / COUNT(q.a), MAX(q.a) - MIN(q.a) FROM (SELECT "City", SUM("Amount") AS a '
            "FROM tiny_sales GROUP BY 1) q"
        ),
        f"SELECT AVG(q.a), SUM(q.a) / COUNT(q.a), MAX(q.a) - MIN(q.a) FROM ({_BY_CITY}) q",
    ),
    "divisions of two answers": (
        (
            'SELECT a."City", a.x / b.n, a.n / b.n, SUM(a.n) OVER () / 7, b.n / 2.0, (a.n + 1) / (b.n * 2) '
            'FROM (SELECT "City", SUM("Amount") AS x, COUNT(*) AS n '
            'FROM tiny_sales GROUP BY 1) a JOIN (SELECT "City" AS c, SUM("Quantity") AS n FROM tiny_sales '
            'GROUP BY 1) b ON a."City" = b.c'
        ),
        (
            "SELECT a.city, a.x / b.n, TRUNC(a.n / CAST(b.n AS DOUBLE PRECISION)), SUM(a.n) OVER () / CAST(7 AS "
            "DECIMAL), b.n / 2.0, "
            "TRUNC((a.n + 1) / CAST(b.n * 2 AS DOUBLE PRECISION)) "
            f"FROM (SELECT s.city, SUM(f.amount) AS x, COUNT(*) AS n {_SHOPS} GROUP BY 1) a "
            f"JOIN (SELECT s.city AS c, SUM(f.quantity) AS n {_SHOPS} GROUP BY 1) b ON a.city = b.c"
        ),
    ),
    "divisions by CTEs, tables and lists": (
        (
            'WITH t AS (SELECT "City" AS c, SUM("Amount") AS x, COUNT(*) AS n FROM tiny_sales '
            "GROUP BY 1), u AS (SELECT c, n, x FROM t) "
            "SELECT u.c, u.x / k.weight, u.n / k.weight, AVG(u.n) OVER () / 2, (SELECT SUM(n) FROM t) / 1.5 "
            "FROM u JOIN mark k ON k.city = u.c"
        ),
        (
            f"WITH t AS (SELECT s.city AS c, SUM(f.amount) AS x, COUNT(*) AS n {_SHOPS} GROUP BY 1) "
            "SELECT t.c, t.x / k.weight, "
            "TRUNC(t.n / CAST(k.weight AS DOUBLE PRECISION)), AVG(t.n) OVER () / CAST(2 AS DOUBLE PRECISION), "
            "(SELECT SUM(n) FROM t) / 1.5 FROM t JOIN mark k ON k.city = t.c"
        ),
    ),
    "without": (
        'SELECT "City" FROM tiny_sales EXCEPT SELECT "City" FROM tiny_sales WHERE "City" = \'North\'',
        f"SELECT DISTINCT s.city {_SHOPS} WHERE s.city IS DISTINCT FROM 'North'",
    ),
    "in both": (
        'SELECT "City" FROM tiny_sales INTERSECT SELECT city FROM mark',
        f"SELECT DISTINCT s.city {_SHOPS}",
    ),
    "a column for each member": (
        (
            "SELECT q.mo, SUM(CASE WHEN q.c = 'North' THEN q.a END), SUM(q.a) "
            'FROM (SELECT "Month" AS mo, "City" AS c, SUM("Amount") AS a '
            "FROM tiny_sales GROUP BY 1, 2) q GROUP BY 1"
        ),
        f"SELECT d.month, SUM(CASE WHEN s.city = 'North' THEN f.amount END), SUM(f.amount) {_DAYS} GROUP BY 1",
    ),
    "the first row": (
        (
            'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE "City" IS NOT NULL GROUP BY 1 ORDER BY 2 DESC '
            "FETCH FIRST ROW ONLY"
        ),
        _NORTH,
    ),
    "no limit": ('SELECT "City", SUM("Amount") AS a FROM tiny_sales GROUP BY 1 LIMIT ALL', _BY_CITY),
    "laterals of tables": (
        (
            'SELECT q."City", l.n FROM (SELECT "City", SUM("Amount") AS a FROM tiny_sales '
            "GROUP BY 1) q, LATERAL (SELECT q.a + 1 AS n) l"
        ),
        f"SELECT q.city, q.a + 1 FROM ({_BY_CITY}) q",
    ),
}

_REFUSED = {
    'SELECT "Amount" FROM tiny_sales TABLESAMPLE BERNOULLI (10)': "all rows are asked",
    "SELECT a FROM tiny_sales AS t (a)": "under its own names",
    'SELECT a."City", SUM(a."Amount") FROM tiny_sales a JOIN tiny_sales b ON a."City" = b."City" GROUP BY 1': (
        "joins no other model"
    ),
    'SELECT SUM(m."Amount") FROM mark k LEFT JOIN tiny_sales m ON k.city = m."City"': (
        "Put `SELECT … FROM model` into a subquery"
    ),
    'SELECT SUM(m."Amount") FROM tiny_sales m FULL JOIN mark k ON k.city = m."City"': "inner, left and cross joins",
    'SELECT SUM(k.weight) FROM tiny_sales m JOIN mark k ON k.city = m."City"': "no aggregate of the model",
    (
        'SELECT k.colour, m."Amount", k.weight FROM tiny_sales m JOIN mark k ON k.city = m."City" GROUP BY k.colour '
        "HAVING k.city > ''"
    ): "neither selected",
    'SELECT "City", SUM("Amount") FROM tiny_sales JOIN (SELECT "City" FROM tiny_sales) t ON TRUE GROUP BY 1': (
        "several relations"
    ),
    'SELECT m."City" FROM tiny_sales m JOIN mark k ON m."Amount" = k.weight': "condition is on an aggregated value",
    'SELECT m."City", SUM(m."Amount") FROM tiny_sales m NATURAL JOIN mark GROUP BY 1': "inner, left and cross joins",
}


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A tiny star with its model deployed and built, and one more table; nobody changes it."""
    folder = tmp_path_factory.mktemp("joined")
    if request.param == "duckdb":
        yield from _open_star(f"duckdb:///{folder / 'w.duckdb'}", folder)
        return
    with request.getfixturevalue("postgres_database")("joined_models") as url:
        yield from _open_star(url, folder)


def _open_star(warehouse: str, folder: Path) -> Iterator[Workspace]:
    with open_workspace(
        registry=f"sqlite:///{folder / 'r.sqlite'}", warehouse=warehouse, aggregate_schema="aggs"
    ) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL, *_MARKS)
        deploy(opened, tiny_star.write_model(folder / "model"), now=datetime.now(UTC))
        run_batch(opened, "tiny_sales", owner="test")
        yield opened


@pytest.mark.parametrize("case", _ANSWERED.values(), ids=_ANSWERED)
def test_it_is_answered_as_on_the_tables(workspace: Workspace, case: tuple[str, str]) -> None:
    """The rows are the same with aggregates, which serve all of it, and without."""
    sql, equals = case
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(equals)

    for use in (True, False):
        result = answer(workspace, sql, use_aggregates=use)
        assert same_rows(result.rows, wanted) == "", result.plan.sql
        if use and ("SUM" in sql or '"Amount"' in sql):
            assert result.plan.uses_aggregates, result.plan.sql


@pytest.mark.parametrize(("sql", "message"), _REFUSED.items())
def test_what_is_refused_says_what_to_do(workspace: Workspace, sql: str, message: str) -> None:
    """The sentence says what somebody can do."""
    with pytest.raises(QueryError) as caught:
        answer(workspace, sql)

    assert message in str(caught.value)


def test_names_that_the_warehouse_would_cut_are_kept(workspace: Workspace) -> None:
    """Two names that share their first 63 bytes are two columns, inside and in the answer."""
    name = "a name that goes on and on until it is longer than any that is kept whole, number "
    sql = (
        f'SELECT x."{name}1" - x."{name}2" AS "{name}3", x."{name}1" '
        f'FROM (SELECT "City", SUM("Amount") AS "{name}1", SUM("Quantity") AS "{name}2" '
        "FROM tiny_sales WHERE \"City\" = 'North' GROUP BY 1) x"
    )
    for use in (True, False):
        result = answer(workspace, sql, use_aggregates=use)
        plain = answer(
            workspace, 'SELECT SUM("Amount"), SUM("Quantity") FROM tiny_sales WHERE "City" = \'North\''
        ).rows[0]
        assert result.columns == (f"{name}3", f"{name}1")
        assert result.rows == [(plain[0] - plain[1], plain[0])]
