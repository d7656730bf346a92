"""Every route of the API and every role: `docs/rights.md` has the table, and the API keeps to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from tests.support.api_calls import Calls, Operation, operations
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_DOCUMENT = Path(__file__).parents[3] / "docs" / "rights.md"
_TABLE = re.compile(r"<!-- rights: begin -->\n(.*)<!-- rights: end -->", re.DOTALL)
_USERS: dict[str, str | None] = {
    "nobody": None,
    "stranger": "outsider",
    "viewer of the DAG": "tiny_viewer",
    "user of the DAG": "tiny_user",
    "Viewer": "viewer",
    "User": "user",
    "Op": "op",
    "Admin": "admin",
}
"""The columns of the table."""

_OPERATIONS = operations()


def _table() -> dict[str, dict[str, str]]:
    """What the document says, by operation and column."""
    found = _TABLE.search(_DOCUMENT.read_text(encoding="utf-8"))
    assert found is not None
    lines = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in found[1].strip().splitlines()
        if not line.startswith("|-")
    ]
    head, *rows = lines
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.fixture(scope="module")
def calls(server: ApiServer) -> Calls:
    """Right calls; a call that is refused by the state of things is allowed as much as one that does something."""
    return Calls(server)


def test_the_table_has_a_row_for_each_route() -> None:
    """And none for a route that is no more; a new route needs a row."""
    assert set(_table()) == {str(operation) for operation in _OPERATIONS}


def test_the_table_has_a_column_for_each_kind_of_user() -> None:
    """In the same order."""
    assert {tuple(row) for row in _table().values()} == {tuple(_USERS)}


@pytest.mark.parametrize("column", _USERS)
@pytest.mark.parametrize("operation", _OPERATIONS, ids=str)
def test_routes_keep_to_the_table(calls: Calls, operation: Operation, column: str) -> None:
    """401 and 403 as the table says; whatever is allowed succeeds, or is refused because of the state of things."""
    answer = calls.call(operation, _USERS[column])

    assert _cell(answer) == _table()[str(operation)][column]


@pytest.mark.parametrize("column", _USERS)
@pytest.mark.parametrize(
    "operation", [operation for operation in _OPERATIONS if not operation.path.startswith("/api/")], ids=str
)
def test_published_paths_of_one_connection_keep_to_the_table(calls: Calls, operation: Operation, column: str) -> None:
    """They say the connection in the path, so that a stranger is told that it is not for him."""
    below = replace(operation, path=f"/connections/tiny{operation.path}")
    query, body = calls.queries.get(str(operation)), calls.bodies.get(str(operation))
    answer = calls.call(below, _USERS[column], query=query, body=body)

    expected = "403" if column == "stranger" else _table()[str(operation)][column]
    assert _cell(answer) == expected


def _cell(answer: Any) -> str:
    """What the table says of such an answer."""
    if answer.status_code in {401, 403, 404}:
        assert answer.headers["content-type"] == "application/problem+json"
        return str(answer.status_code)
    assert answer.is_success or answer.status_code == 409, answer.text
    return "yes"


@pytest.fixture(scope="module")
def hidden(calls: Calls) -> dict[str, list[str]]:
    """Names and ids of the other model in the same registry and of what belongs to it, by kind."""
    server = calls.server
    with server.workspace() as workspace:
        run_batch(workspace, "hidden.hidden_sales", owner="airflow:batch_build_hidden_sales/manual__first")
    sql = 'SELECT "City", "Amount" FROM hidden.hidden_sales'
    assert server.client().post("/api/connections/tiny/query", json={"sql": sql}).status_code == 200
    model = server.registry.read.models.get("hidden_sales")
    asked = {"model": model.id}
    instances = server.get("connections/tiny/instances", **asked)["items"]
    return {
        "model": ["hidden_sales", "hidden.hidden_sales", model.id],
        "catalog": ["hidden", catalog_id("hidden")],
        "definition_id": [instances[0]["definition_id"]],
        "instance_id": [instances[0]["id"]],
        "batch_id": [instances[0]["batch_id"]],
        "query_id": [str(server.get("connections/tiny/queries", **asked)["items"][0]["id"])],
    }


_KIND = {"model_id": "model", "catalog_id": "catalog", "project_id": "catalog", "modelId": "model", "cubeId": "model"}
_KIND |= {"catalogId": "catalog", "definitionId": "definition_id", "batchId": "batch_id", "id": "definition_id"}
"""What a parameter names, where it is not called so."""

_KINDS = {"model", "catalog", "definition_id", "instance_id", "batch_id", "query_id"}


def _made_up(name: str) -> str:
    """A name of nothing, as much like others as one of something."""
    return str(int(name) + 4711) if name.isdecimal() else name[:-1] + ("0" if name[-1] != "0" else "1")


def _same_but_for_the_name(answer: Any, name: str) -> tuple[int, str, str]:
    told = answer.text.replace(name, "NAME")
    return answer.status_code, str(answer.headers["content-type"]), told


@pytest.mark.parametrize("user", ["tiny_viewer", "tiny_user", "outsider"])
@pytest.mark.parametrize(
    ("operation", "parameter"),
    [
        pytest.param(operation, parameter, id=f"{operation} {parameter}")
        for operation in _OPERATIONS
        for parameter in (*operation.parameters("path"), *operation.parameters("query"))
        if _KIND.get(parameter, parameter) in _KINDS
    ],
)
def test_what_may_not_be_read_is_answered_as_what_is_not_there(
    calls: Calls, hidden: dict[str, list[str]], operation: Operation, parameter: str, user: str
) -> None:
    """Byte for byte, but for the name that was asked for: wherever it stands, whatever is asked, by name and by id."""
    for name in hidden[_KIND.get(parameter, parameter)]:
        answers = [_call_with(calls, operation, user, parameter, wanted) for wanted in (name, _made_up(name))]

        first, second = (_same_but_for_the_name(a, n) for a, n in zip(answers, (name, _made_up(name)), strict=True))
        assert first == second
        if parameter in operation.parameters("path"):
            assert first[0] == (404 if user != "outsider" or not operation.path.startswith("/api") else 403), first


def _call_with(calls: Calls, operation: Operation, user: str, parameter: str, value: str) -> Any:
    if parameter in operation.parameters("path"):
        return calls.call(operation, user, things={parameter: value})
    return calls.call(operation, user, query={parameter: value})


@pytest.mark.parametrize("user", ["tiny_viewer", "outsider"])
@pytest.mark.parametrize("operation", [operation for operation in _OPERATIONS if operation.method == "GET"], ids=str)
def test_answers_name_nothing_of_what_may_not_be_read(calls: Calls, operation: Operation, user: str) -> None:
    """Neither the other model nor, to a stranger, the model itself."""
    answer = calls.call(operation, user)
    told = answer.text.replace(answer.request.url.path, "")

    assert "hidden" not in told
    if user == "outsider":
        assert "by_" not in told
        assert '"tiny_sales"' not in told


def test_who_may_read_them_is_told_these_names(calls: Calls) -> None:
    """So that the names which are looked for above are the ones that answers have."""
    assert "hidden_sales" in calls.server.client("viewer").get("/api/models").text
    definitions = calls.server.client("tiny_viewer").get("/api/connections/tiny/definitions").text
    assert "by_" in definitions
    assert '"tiny_sales"' in definitions
