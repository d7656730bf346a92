"""Builds all aggregates of the retail model every night at four."""

from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("retail", dag_id="batch_build_nightly", schedule="0 4 * * *", aggs_conn_id="retail_aggs")
