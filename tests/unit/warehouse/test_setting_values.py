"""Values of settings are read by name once it is known which there are, and known until a session sets one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.sql.session_settings import DUCKDB_SETTINGS
from airflow_atscale_aggs.engine.warehouse.base import Row, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.duckdb import open_duckdb
from airflow_atscale_aggs.engine.warehouse.setting_values import KnownSettings, SharedSettings, read_settings


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DbApiWarehouse]:
    opened = open_duckdb(str(tmp_path / "w.duckdb"), config={}, lock_timeout=1, aggregate_schema="")
    with contextlib.closing(opened):
        yield opened


def _statements(session: WarehouseSession, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that a session will be sent."""
    sent: list[str] = []
    fetch = session.fetch_all

    def fetch_all(sql: str) -> list[Row]:
        sent.append(sql)
        return fetch(sql)

    monkeypatch.setattr(session, "fetch_all", fetch_all)
    return sent


def test_values_are_read_by_name_once_all_were_found(
    warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedSettings()
    with warehouse.session() as session:
        sent = _statements(session, monkeypatch)
        found = read_settings(session, DUCKDB_SETTINGS, shared, ())
        few = read_settings(session, DUCKDB_SETTINGS, shared, ["default_order"])

    assert set(shared.names) == set(found)
    assert few == {"default_order": found["default_order"]}
    assert ["duckdb_settings" in sql for sql in sent] == [True, False]


def test_what_was_read_before_a_change_is_not_known_after_it() -> None:
    known = KnownSettings()
    known.add({"a": "1"}, 0)
    known.add({"b": "2"}, 0)
    assert known.find(["a", "b"], 0) == {"a": "1", "b": "2"}
    assert known.find(["a", "c"], 0) is None
    assert known.find(["a"], 1) is None

    known.add({"b": "3"}, 1)

    assert known.find(["b"], 1) == {"b": "3"}
    assert known.find(["a"], 1) is None


def test_a_session_of_duckdb_reads_its_settings_once(
    warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.session() as session:
        wanted = dict(session.settings(["default_order"]))
        with session.apply_settings(wanted):
            pass
        sent = _statements(session, monkeypatch)
        with session.apply_settings(wanted):
            pass

    assert sent == []


def test_a_setting_that_another_session_changes_for_all_is_read_again(warehouse: DbApiWarehouse) -> None:
    """DuckDB keeps some settings for all connections of a database."""
    with warehouse.session() as first, warehouse.session() as second:
        before = first.settings(["default_order"])["default_order"]
        other = "DESC" if before.startswith("ASC") else "ASC"
        with first.apply_settings({"default_order": before}):
            pass
        with second.apply_settings({"default_order": other}), first.apply_settings({"default_order": before}):
            assert first.settings(["default_order"])["default_order"] in {before, before.removesuffix("ENDING")}


def test_sessions_are_kept_for_the_length_of_a_block_only(warehouse: DbApiWarehouse) -> None:
    def connection() -> object:
        with warehouse.session() as session:
            session.fetch_all("SELECT 1")
            return session

    with warehouse.keep_sessions(1):
        first, second = connection(), connection()
    third = connection()

    assert first is second
    assert third is not first
    assert warehouse.kept_sessions == 0
