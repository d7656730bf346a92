"""A user's queries run with the rights of a role of the warehouse, and nobody else's do."""

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

_ROLE = "serve_test_reader"
_SQL = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1'


@pytest.fixture(scope="module")
def served_with_roles(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_database: PostgresDatabase
) -> Iterator[tuple[Served, psycopg.Connection[Any]]]:
    """One query at a time, so that all users share one session; and the owner of the warehouse."""
    folder = tmp_path_factory.mktemp("roles")
    with (
        postgres_database("serve_roles") as url,
        open_workspace(
            registry=f"sqlite:///{folder / 'registry.sqlite'}", warehouse=url, aggregate_schema="aggs"
        ) as workspace,
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as owner,
    ):
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        owner.execute(f"DROP ROLE IF EXISTS {_ROLE}")
        owner.execute(f"CREATE ROLE {_ROLE}")
        verifier = make_verifier("secret").encode()
        workspace.registry.users.put("ann", verifier, None, now=utc_now())
        workspace.registry.users.put("bob", verifier, None, now=utc_now(), warehouse_role=_ROLE)
        workspace.registry.users.put("eve", verifier, None, now=utc_now(), warehouse_role="gone")
        with running(workspace, postgres_server, ServerOptions(port=0, queries=1)) as started:
            yield started, owner
        owner.execute(f"DROP OWNED BY {_ROLE}")
        owner.execute(f"DROP ROLE {_ROLE}")


def _connect(served: Served, user: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=served.host, port=served.port, dbname="tiny", user=user, password="secret", autocommit=True
    )


def test_rights_are_those_of_the_role_and_of_nobody_else(
    served_with_roles: tuple[Served, psycopg.Connection[Any]],
) -> None:
    served, owner = served_with_roles
    with _connect(served, "ann") as ann, _connect(served, "bob") as bob, _connect(served, "eve") as eve:
        notices: list[str] = []
        bob.add_notice_handler(lambda told: notices.append(str(told.message_primary)))
        bob.execute("SET atscale_aggs.notices = on")
        expected = ann.execute(_SQL).fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bob.execute(_SQL)
        assert ann.execute(_SQL).fetchall() == expected

        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {_ROLE}")
        assert bob.execute(_SQL).fetchall() == expected
        assert notices == ["answered from sales"]
        owner.execute(f"GRANT USAGE ON SCHEMA aggs TO {_ROLE}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA aggs TO {_ROLE}")
        assert bob.execute(_SQL).fetchall() == expected
        assert notices[1:] != ["answered from sales"]

        with pytest.raises(psycopg.Error, match="gone"):
            eve.execute(_SQL)
        assert ann.execute(_SQL).fetchall() == expected
