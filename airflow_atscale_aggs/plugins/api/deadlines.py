"""Ends what a request runs in its warehouse once its time is up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.warehouse.base import Warehouse
from airflow_atscale_aggs.plugins.api.problems import ProblemError

_AGAIN = 0.05
"""Seconds between two interruptions: a request runs many statements, and starts the next one when one has ended."""


@contextlib.contextmanager
def deadline(warehouse: Warehouse, seconds: float) -> Iterator[None]:
    """Interrupt every statement that the block runs in a warehouse after some seconds.

    Args:
        warehouse: of this request alone, so that no other one is interrupted.

    Raises:
        ProblemError: 504: the block was interrupted.
    """
    done, expired = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        expired.set()
        warehouse.cancel_all()
        while not done.wait(_AGAIN):
            warehouse.cancel_all()

    watcher = threading.Thread(target=watch, name="deadline", daemon=True)
    watcher.start()
    try:
        yield
    except (WarehouseError, KeyboardInterrupt) as error:
        # DuckDB tells an interruption as a signal where it comes at some moments.
        if not expired.is_set():
            raise
        detail = (
            f"The warehouse had not answered after {seconds:g} s, and what it ran was cancelled. Ask for less, give a "
            "longer time, or let an aggregate be built for the query."
        )
        raise ProblemError(HTTPStatus.GATEWAY_TIMEOUT, detail, "timeout") from error
    finally:
        done.set()
        watcher.join()
