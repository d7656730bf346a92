"""What PostgreSQL does not let a role read, what is missing and what is lost are different sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import (
    AtScaleAggsError,
    PermanentWarehouseError,
    TransientWarehouseError,
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars.tiny_star import SETUP_SQL, run_sql, write_model

pytestmark = pytest.mark.postgres

_BY_CITY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1'

Open = Callable[[str], Workspace]


@pytest.fixture
def owner(postgres_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star, deployed by the owner of its tables."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        run_sql(workspace, *SETUP_SQL)
        deploy(workspace, write_model(tmp_path / "model"), now=utc_now())
        yield workspace


@pytest.fixture
def reader(owner: Workspace, postgres_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """The same for a role that may read everything, until somebody revokes it."""
    role = f"reader_{sqlalchemy.make_url(postgres_url).database}"
    run_sql(
        owner,
        f"DROP ROLE IF EXISTS {role}",
        f"CREATE ROLE {role} LOGIN PASSWORD 'reading'",
        f"GRANT USAGE ON SCHEMA public, aggs TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA aggs GRANT SELECT ON TABLES TO {role}",
    )
    url = sqlalchemy.make_url(postgres_url).set(username=role, password="reading")
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(
        registry=registry, warehouse=url.render_as_string(hide_password=False), aggregate_schema="aggs"
    ) as workspace:
        yield workspace
    run_sql(owner, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def _role(workspace: Workspace) -> str:
    with workspace.warehouse.session() as session:
        return str(session.fetch_all("SELECT CURRENT_USER")[0][0])


_CASES = {
    "a revoked SELECT": (
        "REVOKE SELECT ON sales FROM {role}",
        'SELECT is not granted. Run: GRANT SELECT ON "public"."sales" TO ROLE.',
    ),
    "a revoked column": (
        "REVOKE SELECT ON shop FROM {role}; GRANT SELECT (shop_id, shop_name) ON shop TO {role}",
        'by this connection\'s role. Run: GRANT SELECT ("city") ON "public"."shop" TO ROLE.',
    ),
    "a revoked USAGE": (
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}",
        "is not in the schemas that this session looks in, but there is one in `public`.",
    ),
    "a missing table": ("DROP TABLE sales CASCADE", "is not in the warehouse. Correct the dataset."),
    "a table in another schema": (
        "CREATE SCHEMA elsewhere; ALTER TABLE sales SET SCHEMA elsewhere",
        "is not in the schemas that this session looks in, but there is one in `elsewhere`.",
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_each_obstacle_has_its_own_sentence(owner: Workspace, reader: Workspace, case: str) -> None:
    """Only what is truly absent is said to be absent."""
    sql, message = _CASES[case]
    run_sql(owner, *sql.format(role=_role(reader)).split("; "))

    with pytest.raises(UnsupportedQueryError) as caught:
        answer(reader, _BY_CITY)

    assert message in str(caught.value)
    if case != "a missing table":
        assert "Correct the dataset" not in str(caught.value)


def test_a_schema_without_usage_is_named(owner: Workspace, reader: Workspace, tmp_path: Path) -> None:
    """Where the model names the schema, the table is found, and the privilege is what is missing."""
    dataset = tmp_path / "model" / "dataset_sales.yml"
    connection = tmp_path / "model" / "connection.yml"
    connection.write_text(connection.read_text(encoding="utf-8") + "schema: public\n", encoding="utf-8")
    assert dataset.is_file()
    deploy(owner, tmp_path / "model", now=utc_now())
    run_sql(owner, f"REVOKE USAGE ON SCHEMA public FROM PUBLIC, {_role(reader)}")

    with pytest.raises(UnsupportedQueryError, match=r"USAGE of its schema is not granted\. Run: GRANT USAGE ON SCHEMA"):
        answer(reader, _BY_CITY)


def test_another_database_is_named(owner: Workspace, tmp_path: Path) -> None:
    """PostgreSQL reads one database per connection."""
    connection = tmp_path / "model" / "connection.yml"
    connection.write_text(
        connection.read_text(encoding="utf-8") + "schema: public\ndatabase: nowhere\n", encoding="utf-8"
    )
    deploy(owner, tmp_path / "model", now=utc_now())

    with pytest.raises(
        UnsupportedQueryError, match=r"is in another database: the connection is to `\w+`, the model names `nowhere`"
    ):
        answer(owner, _BY_CITY)


def test_an_aggregate_answers_who_may_not_read_the_facts(owner: Workspace, reader: Workspace) -> None:
    """The warehouse decides who may read the aggregate's table."""
    run_batch(owner, "tiny_sales", build_type=BuildType.FULL, owner="test")
    run_sql(owner, f"REVOKE SELECT ON sales FROM {_role(reader)}")

    result = answer(reader, _BY_CITY)

    assert (result.plan.sources[0].aggregate, result.fallback_reason) == ("by_city", "")


def test_what_may_not_be_read_is_refused_for_its_own_aggregates(owner: Workspace, reader: Workspace) -> None:
    """The builder lacks one dimension; the rest is built."""
    run_sql(owner, f"GRANT CREATE ON SCHEMA aggs TO {_role(reader)}", f"REVOKE SELECT ON shop FROM {_role(reader)}")

    report = run_batch(reader, "tiny_sales", build_type=BuildType.FULL, owner="test")

    assert {instance.step.aggregate for instance in report.instances} == {"by_month"}
    assert sum("SELECT is not granted" in note for note in report.batch.notes) == 3


def _error_of(act: Callable[[], object]) -> AtScaleAggsError:
    with pytest.raises(AtScaleAggsError) as caught:
        act()
    return caught.value


def test_a_lost_connection_may_be_tried_again(owner: Workspace) -> None:
    """The server ended the connection; a new one may do the work."""
    with owner.warehouse.session() as session:
        (pid,) = session.fetch_all("SELECT pg_backend_pid()")[0]
        run_sql(owner, f"SELECT pg_terminate_backend({pid})")
        lost = _error_of(lambda: session.fetch_all("SELECT 1"))
    assert isinstance(lost, TransientWarehouseError)
    assert "the connection was lost" in str(lost)


@pytest.mark.parametrize(
    ("part", "message"),
    [("database", "database .* does not exist"), ("username", "role .* does not exist|authentication failed")],
)
def test_a_wrong_url_is_not_tried_again(
    owner: Workspace, postgres_url: str, tmp_path: Path, part: str, message: str
) -> None:
    """The database or the role is not there: waiting does not help."""
    url = sqlalchemy.make_url(postgres_url)
    elsewhere: dict[str, Any] = {part: "not_there"}
    wrong = url.set(**elsewhere).render_as_string(hide_password=False)
    with open_workspace(registry=f"sqlite:///{tmp_path / 'registry.sqlite'}", warehouse=wrong) as workspace:
        error = _error_of(lambda: answer(workspace, _BY_CITY))

    assert isinstance(error, PermanentWarehouseError)
    assert re.search(message, str(error))
    assert "correct the connection" in str(error)


def test_a_refusal_at_run_time_says_what_to_do(owner: Workspace, reader: Workspace) -> None:
    """A view that the reader may read, on a table that its owner may not."""
    role = _role(reader)
    run_sql(owner, "CREATE SCHEMA hidden", "CREATE TABLE hidden.secret (a INTEGER)")

    error = _error_of(lambda: answer(reader, "SELECT a FROM hidden.secret"))

    assert "permission denied for schema hidden" in str(error)
    assert "the connection's role lacks a privilege" in str(error)
    assert role not in {"", "postgres"}
