"""The page on rights, sentence by sentence, with real roles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import AggregatesRefusedError, SchemaOwnedError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import tiny_star

pytestmark = pytest.mark.postgres

_QUERY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1'
_BUILDER, _READER, _ASKER = (f"{name}_{os.getpid()}" for name in ("rights_builder", "rights_reader", "rights_asker"))


class Server:
    """The database as its administrator sees it, and as others do."""

    def __init__(self, url: str, registry: Path) -> None:
        self.url, self.registry = url, registry

    def run(self, *statements: str) -> None:
        """Run statements as the administrator."""
        with psycopg.connect(urlsplit(self.url)._replace(scheme="postgresql").geturl(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def fetch_as(self, role: str, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a role gets."""
        with psycopg.connect(urlsplit(self._url(role))._replace(scheme="postgresql").geturl()) as connection:
            return connection.execute(sql).fetchall()

    def workspace(self, role: str) -> Workspace:
        """The workspace of a role."""
        return open_workspace(registry=f"sqlite:///{self.registry}", warehouse=self._url(role), aggregate_schema="aggs")

    def _url(self, role: str) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


@pytest.fixture
def server(postgres_url: str, tmp_path: Path) -> Iterator[Server]:
    """A star of the administrator, and three roles without any right on it."""
    server_with_roles = Server(postgres_url, tmp_path / "registry.sqlite")
    server_with_roles.run(
        *tiny_star.SETUP_SQL, *(f'CREATE ROLE "{role}" LOGIN' for role in (_BUILDER, _READER, _ASKER))
    )
    tiny_star.write_model(tmp_path / "model")
    yield server_with_roles
    server_with_roles.run(*(f'DROP OWNED BY "{role}" CASCADE' for role in (_BUILDER, _READER, _ASKER)))
    server_with_roles.run(*(f'DROP ROLE "{role}"' for role in (_BUILDER, _READER, _ASKER)))


@pytest.fixture
def built_server(server: Server) -> Server:
    """A builder with the rights of the page, and no more, has built the aggregates."""
    server.run(
        "CREATE SCHEMA aggs",
        f'GRANT USAGE ON SCHEMA public TO "{_BUILDER}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{_BUILDER}"',
        f'GRANT USAGE, CREATE ON SCHEMA aggs TO "{_BUILDER}"',
    )
    _build(server, "first")
    return server


def _build(server: Server, owner: str) -> tuple[str, ...]:
    """The notes of a batch."""
    with server.workspace(_BUILDER) as workspace:
        deploy(workspace, server.registry.parent / "model", now=utc_now())
        return run_batch(workspace, "tiny_sales", owner=owner).batch.notes


def test_the_builder_needs_what_the_page_says(built_server: Server) -> None:
    assert _build(built_server, "second") == ()


def test_the_builder_may_make_the_schema_itself(server: Server) -> None:
    server.run(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{_BUILDER}"')
    with pytest.raises(WarehouseError, match="schema `aggs` is not there, or this role has no right on it"):
        _build(server, "first")
    (name,) = server.fetch_as(_BUILDER, "SELECT current_database()")[0]
    server.run(f'GRANT CREATE ON DATABASE "{name}" TO "{_BUILDER}"')

    assert _build(server, "second") == ()


def test_without_create_nothing_is_begun(built_server: Server) -> None:
    built_server.run(f'REVOKE CREATE ON SCHEMA aggs FROM "{_BUILDER}"')

    with pytest.raises(AggregatesRefusedError, match=f"role `{_BUILDER}` may not create tables in schema `aggs`"):
        _build(built_server, "second")


def test_a_reader_of_a_stable_view_needs_two_rights_which_stay(built_server: Server) -> None:
    view = "aggs.agg_tiny_sales_by_city"
    built_server.run(f'GRANT USAGE ON SCHEMA aggs TO "{_READER}"', f'GRANT SELECT ON {view} TO "{_READER}"')

    for owner in ("second", "third"):
        _build(built_server, owner)
        assert built_server.fetch_as(_READER, f"SELECT SUM(row_count) FROM {view}") == [(tiny_star.FACT_ROWS,)]
    for other in ("public.sales", "aggs.agg_tiny_sales_by_month"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            built_server.fetch_as(_READER, f"SELECT * FROM {other}")


def test_who_asks_models_needs_what_the_page_says(built_server: Server) -> None:
    built_server.run(
        f'GRANT USAGE ON SCHEMA public, aggs TO "{_ASKER}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public, aggs TO "{_ASKER}"',
    )
    _build(built_server, "second")

    with built_server.workspace(_ASKER) as workspace:
        answer = QueryRouter(workspace).answer(_QUERY)
    assert answer.plan.uses_aggregates


def test_default_privileges_are_for_aggregates_that_appear_later(built_server: Server) -> None:
    built_server.run(
        f'GRANT USAGE ON SCHEMA public, aggs TO "{_ASKER}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public, aggs TO "{_ASKER}"',
        f'ALTER DEFAULT PRIVILEGES FOR ROLE "{_BUILDER}" IN SCHEMA aggs GRANT SELECT ON TABLES TO "{_ASKER}"',
    )
    later = {**tiny_star.AGGREGATES, "by_shop": (("Shop",), ("Quantity",))}
    tiny_star.write_model(built_server.registry.parent / "model", later)
    _build(built_server, "second")

    with built_server.workspace(_ASKER) as workspace:
        answer = QueryRouter(workspace).answer('SELECT "Shop", "Quantity" FROM tiny_sales GROUP BY 1')
    assert answer.plan.uses_aggregates


def test_rows_that_the_builder_may_not_see_are_in_no_aggregate(built_server: Server) -> None:
    built_server.run(
        "ALTER TABLE sales ENABLE ROW LEVEL SECURITY",
        f'CREATE POLICY few ON sales TO "{_BUILDER}" USING (day_id < 10)',
    )
    _build(built_server, "second")

    counted = built_server.fetch_as(_BUILDER, "SELECT SUM(row_count) FROM aggs.agg_tiny_sales_by_city")
    assert counted == [(tiny_star.FACT_ROWS // 2,)]


def test_a_second_system_under_another_role_is_told_whose_the_schema_is(built_server: Server, tmp_path: Path) -> None:
    """It cannot even read the mark."""
    built_server.run(
        f'GRANT USAGE ON SCHEMA public TO "{_ASKER}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{_ASKER}"',
        f'GRANT USAGE, CREATE ON SCHEMA aggs TO "{_ASKER}"',
    )
    other = Server(built_server.url, tmp_path / "other.sqlite")

    with other.workspace(_ASKER) as workspace:
        deploy(workspace, built_server.registry.parent / "model", now=utc_now())
        with pytest.raises(SchemaOwnedError, match="atscale_aggs_owner, which tells whose it is, cannot be read"):
            run_batch(workspace, "tiny_sales", owner="second")

        assert workspace.read.batches.find() == ()


@pytest.mark.parametrize("loss", ["revoked", "dropped"])
def test_without_the_aggregate_schema_the_facts_answer(built_server: Server, loss: str) -> None:
    """Who queries does not need it; who builds is told, and verification compares nothing and says so."""
    with built_server.workspace(_BUILDER) as workspace:
        (truth, before) = (QueryRouter(workspace).answer(_QUERY, use_aggregates=used) for used in (False, True))
    assert [source.aggregate for source in before.plan.sources] == ["by_city"]
    if loss == "dropped":
        built_server.run("DROP SCHEMA aggs CASCADE")
    else:
        built_server.run("ALTER SCHEMA aggs OWNER TO CURRENT_USER", f'REVOKE ALL ON SCHEMA aggs FROM "{_BUILDER}"')

    with built_server.workspace(_BUILDER) as workspace:
        answer = QueryRouter(workspace).answer(_QUERY)
        report = verify(workspace, "tiny_sales", level=VerificationLevel.TOTALS)
        with pytest.raises(WarehouseError, match="schema `aggs` is not there, or this role has no right on it"):
            run_batch(workspace, "tiny_sales", owner="second")

        assert len(workspace.read.batches.find()) == 1
    assert sorted(answer.rows, key=str) == sorted(truth.rows, key=str)
    assert [source.aggregate for source in answer.plan.sources] == [None]
    assert {str(instance.finding) for instance in report.instances} == {"gone" if loss == "dropped" else "unreadable"}
    assert report.has_mismatch


def test_on_a_read_only_server_queries_are_answered_and_no_batch_stays_open(built_server: Server) -> None:
    """Such a server is a standby, or a database that was set so."""
    built_server.run(f'ALTER ROLE "{_BUILDER}" SET default_transaction_read_only = on')

    with pytest.raises(WarehouseError, match="read-only: a standby"):
        _build(built_server, "second")

    with built_server.workspace(_BUILDER) as workspace:
        (record,) = workspace.read.models.current()
        assert workspace.read.batches.open_of(record.id) is None
        assert QueryRouter(workspace).answer(_QUERY).plan.sources[0].aggregate == "by_city"


def test_tables_that_were_given_to_another_role_are_told_with_what_to_do(built_server: Server) -> None:
    built_server.run(
        f'REASSIGN OWNED BY "{_BUILDER}" TO "{_READER}"', f'GRANT USAGE, CREATE ON SCHEMA aggs TO "{_BUILDER}"'
    )

    with pytest.raises(SchemaOwnedError, match="build as that role or as a member of it"):
        _build(built_server, "second")
    built_server.run(f'GRANT "{_READER}" TO "{_BUILDER}"')

    assert _build(built_server, "third") == ()


def test_without_usage_nothing_is_begun(built_server: Server) -> None:
    built_server.run("ALTER SCHEMA aggs OWNER TO CURRENT_USER", f'REVOKE ALL ON SCHEMA aggs FROM "{_BUILDER}"')

    with pytest.raises((AggregatesRefusedError, WarehouseError), match="schema `aggs`"):
        _build(built_server, "second")
