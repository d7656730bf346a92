"""Which relations a statement names, and which of the names mean its own CTEs."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.rewriting.parse.name_scopes import foreign_tables, table_names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT * FROM a JOIN s.b ON TRUE", ["a", "s.b"]),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ["a", "a: cte"]),
        ("WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a", ["a: cte", "a: cte"]),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b", ["a: cte", "b: cte"]),
        ("WITH b AS (SELECT * FROM a), a AS (SELECT 1) SELECT * FROM b", ["a", "b: cte"]),
        ("WITH RECURSIVE b AS (SELECT * FROM a), a AS (SELECT 1) SELECT * FROM b", ["a: cte", "b: cte"]),
        ("WITH a AS (SELECT 1) SELECT * FROM s.a, a", ["s.a", "a: cte"]),
        (
            "WITH a AS (SELECT 1) SELECT (SELECT MAX(x) FROM a) FROM t WHERE x IN (SELECT x FROM a)",
            ["a: cte", "t", "a: cte"],
        ),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS t, a", ["a: cte", "a"]),
        ("WITH a AS (WITH b AS (SELECT * FROM c) SELECT * FROM b) SELECT * FROM a, b", ["c", "b: cte", "a: cte", "b"]),
        ("WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT * FROM A", ["a: cte", "A"]),
        ("SELECT * FROM generate_series(1, 2) AS g, t", ["t"]),
        ("SELECT 1", []),
    ],
)
def test_a_cte_is_meant_where_sql_makes_it_visible(sql: str, names: list[str]) -> None:
    """In the order of the text; functions are no relations."""
    root = sqlglot.parse_one(sql, read="postgres")

    assert [
        name.table.sql().split(" AS ")[0] + (": cte" if name.cte is not None else "") for name in table_names(root)
    ] == names
    assert [table.sql().split(" AS ")[0] for table in foreign_tables(root)] == [
        name for name in names if not name.endswith(": cte")
    ]


def test_of_two_ctes_of_one_name_the_inner_one_is_meant() -> None:
    root = sqlglot.parse_one("WITH a AS (SELECT 1) SELECT * FROM (WITH a AS (SELECT 2) SELECT * FROM a) AS t, a")

    assert [name.cte.this.sql() for name in table_names(root) if name.cte is not None] == ["SELECT 2", "SELECT 1"]


def test_statements_may_be_nested_more_deeply_than_calls_may_be() -> None:
    root = sqlglot.parse_one("SELECT * FROM a")
    for _ in range(3000):
        root = sqlglot.exp.Paren(this=root)

    assert [name.table.name for name in table_names(root)] == ["a"]
