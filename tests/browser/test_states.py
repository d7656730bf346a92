"""What the page shows when there is nothing, when something is broken, while it waits, and when there is very much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_processes import LocalAirflow
from playwright.sync_api import Browser, expect
from registry_seed import Sizes, seed

from tests.support.browser_demo import Demo
from tests.support.browser_page import NARROW, WIDE, Look, in_long_form, looking

pytestmark = [
    pytest.mark.browser,
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow"),
    in_long_form,
]

_UNREACHABLE = "postgresql+psycopg://reader:password@127.0.0.1:1/registry"
_SIZES = Sizes(models=1, definitions=10_000, batches=300, instances=20_000, queries=20_000)
_ROWS_IN_SIGHT = 100
_LARGE_TABS = {"": "Rows by aggregate", "batches": "Done", "lattice": "Colour by", "queries": "SELECT"}
_NO_SML = "/structure"
"""The seed has no SML, so the API cannot tell the structure of its model."""

_PAINTS = "() => performance.getEntriesByType('paint').map(each => [each.name, each.startTime])"


@pytest.fixture(scope="module")
def bare(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """An Airflow without DAGs and connections."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "dags").mkdir()
    with LocalAirflow(folder / "airflow", folder / "dags") as airflow:
        yield Demo(airflow.url)


def _connect(bare: Demo, name: str, registry: str, folder: Path) -> None:
    extra = {"registry_url": registry, "warehouse_url": f"duckdb:///{folder}/warehouse.duckdb"}
    body = {"connection_id": name, "conn_type": "atscale_aggs", "extra": json.dumps(extra)}
    bare.call("POST", "api/v2/connections", body)


def _disconnect(bare: Demo, name: str) -> None:
    bare.call("DELETE", f"api/v2/connections/{name}")


def _see(look: Look, name: str) -> None:
    for size in (WIDE, NARROW):
        look.page.set_viewport_size({"width": size[0], "height": size[1]})
        look.page.wait_for_timeout(300)
        look.shoot(f"state-{name}-{size[0]}")
        assert look.faults() == []


def test_without_a_model_the_page_tells_what_to_do_first(bare: Demo, browser: Browser, tmp_path: Path) -> None:
    _connect(bare, "empty_aggs", f"sqlite:///{tmp_path}/empty.sqlite", tmp_path)
    try:
        with looking(browser) as look:
            look.open(f"{bare.url}/plugin/aggregates", shows="No model is deployed yet")
            _see(look, "empty")
    finally:
        _disconnect(bare, "empty_aggs")


def test_a_connection_that_is_broken_keeps_its_password(bare: Demo, browser: Browser, tmp_path: Path) -> None:
    _connect(bare, "broken_aggs", _UNREACHABLE, tmp_path)
    try:
        with looking(browser) as look:
            look.open(f"{bare.url}/plugin/aggregates", shows="broken_aggs")
            expect(look.page.locator("body")).not_to_contain_text("reader:password")
            _see(look, "broken")
    finally:
        _disconnect(bare, "broken_aggs")


@pytest.mark.parametrize(("tab", "param"), [("definitions", "definition"), ("batches", "batch")])
def test_what_is_not_there_is_said(demo: Demo, browser: Browser, tab: str, param: str) -> None:
    nowhere = "00000000-0000-0000-0000-000000000000"
    with looking(browser) as look:
        look.page.goto(demo.page(tab, **{param: nowhere}))
        look.page.get_by_role("alert").first.wait_for()
        look.shoot(f"state-not-there-{tab}")
        look.complaints = [said for said in look.complaints if "404" not in said]
        assert look.faults() == []


@pytest.mark.parametrize("tab", ["", "definitions", "lattice", "batches", "queries", "ask"])
def test_a_tab_keeps_its_layout_while_it_waits(demo: Demo, browser: Browser, tab: str) -> None:
    with looking(browser) as look:
        # The models come; everything about one of them is awaited for ever.
        look.page.route("**/atscale_aggs/api/connections/**", lambda _: None)
        look.page.goto(demo.page(tab))
        look.page.get_by_role("link", name="Definitions").first.wait_for()
        look.page.wait_for_timeout(1500)
        look.shoot(f"state-loading-{tab or 'overview'}")
        assert look.faults() == []


def test_a_failing_server_is_told_with_a_way_to_try_again(demo: Demo, browser: Browser) -> None:
    with looking(browser) as look:
        look.page.route("**/atscale_aggs/api/connections/**", lambda route: route.abort())
        look.page.goto(demo.page("definitions"))
        look.page.get_by_role("button", name="Try again").first.wait_for()
        look.shoot("state-no-server")
        look.page.unroute_all()
        look.page.get_by_role("button", name="Try again").first.click()
        look.settle("store_day_article")


def test_ten_thousand_definitions_are_read_as_one_scrolls(bare: Demo, browser: Browser, tmp_path: Path) -> None:
    seed(f"sqlite:///{tmp_path}/large.sqlite", _SIZES)
    _connect(bare, "large_aggs", f"sqlite:///{tmp_path}/large.sqlite", tmp_path)
    try:
        for tab, text in _LARGE_TABS.items():
            with looking(browser) as look:
                look.open(f"{bare.url}/plugin/aggregates/{tab}?conn=large_aggs&model=sales_0", shows=text)
                look.shoot(f"state-large-{tab or 'overview'}")
                assert [said for said in look.faults() if _NO_SML not in said] == []
        with looking(browser) as look:
            look.open(f"{bare.url}/plugin/aggregates/definitions?conn=large_aggs&model=sales_0", shows="of 10,000 rows")
            grid = look.page.get_by_role("grid")
            for _ in range(3):
                grid.locator("[role=row][tabindex='0']").focus()
                look.page.keyboard.press("End")
                look.page.wait_for_timeout(700)
            assert grid.get_by_role("row").count() < _ROWS_IN_SIGHT
            look.shoot("state-large-definitions")
            assert look.faults() == []
    finally:
        _disconnect(bare, "large_aggs")


def test_the_first_paint_is_measured(demo: Demo, browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside Airflow's own list of DAGs, by turns, each with an empty cache: what comes first is Airflow's frame."""
    times: dict[str, list[float]] = {}
    for _ in range(3):
        for name, url in (("Airflow's DAGs", f"{demo.url}/dags"), ("Aggregates", demo.page())):
            with looking(browser) as look:
                look.page.goto(url)
                look.settle("retail" if name == "Airflow's DAGs" else "Rows by aggregate")
                shown = look.page.evaluate("() => performance.now()")
                paints = dict(look.page.evaluate(_PAINTS))
                times.setdefault(f"{name}, first paint", []).append(paints["first-paint"])
                times.setdefault(f"{name}, all of it", []).append(shown)
    with capsys.disabled():
        for name, taken in times.items():
            print(f"\n{name}: {', '.join(f'{time / 1000:.2f} s' for time in sorted(taken))}", end="")
