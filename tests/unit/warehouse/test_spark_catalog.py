"""The catalog of a server without `information_schema`, here Sail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import Failure
from airflow_atscale_aggs.engine.warehouse.spark_catalog import quote


@pytest.fixture
def session(sail_address: str) -> Iterator[DbApiSession]:
    """On a catalog of its own, which ends with it."""
    warehouse = open_warehouse(sail_address)
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


def test_tables_views_and_their_columns_are_found(session: DbApiSession) -> None:
    session.make_schema("aggs")
    session.make_schema("aggs")
    session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a, CAST(2.5 AS DECIMAL(7, 2)) AS `b c`")
    session.execute("CREATE VIEW aggs.v AS SELECT a FROM aggs.t")

    assert session.has_schema("AGGS")
    assert session.tables("aggs") == {"t", "v"}
    found = session.columns([(None, "aggs", "t"), ("sail", "aggs", "v"), (None, "aggs", "T")])
    assert found[None, "aggs", "t"] == {"a": "int", "b c": "decimal(7,2)"}
    assert found["sail", "aggs", "v"] == {"a": "int"}
    assert [columns.kind for columns in found.values()][:2] == ["table", "view"]
    assert found[None, "aggs", "t"].spelled == ("sail", "aggs", "t")


def test_what_is_absent_says_what_of_it(session: DbApiSession) -> None:
    session.make_schema("aggs")

    found = session.columns([(None, "aggs", "gone"), (None, "nowhere", "t"), (None, None, "t")])

    assert found == {}
    assert found.reasons == {
        (None, "aggs", "gone"): "",
        (None, "nowhere", "t"): "is in schema `nowhere`, which is not there",
        (None, None, "t"): "",
    }
    assert session.tables("nowhere") == frozenset()
    assert not session.has_schema("nowhere")


@pytest.mark.parametrize(
    ("failure", "closed", "reason"),
    [
        (Failure.NO_RIGHT, "table", None),
        (Failure.NO_DATABASE, None, "is in another database: the connection is to `sail`, the model names `x`"),
    ],
)
def test_a_missing_right_or_catalog_is_no_absence(
    session: DbApiSession, failure: Failure, closed: str | None, reason: str | None
) -> None:
    """As the driver tells them."""
    session._driver = replace(session._driver, failure=lambda _error, _name: failure)
    key = ("x", "aggs", "t")

    found = session.columns([key])

    assert [columns.closed for columns in found.values()] == ([closed] if closed else [])
    assert found.reasons.get(key) == reason


@pytest.mark.parametrize("failure", [Failure.OTHER, Failure.NO_CONNECTION])
def test_a_catalog_that_cannot_be_asked_is_an_error(session: DbApiSession, failure: Failure) -> None:
    session._driver = replace(session._driver, failure=lambda _error, _name: failure)

    with pytest.raises(PermanentWarehouseError):
        session.columns([(None, "aggs", "t")])
    with pytest.raises(PermanentWarehouseError):
        session.tables("nowhere")


def test_names_are_quoted_with_backticks() -> None:
    assert quote("a`b c") == "`a``b c`"


def test_what_bears_a_name_is_told(session: DbApiSession) -> None:
    session.make_schema("aggs")
    session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
    session.execute("CREATE VIEW aggs.v AS SELECT a FROM aggs.t")

    seen = session.look_at("aggs", ["t", "v", "absent"])

    assert seen is not None
    assert (seen["t"].kind, seen["t"].text) == ("table", "")
    assert seen["v"].kind == "view"
    assert "".join(seen["v"].text.split()) == "SELECTaFROMaggs.t"
    assert "absent" not in seen
