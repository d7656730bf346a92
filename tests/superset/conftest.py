"""The browser of the tests of the page."""

from __future__ import annotations

from tests.browser.conftest import chromium

__all__ = ["chromium"]
