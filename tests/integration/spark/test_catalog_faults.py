"""A catalog behind the warehouse that is in trouble: Sail asks one over HTTP, which here answers what it is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sail_server import sail_server, shared_session

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, TransientWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import tiny_star

_QUERY = 'SELECT "City", "Amount" FROM tiny_sales'
_CONFIG = b'{"defaults": {}, "overrides": {}}'
_ERROR = b'{"error": {"message": "out of order", "type": "Error", "code": 0}}'


class _Lake(ThreadingHTTPServer):
    """An Iceberg REST catalog that answers every question about its tables with one status."""

    status = 404


class _Answers(BaseHTTPRequestHandler):
    server: _Lake

    def do_GET(self) -> None:
        is_config = self.path.startswith("/v1/config")
        body = _CONFIG if is_config else _ERROR
        self.send_response(200 if is_config else self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nobody reads them."""


@pytest.fixture
def lake() -> Iterator[_Lake]:
    server = _Lake(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    with contextlib.suppress(OSError):
        server.shutdown()
        server.server_close()


@pytest.fixture
def workspace(lake: _Lake, tmp_path: Path) -> Iterator[Workspace]:
    """A batch has built the tiny star from tables of Sail's own; now its model names the catalog ``lake``."""
    catalogs = (
        '[{type="memory", name="sail", initial_database=["default"]}, '
        f'{{type="iceberg-rest", name="lake", uri="http://127.0.0.1:{lake.server_port}"}}]'
    )
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    settings = {"SAIL_CATALOG__LIST": catalogs, "SAIL_CATALOG__DEFAULT_CATALOG": "sail"}
    with (
        sail_server(settings) as address,
        open_workspace(registry=registry, warehouse=shared_session(address), aggregate_schema="aggs") as opened,
    ):
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        model = tiny_star.write_model(tmp_path / "model", {"by_city": tiny_star.AGGREGATES["by_city"]})
        deploy(opened, model, now=utc_now())
        run_batch(opened, "tiny_sales", owner="first")
        yield opened


def _move(workspace: Workspace, folder: Path) -> None:
    """The next version of the model has its tables in a schema of the catalog ``lake``."""
    connection = folder / "model" / "connection.yml"
    connection.write_text(f"{connection.read_text(encoding='utf-8')}database: lake\nschema: x\n", "utf-8")
    deploy(workspace, folder / "model", now=utc_now())


def _error_of(workspace: Workspace) -> AtScaleAggsError:
    with pytest.raises(AtScaleAggsError) as caught:
        answer(workspace, _QUERY, use_aggregates=False)
    return caught.value


def test_each_trouble_of_a_catalog_has_its_own_sentence(workspace: Workspace, lake: _Lake, tmp_path: Path) -> None:
    """What is not there, what may not be read, and what does not answer."""
    _move(workspace, tmp_path)
    told = {}
    for lake.status in (404, 401, 403, 500, 503):
        told[lake.status] = _error_of(workspace)
    lake.shutdown()
    lake.server_close()
    told[0] = _error_of(workspace)

    assert isinstance(told[404], UnsupportedQueryError)
    assert "is not in the warehouse" in str(told[404])
    for status in (401, 403):
        assert "may not be read" in str(told[status])
        assert "Run: GRANT SELECT ON `x`.`sales` TO ROLE." in str(told[status])
    for status in (500, 503, 0):
        assert isinstance(told[status], TransientWarehouseError)
        assert "the catalog behind the warehouse does not answer" in str(told[status])


def test_while_a_catalog_is_out_of_order_nothing_is_begun_and_the_views_serve(
    workspace: Workspace, lake: _Lake, tmp_path: Path
) -> None:
    with workspace.warehouse.session() as session:
        before = session.fetch_all("SELECT * FROM aggs.agg_tiny_sales_by_city ORDER BY 1")
    _move(workspace, tmp_path)
    lake.status = 500

    with pytest.raises(TransientWarehouseError, match="the catalog behind the warehouse does not answer"):
        run_batch(workspace, "tiny_sales", owner="second")

    assert len(workspace.read.batches.find()) == 1
    with workspace.warehouse.session() as session:
        assert session.fetch_all("SELECT * FROM aggs.agg_tiny_sales_by_city ORDER BY 1") == before
