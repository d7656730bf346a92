"""Alembic migrations of the registry's schema, shipped with the package."""
