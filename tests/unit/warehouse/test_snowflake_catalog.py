"""Snowflake's catalog: an information schema for each database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.snowflake_catalog import SnowflakeCatalog


class _Session:
    """Answers as an account with two databases would, in each of which there is a table `SALES`."""

    dialect = find_dialect("snowflake")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch_all(self, sql: str) -> list[tuple[Any, ...]]:
        self.asked.append(sql)
        if sql.startswith("SELECT CURRENT_DATABASE()"):
            return [("OWN", "PUBLIC")]
        if "information_schema.databases" in sql:
            return [("OWN",), ("OTHER",), ("THIRD",)]
        database = "OTHER" if '"OTHER".information_schema' in sql else "OWN"
        place = 1 if database == "OWN" else None
        return [(database, "PUBLIC", "SALES", database, "NUMBER(38,0)", place, database == "OWN", "table", "", False)]


def _columns(*keys: TableKey) -> tuple[dict[TableKey, list[str]], dict[TableKey, str], list[str]]:
    session: Any = _Session()
    found = SnowflakeCatalog().columns(session, keys)
    return (
        {key: list(found[key]) for key in keys if found.get(key) is not None},
        {key: found.reasons.get(key, "") for key in keys if found.get(key) is None},
        session.asked,
    )


def test_names_without_a_database_are_asked_for_in_the_sessions_own() -> None:
    """The list of databases is not read then."""
    found, _, asked = _columns((None, None, "SALES"), (None, "PUBLIC", "SALES"), ("own", "PUBLIC", "SALES"))

    assert list(found.values()) == [["OWN"]] * 3
    assert len(asked) == 2
    assert "CASE WHEN c.data_type = 'NUMBER'" in asked[1]
    assert 'FROM "OWN".information_schema.columns AS c' in asked[1]


def test_a_table_of_another_database_is_asked_for_there() -> None:
    found, absent, _ = _columns(("other", "PUBLIC", "SALES"), (None, None, "SALES"), ("gone", "PUBLIC", "SALES"))

    assert found == {("other", "PUBLIC", "SALES"): ["OTHER"], (None, None, "SALES"): ["OWN"]}
    (reason,) = absent.values()
    assert reason == "is in another database: the connection is to `OWN`, the model names `gone`"


def test_a_session_that_has_made_a_schema_is_opened_anew() -> None:
    """CREATE SCHEMA would have changed where it looks names up."""
    said: list[str] = []
    session: Any = SimpleNamespace(
        dialect=find_dialect("snowflake"), execute=said.append, close=lambda: said.append("closed")
    )
    SnowflakeCatalog().make_schema(session, "aggs")

    assert said == ['CREATE SCHEMA IF NOT EXISTS "aggs"', "closed"]


def test_a_session_without_a_database_asks_without_one() -> None:
    session: Any = SimpleNamespace(
        dialect=find_dialect("snowflake"),
        fetch_all=lambda sql: [(None, None)] if sql.startswith("SELECT CURRENT_DATABASE()") else [],
    )

    assert dict(SnowflakeCatalog().columns(session, [(None, None, "SALES")])) == {}
