"""The catalog of a server without `information_schema`, here Sail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import Failure
from airflow_atscale_aggs.engine.warehouse.spark_catalog import quote


def test_tables_views_and_their_columns_are_found(sail_session: DbApiSession) -> None:
    sail_session.make_schema("aggs")
    sail_session.make_schema("aggs")
    sail_session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a, CAST(2.5 AS DECIMAL(7, 2)) AS `b c`")
    sail_session.execute("CREATE VIEW aggs.v AS SELECT a FROM aggs.t")

    assert sail_session.has_schema("AGGS")
    assert sail_session.tables("aggs") == {"t", "v"}
    found = sail_session.columns([(None, "aggs", "t"), ("sail", "aggs", "v"), (None, "aggs", "T")])
    assert found[None, "aggs", "t"] == {"a": "int", "b c": "decimal(7,2)"}
    assert found["sail", "aggs", "v"] == {"a": "int"}
    assert [columns.kind for columns in found.values()][:2] == ["table", "view"]
    assert found[None, "aggs", "t"].spelled == ("sail", "aggs", "t")


def test_what_is_absent_says_what_of_it(sail_session: DbApiSession) -> None:
    sail_session.make_schema("aggs")

    found = sail_session.columns(
        [(None, "aggs", "gone"), (None, "nowhere", "t"), (None, None, "t"), ("pond", "aggs", "t")]
    )

    assert found == {}
    assert found.reasons == {
        (None, "aggs", "gone"): "",
        (None, "nowhere", "t"): "is in schema `nowhere`, which is not there",
        (None, None, "t"): "",
        ("pond", "aggs", "t"): "is in another database: the connection is to `sail`, the model names `pond`",
    }
    assert sail_session.tables("nowhere") == frozenset()
    assert not sail_session.has_schema("nowhere")


@pytest.mark.parametrize(
    ("failure", "closed", "reason"),
    [
        (Failure.NO_RIGHT, "table", None),
        (Failure.NO_DATABASE, None, "is in another database: the connection is to `sail`, the model names `x`"),
    ],
)
def test_a_missing_right_or_catalog_is_no_absence(
    sail_session: DbApiSession, failure: Failure, closed: str | None, reason: str | None
) -> None:
    """As the driver tells them."""
    sail_session._driver = replace(sail_session._driver, failure=lambda _error, _name: failure)
    key = ("x", "aggs", "t")

    found = sail_session.columns([key])

    assert [columns.closed for columns in found.values()] == ([closed] if closed else [])
    assert found.reasons.get(key) == reason


@pytest.mark.parametrize("failure", [Failure.OTHER, Failure.NO_CONNECTION])
def test_a_catalog_that_cannot_be_asked_is_an_error(sail_session: DbApiSession, failure: Failure) -> None:
    sail_session._driver = replace(sail_session._driver, failure=lambda _error, _name: failure)

    with pytest.raises(PermanentWarehouseError):
        sail_session.columns([(None, "aggs", "t")])
    with pytest.raises(PermanentWarehouseError):
        sail_session.tables("nowhere")


def test_names_are_quoted_with_backticks() -> None:
    assert quote("a`b c") == "`a``b c`"


def test_what_bears_a_name_is_told(sail_session: DbApiSession) -> None:
    sail_session.make_schema("aggs")
    sail_session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
    sail_session.execute("CREATE VIEW aggs.v AS SELECT a FROM aggs.t")

    seen = sail_session.look_at("aggs", ["t", "v", "absent"])

    assert seen is not None
    assert (seen["t"].kind, seen["t"].text) == ("table", "")
    assert seen["v"].kind == "view"
    assert "".join(seen["v"].text.split()) == "SELECTaFROMaggs.t"
    assert "absent" not in seen
