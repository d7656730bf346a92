"""Builds the retail aggregates when the ETL's completion files of the day are there.

A task of an ETL DAG that waits, deferred.
"""

from airflow.sdk import DAG

from airflow_atscale_aggs.sensors.completion_file import CompletionFileSensor
from airflow_atscale_aggs.task_group import BatchBuildTaskGroup

with DAG("wait_for_completion_file", schedule="0 1 * * *", catchup=False, max_active_runs=1, tags=["aggregates"]):
    paths = ["/data/etl/sales/_SUCCESS", "/data/etl/inventory/_SUCCESS"]
    loaded = CompletionFileSensor(task_id="loaded", paths=paths, match="all", timeout=6 * 3600)
    loaded >> BatchBuildTaskGroup("retail", aggs_conn_id="retail_aggs")
