"""What Airflow's provider manager reads."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_SECRET: dict[str, Any] = {"type": ["string", "null"], "format": "password"}

_SETTINGS = {
    "max_failures": ("integer", "0", "Failed aggregates tolerated before a batch is failed."),
    "max_attempts_per_aggregate": ("integer", "3", "Attempts of one aggregate within one batch."),
    "max_attempts_per_batch": ("integer", "5", "Failed attempts of a batch before it retries no more."),
    "build_from_existing": ("boolean", "true", "Derive aggregates from others of the same batch."),
    "build_from_existing_threshold": ("integer", "100", "Order by derivability only below this number of aggregates."),
    "attributes_threshold": ("integer", "250", "Order by derivability only below this number of attributes."),
    "queue_priority_mode": ("integer", "1", "0: new definitions first; 1: rebuilds first; 2: by age."),
    "user_defined_first": ("boolean", "false", "User-defined aggregates before system-defined ones."),
    "verify": ("string", "totals", "How aggregates are compared with their facts: off, totals, sample, full."),
    "grace_overrides": ("boolean", "false", "A batch may be given grace periods; needs the next one too."),
    "grace_overrides_of_model": ("boolean", "false", "Batches of a model may be given grace periods."),
    "drop_delay_seconds": ("integer", "3600", "How long a superseded table is kept."),
    "proof_seconds": ("integer", "300", "How long queries rely on keys and hierarchies that the data has proven."),
    "history": ("boolean", "true", "Keep a log of the queries that are answered."),
    "history_days": ("integer", "90", "How long queries stay in the log."),
    "retention_desired": ("integer", "100", "Instances of system-defined aggregates of a model that are kept."),
    "retention_excess": ("integer", "10", "How many more there may be before the least used go."),
    "retention_unused_days": ("integer", "45", "Days after which an unused definition is disabled."),
    "attention_stale_hours": ("integer", "36", "Hours after which the Aggregates page calls what serves stale."),
    "attention_unused_days": ("integer", "30", "Days after which the Aggregates page names what answers no query."),
    "autonomy": ("string", "define", "What maintenance may do on its own: suggest, define, define and build."),
    "history_literals": ("boolean", "false", "Keep the values of conditions in the log."),
}

_API_BOUNDS = {
    "acting_requests_per_minute": ("integer", "60", "Requests a minute with which one user may change something."),
    "asking_requests_per_minute": ("integer", "120", "Requests a minute with which one user may ask the warehouse."),
    "warehouse_requests": ("integer", "4", "Requests that may ask the warehouse at the same time."),
    "registry_connections": ("integer", "8", "Connections to each registry that are held at most."),
}


def get_provider_info() -> dict[str, Any]:
    """Connection type, hooks, operators, sensors, triggers, links and configuration of this provider."""
    return {
        "package-name": "airflow-atscale-aggs",
        "name": "Aggregate tables",
        "description": "Aggregate tables for star schemas: defined, built, and kept up to date by Airflow.",
        "integrations": [
            {
                "integration-name": "Aggregate tables",
                "external-doc-url": "https://airflow.apache.org/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks.aggregates"),
        "operators": _modules("operators.aggregates"),
        "sensors": _modules("sensors.batch_build", "sensors.completion_file"),
        "triggers": _modules("triggers.batch_build", "triggers.completion_file"),
        "extra-links": [
            "airflow_atscale_aggs.plugins.instance_link.AggregateInstanceLink",
            "airflow_atscale_aggs.operators.links.BatchRunLink",
        ],
        "notifications": ["airflow_atscale_aggs.notifications.failed_batch.FailedBatchNotifier"],
        "connection-types": [_connection_type()],
        "config": {
            "atscale_aggs": _config("Settings of the aggregate engine; a model's own values win over them.", _SETTINGS),
            "atscale_aggs_api": _config("Bounds of the REST API, for each process of the API server.", _API_BOUNDS),
        },
    }


def _config(description: str, options: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "description": description,
        "options": {
            name: {
                "description": meaning,
                "version_added": "0.1.0",
                "type": kind,
                "example": None,
                "default": default,
            }
            for name, (kind, default, meaning) in options.items()
        },
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    modules = [f"airflow_atscale_aggs.{name}" for name in names]
    return [{"integration-name": "Aggregate tables", "python-modules": modules}]


def _connection_type() -> dict[str, Any]:
    fields = {
        "registry_url": ("Registry URL", "sqlite:///… or postgresql+psycopg://…; may hold a password", _SECRET),
        "registry_password": ("Registry password", "Of a URL that names a user and no password", _SECRET),
        "registry_conn_id": ("Registry connection", "Instead of a URL: id of a PostgreSQL connection", _TEXT),
        "warehouse_url": ("Warehouse URL", "duckdb:///… or postgresql+psycopg://…; may hold a password", _SECRET),
        "warehouse_password": ("Warehouse password", "Of a URL that names a user and no password", _SECRET),
        "warehouse_conn_id": ("Warehouse connection", "Instead of a URL: id of an SQL connection", _TEXT),
        "aggregate_schema": ("Aggregate schema", "Where aggregate tables and views go; empty: default schema", _TEXT),
    }
    return {
        "connection-type": "atscale_aggs",
        "hook-class-name": "airflow_atscale_aggs.hooks.aggregates.AggregatesHook",
        "hook-name": "Aggregate tables",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "login", "password", "port", "extra"],
            "relabeling": {},
            "placeholders": {},
        },
        "conn-fields": {
            name: {"label": label, "description": description, "schema": schema}
            for name, (label, description, schema) in fields.items()
        },
    }
