"""The scripts of the page on the REST API, as they stand there, against a real Airflow: bash and curl alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id, model_id
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_PAGE = Path(__file__).parents[2] / "docs" / "rest-api.md"
_DAG_ID = "batch_build_tiny_sales"
_DAG_FILE = """\
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny")
"""
_PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Airflow with the DAG of a deployed model, whose aggregates nobody has built."""
    folder = tmp_path_factory.mktemp("scripts")
    registry, warehouse = f"sqlite:///{folder}/registry.sqlite", f"duckdb:///{folder}/warehouse.duckdb"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
    (folder / "dags").mkdir()
    (folder / "dags" / "batches.py").write_text(_DAG_FILE)
    extra = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggs"}
    variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
    with LocalAirflow(folder / "home", folder / "dags", variables, password=_PASSWORD) as started:
        started.unpause(_DAG_ID)
        yield started


def _script(number: int) -> str:
    """A script of the page, to the letter."""
    scripts = re.findall(r"^```bash\n(#!.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(scripts) == 2
    return str(scripts[number])


def _run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "POLL_SECONDS": "1", **variables}
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def _own(airflow: LocalAirflow, **more: str) -> dict[str, str]:
    return {
        "AIRFLOW_URL": airflow.url,
        "AIRFLOW_USER": "admin",
        "AIRFLOW_PASSWORD": _PASSWORD,
        "AGGS_CONN_ID": "tiny",
        "MODEL": "tiny_sales",
        **more,
    }


def _published(airflow: LocalAirflow, **more: str) -> dict[str, str]:
    return {
        "ATSCALE_URL": f"{airflow.url}/atscale_aggs",
        "TOKEN": airflow.headers["Authorization"].removeprefix("Bearer "),
        "CATALOG_ID": catalog_id("tiny"),
        "MODEL_ID": model_id("tiny", "tiny_sales"),
        **more,
    }


def test_the_last_step_of_an_etl_job_starts_a_batch_and_waits_for_it(airflow: LocalAirflow) -> None:
    done = _run(_script(0), **_own(airflow))

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, last = done.stdout.splitlines()
    assert re.fullmatch(r"Batch [0-9a-f-]{36} is asked for\.", first)
    assert last == "The aggregates are up to date."


def test_a_script_for_the_published_paths_does_the_same(airflow: LocalAirflow) -> None:
    done = _run(_script(1), **_published(airflow))

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    asked, instances = done.stdout.split("\n", 1)
    rows = json.loads(instances)["data"]
    assert {row["batchId"] for row in rows} == {asked.split()[1]}
    assert {row["status"] for row in rows} == {"active"}
    assert len(rows) == len(tiny_star.AGGREGATES)


def test_the_address_may_say_the_connection(airflow: LocalAirflow) -> None:
    address = f"{airflow.url}/atscale_aggs/connections/tiny"

    done = _run(_script(1), **_published(airflow, ATSCALE_URL=address))

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_script_ends_with_the_sentence_of_a_refusal(airflow: LocalAirflow) -> None:
    """It does not wait for what was never started."""
    nobody = _run(_script(0), **_own(airflow, AIRFLOW_PASSWORD="guessed"))
    unknown = _run(_script(0), **_own(airflow, MODEL="tiny_sale"))
    strange = _run(_script(1), **_published(airflow, MODEL_ID="00000000-0000-0000-0000-000000000001"))
    airflow.call("PATCH", f"dags/{_DAG_ID}", {"is_paused": True})
    paused = _run(_script(1), **_published(airflow))
    airflow.unpause(_DAG_ID)

    assert "401" in nobody.stderr
    assert "is paused, so that a run of it would wait" in paused.stderr
    assert "404" in unknown.stderr
    assert "404" in strange.stderr
    assert "409" in paused.stderr
    assert 0 not in {done.returncode for done in (nobody, unknown, strange, paused)}
