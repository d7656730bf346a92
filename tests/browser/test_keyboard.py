"""The whole page by the keyboard alone: each tab, what opens in it, and where the focus goes afterwards."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser_demo import Demo
from tests.support.browser_page import Look, looking

pytestmark = [pytest.mark.browser, pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_WAREHOUSE_MILLISECONDS = 60_000
_FOCUSED = """() => {
  const focused = document.activeElement;
  return focused === document.body ? "" : focused.ariaLabel ?? focused.innerText ?? "";
}"""
_ROLE = "() => document.activeElement.getAttribute('role') ?? document.activeElement.tagName.toLowerCase()"
_IN_DIALOG = "() => document.activeElement.closest('[role=alertdialog], [role=dialog]') !== null"


def _focused(look: Look) -> str:
    return " ".join(str(look.page.evaluate(_FOCUSED)).split())


def _press_until(look: Look, key: str, text: str = "", *, role: str = "", most: int = 200) -> None:
    """Press a key until what has the focus says a text, or has a role."""
    seen = []
    for _ in range(most):
        look.page.keyboard.press(key)
        focused = _focused(look)
        seen.append(focused[:40])
        if focused and text in focused and role in {"", look.page.evaluate(_ROLE)}:
            return
    raise AssertionError(f"{key} did not lead to {text or role!r} but through {seen}")


def _go_to(look: Look, tab: str, shows: str) -> None:
    """From anywhere in the page to one of its tabs, whose link then has the focus."""
    _press_until(look, "Shift+Tab", tab, role="a")
    look.page.keyboard.press("Enter")
    look.settle(shows)
    assert _focused(look) == tab, "the focus stays on the tab that was chosen"


def _close(look: Look, back_to: str) -> None:
    """Esc closes what is open, and the focus returns to what opened it."""
    assert look.page.evaluate(_IN_DIALOG)
    look.page.keyboard.press("Escape")
    expect(look.page.locator("[role=alertdialog], [role=dialog]")).to_have_count(0)
    assert back_to in _focused(look)


def test_each_tab_is_used_by_the_keyboard_alone(demo: Demo, browser: Browser) -> None:
    with looking(browser) as look:
        look.open(demo.page(), shows="Rows by aggregate")
        _press_until(look, "Tab", "Definitions")
        look.page.keyboard.press("Enter")
        look.page.get_by_role("grid").wait_for()  # The overview also names aggregates.
        look.settle("store_month_category")
        _definitions(look)
        _lattice(look)
        _batches(look)
        _queries(look)
        _ask(look)
        for button in ("Import", "Settings", "Build now"):
            _press_until(look, "Shift+Tab", button, role="button")
            look.page.keyboard.press("Enter")
            look.page.wait_for_function(_IN_DIALOG)
            _close(look, button)
        assert look.complaints == []


def _definitions(look: Look) -> None:
    """Search, a row, its drawer; a filter; a column."""
    keys = look.page.keyboard
    keys.press("/")
    keys.type("store_day")
    look.page.wait_for_url(lambda url: "search=store_day" in url)
    look.settle("store_day")
    _press_until(look, "Tab", "store_day", role="row")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    keys.press("Enter")
    look.settle("Why it exists")
    _close(look, "store_day")
    _press_until(look, "Shift+Tab", "Status: any")
    keys.press("Enter")
    look.page.get_by_role("menu").wait_for()
    keys.press("ArrowDown")
    keys.press("Enter")
    look.page.wait_for_url(lambda url: "status=" in url)
    keys.press("Escape")


def _lattice(look: Look) -> None:
    """A node, another one beside it, its panel."""
    keys = look.page.keyboard
    _go_to(look, "Lattice", "Colour by")
    look.page.locator("[data-lattice-node]").first.wait_for()
    _press_until(look, "Tab", ", fact", role="button")
    keys.press("ArrowRight")
    keys.press("Enter")
    look.page.get_by_role("button", name="Show all nodes alike").wait_for()
    keys.press("Escape")
    expect(look.page.get_by_role("button", name="Show all nodes alike")).to_have_count(0)


def _batches(look: Look) -> None:
    """A batch and one of its steps, and back to the list."""
    keys = look.page.keyboard
    _go_to(look, "Batches", "Done")
    _press_until(look, "Tab", role="row")
    keys.press("Enter")
    look.settle("Timeline")
    _press_until(look, "Tab", role="row")
    step = _focused(look)
    keys.press("Enter")
    look.page.wait_for_function(_IN_DIALOG)
    look.settle("Attempts")
    _close(look, step)
    _press_until(look, "Shift+Tab", "All batches", role="button")
    keys.press("Enter")
    look.settle("Compare")


def _queries(look: Look) -> None:
    """A query and why it was answered so."""
    _go_to(look, "Queries", "SELECT")
    _press_until(look, "Tab", "SELECT", role="row")
    look.page.keyboard.press("Enter")
    look.page.wait_for_function(_IN_DIALOG)
    _close(look, "SELECT")


def _ask(look: Look) -> None:
    """Write a query, run it, look at its plan; the editor lets one out by Tab."""
    keys = look.page.keyboard
    _go_to(look, "Ask", "The model is one flat table")
    _press_until(look, "Tab", "Query", role="textbox")
    keys.insert_text('SELECT "Category", "Store Revenue" FROM retail_demo.retail ORDER BY 2 DESC')
    keys.press("Control+Enter")
    look.page.get_by_text("Books").first.wait_for(timeout=_WAREHOUSE_MILLISECONDS)
    _press_until(look, "Tab", role="tab")
    keys.press("ArrowRight")
    expect(look.page.get_by_role("tab", name="Plan")).to_have_attribute("aria-selected", "true")
