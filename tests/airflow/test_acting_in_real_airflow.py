"""Batches that a program starts, waits for, cancels and resumes over REST, in a real Airflow."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import tenacity
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_DAG_ID = "batch_build_tiny_sales"
_DAG_FILE = """\
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny")
"""
_AGGREGATES = {
    f"{attribute.lower()}_{metric.lower()}": ((attribute,), (metric,))
    for attribute in ("Day", "Month", "Shop", "City")
    for metric in ("Amount", "Quantity")
}
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


class _Client:
    """A program that knows the address of Airflow and has a token."""

    def __init__(self, airflow: LocalAirflow) -> None:
        self.airflow = airflow
        self._root = f"{airflow.url}/atscale_aggs/api/connections/tiny"

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and document of an answer; ``path`` is below the connection, or a whole address."""
        request = urllib.request.Request(
            path if path.startswith("http") else f"{self._root}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self.airflow.headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def start(self, **asked: object) -> str:
        """The id of a request."""
        status, document = self.send("POST", "models/tiny_sales/batches", asked)
        assert status == 201, document
        return str(document["id"])

    def batch(self, batch_id: str) -> dict[str, Any]:
        status, document = self.send("GET", f"batches/{batch_id}")
        assert status == 200, document
        assert isinstance(document, dict)
        return document

    def wait(self, batch_id: str, *statuses: str) -> dict[str, Any]:
        """The batch, as soon as it has one of the statuses."""

        def found() -> dict[str, Any] | None:
            batch = self.batch(batch_id)
            return batch if batch["status"] in statuses else None

        return dict(self.airflow.wait_for(found, f"batch {batch_id} to be {statuses}", 240))

    def serving(self) -> list[str]:
        """Tables that serve."""
        _, page = self.send("GET", "instances?status=active&limit=100")
        return sorted(row["table"] for row in page["items"])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Client]:
    """Over a star that is deployed; its DAG is not paused."""
    folder = tmp_path_factory.mktemp("acting")
    (folder / "dags").mkdir()
    (folder / "dags" / "tiny.py").write_text(_DAG_FILE)
    registry, warehouse = f"sqlite:///{folder}/registry.sqlite", f"duckdb:///{_warehouse(folder)}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model", _AGGREGATES), now=utc_now())
    extra = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggs"}
    variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
    with LocalAirflow(folder / "home", folder / "dags", variables) as airflow:
        airflow.unpause(_DAG_ID)
        yield _Client(airflow)


@pytest.fixture
def folder(client: _Client) -> Path:
    return client.airflow.home.parent


def _warehouse(folder: Path) -> Path:
    return folder / "warehouse.duckdb"


@tenacity.retry(
    retry=tenacity.retry_if_exception_message(match=".*Could not set lock.*"),
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(30),
)
def _run_sql(folder: Path, *statements: str) -> None:
    """A batch is done a moment before its last task lets the file go."""
    with duckdb.connect(str(_warehouse(folder))) as connection:
        for statement in statements:
            connection.execute(statement)


def _started_state(client: _Client) -> str:
    """The state of the run that was asked for last."""
    runs = client.airflow.call("GET", f"dags/{_DAG_ID}/dagRuns?order_by=-id&limit=1")["dag_runs"]
    return str(runs[0]["state"])


def test_a_program_starts_a_batch_and_waits_for_its_end(client: _Client) -> None:
    """It asks under the id that it was given, from the start to the end."""
    first = client.start(build_type="full")

    done = client.wait(first, "done", "failed", "cancelled")

    assert (done["status"], done["request_id"]) == ("done", first)
    assert len(done["steps"]) == len(client.serving()) == len(_AGGREGATES)


def test_requests_that_come_meanwhile_become_one_batch(client: _Client) -> None:
    """While one runs two are asked for: the first of them builds, and answers the other; both ids lead to it."""
    running = client.start(build_type="full")
    client.wait(running, "in_progress")
    waiting = [client.start(build_type="full") for _ in range(2)]
    assert [client.batch(request)["status"] for request in waiting] == ["requested", "requested"]

    client.wait(running, "done")
    done = [client.wait(request, "done", "failed", "cancelled") for request in waiting]

    assert [batch["status"] for batch in done] == ["done", "done"]
    assert done[0]["id"] == done[1]["id"] != client.batch(running)["id"]
    assert [batch["request_id"] for batch in done] == waiting
    assert done[0]["run_id"].endswith(waiting[0])


def test_a_cancelled_batch_leaves_what_serves_and_its_run_ends(client: _Client) -> None:
    """The builds are ended by their workers, the report runs, and the run has failed."""
    before = client.serving()
    request = client.start(build_type="full")
    client.wait(request, "in_progress")

    status, said = client.send("POST", f"batches/{request}/cancel")

    assert status == 200, said
    assert said["message"].endswith("is told to stop.")
    cancelled = client.batch(request)
    assert cancelled["status"] == "cancelled"
    client.airflow.wait_for(lambda: _started_state(client) == "failed", "the run to end", 120)
    states = {task["state"] for task in client.airflow.task_instances(_DAG_ID, cancelled["run_id"])}
    # A build that was not mapped yet when the batch was cancelled is "removed".
    assert states <= {"success", "failed", "skipped", "removed"}
    assert client.serving() == before
    assert client.batch(request)["status"] == "cancelled"


def test_a_request_that_is_cancelled_while_it_waits_never_begins(client: _Client) -> None:
    """Its run is over before it has begun, and the one before it goes on."""
    running = client.start(build_type="full")
    client.wait(running, "in_progress")
    waiting = client.start(build_type="full", aggregates=["day_amount"])

    status, said = client.send("POST", f"batches/{waiting}/cancel")

    assert (status, client.batch(waiting)["steps"]) == (200, []), said
    assert client.batch(waiting)["status"] == "cancelled"
    assert client.wait(running, "done", "failed", "cancelled")["status"] == "done"


def test_a_failed_batch_goes_on_where_it_has_failed(client: _Client, folder: Path) -> None:
    """What was built stays, what failed is built anew, and all goes live together."""
    _run_sql(folder, *_BREAK_QUANTITY)
    try:
        request = client.start(build_type="full", aggregates=["shop_amount", "shop_quantity"])
        failed = client.wait(request, "done", "failed", "cancelled")
        client.airflow.wait_for(lambda: _started_state(client) == "failed", "the run to end", 120)
    finally:
        _run_sql(folder, *_MEND_QUANTITY)
    tables = {step["aggregate"]: (step["status"], step["attempt"]) for step in failed["steps"]}
    assert (failed["status"], tables["shop_amount"]) == ("failed", ("staged", 1))

    status, resumed = client.send("POST", f"batches/{request}/resume")
    done = client.wait(request, "done", "cancelled")

    assert (status, resumed["id"]) == (200, failed["id"]), resumed
    assert done["id"] == failed["id"]
    assert {step["aggregate"]: step["status"] for step in done["steps"]} == dict.fromkeys(tables, "active")
    assert {step["aggregate"]: step["attempt"] for step in done["steps"]}["shop_amount"] == 1
    assert client.send("POST", f"batches/{request}/resume")[0] == 409


def test_a_paused_dag_is_refused(client: _Client) -> None:
    """Whoever waits would wait for ever."""
    client.airflow.call("PATCH", f"dags/{_DAG_ID}", {"is_paused": True})

    status, problem = client.send("POST", "models/tiny_sales/batches", {})
    client.airflow.unpause(_DAG_ID)

    assert (status, problem["detail"]) == (
        409,
        f"DAG `{_DAG_ID}` is paused, so that a run of it would wait. Unpause it first. Nothing was started.",
    )
