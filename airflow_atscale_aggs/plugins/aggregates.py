"""The plugin that Airflow loads: the Aggregates page, its tabs on DAGs, runs and tasks, and what serves them.

Airflow imports plugins in all its processes, so the web application is imported only when it is asked for something.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_atscale_aggs.hooks.secrets import hide_urls
from airflow_atscale_aggs.plugins import mapped_names
from airflow_atscale_aggs.plugins.instance_link import AggregateInstanceLink

_log = logging.getLogger(__name__)

_PRELOADED = (
    # What a DAG file imports: each task reads its file anew.
    "airflow_atscale_aggs.dag_factory",
    "airflow.providers.standard.operators.empty",
    # What Airflow imports in each task.
    "airflow.dag_processing.bundles.local",
    "airflow.sdk.bases.sensor",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.observability.stats",
    "airflow.version",
    "encodings.unicode_escape",
    "jinja2.ext",
    # What `build` runs.
    "airflow_atscale_aggs.engine.lifecycle.build.attempt",
    "airflow_atscale_aggs.engine.lifecycle.workspace",
    # What `deploy`, `plan` and `activate` run, with the SQL library.
    "airflow_atscale_aggs.engine.lifecycle.deploy.deploy",
    "airflow_atscale_aggs.engine.sql.owner_mark",
    "sqlglot.dialects.duckdb",
    "airflow_atscale_aggs.engine.lifecycle.build.batch",
    "airflow_atscale_aggs.engine.lifecycle.build.activate",
    "airflow_atscale_aggs.engine.model.yaml_reader",
    "encodings.utf_8_sig",
    # Parts of the registry, which are imported when they are asked for.
    "airflow_atscale_aggs.engine.registry.definitions",
    "airflow_atscale_aggs.engine.registry.ownership",
    "airflow_atscale_aggs.engine.registry.slice_records",
    "airflow_atscale_aggs.engine.registry.written_tables",
    # Drivers, as far as they are installed.
    "airflow_atscale_aggs.engine.warehouse.duckdb",
    "airflow_atscale_aggs.engine.warehouse.postgres",
    "psycopg",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
)


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


@functools.cache
def preload() -> None:
    """Load what tasks of a batch need, in the process that they are forked from: the scheduler or a Celery worker.

    A task then finds it in memory. Importing it, generating methods of classes and writing the SQL of statements on
    the registry cost more than building a small aggregate. It is done once: Airflow loads plugins again in each task.
    """
    for module in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    from airflow_atscale_aggs.engine.lazy_dataclass import complete_classes
    from airflow_atscale_aggs.engine.registry.rehearsal import rehearse

    complete_classes()
    try:
        rehearse()
    except Exception:  # noqa: BLE001 - tasks do the same by themselves, and the scheduler has to start
        _log.warning("Tasks of aggregates begin cold.", exc_info=True)


def _react_app(label: str, destination: str, url_route: str) -> dict[str, Any]:
    """One place in Airflow's UI that the page's bundle fills.

    Args:
        label: what the navigation or the tab says, and the name under which `www/src/main.tsx` hands it its component.
        destination: `nav`, `dag`, `dag_run` or `task_instance`.
        url_route: its path, which no other plugin may have.
    """
    # Addresses have no leading slash: Airflow may stand below a path.
    return {
        "name": label,
        "destination": destination,
        "url_route": url_route,
        "bundle_url": "atscale_aggs/static/main.js",
        "icon": "atscale_aggs/static/icon.svg",
        "icon_dark_mode": "atscale_aggs/static/icon-dark.svg",
        "nav_top_level": destination == "nav",
    }


class AggregatesPlugin(AirflowPlugin):
    """Registers the page and the web application with Airflow."""

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called once per process."""
        hide_urls()
        mapped_names.register()
        if {"scheduler", "celery"} & set(sys.argv[1:2]):
            preload()

    name = "aggregates"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - Airflow declares it without ClassVar
        {
            "app": LazyApplication("airflow_atscale_aggs.plugins.api.application:app"),
            "url_prefix": "/atscale_aggs",
            "name": "Aggregate tables",
        },
    ]
    operator_extra_links: list[Any] = [AggregateInstanceLink()]  # noqa: RUF012 - Airflow declares it without ClassVar
    react_apps: list[Any] = [  # noqa: RUF012 - Airflow declares it without ClassVar
        _react_app("Aggregates", "nav", "aggregates"),
        _react_app("Aggregates", "dag", "aggregates-of-dag"),
        _react_app("Aggregate batch", "dag_run", "aggregate-batch"),
        _react_app("Aggregate", "task_instance", "aggregate-instance"),
    ]
