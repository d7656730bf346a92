"""``atscale-aggs``: the engine without Airflow. Each verb is one function of the engine's life cycle."""
