"""Fails when an aggregate of the retail model has not been rebuilt for 26 hours, so that its callback tells people."""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_atscale_aggs.operators.aggregates import CheckFreshnessOperator

with DAG("check_freshness_retail", schedule="30 * * * *", catchup=False, tags=["aggregates"]) as dag:
    CheckFreshnessOperator(task_id="check", model="retail", at_most=timedelta(hours=26), aggs_conn_id="retail_aggs")
