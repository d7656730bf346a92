"""Where registry and warehouse are: options before or after the verb, environment, files in the current folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

DEFAULT_REGISTRY = "sqlite:///atscale_aggs.sqlite"
DEFAULT_WAREHOUSE = "duckdb:///warehouse.duckdb"

_OPTIONS = (
    click.option(
        "--registry",
        metavar="URL",
        help=f"Our own memory: sqlite:///FILE or postgresql+psycopg://…  [env ATSCALE_AGGS_REGISTRY; {DEFAULT_REGISTRY}]",
    ),
    click.option(
        "--warehouse",
        metavar="URL",
        help=f"Where the facts are: duckdb:///FILE, postgresql+psycopg://…  [env ATSCALE_AGGS_WAREHOUSE; {DEFAULT_WAREHOUSE}]",
    ),
    click.option(
        "--schema",
        metavar="NAME",
        help="Schema for aggregate tables and views; made when missing.  [env ATSCALE_AGGS_SCHEMA; the default schema]",
    ),
)


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--registry``, ``--warehouse``, ``--schema`` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def remember_connection(ctx: click.Context, given: dict[str, str | None]) -> None:
    """Keep what was given; options after the verb win over options before it."""
    ctx.find_root().obj.update({key: value for key, value in given.items() if value})


def workspace(ctx: click.Context, given: dict[str, str | None]) -> Workspace:
    """The workspace that options and environment name."""
    import os

    from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

    remember_connection(ctx, given)
    chosen = ctx.find_root().obj
    return open_workspace(
        registry=chosen.get("registry") or os.environ.get("ATSCALE_AGGS_REGISTRY") or DEFAULT_REGISTRY,
        warehouse=chosen.get("warehouse") or os.environ.get("ATSCALE_AGGS_WAREHOUSE") or DEFAULT_WAREHOUSE,
        aggregate_schema=chosen.get("schema") or os.environ.get("ATSCALE_AGGS_SCHEMA") or "",
    )
