"""From deployment to queries over a connection of Airflow's Snowflake provider, on an emulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.fakesnow_server import PROVIDER, Fakesnow, fakesnow_server, reason_without_fakesnow
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.airflow, pytest.mark.snowflake]

_DAG_FILE = """\
import sys
from airflow_atscale_aggs.dag_factory import batch_build_dag
dag = batch_build_dag("tiny_sales", aggs_conn_id="aggs", models_folder=sys.argv[2])
"""
_QUESTION = 'SELECT "City", "Amount" FROM tiny_sales'
_PROGRAM = f"""\
import json, runpy, sys
from airflow.utils.db import initdb
initdb()
dag = runpy.run_path(sys.argv[1])["dag"]
run = dag.test()
states = {{f"{{ti.task_id}} {{ti.map_index}}": str(ti.state) for ti in run.get_task_instances()}}
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from airflow.sdk import Connection
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
is_hook = isinstance(Connection.get("snow").get_hook(), SnowflakeHook)
with AggregatesHook("aggs").get_conn() as workspace:
    routed, base = (answer(workspace, {_QUESTION!r}, use_aggregates=use) for use in (True, False))
    told = {{
        "hook": is_hook,
        "run": str(run.state),
        "states": states,
        "dialect": workspace.warehouse.dialect.name,
        "uses_aggregates": routed.plan.uses_aggregates,
        "routed": sorted(map(str, routed.rows)),
        "base": sorted(map(str, base.rows)),
    }}
print("TOLD", json.dumps(told))
"""


@pytest.fixture(scope="module")
def fakesnow() -> Iterator[Fakesnow]:
    """A running emulator."""
    reason = reason_without_fakesnow()
    if reason:
        pytest.skip(reason)
    with fakesnow_server() as server:
        yield server


def _connections(server: Fakesnow, folder: Path, **extra: object) -> dict[str, str]:
    """The warehouse's connection as the provider's form makes it, and ours that names it."""
    place = {"account": "fakesnow", "database": "TINY", "host": "127.0.0.1", "port": server.tls_port}
    snow = Connection(
        conn_id="snow",
        conn_type="snowflake",
        login="tester",
        password="nobody_asks",
        schema="PUBLIC",
        extra=json.dumps({**place, "insecure_mode": True, **extra}),
    )
    fields = {
        "registry_url": f"sqlite:///{folder}/registry.sqlite",
        "warehouse_conn_id": "snow",
        "aggregate_schema": "aggs",
    }
    aggs = Connection(conn_id="aggs", conn_type="atscale_aggs", extra=json.dumps(fields))
    return {"AIRFLOW_CONN_SNOW": snow.as_json(), "AIRFLOW_CONN_AGGS": aggs.as_json()}


def _run(program: str, server: Fakesnow, folder: Path, *arguments: str, **extra: object) -> tuple[str, str]:
    """What a program tells that has the provider, and all that it prints."""
    root = Path(__file__).parents[2]
    variables = {
        **os.environ,
        **_connections(server, folder, **extra),
        "PYTHONPATH": os.pathsep.join((str(root), str(PROVIDER))),
        # The emulator's certificate signs itself, and its hook has no way to say so.
        "REQUESTS_CA_BUNDLE": str(server.certificate),
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=variables,
        timeout=300,
        check=False,
    )
    printed = done.stdout + done.stderr
    told = [line.removeprefix("TOLD ") for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert told, printed[-4000:]
    return told[0], printed


def test_a_batch_dag_deploys_plans_builds_activates_and_its_aggregates_answer(
    fakesnow: Fakesnow, tmp_path: Path
) -> None:
    """By the provider's own hook, over TLS. The log says what floating sums leave undecided."""
    with open_workspace(
        registry=f"sqlite:///{tmp_path}/other.sqlite", warehouse=fakesnow.url("TINY"), aggregate_schema=""
    ) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
    file = tmp_path / "home" / "dags" / "batch.py"
    file.parent.mkdir(parents=True)
    file.write_text(_DAG_FILE)

    told, printed = _run(_PROGRAM, fakesnow, tmp_path, str(file), str(tiny_star.write_model(tmp_path / "model")))
    found = json.loads(told)

    assert (found["hook"], found["dialect"], found["run"]) == (True, "snowflake", "success"), printed[-4000:]
    assert sum(state == "success" for name, state in found["states"].items() if name.startswith("build")) == 4
    assert found["uses_aggregates"]
    assert found["routed"] == found["base"]
    assert len(found["base"]) == 3
    assert "exact numbers came back as floating ones" in printed


_FAILING = """\
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
with AggregatesHook("aggs").get_conn() as workspace, workspace.warehouse.session() as session:
    try:
        session.fetch_all("SELECT 1")
    except WarehouseError as error:
        print("TOLD", type(error).__name__, error.reason)
"""


def test_a_connection_that_cannot_be_used_is_told(fakesnow: Fakesnow, tmp_path: Path) -> None:
    """The hook raises Python's errors for a key that it cannot read."""
    told, _ = _run(_FAILING, fakesnow, tmp_path, private_key_file="/nowhere/key.p8")

    assert told.startswith("PermanentWarehouseError The private_key_file path points to an")
    assert told.endswith("(correct the connection: Snowflake was not asked)")
