"""A query is planned from its text: names are resolved, SELECTs on models planned, and the rest left as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import (
    AtScaleAggsError,
    NotRegisteredError,
    UnreadableQueryError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.lifecycle.query.query_planner import QueryPlanner, Request, check_characters
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars import standing_star
from tests.support.stars.standing_star import MODEL, NOW, build, rows_of

_LONG = "Amount of all that was sold in the shops of the city to people who came from elsewhere"


def _build_with_ratio(workspace: Workspace, folder: Path) -> None:
    """Build the star with a calculated metric."""
    standing_star.lay_tables(workspace, folder)
    model = folder / "model" / "model.yml"
    model.write_text(model.read_text().replace("metrics:\n", "metrics:\n  - unique_name: Price\n", 1))
    mdx = "[Measures].[Amount] / [Measures].[Quantity]"
    text = f"unique_name: Price\nobject_type: metric_calc\nlabel: Price\nexpression: '{mdx}'\n"
    (folder / "model" / "price.yml").write_text(text)
    deploy(workspace, folder / "model", now=NOW)
    build(workspace)


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), _build_with_ratio) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def planner(star: Workspace) -> QueryPlanner:
    return QueryPlanner(star, SnapshotCache(star), WarehouseTables(star))


def _plan(planner: QueryPlanner, sql: str, **options: Any) -> QueryPlan:
    return planner.plan(Request(sql, **options), now=utc_now())


def _aggregates(plan: QueryPlan) -> list[str | None]:
    return [source.aggregate for source in plan.sources]


_JOINED = "FROM sales AS f JOIN shop AS s USING (shop_id)"
_CITIES = f"SELECT s.city, SUM(f.amount) {_JOINED} GROUP BY 1"


@pytest.mark.parametrize(
    ("sql", "aggregates", "by_hand"),
    [
        pytest.param('SELECT "City", "Amount" FROM tiny.tiny_sales', ["by_city"], _CITIES, id="a SELECT on a model"),
        pytest.param(
            'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1',
            ["by_city"],
            _CITIES,
            id="a metric as it is defined",
        ),
        pytest.param(
            'WITH m AS (SELECT "City", "Amount" FROM tiny_sales) SELECT MAX("Amount") FROM m',
            ["by_city"],
            f"SELECT MAX(a) FROM (SELECT SUM(f.amount) AS a {_JOINED} GROUP BY s.city)",
            id="around it SQL stays",
        ),
        pytest.param(
            'WITH sales AS (SELECT "City" AS c, "Amount" AS a FROM tiny_sales) SELECT c, a FROM sales',
            ["by_city"],
            _CITIES,
            id="a CTE that would hide a table of the model",
        ),
        pytest.param(
            'SELECT s.shop_name, m.a FROM shop AS s JOIN (SELECT "Shop" AS n, "Amount" AS a FROM tiny_sales) AS m '
            "ON m.n = s.shop_name",
            ["by_day_and_shop"],
            f"SELECT s.shop_name, SUM(f.amount) {_JOINED} GROUP BY 1",
            id="beside a table of the warehouse",
        ),
        pytest.param(
            'SELECT "City", SUM("Price") AS p FROM (SELECT "City", "Price" FROM tiny_sales) AS t GROUP BY 1',
            ["by_day_and_shop"],
            f"SELECT s.city, SUM(f.amount) / SUM(f.quantity) {_JOINED} GROUP BY 1",
            id="a calculation that a tool sums up",
        ),
        pytest.param(
            'SELECT MAX("Price") AS p FROM (SELECT "City", "Price" FROM tiny_sales) AS t',
            ["by_day_and_shop"],
            f"SELECT MAX(p) FROM (SELECT SUM(f.amount) / SUM(f.quantity) AS p {_JOINED} GROUP BY s.city)",
            id="the greatest of several ratios",
        ),
        pytest.param(
            f"SELECT s.city, SUM(f.amount) AS a {_JOINED} GROUP BY 1", ["by_city"], _CITIES, id="plain SQL on tables"
        ),
        pytest.param("SELECT city FROM shop", [], "SELECT city FROM shop", id="plain SQL as it stands"),
        pytest.param("SELECT 1 AS x UNION ALL SELECT 2 AS x", [], "SELECT 1 UNION ALL SELECT 2", id="no table at all"),
    ],
)
def test_a_query_is_answered_as_by_hand(
    star: Workspace, planner: QueryPlanner, sql: str, aggregates: list[str | None], by_hand: str
) -> None:
    plan = _plan(planner, sql)

    assert _aggregates(plan) == aggregates
    assert same_rows(rows_of(star, plan.sql), rows_of(star, by_hand)) == ""
    from_facts = _plan(planner, sql, use_aggregates=False)
    assert not from_facts.uses_aggregates
    assert same_rows(rows_of(star, from_facts.sql), rows_of(star, by_hand)) == ""


def test_a_plan_knows_what_is_asked(planner: QueryPlanner) -> None:
    plan = _plan(planner, 'SELECT "Month", "Amount", COUNT(*) FROM tiny_sales WHERE "City" = \'North\' GROUP BY 1')

    assert (plan.keys, plan.metrics, plan.predicates) == (("Month",), ("Amount", ""), ("City",))
    assert [snapshot.record.name for snapshot in plan.snapshots] == [MODEL]
    assert plan.model_id == plan.snapshots[0].record.id
    assert plan.meant == ("`tiny_sales` is the model `tiny.tiny_sales`: the warehouse has no table of this name.",)
    assert dict(plan.looked_up) == {(None, None, "tiny_sales"): False}


def test_aggregates_that_are_too_old_do_not_answer(planner: QueryPlanner) -> None:
    sql = 'SELECT "City", "Amount" FROM tiny_sales'

    assert _aggregates(_plan(planner, sql, max_staleness=timedelta(days=1))) == ["by_city"]
    assert _aggregates(_plan(planner, sql, max_staleness=timedelta(0))) == [None]
    plain = f"SELECT s.city, SUM(f.amount) AS a {_JOINED} GROUP BY 1"
    assert _aggregates(_plan(planner, plain, max_staleness=timedelta(0))) == [None]


@pytest.mark.parametrize(
    ("sql", "candidates"),
    [
        ('SELECT "City", "Amount" FROM tiny_sales', [[("by_day_and_shop", Miss.DEARER)]]),
        ('SELECT "Day", "Quantity" FROM tiny_sales', [[("by_city", Miss.ATTRIBUTE_NOT_STORED)]]),
        (f"SELECT s.city, SUM(f.amount) AS a {_JOINED} GROUP BY 1", [[("by_day_and_shop", Miss.DEARER)]]),
        ("SELECT city FROM shop", []),
        ("SELECT relname FROM pg_class", []),
    ],
)
def test_an_explanation_tells_the_other_candidates(
    planner: QueryPlanner, sql: str, candidates: list[list[tuple[str, Miss]]]
) -> None:
    plan = planner.explain(Request(sql), estimate=False, now=utc_now())

    assert [[(c.aggregate, c.miss) for c in of_part] for of_part in plan.candidates] == candidates


def test_a_model_may_be_meant_where_the_query_names_nothing(planner: QueryPlanner) -> None:
    sql = 'SELECT "City", "Amount" FROM facts'

    assert _aggregates(_plan(planner, sql, model=MODEL)) == ["by_city"]
    with pytest.raises(NotRegisteredError, match=r"no table, `facts`\. Did you mean `tiny\.tiny_sales`"):
        _plan(planner, sql)
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        _plan(planner, sql, model="tiny")


@pytest.mark.parametrize(
    ("sql", "options", "error", "message"),
    [
        ('SELECT "Citi" FROM tiny_sales', {}, AtScaleAggsError, "no attribute or metric `Citi`.*Did you mean `City`"),
        ("DELETE FROM tiny_sales", {}, AtScaleAggsError, "tiny_sales"),
        ("SELEKT 1", {}, UnreadableQueryError, "cannot be read"),
        ("", {}, UnreadableQueryError, "cannot be read"),
        ('SELECT "City" FROM tiny_sales', {"dialect": "latin"}, UnreadableQueryError, "no SQL dialect `latin`"),
        (
            "SELECT * FROM tiny_sales JOIN nowhere ON TRUE",
            {},
            NotRegisteredError,
            "the warehouse no table, `nowhere`",
        ),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    planner: QueryPlanner, sql: str, options: dict[str, Any], error: type[AtScaleAggsError], message: str
) -> None:
    with pytest.raises(error, match=message):
        _plan(planner, sql, **options)


def test_plain_sql_of_another_dialect_is_the_warehouses_own(planner: QueryPlanner) -> None:
    """What no parser of the query's dialect can read may be a query of the warehouse."""
    sql = "SELECT * EXCLUDE (city) FROM shop"

    assert _plan(planner, sql, dialect="postgres").sql == sql


def test_what_only_reads_is_run_without_being_understood(planner: QueryPlanner) -> None:
    plan = _plan(planner, "DESCRIBE shop")

    assert (plan.sql, plan.sources, plan.model_id) == ("DESCRIBE shop", (), "")
    assert plan.unread is not None
    assert plan.untouched == (f"{plan.unread.reason}.",)


def test_the_catalog_shows_models(star: Workspace, planner: QueryPlanner) -> None:
    plan = _plan(planner, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tiny'")

    assert plan.untouched == ("it asks for the catalog, which shows models as views.",)
    assert rows_of(star, plan.sql) == [("tiny_sales",)]


def test_what_the_catalog_cannot_say_of_models_is_asked_as_it_stands(planner: QueryPlanner) -> None:
    sql = "SELECT relname FROM pg_class WHERE pg_total_relation_size(oid) > 0"

    assert _plan(planner, sql).sql == sql


@pytest.mark.parametrize(
    ("dialect", "division", "expected"),
    [
        # PostgreSQL's sum of whole numbers of 64 bits is none of these.
        ("postgres", "SUM(q) / 5", 19.6),
        ("postgres", "MAX(q) / 5", 10),
        ("tsql", "SUM(q) / 5", 19),
        ("duckdb", "SUM(q) / 5", 19.6),
    ],
)
def test_a_division_around_a_select_means_what_it_means_in_its_dialect(
    star: Workspace, planner: QueryPlanner, dialect: str, division: str, expected: float
) -> None:
    """98 pieces were sold in shops that are there, 54 of them in the North."""
    sql = f'SELECT {division} AS x FROM (SELECT "City", SUM("Quantity") AS q FROM tiny_sales GROUP BY "City") AS t'

    plan = _plan(planner, sql, dialect=dialect)

    assert [float(value) for (value,) in rows_of(star, plan.sql)] == [pytest.approx(expected)]


def test_names_that_are_too_long_for_the_warehouse_are_cut_and_remembered(
    star: Workspace, planner: QueryPlanner
) -> None:
    """DuckDB keeps 255 bytes."""
    name = f"{_LONG} {_LONG} {_LONG} {_LONG}"
    assert len(name) > 255

    plan = _plan(planner, f'SELECT "Amount" AS "{name}" FROM tiny_sales')

    ((short, full),) = plan.full_names.items()
    assert (full, len(short) <= 255) == (name, True)
    with star.warehouse.session() as session:
        assert session.fetch_with_names(plan.sql)[0] == (short,)
    assert dict(_plan(planner, f'SELECT "Amount" AS "{_LONG}" FROM tiny_sales').full_names) == {}


@pytest.mark.parametrize(("sql", "is_refused"), [("SELECT 'é'", False), ("SELECT 1", False), ("SELECT '\udce9'", True)])
def test_bytes_that_are_no_text_are_refused(planner: QueryPlanner, sql: str, *, is_refused: bool) -> None:
    if not is_refused:
        check_characters(sql)
        return
    with pytest.raises(UnreadableQueryError, match=r"no UTF-8 text. \[SQL: SELECT '\?'\]"):
        check_characters(sql)
    with pytest.raises(UnreadableQueryError, match="no UTF-8 text"):
        planner.explain(Request(sql), estimate=False, now=utc_now())


def test_what_cannot_be_said_in_the_warehouses_sql_is_refused(planner: QueryPlanner) -> None:
    sql = 'SELECT APPROX_TOP_COUNT(x, 2) FROM (SELECT "City" AS x FROM tiny_sales) AS t'

    with pytest.raises(UnsupportedQueryError):
        _plan(planner, sql, dialect="bigquery")
