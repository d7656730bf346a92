"""Databases of catalogs on a server that belongs to others as well."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelColumn, ModelTable
from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownColumn, ShownMetric
from airflow_atscale_aggs.server.shells import PREFIX, ShellsKey, drop_unneeded_shells, make_own_role, make_shells


@pytest.fixture(scope="module")
def conninfo(postgres_server: str) -> str:
    return urlsplit(postgres_server)._replace(scheme="postgresql").geturl()


@pytest.fixture
def key(conninfo: str) -> Iterator[ShellsKey]:
    """Of a catalog that no other test has."""
    key = ShellsKey(str(uuid.uuid4()), f"catalog {uuid.uuid4()}", None)
    yield key
    drop_unneeded_shells(conninfo, key.registry, [])


_TABLE = ModelTable(
    model_id="m",
    catalog="c",
    schema='a "b"',
    name="50% {}",
    label="{%s}",
    description="It's told",
    perspective_of="",
    is_secured=True,
    columns=tuple(
        ModelColumn(
            name=name,
            type_name="TEXT",
            shown=ShownColumn(label="x", description="", folder="", origin=ShownMetric(kind="metric")),
        )
        # Two that PostgreSQL would cut to one name.
        for name in ("x" * 70, "x" * 71, "y")
    ),
    hierarchies=(),
)


_COMMENT = "It's told. The model {%s}. Row security decides which rows you see. 1 more column can be asked by name."


def _comment(conninfo: str, database: str) -> str:
    with psycopg.connect(conninfo) as connection:
        query = "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = %s"
        row = connection.execute(query, [database]).fetchone()
    return "gone" if row is None else str(row[0])


def test_a_database_has_the_name_of_its_catalog_and_is_found_again(conninfo: str, key: ShellsKey) -> None:
    assert make_shells(conninfo, key, []).database == key.catalog
    assert make_shells(conninfo, key, []).database == key.catalog
    assert _comment(conninfo, key.catalog).startswith(f"The models of the catalog {key.catalog}, for BI tools.")


def _wait_until_nobody_is_connected(connection: psycopg.Connection, database: str) -> None:
    """A session that its client has closed is there for some milliseconds more."""
    deadline = time.monotonic() + 30
    while connection.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", [database]).fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_role_that_may_make_databases_and_roles_is_enough(conninfo: str, key: ShellsKey) -> None:
    """And a catalog may have any name."""
    odd = ShellsKey(key.registry, f'50% "off"/{key.catalog[-12:]}?', None)
    maker = make_conninfo(conninfo, user="shells_maker", password="m")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS shells_maker")
        connection.execute("CREATE ROLE shells_maker LOGIN CREATEDB CREATEROLE PASSWORD 'm'")
        try:
            for tables in ([], [_TABLE]):
                shells = make_shells(maker, odd, tables)
                assert shells.database == odd.catalog
            for _ in range(2):
                own = make_own_role(maker, shells, "o'hara")
            with psycopg.connect(conninfo, dbname=own.database, user=own.role, password=own.password) as client:
                client.execute("CREATE TEMP TABLE t AS SELECT 1")
            with psycopg.connect(
                conninfo, dbname=shells.database, user=shells.role, password=shells.password
            ) as client:
                comments = client.execute('SELECT obj_description(\'"a ""b"""."50% {}"\'::regclass)').fetchone()
                assert comments == (_COMMENT,)
                with pytest.raises(psycopg.errors.FeatureNotSupported):
                    client.execute('SELECT * FROM "50% {}"')
            _wait_until_nobody_is_connected(connection, odd.catalog)
            assert drop_unneeded_shells(maker, key.registry, []) == [odd.catalog]
            assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [own.role]).fetchone() is None
        finally:
            connection.execute("DROP ROLE IF EXISTS shells_maker")


def test_a_database_of_somebody_else_is_left_alone(conninfo: str, key: ShellsKey) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{key.catalog}"')
        try:
            assert make_shells(conninfo, key, []).database == PREFIX + key.digest
            assert drop_unneeded_shells(conninfo, key.registry, []) == [PREFIX + key.digest]
            assert _comment(conninfo, key.catalog) == ""
        finally:
            connection.execute(f'DROP DATABASE "{key.catalog}"')


def test_two_registries_with_one_catalog_have_a_database_each(conninfo: str, key: ShellsKey) -> None:
    other = ShellsKey(str(uuid.uuid4()), key.catalog, None)
    names = [make_shells(conninfo, each, []).database for each in (key, other)]

    assert names == [key.catalog, PREFIX + other.digest]
    assert drop_unneeded_shells(conninfo, other.registry, []) == names[1:]


def test_a_name_that_postgresql_would_cut_is_not_taken(conninfo: str, key: ShellsKey) -> None:
    long = ShellsKey(key.registry, "x" * 64, None)

    assert make_shells(conninfo, long, []).database == PREFIX + long.digest


def test_a_database_that_was_left_half_made_is_finished(conninfo: str, key: ShellsKey) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{PREFIX}{key.digest}"')

    assert make_shells(conninfo, key, []).database == key.catalog


def test_what_nobody_needs_is_dropped_once_nobody_is_connected(
    conninfo: str, key: ShellsKey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests may have configured logging.
    monkeypatch.setattr(logging.getLogger("airflow_atscale_aggs.server.shells"), "disabled", False)
    some = ShellsKey(key.registry, key.catalog, frozenset({"a"}))
    for each in (key, some):
        make_shells(conninfo, each, [])

    with psycopg.connect(conninfo, dbname=some.wanted_name):
        assert drop_unneeded_shells(conninfo, key.registry, [key.digest]) == []
    with caplog.at_level("INFO"):
        assert drop_unneeded_shells(conninfo, key.registry, [key.digest]) == [some.wanted_name]

    assert some.wanted_name in caplog.text
    assert _comment(conninfo, some.wanted_name) == "gone"
    assert _comment(conninfo, key.catalog) != "gone"
