"""Keeps the aggregates of the retail model worth their place, every night after four."""

from airflow_atscale_aggs.dag_factory import maintenance_dag

dag = maintenance_dag("retail", aggs_conn_id="retail_aggs")
