"""The batch DAG in a real Airflow: scheduler, dag processor, triggerer, API server as processes.

One aggregate is made to fail: the batch stays unfinished and the old instances serve. Clearing that one task instance,
as the UI's Clear dialog does, rebuilds only it, and the batch activates.
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.stars import tiny_star

PostgresDatabase = Callable[[str], AbstractContextManager[str]]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_DAG_ID = "batch_build_tiny_sales"
_ATTRIBUTES = ("Day", "Month", "Shop", "City")
_FEW = ("month_amount", "shop_amount", "day_shop_quantity")
_METRICS = ("Quantity", "Amount", "Average Amount")
_PASSWORD = "correct horse"
_BREAK_QUANTITY = (
    "ALTER TABLE sales RENAME TO sales_table",
    """
    CREATE VIEW sales AS SELECT
        day_id, shop_id, amount,
        CASE WHEN day_id >= 0 THEN CAST(error('no quantity') AS INTEGER) ELSE quantity END AS quantity
    FROM sales_table
    """,
)
_MEND_QUANTITY = ("DROP VIEW sales", "ALTER TABLE sales_table RENAME TO sales")
_DAG_FILE = """\
from airflow.sdk import DAG, Asset, task
from airflow_atscale_aggs.assets.activated import aggregate_asset
from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregates import TriggerBatchBuildOperator
from airflow_atscale_aggs.sensors.batch_build import BatchBuildSensor

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny", models_folder={folder!r})

with DAG("etl", schedule=None) as etl:
    TriggerBatchBuildOperator(task_id="trigger", model="tiny_sales", aggregates=["month_amount"], poke_interval=1)

with DAG("dashboard", schedule=[aggregate_asset("tiny_sales", "month_amount")]) as dashboard:
    BatchBuildSensor(
        task_id="wait", model="tiny_sales", aggs_conn_id="tiny", since="2026-01-01T00:00:00+00:00", timeout=180
    )
"""


def _many_aggregates() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Twenty-one aggregates of single attributes and pairs, with every choice of metrics that differs in meaning."""
    grains = [(a,) for a in _ATTRIBUTES] + [("Day", "Shop"), ("Month", "City"), ("Day", "City")]
    return {
        f"{'_'.join(grain).lower()}_{metric.lower().replace(' ', '_')}": (grain, (metric,))
        for grain in grains
        for metric in _METRICS
    }


class _Place:
    """A star, its model, a registry, and an Airflow that builds it."""

    def __init__(self, folder: Path, metadata: str) -> None:
        self.warehouse_file = folder / "warehouse.duckdb"
        self.registry = f"sqlite:///{folder / 'registry.sqlite'}"
        self.warehouse = f"duckdb:///{self.warehouse_file}"
        tiny_star.write_model(folder / "model", _many_aggregates())
        self.run_sql(*tiny_star.SETUP_SQL)
        (folder / "dags").mkdir()
        (folder / "dags" / "tiny.py").write_text(_DAG_FILE.format(folder=str(folder / "model")))
        extra = {"registry_url": self.registry, "warehouse_url": self.warehouse, "aggregate_schema": "aggs"}
        variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
        self.airflow = LocalAirflow(folder / "home", folder / "dags", variables, database=metadata, password=_PASSWORD)

    def run_sql(self, *statements: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.warehouse_file)) as connection:
            for statement in statements:
                connection.execute(statement)
            return connection.fetchall() if statements[-1].lstrip().upper().startswith("SELECT") else []

    def run_to_end(self, *aggregates: str) -> tuple[str, str]:
        run_id = self.airflow.trigger(_DAG_ID, {"aggregates": list(aggregates)})
        return run_id, self.wait_for_end(run_id)

    def wait_for_end(self, run_id: str) -> str:
        def end_state() -> str | None:
            state = self.airflow.run_state(_DAG_ID, run_id)
            return state if state in {"success", "failed"} else None

        return str(self.airflow.wait_for(end_state, "the run to end", 180))

    def states(self, run_id: str) -> dict[tuple[str, int], tuple[str, int]]:
        """(task, map index) to (state, try number)."""
        return {
            (task["task_id"], task["map_index"]): (task["state"], task["try_number"])
            for task in self.airflow.task_instances(_DAG_ID, run_id)
        }

    def clear(self, run_id: str, *tasks: tuple[str, int] | str, downstream: bool = True) -> None:
        """Clear tasks as the dialog of a task instance does by default."""
        self.airflow.call(
            "POST",
            f"dags/{_DAG_ID}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "include_downstream": downstream,
                "only_failed": False,
                "prevent_running_task": False,
                "task_ids": [list(task) if isinstance(task, tuple) else task for task in tasks],
            },
        )

    def log(self, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> str:
        """The text of a task's log."""
        path = f"dags/{_DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        return json.dumps(self.airflow.call("GET", path))

    def errors(self, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> list[str]:
        """The errors in a task's log, each of which Airflow shows with its traceback."""
        path = f"dags/{_DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        entries = self.airflow.call("GET", path)["content"]
        return [detail["exc_value"] for entry in entries for detail in entry.get("error_detail") or ()]

    def active_tables(self) -> dict[str, str]:
        """Aggregate to the physical table that serves."""
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            model = workspace.read.models.get("tiny_sales")
            return {
                instance.step.aggregate: str(instance.table) for instance in workspace.read.instances.serving(model.id)
            }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres_database: PostgresDatabase) -> Iterator[_Place]:
    with postgres_database("airflow_metadata") as metadata:
        opened = _Place(tmp_path_factory.mktemp("airflow"), metadata)
        with opened.airflow:
            opened.run_to_end()
            yield opened


def test_a_failed_aggregate_is_repaired_by_clearing_its_task(place: _Place) -> None:
    """The whole story, in one run of Airflow, since starting it is dear."""
    first_run, state = place.run_to_end()
    builds = {key: outcome for key, outcome in place.states(first_run).items() if key[0] == "build"}
    assert state == "success"
    assert len(builds) == 21
    assert all(outcome[0] == "success" for outcome in builds.values())
    ended = [task for task in place.airflow.task_instances(_DAG_ID, first_run) if task["task_id"] == "build"]
    assert {task["rendered_map_index"] for task in ended} == set(_many_aggregates())
    assert [task["rendered_fields"] for task in ended] == [{}] * 21
    before = place.active_tables()
    assert len(before) == 21
    assert place.run_sql("SELECT SUM(row_count), SUM(sum_amount) FROM aggs.agg_tiny_sales_month_city_amount") == (
        place.run_sql("SELECT COUNT(*), SUM(amount) FROM sales")
    )

    # The plan looks at the columns of facts without computing them; the build of whatever needs this one fails for
    # good.
    place.run_sql("UPDATE sales SET amount = amount + 1", *_BREAK_QUANTITY)
    failed_run, state = place.run_to_end()
    states = place.states(failed_run)
    failed = sorted(index for (task, index), (now, _) in states.items() if task == "build" and now == "failed")
    assert state == "failed"
    assert failed
    assert states["activate", -1][0] == "failed"
    assert states["report", -1][0] == "success"
    assert "is not activated, since these could not be built" in place.log(failed_run, "report", 1)
    (sentence,) = place.errors(failed_run, "build", states["build", failed[0]][1], failed[0])
    assert "no quantity\nThe table before it serves on. Repair the cause, then clear this task" in sentence
    assert place.active_tables() == before

    place.run_sql(*_MEND_QUANTITY)
    for index in failed:
        place.clear(failed_run, ("build", index))
    assert place.wait_for_end(failed_run) == "success"
    after = place.states(failed_run)
    assert "is live." in place.log(failed_run, "report", after["report", -1][1])
    ended = [task for task in place.airflow.task_instances(_DAG_ID, failed_run) if task["task_id"] == "build"]
    assert {task["rendered_map_index"] for task in ended} == set(_many_aggregates())
    for key, (_, tries) in states.items():
        if key[0] == "build" and key[1] not in failed:
            assert after[key] == ("success", tries), "an aggregate that was built is not built again"
    assert set(place.active_tables()) == set(before)
    assert not set(place.active_tables().values()) & set(before.values())
    assert place.run_sql("SELECT SUM(sum_amount) FROM aggs.agg_tiny_sales_city_amount") == (
        place.run_sql("SELECT SUM(amount) FROM sales")
    )
    assert place.run_sql("SELECT SUM(sum_quantity) FROM aggs.agg_tiny_sales_city_quantity") == (
        place.run_sql("SELECT SUM(quantity) FROM sales")
    )


def test_builds_that_wait_have_the_names_of_their_aggregates(place: _Place) -> None:
    """One is built at a time, so that the others wait."""
    run_id = place.airflow.trigger(_DAG_ID)

    def waiting() -> list[str]:
        return [
            task["rendered_map_index"]
            for task in place.airflow.task_instances(_DAG_ID, run_id)
            if task["task_id"] == "build" and task["map_index"] >= 0 and task["state"] in {None, "scheduled"}
        ]

    names = place.airflow.wait_for(waiting, "builds that wait", 180, pause=0.1)

    assert set(names) <= set(_many_aggregates())
    assert place.wait_for_end(run_id) == "success"


def test_the_form_offers_the_aggregates_as_a_choice(place: _Place) -> None:
    """As soon as the DAG file was read after a plan."""

    def offered() -> list[str] | None:
        form = place.airflow.call("GET", f"dags/{_DAG_ID}/details")["params"]["aggregates"]["schema"]
        assert set(form.get("values_display", {})) == set(form.get("examples", []))
        return form.get("examples")

    assert place.airflow.wait_for(offered, "the choices", 180) == sorted(_many_aggregates())


def test_a_run_is_started_by_another_dag_for_one_aggregate_and_tells_its_asset(place: _Place) -> None:
    """The task returns the batch, links to the run; the asset of the aggregate starts whoever waits for it."""
    before = place.active_tables()
    place.airflow.unpause("dashboard")
    run_id = place.airflow.trigger("etl")
    place.airflow.wait_for(lambda: place.airflow.run_state("etl", run_id) in {"success", "failed"}, "the ETL run", 180)
    task = f"dags/etl/dagRuns/{run_id}/taskInstances/trigger"
    result = place.airflow.call("GET", f"{task}/xcomEntries/return_value?deserialize=true")["value"]
    link = place.airflow.call("GET", f"{task}/links")["extra_links"]["Batch run"]
    after = place.active_tables()

    assert place.airflow.run_state("etl", run_id) == "success"
    assert result["active"] == 1
    assert f"/dags/{_DAG_ID}/runs/after_etl_" in link
    assert {name for name in before if before[name] != after[name]} == {"month_amount"}
    started = place.airflow.wait_for(
        lambda: place.airflow.call("GET", "dags/dashboard/dagRuns")["dag_runs"], "the run of the dashboard", 180
    )
    dashboard = started[0]["dag_run_id"]
    place.airflow.wait_for(
        lambda: place.airflow.run_state("dashboard", dashboard) == "success", "the dashboard's run", 180
    )


def test_runs_that_are_asked_for_meanwhile_become_one_batch(place: _Place) -> None:
    """Four at once: the first builds, the second builds once more, the others are answered by the second."""
    runs = [place.airflow.trigger(_DAG_ID, {"aggregates": list(_FEW)}) for _ in range(4)]
    assert [place.wait_for_end(run) for run in runs] == ["success"] * 4
    has_built = [any(task == "build" and index >= 0 for task, index in place.states(run)) for run in runs]
    skipped = [place.states(run)["activate", -1][0] == "skipped" for run in runs]

    assert sum(has_built) <= 2
    assert [not is_builder for is_builder in has_built] == skipped
    assert sum(skipped) >= 2


def test_a_live_aggregate_is_not_rebuilt_in_its_old_batch(place: _Place) -> None:
    """Clearing its task fails with a sentence that says what to do.

    The run as a whole may be cleared, and then builds anew.
    """
    run_id, state = place.run_to_end(*_FEW)
    before = place.active_tables()
    place.clear(run_id, ("build", 0))
    place.wait_for_end(run_id)
    tries = place.states(run_id)["build", 0][1]

    assert state == "success"
    assert place.states(run_id)["build", 0][0] == "failed"
    assert "trigger the DAG with `aggregates`" in place.log(run_id, "build", tries, 0)
    assert place.active_tables() == before

    place.clear(run_id, "plan")
    assert place.wait_for_end(run_id) == "success"
    after = place.active_tables()
    assert {name for name in before if before[name] != after[name]} == set(_FEW)


def test_marking_a_failed_aggregate_as_success_gives_it_up(place: _Place) -> None:
    """The rest goes live, and its old instance serves on. The registry says so.

    Its page shows it as well, to signed-in users only.
    """
    before = place.active_tables()
    place.run_sql(*_BREAK_QUANTITY)
    try:
        run_id, state = place.run_to_end(*_FEW)
    finally:
        place.run_sql(*_MEND_QUANTITY)
    states = place.states(run_id)
    failed = [index for (task, index), (now, _) in states.items() if task == "build" and now == "failed"]
    assert state == "failed"
    for index in failed:
        path = f"dags/{_DAG_ID}/dagRuns/{run_id}/taskInstances/build/{index}"
        place.airflow.call("PATCH", path, {"new_state": "success", "include_downstream": False})
    place.clear(run_id, "activate")
    assert place.wait_for_end(run_id) == "success"

    after = place.active_tables()
    unchanged = {name for name in before if before[name] == after[name]}
    assert len(failed) == 1
    assert set(before) - unchanged == {"month_amount", "shop_amount"}
    link = place.airflow.call("GET", f"dags/{_DAG_ID}/dagRuns/{run_id}/taskInstances/build/links?map_index={failed[0]}")
    url = link["extra_links"]["Aggregate instance"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, timeout=30)
    with urllib.request.urlopen(urllib.request.Request(url, headers=place.airflow.headers), timeout=30) as page:
        address = urlsplit(page.url)
    # The link leads to the instance on the Aggregates page, which reads this document of the API.
    assert address.path == "/plugin/aggregates/definitions"
    asked = parse_qs(address.query)
    document = f"/atscale_aggs/api/connections/{asked['conn'][0]}/instances/{asked['instance'][0]}"
    instance = json.loads(place.airflow.page(f"{place.airflow.url}{document}"))
    assert instance["definition_id"] == asked["definition"][0]
    assert instance["error"].startswith("given up by a person")
    assert "CREATE TABLE" in instance["sql"]


def test_a_person_repairs_an_aggregate_in_the_browser(place: _Place) -> None:
    """The page of the failed task instance, its Clear button, the dialog's defaults; then everything is live."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    place.run_sql(*_BREAK_QUANTITY)
    run_id, state = place.run_to_end("month_amount", "day_shop_quantity")
    place.run_sql(*_MEND_QUANTITY)
    failed = [
        task["map_index"]
        for task in place.airflow.task_instances(_DAG_ID, run_id)
        if task["state"] == "failed" and task["task_id"] == "build"
    ]
    before = place.active_tables()
    assert (state, len(failed)) == ("failed", 1)

    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(place.airflow.url)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(_PASSWORD)
        page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
        page.wait_for_url(re.compile(r"^((?!login).)*$"))
        page.goto(f"{place.airflow.url}/dags/{_DAG_ID}/runs/{run_id}/tasks/build/mapped/{failed[0]}")
        page.get_by_text("day_shop_quantity").first.wait_for(timeout=60_000)
        page.get_by_role("button", name=re.compile("clear", re.IGNORECASE)).first.click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile("confirm", re.IGNORECASE)).click()
        place.airflow.wait_for(lambda: place.airflow.run_state(_DAG_ID, run_id) != "failed", "the run to go on", 180)
        assert place.wait_for_end(run_id) == "success"
        browser.close()
    after = place.active_tables()
    assert {name for name in after if before.get(name) != after[name]} == {"month_amount", "day_shop_quantity"}
