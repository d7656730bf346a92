"""Export and import under AtScale's published paths: what the one answers is what the other takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus, catalog_id, model_id
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.support.advised_api import ASKED, PATH, advised_api
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_CATALOG, _MODEL = catalog_id("tiny"), model_id("tiny", "tiny_sales")
_EXPORT = f"/v1/aggregates/export/catalogs/{_CATALOG}/models/{_MODEL}"
_IMPORT = _EXPORT.replace("export", "import")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server over a star for which one further aggregate was recommended and defined."""
    with advised_api(tmp_path_factory.mktemp("transfer")) as started:
        answer = started.client("user").post(PATH, json={"queries": ASKED[:1], "apply": True})
        assert answer.json()["recommendations"][0]["outcome"] == "added", answer.text
        yield started


@pytest.fixture(scope="module")
def exported(server: ApiServer) -> Any:
    """A file with that definition."""
    answer = server.client("viewer").get(_EXPORT)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def forgotten(server: ApiServer, exported: Any) -> Iterator[None]:
    """As on a system that does not know the definition."""
    with server.workspace() as workspace:
        ids = [value["id"] for value in exported["aggregates"]["values"]]
        for identity in ids:
            record = workspace.read.definitions.get(identity)
            if record.status is not DefinitionStatus.RETIRED:
                workspace.registry.definitions.set_status(
                    [identity], DefinitionStatus.RETIRED, "for the test", expected=record.status, now=utc_now()
                )
    yield


def _import(server: ApiServer, document: Any, path: str = _IMPORT, user: str = "user", **more: Any) -> Any:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return server.client(user).post(path, content=content, headers={"Content-Type": "application/json"}, **more)


def test_an_export_has_the_published_form(exported: Any) -> None:
    assert set(exported) >= {
        *("atScaleExportVersion", "exportTimestamp", "exportCatalogId", "exportModelId", "exportSummary", "aggregates"),
    }
    assert (exported["exportCatalogId"], exported["exportModelId"]) == (_CATALOG, _MODEL)
    assert exported["atScaleExportVersion"] == __version__
    assert exported["exportSummary"] == {"connectionIds": {"count": 1, "values": ["tiny"]}}
    assert exported["aggregates"]["count"] == len(exported["aggregates"]["values"]) == 1
    (value,) = exported["aggregates"]["values"]
    assert (value["baseType"], value["subType"], value["modelId"]) == ("system_defined", "demand_defined", _MODEL)
    assert value["notes"] == {"dimensional": False}
    assert value["planJson"]["type"] == "definition-by-names"
    assert value["planJson"]["definition"]["metrics"] == ["Amount"]


@pytest.mark.usefixtures("forgotten")
def test_an_export_is_imported_unchanged(server: ApiServer, exported: Any) -> None:
    parameters = {"importDistributionKey": "true", "connectionRemap": ["a:b", "c:d"]}

    first = _import(server, exported, params=parameters).json()
    again = _import(server, exported).json()

    (identity,) = [value["id"] for value in exported["aggregates"]["values"]]
    assert first == {
        "atScaleExportVersion": __version__,
        "exportCatalogId": _CATALOG,
        "importCatalogId": _CATALOG,
        "modelId": _MODEL,
        "numberOfDefinitionsImported": 1,
        "numberOfDefinitionsIgnored": 0,
        "aggregates": {
            "count": 1,
            "values": [{"id": identity, "newId": identity, "imported": True, "reason": ""}],
        },
    }
    assert (again["numberOfDefinitionsImported"], again["numberOfDefinitionsIgnored"]) == (0, 1)
    (value,) = again["aggregates"]["values"]
    assert (value["imported"], value["newId"]) == (False, None)
    assert "it is defined here already" in value["reason"]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("path", [_IMPORT, _IMPORT.replace("/v1/", "/v1/public/"), f"/connections/tiny{_IMPORT}"])
def test_a_plan_may_be_a_text_and_a_file_a_part_of_a_form(server: ApiServer, exported: Any, path: str) -> None:
    document = json.loads(json.dumps(exported))
    for value in document["aggregates"]["values"]:
        value["planJson"] = json.dumps(value["planJson"])

    answer = server.client("user").post(path, files={"file": ("aggregates.json", json.dumps(document).encode())})

    assert answer.status_code == 200, answer.text
    assert answer.json()["numberOfDefinitionsImported"] == 1


@pytest.mark.usefixtures("forgotten")
def test_our_own_file_is_taken_as_well(server: ApiServer, exported: Any) -> None:
    own = {**exported["source"], "definitions": [exported["aggregates"]["values"][0]["planJson"]["definition"]]}

    answer = _import(server, own).json()

    assert answer["numberOfDefinitionsImported"] == 1
    assert answer["aggregates"]["values"][0]["reason"] == ""


def test_plans_of_another_system_are_told_one_by_one(server: ApiServer, exported: Any) -> None:
    """A file of AtScale's own: its plans name keys by ids that mean nothing here. The others are imported."""
    foreign = {"id": "67d7c22e", "planJson": {"type": "logical-plan", "selection": {"columns": []}}}
    document = {**exported, "aggregates": {"count": 2, "values": [foreign, *exported["aggregates"]["values"]]}}

    mixed = _import(server, document).json()
    alone = _import(server, {"exportModelId": "x", "aggregates": {"count": 1, "values": [foreign]}}).json()

    assert [value["imported"] for value in mixed["aggregates"]["values"]] == [False, False]
    assert "no definition by names" in mixed["aggregates"]["values"][0]["reason"]
    assert "defined here already" in mixed["aggregates"]["values"][1]["reason"]
    assert (alone["numberOfDefinitionsImported"], alone["numberOfDefinitionsIgnored"]) == (0, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: b"{", "it is no JSON"),
        (lambda _: b"[" * 100_000, "is not imported"),
        (lambda _: {}, "no `aggregates` with `values`"),
        (lambda _: [], "no `aggregates` with `values`"),
        (lambda document: {**document, "aggregates": {"values": [1]}}, "no `aggregates` with `values`"),
        (lambda document: {**document, "source": {}}, "is not imported"),
        (lambda document: {**document, "source": {**document["source"], "model_id": "x"}}, "with ModelID x"),
        (lambda document: {**document, "source": {**document["source"], "product_version": "99.0"}}, "newer version"),
    ],
)
def test_what_is_no_such_file_is_refused_with_400(server: ApiServer, exported: Any, change: Any, words: str) -> None:
    answer = _import(server, change(exported))

    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]


def test_an_import_needs_the_right_to_build(server: ApiServer, exported: Any) -> None:
    statuses = [_import(server, exported, user=user).status_code for user in ("viewer", "tiny_user", "outsider")]

    assert statuses == [403, 200, 404]
    assert server.client(None).post(_IMPORT, json=exported).status_code == 401
    large = server.client("user").post(_IMPORT, content=b"", headers={"Content-Length": str(2**40)})
    assert large.status_code == 413
