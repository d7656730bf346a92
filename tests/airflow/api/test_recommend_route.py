"""Recommendations through the API: what they save, and who may ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.advised_api import ASKED, FACT_ROWS, PATH, advised_api
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """For tests that define nothing."""
    with advised_api(tmp_path_factory.mktemp("advised")) as started:
        yield started


def _recommend(server: ApiServer, user: str | None = "user", **request: Any) -> Any:
    return server.client(user).post(PATH, json={"queries": ASKED, **request})


def test_a_recommendation_tells_what_it_saves_and_why(advised: ApiServer) -> None:
    document = _recommend(advised).json()

    names = {recommended["name"] for recommended in document["recommendations"]}
    assert names == {"sales_by_shop", "sales_by_day"}, document
    assert (document["source"], document["queries"]) == ("queries", 2)
    assert document["cost_after"] < document["cost_before"] == len(ASKED) * FACT_ROWS
    for recommended in document["recommendations"]:
        assert recommended["fact"] == "sales"
        assert recommended["rows_saved"] > 0
        assert 0 < recommended["share"] < 1
        assert recommended["reason"].startswith("asked once")
        assert (recommended["outcome"], recommended["gives_way"]) == (None, [])
    assert document["message"].endswith("Nothing is defined yet.")
    with advised.workspace() as workspace:
        model = workspace.read.models.get("tiny_sales")
        defined = {record.definition.name for record in workspace.read.definitions.of_model(model.id)}
    assert not names & defined


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"apply": True, "only": ["sales_by_nothing"]}, 404, "There is no recommended aggregate `sales_by_nothing`"),
        ({"only": ["sales_by_shop"]}, 422, "it needs `apply`"),
        ({"from_structure": True}, 422, "either `queries` or `from_structure`"),
        ({"most": -1}, 422, "malformed"),
        ({"queries": ["DROP TABLE sales"]}, 200, "DROP TABLE sales"),
        ({"queries": []}, 200, "Nothing was asked yet"),
        ({"most": 0}, 200, "nothing to recommend"),
    ],
)
def test_what_cannot_be_recommended_is_told(
    advised: ApiServer, request_: dict[str, Any], status: int, words: str
) -> None:
    answered = _recommend(advised, **request_)

    assert answered.status_code == status, answered.text
    assert words in answered.text
    with advised.workspace() as workspace, workspace.warehouse.session() as session:
        assert session.fetch_all("SELECT COUNT(*) FROM sales") == [(FACT_ROWS,)]


def test_who_may_build_a_model_is_advised(advised: ApiServer) -> None:
    users = (None, "viewer", "user", "op", "admin", "tiny_viewer", "tiny_user", "outsider")
    statuses = [_recommend(advised, user).status_code for user in users]

    assert statuses == [401, 403, 200, 200, 200, 403, 200, 403]


def test_structure_and_history_are_looked_at_as_well(advised: ApiServer) -> None:
    by_structure = advised.client("user").post(PATH, json={"from_structure": True, "most": 1}).json()
    by_history = advised.client("user").post(PATH, json={}).json()

    assert (by_structure["source"], len(by_structure["recommendations"])) == ("structure", 1)
    assert (by_history["source"], by_history["recommendations"]) == ("history", [])
