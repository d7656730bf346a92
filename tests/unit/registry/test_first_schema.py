"""A new registry's schema is the one that the migrations make, to the last index and default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection

from airflow_atscale_aggs.engine.errors import RegistryVersionError
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.first_schema import make_first_schema, tables_without_version
from airflow_atscale_aggs.engine.registry.migrations.run import run_migrations
from airflow_atscale_aggs.engine.registry.registry import open_registry
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE, metadata


def _seen(connection: Connection) -> dict[str, Any]:
    """All that the database tells of its tables: columns, keys, indexes with their conditions."""
    inspector = sqlalchemy.inspect(connection)
    told: dict[str, Any] = {}
    for name in inspector.get_table_names():
        columns = {column["name"]: {**column, "type": repr(column["type"])} for column in inspector.get_columns(name)}
        # The order of foreign keys and indexes is that of their making.
        keys = sorted(map(repr, inspector.get_foreign_keys(name)))
        indexes = sorted(_said(index) for index in inspector.get_indexes(name))
        told[name] = (columns, inspector.get_pk_constraint(name), keys, indexes)
        told[name] += (inspector.get_check_constraints(name), inspector.get_unique_constraints(name))
    return told


def _said(index: Mapping[str, Any]) -> str:
    """An index with the text of its condition, which SQLAlchemy gives as an object."""
    options = {key: str(value) for key, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def _seen_after(url: str, make: Callable[[Connection], None]) -> tuple[dict[str, Any], str | None]:
    """What is there after the schema is made, which is then undone."""
    database = RegistryDatabase(url)
    with database.writing() as connection:
        make(connection)
        version = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        seen = _seen(connection)
        connection.rollback()
    database.dispose()
    return seen, version


def test_it_is_the_schema_that_the_migrations_make(url: str) -> None:
    made, version = _seen_after(url, make_first_schema)
    migrated, last = _seen_after(url, run_migrations)

    assert set(made) == {*metadata.tables, VERSION_TABLE}
    assert made == migrated
    assert version == last == SCHEMA_VERSION


def test_a_new_registry_has_an_id_and_nothing_else(url: str) -> None:
    registry = open_registry(url)

    assert len(registry.read.ownership.registry_id()) == 36
    with registry.database.reading() as connection:
        counts = {
            name: connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }
    assert {name for name, count in counts.items() if count} == {"atscale_aggs_identity"}
    registry.close()


def test_tables_without_their_version_are_left_alone(url: str) -> None:
    """Somebody has copied a part of a registry: nothing is made beside it."""
    open_registry(url).close()
    database = RegistryDatabase(url)
    with database.writing() as connection:
        connection.exec_driver_sql(f"DROP TABLE {VERSION_TABLE}")
        assert tables_without_version(connection) == sorted(metadata.tables)

    with pytest.raises(RegistryVersionError, match=f"has schema version unknown.*but not `{VERSION_TABLE}`"):
        upgrade_registry(url)
    database.dispose()
