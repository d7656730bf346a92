"""An empty PostgreSQL database for each catalog, with one table for each model: what tools ask about tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelTable

PREFIX = "atscale_aggs_shells_"
"""Databases with this prefix are ours: they are made and dropped."""

ROLE = "atscale_aggs_client"
"""The role of all clients in these databases."""

_VERSION = 2
"""Of how tables are made; with another one all are made anew."""

_WAIT = "SET lock_timeout = '2s'"
"""Clients that connect meanwhile wait as long."""

_REFUSAL = """
CREATE SCHEMA IF NOT EXISTS atscale_aggs_inside;
CREATE OR REPLACE FUNCTION atscale_aggs_inside.refuse(model text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = '0A000',
        MESSAGE = format('model "%s" can be asked by SELECT only, and not together with tables of this session', model),
        HINT = 'Ask the model by a SELECT of its own, and keep its rows on your side.';
END $$;
"""
"""Each table has one row, which no client can read: what PostgreSQL would answer from it is an error.

Thus a statement that is not handed to the engine has no answer rather than a wrong one.
"""

_SCHEMA = "public"
_LOCK = 0x61676773
_MOST_COLUMNS = 1600
"""Of a table in PostgreSQL."""


def shells_database(catalog: str) -> str:
    """The name of the database that stands for a catalog; short, since PostgreSQL cuts names at 63 bytes."""
    return PREFIX + hashlib.sha256(catalog.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Shells:
    """The database of a catalog, and the role that clients have in it.

    Attributes:
        password: of the role. Whoever may make the database knows it, so that several processes share the role.
    """

    database: str
    role: str
    password: str = field(repr=False)


def make_shells(conninfo: str, catalog: str, tables: Sequence[ModelTable]) -> Shells:
    """Make the database of a catalog what its models are now.

    Several processes may do it at the same time: they wait for each other, and whoever comes later finds it done.
    The role that clients have may read there and make temporary tables, and nothing else.

    Args:
        conninfo: leads to a server, with the right to create databases and roles.

    Raises:
        psycopg.errors.LockNotAvailable: a client holds a lock on the tables as they are, in a transaction that is open.
        psycopg.Error: the server refuses.
    """
    password = hashlib.sha256(f"{ROLE} {conninfo}".encode()).hexdigest()
    shells = Shells(shells_database(catalog), ROLE, password)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_WAIT)
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _make_role(connection, password)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [shells.database]).fetchone()
        name = sql.Identifier(shells.database)
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(ROLE)))
        with psycopg.connect(conninfo, dbname=shells.database) as own:
            own.execute(_WAIT)
            wanted = hashlib.sha256(f"{_VERSION} {tables!r}".encode()).hexdigest()
            told = own.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [shells.database]
            ).fetchone()
            if told is None or told[0] != wanted:
                _make_tables(own, tables)
                own.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, wanted))
    return shells


def _make_role(connection: psycopg.Connection[tuple[object, ...]], password: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
    verb = sql.SQL("CREATE" if found is None else "ALTER")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
            verb, sql.Identifier(ROLE), password
        )
    )


def _make_tables(own: psycopg.Connection[tuple[object, ...]], tables: Sequence[ModelTable]) -> None:
    """Replace all tables, in one transaction."""
    schema, role = sql.Identifier(_SCHEMA), sql.Identifier(ROLE)
    own.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    own.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    own.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
    own.execute(_REFUSAL)
    own.execute(sql.SQL("GRANT USAGE ON SCHEMA atscale_aggs_inside TO {}").format(role))
    for table in tables:
        place = sql.Identifier(_SCHEMA, table.name)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type_name))
            for column in table.columns[:_MOST_COLUMNS]
        )
        own.execute(sql.SQL("CREATE TABLE {} ({})").format(place, columns))
        own.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(place))
        own.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(place))
        own.execute(
            sql.SQL("CREATE POLICY refusal ON {} USING (atscale_aggs_inside.refuse({}))").format(
                place, sql.Literal(table.name)
            )
        )
        own.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(place, role))
