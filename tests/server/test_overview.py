"""Tables about models, as any client reads them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.overview_tables import SCHEMA, TABLES
from airflow_atscale_aggs.server.passwords import make_verifier
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Served]:
    """Two models, one with aggregates; Bob sees the other one."""
    folder = tmp_path_factory.mktemp("told")
    registry, warehouse = f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        model = tiny_star.write_model(folder / "model")
        text = (model / "model.yml").read_text()
        (model / "plain.yml").write_text(text[: text.index("aggregates:")].replace("tiny_sales", "plain_sales"))
        deploy(workspace, model, now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        visible = workspace.read.models.get("plain_sales").id
        workspace.registry.users.put("ann", make_verifier("ann").encode(), None, now=utc_now())
        workspace.registry.users.put("bob", make_verifier("bob").encode(), [visible], now=utc_now())
        with running(workspace, postgres_server, ServerOptions(port=0)) as started:
            yield started


def _connect(served: Served, user: str = "ann", *, autocommit: bool = True) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=served.host, port=served.port, dbname="tiny", user=user, password=user, autocommit=autocommit
    )


def _until(connection: psycopg.Connection[Any], sql: str, text: str) -> str:
    """The first text of an answer, once it has another one in it: reasons are found aside."""
    found = ""
    for _ in range(20):
        found = str(connection.execute(sql).fetchall()[0][0])
        if text in found:
            break
        time.sleep(0.5)
    return found


def _later(connection: psycopg.Connection[Any], sql: str, number: int) -> list[tuple[Any, ...]]:
    """The rows of an answer, once there are so many: on a busy machine refreshes are farther apart."""
    for _ in range(50):
        rows = connection.execute(sql, prepare=True).fetchall()
        if len(rows) >= number:
            break
        time.sleep(0.3)
    return rows


def test_models_their_columns_and_aggregates_are_told_and_joined(told: Served) -> None:
    with _connect(told) as connection:
        models = connection.execute("SELECT model, definitions, active_instances FROM atscale_aggs.models ORDER BY 1")
        assert models.fetchall() == [("plain_sales", 0, 0), ("tiny_sales", 4, 4)]
        joined = connection.execute(
            "SELECT h.hierarchy, array_agg(a.attribute ORDER BY h.position) FROM atscale_aggs.hierarchies h "
            "JOIN atscale_aggs.attributes a USING (model, attribute) WHERE model = 'tiny_sales' GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert joined == [("Calendar levels", ["Month", "Day"]), ("Shops levels", ["City", "Shop"])]
        metrics = connection.execute("SELECT metric, aggregation FROM atscale_aggs.metrics WHERE model = 'tiny_sales'")
        assert dict(metrics.fetchall()) == {"Quantity": "sum", "Amount": "sum", "Average Amount": "average"}
        built = connection.execute(
            "SELECT d.aggregate, d.status, i.status, i.rows = d.rows, i.attempts FROM atscale_aggs.definitions AS d "
            "JOIN atscale_aggs.instances AS i USING (definition_id) ORDER BY 1"
        ).fetchall()
        assert built == [(name, "active", "active", True, 1) for name in sorted(tiny_star.AGGREGATES)]


def test_queries_are_there_soon_after_they_were_asked(told: Served) -> None:
    """By a statement that was prepared before, too."""
    sql = "SELECT user_name, outcome, aggregates, facts, reason, rows FROM atscale_aggs.queries ORDER BY asked_at"
    with _connect(told) as connection:
        before = len(connection.execute(sql, prepare=True).fetchall())
        connection.execute('SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1').fetchall()
        connection.execute('SELECT "City", "Shop" FROM plain_sales WHERE "Month" = \'month 1\'').fetchall()
        hit, miss = _later(connection, sql, before + 2)[before:]
        reason = "SELECT reason FROM atscale_aggs.queries ORDER BY asked_at DESC LIMIT 1"
        found = _until(connection, reason, "no aggregate is defined")

    assert hit[:4] == ("ann", "hit", ["by_city"], [])
    assert miss[:4] == ("ann", "miss", [], ["sales"])
    assert hit[4] == ""
    assert found == "The facts `sales` answer: no aggregate is defined for them."


def test_a_session_that_goes_on_sees_what_is_deployed(told: Served, tmp_path: Path) -> None:
    """Without another client that connects."""
    columns = "SELECT count(*) FROM atscale_aggs.attributes WHERE model = 'later_sales'"
    model = tiny_star.write_model(tmp_path / "model", {})
    (model / "model.yml").write_text((model / "model.yml").read_text().replace("tiny_sales", "later_sales"))
    with _connect(told) as connection:
        assert connection.execute(columns).fetchall() == [(0,)]
        deploy(told.workspace, model, now=utc_now())
        try:
            assert _until(connection, columns, "4") == "4"
        finally:
            identity = told.workspace.read.models.get("later_sales").id
            told.workspace.registry.models.retire(identity, why="a test", now=utc_now(), drop_after=utc_now())


def test_rows_are_those_of_models_that_are_seen(told: Served) -> None:
    with _connect(told) as ann, _connect(told, "bob") as bob:
        ann.execute('SELECT SUM("Amount") FROM tiny_sales')
        time.sleep(1.1)
        for name in TABLES:
            rows = str(bob.execute(f"SELECT * FROM atscale_aggs.{name}").fetchall())
            assert "tiny_sales" not in rows
            assert "by_city" not in rows
        assert bob.execute("SELECT model FROM atscale_aggs.models").fetchall() == [("plain_sales",)]


def test_everything_has_a_comment_and_a_key(told: Served) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://ann:ann@{told.host}:{told.port}/tiny")
    inspector = sa.inspect(engine)
    names = inspector.get_table_names(schema=SCHEMA)

    assert sorted(names) == sorted(TABLES)
    for name in names:
        assert inspector.get_table_comment(name, schema=SCHEMA)["text"]
        assert all(column["comment"] for column in inspector.get_columns(name, SCHEMA))
        assert inspector.get_pk_constraint(name, schema=SCHEMA)["constrained_columns"] == list(TABLES[name].key)
    engine.dispose()


def test_nobody_writes_into_them(told: Served) -> None:
    with _connect(told) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM atscale_aggs.models")


def test_a_client_that_holds_a_snapshot_waits_for_nobody_and_nobody_for_it(told: Served) -> None:
    ids = "SELECT query_id FROM atscale_aggs.queries"
    with _connect(told, autocommit=False) as holding, _connect(told) as other:
        holding.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holding.execute("LOCK TABLE atscale_aggs.queries IN ACCESS SHARE MODE")
        before = holding.execute(ids).fetchall()
        other.execute('SELECT "Month" FROM tiny_sales').fetchall()
        assert len(_later(other, ids, len(before) + 1)) > len(before)
        assert holding.execute(ids).fetchall() == before


def test_who_reads_while_it_is_refreshed_never_finds_it_empty(told: Served) -> None:
    """By several clients at once, over more than one refresh."""

    def read(_: int) -> set[int]:
        with _connect(told) as connection:
            ended = time.monotonic() + 2.5
            found = set()
            while time.monotonic() < ended:
                found.add(connection.execute("SELECT count(*)::int FROM atscale_aggs.definitions").fetchall()[0][0])
            return found

    with ThreadPoolExecutor(3) as threads:
        assert set.union(*threads.map(read, range(3))) == {4}


def test_two_processes_take_turns(told: Served, postgres_server: str) -> None:
    """Both look after one database, and are asked at once."""
    count = "SELECT count(*) FROM atscale_aggs.definitions"
    with (
        running(told.workspace, postgres_server, ServerOptions(port=0)) as second,
        ThreadPoolExecutor(2) as threads,
        _connect(told) as first_client,
        _connect(second) as second_client,
    ):
        clients = (first_client, second_client)
        for _ in range(3):
            assert list(threads.map(lambda client: client.execute(count).fetchall(), clients)) == [[(4,)], [(4,)]]
            time.sleep(1.1)
        databases = [client.execute("SELECT current_database()").fetchall() for client in clients]
    assert databases[0] == databases[1]


def test_a_refresh_changes_rows_that_differ_only(told: Served) -> None:
    with _connect(told) as connection:
        rows = []
        for _ in range(2):
            rows.append(connection.execute("SELECT ctid::text, model FROM atscale_aggs.models ORDER BY 2").fetchall())
            time.sleep(1.1)

    assert rows[0] == rows[1]
