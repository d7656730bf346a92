"""Export, import and maintenance from DAGs: the operators by themselves, and the maintenance DAG in Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import s3fs
import structlog
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DagRunTriggerException

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.operators.aggregates import (
    BuildNewAggregatesOperator,
    EvaluateAggregatesOperator,
    ExportAggregateDefinitionsOperator,
    ImportAggregateDefinitionsOperator,
    PruneInstancesOperator,
    ReportMaintenanceOperator,
    SupersedeAggregatesOperator,
    SweepTablesOperator,
)
from tests.support.s3_server import s3_server
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import NOW, define

pytestmark = pytest.mark.airflow

_TWO = {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))}


class _TaskInstance(SimpleNamespace):
    """What operators ask of a task instance."""

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, *, task_ids: str) -> Any:
        return self.returned.get(task_ids)

    def get_task_states(self, **_: Any) -> Any:
        return {"r": self.states}


def _context(states: dict[str, str] | None = None, **returned: Any) -> Any:
    ti = _TaskInstance(
        dag_id="d", task_id="t", run_id="r", try_number=1, pushed={}, returned=returned, states=states or {}
    )
    return {"ti": ti}


def _open_system(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A deployed star behind the Airflow connection of that name."""
    urls = {"registry": f"sqlite:///{folder}/{name}.sqlite", "warehouse": f"duckdb:///{folder}/{name}.duckdb"}
    extra = {f"{what}_url": url for what, url in urls.items()} | {"aggregate_schema": "aggs"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    opened = open_workspace(registry=urls["registry"], warehouse=urls["warehouse"], aggregate_schema="aggs")
    tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
    deploy(opened, tiny_star.write_model(folder / "model", {"by_city": (("City",), ("Amount",))}), now=NOW)
    return opened


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The system where two definitions were learnt and built."""
    with _open_system(tmp_path, "staging", monkeypatch) as opened:
        define(opened, _TWO)
        run_batch(opened, "tiny_sales", owner="test")
        # DuckDB lets one process, and here one connection pool, write at a time.
        opened.warehouse.close()
        yield opened


@pytest.fixture
def production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Another system with the same model."""
    with _open_system(tmp_path, "production", monkeypatch) as opened:
        opened.warehouse.close()
        yield opened


@pytest.fixture
def bucket() -> Iterator[str]:
    """The URL of an S3 bucket on this machine."""
    with s3_server():
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("promotion")
        yield "s3://promotion"


@pytest.mark.parametrize("place", ["{folder}", "file://{folder}", "memory://{folder}", "s3"])
def test_definitions_are_promoted_through_a_shared_path(
    staging: Workspace, production: Workspace, tmp_path: Path, place: str, request: pytest.FixtureRequest
) -> None:
    """A local path or any URL of fsspec; what was imported is queued as a batch of just that, once."""
    folder = request.getfixturevalue("bucket") if place == "s3" else place.format(folder=tmp_path)
    path = f"{folder}/shared/retail.json"
    export = ExportAggregateDefinitionsOperator(task_id="e", model="tiny_sales", path=path, aggs_conn_id="staging")
    done = export.execute(_context())
    assert done == {"path": path, "definitions": 2, "bytes": done["bytes"]}
    operator = ImportAggregateDefinitionsOperator(task_id="i", model="tiny_sales", path=path, aggs_conn_id="production")
    context = _context()
    with pytest.raises(DagRunTriggerException) as started:
        operator.execute(context)

    assert started.value.trigger_dag_id == "batch_build_tiny_sales"
    assert started.value.conf == {"build_type": "full", "aggregates": ["m_amount", "m_quantity"]}
    assert context["ti"].pushed["imported"] == {"imported": 2, "to_build": ["m_amount", "m_quantity"]}
    run_batch(production, "tiny_sales", owner="test")
    production.warehouse.close()
    assert operator.execute(_context()) == {"duplicate": 2}


def test_an_import_without_a_build_leaves_it_to_the_next_batch(
    staging: Workspace, production: Workspace, tmp_path: Path
) -> None:
    """The task does as `--no-build` does."""
    path = str(tmp_path / "f.json")
    ExportAggregateDefinitionsOperator(task_id="e", model="tiny_sales", path=path, aggs_conn_id="staging").execute(
        _context()
    )
    operator = ImportAggregateDefinitionsOperator(
        task_id="i", model="tiny_sales", path=path, build=False, aggs_conn_id="production"
    )

    assert operator.execute(_context()) == {"imported": 2}


def test_a_refused_file_fails_the_task_for_good(production: Workspace, tmp_path: Path) -> None:
    """The next try would read the same."""
    (tmp_path / "f.json").write_text("{}")
    operator = ImportAggregateDefinitionsOperator(
        task_id="i", model="tiny_sales", path=str(tmp_path / "f.json"), aggs_conn_id="production"
    )

    with pytest.raises(AirflowFailException, match="is not imported: it is damaged, or no export file"):
        operator.execute(_context())


def test_a_dry_run_only_tells(staging: Workspace) -> None:
    """Each step says what it would do."""
    staging.registry.settings.put(None, "aggregates.retention.desiredInstances", "1")
    staging.registry.settings.put(None, "aggregates.retention.excessInstances", "1")
    before = staging.read.definitions.of_model(staging.read.models.get("tiny_sales").id, include_retired=True)
    options: dict[str, Any] = {"model": "tiny_sales", "dry_run": "True", "aggs_conn_id": "staging"}

    judged = EvaluateAggregatesOperator(task_id="e", **options).execute(_context())
    superseded = SupersedeAggregatesOperator(task_id="s", **options).execute(_context())
    pruned = PruneInstancesOperator(task_id="p", **options).execute(_context())
    swept = SweepTablesOperator(task_id="w", dry_run=True, aggs_conn_id="staging").execute(_context())

    assert judged[0].endswith("score 0.0, 0 uses")
    assert superseded[0].startswith("m_amount could give way to m_amount_union: one table in place of 2")
    assert [line.partition(":")[0] for line in pruned] == ["m_quantity would go"]
    assert swept == []
    assert staging.read.definitions.of_model(staging.read.models.get("tiny_sales").id, include_retired=True) == before
    assert staging.read.evaluations.find(staging.read.models.get("tiny_sales").id) == ()


@pytest.mark.parametrize(
    ("autonomy", "defined", "builds"),
    [("suggest", False, False), ("define", True, False), ("define and build", True, True)],
)
def test_a_setting_says_how_much_maintenance_may_do_on_its_own(
    staging: Workspace, autonomy: str, defined: bool, builds: bool
) -> None:
    """It may suggest, define, or define and build."""
    staging.registry.settings.put(None, "aggregates.maintenance.autonomy", autonomy)
    options: dict[str, Any] = {"model": "tiny_sales", "dry_run": False, "aggs_conn_id": "staging"}
    lines = SupersedeAggregatesOperator(task_id="s", **options).execute(_context())
    context = _context()

    with pytest.raises(DagRunTriggerException if builds else AirflowSkipException) as ended:
        BuildNewAggregatesOperator(task_id="b", **options).execute(context)
    assert ("m_amount_union is defined" in lines) is defined
    if builds:
        assert isinstance(ended.value, DagRunTriggerException)
        assert ended.value.conf is not None
        assert ended.value.conf["aggregates"] == ["m_amount_union"]
        assert context["ti"].pushed["return_value"] == ["a batch of 1 is started: m_amount_union"]
    else:
        assert f"maintenance may `{autonomy}`" in str(ended.value)


def test_the_summary_is_for_people() -> None:
    """A paragraph per step; what failed, did not run or was skipped is said."""
    steps = ["evaluate", "recommend", "prune", "sweep", "supersede", "build"]
    operator = ReportMaintenanceOperator(task_id="r", model="retail", dry_run="True", step_task_ids=steps)
    recommended = [{"aggregate": "b", "reason": "asked often", "rows": 3}]
    states = {"sweep": "failed", "supersede": "upstream_failed", "build": "skipped", "prune": "success"}
    context = _context(states, evaluate=["a: score 1.0, 2 uses"], recommend=recommended, prune=[])

    assert operator.execute(context).splitlines() == [
        "Maintenance of retail (dry run, nothing was changed)",
        "evaluate:",
        "  a: score 1.0, 2 uses",
        "recommend:",
        "  b: asked often",
        "prune: nothing to do",
        "sweep: failed; its log says why",
        "supersede: did not run, since a step before it failed",
        "build: was skipped; its log says why",
    ]


@pytest.mark.parametrize("autonomy", ["define", "define and build"])
def test_a_dry_run_says_why_nothing_is_built(staging: Workspace, autonomy: str) -> None:
    """The reason is a line of the summary, which finds nothing wrong."""
    staging.registry.settings.put(None, "aggregates.maintenance.autonomy", autonomy)
    context = _context()

    with pytest.raises(AirflowSkipException):
        BuildNewAggregatesOperator(task_id="b", model="tiny_sales", dry_run=True, aggs_conn_id="staging").execute(
            context
        )

    assert context["ti"].pushed["return_value"] == [
        f"Nothing waits for a batch; maintenance may `{autonomy}`, this is a dry run."
    ]


def test_airflows_own_dry_run_of_a_task_still_works() -> None:
    """A parameter of that name does not hide the method, which prints the template fields."""
    for operator in (
        PruneInstancesOperator(task_id="p", model="retail", dry_run="yes"),
        SweepTablesOperator(task_id="s", dry_run="yes"),
    ):
        with structlog.testing.capture_logs() as logged:
            operator.dry_run()
        assert "is_dry_run" in str(logged)


_DAG_FILE = """\
from airflow_atscale_aggs.dag_factory import maintenance_dag
dag = maintenance_dag("tiny_sales", aggs_conn_id="staging", schedule=None)
"""
_RUN_DAG = """\
import json, runpy, sys
from airflow.utils.db import initdb
initdb()
dag = runpy.run_path(sys.argv[1])["dag"]
run = dag.test(run_conf={"dry_run": False})
states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
print("STATES", json.dumps({"run": str(run.state), **states}))
"""


def test_the_maintenance_dag_runs_in_airflow(staging: Workspace, tmp_path: Path) -> None:
    """All steps in one run; with `define` nothing is built on its own."""
    staging.close()
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    file = tmp_path / "home" / "dags" / "maintain.py"
    file.parent.mkdir(parents=True)
    file.write_text(_DAG_FILE)
    done = subprocess.run(
        [sys.executable, "-c", _RUN_DAG, str(file)],
        capture_output=True,
        text=True,
        env=variables,
        timeout=180,
        check=False,
    )
    state_lines = [line for line in done.stdout.splitlines() if line.startswith("STATES ")]

    assert state_lines, done.stdout[-3000:] + done.stderr[-3000:]
    states = json.loads(state_lines[0].removeprefix("STATES "))
    assert states == {
        "run": "success",
        "build": "skipped",
        "report": "success",
        **dict.fromkeys(("evaluate", "recommend", "supersede", "prune", "sweep"), "success"),
    }
    text = done.stdout + done.stderr
    assert "m_amount_union is defined" in text
    assert "build:\n  1 definition waits for a batch; maintenance may `define`." in text
