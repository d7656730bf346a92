"""The catalog of a server without `information_schema`, here Sail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse import spark_catalog
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import Failure
from airflow_atscale_aggs.engine.warehouse.spark_catalog import describe_extended, look_at, quote


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


def test_what_bears_some_names_is_told_by_one_statement(
    sail_session: DbApiSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what that leaves out, by one statement each: it may be absent, or passed over."""
    sail_session.make_schema("aggs")
    sail_session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
    sail_session.execute("CREATE VIEW aggs.v AS SELECT a FROM aggs.t")
    sail_session.execute("CREATE VIEW aggs.`w x` AS SELECT a FROM aggs.t")
    described: list[str] = []

    def noted(session: DbApiSession, key: Sequence[str | None]) -> tuple[dict[str, str], dict[str, str]]:
        described.append(str(key[-1]))
        return describe_extended(session, key)

    monkeypatch.setattr(spark_catalog, "describe_extended", noted)

    seen = look_at(sail_session, "aggs", ["V", "t", "gone"])

    assert {name: (found.kind, found.text.replace(" ", "")) for name, found in seen.items()} == {
        "t": ("table", ""),
        "v": ("view", "SELECTaFROMaggs.t"),
    }
    assert described == ["gone"]
    # A name that a pattern would read otherwise is looked for by itself.
    assert look_at(sail_session, "aggs", ["v", "w x"]).keys() == {"v", "w x"}
    assert sorted(described) == ["gone", "v", "w x"]
    assert look_at(sail_session, "nowhere", ["v", "t"]) == {}


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
