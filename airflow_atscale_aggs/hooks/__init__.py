"""The only seam between Airflow and the engine: connections and configuration become a workspace."""
