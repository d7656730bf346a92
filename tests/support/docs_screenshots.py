"""Makes the pictures of the documentation: the tutorial in a real Airflow, seen by a real browser.

    python -m tests.support.docs_screenshots FOLDER

What the tutorial says is done first, so a picture shows what its reader gets. Pictures of Superset are made by
`make superset` (``SHOTS=folder``), which installs it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from airflow_processes import LocalAirflow, terminated_by_signals
from playwright.sync_api import Browser, TimeoutError, sync_playwright  # noqa: A004 - of a browser

from tests.support.browser_page import Look, looking
from tests.support.docs.commands import Shell, command_programs
from tests.support.docs.places import Places

_CONNECTION, _MODEL, _DAG = "shops_aggs", "shops", "batch_build_shops"
_SIZE = (1180, 740)
_MOST_BYTES = 200_000
_TRIES = 3
_QUESTIONS = (
    'SELECT "Stores City", "Amount" FROM shops GROUP BY 1',
    'SELECT "Sold On Month", "Products Category", "Amount" FROM shops GROUP BY 1, 2',
    'SELECT "Sold On Year", "Quantity" FROM shops GROUP BY 1',
    'SELECT "Stores", "Sold On Month", "Amount" FROM shops GROUP BY 1, 2 LIMIT 10',
    'SELECT "Products", "Sold On", "Amount" FROM shops GROUP BY 1, 2 LIMIT 10',
)
_ASKED = 'SELECT "Stores City", "Sold On Year", "Amount" FROM shops ORDER BY 1, 2'


@dataclass(frozen=True, slots=True)
class _Tutorial:
    """The Airflow at the tutorial's end.

    Attributes:
        run: the id of the run that built everything.
        batch: the id of its batch.
    """

    airflow: LocalAirflow
    run: str
    batch: str

    def page(self, tab: str = "", **params: str) -> str:
        """The address of a tab of the page, showing the tutorial's model."""
        extra = "".join(f"&{name}={quote(value)}" for name, value in params.items())
        return f"{self.airflow.url}/plugin/aggregates/{tab}?conn={_CONNECTION}&model={_MODEL}{extra}"

    @property
    def run_page(self) -> str:
        """The address of Airflow's page of the run."""
        return f"{self.airflow.url}/dags/{_DAG}/runs/{quote(self.run)}"


@contextlib.contextmanager
def _at_the_end_of_the_tutorial(folder: Path) -> Iterator[_Tutorial]:
    connection = {
        "registry_url": f"sqlite:///{folder / 'atscale_aggs.sqlite'}",
        "warehouse_url": f"duckdb:///{folder / 'warehouse.duckdb'}",
    }
    variables = {
        "AIRFLOW_CONN_SHOPS_AGGS": json.dumps({"conn_type": "atscale_aggs", "extra": connection}),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
    }
    with command_programs() as programs:
        Places(folder.parent, programs, lambda: "").fill_shops(folder)
        with LocalAirflow(folder / "airflow", folder / "dags", variables) as airflow:
            airflow.unpause(_DAG)
            airflow.trigger("load_shops")
            run = str(airflow.wait_for(lambda: _ended_run(airflow), "the batch", 240))
            with contextlib.closing(Shell(folder, programs, {})) as shell:
                for number, question in enumerate(_QUESTIONS):
                    for _ in range(4 - min(number, 3)):
                        shell.run(f"atscale-aggs query '{question}'")
                listed = shell.run("atscale-aggs batches --json 2>/dev/null").output
            yield _Tutorial(airflow, run, json.loads(listed)[0]["id"])


def _ended_run(airflow: LocalAirflow) -> str | None:
    runs = airflow.call("GET", f"dags/{_DAG}/dagRuns?limit=1&order_by=run_after")["dag_runs"]
    return runs[0]["dag_run_id"] if runs and runs[0]["state"] == "success" else None


def _open_definition(look: Look, tutorial: _Tutorial) -> None:
    look.open(tutorial.page("definitions"), shows="sales_by_sold_on_quarter_stores_sold_on_month_and_1_more")
    look.page.get_by_text("sales_by_sold_on_quarter_stores_sold_on_month_and_1_more").first.click()
    look.settle("Why it exists")


def _ask(look: Look, tutorial: _Tutorial) -> None:
    look.open(tutorial.page("ask"), shows="Run")
    box = look.page.get_by_role("textbox", name="Query")
    box.click()
    look.page.keyboard.insert_text(_ASKED)
    look.page.keyboard.press("Control+Enter")
    look.settle("Basel")


_PICTURES: dict[str, Callable[[Look, _Tutorial], None]] = {
    "overview": lambda look, tutorial: look.open(tutorial.page(), shows="Rows by aggregate"),
    "definition": _open_definition,
    "lattice": lambda look, tutorial: look.open(tutorial.page("lattice"), shows="sales_total"),
    "batch": lambda look, tutorial: look.open(tutorial.page("batches", batch=tutorial.batch), shows="Timeline"),
    "ask": _ask,
    "run": lambda look, tutorial: look.open(f"{tutorial.run_page}/plugin/aggregate-batch", shows="Timeline"),
    "tutorial-run": lambda look, tutorial: look.open(tutorial.run_page, shows="sales_total"),
}


def _take(browser: Browser, tutorial: _Tutorial, folder: Path) -> None:
    for name, show in _PICTURES.items():
        file = folder / f"{name}.png"
        with looking(browser, size=_SIZE) as look:
            _shown(show, look, tutorial)
            look.page.wait_for_timeout(500)
            look.page.screenshot(path=str(file))
        print(f"{file}: {file.stat().st_size:,} bytes", flush=True)
        assert file.stat().st_size <= _MOST_BYTES, f"{file} has more than {_MOST_BYTES:,} bytes"


def _shown(show: Callable[[Look, _Tutorial], None], look: Look, tutorial: _Tutorial) -> None:
    """Show a page, and look again where a busy machine is slow to answer for the first time."""
    for tries_left in reversed(range(_TRIES)):
        try:
            show(look, tutorial)
            return
        except TimeoutError:
            if not tries_left:
                raise


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium is installed here; `make chromium` installs Debian's.")
    print("Following the tutorial, whose Airflow the pictures show; the first one comes in two minutes ...", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="pictures") as home,
        terminated_by_signals(),
        _at_the_end_of_the_tutorial(_made(Path(home) / "shops")) as tutorial,
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])) as browser,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        _take(browser, tutorial, folder)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
