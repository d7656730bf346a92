"""A session has the rights of a role while it answers for one user, and never longer."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedOnDialectError
from airflow_atscale_aggs.engine.warehouse.assumed_roles import as_role
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.postgres import open_postgres
from tests.conftest import PostgresDatabase

_ROLE = 'as "ROLE" x'
_QUOTED = '"as ""ROLE"" x"'
_USER = "SELECT current_user::text"


@pytest.fixture(scope="module")
def warehouse(postgres_database: PostgresDatabase) -> Iterator[DbApiWarehouse]:
    with (
        postgres_database("assumed_roles") as url,
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as own,
    ):
        own.execute(f"DROP ROLE IF EXISTS {_QUOTED}")
        own.execute(f"CREATE ROLE {_QUOTED}")
        opened = open_postgres(url.replace("+psycopg", ""), aggregate_schema="")
        opened.kept_sessions = 2
        yield opened
        opened.close()
        own.execute(f"DROP ROLE {_QUOTED}")


@pytest.mark.postgres
def test_the_role_is_given_back(warehouse: DbApiWarehouse) -> None:
    with warehouse.session() as session:
        ours = session.fetch_all(_USER)
        with as_role(session, _ROLE):
            assert session.fetch_all(_USER) == [(_ROLE,)]
        assert session.fetch_all(_USER) == ours
        with as_role(session, ""):
            assert session.fetch_all(_USER) == ours


@pytest.mark.postgres
def test_a_session_in_which_something_failed_is_given_to_nobody(warehouse: DbApiWarehouse) -> None:
    with pytest.raises(PermanentWarehouseError), warehouse.session() as session, as_role(session, _ROLE):
        session.fetch_all("SELECT nothing")
    with pytest.raises(PermanentWarehouseError), warehouse.session() as session, as_role(session, "nobody"):
        pass

    assert not session.is_alive()
    with warehouse.session() as other:
        assert other.fetch_all(_USER) != [(_ROLE,)]


def test_a_warehouse_without_roles_of_ours_is_named() -> None:
    opened = open_warehouse("duckdb:///:memory:")
    with pytest.raises(UnsupportedOnDialectError, match="duckdb"), opened.session() as session, as_role(session, "x"):
        pass
    opened.close()
