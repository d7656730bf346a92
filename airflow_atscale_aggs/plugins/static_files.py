"""The files of the Aggregates page, served below ``/atscale_aggs/static``.

They are code and pictures, no data, so they are served to everybody who reaches Airflow, as Airflow's own are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import Scope

FOLDER = Path(__file__).parent / "www" / "dist"
"""What `vite build` makes of `www/src`."""


class PageFiles(StaticFiles):
    """Files with the time for which a browser may keep them.

    A chunk bears a hash of its content in its name, so it is kept for good. All others keep their name from version
    to version: the browser asks each time whether they are as they were (by their ETag).
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The answer for a path below the folder."""
        response = await super().get_response(path, scope)
        is_chunk = Path(path).parts[:1] == ("chunks",)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_chunk else "no-cache"
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file; scripts are served as such, whatever the machine's table of types says."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if Path(full_path).suffix == ".js" and response.status_code == status_code:
            response.headers["Content-Type"] = "text/javascript; charset=utf-8"
        return response


def mount_static_files(app: FastAPI) -> None:
    """Serve the page's files at ``static`` below the application."""
    app.mount("/static", PageFiles(directory=FOLDER), name="static")
