"""The plugin that Airflow loads: a page for each aggregate instance, below ``/atscale_aggs``.

Airflow imports plugins in all its processes, so the web application is imported only when it is asked for something.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_atscale_aggs.hooks.secrets import hide_urls


class LazyApplication:
    """An ASGI application that is imported at its first request.

    Args:
        path: ``module:name`` of the application.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._application: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._application is None:
            module, _, name = self.path.partition(":")
            self._application = getattr(importlib.import_module(module), name)
        await self._application(scope, receive, send)


def preload() -> None:
    """Import what every build task needs, in the process that tasks are forked from: the scheduler or a Celery worker.

    A task then finds it in memory; importing it costs more than building a small aggregate.
    """
    for module in (
        "airflow_atscale_aggs.engine.lifecycle.build.attempt",
        "duckdb",
        "psycopg",
        "sqlalchemy.dialects.sqlite",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


class AggregatesPlugin(AirflowPlugin):
    """Registers the web application with Airflow."""

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called once per process."""
        hide_urls()
        if {"scheduler", "celery"} & set(sys.argv[1:2]):
            preload()

    name = "aggregates"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - Airflow declares it without ClassVar
        {
            "app": LazyApplication("airflow_atscale_aggs.plugins.instance_page:app"),
            "url_prefix": "/atscale_aggs",
            "name": "Aggregate tables",
        },
    ]
