"""Tables of stars are seen beside models, and queries on them are answered from aggregates as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.passwords import make_verifier
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.conftest import PostgresDatabase
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star

pytestmark = pytest.mark.postgres

_BY_CITY = (
    "SELECT shop.city, SUM(sales.amount) AS amount FROM sales LEFT JOIN shop ON sales.shop_id = shop.shop_id "
    "GROUP BY shop.city"
)


@pytest.fixture(scope="module")
def starred(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_database: PostgresDatabase
) -> Iterator[tuple[Served, str]]:
    """A server with users of whom one does not see all models, and where the warehouse is."""
    folder = tmp_path_factory.mktemp("starred")
    with (
        postgres_database("starred") as url,
        open_workspace(
            registry=f"sqlite:///{folder / 'registry.sqlite'}", warehouse=url, aggregate_schema="aggs"
        ) as workspace,
    ):
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL, "CREATE TABLE secret (a INT)", "CREATE SCHEMA dw")
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        verifier, model = make_verifier("secret").encode(), workspace.read.models.get("tiny_sales").id
        workspace.registry.users.put("ann", verifier, None, now=utc_now())
        workspace.registry.users.put("bob", verifier, [model], now=utc_now())
        with running(workspace, postgres_server, ServerOptions(port=0)) as started:
            yield started, url.replace("+psycopg", "")


def _connect(served: Served, user: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=served.host, port=served.port, dbname="tiny", user=user, password="secret", autocommit=True
    )


@pytest.fixture
def ann(starred: tuple[Served, str]) -> Iterator[psycopg.Connection[Any]]:
    with _connect(starred[0], "ann") as opened:
        yield opened


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    return [name for (name,) in connection.execute(sql)]


def test_who_sees_all_models_sees_their_tables(starred: tuple[Served, str], ann: psycopg.Connection[Any]) -> None:
    assert _tables(ann) == ["day", "sales", "shop", "tiny_sales"]
    with _connect(starred[0], "bob") as bob:
        assert _tables(bob) == ["tiny_sales"]
        with pytest.raises(psycopg.errors.UndefinedTable):
            bob.execute("SELECT * FROM sales")


def test_queries_on_tables_are_answered_from_aggregates(
    starred: tuple[Served, str], ann: psycopg.Connection[Any]
) -> None:
    notices: list[str] = []
    ann.add_notice_handler(lambda told: notices.append(str(told.message_primary)))
    ann.execute("SET atscale_aggs.notices = on")
    with psycopg.connect(starred[1]) as direct:
        for sql in (_BY_CITY, "SELECT * FROM public.sales", 'SELECT COUNT(*) FROM "sales" WHERE amount > 100'):
            ours, theirs = ann.execute(sql), direct.execute(sql)
            assert [column.type_code for column in ours.description or ()] == [
                column.type_code for column in theirs.description or ()
            ]
            assert sorted(map(repr, ours.fetchall())) == sorted(map(repr, theirs.fetchall()))
        parameterized = f"SELECT city, amount FROM ({_BY_CITY}) AS x WHERE city = %s"
        assert ann.execute(parameterized, ["North"]).fetchall() == direct.execute(parameterized, ["North"]).fetchall()

    assert notices[0] != "answered from sales"
    assert notices[0].startswith("answered from ")
    assert any("sales" in str(line) for line in ann.execute(f"EXPLAIN {_BY_CITY}").fetchall())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM secret",
        "SELECT * FROM sales, secret",
        "SELECT (SELECT COUNT(*) FROM secret) FROM sales",
        "SELECT rolpassword FROM sales, pg_authid",
        "SELECT * FROM sales, pg_catalog.pg_authid",
        "SELECT pg_read_file('/etc/passwd') FROM sales",
        "SELECT set_config('role', 'none', false) FROM sales",
        "SELECT * FROM starred.public.secret, sales",
        "SELECT * FROM aggs.sales, sales",
        "WITH sales AS (SELECT * FROM secret) SELECT * FROM sales",
        "SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret) AS a, secret, sales",
        "WITH a AS (SELECT * FROM secret), secret AS (SELECT 1) SELECT * FROM a, sales",
        "SELECT a FROM secret UNION ALL SELECT 1 FROM sales",
        "SELECT 1 FROM sales WHERE 1 IN (TABLE secret)",
        "SELECT 1 FROM sales JOIN LATERAL (SELECT * FROM secret) AS s ON true",
        "TABLE secret",
        "DELETE FROM sales",
        "CREATE VIEW v AS SELECT * FROM sales",
        "WITH gone AS (DELETE FROM sales RETURNING *) SELECT * FROM gone",
        "SELECT * FROM sales FOR UPDATE",
        "SELECT * FROM sales, tiny_sales",
    ],
)
def test_nothing_else_is_read_and_nothing_is_written(ann: psycopg.Connection[Any], sql: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        ann.execute(sql)

    assert caught.value.sqlstate in {"42P01", "42501", "0A000", "42601"}


def test_a_temporary_table_comes_first(ann: psycopg.Connection[Any]) -> None:
    made = ann.execute(f"CREATE TEMP TABLE sales AS {_BY_CITY}")
    ann.execute("CREATE TEMP TABLE tiny_sales AS SELECT 1 AS one")
    total = ann.execute("SELECT SUM(amount) FROM public.sales").fetchone()

    assert ann.execute("SELECT * FROM sales").rowcount == made.rowcount
    assert ann.execute("SELECT SUM(amount) FROM sales").fetchone() == total
    assert ann.execute("SELECT * FROM tiny_sales").fetchall() == [(1,)]
    assert ann.execute('SELECT SUM("Amount") FROM public.tiny_sales').fetchone() == total
    ann.execute("DROP TABLE tiny_sales")
    assert ann.execute('SELECT SUM("Amount") FROM tiny_sales').fetchone() == total


def test_stars_can_be_left_out(starred: tuple[Served, str], postgres_server: str) -> None:
    options = ServerOptions(port=0, star_tables=False)
    with running(starred[0].workspace, postgres_server, options) as served, _connect(served, "ann") as ann:
        assert _tables(ann) == ["tiny_sales"]
