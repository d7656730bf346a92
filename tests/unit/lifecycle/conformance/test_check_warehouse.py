"""Tests for the order of a check, and for what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.conformance import check_warehouse as module
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import read_rows
from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import (
    DEFAULT_SCHEMA,
    CheckOptions,
    check_warehouse,
)
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse


@pytest.fixture
def warehouse() -> Iterator[DbApiWarehouse]:
    """DuckDB in memory."""
    opened = open_warehouse("duckdb://?threads=1")
    yield opened
    opened.close()


def _load(context: CheckContext) -> list[Capability]:
    context.scratch.load("check_day", read_rows("check_day"))
    return [Capability("loading", Verdict.WORKS)]


def _fail(_context: CheckContext) -> list[Capability]:
    raise PermanentWarehouseError("d", "", "no")


def _interrupt(_context: CheckContext) -> list[Capability]:
    raise KeyboardInterrupt


def test_a_check_that_fails_does_not_keep_the_others_from_being_made(
    warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(module, "CHECKS", (("a", _load), ("b", _fail), ("c", lambda _: [])))
    report = check_warehouse(warehouse, CheckOptions(listen=lines.append))

    assert [(found.name, found.verdict) for found in report.capabilities] == [
        ("loading", Verdict.WORKS),
        ("b", Verdict.FAILS),
        ("dropping", Verdict.WORKS),
    ]
    assert lines == ["[1/3] a ...", "[2/3] b ...", "[3/3] c ...", "Everything that was made is dropped ..."]
    assert (report.dialect, report.proven, report.schema) == ("duckdb", "run in CI", DEFAULT_SCHEMA)
    assert report.version.startswith("v")


def test_without_tables_nothing_else_is_tried(warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS", (("tables and rows", _fail), ("more", _load)))

    assert [found.name for found in check_warehouse(warehouse).capabilities] == ["tables and rows", "dropping"]


def test_an_interrupted_check_drops_what_it_has_made(
    warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKS", (("a", _load), ("b", _interrupt)))
    with pytest.raises(KeyboardInterrupt):
        check_warehouse(warehouse)

    with warehouse.session() as session:
        assert not session.has_schema(DEFAULT_SCHEMA)
    assert warehouse.aggregate_schema == ""


def test_what_is_to_be_kept_stays(warehouse: DbApiWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS", (("a", _load),))
    check_warehouse(warehouse, CheckOptions(schema="mine", keep=True))

    with warehouse.session() as session:
        assert session.tables("mine") == {"check_day"}
    with pytest.raises(WarehouseError, match="duckdb: schema `mine` is not empty"):
        check_warehouse(warehouse, CheckOptions(schema="mine"))


def test_a_warehouse_that_does_not_answer_is_no_finding() -> None:
    with pytest.raises(WarehouseError, match="no/such/folder"):
        check_warehouse(open_warehouse("duckdb:////no/such/folder/w.duckdb"))
