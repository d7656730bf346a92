"""Plain SQL on the tables of a star: its SELECTs are answered from aggregates where that is proven to be the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.query.plain_planner import PlainPlan, PlainPlanner, PlainText
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.semantic_model import RowSecurity
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import standing_star
from tests.support.stars.small_star import DUCKDB
from tests.support.stars.standing_star import MODEL, NOW, rows_of, run_sql


def _snapshot(workspace: Workspace) -> ModelSnapshot:
    return read_model_snapshot(workspace, workspace.read.models.get(MODEL), now=NOW)


@pytest.fixture(scope="module")
def snapshot(asked_star: Workspace) -> ModelSnapshot:
    return _snapshot(asked_star)


def _read(workspace: Workspace, sql: str) -> PlainText | None:
    return PlainPlanner(workspace, WarehouseTables(workspace)).read(sql)


def _plan(
    workspace: Workspace,
    sql: str,
    *snapshots: ModelSnapshot,
    since: datetime | None = None,
    use_aggregates: bool = True,
) -> PlainPlan:
    planner = PlainPlanner(workspace, WarehouseTables(workspace))
    text = planner.read(sql)
    assert text is not None
    assert text.root is not None
    return planner.plan(sql, text.root, snapshots, since=since, written=sql, use_aggregates=use_aggregates)


def _rewritten(plan: PlainPlan) -> str:
    """The SQL with what takes the place of its SELECTs."""
    return render(plan.statement.replace_selects(lambda number, _: plan.composed[number]), DUCKDB)


_JOINED = "FROM sales AS f JOIN shop AS s ON f.shop_id = s.shop_id"


@pytest.mark.parametrize(
    ("sql", "aggregates"),
    [
        (f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY s.city", ["by_city"]),
        (f"SELECT city, COUNT(*) AS n {_JOINED} WHERE city <> 'South' GROUP BY 1", ["by_city"]),
        (f"SELECT s.shop_name, AVG(f.amount) {_JOINED} GROUP BY 1", ["by_day_and_shop"]),
        ("SELECT SUM(quantity) FROM sales", ["by_day_and_shop"]),
        # Each SELECT by itself; the SQL around it stays.
        (
            f"WITH t AS (SELECT city, SUM(amount) AS a {_JOINED} GROUP BY 1) SELECT MAX(a), MIN(city) FROM t",
            ["by_city"],
        ),
        (
            "SELECT SUM(amount) AS a FROM sales UNION ALL SELECT SUM(quantity) AS a FROM sales",
            ["by_city", "by_day_and_shop"],
        ),
        ("SELECT month FROM day WHERE day_id = (SELECT COUNT(*) / 20 AS n FROM sales)", ["by_city"]),
    ],
)
def test_a_select_on_a_star_is_answered_from_an_aggregate(
    asked_star: Workspace, snapshot: ModelSnapshot, sql: str, aggregates: list[str]
) -> None:
    plan = _plan(asked_star, sql, snapshot)

    assert [source.aggregate for source in plan.sources if source.aggregate] == aggregates
    assert '"aggs"."as_agg_' in _rewritten(plan)
    assert same_rows(rows_of(asked_star, _rewritten(plan)), rows_of(asked_star, sql)) == ""


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT SUM(amount) FROM sales AS f JOIN shop AS s ON f.day_id = s.shop_id", "its joins are not those of"),
        ("SELECT SUM(amount) FROM sales AS f JOIN shop AS s ON f.shop_id < s.shop_id", "its joins are not those of"),
        ("SELECT SUM(amount) FROM sales AS s JOIN shop AS s ON TRUE", "two of its tables have one name"),
        ("SELECT SUM(amount) FROM sales TABLESAMPLE (10 PERCENT)", "it is no plain table"),
        ("SELECT SUM(a) FROM sales AS t(d, s, q, a)", "it is no plain table"),
        ("SELECT SUM(amount) FROM sales, (SELECT 1 AS x)", "it is no plain table"),
        ("SELECT SUM(amount) FROM sales JOIN nothing USING (day_id)", "it is no table of the warehouse"),
        (
            "WITH shop AS (SELECT 1 AS shop_id) SELECT SUM(amount) FROM sales JOIN shop USING (shop_id)",
            "it is no table",
        ),
        ("SELECT COUNT(*) FROM duckdb_tables() AS t, sales", "it is no table of the warehouse"),
        ("SELECT city FROM shop", "it shows rows, not groups of rows"),
        ("SELECT 1 WHERE 60 = (SELECT COUNT(*) FROM sales)", "its column has no name of its own"),
    ],
)
def test_what_is_not_proven_is_run_as_it_stands_for_a_reason(
    asked_star: Workspace, snapshot: ModelSnapshot, sql: str, reason: str
) -> None:
    plan = _plan(asked_star, sql, snapshot)

    assert (plan.composed, plan.statement.selects) == ([], ())
    assert reason in plan.untouched[-1]


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "WITH t AS (SELECT 1 AS x) SELECT x FROM t", "SELECT x FROM (SELECT 1 AS x) AS t"]
)
def test_a_select_on_no_table_needs_no_reason(asked_star: Workspace, snapshot: ModelSnapshot, sql: str) -> None:
    plan = _plan(asked_star, sql, snapshot)

    assert (plan.composed, plan.untouched, plan.planners, plan.sources) == ([], [], [], [])


def test_a_table_that_belongs_to_no_model_is_told(asked_star: Workspace, snapshot: ModelSnapshot) -> None:
    sql = "SELECT COUNT(*) FROM aggs.agg_tiny_sales_by_city"

    assert _plan(asked_star, sql, snapshot).untouched == [
        f"`{sql}`: no deployed model has its tables joined in this way."
    ]
    long = f"SELECT {', '.join(['1'] * 50)} FROM aggs.agg_tiny_sales_by_city"
    assert _plan(asked_star, long).untouched[0].startswith(f"`{long[:100]}…`: ")


def test_a_model_with_row_security_answers_nothing(asked_star: Workspace, snapshot: ModelSnapshot) -> None:
    """Another model of the same tables may."""
    security = RowSecurity(
        name="own", dataset="shop", filter_key_column="city", ids_column="city", id_type="user", scope="all"
    )
    secured = replace(snapshot, model=replace(snapshot.model, row_securities={"own": security}))
    sql = "SELECT SUM(amount) FROM sales"

    plan = _plan(asked_star, sql, secured)
    assert plan.untouched == ["`tiny_sales`: the model has row security, which aggregates do not know."]
    assert [source.aggregate for source in _plan(asked_star, sql, secured, snapshot).sources] == ["by_city"]


@pytest.mark.parametrize(
    ("since", "use_aggregates"),
    [
        pytest.param(timedelta(days=1), True, id="aggregates are too old"),
        pytest.param(None, False, id="nobody wants them"),
    ],
)
def test_a_query_that_is_understood_may_be_answered_from_the_facts(
    asked_star: Workspace, snapshot: ModelSnapshot, since: timedelta | None, *, use_aggregates: bool
) -> None:
    """It is run as it stands, and known to the log."""
    moment = None if since is None else datetime.now(tz=NOW.tzinfo) + since

    plan = _plan(asked_star, "SELECT SUM(amount) FROM sales", snapshot, since=moment, use_aggregates=use_aggregates)

    assert (plan.composed, plan.untouched) == ([], [])
    assert [(source.fact, source.aggregate) for source in plan.sources] == [("sales", None)]
    assert [query.metrics for query in plan.queries] == [("Amount",)]


def test_other_candidates_are_told_for_each_source(asked_star: Workspace, snapshot: ModelSnapshot) -> None:
    plan = _plan(asked_star, f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY 1", snapshot)

    candidates = plan.candidates(estimate=False)

    assert [[(c.aggregate, c.miss) for c in of_source] for of_source in candidates] == [
        [("by_day_and_shop", Miss.DEARER)]
    ]


def test_a_join_that_may_meet_several_rows_is_not_answered(tmp_path: Path) -> None:
    """It multiplies rows, and no aggregate says how often."""
    with standing_star.open_standing(tmp_path, standing_star.build_aggregates) as workspace:
        snapshot = _snapshot(workspace)
        run_sql(workspace, "INSERT INTO shop VALUES (1, 'twice', 'North')")

        plan = _plan(workspace, f"SELECT SUM(f.amount) {_JOINED}", snapshot)

    assert plan.composed == []
    assert plan.untouched == ["`sales → shop (shop_id)`: the data does not prove that it meets one row at the most."]


def test_columns_without_a_name_have_the_warehouses(asked_star: Workspace, snapshot: ModelSnapshot) -> None:
    sql = f"SELECT s.city, SUM(f.amount), COUNT(*) AS n {_JOINED} GROUP BY s.city"

    plan = _plan(asked_star, sql, snapshot)

    with asked_star.warehouse.session() as session:
        names, _ = session.fetch_with_names(_rewritten(plan))
        assert names == session.fetch_with_names(sql)[0] == ("city", "sum(f.amount)", "n")


def test_a_query_that_the_warehouse_refuses_is_left_to_it(asked_star: Workspace, snapshot: ModelSnapshot) -> None:
    plan = _plan(asked_star, "SELECT SUM(nothing) FROM sales", snapshot)

    assert plan.composed == []
    assert "the warehouse refuses it: " in plan.untouched[0]


@pytest.mark.parametrize(
    ("sql", "is_plain"),
    [
        ("SELECT * FROM shop", True),
        ("SELECT 1", True),
        ("SELECT * FROM shop, nothing", True),
        ("SELECT * FROM nothing", False),
        ("SELECT * FROM tiny_sales", False),
        # A view of the catalog is there for queries.
        ("SELECT * FROM duckdb_tables", True),
    ],
)
def test_a_query_is_plain_when_the_warehouse_has_one_of_its_tables(
    asked_star: Workspace, sql: str, *, is_plain: bool
) -> None:
    text = _read(asked_star, sql)

    assert (text is not None and text.root is not None) is is_plain


@pytest.mark.parametrize(
    ("sql", "is_run"),
    [("DESCRIBE shop", True), ("SUMMARIZE shop", True), ("SELECT FROM WHERE", True), ("DROP TABLE shop", False)],
)
def test_what_the_parser_cannot_read_is_run_as_it_stands_if_it_only_reads(
    asked_star: Workspace, sql: str, *, is_run: bool
) -> None:
    text = _read(asked_star, sql)

    assert (text is not None) is is_run
    assert text is None or (text.root is None and text.unread is not None)
