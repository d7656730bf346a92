"""Every tab of the page in a real Airflow: it opens without a complaint, can be read by everybody, and fits."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from tests.support.browser_demo import BATCH_DAG, Demo
from tests.support.browser_page import NARROW, WIDE, looking

pytestmark = [pytest.mark.browser, pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_TABS = {
    "": "Rows by aggregate",
    "definitions": "store_day_article",
    "lattice": "store_sales",
    "batches": "Done",
    "queries": "SELECT",
    "ask": "The model is one flat table",
}
"""A text of each tab, once it has its data."""

_LOOKS = [("light", WIDE), ("dark", NARROW)]
_MORE_LOOKS = [("light", NARROW), ("dark", WIDE)] if os.environ.get("BROWSER_LONG") else []


def _looks(chosen: list[tuple[str, tuple[int, int]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("theme", "size"), [pytest.param(*look, id=f"{look[0]}-{look[1][0]}") for look in chosen]
    )


looks = _looks(_LOOKS + _MORE_LOOKS)
one_look = _looks(_LOOKS + _MORE_LOOKS if _MORE_LOOKS else _LOOKS[1:])
"""In the short form, what has been seen in one theme and width is believed to look right in others."""


@looks
def test_every_tab_opens(demo: Demo, browser: Browser, theme: str, size: tuple[int, int]) -> None:
    faults = {}
    with looking(browser, size=size, theme=theme) as look:
        look.open(demo.page(), shows=_TABS[""])
        for tab, text in _TABS.items():
            if tab:
                look.page.get_by_role("navigation", name="Aggregates").get_by_role("link", name=tab.title()).click()
                look.settle(text)
            look.shoot(f"{tab or 'overview'}-{theme}-{size[0]}")
            faults[tab] = look.faults()
    assert not any(faults.values()), faults


@one_look
def test_a_definition_opens_in_a_drawer(demo: Demo, browser: Browser, theme: str, size: tuple[int, int]) -> None:
    row = demo.get("definitions?limit=1")["items"][0]
    with looking(browser, size=size, theme=theme) as look:
        look.open(demo.page("definitions", definition=row["id"]), shows="Why it exists")
        look.shoot(f"definition-{theme}-{size[0]}")
        assert look.faults() == []


@one_look
def test_a_batch_opens(demo: Demo, browser: Browser, theme: str, size: tuple[int, int]) -> None:
    batch = demo.get("batches?status=done&limit=1")["items"][0]
    with looking(browser, size=size, theme=theme) as look:
        look.open(demo.page("batches", batch=batch["id"]), shows="Timeline")
        look.shoot(f"batch-{theme}-{size[0]}")
        assert look.faults() == []


@one_look
def test_airflows_own_pages_lead_here(demo: Demo, browser: Browser, theme: str, size: tuple[int, int]) -> None:
    run = f"{demo.url}/dags/{BATCH_DAG}/runs/{quote(demo.first_run())}"
    places = {
        "dag": (f"{demo.url}/dags/{BATCH_DAG}/plugin/aggregates-of-dag", "Last batches"),
        "run": (f"{run}/plugin/aggregate-batch", "Timeline"),
        "task": (f"{run}/tasks/build/mapped/0/plugin/aggregate-instance", "SQL that makes it"),
    }
    faults = {}
    with looking(browser, size=size, theme=theme) as look:
        for place, (url, text) in places.items():
            look.open(url, shows=text)
            look.shoot(f"place-{place}-{theme}-{size[0]}")
            faults[place] = look.faults()
    assert not any(faults.values()), faults
