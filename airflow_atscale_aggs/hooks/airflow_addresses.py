"""Addresses of Airflow's own pages."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk.configuration import conf


def base_url() -> str:
    """Where Airflow is, which may be below a path; without a slash at its end, empty when nobody has configured it."""
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


def run_url(dag_id: str, run_id: str) -> str:
    """The page of a DAG run."""
    return f"{base_url()}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
