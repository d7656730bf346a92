"""What people do on the page, done in a real Airflow: each deed has its effect there, and is told."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser_demo import Demo
from tests.support.browser_page import Look, in_long_form, looking

pytestmark = [pytest.mark.browser, pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_WAREHOUSE_MILLISECONDS = 60_000


def _definition(demo: Demo, number: int) -> dict[str, str]:
    """One that is active; each test changes another, since they run in any order."""
    rows = demo.get("definitions?sort=name&limit=100")["items"]
    return dict([row for row in rows if row["state"] == "defined"][number])


def _dialog(page: Page) -> Locator:
    return page.get_by_role("alertdialog")


def _button(within: Page | Locator, name: str) -> Locator:
    return within.get_by_role("button", name=name, exact=True)


def _state(demo: Demo, definition: dict[str, str]) -> str:
    return str(demo.get(f"definitions/{definition['id']}")["state"])


def _change(look: Look, verb: str, said: str) -> None:
    _button(look.page.get_by_role("dialog"), verb).click()
    _button(_dialog(look.page), verb).click()
    look.page.get_by_text(said, exact=True).first.wait_for()


def test_a_definition_is_blocked_and_unblocked(demo: Demo, browser: Browser) -> None:
    definition = _definition(demo, 0)
    name = definition["name"]
    with looking(browser) as look:
        look.open(demo.page("definitions", definition=definition["id"]), shows="Why it exists")
        _change(look, "Block", f"Blocked {name}")
        assert _state(demo, definition) == "blocked"
        _change(look, "Unblock", f"Unblocked {name}")
        assert _state(demo, definition) == "defined"
        assert look.faults() == []


@in_long_form
def test_a_recommendation_is_applied_exported_and_known_when_it_is_imported(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    with looking(browser) as look:
        look.open(demo.page("queries"), shows="analyst")
        _button(look.page, "What should be defined?").click()
        # The structure of a model always has something more to recommend; the log may be satisfied.
        structure = look.page.get_by_role("button", name=re.compile("^Look at the model.s structure$"))
        structure.click(timeout=_WAREHOUSE_MILLISECONDS)
        define = look.page.get_by_role("button", name=re.compile("^Define [a-z_]+$")).first
        define.wait_for(timeout=_WAREHOUSE_MILLISECONDS)
        name = str(define.get_attribute("aria-label")).removeprefix("Define ")
        look.shoot("recommendations")
        assert look.faults() == []
        define.click()
        _button(_dialog(look.page), "Define").click()
        expect(_dialog(look.page)).to_have_count(0, timeout=_WAREHOUSE_MILLISECONDS)
        assert name in {row["name"] for row in demo.get(f"definitions?search={name}")["items"]}

        with look.page.expect_download() as download:
            _button(look.page, "Export").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        assert name in file.read_text()
        _button(look.page, "Import").click()
        dialog = look.page.get_by_role("dialog")
        dialog.locator("input[type=file]").set_input_files(file)
        _button(dialog, "Import").click()
        dialog.get_by_text("it is defined here already").first.wait_for()
        look.shoot("import-report")
        assert look.faults() == []


def test_a_query_is_answered_with_its_plan(demo: Demo, browser: Browser) -> None:
    with looking(browser) as look:
        look.open(demo.page("ask"), shows="Run")
        look.page.get_by_role("textbox", name="Query").click()
        look.page.keyboard.insert_text('SELECT "Category", "Store Revenue" FROM retail_demo.retail ORDER BY 2 DESC')
        look.page.keyboard.press("Control+Enter")
        look.page.get_by_text("Books").first.wait_for(timeout=_WAREHOUSE_MILLISECONDS)
        look.shoot("ask-rows")
        look.page.get_by_role("tab", name="Plan").click()
        look.page.get_by_text("store_year_category").locator("visible=true").first.wait_for()
        look.shoot("ask-plan")
        assert look.faults() == []


def test_a_miss_says_why_no_aggregate_answers(demo: Demo, browser: Browser) -> None:
    missed = demo.get("queries?outcome=miss&limit=1")["items"][0]
    with looking(browser) as look:
        look.open(demo.page("queries", query=missed["id"]), shows="Why no aggregate answers")
        look.page.get_by_role("dialog").get_by_text("Sold Day").first.wait_for(timeout=_WAREHOUSE_MILLISECONDS)
        look.settle("Make it a definition")
        look.shoot("miss")
        assert look.faults() == []


@in_long_form
def test_settings_say_where_each_comes_from(demo: Demo, browser: Browser) -> None:
    with looking(browser) as look:
        look.open(demo.page(), shows="Rows by aggregate")
        _button(look.page, "Settings").click()
        drawer = look.page.get_by_role("dialog")
        drawer.get_by_label("Search settings").fill("max.failures")
        drawer.get_by_text("aggregates.batch.max.failures").wait_for()
        look.shoot("settings")
        assert look.faults() == []


@in_long_form
def test_times_are_those_of_the_users_zone(demo: Demo, browser: Browser) -> None:
    batch = demo.get("batches?status=done&limit=1")["items"][0]
    begun = datetime.fromisoformat(batch["created_at"])
    for zone in ("UTC", "Asia/Tokyo"):
        with looking(browser, timezone=zone) as look:
            text = f"{begun.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
            look.open(demo.page("batches", batch=batch["id"]), shows=text)
            assert look.complaints == []
