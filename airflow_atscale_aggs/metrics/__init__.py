"""Metrics of batches, builds and queries, through Airflow's own Stats."""
