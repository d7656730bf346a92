"""Builds all aggregates of the retail model whenever its facts were loaded."""

from pathlib import Path

from airflow.sdk import Asset

from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag(
    "retail",
    schedule=[Asset("retail_facts_loaded")],
    aggs_conn_id="retail_aggs",
    models_folder=str(Path(__file__).parent / "models" / "retail"),
)
