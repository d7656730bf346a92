"""The aggregates that the form of a run offers: remembered by the plan, read by the DAG processor alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.hooks import run_form
from airflow_atscale_aggs.hooks.run_form import aggregate_choices, choices_variable, read_choices, remember_choices
from airflow_atscale_aggs.operators.aggregates import PlanBatchBuildOperator
from tests.support.airflow_context import deploy_tiny_star, task_context
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import define

pytestmark = pytest.mark.airflow

_CHOICES = {"by_city": "by_city (Sales by city)", "by_day": "by_day"}


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return deploy_tiny_star(tmp_path, monkeypatch)


def _choices(urls: dict[str, Any]) -> dict[str, str]:
    with open_workspace(**urls) as workspace:
        return dict(aggregate_choices(workspace.read, workspace.read.models.get("tiny_sales").id))


def test_all_that_is_defined_is_offered_and_says_who_defined_it(urls: dict[str, Any]) -> None:
    with open_workspace(**urls) as workspace:
        define(workspace, {"m_amount": (("Month",), ("Amount",))})
        block_definition(workspace, "tiny_sales", "by_month", why="a test", now=utc_now())

    assert _choices(urls) == {
        "by_city": "by_city",
        "by_day_and_shop": "by_day_and_shop",
        "by_month_and_city": "by_month_and_city",
        "m_amount": "m_amount (by demand)",
    }


def test_a_label_is_shown_beside_its_name(urls: dict[str, Any], tmp_path: Path) -> None:
    model = tmp_path / "model" / "model.yml"
    model.write_text(model.read_text().replace("label: by_city\n", "label: Sales by city\n"))
    with open_workspace(**urls) as workspace:
        deploy(workspace, tmp_path / "model", now=utc_now())

    assert _choices(urls)["by_city"] == "by_city (Sales by city)"


def test_too_many_are_not_offered(urls: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_form, "MOST_CHOICES", 4)
    assert len(_choices(urls)) == 4
    monkeypatch.setattr(run_form, "MOST_CHOICES", 3)
    assert _choices(urls) == {}


def test_a_dag_that_somebody_else_parses_looks_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tasks nor commands show a form."""
    monkeypatch.setenv("AIRFLOW_VAR_ATSCALE_AGGS.CHOICES.BATCH_BUILD_RETAIL", json.dumps(_CHOICES))

    assert read_choices(choices_variable("batch_build_retail")) == {}
    assert "examples" not in _form_of(batch_build_dag("retail"))


def test_parameters_are_checked_by_an_older_draft_which_takes_a_third() -> None:
    """Each task of Airflow does that."""
    params = batch_build_dag("retail", dag_id="batch_of_drafts", max_concurrent_builds=2).params

    assert {params.get_param(name).schema["$schema"] for name in params} == {"http://json-schema.org/draft-07/schema#"}
    for name, wrong in {"build_type": "some", "max_concurrent_builds": 3, "changed": [], "aggregates": [1]}.items():
        with pytest.raises(ParamValidationError):
            params[name] = wrong


def _form_of(dag: Any) -> dict[str, Any]:
    """The schema of the parameter `aggregates`, as the page of Airflow gets it."""
    parameter = dag.params.get_param("aggregates")
    assert isinstance(parameter, Param)
    assert parameter.resolve() == []
    DagSerialization.to_dict(dag)
    return parameter.schema


def test_the_dag_processor_reads_what_was_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_form, "_is_in_dag_processor", lambda: True)
    monkeypatch.setenv("AIRFLOW_VAR_ATSCALE_AGGS.CHOICES.BATCH_BUILD_RETAIL", json.dumps(_CHOICES))

    form = _form_of(batch_build_dag("retail"))

    assert (form["examples"], form["values_display"]) == (["by_city", "by_day"], _CHOICES)


@pytest.mark.parametrize("value", ["", "no JSON", "[1]", '{"a": 1}', "null"])
def test_a_variable_that_somebody_has_broken_leaves_the_text(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(run_form, "_is_in_dag_processor", lambda: True)
    monkeypatch.setenv("AIRFLOW_VAR_ATSCALE_AGGS.CHOICES.BATCH_BUILD_RETAIL", value)

    assert "examples" not in _form_of(batch_build_dag("retail"))


def test_the_plan_of_the_dag_remembers_for_its_form() -> None:
    plan = batch_build_dag("retail", dag_id="mine").task_dict["plan"]

    assert isinstance(plan, PlanBatchBuildOperator)
    assert plan.choices_variable == choices_variable("mine") == "atscale_aggs.choices.mine"


def test_a_plan_goes_on_when_nothing_can_be_remembered(urls: dict[str, Any]) -> None:
    """There is no Airflow that this process could tell."""
    remember_choices("atscale_aggs.choices.d", {"a": "a"})
    plan = PlanBatchBuildOperator(
        task_id="plan", model="tiny_sales", aggs_conn_id="tiny", choices_variable="atscale_aggs.choices.d"
    )

    assert {build["aggregate"] for build in plan.execute(task_context("plan"))} == set(tiny_star.AGGREGATES)
