"""Settings: what is in force, where it comes from, who changes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_atscale_aggs.engine.settings import WITHOUT_EFFECT, Settings, describe_settings
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_PATH = "connections/tiny/models/tiny_sales/settings"
_KEY = "aggregates.batch.max.failures"


def _setting(server: ApiServer, key: str = _KEY) -> dict[str, Any]:
    found: list[dict[str, Any]] = server.get(_PATH)
    return next(setting for setting in found if setting["key"] == key)


def test_every_setting_is_listed_with_its_source(server: ApiServer) -> None:
    """Also those of the product that do nothing here, each with the reason."""
    listed = server.get(_PATH, user="tiny_viewer")

    described = {setting["key"]: setting for setting in listed if not setting["without_effect"]}
    assert [*described] == [key for key, _, _, _ in describe_settings(Settings())]
    assert {setting["source"] for setting in described.values()} == {"default"}
    assert {setting["key"]: setting["without_effect"] for setting in listed[len(described) :]} == WITHOUT_EFFECT
    assert all(setting["meaning"] for setting in described.values())


def test_airflows_configuration_is_a_source(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ATSCALE_AGGS__MAX_FAILURES", "3")

    assert (_setting(server)["value"], _setting(server)["source"]) == (3, "airflow")


def test_the_value_of_the_model_wins_and_is_forgotten(server: ApiServer) -> None:
    """Over the one of all models, which is in force again afterwards."""
    client = server.client("op")
    path = f"/api/{_PATH}/{_KEY}"

    for_all = client.put(path, json={"value": 2, "for_all_models": True}).json()
    own = client.put(path, json={"value": "1"}).json()
    said = [client.delete(path).json()["message"] for _ in range(2)]
    between = _setting(server)
    said.append(client.delete(path, params={"for_all_models": "true"}).json()["message"])

    assert (for_all["value"], for_all["source"]) == (2, "all models")
    assert (own["value"], own["source"], own["default"]) == (1, "model", 0)
    assert said == [f"{_KEY} is unset.", f"{_KEY} was not set.", f"{_KEY} is unset."]
    assert between == for_all
    assert _setting(server)["source"] == "default"


def test_keys_are_known_in_any_case(server: ApiServer) -> None:
    """As the product's own pages print them both ways."""
    client = server.client("admin")
    set_ = client.put(f"/api/{_PATH}/{_KEY.upper()}", json={"value": 4})
    client.delete(f"/api/{_PATH}/{_KEY.upper()}")

    assert (set_.status_code, set_.json()["key"], set_.json()["value"]) == (200, _KEY, 4)
    assert _setting(server)["source"] == "default"


@pytest.mark.parametrize(
    ("key", "value", "status", "sentence"),
    [
        ("aggregates.batch.max.failure", 1, 404, f"there is no such setting. Did you mean `{_KEY}`"),
        ("%27%20OR%201=1", 1, 404, "there is no such setting"),
        (_KEY, -1, 422, "-1 is below its least value 0"),
        (_KEY, 10**30, 422, "it is above its greatest value 1000000000"),
        (_KEY, "\ud800", 422, "`\\ud800` is not a whole number"),
        (_KEY, "many", 422, "`many` is not a whole number"),
        (_KEY, 1.5, 422, "`1.5` is not a whole number"),
        (_KEY, None, 422, "value"),
        (_KEY, [1], 422, "value"),
        ("aggregates.batch.verify", "some", 422, "`some` is none of off, totals, sample, full"),
        ("aggregates.tableCache.enabled", True, 422, "has no effect here: dimension-only aggregates are tables"),
    ],
)
def test_what_cannot_be_set_is_refused(server: ApiServer, key: str, value: Any, status: int, sentence: str) -> None:
    """With the sentences of the command line, and nothing is set."""
    # Unlike the client, Python's own JSON has escapes for halves of characters.
    body = json.dumps({"value": value})
    answer = server.client().put(f"/api/{_PATH}/{key}", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert all(setting["source"] == "default" for setting in server.get(_PATH))


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("viewer", 403), ("user", 403), ("tiny_user", 403)])
def test_only_who_may_edit_the_connection_changes_settings(server: ApiServer, user: str | None, status: int) -> None:
    client = server.client(user)

    assert client.put(f"/api/{_PATH}/{_KEY}", json={"value": 2}).status_code == status
    assert client.delete(f"/api/{_PATH}/{_KEY}").status_code == status
    assert _setting(server)["source"] == "default"


@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("outsider", 403), ("viewer", 200), ("tiny_viewer", 200), ("admin", 200)]
)
def test_who_reads_the_model_reads_its_settings(server: ApiServer, user: str | None, status: int) -> None:
    assert server.status(_PATH, user) == status
