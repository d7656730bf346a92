"""Plain SQL on a star's tables through the router: what is rewritten, what is run as it stands, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import (
    NotRegisteredError,
    PermanentWarehouseError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_JOINED = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
_LEFT = "FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id"
_BOTH = f"{_JOINED} JOIN day d ON d.day_id = f.day_id"

_PIVOT = (
    "SELECT s.city, SUM(CASE WHEN d.month = 'month 1' THEN amount END), COUNT(*) FILTER (WHERE d.month > 'month 1'), "
    "SUM(CASE WHEN d.month IS NULL THEN amount ELSE 0 END), AVG(amount)"
)


def _check(workspace: Workspace, sql: str) -> tuple[list[str | None], str]:
    """The aggregates that answer, and why others do not; the answer is that of the SQL itself."""
    with workspace.warehouse.session() as session:
        names, wanted = session.fetch_with_names(sql)
    result = answer(workspace, sql)
    assert same_rows(result.rows, wanted) == "", result.plan.sql
    assert (result.columns, result.fallback_reason) == (names, "")
    types = [
        sorted({type(row[place]).__name__ for row in rows})
        for rows in (result.rows, wanted)
        for place in range(len(names))
    ]
    assert types[: len(names)] == types[len(names) :]
    assert result.plan.uses_aggregates or result.plan.sql == sql
    return [source.aggregate for source in result.plan.sources], " ".join(result.plan.untouched)


@pytest.mark.parametrize(
    ("sql", "aggregate"),
    [
        (f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY s.city", "by_city"),
        (f"SELECT city AS place, SUM(amount) AS total {_LEFT} GROUP BY place ORDER BY total DESC", "by_city"),
        ("SELECT city, SUM(amount) FROM shop INNER JOIN sales USING (shop_id) GROUP BY 1", "by_city"),
        (f"SELECT SUM(f.amount) {_JOINED}", "by_city"),
        (f"SELECT SUM(f.quantity) {_LEFT}", "by_month"),
        (f"SELECT d.month, AVG(f.amount), COUNT(*) {_BOTH} WHERE s.city = 'North' GROUP BY 1", "by_month_and_city"),
        (
            (
                "SELECT month, SUM(quantity) FROM day AS d, sales AS f, shop AS s WHERE f.shop_id = s.shop_id "
                "AND d.day_id = f.day_id AND (city IS NULL OR city <> 'South') GROUP BY month"
            ),
            "by_month_and_city",
        ),
        (f"SELECT d.day_name, SUM(f.quantity) {_BOTH} AND s.shop_name LIKE 'N%' GROUP BY 1", "by_day_and_shop"),
        (f"SELECT COUNT(DISTINCT s.city), MAX(s.city), SUM(f.amount) {_JOINED}", "by_city"),
        (f"{_PIVOT} {_BOTH} GROUP BY 1", "by_month_and_city"),
        (f"SELECT SUM(CASE WHEN s.city = 'North' THEN 1 ELSE 0 END) AS n {_LEFT} WHERE s.city = 'Nowhere'", "by_city"),
        (f"SELECT DISTINCT s.city {_JOINED}", "by_city"),
        (f'SELECT S.City AS "The City", SUM(Amount) AS TOTAL {_JOINED} GROUP BY 1 ORDER BY 2', "by_city"),
        (f"SELECT s.city, SUM(amount) / COUNT(*) {_JOINED} GROUP BY s.city HAVING SUM(amount) > 0", "by_city"),
        (f"SELECT CASE WHEN city = 'North' THEN 'N' END AS c, MIN(city) {_JOINED} GROUP BY 1", "by_city"),
        (f"WITH t AS (SELECT city, SUM(amount) AS a {_LEFT} GROUP BY 1) SELECT MAX(a) FROM t", "by_city"),
        (f"SELECT s.shop_id, SUM(amount) {_JOINED} GROUP BY s.shop_id", "by_day_and_shop"),
        (f"SELECT s.shop_id, COUNT(*), MIN(s.shop_name) {_LEFT} GROUP BY 1", "by_day_and_shop"),
        (f"SELECT f.shop_id AS shop, s.city, SUM(quantity) {_JOINED} GROUP BY 1, 2 ORDER BY 1 DESC", "by_day_and_shop"),
        (
            f"SELECT s.city, SUM(f.quantity) {_LEFT} WHERE s.shop_id IN (1, 3) OR s.shop_id IS NULL GROUP BY 1",
            "by_day_and_shop",
        ),
        (
            f"SELECT SUM(f.quantity), COUNT(DISTINCT f.shop_id), MAX(f.shop_id) {_JOINED} WHERE f.shop_id < 3",
            "by_day_and_shop",
        ),
        (
            f"SELECT d.day_id + 1 AS n, f.day_id, SUM(quantity) {_BOTH} WHERE f.day_id > 7 GROUP BY 1, 2",
            "by_day_and_shop",
        ),
        (
            f"SELECT s.shop_id, s.shop_name, SUM(CASE WHEN s.shop_id = 2 THEN amount END) {_JOINED} GROUP BY 1, 2",
            "by_day_and_shop",
        ),
        (f"SELECT city, a FROM (SELECT city, SUM(amount) AS a {_JOINED} GROUP BY city) AS t WHERE a > 1", "by_city"),
    ],
)
def test_a_star_is_answered_from_an_aggregate(workspace: Workspace, sql: str, aggregate: str) -> None:
    """Inner and left joins, USING, tables with commas, subqueries; types and names of columns are those of the SQL."""
    assert _check(workspace, sql) == ([aggregate], "")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "SELECT city, SUM(amount) FROM sales RIGHT JOIN shop ON sales.shop_id = shop.shop_id GROUP BY 1",
            "only inner",
        ),
        ("SELECT city, SUM(amount) FROM sales NATURAL JOIN shop GROUP BY city", "only inner and left joins"),
        ("SELECT city, SUM(amount) FROM sales f JOIN shop s ON f.shop_id <= s.shop_id GROUP BY 1", "its joins are not"),
        ("SELECT city, SUM(amount) FROM sales f JOIN shop s ON f.day_id = s.shop_id GROUP BY 1", "its joins are not"),
        ("SELECT SUM(amount) FROM sales f CROSS JOIN shop s", "its joins are not those of model"),
        (
            "SELECT SUM(amount) FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id AND s.city = 'North'",
            "a left join on more than equal columns",
        ),
        (
            "SELECT SUM(amount) FROM sales f JOIN shop s ON f.shop_id = s.shop_id JOIN shop t ON f.shop_id = t.shop_id",
            "its joins are not",
        ),
        (f"SELECT city, SUM(amount * 2) {_JOINED} GROUP BY city", "it does not aggregate one column"),
        (f"SELECT city, SUM(amount) {_JOINED} WHERE quantity > 2 GROUP BY city", "no attribute of the model shows"),
        (f"SELECT COUNT(DISTINCT CASE WHEN city = 'North' THEN amount END) {_JOINED}", "does not aggregate one column"),
        (f"SELECT SUM(CASE WHEN RANDOM() < 2 THEN amount END) {_JOINED}", "it differs from row to row"),
        (f"SELECT f.shop_id, SUM(amount) {_LEFT} GROUP BY f.shop_id", "join `shop` by it, inner"),
        ("SELECT shop_id, SUM(amount) FROM sales GROUP BY shop_id", "join `shop` by it, inner"),
        (f"SELECT city {_JOINED}", "it shows rows, not groups of rows"),
        (f"SELECT city, SUM(amount) {_JOINED} WHERE city IN (SELECT city FROM shop) GROUP BY 1", "not part of the SQL"),
        (f"SELECT city, SUM(amount) OVER () {_JOINED} GROUP BY city, amount", "no attribute of the model shows"),
        (f"SELECT SUM(amount) {_JOINED} GROUP BY ROLLUP (city)", "several levels of totals"),
        (f"SELECT SUM(amount) {_JOINED} WHERE city > 'a' AND random() < 2", "it differs from row to row"),
        (f"SELECT SUM(amount) {_JOINED} GROUP BY UPPER('a')", "it groups by a constant"),
        (f"SELECT month AS city, SUM(amount) {_BOTH} GROUP BY city, month", "names a column of a table and another"),
        (
            "WITH sales AS (SELECT 1 AS shop_id, 2 AS amount) SELECT SUM(amount) FROM sales JOIN shop USING (shop_id)",
            "no table of the warehouse",
        ),
        (
            "SELECT SUM(t.a) FROM (SELECT shop_id AS i, amount AS a FROM sales) t JOIN shop ON i = shop_id",
            "no plain table",
        ),
        (
            "SELECT COUNT(*) FROM aggs.agg_tiny_sales_by_city",
            "no deployed model has its tables",
        ),
    ],
)
def test_what_is_not_proven_is_run_as_it_stands(workspace: Workspace, sql: str, reason: str) -> None:
    """The text is not touched, and the reason is told."""
    aggregates, reasons = _check(workspace, sql)

    assert aggregates == []
    assert reason in reasons


def test_an_understood_star_without_an_aggregate_is_explained_like_a_query_on_the_model(workspace: Workspace) -> None:
    """Explain names the nearest aggregate and its smallest change; the log has the query."""
    sql = f"SELECT s.city, MAX(f.quantity) {_JOINED} GROUP BY s.city"
    tiny_star.run_sql(workspace, "CREATE TABLE other (a INTEGER)")

    plan = explain(workspace, sql)
    answer(workspace, sql)
    answer(workspace, "SELECT COUNT(*) FROM other")

    assert plan.sql == sql
    assert "none of them matches" in plan.verdict(0)
    assert "metric `maximum of quantity`" not in plan.verdict(0)
    (record,) = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)
    assert (record.keys, record.actual[0].fact, record.actual[0].aggregate) == (("City",), "sales", "")


def test_plain_sql_is_remembered_like_any_query(workspace: Workspace) -> None:
    """Both ways have one fingerprint; keys are noted by their attributes, and no values are."""
    sql = f"SELECT f.shop_id, SUM(f.amount) AS a {_JOINED} WHERE s.shop_id = 4242 GROUP BY f.shop_id"
    answer(workspace, sql, user="ann")
    answer(workspace, sql.replace("4242", "3"), use_aggregates=False)

    later, first = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)
    assert first.fingerprint == later.fingerprint
    assert (first.keys, first.predicates, first.metrics) == (("Shop",), ("Shop",), ("Amount",))
    assert (later.keys, later.rows, first.rows, first.user) == (first.keys, 1, 0, "ann")
    assert [source.aggregate for source in (*first.actual, *later.actual)] == ["by_day_and_shop", ""]
    assert "4242" not in repr(first)
    sliced = "SUM(CASE WHEN s.city = 'Nowhere' THEN amount END) AS a, COUNT(*) FILTER (WHERE s.city = 'Nowhere') AS n"
    answer(workspace, f"SELECT {sliced}, MAX(quantity) AS m {_JOINED}", use_aggregates=False)
    record = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)[0]
    assert record.metrics == ("Amount", "", "maximum of quantity")
    assert "Nowhere" not in repr(record)


def test_a_key_that_is_not_unique_multiplies_rows_as_the_sql_says(workspace: Workspace) -> None:
    """A join that meets two rows is not the model's."""
    tiny_star.run_sql(workspace, "INSERT INTO shop VALUES (1, 'North 1b', 'North')")

    aggregates, reasons = _check(workspace, f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY s.city")

    assert aggregates == []
    assert "sales → shop (shop_id)" in reasons


def test_a_dropped_aggregate_falls_back_to_the_sql_itself(workspace: Workspace) -> None:
    """The statement is run as it is written."""
    sql = f"SELECT s.city, SUM(f.amount) AS a {_JOINED} GROUP BY s.city -- by city"
    wanted = answer(workspace, sql, use_aggregates=False)
    router = QueryRouter(workspace)
    planned = router.plan(sql).sources[0].instance_id
    (instance,) = [
        instance
        for instance in workspace.read.instances.serving(workspace.read.models.get("tiny_sales").id)
        if instance.id == planned
    ]
    tiny_star.run_sql(workspace, f'DROP VIEW "aggs"."{instance.step.view}"', f'DROP TABLE "aggs"."{instance.table}"')

    result = router.answer(sql)
    router.close()

    assert sorted(result.rows, key=str) == sorted(wanted.rows, key=str)
    assert wanted.plan.sql == result.plan.sql == sql
    assert str(instance.table) in result.fallback_reason
    record = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)[0]
    assert (record.planned[0].aggregate, record.actual[0].aggregate) == ("by_city", "")
    assert record.fallback_reason == result.fallback_reason


def test_one_plan_serves_all_values(workspace: Workspace) -> None:
    """It also serves queries that are run as they stand, whose reasons quote what was written."""
    with QueryRouter(workspace) as router:
        for city in ("North", "South", "it''s"):
            sql = f"SELECT SUM(f.amount) AS a {_JOINED} WHERE s.city = '{city}'"
            assert router.answer(sql).rows == router.answer(sql, use_aggregates=False).rows
            assert router.plan(sql).uses_aggregates
            sql = f"SELECT SUM(CASE WHEN s.city = '{city}' THEN 1 ELSE 2 END) AS a {_JOINED}"
            untouched = router.plan(sql)
            assert untouched.sql == sql
            assert f"= '{city}'" in untouched.untouched[0]
        assert len(router._plans) == 3


def test_a_model_with_row_security_is_not_asked(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody's rows are shown to somebody else: the warehouse knows who asks, aggregates do not."""
    (tmp_path / "model" / "own_shops.yml").write_text(
        "unique_name: own_shops\nobject_type: row_security\nlabel: Own shops\ndataset: shop\nfilter_key_column: city\n"
        "ids_column: shop_name\nid_type: user\nscope: all\n",
        encoding="utf-8",
    )
    deploy(workspace, tmp_path / "model", now=datetime.now(UTC))

    aggregates, reasons = _check(workspace, f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY s.city")

    assert aggregates == []
    assert "row security" in reasons


def test_a_default_model_is_meant_where_its_tables_are_not(workspace: Workspace) -> None:
    """FROM anything asks the default model; FROM its tables asks the tables."""
    on_model = answer(workspace, 'SELECT "City", "Amount" FROM anything', model="tiny_sales")
    on_tables = answer(workspace, f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY 1", model="tiny_sales")

    assert [plan.sources[0].aggregate for plan in (on_model.plan, on_tables.plan)] == ["by_city", "by_city"]
    assert len(on_tables.rows) == len(on_model.rows)


def test_what_is_neither_model_nor_table_is_an_error(workspace: Workspace) -> None:
    """The error has near names of models or the warehouse's own words; statements that write are not run."""
    with pytest.raises(NotRegisteredError, match="tiny_sales"):
        answer(workspace, "SELECT SUM(amount) FROM tiny_sale")
    with pytest.raises(PermanentWarehouseError, match="nowhere"):
        answer(workspace, "SELECT SUM(amount) FROM sales JOIN nowhere ON true")
    with pytest.raises(PermanentWarehouseError, match="amonut"):
        answer(workspace, "SELECT SUM(amonut) FROM sales")
    with pytest.raises(UnsupportedQueryError, match="no aggregate of the model"):
        answer(workspace, "SELECT SUM(amount) FROM sales JOIN tiny.tiny_sales ON true")
    with pytest.raises(UnreadableQueryError, match="only queries"):
        answer(workspace, "DELETE FROM sales")


@pytest.mark.parametrize(
    ("expression", "aggregate"),
    [
        ("SUM(f.quantity * f.amount)", "by_value"),
        ("SUM((amount * (quantity)))", "by_value"),
        ("SUM(CASE WHEN s.city = 'North' THEN f.amount * f.quantity END)", "by_value"),
        ("SUM(f.quantity * f.amount * 1)", None),
        ("SUM(f.quantity + f.amount)", None),
    ],
)
def test_a_sum_of_an_expression_is_that_of_the_calculated_column_that_equals_it(
    empty_workspace: Workspace, tmp_path: Path, expression: str, aggregate: str | None
) -> None:
    """The order in the product does not matter."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    folder = tiny_star.write_model(tmp_path / "model", {"by_value": (("City",), ("Value",))})
    dataset, model = folder / "dataset_sales.yml", folder / "model.yml"
    column = "  - name: value\n    data_type: decimal(18,2)\n    sql: quantity * amount\n"
    dataset.write_text(dataset.read_text(encoding="utf-8") + column, encoding="utf-8")
    (folder / "value.yml").write_text(
        (
            "unique_name: Value\nobject_type: metric\nlabel: Value\ncalculation_method: sum\ndataset: sales\ncolumn: "
            "value\n"
        ),
        encoding="utf-8",
    )
    text = model.read_text(encoding="utf-8").replace("metrics:\n", "metrics:\n  - unique_name: Value\n", 1)
    model.write_text(text, encoding="utf-8")
    deploy(empty_workspace, folder, now=datetime.now(UTC))
    run_batch(empty_workspace, "tiny_sales", owner="test")

    aggregates, reasons = _check(empty_workspace, f"SELECT s.city, {expression} AS v {_JOINED} GROUP BY 1")

    assert (aggregates, bool(reasons)) == ([aggregate] if aggregate else [], aggregate is None)
