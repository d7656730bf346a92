"""Batches are started, cancelled and resumed: which run it becomes, and what is refused before there is one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import delete, select, update

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, BegunBatch, begin_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.plugins.api.access import Visitor
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun, RequestedRun, find_batch, run_of_owner
from tests.support.api_server import ApiServer, user_of
from tests.support.dag_runs import all_runs, set_states, states_of
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_DAG = "batch_build_tiny_sales"
_PATH = "/api/connections/tiny/models/tiny_sales/batches"


@pytest.fixture(autouse=True)
def no_runs(server: ApiServer) -> Iterator[None]:
    """Each test begins and ends without runs and without an open batch, and its DAG is not paused."""
    _unpause()
    yield
    _unpause()
    with create_session() as session:
        session.execute(delete(DagRun))
    with server.workspace() as workspace:
        for batch in workspace.read.batches.find():
            if batch.status in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
                workspace.registry.batches.cancel(batch.id, now=utc_now())


def _unpause() -> None:
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False, has_import_errors=False))


def _start(server: ApiServer, user: str = "user", path: str = _PATH, **asked: Any) -> Any:
    answer = server.client(user).post(path, json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _refusal(server: ApiServer, user: str = "user", path: str = _PATH, **asked: Any) -> tuple[int, str]:
    """Status and detail of a request that starts nothing."""
    # Unlike the client, Python's own JSON has escapes for halves of characters.
    answer = server.client(user).post(path, content=json.dumps(asked), headers={"content-type": "application/json"})
    assert all_runs() == []
    return answer.status_code, str(answer.json()["detail"])


def _run(run_id: str) -> DagRun:
    return next(run for run in all_runs() if run.run_id == run_id)


def _plan(workspace: Workspace, run: DagRun, *, now: datetime | None = None, model: str = "tiny_sales") -> BegunBatch:
    """What the plan task of a run does, once it is its turn."""
    conf = run.conf or {}
    request = BatchRequest(
        aggregates=tuple(conf["aggregates"]),
        signals=tuple(conf["signals"]),
        requested_at=run.run_after,
    )
    return begin_batch(
        workspace,
        model,
        build_type=BuildType(conf["build_type"]),
        owner=f"airflow:{run.dag_id}/{run.run_id}",
        now=now or utc_now(),
        lease=timedelta(hours=1),
        request=request,
    )


@contextmanager
def _begun(server: ApiServer, **asked: Any) -> Iterator[tuple[Workspace, DagRun, BegunBatch]]:
    """A batch that was started through the API and begun by its run, which is running."""
    run = _run(_start(server, **asked)["run_id"])
    with server.workspace() as workspace:
        begun = _plan(workspace, run)
        set_states(run, DagRunState.RUNNING, {"plan": [TaskInstanceState.SUCCESS]})
        yield workspace, run, begun


def test_a_start_becomes_a_run_of_the_dag_that_builds_the_model(server: ApiServer) -> None:
    """With what was asked for in its conf, the visitor's name, and an id that is in the name of the run."""
    started = _start(server, build_type="full", aggregates=["by_city"], max_concurrent_builds=1)

    (run,) = all_runs()
    assert (run.dag_id, run.run_id, run.state) == (_DAG, started["run_id"], "queued")
    assert run.conf == {
        "build_type": "full",
        "aggregates": ["by_city"],
        "grace_periods": {},
        "max_concurrent_builds": 1,
        "signals": [f"request:{started['id']}"],
    }
    assert (run.triggering_user_name, run.triggered_by) == ("user", DagRunTriggeredByType.REST_API)
    assert run.run_id.startswith("rest__2")
    assert run.run_id.endswith(f"__{started['id']}")
    assert started["run_url"].startswith(f"http://airflow.example/base/dags/{_DAG}/runs/rest__2")
    assert started["status"] == "requested"


def test_ranges_that_have_changed_are_in_the_conf_of_the_run(server: ApiServer, tmp_path: Path) -> None:
    """They are checked before, as far as the registry knows what the indicator is."""
    with server.workspace() as workspace:
        grown = tiny_star.write_model(tmp_path / "grown")
        facts = grown / "dataset_sales.yml"
        facts.write_text(f"{facts.read_text()}incremental: {{column: day_id, grace_period: '1'}}\n")
        deploy(workspace, grown, now=utc_now())
        try:
            _start(server, changed={"sales": ["1..2", "7"]})
            (run,) = all_runs()
            refused = server.client("user").post(_PATH, json={"changed": {"sales": ["2..1"]}})
        finally:
            deploy(workspace, tiny_star.write_model(tmp_path / "plain"), now=utc_now())

    conf = run.conf or {}
    assert (conf["changed"], conf["build_type"]) == ({"sales": ["1..2", "7"]}, "incremental")
    assert (refused.status_code, "it ends before it begins" in refused.json()["detail"]) == (422, True)


def test_the_answer_says_where_to_ask_for_the_batch(server: ApiServer) -> None:
    """201 with Location; whoever asks there learns of the run as long as it has begun no batch."""
    answer = server.client("user").post(_PATH, json={})

    place = Visitor(user_of("user")).place("tiny")
    found = find_batch(place, answer.json()["id"])
    assert answer.headers["location"] == (
        f"http://airflow.example/base/atscale_aggs/api/connections/tiny/batches/{answer.json()['id']}"
    )
    assert isinstance(found, RequestedRun)
    assert (found.run.run_id, found.user, found.is_over) == (answer.json()["run_id"], "user", False)
    assert found.conf["build_type"] == "incremental"


def test_a_run_that_was_asked_for_in_the_browser_says_so(server: ApiServer) -> None:
    """As Airflow's own API tells the two apart."""
    server.client("user").post(_PATH, json={}, headers={"referer": "http://airflow.example/base/plugin/aggregates"})

    assert all_runs()[0].triggered_by is DagRunTriggeredByType.UI


def test_the_id_of_a_request_leads_to_the_batch_that_its_run_begins(server: ApiServer) -> None:
    """And so does the id of the batch."""
    started = _start(server)
    with server.workspace() as workspace:
        begun = _plan(workspace, _run(started["run_id"]))
    place = Visitor(user_of("user")).place("tiny")

    found = [find_batch(place, some_id) for some_id in (started["id"], begun.batch.id)]

    assert found == [begun.batch, begun.batch]


def test_a_second_request_is_answered_by_the_batch_of_the_first(server: ApiServer) -> None:
    """Both wait while something else runs; the first one's batch does what both ask for, and both ids lead to it."""
    path = "/api/connections/other/models/hidden_sales/batches"
    first, second = (_run(_start(server, path=path, build_type="full")["run_id"]) for _ in range(2))
    later = datetime.now(UTC) + timedelta(minutes=1)
    with server.workspace() as workspace:
        begun = _plan(workspace, first, now=later, model="hidden_sales")
        for instance in begun.instances:
            build_instance(workspace, instance.id, owner=begun.batch.owner, lease=timedelta(hours=1))
        activate_batch(workspace, begun.batch.id, owner=begun.batch.owner, now=later)
        answered = _plan(workspace, second, now=later, model="hidden_sales")
    place = Visitor(user_of("user")).place("other")

    found = [find_batch(place, run.run_id.rpartition("__")[2]) for run in (first, second)]

    assert (begun.is_coalesced, answered.is_coalesced, answered.instances) == (False, True, ())
    assert [batch.id for batch in found if not isinstance(batch, RequestedRun)] == [begun.batch.id] * 2
    assert run_of_owner(begun.batch.owner) == BatchRun(first.dag_id, first.run_id)


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"aggregates": ["by_citi"]}, 422, "There is no aggregate `by_citi`. Did you mean `by_city`? Nothing was star"),
        ({"grace_periods": {"sales": "2d"}}, 422, "overrides are switched off"),
        ({"build_type": "ful"}, 422, "build_type"),
        ({"build_typ": "full"}, 422, "build_typ: Extra inputs are not permitted"),
        ({"max_concurrent_builds": 0}, 422, "greater than or equal to 1"),
        ({"max_concurrent_builds": 9}, 422, "max_concurrent_builds: 9 is greater than the maximum of 1. Nothing was"),
        ({"aggregates": ["\ud800"]}, 422, "unable to parse raw data as a unicode string"),
        ({"aggregates": ["\x00"]}, 422, "String should match pattern"),
        ({"grace_periods": {"\ud800": "2d"}}, 422, "unable to parse raw data as a unicode string"),
        ({"aggregates": [1]}, 422, "should be a valid string"),
        ({"grace_periods": {"sales": None}}, 422, "should be a valid string"),
        ({"changed": {"salez": ["7"]}}, 422, "There is no dataset `salez`. Did you mean `sales`? Nothing was started."),
        ({"changed": {"sales": ["7"]}}, 422, "the dataset has no `incremental` in the model"),
        ({"changed": {"sales": ["soon"]}}, 422, "The changed range `soon` of dataset `sales` is refused"),
        ({"changed": {"sales": "7"}}, 422, "should be a valid list"),
        ({"dag_id": "unrelated"}, 404, "No DAG `unrelated` that you may read builds model `tiny_sales`"),
    ],
)
def test_a_wrong_request_is_refused_before_there_is_a_run(
    server: ApiServer, asked: dict[str, Any], status: int, sentence: str
) -> None:
    """With the sentences of the engine."""
    found, detail = _refusal(server, **asked)

    assert found == status
    assert sentence in detail


def test_a_dataset_that_is_not_there_is_refused(server: ApiServer) -> None:
    """Where the settings allow grace periods at all."""
    keys = ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled")
    with server.workspace() as workspace:
        for key in keys:
            workspace.registry.settings.put(None, key, "true")

    found = _refusal(server, grace_periods={"salez": "2d"})
    with server.workspace() as workspace:
        for key in keys:
            workspace.registry.settings.delete(None, key)

    assert found == (422, "There is no dataset `salez`. Did you mean `sales`? Nothing was started.")


@pytest.mark.parametrize(("column", "word"), [("is_paused", "is paused"), ("has_import_errors", "import errors")])
def test_a_dag_that_would_not_run_is_refused(server: ApiServer, column: str, word: str) -> None:
    """Whoever waits for the batch would wait for ever."""
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == _DAG).values({column: True}))

    status, detail = _refusal(server)

    assert status == 409
    assert detail.startswith(f"DAG `{_DAG}`")
    assert word in detail


@pytest.mark.parametrize(
    ("user", "model", "status"),
    [
        (None, "tiny_sales", 401),
        ("viewer", "tiny_sales", 403),
        ("tiny_viewer", "tiny_sales", 403),
        ("outsider", "tiny_sales", 403),
        ("tiny_user", "hidden_sales", 404),
        ("tiny_user", "nothing", 404),
    ],
)
def test_only_who_may_trigger_the_dag_starts_a_batch(
    server: ApiServer, user: str | None, model: str, status: int
) -> None:
    """And nobody starts one of a model that only other DAGs build."""
    path = f"/api/connections/tiny/models/{model}/batches"

    assert server.client(user).post(path, json={}).status_code == status
    assert all_runs() == []


def test_a_model_that_no_dag_builds_over_the_connection_says_what_to_do(server: ApiServer) -> None:
    """An administrator reaches it over the connection."""
    status, detail = _refusal(server, "admin", path="/api/connections/tiny/models/hidden_sales/batches")

    assert status == 409
    assert 'batch_build_dag("hidden_sales", aggs_conn_id="tiny")' in detail


def test_a_batch_is_cancelled_before_its_run_is_told_to_stop(server: ApiServer) -> None:
    """Nothing of it goes live, what served goes on serving. Builds are ended, what comes after them is skipped."""
    with server.workspace() as workspace:
        serving = [instance.id for instance in workspace.read.instances.serving(_model_id(workspace))]
    with _begun(server) as (_, run, begun):
        set_states(
            run,
            DagRunState.RUNNING,
            {"build": [TaskInstanceState.SUCCESS, TaskInstanceState.RUNNING, None], "activate": [None]},
        )

    answer = server.client("user").post(f"/api/connections/tiny/batches/{begun.batch.id}/cancel")

    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == (
        f"Batch {begun.batch.id} is cancelled. What served before goes on serving. Run `{run.run_id}` of DAG `{_DAG}` "
        "is told to stop."
    )
    states = states_of(run)
    with server.workspace() as workspace:
        assert workspace.read.batches.get(begun.batch.id).status is BatchStatus.CANCELLED
        assert [instance.id for instance in workspace.read.instances.serving(_model_id(workspace))] == serving
    # Airflow marks all map indexes of a task of which one runs. The report is left to run, as after any end.
    assert states == {
        ("plan", -1): "success",
        **{("build", index): "failed" for index in range(3)},
        ("activate", -1): "failed",
        ("report", -1): None,
    }


@pytest.mark.parametrize("is_running", [False, True])
def test_a_request_that_has_begun_no_batch_loses_its_run(server: ApiServer, *, is_running: bool) -> None:
    """It is shown as cancelled, and cannot be cancelled twice."""
    started = _start(server)
    if is_running:
        set_states(_run(started["run_id"]), DagRunState.RUNNING, {"plan": [TaskInstanceState.RUNNING]})
    path = f"/api/connections/tiny/batches/{started['id']}/cancel"

    answers = [server.client("user").post(path)]
    if is_running:
        # The report is a teardown: when it has ended, the scheduler ends the run.
        set_states(_run(started["run_id"]), DagRunState.FAILED, {})
    answers.append(server.client("user").post(path))

    assert [answer.status_code for answer in answers] == [200, 409]
    assert "is told to stop before it begins a batch" in answers[0].json()["message"]
    assert "has ended (failed) and has begun no batch" in answers[1].json()["detail"]
    assert _run(started["run_id"]).state == "failed"
    shown = server.get(f"connections/tiny/batches/{started['id']}", "user")
    assert (shown["status"], shown["notes"]) == ("cancelled", ["Its run was stopped before it began a batch."])


def test_a_batch_that_is_live_is_not_cancelled(server: ApiServer) -> None:
    """409: its tables serve."""
    (batch_id,) = _done(server)[:1]

    answer = server.client("user").post(f"/api/connections/tiny/batches/{batch_id}/cancel")

    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        f"Batch {batch_id} is done and cannot become cancelled.",
    )


@pytest.mark.parametrize("deed", ["cancel", "resume"])
@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("viewer", 403), ("tiny_viewer", 403), ("outsider", 403), ("tiny_user", 409)]
)
def test_only_who_may_trigger_the_dag_cancels_and_resumes(
    server: ApiServer, deed: str, user: str | None, status: int
) -> None:
    """The batch has ended well, so that whoever may do it is told so."""
    (batch_id,) = _done(server)[:1]

    answer = server.client(user).post(f"/api/connections/tiny/batches/{batch_id}/{deed}")

    assert answer.status_code == status


@pytest.mark.parametrize("deed", ["cancel", "resume"])
@pytest.mark.parametrize(
    ("batch_id", "status"),
    [
        ("nothing", 404),
        (str(uuid.UUID(int=1)), 404),
        ("%25", 404),
        ("' OR 1=1 --", 404),
        ("%00", 422),
        ("x" * 3000, 422),
    ],
)
def test_an_id_that_nobody_has_is_not_found(server: ApiServer, deed: str, batch_id: str, status: int) -> None:
    """Whatever it looks like; what can be no id is refused."""
    assert server.client("user").post(f"/api/connections/tiny/batches/{batch_id}/{deed}").status_code == status


def test_deeds_are_in_airflows_audit_log(server: ApiServer) -> None:
    """With who did it, over which connection, and what he was told."""
    started = _start(server)
    cancelled = server.client("user").post(f"/api/connections/tiny/batches/{started['id']}/cancel").json()

    with create_session() as session:
        entries = session.scalars(select(Log).where(Log.event.startswith("aggregates.")).order_by(Log.id.desc()))
        cancel, start = list(entries.fetchmany(2))
    assert (start.event, start.owner, start.dag_id, start.run_id) == (
        "aggregates.start_batch",
        "user",
        _DAG,
        started["run_id"],
    )
    assert json.loads(start.extra or "") == {"connection": "tiny", "message": started["message"]}
    assert (cancel.event, json.loads(cancel.extra or "")["message"]) == (
        "aggregates.cancel_batch",
        cancelled["message"],
    )


def test_what_has_failed_is_tried_again(server: ApiServer) -> None:
    """The failed builds and all that comes after; what is built stays as it is."""
    with _begun(server) as (workspace, run, begun):
        workspace.registry.batches.fail(begun.batch.id, owner=begun.batch.owner, now=utc_now())
    built, failed = TaskInstanceState.SUCCESS, TaskInstanceState.FAILED
    set_states(
        run,
        DagRunState.FAILED,
        {
            "plan": [built],
            "build": [built, failed, TaskInstanceState.UPSTREAM_FAILED],
            "activate": [failed],
            "report": [built],
        },
    )

    answer = server.client("user").post(f"/api/connections/tiny/batches/{begun.batch.id}/resume")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["status"]) == (begun.batch.id, "in_progress")
    assert answer.json()["message"] == f"4 tasks of run `{run.run_id}` of DAG `{_DAG}` are tried again."
    assert _run(run.run_id).state == "queued"
    assert states_of(run) == {
        ("plan", -1): "success",
        ("build", 0): "success",
        ("build", 1): None,
        ("build", 2): None,
        ("activate", -1): None,
        ("report", -1): None,
    }


def test_a_run_in_which_nothing_has_failed_is_left_alone(server: ApiServer) -> None:
    """409: it goes on as it is."""
    with _begun(server) as (_, run, begun):
        set_states(run, DagRunState.RUNNING, {"build": [TaskInstanceState.RUNNING, None]})

    answer = server.client("user").post(f"/api/connections/tiny/batches/{begun.batch.id}/resume")

    assert answer.status_code == 409
    assert answer.json()["detail"] == f"No build of run `{run.run_id}` of DAG `{_DAG}` has failed. It is running."


def test_a_batch_that_no_run_drives_names_the_command(server: ApiServer) -> None:
    """Airflow has nothing to clear."""
    with server.workspace() as workspace:
        begun = begin_batch(workspace, "tiny_sales", build_type=BuildType.FULL, owner="somewhere:1:2", now=utc_now())
        workspace.registry.batches.fail(begun.batch.id, owner="somewhere:1:2", now=utc_now())

    answer = server.client("user").post(f"/api/connections/tiny/batches/{begun.batch.id}/resume")

    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        f"Batch {begun.batch.id} is driven by no run of Airflow. Go on with it by hand: "
        f"`atscale-aggs build tiny_sales --resume {begun.batch.id}`."
    )


def test_a_batch_whose_run_was_deleted_is_told(server: ApiServer) -> None:
    """409: nobody can go on with it in Airflow."""
    with _begun(server) as (_, run, begun), create_session() as session:
        session.execute(delete(DagRun).where(DagRun.id == run.id))

    answer = server.client("user").post(f"/api/connections/tiny/batches/{begun.batch.id}/resume")

    assert answer.status_code == 409
    assert "is not there any more" in answer.json()["detail"]


def _done(server: ApiServer) -> list[str]:
    with server.workspace() as workspace:
        found = workspace.read.batches.find(_model_id(workspace))
    return [batch.id for batch in found if batch.status is BatchStatus.DONE]


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get("tiny_sales").id
