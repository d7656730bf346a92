"""Calls of the REST API: every operation that its description has, with parameters of things that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_atscale_aggs.engine.registry.batch_lists import BatchFilter
from tests.support.api_server import BUILT_BY, ApiServer

SQL = 'SELECT "City", "Amount" FROM tiny.tiny_sales'

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


@dataclass(frozen=True)
class Operation:
    """One verb of one path.

    Attributes:
        described: what the OpenAPI says of it.
    """

    method: str
    path: str
    described: Mapping[str, Any] = field(compare=False, hash=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def parameters(self, place: str) -> dict[str, Mapping[str, Any]]:
        """Schemas of the parameters in ``path``, ``query`` or ``header``, by name."""
        found = self.described.get("parameters", ())
        return {parameter["name"]: parameter["schema"] for parameter in found if parameter["in"] == place}


def describe() -> dict[str, Any]:
    """The OpenAPI of the application."""
    from airflow_atscale_aggs.plugins.api.application import app

    description: dict[str, Any] = app.openapi()
    return description


def operations() -> tuple[Operation, ...]:
    """All that the OpenAPI describes."""
    return tuple(
        Operation(method.upper(), path, described)
        for path, item in describe()["paths"].items()
        for method, described in item.items()
        if method in _METHODS
    )


def edges_of(graph: Any, *, only_used: bool = False) -> set[tuple[str, str]]:
    """The edges of a lattice that was answered, by names; of those by which tables were built, or of all."""
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    return {
        (names[edge["source"]], names[edge["target"]]) for edge in graph["edges"] if edge["is_used"] or not only_used
    }


BODIES: Mapping[str, Mapping[str, Any]] = {
    "PUT /api/connections/{connection}/models/{model}/settings/{key}": {"value": "3"},
    "POST /api/connections/{connection}/definitions/{definition_id}/block": {"why": "a test"},
    "POST /api/connections/{connection}/models/{model}/batches": {"build_type": "full"},
    "POST /api/connections/{connection}/explain": {"sql": SQL},
    "POST /api/connections/{connection}/query": {"sql": SQL},
    "POST /api/connections/{connection}/models/{model}/recommend": {},
}
"""What is asked for, by operation; where it is the file of an import, see `Calls`."""

QUERIES: Mapping[str, Mapping[str, str]] = {
    "POST /v1/aggregates-batch/catalogs/{catalog_id}/models/{model_id}": {"isFullBuild": "true"},
    "POST /aggregate-batch/orgId/{org_id}/projectId/{project_id}": {"cubeId": "{model_id}", "isFullBuild": "true"},
    "POST /aggregate-batch/projectId/{project_id}": {"cubeId": "{model_id}", "isFullBuild": "true"},
    "GET /wapi/p/aggregate/batch-history": {"catalogId": "tiny", "modelId": "{model_id}"},
}
"""Parameters in the query that are needed, by operation."""


class Calls:
    """Right calls of every operation, over the connection `tiny`, on the model `tiny_sales` and what belongs to it."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        model_id = server.registry.read.models.get("tiny_sales").id
        owned = BatchFilter(model_ids=[model_id], owner=BUILT_BY)
        (batch,) = server.registry.read.lists.batches.page(owned).rows
        instance = server.registry.read.instances.find(batch_id=batch.batch.id)[0]
        dag_id, run_id = BUILT_BY.removeprefix("airflow:").split("/")
        self.things: dict[str, str] = {
            "connection": "tiny",
            "model": "tiny_sales",
            "key": "aggregates.batch.max.failures",
            "definition_id": instance.step.definition_id,
            "instance_id": instance.id,
            "batch_id": batch.batch.id,
            "dag_id": dag_id,
            "run_id": run_id,
            "catalog_id": "tiny",
            "model_id": model_id,
            "query_id": self._asked(),
            "org_id": "default",
            "project_id": "tiny",
        }
        self.queries = {
            operation: {name: value.format_map(self.things) for name, value in query.items()}
            for operation, query in QUERIES.items()
        }
        own = server.get("connections/tiny/models/tiny_sales/export")
        published = server.client().get(f"/v1/aggregates/export/catalogs/tiny/models/{model_id}").json()
        self.bodies = dict(BODIES) | {
            str(operation): published if operation.path.startswith("/v1") else own
            for operation in operations()
            if operation.method == "POST" and "/import" in operation.path
        }

    def _asked(self) -> str:
        """The id of a query in the log."""
        path = "/api/connections/tiny/query"
        assert self.server.client().post(path, json={"sql": SQL}).status_code == 200
        return str(self.server.get("connections/tiny/queries")["items"][0]["id"])

    def call(
        self,
        operation: Operation,
        user: str | None = "admin",
        *,
        things: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Call an operation.

        Args:
            things: other values of parameters in the path, as they are to be in the address: quoted.
            query: parameters in the query.
            body: another body than the right one.
        """
        path = operation.path.format_map(self.things | dict(things or {}))
        json = body if body is not None else self.bodies.get(str(operation))
        options = {} if json is None else {"json": json}
        asked = self.queries.get(str(operation), {}) | dict(query or {})
        return self.server.client(user).request(operation.method, path, params=asked, follow_redirects=False, **options)
