"""The verb ``serve``: BI tools connect as they do to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, registry_url, workspace
from airflow_atscale_aggs.cli.output import say
from airflow_atscale_aggs.cli.serve_bounds import bound_options, take_bounds
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.server.serve import Server, ServerOptions

_CATALOG_SERVER = "ATSCALE_AGGS_CATALOG_SERVER"


@click.command(cls=Verb, example="atscale-aggs serve")
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; one that other machines reach needs --certificate.",
)
@click.option("--port", metavar="NUMBER", default=6543, show_default=True, type=int, help="0: any that is free.")
@click.option("--certificate", metavar="FILE", default="", help="Certificate for TLS, in PEM.")
@click.option("--key", metavar="FILE", default="", help="Its private key, where that is a file of its own.")
@click.option(
    "--no-password", is_flag=True, help="Let everybody in who reaches the address, which must be of this machine."
)
@click.option(
    "--queries",
    metavar="N",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="Queries that the warehouse runs at the same time; others wait.",
)
@click.option(
    "--catalog-server",
    metavar="URL",
    help="A PostgreSQL server that keeps an empty table for each model; databases of catalogs and roles "
    f"`atscale_aggs_client_…` are made on it.  [env {_CATALOG_SERVER}; default: the registry if it is in PostgreSQL, "
    "else a server that is started for it]",
)
@click.option(
    "--star-tables/--no-star-tables",
    default=True,
    show_default=True,
    help="PostgreSQL: who sees all models may read the tables that these read; queries on them use aggregates as well.",
)
@bound_options
@connection_options
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    host: str,
    port: int,
    queries: int,
    certificate: str,
    key: str,
    catalog_server: str | None,
    *,
    no_password: bool,
    star_tables: bool,
    **given: Any,
) -> int:
    """Answer on the PostgreSQL protocol: each catalog is a database, each model a table.

    SELECTs on models are answered from aggregates, where that is proven to be the same. Everything else that a tool
    asks is answered by a real PostgreSQL, which has an empty table for each model: what tables there are, settings,
    cursors, temporary tables. Ctrl-C ends it.

    Users are added by `atscale-aggs user add NAME`, and connect by psql 'host=127.0.0.1 port=6543 dbname=CATALOG
    user=NAME', or by whatever speaks to PostgreSQL. A DuckDB file is held while it is served: no other process can
    build in it.

    What one client may take from the others is bounded: connections, time, rows, memory. 0 takes a bound away. What
    goes beyond is refused with PostgreSQL's own SQLSTATE, and no answer is cut without an error.

    docs/serving.md tells what works with which client.
    """
    try:
        from airflow_atscale_aggs.server.catalog_server import catalog_server_of
        from airflow_atscale_aggs.server.own_server import NoCatalogServerError
        from airflow_atscale_aggs.server.serve import Server, ServerOptions, ServerRefusedError
    except ImportError as error:
        message = f"`serve` needs more packages ({error}): pip install 'airflow-atscale-aggs[serve]'"
        raise click.ClickException(message) from error

    options = ServerOptions(
        host=host,
        port=port,
        without_password=no_password,
        queries=queries,
        certificate=certificate,
        key=key,
        star_tables=star_tables,
        bounds=take_bounds(given),
    )
    try:
        options.listen_options()
        registry = registry_url(ctx, given)
        url = catalog_server or os.environ.get(_CATALOG_SERVER) or (registry if "postgres" in registry else "")
        with workspace(ctx, given) as opened, _server_at(url) as address:
            asyncio.run(_serve(Server(opened, catalog_server_of(address), options), options))
    except (NoCatalogServerError, ServerRefusedError) as error:
        raise click.ClickException(str(error)) from error
    return 0


@contextlib.contextmanager
def _server_at(url: str) -> Iterator[str]:
    """The URL of the catalog server; where none is named, one is started for the length of the block."""
    if url:
        yield url
        return
    from airflow_atscale_aggs.server.own_server import own_server

    with own_server() as started:
        yield started


_SWITCH_SECONDS = 0.0005
"""After which a thread that plans a query lets the one go on that speaks with clients."""


def _show_log() -> None:
    """On standard error, with times."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("airflow_atscale_aggs.server")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


async def _serve(server: Server, options: ServerOptions) -> None:
    """Until a signal comes."""
    _show_log()
    sys.setswitchinterval(_SWITCH_SECONDS)
    host, port = await server.start()
    for name in server.databases:
        say(f"Database `{name}`: psql 'host={host} port={port} dbname={name} user=me'")
    if not server.databases:
        say("No model is deployed yet; databases appear when one is.")
    say(f"Listening on {host}:{port}, {options.queries} queries at the same time. Ctrl-C ends it.")
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    say("Ending.")
    await server.close()
