"""Migrations: they make the tables that the code names, and change a registry of any older version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory

from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.migrations import run
from airflow_atscale_aggs.engine.registry.migrations.run import known_versions, run_migrations
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE, metadata

_AN_OLD_MODEL = """
INSERT INTO atscale_aggs_models (id, catalog, name, label, deployment_id, version, deployed_at)
VALUES ('m', 'shop', 'sales', 'Sales', 'd', 3, '2025-01-01 00:00:00');
INSERT INTO atscale_aggs_settings (scope, key, value) VALUES ('', 'a', '1');
"""


def _make_old_registry(file: Path, version: str) -> None:
    """A registry as an older version has left it, with a model and a setting."""
    config = Config()
    config.set_main_option("script_location", str(Path(run.__file__).parent))
    script = ScriptDirectory.from_config(config)

    def upgrade(revision: str, context: object) -> list[RevisionStep]:
        return script._upgrade_revs(version, revision)

    database = RegistryDatabase(f"sqlite:///{file}")
    with (
        database.writing() as connection,
        EnvironmentContext(config, script, fn=upgrade, destination_rev=version) as environment,
    ):
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()
    database.dispose()
    with closing(sqlite3.connect(file)) as opened:
        opened.executescript(_AN_OLD_MODEL)


def test_migrations_make_the_same_tables_as_the_code(url: str) -> None:
    """Alembic finds nothing to change."""
    database = RegistryDatabase(url)
    with database.writing() as connection:
        run_migrations(connection)

    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    database.dispose()


@pytest.mark.parametrize("version", ["0001", "0004", "0007", "0009", "0010"])
def test_an_old_registry_is_changed_and_knows_what_it_knew(tmp_path: Path, version: str) -> None:
    file = tmp_path / "old.sqlite"
    _make_old_registry(file, version)

    assert upgrade_registry(f"sqlite:///{file}") == SCHEMA_VERSION

    registry = open_registry(f"sqlite:///{file}")
    (model,) = registry.read.models.current()
    assert (model.id, model.version, model.deployed_at) == ("m", 3, datetime(2025, 1, 1, tzinfo=UTC))
    assert (model.perspectives, model.retired_at) == ((), None)
    assert registry.read.settings.values(None) == {"a": "1"}
    assert len(registry.read.ownership.registry_id()) == 36
    with registry.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    registry.close()


def test_a_registry_of_this_version_is_left_alone(registry: Registry) -> None:
    before = (registry.read.ownership.registry_id(), registry.read.models.all())

    with registry.database.writing() as connection:
        run_migrations(connection)

    assert (registry.read.ownership.registry_id(), registry.read.models.all()) == before


def test_a_transaction_that_breaks_leaves_no_half_of_a_schema(tmp_path: Path) -> None:
    database = RegistryDatabase(f"sqlite:///{tmp_path / 'new.sqlite'}")

    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        run_migrations(connection)
        raise ZeroDivisionError

    assert not database.check_version()
    database.dispose()


def test_versions_are_known_from_the_first_to_this_one() -> None:
    """0012 was never released."""
    assert min(known_versions()) == "0001"
    assert max(known_versions()) == SCHEMA_VERSION
    assert "0012" not in known_versions()
