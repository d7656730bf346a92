"""Routes about models: which there are, what they consist of, and whether their registries answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id, model_id
from tests.support.api_server import SECRET, ApiServer

pytestmark = pytest.mark.airflow

_TINY = "connections/tiny/models/tiny_sales"
_OUT_OF_REACH = (
    "Or you may not read it: for that you need to read a DAG that builds the model over this connection, or the "
    "connection itself."
)


def _places(document: Any) -> list[tuple[str, str]]:
    return [(model["name"], model["connection"]) for model in document["models"]]


@pytest.mark.parametrize(
    ("user", "models", "problems"),
    [
        ("viewer", [("hidden_sales", "other"), ("tiny_sales", "tiny")], []),
        ("tiny_viewer", [("tiny_sales", "tiny")], []),
        ("outsider", [], []),
        (
            "op",
            [("hidden_sales", "other"), ("hidden_sales", "tiny"), ("tiny_sales", "other"), ("tiny_sales", "tiny")],
            ["broken"],
        ),
    ],
)
def test_models_are_listed_over_all_connections(
    server: ApiServer, user: str, models: list[tuple[str, str]], problems: list[str]
) -> None:
    """As far as one may read them. A connection that does not work is told, without its password."""
    answer = server.client(user).get("/api/models")

    assert _places(answer.json()) == models
    assert [problem["connection"] for problem in answer.json()["problems"]] == problems
    assert SECRET not in answer.text


def test_a_model_tells_what_it_has(server: ApiServer) -> None:
    """Definitions, what serves, since when; times are aware."""
    model = server.get(_TINY, "viewer")

    activated_at, deployed_at = (
        datetime.fromisoformat(model.pop(name)) for name in ("last_activated_at", "deployed_at")
    )
    assert activated_at.tzinfo is not None
    assert deployed_at < activated_at
    assert model == {
        "connection": "tiny",
        "id": model_id("tiny", "tiny_sales"),
        "catalog": "tiny",
        "catalog_id": catalog_id("tiny"),
        "name": "tiny_sales",
        "label": "Tiny sales",
        "version": 1,
        "dag_id": "batch_build_tiny_sales",
        "may_build": False,
        "may_manage": False,
        "may_administer": False,
        "definitions": 4,
        "active": 4,
        "open_batch_id": None,
    }


@pytest.mark.parametrize(
    ("user", "place", "rights"),
    [
        ("user", "tiny/models/tiny_sales", (True, True, False)),
        ("op", "tiny/models/tiny_sales", (True, True, True)),
        # No DAG builds it over this connection, so that there is no run to start.
        ("op", "tiny/models/hidden_sales", (False, True, True)),
    ],
)
def test_a_model_tells_what_one_may_do_with_it(
    server: ApiServer, user: str, place: str, rights: tuple[bool, bool, bool]
) -> None:
    model = server.get(f"connections/{place}", user)

    assert (model["may_build"], model["may_manage"], model["may_administer"]) == rights


@pytest.mark.parametrize("name", ["tiny_sales", "tiny.tiny_sales", model_id("tiny", "tiny_sales")])
def test_a_model_is_found_by_name_full_name_and_id(server: ApiServer, name: str) -> None:
    assert server.get(f"connections/tiny/models/{name}", "viewer")["name"] == "tiny_sales"


@pytest.mark.parametrize(
    ("path", "user", "status", "words"),
    [
        ("connections/tiny/models/tiny_sale", "op", 404, "Did you mean `tiny_sales` or `hidden_sales`?"),
        ("connections/tiny/models/tiny_sale", "tiny_viewer", 404, "Did you mean `tiny_sales`?"),
        ("connections/nowhere/models/x", "op", 404, "There is no Airflow connection `nowhere`."),
        ("connections/nowhere/models/x", "viewer", 403, "You may not use the Airflow connection `nowhere`"),
        ("connections/postgres/models/x", "op", 409, "is of type `postgres`; `atscale_aggs` is needed"),
        ("connections/broken/models/x", "op", 409, "somebody:***@127.0.0.1:1/nothing cannot be used"),
        ("connections/tiny/models/hidden_sales", "tiny_viewer", 404, _OUT_OF_REACH),
        ("connections/tiny/models/hidden_sales/structure", "tiny_viewer", 404, _OUT_OF_REACH),
        ("connections/other/models/hidden_sales", "tiny_viewer", 403, "You may not use"),
        ("dags/batch_build_hidden_sales/models", "tiny_viewer", 403, "You may not read the DAG"),
        (_TINY, None, 401, "Not authenticated"),
        ("models", None, 401, "Not authenticated"),
        ("health", None, 401, "Not authenticated"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_a_problem(
    server: ApiServer, path: str, user: str | None, status: int, words: str
) -> None:
    """With a sentence, and without a secret."""
    answer = server.client(user).get(f"/api/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
    assert SECRET not in answer.text


def test_a_structure_has_levels_from_coarse_to_fine(server: ApiServer) -> None:
    """The names are those that definitions have."""
    structure = server.get(f"{_TINY}/structure", "tiny_viewer")

    hierarchies = {node["name"]: [level["name"] for level in node["levels"]] for node in structure["hierarchies"]}
    assert hierarchies == {"Calendar levels": ["Month", "Day"], "Shops levels": ["City", "Shop"]}
    assert [attribute["name"] for attribute in structure["attributes"]] == ["City", "Day", "Month", "Shop"]
    assert {metric["name"]: metric["method"] for metric in structure["metrics"]} == {
        "Quantity": "sum",
        "Amount": "sum",
        "Average Amount": "average",
    }
    assert structure["facts"] == ["sales"]


def test_health_tells_which_registry_does_not_answer(server: ApiServer) -> None:
    """To those who may read the connection."""
    healthy, degraded = server.get("health", "viewer"), server.get("health", "op")

    assert (healthy["status"], degraded["status"]) == ("healthy", "degraded")
    assert [place["connection"] for place in healthy["connections"]] == ["other", "tiny"]
    (broken,) = [place for place in degraded["connections"] if place["status"] == "unhealthy"]
    assert broken["connection"] == "broken"
    assert SECRET not in str(degraded)


@pytest.mark.parametrize(
    ("dag_id", "user", "models"),
    [
        ("batch_build_tiny_sales", "tiny_viewer", [("tiny_sales", "tiny")]),
        ("batch_build_hidden_sales", "viewer", [("hidden_sales", "other")]),
        ("unrelated", "outsider", []),
        ("no_such_dag", "admin", []),
    ],
)
def test_a_dag_tells_which_models_it_builds(
    server: ApiServer, dag_id: str, user: str, models: list[tuple[str, str]]
) -> None:
    assert _places({"models": server.get(f"dags/{dag_id}/models", user)}) == models
