"""One SELECT on one model becomes a SELECT on tables, of an aggregate where one serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import SelectPlanner, _are_cheaper
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.semantic_model import RowSecurity
from airflow_atscale_aggs.engine.rewriting.match.fact_cost import FactCost
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import split_by_fact
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import standing_star
from tests.support.stars.small_star import DUCKDB
from tests.support.stars.standing_star import MODEL, NOW, build, definition, rows_of, run_sql

_CALCULATIONS = {
    "Before": "([Calendar].[Calendar levels].CurrentMember.PrevMember, [Measures].[Amount])",
    "Share": "[Measures].[Amount] / ([Shops].[All], [Measures].[Amount])",
}


def _build_with_calculations(workspace: Workspace, folder: Path) -> None:
    """Build the star with calculated metrics."""
    standing_star.lay_tables(workspace, folder)
    model, calendar = folder / "model" / "model.yml", folder / "model" / "calendar.yml"
    listed = "".join(f"  - unique_name: {name}\n" for name in _CALCULATIONS)
    model.write_text(model.read_text().replace("metrics:\n", f"metrics:\n{listed}", 1))
    calendar.write_text(calendar.read_text().replace("type: standard", "type: time"))
    for name, mdx in _CALCULATIONS.items():
        text = f"unique_name: {name}\nobject_type: metric_calc\nlabel: {name}\nexpression: '{mdx}'\n"
        (folder / "model" / f"{name}.yml").write_text(text)
    deploy(workspace, folder / "model", now=NOW)
    build(workspace)


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), _build_with_calculations) as workspace:
        yield workspace


def _snapshot(workspace: Workspace) -> ModelSnapshot:
    return read_model_snapshot(workspace, workspace.read.models.get(MODEL), now=NOW)


@pytest.fixture(scope="module")
def snapshot(star: Workspace) -> ModelSnapshot:
    return _snapshot(star)


def _plan(
    workspace: Workspace,
    snapshot: ModelSnapshot,
    sql: str,
    *,
    since: datetime | None = None,
    use_aggregates: bool = True,
    dialect: str = "postgres",
) -> tuple[SelectPlanner, str]:
    """The planner of a query that is one SELECT on the model, and its SQL on tables."""
    statement = read_statement(sql, dialect=dialect, model=MODEL)
    (select,) = statement.selects
    planner = SelectPlanner(workspace, snapshot, since)
    return planner, render(planner.plan(statement, select, use_aggregates=use_aggregates), DUCKDB)


_JOINED = "FROM sales AS f JOIN shop AS s USING (shop_id) JOIN day AS d USING (day_id)"
_MONTHS = "SELECT d.month, SUM(f.amount) AS amount FROM sales AS f JOIN day AS d USING (day_id) GROUP BY 1"


@pytest.mark.parametrize(
    ("sql", "sources", "by_hand"),
    [
        pytest.param(
            'SELECT "City", "Amount" FROM tiny_sales',
            ["by_city"],
            f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY 1",
            id="the smallest aggregate",
        ),
        pytest.param(
            'SELECT "Month", "Quantity" FROM tiny_sales',
            ["by_day_and_shop"],
            "SELECT d.month, SUM(f.quantity) FROM sales AS f JOIN day AS d USING (day_id) GROUP BY 1",
            id="an attribute that is joined back",
        ),
        pytest.param(
            'SELECT "Average Amount" FROM tiny_sales WHERE "Shop" = \'South\' AND "Month" > \'month 1\'',
            ["by_day_and_shop"],
            f"SELECT AVG(f.amount) {_JOINED} WHERE s.shop_name = 'South' AND d.month > 'month 1'",
            id="a condition on what is stored",
        ),
        pytest.param(
            'SELECT "City", "Amount" FROM tiny_sales GROUP BY ROLLUP("City")',
            ["by_city", "by_city"],
            f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY ROLLUP(s.city)",
            id="two levels of totals",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM tiny_sales", ["by_city"], "SELECT COUNT(*) FROM sales", id="rows of the facts"
        ),
        pytest.param('SELECT "City" FROM tiny_sales', [None], "SELECT DISTINCT city FROM shop", id="members"),
        pytest.param(
            'SELECT COUNT(DISTINCT "City") FROM tiny_sales',
            [None],
            "SELECT COUNT(DISTINCT city) FROM shop",
            id="counted",
        ),
        pytest.param(
            'SELECT "Month", COUNT(DISTINCT "City") AS n, SUM("Amount") AS a FROM tiny_sales GROUP BY 1',
            ["by_day_and_shop"],
            f"SELECT d.month, COUNT(DISTINCT s.city), SUM(f.amount) {_JOINED} GROUP BY 1",
            id="members of each group",
        ),
        pytest.param(
            'SELECT "Month", COUNT(DISTINCT "Day") FROM tiny_sales GROUP BY 1',
            [None],
            "SELECT month, COUNT(DISTINCT day_name) FROM day GROUP BY 1",
            id="members of each member",
        ),
        pytest.param(
            'SELECT "Month", "Before" FROM tiny_sales',
            ["by_day_and_shop", "by_day_and_shop"],
            f"SELECT month, LAG(amount) OVER (ORDER BY month) FROM ({_MONTHS})",
            id="measured at another member",
        ),
        pytest.param(
            'SELECT "Share" FROM tiny_sales WHERE "Shop" = \'South\'',
            ["by_day_and_shop", "by_city"],
            "SELECT SUM(f.amount) FILTER (WHERE shop_id = 3)::DOUBLE / SUM(f.amount) FROM sales AS f",
            id="against all members",
        ),
    ],
)
def test_a_select_is_answered_as_by_hand(
    star: Workspace, snapshot: ModelSnapshot, sql: str, sources: list[str | None], by_hand: str
) -> None:
    planner, text = _plan(star, snapshot, sql)

    assert [source.aggregate for source in planner.sources] == sources
    assert same_rows(rows_of(star, text), rows_of(star, by_hand)) == ""
    from_facts, on_facts = _plan(star, snapshot, sql, use_aggregates=False)
    assert {source.aggregate for source in from_facts.sources} == {None}
    assert same_rows(rows_of(star, on_facts), rows_of(star, by_hand)) == ""


def test_sources_tell_of_the_instance_that_answers(star: Workspace, snapshot: ModelSnapshot) -> None:
    planner, _ = _plan(star, snapshot, 'SELECT "City", "Amount" FROM tiny_sales')

    (source,) = planner.sources
    active = standing_star.serving(star, "by_city")
    assert (source.model, source.fact, source.instance_id, source.rows) == (MODEL, "sales", active.id, 4)
    assert (source.as_of, source.definition_id) == (active.started_at, active.step.definition_id)
    assert source.fact_cost == FactCost(rows=60, cost=60)
    assert planner.model_id == snapshot.record.id


@pytest.mark.parametrize(
    ("dialect", "division", "expected"),
    [
        ("postgres", 'SUM("Quantity") / 5', 10),
        ("tsql", 'SUM("Quantity") / 5', 10),
        ("duckdb", 'SUM("Quantity") / 5', 10.8),
        ("mysql", "SUM(`Quantity`) / 5", 10.8),
        ("tsql", "COUNT(*) / 3", 6),
        ("duckdb", "COUNT(*) / 3", 20 / 3),
        ("tsql", 'SUM("Amount") / 4', 138.75),
        ("tsql", '"Average Amount" / 1', 27.75),
    ],
)
def test_a_division_means_what_it_means_in_the_dialect_of_the_query(
    star: Workspace, snapshot: ModelSnapshot, dialect: str, division: str, expected: float
) -> None:
    """North has 20 sales of 54 pieces for 555.00."""
    city = "`City`" if dialect == "mysql" else '"City"'

    _, text = _plan(star, snapshot, f"SELECT {division} AS x FROM tiny_sales WHERE {city} = 'North'", dialect=dialect)

    assert [float(value) for (value,) in rows_of(star, text)] == [pytest.approx(expected)]


def test_all_columns_are_those_that_rows_of_the_fullest_fact_have(star: Workspace, snapshot: ModelSnapshot) -> None:
    """Metrics that are measured elsewhere than in these rows are not among them."""
    _, text = _plan(star, snapshot, "SELECT * FROM tiny_sales LIMIT 100")
    with star.warehouse.session() as session:
        names, rows = session.fetch_with_names(text)

    assert names == ("Month", "Day", "City", "Shop", "Quantity", "Amount", "Average Amount")
    assert len(rows) == rows_of(star, f"SELECT COUNT(*) {_JOINED}")[0][0]


@pytest.mark.parametrize("sql", ["SELECT * FROM tiny_sales LIMIT 0", "SELECT * FROM tiny_sales WHERE 1 = 0"])
def test_a_question_about_columns_is_answered_without_rows(star: Workspace, snapshot: ModelSnapshot, sql: str) -> None:
    planner, text = _plan(star, snapshot, sql)
    with star.warehouse.session() as session:
        names, rows = session.fetch_with_names(text)

    assert names == ("Month", "Day", "City", "Shop", "Quantity", "Amount", "Average Amount", "Before", "Share")
    assert (rows, planner.sources) == ([], [])


def test_aggregates_that_are_too_old_do_not_answer(star: Workspace, snapshot: ModelSnapshot) -> None:
    since = datetime.now(tz=NOW.tzinfo) + timedelta(days=1)

    planner, _ = _plan(star, snapshot, 'SELECT "City", "Amount" FROM tiny_sales', since=since)

    assert [source.aggregate for source in planner.sources] == [None]
    (candidates,) = planner.candidates(estimate=False)
    assert {candidate.miss for candidate in candidates} == {Miss.STALE}


def _misses(planner: SelectPlanner, *, estimate: bool = False) -> list[tuple[str, Miss, int | None]]:
    (candidates,) = planner.candidates(estimate=estimate)
    return [(candidate.aggregate, candidate.miss, candidate.extra_rows) for candidate in candidates]


def test_others_are_told_with_the_reason_the_nearest_first(star: Workspace, snapshot: ModelSnapshot) -> None:
    planner, _ = _plan(star, snapshot, 'SELECT "City", "Amount" FROM tiny_sales')
    assert _misses(planner) == [("by_day_and_shop", Miss.DEARER, None)]

    planner, _ = _plan(star, snapshot, 'SELECT "Month", "Amount" FROM tiny_sales')
    assert _misses(planner) == [("by_city", Miss.ATTRIBUTE_NOT_STORED, None)]


@pytest.fixture
def narrow_star(tmp_path: Path) -> Iterator[Workspace]:
    """Only ``by_city`` is defined, and built."""
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        wide = definition(workspace, "by_day_and_shop").definition.id
        workspace.registry.definitions.set_status(
            [wide], DefinitionStatus.RETIRED, "", expected=DefinitionStatus.DEFINED, now=NOW
        )
        build(workspace)
        yield workspace


@pytest.mark.parametrize("estimate", [True, False])
def test_the_rows_that_a_change_would_add_are_sketched_when_that_is_asked_for(
    narrow_star: Workspace, *, estimate: bool
) -> None:
    """With months it would have a row for each city in each month."""
    planner, _ = _plan(narrow_star, _snapshot(narrow_star), 'SELECT "Month", "Amount" FROM tiny_sales')

    ((name, miss, extra),) = _misses(planner, estimate=estimate)

    ((groups,),) = rows_of(
        narrow_star,
        "SELECT COUNT(*) FROM (SELECT DISTINCT d.month, s.city FROM sales AS f LEFT JOIN day AS d USING (day_id) "
        "LEFT JOIN shop AS s USING (shop_id))",
    )
    assert (name, miss) == ("by_city", Miss.ATTRIBUTE_NOT_STORED)
    assert extra == (pytest.approx(groups - 4, abs=1) if estimate else None)


def test_a_metric_adds_no_rows(narrow_star: Workspace) -> None:
    planner, _ = _plan(narrow_star, _snapshot(narrow_star), 'SELECT "City", "Quantity" FROM tiny_sales')

    assert _misses(planner, estimate=True) == [("by_city", Miss.METRIC_NOT_STORED, 0)]


def test_a_model_with_row_security_is_not_asked(star: Workspace, snapshot: ModelSnapshot) -> None:
    """Neither the facts nor the aggregates are filtered by the user who asks."""
    security = RowSecurity(
        name="own_shops", dataset="shop", filter_key_column="city", ids_column="city", id_type="user", scope="all"
    )
    secured = replace(snapshot, model=replace(snapshot.model, row_securities={"own_shops": security}))

    with pytest.raises(UnsupportedQueryError, match="row security `own_shops` is not applied"):
        _plan(star, secured, 'SELECT "City" FROM tiny_sales')


def test_facts_that_cannot_be_read_are_told_with_the_reason(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        run_sql(workspace, "ALTER TABLE sales DROP quantity")

        with pytest.raises(UnsupportedQueryError, match="quantity"):
            _plan(workspace, _snapshot(workspace), 'SELECT "City", "Quantity" FROM tiny_sales')


def test_an_attribute_that_can_neither_be_joined_back_nor_read_is_told(tmp_path: Path) -> None:
    """The query is planned on an aggregate first, and on the facts then."""
    with standing_star.open_standing(tmp_path, standing_star.build_aggregates) as workspace:
        run_sql(workspace, "DROP TABLE day", "CREATE TABLE day AS SELECT 1 AS day_id")

        with pytest.raises(UnsupportedQueryError, match="month"):
            _plan(workspace, _snapshot(workspace), 'SELECT "Month", "Quantity" FROM tiny_sales')


def test_a_calendar_whose_table_is_gone_cannot_be_moved_in(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, _build_with_calculations) as workspace:
        run_sql(workspace, "DROP TABLE day")

        with pytest.raises(UnsupportedQueryError, match="day"):
            _plan(workspace, _snapshot(workspace), 'SELECT "Day", "Before" FROM tiny_sales', use_aggregates=False)


def test_a_part_is_planned_on_an_aggregate_alone(star: Workspace, snapshot: ModelSnapshot) -> None:
    """For plain SQL, which is run as it stands where no aggregate serves."""
    sql = 'SELECT "City", "Amount" FROM tiny_sales'
    statement = read_statement(sql, dialect="postgres", model=MODEL)
    query = read_select(statement.selects[0], snapshot.names, snapshot.calculations, dialect="postgres")
    (part,) = split_by_fact(query, snapshot.model, snapshot.paths)
    planner = SelectPlanner(star, snapshot, None)

    composed = planner.plan_on_aggregate(query, part, use_aggregates=True)
    assert isinstance(composed, exp.Select)
    assert rows_of(star, render(composed, DUCKDB)) == rows_of(
        star, f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY 1"
    )
    assert [source.aggregate for source in planner.sources] == ["by_city"]

    assert planner.plan_on_aggregate(query, part, use_aggregates=False) is None
    assert [source.aggregate for source in planner.sources] == [None]


@pytest.mark.parametrize(
    ("cost", "rows", "expected"),
    [
        (FactCost(rows=1000, cost=10, index="shop_id"), 100, True),
        (FactCost(rows=1000, cost=100, index="shop_id"), 100, False),
        pytest.param(FactCost(rows=1000, cost=10), 100, False, id="no index leads there"),
        pytest.param(FactCost(rows=50, cost=10, index="shop_id"), 100, False, id="the estimate is outdated"),
        pytest.param(None, 100, False, id="not known"),
    ],
)
def test_facts_are_cheaper_where_an_index_leads_to_fewer_rows(
    cost: FactCost | None, rows: int, *, expected: bool
) -> None:
    assert _are_cheaper(cost, rows) is expected
