"""Build aggregates: one batch from its plan to its activation, and each attempt of each aggregate."""
