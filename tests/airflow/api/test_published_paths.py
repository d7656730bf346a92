"""AtScale's published paths: the verbs, parameters and shapes that a script of theirs relies on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import delete, select, update

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id, model_id
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_CATALOG, _MODEL = catalog_id("tiny"), model_id("tiny", "tiny_sales")
_HIDDEN_CATALOG, _HIDDEN = catalog_id("hidden"), model_id("hidden", "hidden_sales")
_START = f"/v1/aggregates-batch/catalogs/{_CATALOG}/models/{_MODEL}"
_OVER_OTHER = {"aggs_conn_id": "other"}


@pytest.fixture(autouse=True)
def no_runs(server: ApiServer) -> Iterator[None]:
    """Each test begins and ends without runs and without an open batch."""
    yield
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.execute(delete(DagRun))
    with server.workspace() as workspace:
        for batch in workspace.read.batches.find():
            if batch.status in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
                workspace.registry.batches.cancel(batch.id, now=utc_now())


@pytest.fixture(autouse=True, scope="module")
def unpaused(server: ApiServer) -> None:
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))


def _get(server: ApiServer, path: str, user: str | None = "user", **parameters: Any) -> Any:
    answer = server.client(user).get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _start(server: ApiServer, user: str = "user", path: str = _START, **more: Any) -> Any:
    answer = server.client(user).post(path, params={"isFullBuild": "true"}, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["batch"]


def _run_of(request_id: str) -> DagRun:
    with create_session() as session:
        return session.scalars(select(DagRun).where(DagRun.run_id.endswith(request_id))).one()


def _set_state(run: DagRun, state: DagRunState) -> None:
    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.id == run.id).values(state=state, end_date=utc_now()))


def _build(server: ApiServer, *request_ids: str, ends: bool = True) -> None:
    """What the tasks of a run do: one batch that answers some requests."""
    run = _run_of(request_ids[0])
    signals = tuple(signal for identity in request_ids for signal in (_run_of(identity).conf or {})["signals"])
    with server.workspace() as workspace:
        begun = begin_batch(
            workspace,
            "tiny_sales",
            build_type=BuildType.FULL,
            owner=f"airflow:{run.dag_id}/{run.run_id}",
            now=utc_now(),
            lease=timedelta(hours=1),
            request=BatchRequest(signals=signals, requested_at=run.run_after),
        )
        if ends:
            for instance in begun.instances:
                build_instance(workspace, instance.id, owner=begun.batch.owner, lease=timedelta(hours=1))
            activate_batch(workspace, begun.batch.id, owner=begun.batch.owner, now=utc_now())
    _set_state(run, DagRunState.SUCCESS if ends else DagRunState.RUNNING)


def test_a_start_answers_as_published(server: ApiServer) -> None:
    answer = server.client("user").post(
        _START,
        params={"isFullBuild": "true"},
        json={"gracePeriodOverrides": {}},
        headers={"Accept": "application/json"},
    )

    document = answer.json()
    assert answer.status_code == 201, document
    assert set(document) == {"batch", "success"}
    assert document["success"] is True
    batch = document["batch"]
    assert set(batch) == {
        *("id", "catalogId", "modelId", "createDate", "status", "estimateTime", "isFullBuild", "batchType"),
    }
    assert (batch["catalogId"], batch["modelId"], batch["status"]) == (_CATALOG, _MODEL, "new")
    assert (batch["isFullBuild"], batch["batchType"]) == (True, "aggregate_batch")
    assert str(uuid.UUID(batch["id"])) == batch["id"]
    assert batch["estimateTime"] > 0
    assert abs(datetime.now(UTC) - datetime.fromisoformat(batch["createDate"])) < timedelta(minutes=5)
    run = _run_of(batch["id"])
    assert (run.dag_id, (run.conf or {})["build_type"]) == ("batch_build_tiny_sales", "full")


@pytest.mark.parametrize(
    "path",
    [
        f"/aggregate-batch/projectId/{_CATALOG}?cubeId={_MODEL}&isFullBuild=false",
        f"/aggregate-batch/orgId/default/projectId/{_CATALOG}?cubeId={_MODEL}&isFullBuild=false",
        f"/connections/tiny{_START}?isFullBuild=false",
        "/connections/tiny/aggregate-batch/projectId/tiny?cubeId=tiny_sales&isFullBuild=false",
        f"{_START}?isFullBuild=false&aggs_conn_id=tiny",
    ],
)
def test_older_paths_and_addresses_with_a_connection_start_the_same(server: ApiServer, path: str) -> None:
    answer = server.client("user").post(path)

    assert answer.status_code == 201, answer.text
    assert answer.json()["batch"]["isFullBuild"] is False
    assert (_run_of(answer.json()["batch"]["id"]).conf or {})["build_type"] == "incremental"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (_START, b"", 400, "isFullBuild"),
        (f"{_START}?isFullBuild=maybe", b"", 400, "isFullBuild"),
        (f"{_START}?isFullBuild=false", b"{", 400, "JSON"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": 3}', 400, "gracePeriodOverrides"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": {"sales": true}}', 400, "gracePeriodOverrides"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": {"": 30}}', 400, "gracePeriodOverrides"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": {"\\u0000": 30}}', 400, ""),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides":' + b"[" * 100_000, 400, ""),
        (f"{_START}?isFullBuild=true&aggs_conn_id=%00", b"", 400, "aggs_conn_id"),
        (f"/connections/%00{_START}?isFullBuild=true", b"", 400, "aggs_conn_id"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": {"sales": 30}}', 400, "overrides are switched off"),
        (f"{_START}?isFullBuild=false", b'[{"sales": 30}]', 400, "overrides are switched off"),
        (f"{_START}?isFullBuild=false", b'{"gracePeriodOverrides": [{"sales": "1d"}]}', 400, "switched off"),
        (_START.replace(_MODEL, str(uuid.UUID(int=1))) + "?isFullBuild=true", b"", 404, "No model"),
        (_START.replace(_CATALOG, _HIDDEN_CATALOG) + "?isFullBuild=true", b"", 404, "No model"),
        (f"{_START}?isFullBuild=true&aggs_conn_id=nowhere", b"", 403, "You may not use"),
        (f"/aggregate-batch/projectId/{_CATALOG}?isFullBuild=true", b"", 400, "cubeId"),
        ("/v1/aggregates-creation/scheduler", b"", 404, "There is nothing at"),
    ],
)
def test_a_wrong_start_is_told_with_the_published_status(
    server: ApiServer, path: str, body: bytes, status: int, words: str
) -> None:
    answer = server.client("user").post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    with create_session() as session:
        assert session.scalars(select(DagRun)).all() == []


def test_a_paused_dag_starts_nothing(server: ApiServer) -> None:
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=True))

    answer = server.client("user").post(_START, params={"isFullBuild": "true"})

    assert answer.status_code == 409
    assert "is paused" in answer.json()["detail"]


def test_instances_are_polled_by_the_id_of_the_request(server: ApiServer) -> None:
    """Before its run has begun the batch, while it runs, and when it has ended."""
    identity = _start(server)["id"]
    path = "/v1/aggregates/instances"
    assert _get(server, path, batchId=identity) == {"data": [], "total": 0, "size": 10, "page": 1, "offset": 0}

    _build(server, identity)

    found = _get(server, path, batchId=identity)
    assert found["total"] == len(found["data"]) == 4
    assert {row["status"] for row in found["data"]} == {"active"}
    assert {row["batchId"] for row in found["data"]} == {identity}
    row = found["data"][0]
    assert set(row) == {
        *("id", "status", "message", "tableName", "tableSchema", "batchId", "stats", "buildQueryId", "catalogId"),
        *("modelId", "definitionId", "connectionId", "invalidationReason"),
    }
    assert set(row["stats"]) == {
        "materializationStartTime",
        "materializationEndTime",
        "buildDuration",
        "numberOfRows",
    }
    assert isinstance(row["stats"]["buildDuration"], int)
    assert (row["catalogId"], row["modelId"], row["connectionId"]) == (_CATALOG, _MODEL, "tiny")
    assert _get(server, "/v1/public/aggregates/instances", batchId=identity) == found
    unknown = server.client("user").get(path, params={"batchId": str(uuid.uuid4())})
    assert unknown.status_code == 404


def test_the_history_knows_each_request_by_its_id(server: ApiServer) -> None:
    """So that a script finds what it has started, also where one batch answers two requests."""
    first, second = _start(server)["id"], _start(server)["id"]
    path = "/wapi/p/aggregate/batch-history"
    before = _get(server, path, catalogId=_CATALOG, modelId=_MODEL)
    assert [(row["id"], row["status"]) for row in before["data"][:2]] == [(second, "pending"), (first, "pending")]

    _build(server, first, second)

    after = _get(server, path, modelId=_MODEL)
    assert [(row["id"], row["status"]) for row in after["data"][:2]] == [(second, "done"), (first, "done")]
    row = after["data"][0]
    assert {"startTime", "endTime", "isFullBuild", "estimateTime", "sumOfInstanceBuildTimes"} <= set(row)
    assert row["sumOfInstanceBuildTimes"].startswith("PT")
    assert row["endTime"] > row["startTime"]
    assert after["total"] == before["total"] - 1


def test_a_request_whose_run_fails_or_is_stopped_does_not_stay_pending(server: ApiServer) -> None:
    failed, stopped, ended = (_start(server)["id"] for _ in range(3))
    _set_state(_run_of(failed), DagRunState.FAILED)
    with create_session() as session:
        plan = (TaskInstance.task_id == "plan") & (TaskInstance.run_id == _run_of(failed).run_id)
        session.execute(update(TaskInstance).where(plan).values(state=TaskInstanceState.FAILED))
    assert server.client("user").post(f"/api/connections/tiny/batches/{stopped}/cancel").status_code == 200
    _set_state(_run_of(ended), DagRunState.SUCCESS)

    rows = _get(server, "/wapi/p/aggregate/batch-history", modelId=_MODEL)["data"]
    statuses = {row["id"]: row["status"] for row in rows[:3]}
    assert statuses == {failed: "failed", stopped: "cancelled", ended: "cancelled"}


def test_a_running_and_a_cancelled_batch_are_told_so(server: ApiServer) -> None:
    identity = _start(server)["id"]
    _build(server, identity, ends=False)

    def first() -> tuple[str, str]:
        row = _get(server, "/wapi/p/aggregate/batch-history", modelId=_MODEL, limit=1)["data"][0]
        return row["id"], row["status"]

    assert first() == (identity, "running")
    statuses = {row["status"] for row in _get(server, "/v1/aggregates/instances", batchId=identity)["data"]}
    assert statuses == {"new"}
    with server.workspace() as workspace:
        (batch,) = [batch for batch in workspace.read.batches.find() if batch.status is BatchStatus.IN_PROGRESS]
        workspace.registry.batches.cancel(batch.id, now=utc_now())
    _set_state(_run_of(identity), DagRunState.FAILED)
    assert first() == (identity, "cancelled")


def test_definitions_are_listed_as_published(server: ApiServer) -> None:
    found = _get(server, "/v1/aggregates", "viewer", modelId=_MODEL)

    assert {key: value for key, value in found.items() if key != "data"} == {
        "total": 4,
        "size": 10,
        "page": 1,
        "offset": 0,
    }
    assert [row["name"] for row in found["data"]] == ["by_city", "by_day_and_shop", "by_month", "by_month_and_city"]
    row = found["data"][0]
    assert set(row) == {
        *("id", "name", "type", "subtype", "incremental", "catalogId", "catalogCaption", "modelId", "connectionId"),
        *("importedAt", "systemDefinedWithDistinctCount", "promoted", "blocked", "distribution", "partitions"),
        *("indexes", "attributes", "stats", "latestInstance", "activeInstance", "mostRecentInvalidationReason"),
    }
    assert (row["type"], row["subtype"], row["blocked"], row["incremental"]) == ("user_defined", "manual", False, False)
    assert row["attributes"] == [
        {"name": "City", "type": "dimension", "partitioned": False},
        {"name": "Amount", "type": "measure", "partitioned": False},
    ]
    assert set(row["stats"]) == {"createdAt", "averageBuildDuration", "queryUtilization", "mostRecentQuery"}
    assert row["activeInstance"]["status"] == "active"
    assert row["latestInstance"]["definitionId"] == row["id"]
    assert _get(server, "/v1/public/aggregates", "viewer", modelId=_MODEL) == found
    by_page = _get(server, "/wapi/p/aggregate/definition", "viewer", modelId=_MODEL, catalogId=_CATALOG, limit=3)
    assert by_page == {"data": found["data"][:3], "total": 4}


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"status": "active"}, 4),
        ({"status": "pending"}, 0),
        ({"status": "invalid"}, 0),
        ({"subtype": "manual"}, 4),
        ({"subtype": "demand_defined"}, 0),
        ({"subtype": "hinted"}, 0),
        ({"catalog": "tiny"}, 4),
        ({"catalogId": _CATALOG}, 4),
        ({"catalogId": _HIDDEN_CATALOG}, 4),
        ({"catalogId": str(uuid.UUID(int=1))}, 0),
        ({}, 8),
    ],
)
def test_definitions_are_filtered(server: ApiServer, parameters: dict[str, str], names: int) -> None:
    """The two models have four each; a viewer of all DAGs reads both, and each once."""
    if "catalogId" not in parameters and "catalog" not in parameters and parameters:
        parameters = {**parameters, "modelId": _MODEL}
    if parameters.get("catalogId") == _HIDDEN_CATALOG:
        parameters = {**parameters, **_OVER_OTHER}

    assert _get(server, "/v1/aggregates", "viewer", **parameters)["total"] == names


def test_pages_by_number_hold_each_row_once(server: ApiServer) -> None:
    pages = [_get(server, "/v1/aggregates", "op", page=page, size=3) for page in (1, 2, 3, 4)]

    rows = [row["id"] for page in pages for row in page["data"]]
    assert [len(page["data"]) for page in pages] == [3, 3, 2, 0]
    assert len(set(rows)) == 8
    assert [(page["page"], page["offset"], page["total"]) for page in pages] == [
        (1, 0, 8),
        (2, 3, 8),
        (3, 6, 8),
        (4, 9, 8),
    ]
    one = _get(server, "/v1/aggregates", "op", id=rows[4])
    assert [row["id"] for row in one["data"]] == [rows[4]]


def test_instances_are_filtered(server: ApiServer) -> None:
    path = "/v1/aggregates/instances"
    identity = _start(server)["id"]
    _build(server, identity)
    active = _get(server, path, status="active", modelId=_MODEL)
    old = _get(server, path, status="invalid", modelId=_MODEL)
    by_table = _get(server, path, tableName=active["data"][0]["tableName"])
    by_definition = _get(server, path, definitionId=active["data"][0]["definitionId"], status="active")
    later = _get(server, path, startTime="2099-07-03T09:43:16")
    earlier = _get(server, path, endTime="2099-07-03T09:43:16", status="active", catalogId=_CATALOG)

    assert (active["total"], later["total"], earlier["total"]) == (4, 0, 4)
    assert {row["status"] for row in old["data"]} == {"invalid"}
    assert all(row["invalidationReason"] for row in old["data"])
    assert [row["id"] for row in by_table["data"]] == [active["data"][0]["id"]]
    assert by_definition["total"] == 1
    for wrong in ({"status": "sleeping"}, {"startTime": "yesterday"}, {"page": "0"}, {"size": "100000"}):
        assert server.client("user").get(path, params=wrong).status_code == 400


def test_a_definition_is_blocked_and_unblocked_and_never_deleted(server: ApiServer) -> None:
    row = _get(server, "/v1/aggregates", modelId=_MODEL)["data"][0]
    path, client = f"/v1/aggregates/definitions/{row['id']}", server.client("tiny_user")

    blocked = client.put(f"{path}/block")
    assert (blocked.status_code, blocked.json()) == (200, {"blocked": True})
    shown = _get(server, "/v1/aggregates", modelId=_MODEL, id=row["id"])["data"][0]
    assert shown["blocked"] is True
    assert client.put(f"{path}/unblock").json() == {"unblocked": True}
    assert _get(server, "/v1/aggregates", modelId=_MODEL, id=row["id"])["data"][0]["blocked"] is False
    deleted = client.delete(path)
    assert deleted.status_code == 409
    assert f"PUT /atscale_aggs{path}/block" in deleted.json()["detail"]
    assert client.put("/v1/aggregates/definitions/nothing/block").status_code == 404


def test_a_model_over_several_connections_is_named_with_one(server: ApiServer) -> None:
    """`op` may use `tiny` and `other`, which lead to the same registry. The DAG of `tiny` builds it, so that is meant;
    without a DAG nobody could tell."""
    assert _get(server, "/v1/aggregates", "op", modelId=_MODEL)["data"][0]["connectionId"] == "tiny"
    over_other = _get(server, "/v1/aggregates", "op", modelId=_MODEL, **_OVER_OTHER)
    assert {row["connectionId"] for row in over_other["data"]} == {"other"}
    prefixed = _get(server, "/connections/other/v1/aggregates", "op", modelId=_MODEL)
    assert prefixed == over_other

    with create_session() as session:
        session.execute(update(DagModel).values(is_stale=True))
    try:
        from airflow_atscale_aggs.plugins.api.access import model_dags

        model_dags.forget()
        answer = server.client("op").get("/v1/aggregates", params={"modelId": _MODEL})
        named = server.client("op").get("/v1/aggregates", params={"modelId": _MODEL, **_OVER_OTHER})
    finally:
        with create_session() as session:
            session.execute(update(DagModel).values(is_stale=False))
        model_dags.forget()
    assert answer.status_code == 409
    assert "`other`, `tiny`" in answer.json()["detail"]
    assert "aggs_conn_id" in answer.json()["detail"]
    assert named.status_code == 200


_READS = (
    "/v1/aggregates",
    f"/v1/aggregates?modelId={_MODEL}",
    f"/v1/aggregates/instances?modelId={_MODEL}",
    f"/wapi/p/aggregate/batch-history?modelId={_MODEL}",
    f"/wapi/p/aggregate/definition?modelId={_MODEL}",
    f"/v1/aggregates/export/catalogs/{_CATALOG}/models/{_MODEL}",
)


def test_rights_are_those_of_the_other_face(server: ApiServer) -> None:
    """Nobody: 401. Who reads no DAG of the model: nothing of it is there. A viewer reads and does not build."""
    users = (None, "viewer", "user", "op", "tiny_viewer", "outsider")
    for path in _READS:
        statuses = [server.client(user).get(path).status_code for user in users]
        assert statuses == [401, 200, 200, 200, 200, 200 if path == _READS[0] else 404], path
    assert _get(server, _READS[0], "outsider")["data"] == []
    assert {row["modelId"] for row in _get(server, _READS[0], "tiny_viewer")["data"]} == {_MODEL}
    starts = [server.client(user).post(_START, params={"isFullBuild": "true"}).status_code for user in users]
    assert starts == [401, 403, 201, 201, 403, 404]
    definition = _get(server, _READS[1])["data"][0]["id"]
    blocks = [
        server.client(user).put(f"/v1/aggregates/definitions/{definition}/block").status_code
        for user in (None, "viewer", "tiny_viewer", "outsider")
    ]
    assert blocks == [401, 403, 403, 404]


def test_answers_are_kept_by_no_browser(server: ApiServer) -> None:
    for path in (_READS[0], _READS[3], "/connections/tiny/v1/aggregates"):
        headers = server.client("user").get(path).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_the_documentation_shows_the_published_paths(server: ApiServer) -> None:
    paths = server.client("viewer").get("/openapi.json").json()["paths"]

    assert "/v1/aggregates-batch/catalogs/{catalog_id}/models/{model_id}" in paths
    assert not any(path.startswith("/connections/") for path in paths)
    assert json.dumps(paths["/v1/aggregates"]["get"]).count("aggs_conn_id") == 1
