"""The plugin that Airflow loads: a page for each aggregate instance, below ``/atscale_aggs``.

Airflow imports plugins in all its processes, so the web application is imported only when it is asked for something.
"""

from __future__ import annotations

import importlib
from typing import Any

from airflow.plugins_manager import AirflowPlugin


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


class AggregatesPlugin(AirflowPlugin):
    """Registers the web application with Airflow."""

    name = "aggregates"
    fastapi_apps = (
        {
            "app": LazyApplication("airflow_atscale_aggs.plugins.instance_page:app"),
            "url_prefix": "/atscale_aggs",
            "name": "Aggregate tables",
        },
    )
