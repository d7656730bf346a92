"""Routes that read batches: lists, one with its steps while it runs and after it has failed, and those of a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import delete, update

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry.batch_lists import UsualDuration
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.plugins.api.batch_rows import batch_row
from tests.support.api_server import BUILT_BY, ApiServer

pytestmark = pytest.mark.airflow

_DAG = "batch_build_tiny_sales"
_LIST = "connections/tiny/batches"


@pytest.fixture(autouse=True)
def no_open_batch(server: ApiServer) -> Iterator[None]:
    """Each test leaves no open batch and no run behind."""
    yield
    registry = server.registry
    for batch in registry.read.batches.find():
        if batch.status in {"in_progress", "failed"}:
            registry.batches.cancel(batch.id, now=utc_now())
    with create_session() as session:
        session.execute(delete(XComModel))
        session.execute(delete(DagRun))


def _begin(server: ApiServer, run_id: str, *, build: int = 0, fail: str = "", model: str = "tiny_sales") -> str:
    """A batch of a run, of which some steps are built and one has failed; its id."""
    owner = f"airflow:{_DAG}/{run_id}"
    with server.workspace() as workspace:
        begun = begin_batch(
            workspace,
            model,
            build_type=BuildType.FULL,
            owner=owner,
            now=utc_now(),
            lease=timedelta(hours=1),
            request=BatchRequest(is_new=True),
        )
        for instance in begun.instances[:build]:
            build_instance(workspace, instance.id, owner=owner)
    if fail:
        failing = next(instance for instance in begun.instances if instance.step.aggregate == fail)
        claim = server.registry.attempts.claim(failing.id, owner=owner, now=utc_now())
        server.registry.attempts.fail(claim, error="no room left", now=utc_now())
    return begun.batch.id


def _first(server: ApiServer) -> Any:
    return server.get(_LIST, "tiny_viewer")["items"][-1]


def test_a_batch_that_ended_well_tells_who_built_what(server: ApiServer) -> None:
    row = _first(server)

    assert (row["owner"], row["dag_id"], row["run_id"]) == (BUILT_BY, _DAG, "manual__first")
    assert (row["model"], row["status"], row["build_type"], row["counts"]) == (
        "tiny_sales",
        "done",
        "full",
        {"active": 4},
    )
    assert row["seconds"] > 0
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None
    batch = server.get(f"{_LIST}/{row['id']}", "tiny_viewer")
    assert {name: batch[name] for name in row} == row
    assert (batch["done_share"], batch["estimated_end_at"], batch["request_id"]) == (1.0, None, None)
    assert batch["build_task_id"] == "build"
    steps = [(step["aggregate"], step["position"], step["map_index"], step["status"]) for step in batch["steps"]]
    assert next(name for name, *_ in steps) == "by_day_and_shop"
    assert [(position, index, status) for _, position, index, status in steps] == [(n, n, "active") for n in range(4)]
    assert batch["steps"][0]["source"] == batch["steps"][0]["planned_source"] == "sales"


@pytest.mark.parametrize(("batches", "usual"), [(2, None), (3, 9.0)])
def test_a_batch_that_ended_is_compared_with_three_at_least(
    server: ApiServer, batches: int, usual: float | None
) -> None:
    """The middle of two, one of which it is itself, is usual for neither."""
    listing = server.registry.read.lists.batches.page().rows[-1]
    model = next(model for model in server.registry.read.models.current() if model.id == listing.batch.model_id)

    assert batch_row(listing, model, UsualDuration(9.0, batches)).usual_seconds == usual


def test_a_batch_that_runs_tells_how_far_it_is(server: ApiServer) -> None:
    """What is built, what waits, from what it will be built, when it will end."""
    batch_id = _begin(server, "manual__2", build=1)

    batch = server.get(f"{_LIST}/{batch_id}", "tiny_viewer")

    assert (batch["status"], batch["counts"]) == ("in_progress", {"staged": 1, "queued": 3})
    assert 0 < batch["done_share"] < 1
    assert datetime.fromisoformat(batch["estimated_end_at"]) > datetime.fromisoformat(batch["created_at"])
    built, *waiting = batch["steps"]
    instance = server.get(f"connections/tiny/instances/{built['instance_id']}", "tiny_viewer")
    assert (built["status"], built["rows"]) == ("staged", instance["rows"])
    assert {(step["status"], step["source"], step["rows"]) for step in waiting} == {("queued", None, None)}
    assert waiting[0]["planned_source"] == "by_day_and_shop"
    assert all(step["usual_seconds"] > 0 for step in batch["steps"])
    assert server.get("connections/tiny/models/tiny_sales", "tiny_viewer")["open_batch_id"] == batch_id


def test_who_follows_a_batch_is_told_what_has_changed(server: ApiServer) -> None:
    """Steps that wait are left out; all that is said of the batch as a whole stays the same."""
    batch_id = _begin(server, "manual__6", build=1, fail="by_city")
    path = f"{_LIST}/{batch_id}"
    whole = server.get(path, "tiny_viewer")
    began = datetime.fromisoformat(whole["created_at"])

    changed = server.get(path, "tiny_viewer", changed_after=began.isoformat())
    nothing = server.get(path, "tiny_viewer", changed_after=(began + timedelta(hours=1)).isoformat())

    assert (whole["is_partial"], changed["is_partial"], nothing["is_partial"]) == (False, True, True)
    assert changed["steps"] == [step for step in whole["steps"] if step["started_at"] is not None]
    assert [step["status"] for step in changed["steps"]] == ["staged", "failed"]
    assert nothing["steps"] == []
    assert changed["counts"] == nothing["counts"] == whole["counts"] == {"staged": 1, "failed": 1, "queued": 2}
    assert began <= datetime.fromisoformat(whole["as_of"]) <= datetime.fromisoformat(changed["as_of"])

    instance = server.registry.read.instances.find(batch_id=batch_id)[2]
    server.registry.attempts.claim(instance.id, owner=f"airflow:{_DAG}/manual__6", now=utc_now())
    building = server.get(path, "tiny_viewer", changed_after=(began + timedelta(hours=1)).isoformat())
    assert [(step["instance_id"], step["status"]) for step in building["steps"]] == [(instance.id, "building")]


def test_a_batch_that_failed_tells_what_is_not_tried_again(server: ApiServer) -> None:
    batch_id = _begin(server, "manual__3", build=1, fail="by_city")
    assert server.get(f"{_LIST}/{batch_id}")["out_of_attempts"] == []
    model_id = server.registry.read.models.get("tiny_sales").id
    server.registry.settings.put(model_id, "aggregates.batch.retry.maxAttemptsPerAggregate", "1")
    server.registry.batches.fail(batch_id, owner=f"airflow:{_DAG}/manual__3", now=utc_now())

    batch = server.get(f"{_LIST}/{batch_id}", "tiny_viewer")

    assert (batch["status"], batch["failures"], batch["out_of_attempts"]) == ("failed", 1, ["by_city"])
    assert (batch["done_share"], batch["estimated_end_at"]) == (0.25, None)
    failed = next(step for step in batch["steps"] if step["status"] == "failed")
    assert (failed["error"], failed["failures"]) == ("no room left", 1)


def test_batches_are_filtered_newest_first(server: ApiServer) -> None:
    second = _begin(server, "manual__4")
    server.registry.batches.cancel(second, now=utc_now())
    third = _begin(server, "manual__5")

    def ids(**filters: Any) -> list[str]:
        return [row["id"] for row in server.get(_LIST, "tiny_viewer", **filters)["items"]]

    assert ids()[:2] == [third, second]
    assert ids(status="in_progress") == [third]
    assert second in ids(status=["cancelled", "failed"])
    assert third not in ids(status=["cancelled", "failed"])
    assert ids(dag_id=_DAG, run_id="manual__5") == [third]
    assert ids(dag_id=_DAG) == ids()
    assert ids(dag_id="batch_build") == ids(dag_id=_DAG, run_id="manual__") == []
    page = server.get(_LIST, "tiny_viewer", limit=1, count=True)
    assert ([row["id"] for row in page["items"]], page["total"]) == ([third], len(ids()))
    assert ids(limit=1, cursor=page["next_cursor"]) == [second]


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        (f"{_LIST}?run_id=manual__1", "tiny_viewer", 422),
        (f"{_LIST}?status=requested", "tiny_viewer", 422),
        (f"{_LIST}?model=hidden_sales", "tiny_viewer", 404),
        (f"{_LIST}?cursor=x", "tiny_viewer", 422),
        (f"{_LIST}/nobody", "tiny_viewer", 404),
        (f"{_LIST}/0b6d2a50-3c2c-4a7e-8f57-0d8a3a5a3f10", "tiny_viewer", 404),
        (f"{_LIST}/nobody", "outsider", 403),
        (_LIST, None, 401),
        ("dags/batch_build_hidden_sales/runs/x/batches", "tiny_viewer", 403),
        ("dags/unrelated/runs/x/batches", "tiny_viewer", 403),
        (f"dags/{_DAG}/runs/x/batches", None, 401),
    ],
)
def test_what_is_malformed_or_not_allowed_is_refused(
    server: ApiServer, path: str, user: str | None, status: int
) -> None:
    assert server.status(path, user) == status


def test_a_batch_of_a_model_that_one_may_not_read_is_not_there(server: ApiServer) -> None:
    """Although its registry is the same."""
    batch_id = _begin(server, "manual__6", model="hidden_sales")

    assert server.status(f"{_LIST}/{batch_id}", "tiny_viewer") == 404
    assert server.status(f"{_LIST}/{batch_id}", "op") == 200
    assert batch_id not in [row["id"] for row in server.get(_LIST, "tiny_viewer")["items"]]
    assert batch_id in [row["id"] for row in server.get("connections/other/batches", "viewer")["items"]]


def _request(server: ApiServer, **asked: Any) -> Any:
    answer = server.client("tiny_user").post("/api/connections/tiny/models/tiny_sales/batches", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_request_is_told_before_its_run_has_begun_a_batch(server: ApiServer) -> None:
    """By the id that the caller was given."""
    started = _request(server, build_type="full", aggregates=["by_city"])

    batch = server.get(f"{_LIST}/{started['id']}", "tiny_viewer")

    assert (batch["status"], batch["id"], batch["request_id"]) == ("requested", started["id"], started["id"])
    assert (batch["dag_id"], batch["run_id"]) == (_DAG, started["run_id"])
    assert (batch["build_type"], batch["aggregates"], batch["steps"]) == ("full", ["by_city"], [])
    assert (batch["finished_at"], batch["model"]) == (None, "tiny_sales")
    assert server.status(f"{_LIST}/{started['id']}", "outsider") == 403


@pytest.mark.parametrize(
    ("state", "plan", "status", "words"),
    [
        (DagRunState.FAILED, TaskInstanceState.FAILED, "failed", "failed before it began a batch"),
        (DagRunState.FAILED, TaskInstanceState.UPSTREAM_FAILED, "failed", "failed before it began a batch"),
        (DagRunState.FAILED, TaskInstanceState.SKIPPED, "cancelled", "stopped before it began a batch"),
        (DagRunState.FAILED, None, "cancelled", "stopped before it began a batch"),
        (DagRunState.SUCCESS, TaskInstanceState.SUCCESS, "cancelled", "ended without a batch"),
    ],
)
def test_a_request_whose_run_ended_without_a_batch_says_so(
    server: ApiServer, state: DagRunState, plan: TaskInstanceState | None, status: str, words: str
) -> None:
    started = _request(server)
    with create_session() as session:
        session.execute(update(DagRun).values(state=state, end_date=utc_now()))
        session.execute(update(TaskInstance).where(TaskInstance.task_id == "plan").values(state=plan))

    batch = server.get(f"{_LIST}/{started['id']}", "tiny_viewer")

    assert batch["status"] == status
    assert words in batch["notes"][0]
    assert batch["finished_at"] is not None


def test_a_request_leads_to_the_batch_that_answers_it(server: ApiServer) -> None:
    started = _request(server, build_type="full")
    with server.workspace() as workspace:
        begun = begin_batch(
            workspace,
            "tiny_sales",
            build_type=BuildType.FULL,
            owner=f"airflow:{_DAG}/{started['run_id']}",
            now=utc_now(),
            request=BatchRequest(signals=(f"request:{started['id']}",)),
        )

    batch = server.get(f"{_LIST}/{started['id']}", "tiny_viewer")

    assert (batch["id"], batch["request_id"]) == (begun.batch.id, started["id"])
    assert batch["status"] == "in_progress"


def test_a_run_tells_its_batches_or_the_one_that_answered_it(server: ApiServer) -> None:
    """Over the connection that its DAG names."""
    own = server.get(f"dags/{_DAG}/runs/manual__first/batches", "tiny_viewer")
    started = _request(server)
    XComModel.set(key=COALESCED, value=own[0]["id"], task_id="plan", dag_id=_DAG, run_id=started["run_id"])

    answered = server.get(f"dags/{_DAG}/runs/{started['run_id']}/batches", "tiny_viewer")

    assert [(batch["connection"], batch["owner"]) for batch in own] == [("tiny", BUILT_BY)]
    assert answered == own
    assert server.get(f"dags/{_DAG}/runs/nobody/batches", "tiny_viewer") == []
    assert server.get("dags/unrelated/runs/x/batches", "outsider") == []
