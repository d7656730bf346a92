"""A page of Airflow in a browser, as a person looks at it, and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

in_long_form = pytest.mark.skipif(
    not os.environ.get("BROWSER_LONG"), reason="`make browser` looks at this as well, for minutes"
)
"""What takes long and rarely changes is left to `make browser`."""

WIDE, NARROW = (1440, 900), (420, 900)
_NOT_OURS = ("favicon", "monaco", "Download the React DevTools", "net::ERR_ABORTED")
_SERIOUS = {"serious", "critical"}
_OURS = {
    "include": [
        ["main"],
        ["[role=dialog]"],
        ["[role=alertdialog]"],
        ["nav[aria-label=Aggregates]"],
        ["section[aria-label=Aggregates]"],
    ]
}
"""What axe looks at; what is not there is passed over. The navigation at the left is Airflow's."""

_SIDEWAYS = """() => {
  const main = document.querySelector("main, section[aria-label=Aggregates]");
  const parts = {"the window": document.documentElement, "the page": main, "the frame": main?.parentElement};
  return Object.entries(parts)
    .filter(([, part]) => part && part.scrollWidth > part.clientWidth + 1)
    .map(([name, part]) => `${name} (${part.scrollWidth} pixels in ${part.clientWidth})`);
}"""

_NOTHING_FADES = """() => document.getAnimations().every(({ playState, effect }) =>
  playState !== "running" || effect.getComputedTiming().endTime === Infinity)"""


@dataclass
class Look:
    """A page that somebody looks at.

    Attributes:
        complaints: what the console of the browser said: errors and warnings.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str, *, shows: str) -> None:
        """Go to an address; returns when a text is seen there and nothing is being loaded."""
        self.page.goto(url)
        self.settle(shows)

    def settle(self, shows: str) -> None:
        """Wait until a text is seen and nothing is being loaded."""
        self.page.get_by_text(shows).locator("visible=true").first.wait_for(timeout=20_000)
        self.page.wait_for_function("() => document.querySelectorAll('[aria-busy=true]').length === 0", timeout=20_000)
        self.page.wait_for_timeout(300)

    def faults(self) -> list[str]:
        """What is wrong with what is seen: the console's complaints, axe's serious findings, scrolling sideways."""
        self.page.wait_for_function(_NOTHING_FADES, timeout=20_000)  # What fades in has little contrast for a moment.
        found = list(self.complaints)
        for violation in Axe().run(self.page, _OURS).response["violations"]:
            if violation["impact"] in _SERIOUS:
                nodes = "; ".join(node["html"][:200] for node in violation["nodes"][:3])
                found.append(f"axe: {violation['id']}: {violation['help']}: {nodes}")
        found += [f"{part} scrolls sideways" for part in self.page.evaluate(_SIDEWAYS)]
        self.complaints.clear()
        return found

    def shoot(self, name: str) -> None:
        """Write a picture into the folder that ``SHOTS`` names; none without it."""
        folder = os.environ.get("SHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/{name}.png")


@contextlib.contextmanager
def looking(
    browser: Browser, *, size: tuple[int, int] = WIDE, theme: str = "light", timezone: str = "UTC", **options: Any
) -> Iterator[Look]:
    """A window of a size, in light or dark, of somebody who has chosen a time zone in Airflow."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        accept_downloads=True,
        **options,
    )
    kept = {"theme": theme, "timezone": json.dumps(timezone)}
    context.add_init_script(f"Object.assign(localStorage, {json.dumps(kept)})")
    look = Look(context.new_page())
    look.page.on("console", lambda message: _note(look, message))
    look.page.on("pageerror", lambda error: look.complaints.append(f"error: {error}"))
    try:
        yield look
    finally:
        context.close()


def _note(look: Look, message: ConsoleMessage) -> None:
    text = f"{message.type}: {message.text} ({message.location.get('url', '')})"
    if message.type in {"error", "warning"} and not any(part in text for part in _NOT_OURS):
        look.complaints.append(text)
