"""What Airflow's scheduler asks of us, through the entry point ``airflow.policy``."""
