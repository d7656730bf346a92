"""The mark of a schema's owner: one row, replaced only by who has read it."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.mark_reading import COLUMNS, MARK_TABLE, read_mark
from airflow_atscale_aggs.engine.sql.owner_mark import create_mark, insert_mark, update_mark
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table, is_view_name
from tests.support.stars.small_star import DUCKDB

_MARK = {"registry_id": "r1", "registry": "it's ours", "stamp": "s1", "marked_at": "2026-01-01"}
_OTHER = {"registry_id": "r2", "registry": "theirs", "stamp": "s2", "marked_at": "2026-01-02"}


def test_a_schema_has_one_mark_which_is_replaced_by_its_stamp() -> None:
    connection = duckdb.connect()
    connection.execute('CREATE SCHEMA "my aggs"')

    def marks() -> list[dict[str, str]]:
        rows = connection.execute(read_mark("my aggs", DUCKDB)).fetchall()
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    for _ in range(2):
        connection.execute(create_mark("my aggs", DUCKDB))
    assert marks() == []

    connection.execute(insert_mark("my aggs", _MARK, DUCKDB))
    assert marks() == [_MARK]

    with pytest.raises(duckdb.ConstraintException):
        connection.execute(insert_mark("my aggs", _OTHER, DUCKDB))

    connection.execute(update_mark("my aggs", _OTHER, "another stamp", DUCKDB))
    assert marks() == [_MARK]

    connection.execute(update_mark("my aggs", _OTHER, "s1", DUCKDB))
    assert marks() == [_OTHER]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_can_say_it(dialect: Dialect) -> None:
    create = create_mark("aggs", dialect)
    assert "IF NOT EXISTS" in create
    assert MARK_TABLE in create
    for text in (
        read_mark("aggs", dialect),
        insert_mark("aggs", _MARK, dialect),
        update_mark("aggs", _OTHER, "s1", dialect),
    ):
        tree = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        if dialect.name != "clickhouse" or "VALUES" not in text:
            # The parser reads each of ClickHouse's values as a row of its own.
            assert tree.sql(dialect=dialect.sqlglot_name, identify=True) == text
        assert [(table.db, table.name) for table in tree.find_all(sqlglot.exp.Table)] == [("aggs", MARK_TABLE)]


def test_no_table_or_view_of_an_aggregate_is_named_like_the_mark() -> None:
    assert not is_instance_table(MARK_TABLE)
    assert not is_view_name(MARK_TABLE)
