"""As of which version a table of Spark is read: Delta tables keep their versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog, quote

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_NEVER = 2**53

_NEWEST = re.compile(r"replay reached (\d+)")
"""In the words of Sail about a version that is not there."""


def version_clause(catalog: SparkCatalog, session: DbApiSession, place: Sequence[str]) -> str:
    """What stands behind the name of a table so that it is read as it is now, whatever is written later.

    Empty where the table keeps no versions, or does not tell them.

    Raises TransientWarehouseError.
    """
    name = ".".join(quote(part) for part in place)
    try:
        provider = catalog.provider(session, place)
    except PermanentWarehouseError:
        return ""
    if provider != "delta":
        return ""
    version = _version_of_history(session, name)
    if version is None:
        version = _version_of_refusal(session, name)
    return "" if version is None else f"VERSION AS OF {version}"


def _version_of_history(session: DbApiSession, name: str) -> int | None:
    """The newest version, as Delta's own statement tells it; None: this server does not know the statement."""
    try:
        columns, rows = session.fetch_with_names(f"DESCRIBE HISTORY {name} LIMIT 1")
    except PermanentWarehouseError:
        return None
    return int(rows[0][columns.index("version")]) if rows and "version" in columns else None


def _version_of_refusal(session: DbApiSession, name: str) -> int | None:
    """The newest version, as the error tells it when a version is asked for that will never be; None: it does not.

    Sail knows no history. Its versions are not looked for by trying: it reads few that are older than a checkpoint.
    """
    try:
        session.fetch_all(f"SELECT 1 FROM {name} VERSION AS OF {_NEVER} LIMIT 0")
    except PermanentWarehouseError as error:
        told = _NEWEST.search(error.reason)
        return None if told is None else int(told[1])
    return None
