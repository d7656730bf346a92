"""The catalog of ClickHouse, on ClickHouse itself."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.clickhouse_catalog import literal, quote, standard_type
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import Failure


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        ("Int64", "bigint"),
        ("Nullable(UInt64)", "ubigint"),
        ("LowCardinality(Nullable(String))", "varchar"),
        ("FixedString(4)", "varchar"),
        ("Nullable(Decimal(9, 2))", "decimal(9, 2)"),
        ("DateTime", "timestamp(0)"),
        ("DateTime('UTC')", "timestamp(0)"),
        ("DateTime64(6, 'Europe/Berlin')", "timestamp"),
        ("DateTime64(9)", "timestamp(9)"),
        ("Date", "date"),
        ("Date32", "date"),
        ("Float32", "real"),
        ("Bool", "boolean"),
        ("Enum8('a' = 1)", "enum8('a' = 1)"),
        ("Array(Int8)", "array(int8)"),
    ],
)
def test_types_are_told_in_words_that_the_engine_knows(kind: str, standard: str) -> None:
    assert standard_type(kind) == standard


def test_tables_views_and_their_columns_are_found(clickhouse: DbApiSession) -> None:
    clickhouse.make_schema("s")
    clickhouse.make_schema("s")
    clickhouse.execute('CREATE TABLE s."T" AS SELECT toInt64(1) AS id, toNullable(\'x\') AS "q\'x"')
    clickhouse.execute('CREATE VIEW s.v AS SELECT id FROM s."T"')

    found = clickhouse.columns(
        [(None, "s", "t"), (None, "s", "v"), (None, "s", "nope"), ("d", "s", "v"), (None, None, "v")]
    )

    assert dict(found[None, "s", "t"]) == {"id": "bigint", "q'x": "varchar"}
    assert found[None, "s", "t"].spelled == ("", "s", "T")
    assert (found[None, "s", "v"].kind, found[None, "s", "t"].kind) == ("view", "table")
    assert set(found) == {(None, "s", "t"), (None, "s", "v")}
    assert "leave `d` out" in found.reasons["d", "s", "v"]
    assert "there is one in `s`" in found.reasons[None, None, "v"]
    assert clickhouse.tables("s") == {"T", "v"}
    assert clickhouse.own_place() == ("", "default")
    assert (clickhouse.has_schema("s"), clickhouse.has_schema("S")) == (True, False)


def test_what_bears_a_name_is_told(clickhouse: DbApiSession) -> None:
    clickhouse.make_schema("s")
    clickhouse.execute("CREATE TABLE s.t AS SELECT 1 AS a")
    clickhouse.execute("CREATE VIEW s.v AS SELECT a FROM s.t")

    seen = clickhouse.look_at("s", ["T", "v", "nope"])

    assert seen is not None
    assert {name: relation.kind for name, relation in seen.items()} == {"t": "table", "v": "view"}
    assert seen["v"].text == "SELECT a FROM s.t"
    assert seen["t"].size_bytes
    assert clickhouse.look_at("s", []) == {}


def test_an_absence_is_the_names_own(clickhouse: DbApiSession) -> None:
    """A view is there although the table is gone that it reads; a name that is like another one is not."""
    clickhouse.make_schema("s")
    clickhouse.execute("CREATE TABLE s.t AS SELECT 1 AS a")
    clickhouse.execute("CREATE VIEW s.v AS SELECT a FROM s.t")
    clickhouse.execute("DROP TABLE s.t")
    asked = [(None, "s", "v"), (None, "s", "t"), (None, "s", "v2"), (None, "no", "t")]

    assert clickhouse.find_readable(asked) == {(None, "s", "v")}
    with pytest.raises(PermanentWarehouseError, match="is not there, or not where the session looks") as caught:
        clickhouse.fetch_all("SELECT * FROM s.v")
    assert clickhouse.failure_of(caught.value, "v") is Failure.OTHER
    assert clickhouse.failure_of(caught.value, "t") is Failure.ABSENT


@pytest.mark.parametrize("text", ["it's", "a\\", "\\'", "ü\n"])
def test_texts_and_names_stay_what_they_are(clickhouse: DbApiSession, text: str) -> None:
    assert clickhouse.fetch_with_names(f"SELECT {literal(text)} AS {quote(text)}") == ((text,), [(text,)])
