"""The engine on the PostgreSQL protocol: sockets, sessions, catalogs. Knows the engine, not Airflow."""
