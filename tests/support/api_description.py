"""Writes the description of the REST API that the page's client is generated from: `make page` runs it."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from airflow_atscale_aggs.plugins.api import documents
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Document

FILE = Path(documents.__path__[0]).parents[1] / "www" / "openapi.json"


def describe_api() -> dict[str, Any]:
    """The OpenAPI description, with the shapes of all documents, also of those that no route names by itself."""
    from airflow_atscale_aggs.plugins.api.application import app

    description = app.openapi()
    schemas = _document_schemas() | description["components"]["schemas"]
    return description | {"components": description["components"] | {"schemas": dict(sorted(schemas.items()))}}


def _document_schemas() -> dict[str, Any]:
    shapes = [
        (shape, "serialization")
        for room in pkgutil.iter_modules(documents.__path__)
        for _, shape in inspect.getmembers(
            importlib.import_module(f"{documents.__name__}.{room.name}"), inspect.isclass
        )
        if issubclass(shape, BaseModel) and shape.__module__.endswith(f".{room.name}") and shape is not Document
        # A page of rows has a shape only when one says of which rows.
        if not getattr(shape, "__pydantic_generic_metadata__", {}).get("parameters")
    ]
    _, definitions = models_json_schema(shapes, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


if __name__ == "__main__":
    FILE.write_text(json.dumps(describe_api(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
