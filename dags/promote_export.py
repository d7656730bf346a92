"""On the system that learns (staging, say).

What it has learnt goes to a path that the other system reads, every night.
"""

from airflow.sdk import DAG

from airflow_atscale_aggs.operators.aggregates import ExportAggregateDefinitionsOperator

with DAG("promote_export", schedule="0 5 * * *", catchup=False, tags=["aggregates"]) as dag:
    ExportAggregateDefinitionsOperator(
        task_id="export",
        model="retail",
        path="/var/lib/shared/retail_definitions.json",  # s3://conn_id@bucket/retail_definitions.json as well
        aggs_conn_id="retail_aggs",
    )
