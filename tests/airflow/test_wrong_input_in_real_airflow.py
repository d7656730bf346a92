"""What strangers send to a real Airflow: malformed confs, connections with passwords, addresses of pages that are not
there.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from airflow_processes import LocalAirflow

from tests.support.stars import tiny_star

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_SECRET = "hidden-from-all"
_DAG_FILE = """\
from airflow.sdk import DAG
from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregates import TriggerBatchBuildOperator
from airflow_atscale_aggs.task_group import BatchBuildTaskGroup

dag = batch_build_dag("tiny_sales", dag_id="b", aggs_conn_id="tiny", models_folder={folder!r})

with DAG("group", schedule=None) as group:
    BatchBuildTaskGroup("tiny_sales", aggs_conn_id="tiny", models_folder={folder!r})

with DAG("misspelt", schedule=None) as misspelt:
    TriggerBatchBuildOperator(
        task_id="t", model="tiny_sales", batch_dag_id="b", build_type="fulll", poke_interval=1, retries=0
    )
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    folder = tmp_path_factory.mktemp("wrong")
    tiny_star.write_model(folder / "model", {"month_amount": (("Month",), ("Amount",))})
    (folder / "dags").mkdir()
    (folder / "dags" / "d.py").write_text(_DAG_FILE.format(folder=str(folder / "model")))
    extra = {
        "registry_url": f"sqlite:///{folder / 'registry.sqlite'}",
        "warehouse_url": f"duckdb:///{folder / 'warehouse.duckdb'}",
        "aggregate_schema": "aggs",
    }
    tiny_star.make_file(folder / "warehouse.duckdb")
    variables = {
        "AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra}),
        "AIRFLOW_CONN_OTHER": json.dumps({"conn_type": "http", "host": "localhost"}),
        "AIRFLOW_CONN_BROKEN": json.dumps(
            {"conn_type": "atscale_aggs", "extra": {"registry_url": f"nonsense://u:{_SECRET}@h/db"}}
        ),
    }
    with LocalAirflow(folder / "home", folder / "dags", variables) as running:
        yield running


def _failed_tasks(airflow: LocalAirflow, dag_id: str, run_id: str) -> dict[str, tuple[int, str]]:
    """Task to the number of its tries and its log."""

    def has_ended() -> bool:
        return airflow.run_state(dag_id, run_id) in {"success", "failed"}

    airflow.wait_for(has_ended, "the run to end", 180)
    failed = {}
    for ti in airflow.task_instances(dag_id, run_id):
        if ti["state"] == "failed":
            path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{ti['task_id']}/logs/{ti['try_number']}"
            failed[ti["task_id"]] = (ti["try_number"], json.dumps(airflow.call("GET", path)))
    return failed


@pytest.mark.parametrize(
    ("dag_id", "conf", "task", "sentence"),
    [
        ("b", {"signals": [{"x": 1}]}, "plan", "Run parameter `signals`"),
        ("b", {"signals": "abc"}, "plan", "Run parameter `signals`"),
        ("b", {"agregates": ["month_amount"]}, "plan", "Did you mean `aggregates`?"),
        ("b", {"aggregates": ["month_amont"]}, "plan", "month_amount"),
        ("group", {"aggregates": 5}, "batch_build.plan", "Run parameter `aggregates`"),
        ("group", {"build_type": ["full"]}, "batch_build.plan", "Run parameter `build_type`"),
        ("group", {"grace_periods": "soon"}, "batch_build.plan", "Run parameter `grace_periods`"),
        ("group", {"max_concurrent_builds": "many"}, "batch_build.plan", "Run parameter `max_concurrent_builds`"),
    ],
)
def test_a_malformed_conf_is_refused_once_with_a_sentence(
    airflow: LocalAirflow, dag_id: str, conf: dict[str, object], task: str, sentence: str
) -> None:
    failed = _failed_tasks(airflow, dag_id, airflow.trigger(dag_id, conf))
    tries, log = failed[task]
    assert sentence in log
    assert tries == 1


def test_a_conf_that_another_dag_passes_on_is_refused_once(airflow: LocalAirflow) -> None:
    """Airflow does not compare it with the parameters that the DAG declares before the run is there."""
    _failed_tasks(airflow, "misspelt", airflow.trigger("misspelt", {}))
    runs = airflow.call("GET", "dags/b/dagRuns?limit=100")["dag_runs"]
    passed_on = [run["dag_run_id"] for run in runs if run["dag_run_id"].startswith("after_misspelt")]
    for run_id in passed_on:
        assert {tries for tries, _ in _failed_tasks(airflow, "b", run_id).values()} == {1}


def test_airflow_listens_on_this_machine_only(airflow: LocalAirflow) -> None:
    """No process of the demo is reached from another machine."""
    import psutil

    listening = set()
    for name in airflow.process_names:
        process = psutil.Process(airflow.pid(name))
        for each in (process, *process.children(recursive=True)):
            connections = each.net_connections(kind="inet")
            listening |= {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def _status(airflow: LocalAirflow, path: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{airflow.url}{path}", headers=airflow.headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("conn_id", "status", "sentence"),
    [
        ("nowhere", 404, "There is no Airflow connection `nowhere`"),
        ("other", 409, "Airflow connection `other` is of type `http`; `atscale_aggs` is needed"),
        ("broken", 409, "nonsense"),
        ("tiny", 404, "no-such-instance"),
        ("..%2F..%2Fetc", 404, ""),
    ],
)
def test_the_address_of_an_instance_always_answers(
    airflow: LocalAirflow, conn_id: str, status: int, sentence: str
) -> None:
    answered, body = _status(airflow, f"/atscale_aggs/instances/{conn_id}/no-such-instance")
    assert answered == status
    assert sentence in body
    assert _SECRET not in body


def test_passwords_in_urls_are_hidden_as_airflow_hides_its_own(airflow: LocalAirflow) -> None:
    url = f"postgresql+psycopg://me:{_SECRET}@db/dw"
    extra = {"registry_url": url, "warehouse_url": url, "registry_password": _SECRET, "aggregate_schema": "aggs"}
    body = {"connection_id": "hidden", "conn_type": "atscale_aggs", "extra": json.dumps(extra)}
    assert _SECRET not in json.dumps(airflow.call("POST", "connections", body))
    assert _SECRET not in json.dumps(airflow.call("GET", "connections/hidden"))
    assert _SECRET not in json.dumps(airflow.call("GET", "connections?limit=100"))
    shown = json.loads(airflow.call("GET", "connections/hidden")["extra"])
    assert shown["aggregate_schema"] == "aggs"
    # What the form of the UI sends back: the hidden values as it was shown them.
    edited = {**body, "extra": json.dumps({**shown, "aggregate_schema": "other"})}
    airflow.call("PATCH", "connections/hidden", edited)
    assert json.loads(airflow.call("GET", "connections/hidden")["extra"])["aggregate_schema"] == "other"
