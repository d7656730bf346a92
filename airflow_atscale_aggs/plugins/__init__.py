"""Pages inside Airflow's API server."""
