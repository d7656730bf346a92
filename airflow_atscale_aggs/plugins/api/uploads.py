"""Reads the file of a request, from its body or from a form, and holds no more of it than is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import UploadFile

from airflow_atscale_aggs.engine.aggregates.exported import MOST_BYTES
from airflow_atscale_aggs.plugins.api.bounds import Slots
from airflow_atscale_aggs.plugins.api.problems import ProblemError

import_slots = Slots(2, "reads an import", patience=0.0)
"""Each holds a whole file. Nobody waits for a slot, since that would hold up all requests of the process."""

_PART = "file"
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody has sent. ``name``: for messages."""

    data: bytes
    name: str = "The file"


async def read_upload(request: Request, most: int = MOST_BYTES) -> Upload:
    """The file: the body as it is, or the part `file` of a form.

    A form is kept on disk while it comes.

    Args:
        most: bytes of the file.

    Raises:
        ProblemError: 413: it is larger; 422: the form has no such part.
        HTTPException: 400: the form is malformed; it is told as 422, or as 400 on the published paths.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Upload(await _read_body(request, most))
    async with request.form(max_files=1, max_fields=10) as form:
        part = form.get(_PART)
        if not isinstance(part, UploadFile):
            detail = f"The form has no part `{_PART}` with a file. Send the file as `{_PART}`, or as the body itself."
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "no-file")
        data = bytearray()
        while chunk := await part.read(_CHUNK):
            data += chunk
            _check(len(data), most)
        return Upload(bytes(data), part.filename or Upload(b"").name)


async def _read_body(request: Request, most: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        _check(len(data), most)
    return bytes(data)


def _check(size: int, most: int) -> None:
    if size > most:
        detail = f"The file is larger than {most:,} bytes. Export fewer definitions."
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, "too-large")
