"""An ETL DAG whose last task starts the batch and waits for it, without a worker slot."""

from airflow.sdk import DAG, task

from airflow_atscale_aggs.operators.aggregates import TriggerBatchBuildOperator

with DAG("etl_then_batch", schedule=None, catchup=False, tags=["etl"]) as dag:

    @task
    def load_facts() -> None:
        """Load whatever is new."""

    load_facts() >> TriggerBatchBuildOperator(task_id="build_aggregates", model="retail")
