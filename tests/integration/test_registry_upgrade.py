"""A registry of the version before, with something in it, on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.migrations import run
from airflow_atscale_aggs.engine.registry.registry import open_registry


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def before(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a registry of schema 0007 that knows one model."""
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    database = RegistryDatabase(url)
    with monkeypatch.context() as patched, database.writing() as connection:
        patched.setattr(run, "SCHEMA_VERSION", "0007")
        run.run_migrations(connection)
        connection.execute(
            text(
                "INSERT INTO atscale_aggs_models (id, catalog, name, label, deployment_id, version, deployed_at) "
                "VALUES ('m', 'c', 'sales', 'Sales', 'd', 1, '2026-01-01 00:00:00')"
            )
        )
    database.dispose()
    return url


def test_what_it_knew_it_knows_and_it_has_an_id(before):
    upgrade_registry(before)

    registry = open_registry(before)
    (model,) = registry.models()
    assert (model.name, model.retired_at) == ("sales", None)
    identity = registry.identity()
    assert len(identity) == 36
    registry.close()
    assert upgrade_registry(before)
    assert open_registry(before).identity() == identity
