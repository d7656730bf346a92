"""Every route of the API and every role: `docs/rights.md` has the table, and the API keeps to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("user", ["tiny_viewer", "tiny_user"])
@pytest.mark.parametrize(
    "operation",
    [operation for operation in _OPERATIONS if {"model", "model_id"} & set(operation.parameters("path"))],
    ids=str,
)
def test_the_other_model_of_the_same_registry_is_out_of_reach(calls: Calls, operation: Operation, user: str) -> None:
    """By its name and by its id, whatever is asked."""
    model_id = calls.server.registry.read.models.get("hidden_sales").id
    for name in ("hidden_sales", "hidden.hidden_sales", model_id):
        answer = calls.call(operation, user, things={"model": name, "model_id": name, "catalog_id": "hidden"})

        assert answer.status_code in {403, 404}, answer.text


@pytest.mark.parametrize("user", ["tiny_viewer", "tiny_user"])
@pytest.mark.parametrize(
    "operation", [operation for operation in _OPERATIONS if "definition_id" in operation.parameters("path")], ids=str
)
def test_definitions_of_the_other_model_are_out_of_reach(calls: Calls, operation: Operation, user: str) -> None:
    """Although they stand in the same registry."""
    read = calls.server.registry.read
    record = read.definitions.of_model(read.models.get("hidden_sales").id)[0]
    answer = calls.call(operation, user, things={"definition_id": record.definition.id})

    assert answer.status_code in {403, 404}, answer.text


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
