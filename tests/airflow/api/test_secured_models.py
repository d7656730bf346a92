"""Row security over REST: one is who has signed in, and nobody chooses to be somebody else without the right to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.support.api_server import ApiServer, api_server
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY 1'
_NORTH, _SOUTH = [["North", 555.0]], [["South", 292.5]]
_SECURITY = """\
unique_name: own_shops
object_type: row_security
label: Own shops
dataset: rights
filter_key_column: city
ids_column: person
id_type: user
scope: all
"""
_LINK = """\
relationships:
  - unique_name: own
    type: embedded
    from: {dataset: shop, hierarchy: Shops levels, level: City, join_columns: [city]}
    to: {row_security: own_shops}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The model of the tiny star is secured: `user` sees the north, `admin` the south."""
    with api_server(tmp_path_factory.mktemp("secured")) as started:
        folder = started.folder / "visible"
        shops = folder / "shops.yml"
        shops.write_text(shops.read_text() + _LINK)
        (folder / "own_shops.yml").write_text(_SECURITY)
        (folder / "dataset_rights.yml").write_text(tiny_star.dataset("rights", ("person string", "city string")))
        with started.workspace() as workspace:
            tiny_star.run_sql(
                workspace,
                "CREATE TABLE rights (person VARCHAR(20), city VARCHAR(20))",
                "INSERT INTO rights VALUES ('user', 'North'), ('admin', 'South')",
            )
            deploy(workspace, folder, now=utc_now())
        yield started


def _ask(server: ApiServer, user: str, verb: str = "query", **more: Any) -> Any:
    return server.client(user).post(f"/api/connections/tiny/{verb}", json={"sql": _BY_CITY, **more})


@pytest.mark.parametrize(("user", "rows"), [("user", _NORTH), ("admin", _SOUTH), ("tiny_user", [])])
def test_one_is_who_has_signed_in(server: ApiServer, user: str, rows: list[Any]) -> None:
    answer = _ask(server, user)

    assert (answer.status_code, answer.json().get("rows")) == (200, rows), answer.json()
    assert "with the rows that the user may see" in answer.json()["parts"][0]["verdict"]
    assert answer.json()["parts"][0]["rows"] is None


@pytest.mark.parametrize("named", [{"as_user": "admin"}, {"as_user": "user"}, {"as_groups": ["red"]}])
@pytest.mark.parametrize("verb", ["query", "explain"])
def test_nobody_else_is_named_without_the_right_to_edit_the_connection(
    server: ApiServer, verb: str, named: dict[str, Any]
) -> None:
    answer = _ask(server, "user", verb, **named)

    assert (answer.status_code, answer.json()["detail"][:36]) == (403, "You may not ask as somebody else, or")


def test_whoever_may_edit_the_connection_asks_as_somebody(server: ApiServer) -> None:
    assert _ask(server, "admin", as_user="user").json()["rows"] == _NORTH
    assert _ask(server, "admin", as_user="nobody").json()["rows"] == []


def test_an_explanation_tells_no_number_of_rows(server: ApiServer) -> None:
    document = _ask(server, "user", "explain").json()

    assert {candidate["rows"] for part in document["parts"] for candidate in part["candidates"]} == {None}
