"""Export and import of the definitions of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import ManagedModel, ReachableModel
from airflow_atscale_aggs.plugins.api.documents.query_documents import ImportAnswer
from airflow_atscale_aggs.plugins.api.imports import import_upload
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate
from airflow_atscale_aggs.plugins.api.uploads import import_slots, read_upload

router = APIRouter(tags=["Transfer"])

_CHUNK = 2**18
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, as `atscale-aggs export` writes it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "description": "The file itself."}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.get(
    "/connections/{connection}/models/{model}/export",
    response_class=StreamingResponse,
    responses=_FILE,
    dependencies=[ActingRate],
)
def export(place: ReachableModel) -> StreamingResponse:
    """The system-defined definitions of a model as a file, with statistics and the reason of each.

    User-defined aggregates are part of the model and are not in it.
    """
    with place.place.bookkeeping() as workspace:
        exported = export_definitions(workspace, place.model.id, now=utc_now())
    name = f"{exported.model}_definitions.json"
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(len(exported.data)),
    }
    return StreamingResponse(_pieces(exported.data), media_type="application/json", headers=headers)


@router.post("/connections/{connection}/models/{model}/import", openapi_extra=_BODY, dependencies=[ActingRate])
async def import_definitions(
    place: ManagedModel, request: Request, *, build: Annotated[bool, Query()] = False
) -> ImportAnswer:
    """Record the definitions of a file: its bytes are the body, or the part `file` of a form.

    What exists already is told as a duplicate, one by one, and left alone: the same file may be imported again. With
    `build` a batch of the new ones is started; otherwise the next batch builds them.
    """
    with import_slots.taken():
        upload = await read_upload(request)
        is_from_page = bool(request.headers.get("referer"))
        return await run_in_threadpool(import_upload, place, upload, build=build, is_from_page=is_from_page)


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
