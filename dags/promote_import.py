"""On the system that is promoted to (production, say): what is new in the file is defined and built.

The same file again does nothing.
"""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_atscale_aggs.operators.aggregates import ImportAggregateDefinitionsOperator

with DAG("promote_import", schedule="0 6 * * *", catchup=False, tags=["aggregates"]) as dag:
    ImportAggregateDefinitionsOperator(
        task_id="import",
        model="retail",
        path="/var/lib/shared/retail_definitions.json",
        aggs_conn_id="retail_aggs",
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
