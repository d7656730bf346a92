"""Runs the migrations on a connection that is in a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE, metadata


def run_migrations(connection: Connection) -> None:
    """Bring the schema to `SCHEMA_VERSION`; nothing happens when it is there already."""
    config, script = _scripts()

    def upgrade(revision: Any, context: object) -> list[RevisionStep]:  # noqa: ARG001
        return script._upgrade_revs(SCHEMA_VERSION, revision)  # noqa: SLF001

    with EnvironmentContext(config, script, fn=upgrade, destination_rev=SCHEMA_VERSION) as environment:
        environment.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
        environment.run_migrations()


def known_versions() -> frozenset[str]:
    """All versions that a schema may have, from the first to `SCHEMA_VERSION`."""
    _, script = _scripts()
    return frozenset(revision.revision for revision in script.walk_revisions())


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config, ScriptDirectory.from_config(config)
