"""What the end of a batch tells: the log of a failed build, the activation, and the report behind it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator,
    BuildAggregateOperator,
    PlanBatchBuildOperator,
    ReportBatchOperator,
)
from tests.support.airflow_context import DAG_ID, RUN_ID, deploy_tiny_star, task_context
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_MODEL: dict[str, Any] = {"model": "tiny_sales", "aggs_conn_id": "tiny"}
_BREAK_QUANTITY = (
    "ALTER TABLE sales RENAME TO sales_table",
    """
    CREATE VIEW sales AS SELECT
        day_id, shop_id, amount,
        CASE WHEN day_id >= 0 THEN CAST(error('no quantity') AS INTEGER) ELSE quantity END AS quantity
    FROM sales_table
    """,
)


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return deploy_tiny_star(tmp_path, monkeypatch)


def _plan(*aggregates: str) -> list[dict[str, Any]]:
    return PlanBatchBuildOperator(task_id="plan", aggregates=aggregates, **_MODEL).execute(task_context("plan"))


def _build(planned: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The states of the mapped tasks."""
    states = {}
    for index, arguments in enumerate(planned):
        try:
            BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments).execute(task_context("build"))
            states[f"build_{index}"] = "success"
        except AirflowFailException:
            states[f"build_{index}"] = "failed"
    return states


def _activate(planned: Sequence[dict[str, Any]], states: dict[str, str]) -> None:
    passed = {("plan", "return_value"): planned}
    ActivateBatchOperator(task_id="activate", **_MODEL).execute(task_context("activate", states=states, passed=passed))


def _report(**options: Any) -> tuple[dict[str, int], list[str]]:
    """What a report returns, and its log."""
    with structlog.testing.capture_logs() as logged:
        counts = ReportBatchOperator(task_id="report", **_MODEL).execute(task_context("report", **options))
    return counts, [entry["event"] for entry in logged if entry["log_level"] == "info"]


def _break_quantity(urls: dict[str, Any]) -> None:
    with open_workspace(**urls) as workspace:
        tiny_star.run_sql(workspace, *_BREAK_QUANTITY)


def test_the_report_tells_the_state_after_the_activation_every_time(urls: dict[str, Any]) -> None:
    planned = _plan()
    _activate(planned, _build(planned))

    counts, lines = _report(states={"activate": "success"})

    assert counts == {"active": 4}
    assert lines[0].endswith("of model tiny_sales is live.")
    assert [line.split()[:2] for line in lines[-4:]] == [[build["aggregate"], "active"] for build in planned]
    assert (counts, lines) == _report(states={"activate": "success"})


def test_the_notes_of_a_batch_are_logged_once(urls: dict[str, Any]) -> None:
    planned = _plan()
    with open_workspace(**urls) as workspace:
        batch = workspace.read.batches.open_of(workspace.read.models.get("tiny_sales").id)
        assert batch is not None
        workspace.registry.batches.add_notes(batch.id, ("A note.",))
    states = _build(planned)

    with structlog.testing.capture_logs() as logged:
        _activate(planned, states)

    assert [entry["event"] for entry in logged].count("A note.") == 1


def test_an_activation_looks_for_another_batch_only_where_nothing_was_planned(urls: dict[str, Any]) -> None:
    """Each look is a call of Airflow's API."""
    planned = _plan()
    states = _build(planned)
    passed: dict[tuple[str, str], Any] = {("plan", "coalesced_into"): "another", ("plan", "return_value"): []}
    with pytest.raises(AirflowSkipException, match="Batch another answers this run"):
        ActivateBatchOperator(task_id="activate", **_MODEL).execute(task_context("activate", passed=passed))

    context = task_context("activate", states=states, passed={("plan", "return_value"): planned})
    looks: list[dict[str, Any]] = []
    pull = context["ti"].xcom_pull

    def look(**asked: Any) -> Any:
        looks.append(asked)
        return pull(**asked)

    context["ti"].xcom_pull = look
    ActivateBatchOperator(task_id="activate", **_MODEL).execute(context)

    assert looks == [{"task_ids": "plan"}]


def test_the_report_of_a_failed_batch_says_what_is_missing_and_what_to_do(urls: dict[str, Any]) -> None:
    _break_quantity(urls)
    planned = _plan("by_city", "by_day_and_shop")
    states = _build(planned)
    assert sorted(states.values()) == ["failed", "success"]
    with pytest.raises(AirflowFailException, match="is not activated") as caught:
        _activate(planned, states)
    assert _chain(caught.value) == [caught.value]

    counts, lines = _report(states={"activate": "failed"})

    assert counts == {"done": 1, "failed": 1}
    assert lines[0].endswith(
        "is not activated, since these could not be built: by_day_and_shop. What was live before serves on. Repair the "
        "cause, then clear the failed tasks."
    )
    (failed,) = [line for line in lines if line.startswith("by_day_and_shop")]
    assert "no quantity" in failed
    assert "SQL" not in failed


def test_the_report_of_a_live_batch_names_what_it_lacks(urls: dict[str, Any]) -> None:
    """A setting allows a failure."""
    _break_quantity(urls)
    with open_workspace(**urls) as workspace:
        workspace.registry.settings.put(None, "aggregates.batch.max.failures", "1")
    planned = _plan("by_city", "by_day_and_shop")
    _activate(planned, _build(planned))

    counts, lines = _report(states={"activate": "success"})

    assert sorted(counts.values()) == [1, 1]
    assert lines[0].endswith("is live without by_day_and_shop; what these had before serves on.")


def test_the_report_names_the_task_that_stopped_a_batch(urls: dict[str, Any]) -> None:
    """The builds went well, and the activation did not."""
    _build(_plan())

    counts, lines = _report(states={"activate": "failed"})

    assert counts == {"done": 4}
    assert lines[0].endswith("is not activated: task `activate` is failed; its log says why.")


def test_the_report_of_a_run_without_a_batch_says_why(urls: dict[str, Any]) -> None:
    counts, lines = _report(states={"plan": "failed"})

    assert counts == {}
    assert lines == ["This run has begun no batch: task `plan` is failed; its log says why."]


def test_the_report_of_a_run_that_another_batch_answers_tells_of_that_batch(urls: dict[str, Any]) -> None:
    planned = _plan()
    _activate(planned, _build(planned))
    with open_workspace(**urls) as workspace:
        (batch,) = workspace.read.batches.find()

    counts, lines = _report(run_id="manual__2", passed={("plan", "coalesced_into"): batch.id})

    assert counts == {"active": 4}
    assert lines[0] == (
        f"Batch {batch.id} of model tiny_sales of airflow:{DAG_ID}/{RUN_ID} answers this run. It is live."
    )


def test_a_failed_build_is_told_by_one_sentence_one_traceback_and_one_statement(urls: dict[str, Any]) -> None:
    _break_quantity(urls)
    (arguments,) = _plan("by_day_and_shop")
    build = BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments)

    with structlog.testing.capture_logs() as logged, pytest.raises(AirflowFailException) as caught:
        build.execute(task_context("build"))

    assert str(caught.value).splitlines() == [
        "Aggregate `by_day_and_shop` failed (attempt 1 of 1):",
        "The warehouse refused a statement. duckdb: Invalid Input Error: no quantity",
        "The table before it serves on. Repair the cause, then clear this task with its downstream tasks.",
        "More about it: atscale-aggs help build-failed permanent-warehouse",
    ]
    assert _chain(caught.value) == [caught.value]
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames.count("execute") == 2, "the operator's, and the warehouse session's"
    (statement,) = [entry["event"] for entry in logged if "CREATE TABLE" in entry["event"]]
    assert statement.startswith('SQL:\nCREATE TABLE "aggs".')
    assert '\nSELECT\n  "day"."day_id" AS "day_key",\n' in statement


def _chain(error: BaseException) -> list[BaseException]:
    """The error and those that Airflow would log with it."""
    following = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [error, *(_chain(following) if following is not None else [])]
