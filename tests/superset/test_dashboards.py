"""Apache Superset, unchanged, in a real browser: connects to `serve`, browses, and draws charts from aggregates.

`make superset` installs it and runs this. ``SHOTS=folder`` writes what is seen.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.stars import retail_model
from tests.support.stars.tpc_data import generate, load_duckdb
from tests.support.superset_server import PASSWORD, USER, reason_without_superset, superset_server

pytestmark = [pytest.mark.superset, pytest.mark.slow]

_NAME = "PostgreSQL"
"""What Superset calls a database of this kind that nobody named."""


@dataclass(frozen=True)
class Chart:
    """A chart as somebody sets it up, and the same question in SQL.

    Attributes:
        form: Superset's settings of the chart.
        sql: the rows that it must draw.
        aggregate: what the answer must come from.
    """

    name: str
    form: dict[str, Any]
    sql: str
    aggregate: str


def _sum(column: str) -> dict[str, Any]:
    return {
        "expressionType": "SIMPLE",
        "column": {"column_name": column},
        "aggregate": "SUM",
        "label": "Revenue",
    }


_CHARTS = (
    Chart(
        "filter",
        {
            "viz_type": "table",
            "query_mode": "aggregate",
            "groupby": ["Category"],
            "metrics": [_sum("Store Revenue")],
            "adhoc_filters": [
                {
                    "expressionType": "SIMPLE",
                    "clause": "WHERE",
                    "subject": "Store State",
                    "operator": "IN",
                    "comparator": ["TN"],
                }
            ],
            "row_limit": 100,
            "order_desc": True,
        },
        """SELECT "Category", "Store Revenue" FROM retail WHERE "Store State" = 'TN'""",
        "store_day_category",
    ),
    Chart(
        "top",
        {
            "viz_type": "echarts_timeseries_bar",
            "x_axis": "Brand",
            "x_axis_sort": "Revenue",
            "x_axis_sort_asc": False,
            "metrics": [_sum("Web Revenue")],
            "row_limit": 5,
            "order_desc": True,
            "orientation": "horizontal",
            "groupby": [],
        },
        'SELECT "Brand", "Web Revenue" FROM retail ORDER BY 2 DESC NULLS LAST LIMIT 5',
        "web_month_brand",
    ),
    Chart(
        "grain",
        {
            "viz_type": "echarts_timeseries_line",
            "x_axis": "Sold Day",
            "time_grain_sqla": "P1M",
            "metrics": [_sum("Store Revenue")],
            "row_limit": 10000,
            "groupby": [],
            "adhoc_filters": [
                {
                    "expressionType": "SIMPLE",
                    "clause": "WHERE",
                    "subject": "Sold Day",
                    "operator": "TEMPORAL_RANGE",
                    "comparator": "1999-01-01 : 2000-01-01",
                }
            ],
        },
        """SELECT DATE_TRUNC('month', "Sold Day"), SUM("Store Revenue") FROM retail
        WHERE "Sold Day" >= DATE '1999-01-01' AND "Sold Day" < DATE '2000-01-01' GROUP BY 1""",
        "store_day_category",
    ),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The retail model with its aggregates on a small TPC-DS."""
    reason = reason_without_superset()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("retail")
    file = folder / "warehouse.duckdb"
    load_duckdb(generate("tpcds", "0.01", folder), file, retail_model.SCHEMA)
    registry, warehouse = f"sqlite:///{folder}/registry.sqlite", f"duckdb:///{file}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggregates") as opened:
        deploy(opened, retail_model.MODEL_FOLDER, now=utc_now())
        run_batch(opened, "retail", owner="test")
        yield opened


@pytest.fixture(scope="module")
def served(workspace: Workspace, postgres_server: str) -> Iterator[Served]:
    with running(workspace, postgres_server, ServerOptions(port=0, without_password=True)) as started:
        yield started


@pytest.fixture(scope="module")
def page(chromium: str, served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Superset in a browser, with somebody signed in."""
    with superset_server(tmp_path_factory.mktemp("superset")) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=url, viewport={"width": 1400, "height": 900})
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/login/")
        page.locator("#username, input[name=username]").fill(USER)
        page.locator("input[type=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "login" not in address)
        yield page
        browser.close()


def _look(page: Page, name: str) -> None:
    folder = os.environ.get("SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"superset_{name}.png"))


def _choose(page: Page, box: str, text: str) -> None:
    """Choose from a list by typing."""
    page.locator(f"{box}:enabled").click(force=True)
    page.keyboard.type(text)
    page.locator(".ant-select-item-option", has_text=text).first.click()


def test_a_database_is_connected_by_its_form(page: Page, served: Served) -> None:
    page.goto("/databaseview/list/")
    page.locator("[data-test=btn-create-database]").click()
    page.get_by_role("button", name=_NAME).first.click()
    values = {
        "e.g. 127.0.0.1": served.host,
        "e.g. 5432": str(served.port),
        "e.g. world_population": "retail_demo",
        "e.g. Analytics": "ann",
    }
    for hint, value in values.items():
        box = page.get_by_placeholder(hint)
        box.fill(value)
        with page.expect_response(lambda response: "validate_parameters" in response.url):
            box.blur()
    _look(page, "connect")

    with page.expect_response(lambda response: response.url.endswith("/api/v1/database/")) as made:
        page.locator(".ant-modal-footer button", has_text="Connect").click()

    assert made.value.status == 201, made.value.text()


def test_the_tables_are_browsed_and_one_is_taken(page: Page) -> None:
    page.goto("/dataset/add/")
    _choose(page, "input[aria-label^='Select database']", _NAME)
    _choose(page, "#select-schema", "public")
    _choose(page, "#select-table", "retail")
    expect(page.get_by_text("Sold Day", exact=True)).to_be_visible()
    _look(page, "table")

    with page.expect_response(lambda response: response.url.endswith("/api/v1/dataset/")) as made:
        page.get_by_role("button", name="Create and explore dataset").click()

    assert made.value.status == 201, made.value.text()


@pytest.mark.parametrize("chart", _CHARTS, ids=[chart.name for chart in _CHARTS])
def test_a_chart_draws_what_the_facts_say_from_an_aggregate(page: Page, workspace: Workspace, chart: Chart) -> None:
    dataset = page.request.get("/api/v1/dataset/").json()["ids"][0]
    form = {**chart.form, "datasource": f"{dataset}__table"}
    kept = page.request.post(
        "/api/v1/explore/form_data",
        data={"datasource_id": dataset, "datasource_type": "table", "form_data": json.dumps(form)},
    )
    with page.expect_response(lambda response: "/api/v1/chart/data" in response.url) as asked:
        page.goto(f"/explore/?form_data_key={kept.json()['key']}&datasource_type=table&datasource_id={dataset}")
    drawn = asked.value.json()["result"][0]
    expect(page.locator("[data-test=chart-container] canvas, [data-test=chart-container] table").first).to_be_visible()
    expect(page.get_by_text(f"{drawn['rowcount']} rows")).to_be_visible()
    page.wait_for_timeout(1500)
    _look(page, chart.name)

    right = answer(workspace, chart.sql, use_aggregates=False)

    assert not right.plan.uses_aggregates
    assert len(right.rows) > 3
    seen = [tuple(row[name] for name in drawn["colnames"]) for row in drawn["data"]]
    assert sorted(map(_plain, seen), key=str) == sorted(map(_plain, right.rows), key=str)
    assert _came_from(page, drawn["query"]) == chart.aggregate


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values as JSON gives them: times as milliseconds, amounts as floats."""
    return tuple(_plain_value(value) for value in row)


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=value.tzinfo or UTC).timestamp() * 1000, 2)
    if isinstance(value, (Decimal, float, int)):
        return round(float(value), 2)
    return value


def _came_from(page: Page, sql: str) -> str:
    """Which aggregate a statement is answered from, as EXPLAIN says it in Superset's own SQL editor."""
    database = page.request.get("/api/v1/database/").json()["ids"][0]
    told = page.request.post(
        "/api/v1/sqllab/execute/",
        data={
            "database_id": database,
            "sql": f"EXPLAIN {sql}",
            "schema": "public",
            "client_id": os.urandom(5).hex(),
            "runAsync": False,
        },
    )
    assert told.ok, told.text()
    text = json.dumps(told.json()["data"])
    found = re.search(r"`(\w+)` answers", text)
    assert found is not None, text
    return found[1]
