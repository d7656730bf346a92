"""The API keeps to its own OpenAPI, whatever is asked: no 500, no status, type or shape that it does not name.

``FUZZ_EXAMPLES=50`` makes that many calls of every operation: `make fuzz`. ``FUZZ_REGISTRY=postgres`` makes them over
a registry in PostgreSQL instead of SQLite.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.support.api_calls import Calls, Operation, describe, operations
from tests.support.api_schema import SchemaCalls
from tests.support.api_server import ApiServer, api_server

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
"""Calls of each operation: half right, half wrong, half of both at things that exist."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """The server, whose registry is in the database that is asked for."""
    with contextlib.ExitStack() as stack:
        registry = ""
        if os.environ.get("FUZZ_REGISTRY") == "postgres":
            registry = stack.enter_context(request.getfixturevalue("postgres_database")("api_schema"))
        yield stack.enter_context(api_server(tmp_path_factory.mktemp("api"), registry))


@pytest.fixture(scope="module")
def schema_calls(server: ApiServer) -> Iterator[SchemaCalls]:
    """The counter of all calls; at the end something was answered with success, and something refused."""
    made = SchemaCalls(Calls(server))
    yield made
    if sum(made.answered.values()) > _EXAMPLES:
        assert {200, 404, 422} <= set(made.answered)


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_answers_keep_to_the_description(schema_calls: SchemaCalls, operation: Operation) -> None:
    """Right and wrong requests: see `SchemaCalls`."""
    schema_calls.try_operation(operation, examples=_EXAMPLES, seed_number=int(os.environ.get("FUZZ_SEED", "1")))

    found = {kind: text for kind, text in schema_calls.findings.items() if kind.startswith(f"{operation}: ")}
    assert found == {}


def test_parameters_of_paths_are_described() -> None:
    """Every part of a path that is in braces; programs are generated from the description."""
    for operation in operations():
        named = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
        assert named == set(operation.parameters("path")), str(operation)
    assert describe()["openapi"].startswith("3.1")


def test_what_the_description_does_not_allow_is_found(server: ApiServer) -> None:
    """Were a status not described, the same calls would find it."""
    calls = SchemaCalls(Calls(server))
    (models,) = (operation for operation in operations() if str(operation) == "GET /api/models")
    del calls.description["paths"]["/api/models"]["get"]["responses"]["200"]
    calls.try_operation(models, examples=4, seed_number=1)

    assert any("UndefinedStatusCode 200" in kind for kind in calls.findings)
