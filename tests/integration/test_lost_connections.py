"""The network between the engine and its warehouse is cut in the middle of a batch, on real servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import tenacity
from sail_server import shared_session

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import BatchFailedError, TransientWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table
from tests.support.stars import tiny_star
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

_QUERY = 'SELECT "City", "Amount" FROM tiny_sales'
_AGGREGATES = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
_ONE_ATTEMPT = Settings().with_values({"aggregates.batch.retry.maxAttemptsPerAggregate": "1"})


@dataclass(frozen=True)
class _Line:
    """A warehouse behind a line that can be cut: a workspace over the line, and one that goes past it."""

    proxy: TcpProxy
    over: Workspace
    past: Workspace


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres), "sail"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Line]:
    """The tiny star with two aggregates, built once."""
    if request.param == "sail":
        url = shared_session(request.getfixturevalue("sail_address"))
    else:
        url = str(request.getfixturevalue("postgres_url"))
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with (
        tcp_proxy(_server_of(url)) as proxy,
        open_workspace(registry=registry, warehouse=_over(url, proxy.port), aggregate_schema="aggs") as over,
        open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as past,
    ):
        tiny_star.run_sql(past, *tiny_star.SETUP_SQL)
        deploy(past, tiny_star.write_model(tmp_path / "model", _AGGREGATES), now=utc_now())
        run_batch(past, "tiny_sales", owner="first")
        yield _Line(proxy, replace(over, settings=_ONE_ATTEMPT), past)


def _server_of(url: str) -> int | str:
    """The port of a server, or the path of the socket on which PostgreSQL listens."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    return f"{folder}/.s.PGSQL.{parts.port or 5432}" if folder else parts.port or 5432


def _over(url: str, port: int) -> str:
    """The URL of the same server at another port of this machine."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    query = "" if "host=" in parts.query else parts.query
    return parts._replace(netloc=f"{user}{'@' if user else ''}127.0.0.1:{port}", query=query).geturl()


def _rows(workspace: Workspace) -> list[tuple[Any, ...]]:
    """The answer from an aggregate."""
    result = answer(workspace, _QUERY)
    assert result.plan.uses_aggregates
    return sorted(result.rows, key=str)


def _strays(workspace: Workspace) -> set[str]:
    """Tables that are named as ours and that nothing knows of."""
    with workspace.warehouse.session() as session:
        tables = {name for name in session.tables("aggs") if is_instance_table(name)}
    return tables - set(workspace.read.tables.names())


def test_a_line_that_is_cut_while_a_table_is_made_loses_nothing(line: _Line) -> None:
    """The server makes the table and its answer is lost: the old state serves, and the batch is resumed to its end."""
    before = _rows(line.past)
    sent: list[str] = []

    def cut_at_the_first_table(event: BuildEvent) -> None:
        if event.kind == "sql" and not sent:
            sent.append(event.text)
            line.proxy.cut_at_next_answer()
        elif event.kind == "failed":
            line.proxy.mend()

    tiny_star.run_sql(line.past, "INSERT INTO sales VALUES (1, 1, 1, 100.25)")
    with pytest.raises(BatchFailedError, match="The old instances keep serving") as failed:
        run_batch(line.over, "tiny_sales", owner="second", on_event=cut_at_the_first_table)

    assert _rows(line.past) == before
    instances = line.past.read.instances.find(batch_id=failed.value.batch_id)
    errors = [instance.error for instance in instances if instance.status is InstanceStatus.FAILED]
    # The next statement of the same client may be lost as well.
    assert errors
    assert {instance.status for instance in instances} <= {InstanceStatus.DONE, InstanceStatus.FAILED}
    assert all("the connection was lost, or cannot be made" in str(error) for error in errors)

    resumed = run_batch(line.over, "tiny_sales", owner="second", resume=failed.value.batch_id)

    assert {instance.status for instance in resumed.instances} == {InstanceStatus.ACTIVE}
    assert _rows(line.past) != before
    swept = sweep(line.past, dry_run=False, now=utc_now())
    assert [table.error for table in swept.tables if table.error] == []
    assert _strays(line.past) == set()


def test_without_a_line_nothing_is_begun_and_it_may_be_tried_again(line: _Line) -> None:
    """The sentence is that of a lost connection, not that something is not there, or may not be read."""
    before = _rows(line.past)
    line.proxy.cut()

    with pytest.raises(TransientWarehouseError, match="the connection was lost, or cannot be made"):
        run_batch(line.over, "tiny_sales", owner="second")

    assert len(line.past.read.batches.find()) == 1
    assert _rows(line.past) == before
    line.proxy.mend()
    # A client of gRPC connects again only some seconds after it has seen that the line is cut.
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientWarehouseError),
        wait=tenacity.wait_fixed(0.5),
        stop=tenacity.stop_after_delay(60),
        reraise=True,
    )
    assert len(again(run_batch, line.over, "tiny_sales", owner="second").instances) == 2


def test_a_question_that_did_not_arrive_is_asked_again(line: _Line) -> None:
    """A line that is mended while a question is on its way: Spark's client sends it again, whatever the refusal."""
    if line.over.warehouse.dialect.name != "spark":
        pytest.skip("only the client of Spark Connect sends calls again")
    with line.over.warehouse.session() as session:
        for number in range(2):
            line.proxy.cut()
            mending = threading.Timer(0.2, line.proxy.mend)
            mending.start()
            try:
                assert session.fetch_all(f"SELECT {number}") == [(number,)]
            finally:
                mending.join()
