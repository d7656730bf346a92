"""Row security over the wire: one is who has proven a password; a name alone is nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.server.passwords import make_verifier
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.stars import secured_star
from tests.support.stars.secured_star import Rule, Tables

_PASSWORD = "a password"
_TABLES: Tables = {
    "sales": [(1, 1, 1, "a", 1, 10), (2, 2, 2, "b", 2, 20), (3, 1, None, "a", 3, 40)],
    "returns": [(1, 5)],
    "shop": [(1, "one", 1), (2, "two", 2)],
    "city": [(1, "Bonn", "north"), (2, "Ulm", "south")],
    "day": [(1, "monday", "may"), (2, "tuesday", "june")],
    "rights": [("ann", None, "north"), ("bob", None, "south")],
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Regions are secured by person; two users."""
    folder = tmp_path_factory.mktemp("secured")
    registry, warehouse = f"sqlite:///{folder / 'r.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        secured_star.create(workspace)
        secured_star.load(workspace, _TABLES)
        secured_star.deploy_star(workspace, folder / "model", Rule(("region",)))
        secured_star.build(workspace)
        for user in ("ann", "bob"):
            workspace.registry.users.put(user, make_verifier(_PASSWORD).encode(), None, now=utc_now())
        yield workspace


def _connect(served: Served, user: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=served.host, port=served.port, dbname="cat", user=user, password=_PASSWORD, autocommit=True
    )


def test_each_is_answered_over_what_he_sees(secured: Workspace, postgres_server: str) -> None:
    by_region = 'SELECT "Region", SUM("Amount") FROM star GROUP BY 1'
    with (
        running(secured, postgres_server, ServerOptions(port=0)) as served,
        _connect(served, "ann") as ann,
        _connect(served, "bob") as bob,
    ):
        assert ann.execute(by_region).fetchall() == [("north", 10)]
        assert bob.execute(by_region).fetchall() == [("south", 20)]
        assert ann.execute(by_region).fetchall() == [("north", 10)]
        told = "\n".join(row[0] for row in ann.execute(f"EXPLAIN {by_region}").fetchall())
        assert "with the rows that the user may see" in told
        with pytest.raises(psycopg.Error, match="its own words are withheld") as caught:
            ann.execute("""SELECT CAST("City" AS INTEGER), "Amount" FROM star GROUP BY 1""")
        assert "Ulm" not in str(caught.value)
        assert ann.execute("SELECT model, aggregate_rows FROM atscale_aggs.models").fetchall() == [("star", None)]
        for table in ("definitions", "instances", "queries"):
            assert ann.execute(f"SELECT * FROM atscale_aggs.{table}").fetchall() == [], table


def test_nobody_reads_the_statements_and_temporary_tables_of_others(secured: Workspace, postgres_server: str) -> None:
    """Nor what ANALYZE, which some tools run, found in them."""
    statistics = "SELECT attname FROM pg_stats WHERE schemaname LIKE 'pg_temp%'"
    statements = "SELECT query FROM pg_stat_activity WHERE query LIKE '%a secret%'"
    with (
        running(secured, postgres_server, ServerOptions(port=0)) as served,
        _connect(served, "ann") as ann,
        _connect(served, "bob") as bob,
    ):
        ann.execute('CREATE TEMP TABLE mine AS SELECT "Region", SUM("Amount") FROM star GROUP BY 1')
        ann.execute("ANALYZE mine")
        assert ann.execute(statistics).fetchall()
        assert ann.execute("SELECT * FROM mine WHERE 'a secret' <> ''").fetchall() == [("north", 10)]
        assert bob.execute(statistics).fetchall() == []
        assert len(bob.execute(statements).fetchall()) == 1
        with _connect(served, "ann") as again:
            assert len(again.execute(statements).fetchall()) > 1


def test_a_name_without_a_password_is_nobody(secured: Workspace, postgres_server: str) -> None:
    """Columns are shown all the same."""
    with (
        running(secured, postgres_server, ServerOptions(port=0, without_password=True)) as served,
        _connect(served, "ann") as connection,
    ):
        with pytest.raises(psycopg.Error, match="since `--no-password` takes any name"):
            connection.execute('SELECT "Amount" FROM star')
        described = connection.execute("SELECT * FROM star LIMIT 0").description
        assert described is not None
        assert "Amount" in [column.name for column in described]
