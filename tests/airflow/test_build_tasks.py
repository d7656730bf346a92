"""What tasks of a batch tell Airflow and import while they run, which takes as long as a small build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregate_build import NAME_OF_BUILD
from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator
from tests.support.airflow_context import deploy_tiny_star, task_context

pytestmark = pytest.mark.airflow

_PLANNED: dict[str, Any] = {"instance_id": "1", "aggregate": "by_city {{ 7 * 7", "planned_at": "2026-01-01T00:00:00"}


def _rendered(task: Any, fields: Any, params: dict[str, Any]) -> Any:
    """The task as Airflow has it when it sends what stands in its template fields."""
    context = {**task_context("build"), "params": params}
    task._do_render_template_fields(task, fields, context, jinja2.Environment(autoescape=True), set())
    return task


def test_a_build_of_the_dag_sends_none_of_its_arguments() -> None:
    """The plan has returned them. What is a template is rendered."""
    build = batch_build_dag("retail", dag_id="sends_no_fields", aggs_conn_id="aggs").get_task("build")
    assert isinstance(build, MappedOperator)

    task = _rendered(build.unmap({**_PLANNED, "aggregate": "by_city"}), build.template_fields, params={})
    assert (task.aggs_conn_id, task.instance_id, task.aggregate) == ("aggs", "1", "by_city")
    assert task.max_concurrent_builds == ""
    assert tuple(task.template_fields) == ()


def test_a_connection_that_is_a_template_is_sent_since_links_need_it() -> None:
    build = batch_build_dag("retail", dag_id="any_connection", aggs_conn_id="{{ params.conn }}").get_task("build")
    assert isinstance(build, MappedOperator)

    task = _rendered(build.unmap({**_PLANNED, "aggregate": "a"}), build.template_fields, params={"conn": "of_params"})

    assert task.aggs_conn_id == "of_params"
    assert tuple(task.template_fields) == tuple(BuildAggregateOperator.template_fields)


def test_a_build_of_another_dag_sends_its_arguments_unless_it_is_told_not_to() -> None:
    with DAG("by_hand", schedule=None):
        kept = BuildAggregateOperator(task_id="kept", instance_id="{{ params.instance }}")
        not_kept = BuildAggregateOperator(task_id="not_kept", instance_id="{{ 5 }}", keep_rendered_fields=False)

    assert _rendered(kept, kept.template_fields, {"instance": 7}).instance_id == "7"
    assert tuple(kept.template_fields) == tuple(BuildAggregateOperator.template_fields)
    assert _rendered(not_kept, not_kept.template_fields, {}).instance_id == "5"
    assert tuple(not_kept.template_fields) == ()


@pytest.mark.parametrize(
    ("try_number", "given", "name"), [(1, None, ""), (1, "by_city", "by_city"), (2, None, "by_city")]
)
def test_the_first_try_tells_its_name_at_its_end(try_number: int, given: str | None, name: str) -> None:
    """The scheduler has named it already. Airflow forgets the name when a try ends, so later ones tell it at once."""
    context = {
        "task": SimpleNamespace(aggregate="by_city"),
        "ti": SimpleNamespace(try_number=try_number, rendered_map_index=given),
    }

    assert jinja2.Environment(autoescape=True).from_string(NAME_OF_BUILD).render(context) == name


def test_a_build_knows_its_name_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it fails before it has looked at anything."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_NOWHERE",
        f'{{"conn_type": "atscale_aggs", "extra": {{"registry_url": "sqlite:///{tmp_path}/r"}}}}',
    )
    context = task_context("build")

    with pytest.raises(Exception, match="does not say where the warehouse is"):
        BuildAggregateOperator(task_id="build", aggs_conn_id="nowhere", **_PLANNED).execute(context)

    assert context["ti"].rendered_map_index == _PLANNED["aggregate"]


_IMPORTS_OF_TASKS = """
import json, sys
from airflow_atscale_aggs.plugins.aggregates import preload
preload()
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator, BuildAggregateOperator, DeployModelOperator, PlanBatchBuildOperator, ReportBatchOperator,
)
from tests.support.airflow_context import task_context
before = set(sys.modules)
def tell(task, result=None):
    print(json.dumps([task, sorted(name for name in set(sys.modules) - before if "airflow_atscale_aggs" in name)]))
    before.update(sys.modules)
    return result
model = {"model": "tiny_sales", "aggs_conn_id": "tiny"}
def run(operator, task, **options):
    return tell(task, operator.execute(task_context(task, **options)))
run(DeployModelOperator(task_id="deploy", folder=sys.argv[1], **model), "deploy")
planned = run(PlanBatchBuildOperator(task_id="plan", **model), "plan")
for arguments in planned:
    run(BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments), "build")
states = {f"build_{index}": "success" for index in range(len(planned))}
passed = {("plan", "return_value"): planned}
run(ActivateBatchOperator(task_id="activate", **model), "activate", states=states, passed=passed)
run(ReportBatchOperator(task_id="report", **model), "report", states={"activate": "success"})
"""


def test_tasks_find_all_that_they_need_where_they_are_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module takes its time in each task otherwise."""
    deploy_tiny_star(tmp_path, monkeypatch)
    (tmp_path / "registry.sqlite").unlink()

    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS_OF_TASKS, str(tmp_path / "model")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    assert [*dict.fromkeys(task for task, _ in told)] == ["deploy", "plan", "build", "activate", "report"]
    assert [(task, modules) for task, modules in told if modules] == []
