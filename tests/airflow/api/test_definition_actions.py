"""Definitions are blocked and unblocked, instances are deleted: what it does, who may, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, InstanceRecord
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow


def _definition(server: ApiServer, name: str = "by_city", model: str = "tiny_sales") -> DefinitionRecord:
    with server.workspace() as workspace:
        records = workspace.read.definitions.of_model(workspace.read.models.get(model).id, include_retired=True)
    return next(record for record in records if record.definition.name == name)


def _serving(server: ApiServer) -> dict[str, InstanceRecord]:
    with server.workspace() as workspace:
        serving = workspace.read.instances.serving(workspace.read.models.get("tiny_sales").id)
    return {instance.step.aggregate: instance for instance in serving}


def _path(server: ApiServer, deed: str, name: str = "by_city", model: str = "tiny_sales") -> str:
    return f"/api/connections/tiny/definitions/{_definition(server, name, model).definition.id}/{deed}"


@pytest.fixture(autouse=True)
def unblocked(server: ApiServer) -> Iterator[None]:
    """Each test finds the definition as it was deployed."""
    yield
    assert server.client().post(_path(server, "unblock")).status_code == 200


def test_a_blocked_definition_is_out_of_use_until_it_is_unblocked(server: ApiServer) -> None:
    """With the sentences of the command line; saying it once more changes nothing."""
    client = server.client("user")
    before = _definition(server)

    said = [client.post(_path(server, "block"), json={"why": "wrong currency"}).json()["message"] for _ in range(2)]
    blocked = _definition(server)
    said += [client.post(_path(server, "unblock")).json()["message"] for _ in range(2)]

    assert said == [
        "`by_city` is blocked.",
        "`by_city` is blocked already.",
        "`by_city` is defined.",
        "`by_city` is defined already.",
    ]
    assert (before.status, blocked.status, blocked.status_reason) == ("defined", "blocked", "wrong currency")
    assert _definition(server).status == "defined"


def test_a_block_without_a_reason_has_one(server: ApiServer) -> None:
    server.client("user").post(_path(server, "block"), json={})

    assert _definition(server).status_reason == "blocked by a person"


@pytest.mark.parametrize(
    ("user", "status"),
    [(None, 401), ("viewer", 403), ("tiny_viewer", 403), ("outsider", 403), ("tiny_user", 200), ("admin", 200)],
)
def test_who_may_build_may_block(server: ApiServer, user: str | None, status: int) -> None:
    """And nobody else; what is refused changes nothing."""
    answer = server.client(user).post(_path(server, "block"), json={})

    assert answer.status_code == status
    assert _definition(server).status == ("blocked" if status == 200 else "defined")


def test_a_definition_of_a_model_that_only_other_dags_build_is_out_of_reach(server: ApiServer) -> None:
    """The registry is shared, the right is not."""
    path = _path(server, "block", model="hidden_sales")

    assert server.client("tiny_user").post(path, json={}).status_code == 404
    assert _definition(server, model="hidden_sales").status == "defined"


@pytest.mark.parametrize("definition_id", ["nothing", "' OR 1=1 --", "%25", "x" * 400])
def test_a_definition_that_is_not_there_is_not_found(server: ApiServer, definition_id: str) -> None:
    """404, whatever the id looks like."""
    answer = server.client().post(f"/api/connections/tiny/definitions/{definition_id}/block", json={})

    assert answer.status_code == 404


@pytest.mark.parametrize("why", ["\x00", "x" * 2001, 5, None])
def test_a_reason_that_cannot_be_kept_is_refused(server: ApiServer, why: object) -> None:
    assert server.client().post(_path(server, "block"), json={"why": why}).status_code == 422


def test_an_instance_that_serves_is_not_deleted(server: ApiServer) -> None:
    """The next batch would build it again; the sentence says what to do."""
    instance = _serving(server)["by_city"]

    answer = server.client().delete(f"/api/connections/tiny/instances/{instance.id}")

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(
        f"Instance {instance.id} of `by_city` is not deleted: it serves, and the next batch would build it again;"
    )
    assert _serving(server)["by_city"] == instance


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("viewer", 403), ("user", 403), ("tiny_user", 403)])
def test_only_who_may_edit_the_connection_deletes_instances(server: ApiServer, user: str | None, status: int) -> None:
    """Tables are gone after that."""
    instance = _serving(server)["by_city"]
    server.client().post(_path(server, "block"), json={})

    assert server.client(user).delete(f"/api/connections/tiny/instances/{instance.id}").status_code == status
    with server.workspace() as workspace:
        assert workspace.read.instances.get(instance.id) == instance


def test_an_instance_of_a_blocked_definition_goes(server: ApiServer) -> None:
    """It serves no more at once, and its table is left to the next sweep after the delay."""
    instance = _serving(server)["by_month"]
    server.client().post(_path(server, "block", "by_month"), json={})

    answer = server.client("op").delete(f"/api/connections/tiny/instances/{instance.id}")
    server.client().post(_path(server, "unblock", "by_month"))

    with server.workspace() as workspace:
        gone = workspace.read.instances.get(instance.id)
        views = workspace.warehouse.session()
        with views as session:
            names = session.tables("aggs")
    assert answer.status_code == 200, answer.text
    assert gone.drop_after is not None
    assert answer.json()["message"] == (
        f"Instance of `by_month` serves no more; the next sweep after {gone.drop_after:%Y-%m-%d %H:%M:%SZ} drops "
        f"{instance.table}."
    )
    assert gone.status == "superseded"
    assert instance.table in names
    assert instance.step.view not in names


def test_an_instance_that_is_not_there_is_not_found(server: ApiServer) -> None:
    assert server.client().delete("/api/connections/tiny/instances/nothing").status_code == 404
