"""Definitions leave in a file and come back from one: sizes, forms, duplicates, and the batch that builds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.problems import add_problem_handlers
from airflow_atscale_aggs.plugins.api.uploads import read_upload
from tests.support.api_server import ApiServer
from tests.support.strategies.system_definitions import define

pytestmark = pytest.mark.airflow

_MODEL = "/api/connections/tiny/models/tiny_sales"
_LEARNT = {"month_city": (("Month", "City"), ("Quantity",)), "days": (("Day",), ("Amount",))}


@pytest.fixture(scope="module")
def file(server: ApiServer) -> bytes:
    """An export of two definitions that the model has learnt and that are retired since."""
    with server.workspace() as workspace:
        define(workspace, _LEARNT)
    answer = server.client("tiny_viewer").get(f"{_MODEL}/export")
    assert answer.status_code == 200, answer.text
    _retire(server)
    return answer.content


@pytest.fixture(autouse=True)
def without_learnt(server: ApiServer, file: bytes) -> Iterator[None]:
    """Each test begins without the definitions of the file, and without runs."""
    yield
    _retire(server)
    with create_session() as session:
        session.execute(delete(DagRun))
        session.execute(update(DagModel).values(is_paused=False))


def _retire(server: ApiServer) -> None:
    with server.workspace() as workspace:
        model_id = workspace.read.models.get("tiny_sales").id
        records = workspace.read.definitions.of_model(model_id)
        ids = [record.definition.id for record in records if record.definition.origin.is_system_defined]
        for status in (DefinitionStatus.DEFINED, DefinitionStatus.BLOCKED):
            workspace.registry.definitions.set_status(
                ids, DefinitionStatus.RETIRED, "a test", expected=status, now=utc_now()
            )


def _defined(server: ApiServer) -> set[str]:
    with server.workspace() as workspace:
        records = workspace.read.definitions.of_model(workspace.read.models.get("tiny_sales").id)
    return {record.definition.name for record in records if record.definition.origin.is_system_defined}


def _import(server: ApiServer, data: bytes, user: str = "user", **parameters: Any) -> dict[str, Any]:
    answer = server.client(user).post(f"{_MODEL}/import", content=data, params=parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _runs() -> list[DagRun]:
    with create_session() as session:
        return list(session.scalars(select(DagRun)))


def test_an_export_is_a_file_to_keep(server: ApiServer, file: bytes) -> None:
    """It has a name, and is what the command line writes."""
    answer = server.client("tiny_viewer").get(f"{_MODEL}/export")

    assert answer.headers["content-disposition"].startswith('attachment; filename="tiny_sales_definitions.json"')
    assert answer.headers["content-type"] == "application/json"
    assert {definition["name"] for definition in json.loads(file)["definitions"]} == set(_LEARNT)


def test_what_was_exported_is_imported_and_the_second_time_a_duplicate(server: ApiServer, file: bytes) -> None:
    """Told one by one; the next batch builds it."""
    first, second = _import(server, file), _import(server, file)

    assert first["counts"] == {"returned": 2}
    assert first["message"] == "2 definitions in the file: 2 returned. 2 wait for the next batch."
    assert sorted(first["to_build"]) == sorted(_LEARNT)
    assert {node["name"]: (node["outcome"], node["why"]) for node in second["definitions"]} == dict.fromkeys(
        _LEARNT, ("duplicate", "it is defined here already")
    )
    assert all(node["definition_id"] for node in second["definitions"])
    assert _defined(server) == set(_LEARNT)
    assert (first["run_url"], _runs()) == (None, [])


def test_a_form_brings_the_same_as_a_body(server: ApiServer, file: bytes) -> None:
    """As `curl -F file=@definitions.json` sends it."""
    answer = server.client("user").post(f"{_MODEL}/import", files={"file": ("mine.json", file)})

    assert answer.status_code == 200, answer.text
    assert _defined(server) == set(_LEARNT)


def test_an_import_may_start_a_batch_of_what_is_new(server: ApiServer, file: bytes) -> None:
    """Of just that; an import that brings nothing new starts none."""
    first = _import(server, file, build=True)

    (run,) = _runs()
    assert run.conf is not None
    assert sorted(run.conf["aggregates"]) == sorted(_LEARNT)
    assert first["run_url"].startswith("http://airflow.example/base/dags/batch_build_tiny_sales/runs/rest__")
    assert f"Run `{run.run_id}` of DAG `batch_build_tiny_sales` builds 2." in first["message"]


def test_an_import_that_could_start_no_batch_records_nothing(server: ApiServer, file: bytes) -> None:
    """409 before the file is looked at: its DAG is paused."""
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=True))

    answer = server.client("user").post(f"{_MODEL}/import", content=file, params={"build": True})

    assert (answer.status_code, _defined(server)) == (409, set())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is damaged, or no export file"),
        (b"{}", "it is damaged, or no export file"),
        (b"[" * 100_000, "The file"),
        (b"\x00\xff\xfe", "it is damaged, or no export file"),
        (b'{"format": "other"}', "it is damaged, or no export file"),
    ],
)
def test_a_file_that_is_none_is_refused(server: ApiServer, data: bytes, sentence: str) -> None:
    """422 with the sentence of the command line; nothing is recorded."""
    answer = server.client("user").post(f"{_MODEL}/import", content=data)

    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
    assert _defined(server) == set()


def test_a_file_of_another_model_is_refused(server: ApiServer, file: bytes) -> None:
    """By the ModelID."""
    path = "/api/connections/other/models/hidden_sales/import"

    answer = server.client("user").post(path, files={"file": ("mine.json", file)})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("mine.json is not imported: it is of model `tiny.tiny_sales`")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": {"other": "1"}, "files": {"more": ("x", b"1")}}, 422),
        ({"data": {"file": "text"}, "files": {}}, 422),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data"}}, 422),
    ],
)
def test_a_form_without_a_file_is_refused(server: ApiServer, options: dict[str, Any], status: int) -> None:
    """A form that is none as well."""
    answer = server.client("user").post(f"{_MODEL}/import", **options)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("viewer", 403), ("tiny_viewer", 403), ("outsider", 403), ("tiny_user", 200)]
)
def test_who_may_build_may_import(server: ApiServer, file: bytes, user: str | None, status: int) -> None:
    assert server.client(user).post(f"{_MODEL}/import", content=file).status_code == status


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("outsider", 403), ("viewer", 200), ("tiny_viewer", 200)])
def test_who_reads_the_model_may_export(server: ApiServer, user: str | None, status: int) -> None:
    assert server.client(user).get(f"{_MODEL}/export").status_code == status


@pytest.fixture
def reader() -> TestClient:
    """An application that takes files of at most 10 bytes and answers name and size."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.post("/")
    async def read(request: Request) -> tuple[str, int]:
        upload = await read_upload(request, 10)
        return upload.name, len(upload.data)

    return TestClient(app)


@pytest.mark.parametrize("size", [0, 10])
def test_a_file_within_the_bound_is_read(reader: TestClient, size: int) -> None:
    """From a form with its name, from a body without."""
    data = b"1" * size

    assert reader.post("/", content=data).json() == ["The file", size]
    assert reader.post("/", files={"file": ("mine.json", data)}).json() == ["mine.json", size]


def test_a_file_that_is_too_large_is_refused(reader: TestClient) -> None:
    """413, from a form and from a body."""
    data = b"1" * 11

    answers = [reader.post("/", content=data), reader.post("/", files={"file": ("mine.json", data)})]

    assert [answer.status_code for answer in answers] == [413, 413]
    assert {answer.json()["detail"] for answer in answers} == {
        "The file is larger than 10 bytes. Export fewer definitions."
    }
