"""A real Airflow with the demo's data, and a real browser: made once, since both take half a minute."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser_demo import Demo, demo_airflow

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; skipped with the reason where there is none."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        pytest.skip("no Chromium is installed here; `apt-get install chromium`, or name one with CHROMIUM=/path")
    return found


@pytest.fixture(scope="package")
def demo(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The Airflow that ``BROWSER_AIRFLOW`` names, or one of its own."""
    url, warehouse = os.environ.get("BROWSER_AIRFLOW"), os.environ.get("BROWSER_WAREHOUSE")
    if url:
        yield Demo(url.rstrip("/"), Path(warehouse) if warehouse else None)
        return
    is_whole = bool(os.environ.get("BROWSER_LONG"))
    with demo_airflow(tmp_path_factory.mktemp("demo"), is_whole=is_whole) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield running
        running.close()
