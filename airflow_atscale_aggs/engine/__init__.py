"""The aggregate engine: it knows nothing of Airflow and could be lifted out unchanged."""
