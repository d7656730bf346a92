"""The page of the REST API, from the OpenAPI document that the page's client is made from too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import airflow_atscale_aggs
from tests.reference_pages.markdown import code, page, table

_FILE = Path(airflow_atscale_aggs.__file__).parent / "plugins" / "www" / "openapi.json"

_HEAD = """
Addresses are below `/atscale_aggs` of Airflow's API server. Every route needs a token or a session of Airflow's; the
rights stand in [rights](../rights.md). Errors are problem details: the fragment of `type` is a code of
[troubleshooting](../troubleshooting.md), `detail` is a sentence for people. The shapes of all documents stand in the
OpenAPI document, at `/atscale_aggs/openapi.json`, where calls can be tried out, at `/atscale_aggs/docs`.
[The REST API](../rest-api.md) shows how to start a batch, and what AtScale's published paths do the same and not.
"""


def rest_page() -> str:
    """Every route with its parameters, body and answers."""
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = groups.setdefault((operation.get("tags") or ["Other"])[0], [])
            group += _route(document, f"{method.upper()} {path}", operation)
    parts = [part for heading, texts in groups.items() for part in (f"## {heading}", *texts)]
    return page("The REST API, route by route", "its OpenAPI document", _HEAD, *parts)


def _route(document: Mapping[str, Any], address: str, operation: Mapping[str, Any]) -> list[str]:
    parts = [f"### {code(address)}", (operation.get("description") or operation.get("summary") or "").strip()]
    parameters = [p for p in operation.get("parameters", []) if p["in"] != "path"]
    rows = [
        (code(p["name"]), _kind(p["schema"]), _default(p), " ".join((p.get("description") or "").split()))
        for p in parameters
    ]
    parts.append(table(("parameter", "type", "default", "meaning"), rows))
    body = _body(operation)
    if body:
        parts += [f"Body: {code(body)}", table(("field", "type", "default", "meaning"), _fields(document, body))]
    return [part for part in parts if part]


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    choices = [schema, *schema.get("anyOf", [])]
    return next((choice["$ref"].rsplit("/", 1)[-1] for choice in choices if "$ref" in choice), "")


def _fields(document: Mapping[str, Any], name: str) -> list[tuple[str, str, str, str]]:
    shape = document["components"]["schemas"][name]
    needed = shape.get("required", [])
    return [
        (
            code(field),
            _kind(schema),
            "required" if field in needed else _default({"schema": schema}),
            " ".join((schema.get("description") or "").split()),
        )
        for field, schema in shape.get("properties", {}).items()
    ]


def _default(parameter: Mapping[str, Any]) -> str:
    if parameter.get("required"):
        return "required"
    default = parameter["schema"].get("default")
    return "" if default in (None, "", []) else code(json.dumps(default, ensure_ascii=False))


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    if "const" in schema:
        return code(str(schema["const"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(choice) for choice in schema["anyOf"] if choice.get("type") != "null"))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    kind = str(schema.get("format") or schema.get("type") or "any")
    least, most = schema.get("minimum"), schema.get("maximum")
    return f"{kind}, {least} to {most:,}" if least is not None and most is not None else kind
