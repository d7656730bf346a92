"""What names in FROM mean: a model never hides a table of the warehouse, and is found under every name that clients use
for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import (
    NotRegisteredError,
    PermanentWarehouseError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import tiny_star

_TABLE = 'CREATE TABLE tiny_sales ("City" VARCHAR(20), n INTEGER)'
_ROWS = "INSERT INTO tiny_sales VALUES ('Elsewhere', 7), ('Nowhere', 8)"
_BY_CITY = "SELECT s.city, SUM(f.amount) FROM sales f JOIN shop s ON f.shop_id = s.shop_id GROUP BY 1"


def _warehouse_rows(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    with workspace.warehouse.session() as session:
        return session.fetch_all(sql)


def test_a_table_of_the_models_name_is_read_to_the_letter(workspace: Workspace) -> None:
    """Columns of the model's and of the table's name alike; joins, aggregates, subqueries, CTEs, quoted or not."""
    tiny_star.run_sql(workspace, _TABLE, _ROWS)
    for sql in (
        'SELECT "City" FROM tiny_sales ORDER BY 1',
        'SELECT n, "City" FROM "tiny_sales" ORDER BY 1',
        "SELECT COUNT(*) AS n FROM tiny_sales",
        "SELECT t.n, s.shop_name FROM tiny_sales t JOIN shop s ON s.shop_id = t.n - 6 ORDER BY 1",
        'WITH c AS (SELECT * FROM tiny_sales) SELECT MAX(n), MIN("City") FROM c',
        'SELECT * FROM (SELECT "City" FROM tiny_sales WHERE n > 7) AS x',
    ):
        result = answer(workspace, sql)
        assert (result.plan.sql, result.rows) == (sql, _warehouse_rows(workspace, sql))
        assert result.plan.meant == (
            "`tiny_sales` is the warehouse's table. Write `tiny.tiny_sales` for the model of this name.",
        )

    of_model = answer(workspace, 'SELECT "City", "Amount" FROM tiny.tiny_sales')
    assert same_rows(of_model.rows, _warehouse_rows(workspace, _BY_CITY)) == ""
    assert explain(workspace, 'SELECT "Amount" FROM TINY.tiny_sales').meant == (
        "`tiny.tiny_sales` is the model `tiny.tiny_sales`.",
    )


def test_the_model_is_meant_where_there_is_no_table_of_its_name(workspace: Workspace) -> None:
    """Clients put schemas and databases before it, and use any case where the warehouse ignores it."""
    wanted = _warehouse_rows(workspace, _BY_CITY)
    (own_schema, own_base), *_ = _warehouse_rows(workspace, "SELECT current_schema(), current_database()")
    for name in (
        "tiny_sales",
        "tiny.tiny_sales",
        '"public"."tiny_sales"',
        "main.tiny_sales",
        '"dbo"."tiny_sales"',
        f'"{own_schema}"."tiny_sales"',
        f'"{own_base}"."{own_schema}"."tiny_sales"',
        f'"{own_base}"."tiny"."tiny_sales"',
        "Tiny_Sales",
        '"TINY_SALES"',
    ):
        result = answer(workspace, f'SELECT "City", SUM("Amount") AS a FROM {name} AS m GROUP BY 1')
        assert same_rows(result.rows, wanted) == "", name
        assert result.plan.uses_aggregates
        assert "is the model `tiny.tiny_sales`" in result.plan.meant[0]


@pytest.mark.parametrize("name", ["other.tiny_sales", "tiny_sale", '"tiny"."sales"', "tiny.public.tiny_sale"])
def test_other_names_are_nothing(workspace: Workspace, name: str) -> None:
    """A catalog that is not the model's may be that of a model which is not deployed yet."""
    with pytest.raises(NotRegisteredError, match=r"no model, and the warehouse no table.*tiny\.tiny_sales"):
        answer(workspace, f'SELECT "City", "Amount" FROM {name}')


def test_a_view_is_a_table_and_one_that_may_not_be_read_is_there(workspace: Workspace) -> None:
    """A view on a table that is gone hides as well: the warehouse says what is wrong with it."""
    tiny_star.run_sql(workspace, "CREATE TABLE gone (n INTEGER)", "CREATE VIEW tiny_sales AS SELECT n FROM gone")
    assert answer(workspace, "SELECT n FROM tiny_sales").rows == []
    if workspace.warehouse.dialect.name == "duckdb":
        tiny_star.run_sql(workspace, "DROP TABLE gone")
        with pytest.raises(PermanentWarehouseError, match="gone"):
            answer(workspace, "SELECT n FROM tiny_sales")


def test_names_in_another_case_are_other_tables_where_the_warehouse_tells_them_apart(workspace: Workspace) -> None:
    """PostgreSQL does; DuckDB does not."""
    tiny_star.run_sql(workspace, 'CREATE TABLE "Tiny_Sales" (n INTEGER)', 'INSERT INTO "Tiny_Sales" VALUES (1)')
    tells_case = workspace.warehouse.dialect.name == "postgres"

    assert answer(workspace, 'SELECT n FROM "Tiny_Sales"').rows == [(1,)]
    if tells_case:
        assert answer(workspace, 'SELECT "Amount" FROM tiny_sales').plan.uses_aggregates
    else:
        assert answer(workspace, "SELECT n FROM tiny_sales").rows == [(1,)]


@pytest.mark.postgres
@pytest.mark.parametrize("warehouse_url", ["postgres"], indirect=True)
def test_a_table_on_the_search_path_is_there(workspace: Workspace) -> None:
    """It is found wherever PostgreSQL itself would find it."""
    (base,) = _warehouse_rows(workspace, "SELECT current_database()")[0]
    tiny_star.run_sql(
        workspace,
        "CREATE SCHEMA far",
        'CREATE TABLE far.tiny_sales ("City" TEXT)',
        f'ALTER DATABASE "{base}" SET search_path = public, far',
    )
    assert answer(workspace, 'SELECT "City" FROM tiny_sales').rows == []
    assert "is the warehouse's table" in explain(workspace, 'SELECT "City" FROM tiny_sales').meant[0]


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
def test_tables_of_attached_databases_are_there(workspace: Workspace) -> None:
    """They are named by database and schema, or by database alone."""
    tiny_star.run_sql(
        workspace,
        "ATTACH ':memory:' AS tiny",
        "CREATE TABLE tiny.tiny_sales (n INTEGER)",
        "CREATE TABLE tiny.other (n INTEGER)",
    )
    assert answer(workspace, "SELECT n FROM tiny.main.tiny_sales").rows == []
    assert answer(workspace, "SELECT n FROM tiny.other").rows == []
    # Its catalog is named, so the model is meant.
    assert answer(workspace, 'SELECT "Amount" FROM tiny.tiny_sales').plan.uses_aggregates


def test_a_table_that_appears_later_is_seen_within_a_minute(workspace: Workspace) -> None:
    """A router asks the warehouse once a minute, also for plans that it has made already."""
    moment = [datetime(2026, 1, 1, tzinfo=UTC)]
    sql = 'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE "City" = \'North\' GROUP BY 1'
    with QueryRouter(workspace, clock=lambda: moment[0]) as router:
        assert router.plan(sql).uses_aggregates
        tiny_star.run_sql(workspace, _TABLE, 'ALTER TABLE tiny_sales ADD COLUMN "Amount" INTEGER')
        moment[0] += timedelta(seconds=59)
        assert router.plan(sql).uses_aggregates
        moment[0] += timedelta(seconds=2)
        assert router.plan(sql).sql == sql
        tiny_star.run_sql(workspace, "DROP TABLE tiny_sales")
        moment[0] += timedelta(seconds=61)
        assert router.plan(sql).uses_aggregates


def test_the_warehouse_is_not_asked_again_for_each_query(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for one plan of many values, and for plans of other shapes on the same name."""
    with QueryRouter(workspace) as router:
        router.plan('SELECT "Amount" FROM tiny_sales WHERE "City" = \'North\'')
        monkeypatch.setattr(type(workspace.warehouse), "session", None)
        assert router.plan('SELECT "Amount" FROM tiny_sales WHERE "City" = \'South\'').uses_aggregates
        assert router.plan('SELECT "City", "Amount" FROM tiny_sales').uses_aggregates


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1 AS one, 'x' AS two",
        "SELECT version()",
        "SELECT current_schema(), current_database()",
        "VALUES (1), (2)",
        "SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_name = 'nothing'",
        "SELECT 2 UNION ALL SELECT 1",
        "SELECT tablename FROM pg_catalog.pg_tables WHERE tablename = 'sales'",
        "SELECT * FROM generate_series(1, 3) AS g",
        "EXPLAIN SELECT 1",
    ],
)
def test_what_is_about_no_model_is_run_as_it_stands(workspace: Workspace, sql: str) -> None:
    """It is so with a default model as well."""
    wanted = _warehouse_rows(workspace, sql)
    for model in (None, "tiny_sales"):
        result = answer(workspace, sql, model=model)
        assert (result.rows, result.plan.sql, result.plan.uses_aggregates) == (wanted, sql, False)


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "DESCRIBE sales",
        "SUMMARIZE shop",
        "FROM shop",
        "FROM shop SELECT city ORDER BY ALL",
        "PIVOT (SELECT city, shop_id FROM shop) ON city USING COUNT(*)",
        "UNPIVOT (SELECT shop_id, city FROM shop WHERE city IS NOT NULL) ON city INTO NAME n VALUE v",
        "SELECT COUNT() AS n FROM sales",
        "SELECT SUM(f.amount) AS a FROM sales f JOIN shop s ON f.shop_id = s.shop_id WHERE COLUMNS('^city$') = 'North'",
        "SELECT city, SUM(amount) AS a FROM sales JOIN shop USING (shop_id) GROUP BY ALL ORDER BY ALL",
        "SELECT * EXCLUDE (city) FROM shop ORDER BY 1",
        "SELECT DISTINCT ON (city) city, shop_name FROM shop ORDER BY city, shop_name",
        "SELECT city, shop_id FROM shop QUALIFY ROW_NUMBER() OVER (PARTITION BY city ORDER BY shop_id) = 1 ORDER BY 2",
        "SELECT SUM(list_sum(list_transform([amount, 1], lambda x: x + 1))) AS a FROM sales",
        "SELECT s.city, l.n FROM shop s, LATERAL (SELECT s.shop_id + 1 AS n) AS l ORDER BY 2",
        (
            "SELECT city, UNNEST([1, 2]) AS u, SUM(amount) AS a FROM sales JOIN shop USING (shop_id) GROUP BY 1 "
            "ORDER BY ALL"
        ),
        "SELECT s.city, f.amount FROM sales f ASOF JOIN shop s ON f.shop_id >= s.shop_id ORDER BY 1, 2",
        "SELECT COUNT(*) AS n FROM sales USING SAMPLE 100 PERCENT (bernoulli)",
        "SELECT #1, COUNT(*) FROM (SELECT city FROM shop) GROUP BY 1 ORDER BY 2, 1",
        "SELECT * REPLACE (UPPER(city) AS city) FROM shop ORDER BY 1",
    ],
)
def test_what_only_the_warehouse_knows_is_run_as_it_stands(workspace: Workspace, sql: str) -> None:
    """It is DuckDB's own, and no aggregate answers it on a guess."""
    result = answer(workspace, sql)
    assert (result.rows, result.plan.sql, result.fallback_reason) == (_warehouse_rows(workspace, sql), sql, "")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE sales",
        "SELECT * INTO copy FROM sales",
        "EXPLAIN ANALYZE DELETE FROM sales",
        "SELECT 1; DROP TABLE sales",
    ],
)
def test_what_changes_something_is_refused(workspace: Workspace, sql: str) -> None:
    """It is refused also where the parser takes it for something else."""
    with pytest.raises(UnreadableQueryError):
        answer(workspace, sql)
    assert _warehouse_rows(workspace, "SELECT COUNT(*) FROM sales") == [(tiny_star.FACT_ROWS,)]


def test_a_text_without_sense_is_unreadable(workspace: Workspace) -> None:
    """The error has what the warehouse says about it."""
    for sql in ("SELECT FROM WHERE", 'SELECT "Amount" ? , 1 FROM tiny_sales', "SELEC 1"):
        with pytest.raises(UnreadableQueryError, match="cannot be read"):
            answer(workspace, sql)


def test_a_subquery_may_be_a_condition(workspace: Workspace) -> None:
    """It may stand by itself or with others."""
    all_rows = answer(workspace, 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1')
    for condition in ("(SELECT TRUE)", "(SELECT TRUE) AND (SELECT 1 = 1)", "(SELECT COUNT(*) > 0 FROM shop)"):
        filtered = answer(workspace, f'SELECT "City", SUM("Amount") FROM tiny_sales WHERE {condition} GROUP BY 1')
        assert same_rows(filtered.rows, all_rows.rows) == ""
    assert answer(workspace, 'SELECT "City" FROM tiny_sales WHERE (SELECT FALSE) GROUP BY 1').rows == []


def test_a_function_named_like_a_statement_is_refused(workspace: Workspace) -> None:
    """DuckDB does not read it; PostgreSQL has no such function."""
    with pytest.raises(
        (UnreadableQueryError, PermanentWarehouseError), match=r"no query of the warehouse|does not exist"
    ):
        answer(workspace, "SELECT ATTACH ()")


def test_models_and_tables_stand_in_one_statement(workspace: Workspace) -> None:
    """Each is answered from where it is; a name that is nothing is said."""
    sql = (
        'SELECT x.c, x.a, y.n FROM (SELECT "City" AS c, SUM("Amount") AS a FROM tiny_sales GROUP BY 1) x '
        "JOIN (SELECT city, COUNT(*) AS n FROM shop GROUP BY 1) y ON y.city = x.c"
    )
    wanted = (
        f"SELECT x.city, x.a, y.n FROM ({_BY_CITY.replace('SUM(f.amount)', 'SUM(f.amount) AS a')}) x "
        "JOIN (SELECT city, COUNT(*) AS n FROM shop GROUP BY 1) y ON y.city = x.city"
    )
    result = answer(workspace, sql)
    assert same_rows(result.rows, _warehouse_rows(workspace, wanted)) == ""
    assert [source.aggregate for source in result.plan.sources] == ["by_city"]
    with pytest.raises(NotRegisteredError, match="the warehouse no table, `shops`"):
        answer(workspace, sql.replace("FROM shop ", "FROM shops "))


def test_levels_of_totals_on_tables_are_explained(workspace: Workspace) -> None:
    """ROLLUP is run as it stands, and said to be what it is."""
    sql = "SELECT s.city, SUM(f.amount) AS a FROM sales f JOIN shop s ON f.shop_id = s.shop_id GROUP BY ROLLUP (s.city)"
    result = answer(workspace, sql)
    assert (same_rows(result.rows, _warehouse_rows(workspace, sql)), result.plan.sql) == ("", sql)
    assert "several levels of totals" in result.plan.untouched[0]


def test_instants_with_a_time_zone_are_answered(workspace: Workspace) -> None:
    """DuckDB's driver needs pytz for them."""
    ((moment,),) = answer(workspace, "SELECT TIMESTAMPTZ '2024-03-30 23:30:00+00' AS t").rows
    assert moment == datetime(2024, 3, 30, 23, 30, tzinfo=UTC)


def test_the_catalog_shows_models_as_views(workspace: Workspace) -> None:
    """They have the types of their answers, and stand beside the warehouse's own tables."""
    of_model = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'tiny_sales' "
        "ORDER BY ordinal_position"
    )
    rows = [(name, column, kind.casefold()) for name, column, kind in answer(workspace, of_model).rows]
    assert [column for _, column, _ in rows] == ["Month", "Day", "City", "Shop", "Quantity", "Amount", "Average Amount"]
    kinds = {column: kind for _, column, kind in rows}
    assert kinds["City"] in {"varchar", "character varying", "text"}
    assert kinds["Average Amount"] in {"double", "double precision"}

    both = (
        "SELECT t.table_name, t.table_type FROM information_schema.tables AS t "
        "WHERE LOWER(t.table_name) IN ('tiny_sales', 'sales') ORDER BY 1"
    )
    assert answer(workspace, both).rows == [("sales", "BASE TABLE"), ("tiny_sales", "VIEW")]
    own = "SELECT COUNT(*) AS n FROM information_schema.columns WHERE table_name = 'shop'"
    assert answer(workspace, own).rows == _warehouse_rows(workspace, own)
    assert "shows models as views" in explain(workspace, own).untouched[0]


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ('PIVOT tiny_sales ON "City" USING SUM("Amount")', "`PIVOT` is not answered"),
        ("/* how big? */ SUMMARIZE tiny.tiny_sales", "`SUMMARIZE` is not answered"),
        ('EXPLAIN SELECT "Amount" FROM tiny_sales', "atscale-aggs explain"),
    ],
)
def test_what_is_no_query_on_a_model_is_refused_by_name(workspace: Workspace, sql: str, clause: str) -> None:
    """The error is one sentence of ours, not the warehouse's about a table that it lacks; `explain` says it as well."""
    for ask in (answer, explain):
        with pytest.raises(UnsupportedQueryError, match="is a model, and a model is asked by SELECT alone") as refused:
            ask(workspace, sql)
        assert clause in str(refused.value)


def test_what_is_no_query_on_a_table_is_explained(workspace: Workspace) -> None:
    """It is explained also where the table has the model's name, or a column has it."""
    tiny_star.run_sql(workspace, _TABLE, "CREATE TABLE spread (tiny_sales INTEGER)")
    for sql in ("DESCRIBE tiny_sales", "PIVOT spread ON tiny_sales"):
        assert "is not a query" in explain(workspace, sql).untouched[0]
