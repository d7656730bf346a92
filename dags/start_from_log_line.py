"""Builds the retail aggregates whenever the ETL writes that it finished: no schedule, no task that waits."""

from airflow.sdk import Asset, AssetWatcher

from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger

trigger = CompletionFileTrigger("/data/etl/etl.log", pattern=r"ETL finished .* status=0")
finished = Asset("retail_etl_finished", watchers=[AssetWatcher(name="etl_log", trigger=trigger)])

dag = batch_build_dag("retail", dag_id="start_from_log_line", schedule=[finished], aggs_conn_id="retail_aggs")
