"""Finds registry and warehouse.

By options before or after the verb, the environment, or files in the current folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from airflow_atscale_aggs.cli.output import say

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.registry import Registry
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse

DEFAULT_REGISTRY = "sqlite:///atscale_aggs.sqlite"
DEFAULT_WAREHOUSE = "duckdb:///warehouse.duckdb"

_SECRET = re.compile(
    r"://[^:/?#]*:(?P<password>.+)@|[?&][^=&]*(?:pass|token|secret|key)[^=&]*=(?P<value>[^&]+)", re.IGNORECASE
)
_PASSWORD = re.compile(r"(://[^:/?#@]*):.*@")
_LEAST_SECRET = 3
"""Shorter secrets are not hidden, because they would match parts of ordinary words."""

_OPTIONS = (
    click.option(
        "--registry",
        metavar="URL",
        help="Our own memory: sqlite:///FILE or postgresql+psycopg://…  "
        f"[env ATSCALE_AGGS_REGISTRY; {DEFAULT_REGISTRY}]",
    ),
    click.option(
        "--warehouse",
        metavar="URL",
        help="Where the facts are: duckdb:///FILE, postgresql+psycopg://…  "
        f"[env ATSCALE_AGGS_WAREHOUSE; {DEFAULT_WAREHOUSE}]",
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


def remember_connection(ctx: click.Context, given: Mapping[str, str | None]) -> None:
    """Remember the given options. Options after the verb win over options before it."""
    ctx.find_root().ensure_object(dict).update({key: value for key, value in given.items() if value})


def has_registry(ctx: click.Context) -> bool:
    """False where the registry is a file of SQLite that is not there."""
    file = _sqlite_file(_registry(ctx))
    return not file or Path(file).exists()


def registry_name(ctx: click.Context) -> str:
    """The URL of the registry without its secrets, for messages."""
    return _without_password(ctx, _registry(ctx))


def registry_url(ctx: click.Context, given: Mapping[str, str | None]) -> str:
    """The URL of the registry, by options and environment. A message says when it is a new file."""
    remember_connection(ctx, given)
    url = _registry(ctx)
    file = _sqlite_file(url)
    if file and not Path(file).exists() and Path(file).parent.is_dir():
        say(f"A new registry: {file}")
    return url


def workspace(ctx: click.Context, given: Mapping[str, str | None]) -> Workspace:
    """The workspace that options and environment name."""
    from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

    registry = registry_url(ctx, given)
    state = ctx.find_root().obj
    return open_workspace(
        registry=registry,
        warehouse=_option_or_environment(state, "warehouse") or DEFAULT_WAREHOUSE,
        aggregate_schema=_option_or_environment(state, "schema"),
    )


@contextlib.contextmanager
def registry_alone(ctx: click.Context, given: Mapping[str, str | None]) -> Iterator[Registry]:
    """The registry that options and environment name, for verbs that ask no warehouse: no driver is imported."""
    from airflow_atscale_aggs.engine.registry.registry import open_registry

    opened = open_registry(registry_url(ctx, given))
    try:
        yield opened
    finally:
        opened.close()


def warehouse_name(ctx: click.Context) -> str:
    """The URL of the warehouse without its secrets, for messages."""
    return _without_password(ctx, _option_or_environment(ctx.find_root().obj, "warehouse") or DEFAULT_WAREHOUSE)


def open_only_warehouse(ctx: click.Context, given: Mapping[str, str | None]) -> DbApiWarehouse:
    """The warehouse that options and environment name, for verbs that only read and remember nothing.

    Raises:
        click.ClickException: none is named, and the file is not there that stands for one then. DuckDB would make an
            empty one, and who has another warehouse may not have DuckDB.
    """
    from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

    remember_connection(ctx, given)
    named = _option_or_environment(ctx.find_root().obj, "warehouse")
    file = DEFAULT_WAREHOUSE.partition(":///")[2]
    if not named and not Path(file).exists():
        message = (
            f"No warehouse is named, and this folder has no {file}; "
            "name one by --warehouse URL or the variable ATSCALE_AGGS_WAREHOUSE"
        )
        raise click.ClickException(message)
    return open_warehouse(named or DEFAULT_WAREHOUSE)


def repeat_options(ctx: click.Context) -> str:
    """The connection's options as they were given on the command line, for the next commands.

    A URL with a secret is not repeated: it stays out of logs, and comes from the environment.
    """
    state = ctx.find_root().obj
    said = ""
    for name in ("registry", "warehouse", "schema"):
        value = str(state.get(name) or "")
        if value:
            said += (
                f' --{name} "$ATSCALE_AGGS_{name.upper()}"' if _SECRET.search(value) else f" --{name} {quote(value)}"
            )
    return said


def hide_secrets(text: str, state: Mapping[str, Any]) -> str:
    """A text without the passwords and tokens of the URLs in use, which drivers like to repeat.

    >>> hide_secrets("no route for me:hunter2", {"registry": "postgresql://me:hunter2@db/x"})
    'no route for me:***'
    """
    for name in ("registry", "warehouse"):
        for match in _SECRET.finditer(_option_or_environment(state, name)):
            secret = match["password"] or match["value"]
            for written in (secret, unquote(secret)):
                if len(written) >= _LEAST_SECRET:
                    text = text.replace(written, "***")
    return text


def _option_or_environment(state: Mapping[str, Any], name: str) -> str:
    """An option, or the environment's value; empty when there is neither."""
    return str(state.get(name) or os.environ.get(f"ATSCALE_AGGS_{name.upper()}") or "")


def _registry(ctx: click.Context) -> str:
    return _option_or_environment(ctx.find_root().obj, "registry") or DEFAULT_REGISTRY


def _sqlite_file(url: str) -> str:
    """The file of a registry in SQLite; empty: it is elsewhere."""
    scheme, _, file = url.partition(":///")
    return file if scheme == "sqlite" and file != ":memory:" else ""


def _without_password(ctx: click.Context, url: str) -> str:
    return hide_secrets(_PASSWORD.sub(r"\1:***@", url), ctx.find_root().obj)
