"""What Airflow reads of the provider: its info, its classes, the cost of importing them, its DAG files."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_atscale_aggs.get_provider_info import _SETTINGS, get_provider_info
from airflow_atscale_aggs.signals.signal import Signal

pytestmark = pytest.mark.airflow

_ROOT = Path(__file__).parents[2]
_HEAVY = ("sqlglot", "sqlalchemy", "duckdb", "pydantic", "psycopg", "msgspec", "alembic")
# Airflow is imported once, since that takes seconds; each text then runs in a fork that nothing else was imported into.
_COUNT_IMPORTS = """\
import json, os, sys
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Param, RetryPolicy, TaskGroup
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
before = set(sys.modules)
for code in json.loads(sys.stdin.read()):
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    exec(code)
    print(json.dumps([code, sorted(set(sys.modules) - before)]))
    sys.stdout.flush()
    os._exit(0)
"""
_IMPORTING = {
    "factory": "from airflow_atscale_aggs.dag_factory import batch_build_dag",
    "operators": "from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator",
    "batch": "import runpy; runpy.run_path('dags/batch_build_retail.py')",
    "hourly and weekly batches": "import runpy; runpy.run_path('dags/batch_build_incremental.py')",
    "ETL": "import runpy; runpy.run_path('dags/etl_retail.py')",
    "ETL then batch": "import runpy; runpy.run_path('dags/etl_then_batch.py')",
    "batch sensor": "from airflow_atscale_aggs.sensors.batch_build import BatchBuildSensor",
    "file sensor": "import runpy; runpy.run_path('dags/wait_for_completion_file.py')",
    "watcher": "import runpy; runpy.run_path('dags/start_from_log_line.py')",
    "maintenance": "import runpy; runpy.run_path('dags/maintain_retail.py')",
    "export": "import runpy; runpy.run_path('dags/promote_export.py')",
    "import": "import runpy; runpy.run_path('dags/promote_import.py')",
}


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """By text, what it imports beside Airflow."""
    texts = json.dumps(list(_IMPORTING.values()))
    done = subprocess.run(
        [sys.executable, "-c", _COUNT_IMPORTS], cwd=_ROOT, input=texts, capture_output=True, text=True, check=True
    )
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def test_provider_info_is_valid() -> None:
    """It agrees with the schema that ships with Airflow."""
    airflow = importlib.import_module("airflow")
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_every_named_class_and_module_can_be_imported() -> None:
    """Hook classes and modules in the info exist."""
    info = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in info[kind]
        for module in entry["python-modules"]
    ]
    hooks = [connection_type["hook-class-name"] for connection_type in info["connection-types"]]
    for path in (*info["notifications"], *info["extra-links"]):
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)

    for module in modules:
        importlib.import_module(module)
    for path in hooks:
        module, _, name = path.rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == "atscale_aggs"


def test_config_options_are_settings_with_their_defaults() -> None:
    """An option of [atscale_aggs] is a field of Settings, and its default the field's."""
    from airflow_atscale_aggs.engine.settings import Settings

    for name, (_, default, _) in _SETTINGS.items():
        assert str(getattr(Settings(), name)).lower() == default


@pytest.mark.parametrize("name", _IMPORTING)
def test_dag_files_import_nothing_heavy(name: str, imported: dict[str, list[str]]) -> None:
    """Every task parses the DAG file again; SQL libraries and the engine are imported inside execute() only."""
    added = imported[_IMPORTING[name]]

    assert [name for name in added if name.split(".")[0] in _HEAVY] == []
    assert [name for name in added if name.startswith("airflow_atscale_aggs.engine")] == []


def test_example_dags_can_be_parsed() -> None:
    """No import errors, the expected DAGs, and no cycle."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(_ROOT / "dags"))

    assert bag.import_errors == {}
    assert set(bag.dags) == {
        "batch_build_hourly",
        "batch_build_nightly",
        "batch_build_retail",
        "batch_build_weekly",
        "check_freshness_retail",
        "etl_retail",
        "etl_then_batch",
        "maintain_retail",
        "promote_export",
        "promote_import",
        "start_from_log_line",
        "wait_for_completion_file",
    }
    batch = bag.dags["batch_build_retail"]
    assert set(batch.task_dict) == {"deploy", "plan", "build", "activate", "report"}
    assert batch.max_active_runs == 1
    assert bag.dags["batch_build_hourly"].params["build_type"] == "incremental"
    assert bag.dags["batch_build_weekly"].params["build_type"] == "full"
    assert set(batch.params) == {"build_type", "max_concurrent_builds", "aggregates", "grace_periods", "changed"}


def test_the_task_group_fits_into_anybodys_dag() -> None:
    """The same tasks, prefixed by the group, with the user's own tasks before and after."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    from airflow_atscale_aggs.task_group import BatchBuildTaskGroup

    with DAG("nightly", schedule=None) as dag:
        before, after = EmptyOperator(task_id="before"), EmptyOperator(task_id="after")
        before >> BatchBuildTaskGroup("retail", aggs_conn_id="retail_aggs") >> after

    assert set(dag.task_dict) == {
        *("before", "after"),
        *(f"batch_build.{name}" for name in ("plan", "build", "activate", "report")),
    }
    assert dag.task_dict["before"].downstream_task_ids == {"batch_build.plan"}
    assert dag.task_dict["after"].upstream_task_ids == {"batch_build.activate"}
    report = dag.task_dict["batch_build.report"]
    assert report.upstream_task_ids == {"batch_build.activate"}
    assert report.is_teardown, "a report decides nothing about the run's state"


def test_a_failed_step_of_maintenance_fails_the_run() -> None:
    """Its report runs after all steps and is no leaf."""
    from airflow_atscale_aggs.dag_factory import maintenance_dag

    dag = maintenance_dag("retail")

    assert dag.task_dict["report"].is_teardown
    assert dag.task_dict["report"].upstream_task_ids == set(dag.task_dict) - {"report"}
    assert dag.task_dict["build"].downstream_task_ids == {"report"}


def test_serialized_dags_name_the_connection_of_every_task_of_ours() -> None:
    """The REST API finds the DAG of a model by it."""
    from airflow.serialization.serialized_objects import DagSerialization

    from airflow_atscale_aggs.dag_factory import batch_build_dag, maintenance_dag

    for dag in (batch_build_dag("retail", aggs_conn_id="mine"), maintenance_dag("retail", aggs_conn_id="mine")):
        for task in DagSerialization.to_dict(dag)["dag"]["tasks"]:
            fields = task["__var"]
            assert fields.get("aggs_conn_id", fields.get("partial_kwargs", {}).get("aggs_conn_id")) == "mine"
            assert "aggs_conn_id" in fields["template_fields"]


def test_the_page_about_files_shows_the_example_dags() -> None:
    """Its blocks of code are those of the DAG files, and the last one runs."""
    from types import SimpleNamespace

    page = (_ROOT / "docs" / "starting-from-files.md").read_text()
    *examples, last = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    files = [
        (_ROOT / "dags" / f"{name}.py").read_text() for name in ("start_from_log_line", "wait_for_completion_file")
    ]

    assert len(examples) == len(files)
    assert all(example in file for example, file in zip(examples, files, strict=True))
    signal_fields: dict[str, Any] = {"id": "1", "kind": "line", "url": "/etl.log", "text": "done"}
    names: dict[str, object] = {
        "events": [SimpleNamespace(extra={"payload": {"signals": [signal_fields, signal_fields]}})]
    }
    exec(last, names)
    assert names["signals"] == (Signal(**signal_fields),)


@pytest.mark.parametrize(("process", "is_loaded"), [("scheduler", True), ("celery", True), ("api-server", False)])
def test_the_plugin_preloads_where_tasks_are_forked(process: str, is_loaded: bool) -> None:
    """Once, though Airflow loads plugins again in each task. Nowhere else, since other processes build nothing."""
    code = (
        f"import sys; sys.argv = ['airflow', {process!r}]\n"
        "from airflow_atscale_aggs.plugins.aggregates import AggregatesPlugin, preload\n"
        "AggregatesPlugin.on_load()\n"
        "AggregatesPlugin.on_load()\n"
        "package = 'airflow_atscale_aggs.'\n"
        "needed = ('engine.lifecycle.build.attempt', 'engine.lifecycle.build.activate', 'dag_factory')\n"
        "print({package + name in sys.modules for name in needed}, 'sqlglot' in sys.modules)\n"
        "connection = sys.modules.get(package + 'engine.registry.connection')\n"
        "print(connection is not None and len(connection._SQLITE_STATEMENTS._written) > 30)\n"
        "print(preload.cache_info().misses)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-3:] == [f"{ {is_loaded} } {is_loaded}", str(is_loaded), str(int(is_loaded))]
