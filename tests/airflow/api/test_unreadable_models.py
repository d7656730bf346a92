"""What is told of a model whose files, as the registry keeps them, cannot be read any more."""

from __future__ import annotations

import pytest

from tests.support.api_calls import SQL, Calls, Operation, operations
from tests.support.api_server import ApiServer
from tests.support.registry_content import spoil_content

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def calls(server: ApiServer) -> Calls:
    """Right calls, after which the content of the model was spoilt."""
    made = Calls(server)
    spoil_content(server.registry, "tiny_sales", b"{}")
    return made


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_no_route_ends_in_a_defect(calls: Calls, operation: Operation) -> None:
    """What does not need the files works on; the others tell what is wrong."""
    answer = calls.call(operation, "admin")

    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "models/tiny_sales/structure", None),
        ("POST", "models/tiny_sales/recommend", {"from_structure": True}),
        ("POST", "query", {"sql": SQL}),
        ("POST", "explain", {"sql": SQL}),
    ],
)
def test_what_needs_the_files_says_what_to_do(calls: Calls, method: str, path: str, body: object) -> None:
    """In the same sentence, as a problem."""
    answer = calls.server.client().request(method, f"/api/connections/tiny/{path}", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["type"] == "about:blank#model-file"
    assert answer.json()["detail"] == (
        "Model `tiny_sales`: the files that the registry keeps of it cannot be read (Error -3 while decompressing "
        "data: incorrect header check). Deploy it once more from its SML, as with `atscale-aggs deploy DIR`."
    )
