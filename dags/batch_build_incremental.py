"""Every hour what is new, every Sunday everything anew: two DAGs on one model, which wait for each other.

Instead of the second one, the setting ``aggregate.incrementalUpdate.fullRebuildAfterDays`` makes an hourly run a full
one when its time has come.
"""

from airflow_atscale_aggs.dag_factory import batch_build_dag

hourly = batch_build_dag(
    "retail", dag_id="batch_build_hourly", schedule="5 * * * *", build_type="incremental", aggs_conn_id="retail_aggs"
)
weekly = batch_build_dag("retail", dag_id="batch_build_weekly", schedule="0 2 * * 0", aggs_conn_id="retail_aggs")
