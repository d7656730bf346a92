"""The links that Airflow shows on the pages of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from airflow_atscale_aggs.hooks.airflow_addresses import run_url

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class BatchRunLink(BaseOperatorLink):
    """From a task that starts a batch to the run."""

    name = "Batch run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The page of the run that the latest try started."""
        run = f"after_{ti_key.dag_id}_{ti_key.run_id}_{ti_key.task_id}_{ti_key.try_number}"
        return run_url(getattr(operator, "batch_dag_id", ""), run)
