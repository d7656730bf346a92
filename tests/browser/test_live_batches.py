"""A batch while it runs, after it was canceled, after it has failed, and after it went on, as the page tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser_demo import MODEL, Demo
from tests.support.browser_page import NARROW, Look, looking

pytestmark = [pytest.mark.browser, pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_BUILD_MILLISECONDS = 90_000
_ATTEMPTS = f"models/{MODEL}/settings/aggregates.batch.retry.maxAttemptsPerAggregate"
_BREAK = (
    "ALTER TABLE retail.store_sales RENAME TO store_sales_kept",
    """
    CREATE VIEW retail.store_sales AS
    SELECT * REPLACE (
        CASE WHEN ss_sold_date_sk IS NULL OR ss_item_sk >= 0 THEN CAST(error('no space left') AS INTEGER)
        ELSE ss_quantity END AS ss_quantity
    )
    FROM retail.store_sales_kept
    """,
)
_MEND = ("DROP VIEW retail.store_sales", "ALTER TABLE retail.store_sales_kept RENAME TO store_sales")


@pytest.fixture(autouse=True)
def quiet(demo: Demo) -> Iterator[None]:
    """No batch runs before and after."""
    if demo.warehouse is None:
        pytest.skip("BROWSER_WAREHOUSE does not say where the warehouse's file is")
    demo.wait_for_runs()
    yield
    demo.wait_for_runs()


def _button(within: Page | Locator, name: str) -> Locator:
    return within.get_by_role("button", name=name, exact=True)


def _confirm(look: Look, verb: str) -> None:
    _button(look.page, verb).first.click()
    _button(look.page.get_by_role("alertdialog"), verb).click()


def _build(look: Look, demo: Demo, what: str) -> None:
    """Ask for a full build on the page, which then shows the batch."""
    look.open(demo.page("batches", build=what), shows="Build aggregates of")
    dialog = look.page.get_by_role("alertdialog")
    dialog.get_by_text("Full", exact=True).click()
    _button(dialog, "Build").click()
    look.page.wait_for_url(re.compile("/batches.*batch="))


def _tells_how_far_it_is(page: Page) -> None:
    expect(page.get_by_text("Running", exact=True).first).to_be_visible(timeout=20_000)
    expect(page.get_by_text(re.compile(r"^Building \w+, ")).first).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("It will probably end in .+ at ")).first).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress of the batch")).to_be_visible()


def test_a_batch_is_followed_while_it_runs_and_canceled(demo: Demo, browser: Browser) -> None:
    before = demo.get("batches?limit=1")["items"][0]["id"]
    with looking(browser) as look:
        _build(look, demo, "all")
        batch = demo.newest_batch("in_progress", but=before)
        with demo.holding_warehouse():
            _tells_how_far_it_is(look.page)
            assert re.search(r"\d+ of \d+ built", look.page.locator("main").inner_text())
            look.shoot("live-batch-light-1440")
            assert look.faults() == []
            with looking(browser, theme="dark", size=NARROW) as other:
                other.open(demo.page("batches"), shows="Compare")
                _tells_how_far_it_is(other.page)
                other.shoot("live-batches-dark-420")
                assert other.faults() == []
                other.page.get_by_role("button", name="Open", exact=True).click()
                other.settle("Timeline")
                other.shoot("live-batch-dark-420")
                assert other.faults() == []

            _button(look.page, "Cancel batch").first.click()
            look.page.get_by_role("alertdialog").wait_for()
            look.shoot("live-cancel")
            assert look.faults() == []
            _button(look.page.get_by_role("alertdialog"), "Cancel batch").click()
            look.page.get_by_text("The batch is canceled").first.wait_for()
            expect(look.page.get_by_text("Canceled", exact=True).first).to_be_visible(timeout=20_000)
        expect(_button(look.page, "Cancel batch")).to_have_count(0)
        assert look.faults() == []
    assert demo.get(f"batches/{batch['id']}")["status"] == "cancelled"


def test_a_failed_batch_says_why_leads_to_its_task_and_goes_on(demo: Demo, browser: Browser) -> None:
    name = "store_month_category"
    demo.put(_ATTEMPTS, {"value": 1, "for_all_models": False})
    try:
        with looking(browser) as look:
            with demo.holding_warehouse() as warehouse:
                for statement in _BREAK:
                    warehouse.execute(statement)
            try:
                _build(look, demo, name)
                demo.newest_batch("failed")
                expect(_button(look.page, "Resume")).to_be_enabled(timeout=_BUILD_MILLISECONDS)
                expect(look.page.get_by_role("progressbar", name="Progress of the batch")).to_have_count(0)
                failed = look.page.get_by_role("region", name="What failed")
                expect(failed).to_contain_text("no space left")
                expect(failed.get_by_text("CREATE TABLE")).not_to_be_visible()
                look.settle("What failed")
                look.shoot("failed-batch")
                assert look.faults() == []
                demo.wait_for_runs()
            finally:
                with demo.holding_warehouse() as warehouse:
                    for statement in _MEND:
                        warehouse.execute(statement)
            failed.get_by_role("link", name="Open its task instance to clear it").click()
            look.page.wait_for_url(re.compile(r"/tasks/build/mapped/0$"))
            look.page.go_back()
            look.settle("What failed")
            look.complaints.clear()
            _confirm(look, "Resume")
            look.page.get_by_text("The batch goes on").first.wait_for()
            expect(look.page.get_by_text("Done", exact=True).first).to_be_visible(timeout=_BUILD_MILLISECONDS)
            look.page.get_by_text(f"Only these were asked for: {name}.").wait_for()
            look.shoot("resumed-batch")
            assert look.faults() == []
    finally:
        demo.delete(_ATTEMPTS)
    newest = demo.get("batches?limit=1")["items"][0]
    assert (newest["status"], newest["aggregates"]) == ("done", [name])
