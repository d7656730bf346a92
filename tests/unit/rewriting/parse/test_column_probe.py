"""SELECTs of all columns: those that ask for names, and those that ask for a sample."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.parse.column_probe import (
    asks_for_columns,
    asks_for_sample,
    column_query,
    excluded_columns,
    with_columns,
    without_rows,
)


def _select(sql: str) -> exp.Select:
    select = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(select, exp.Select)
    return select


@pytest.mark.parametrize(
    ("sql", "columns", "sample"),
    [
        ("SELECT * FROM m LIMIT 0", True, True),
        ("SELECT * FROM m WHERE 1 = 0", True, False),
        ("SELECT * FROM m WHERE (0 = 1) AND a > 5 ORDER BY a", True, False),
        ("SELECT * FROM m WHERE (a > 5 AND FALSE)", True, False),
        ("SELECT * EXCLUDE (a) FROM m WHERE FALSE LIMIT 5", True, True),
        ("SELECT * FROM m LIMIT 100", False, True),
        ("SELECT * FROM m WHERE a = 1 ORDER BY b LIMIT 100 OFFSET 5", False, True),
        ("SELECT * FROM m", False, False),
        ("SELECT * FROM m WHERE 1 = 1", False, False),
        ("SELECT * FROM m WHERE 1 = 0 OR a = 1", False, False),
        ("SELECT * FROM m WHERE NOT FALSE", False, False),
        ("SELECT * FROM m WHERE a = 0", False, False),
        ("SELECT * FROM m WHERE '1' = '0'", False, False),
        ("SELECT a FROM m LIMIT 0", False, False),
        ("SELECT *, a FROM m LIMIT 0", False, False),
        ("SELECT * REPLACE (1 AS a) FROM m LIMIT 0", False, False),
        ("SELECT DISTINCT * FROM m LIMIT 0", False, False),
        ("SELECT * FROM m GROUP BY ALL LIMIT 0", False, False),
        ("SELECT * FROM m JOIN t ON TRUE LIMIT 0", False, False),
        ("SELECT * FROM m LIMIT 0 OFFSET 3", False, True),
    ],
)
def test_a_star_asks_for_columns_where_no_row_can_come_and_for_a_sample_where_few_may(
    sql: str, columns: bool, sample: bool
) -> None:
    assert (asks_for_columns(_select(sql)), asks_for_sample(_select(sql))) == (columns, sample)


def test_columns_by_name_take_the_place_of_the_star() -> None:
    select = _select('SELECT * EXCLUDE ("b") FROM m WHERE a > 1 LIMIT 5')

    assert excluded_columns(select) == {"b"}
    assert with_columns(select, ["a", "b", 'c "d"']).sql() == 'SELECT "a", "c ""d""" FROM m WHERE a > 1 LIMIT 5'
    assert select.sql("duckdb") == 'SELECT * EXCLUDE ("b") FROM m WHERE a > 1 LIMIT 5'


def test_one_column_of_the_flat_table_is_asked_for_without_rows() -> None:
    assert column_query("Sold Year").sql() == 'SELECT "Sold Year" FROM "model" WHERE FALSE'


def test_the_answer_has_the_types_of_the_columns_and_no_row() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (city VARCHAR, amount DECIMAL(9,2), day DATE)")
        columns = [
            ("City", _select("SELECT city FROM t WHERE FALSE")),
            ("Total Amount", _select("SELECT SUM(amount) FROM t")),
            ("Day", _select("SELECT day FROM t WHERE FALSE")),
        ]

        answer = connection.sql(without_rows(columns).sql("duckdb"))

        assert [(name, str(kind)) for name, kind in zip(answer.columns, answer.types, strict=True)] == [
            ("City", "VARCHAR"),
            ("Total Amount", "DECIMAL(38,2)"),
            ("Day", "DATE"),
        ]
        assert answer.fetchall() == []
