"""The links that Airflow shows on the pages of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def run_url(dag_id: str, run_id: str) -> str:
    """The page of a DAG run."""
    return f"{_base_url()}/dags/{quote(dag_id)}/runs/{quote(run_id)}"


class AggregateInstanceLink(BaseOperatorLink):
    """From a build task to the aggregate's instance: status, attempts, errors, SQL."""

    name = "Aggregate instance"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The page of the instance."""
        connection, instance = getattr(operator, "aggs_conn_id", ""), getattr(operator, "instance_id", "")
        return f"{_base_url()}/atscale_aggs/instances/{quote(connection)}/{quote(instance)}"


class BatchRunLink(BaseOperatorLink):
    """From a task that starts a batch to the run."""

    name = "Batch run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The page of the run that the latest try started."""
        run = f"after_{ti_key.dag_id}_{ti_key.run_id}_{ti_key.task_id}_{ti_key.try_number}"
        return run_url(getattr(operator, "batch_dag_id", ""), run)


def _base_url() -> str:
    """Where Airflow is, which may be below a path."""
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")
