"""Tables and schemas, asked for with the queries of the dialect's row, here of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession


@pytest.fixture
def session() -> Iterator[DbApiSession]:
    """On an empty DuckDB database."""
    warehouse = open_warehouse("duckdb://")
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


def test_a_schema_is_made_once_and_its_tables_are_found(session: DbApiSession) -> None:
    name = 'my "schema"'
    assert not session.has_schema(name)

    session.make_schema(name)
    session.make_schema(name)
    session.execute('CREATE TABLE "my ""schema""".t (a INTEGER)')

    assert session.has_schema(name)
    assert session.tables(name) == {"t"}
    found = session.columns([(None, name, "T"), (None, None, "t"), ("other", name, "t")])
    assert found[None, name, "T"] == {"a": "INTEGER"}
    assert found.reasons == {
        (None, None, "t"): f"is not in the schemas that this session looks in, but there is one in `{name}`",
        ("other", name, "t"): "is in another database: the connection is to `memory`, the model names `other`",
    }


def test_a_session_tells_where_it_looks_up_names(session: DbApiSession) -> None:
    assert session.own_place() == ("memory", "main")


def test_an_error_of_the_catalog_is_no_absence(session: DbApiSession) -> None:
    session.dialect = replace(session.dialect, columns="SELECT {names} FROM no_catalog", tables="SELECT {schema} + 1 x")

    with pytest.raises(PermanentWarehouseError, match="no_catalog"):
        session.columns([(None, None, "t")])
    with pytest.raises(PermanentWarehouseError, match="main"):
        session.tables("main")


def test_a_message_does_without_the_database_where_it_is_not_told(session: DbApiSession) -> None:
    session.dialect = replace(session.dialect, own_place="SELECT nothing")

    assert session.columns([("other", None, "t")]).reasons == {("other", None, "t"): ""}
