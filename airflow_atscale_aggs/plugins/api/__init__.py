"""The REST API inside Airflow's API server: who may see what, and one module for each subject."""
