"""The schema of a registry that is new: all its tables at once, as the migrations would have made them one by one."""

from __future__ import annotations

import uuid

import sqlalchemy
from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table

from airflow_atscale_aggs.engine.registry.tables import ONLY, SCHEMA_VERSION, VERSION_TABLE, identity, metadata

# As Alembic makes it, which finds it here when a later release upgrades the registry.
_VERSION = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def make_first_schema(connection: Connection) -> None:
    """Make the tables of `SCHEMA_VERSION` and give the registry its id; nothing of them may be there.

    It takes a tenth of the time of the migrations, and no Alembic.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            if ONLY in index.info:
                index.dialect_options[connection.dialect.name]["where"] = index.info[ONLY]
    metadata.create_all(connection, checkfirst=False)
    _VERSION.create(connection)
    connection.execute(sqlalchemy.insert(_VERSION).values(version_num=SCHEMA_VERSION))
    connection.execute(sqlalchemy.insert(identity).values(id=str(uuid.uuid4()), stamp=""))


def tables_without_version(connection: Connection) -> list[str]:
    """Names of a registry's tables in a database that has no table of the version; sorted."""
    return sorted(set(sqlalchemy.inspect(connection).get_table_names()) & set(metadata.tables))
