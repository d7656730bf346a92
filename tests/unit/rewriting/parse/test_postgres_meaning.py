"""Functions of a query and around it are translated by the types of what references and columns stand for."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.rewriting.parse.postgres_meaning import (
    TypeOf,
    check_query,
    note_types,
    translate_around,
    translate_query,
    with_decimal_rounding,
)
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.translating import Translator
from airflow_atscale_aggs.engine.sql.functions.types import BIGINT, DOUBLE, INTEGER, TEXT, UNKNOWN, Kind, SqlType
from airflow_atscale_aggs.engine.sql.statements import parse_text
from tests.support.oracles.spelled_queries import read_query, spell, spell_clauses

_MONEY = SqlType(Kind.NUMERIC, scale=2)
_TYPES = {
    "Year": INTEGER,
    "City": TEXT,
    "Size": UNKNOWN,
    "Amount": _MONEY,
    "Quantity": BIGINT,
    "Mean": DOUBLE,
    "": BIGINT,
}
_COLUMNS = {"i": "integer", "d": "decimal(9,2)", "x": "double", "s": "varchar", "e": "date"}


def _translator() -> Translator:
    translator = translator_of("postgres", find_dialect("duckdb"))
    assert translator is not None
    return translator


def _type_of(query: ModelQuery) -> TypeOf:
    def type_of(kind: Ref, place: int) -> SqlType:
        return _TYPES[query.attributes[place].query_name if kind is Ref.ATTRIBUTE else query.metrics[place]]

    return type_of


def _translate(sql: str) -> tuple[ModelQuery, dict[str, Kind]]:
    query = read_query(sql)
    translated, columns = translate_query(query, _type_of(query), _translator())
    return translated, {name: kind.kind for name, kind in columns.items()}


def _around(sql: str) -> str:
    """A statement whose SELECTs from `m` are composed and whose table `t` has known columns, translated."""
    (root,) = parse_text(sql, "postgres")
    assert isinstance(root, exp.Query)
    types = {"n": INTEGER, "x": DOUBLE, "c": UNKNOWN}
    for table in root.find_all(exp.Table):
        select = table.parent_select
        if table.name == "m" and isinstance(select, exp.Select):
            note_types(select, {name: types[name] for name in select.named_selects})
        if table.name == "t":
            table.meta[COLUMNS] = _COLUMNS
    return translate_around(root, _translator()).sql("duckdb")


@pytest.mark.parametrize(
    ("expression", "translated", "kind"),
    [
        ('"Year" / 10', '("Year" // 10)', Kind.INTEGER),
        ('SUM("Quantity") / 10', "({Quantity} // 10)", Kind.BIGINT),
        ('SUM("Amount") / 3', "(CAST({Amount} AS DOUBLE) / 3)", Kind.NUMERIC),
        ('MAX("Year") / 2', '(MAX("Year") // 2)', Kind.INTEGER),
        ("\"City\" || 'x'", "(\"City\" || 'x')", Kind.TEXT),
        ('GROUPING("Year") / 2', '(GROUPING("Year") // 2)', Kind.INTEGER),
        ('"Year"', '"Year"', Kind.INTEGER),
        ('"Year" / (SELECT 2)', None, Kind.INTEGER),
        ("(SELECT 7) / 2", '((SELECT * FROM "subquery 1") // 2)', Kind.INTEGER),
        ('"Price" / 2', "(CAST(({Amount} / NULLIF({Quantity}, 0)) AS DOUBLE) / 2)", Kind.NUMERIC),
        ('ROUND("Doubled")', None, Kind.NUMERIC),
    ],
)
def test_a_reference_has_the_type_of_what_it_stands_for(expression: str, translated: str | None, kind: Kind) -> None:
    query, columns = _translate(f'SELECT {expression} AS x FROM shop_star GROUP BY ROLLUP ("Year", "City")')

    assert columns == {"x": kind}
    if translated is not None:
        assert spell(query, query.outputs[0].expression, "duckdb") == translated


def test_every_clause_of_a_query_is_translated() -> None:
    query, _ = _translate(
        'SELECT "Year" / 10 AS decade, SUM("Amount") FILTER (WHERE "Year" / 6 = 1) AS some, MAX("Year" / 7) AS most '
        'FROM shop_star JOIN (SELECT 3 / 2 AS n) AS t ON "Year" / 8 = n / 2 WHERE "Year" / 4 = 500 '
        "GROUP BY 1 HAVING COUNT(*) / 3 > 1 ORDER BY COUNT(*) / 5"
    )

    assert spell_clauses(query, "duckdb") == [
        '("Year" // 10)',
        '{Amount where ("Year" // 6) = 1}',
        'MAX(("Year" // 7))',
        '("Year" // 8) = ("subquery 1"."n" // 2)',
        '("Year" // 4) = 500',
        "({rows} // 3) > 1",
        "({rows} // 5)",
    ]
    assert query.subqueries[0][1].sql("duckdb") == "SELECT (3 // 2) AS n"


def test_two_columns_of_one_name_keep_their_places() -> None:
    _, columns = _translate('SELECT COUNT("Quantity"), SUM("Amount") AS "Quantity" FROM shop_star')

    assert list(columns.values()) == [Kind.BIGINT, Kind.NUMERIC]


@pytest.mark.parametrize(
    ("expression", "clause"),
    [
        ('"Size" / 10', '"Size" / 10'),
        ('MIN("Size") / SUM("Amount")', 'MIN("Size") / "Amount"'),
        ('"Size" / COUNT(*)', '"Size" / "count"'),
        ('"Size" / GROUPING("Size", c)', '"Size" / GROUPING("Size", "c")'),
        ("c / 2", '"c" / 2'),
    ],
)
def test_what_has_no_proven_meaning_is_refused_with_names(expression: str, clause: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="a type that is not known here") as error:
        _translate(
            f"SELECT {expression} AS x FROM shop_star JOIN (SELECT c FROM unknown) AS t ON TRUE "
            'GROUP BY ROLLUP ("Size", c)'
        )

    assert error.value.clause == clause


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        ("SELECT n / 2 FROM (SELECT n FROM m) AS q", "SELECT (n // 2) FROM (SELECT n FROM m) AS q"),
        ("SELECT n / 2 AS h FROM (SELECT n FROM m) AS q", "SELECT (n // 2) AS h FROM (SELECT n FROM m) AS q"),
        ("SELECT q.y / 2 FROM (SELECT n FROM m) AS q (y)", "SELECT (q.y // 2) FROM (SELECT n FROM m) AS q(y)"),
        ("SELECT i / 2, d / 2 FROM t", "SELECT (i // 2), (CAST(d AS DOUBLE) / 2) FROM t"),
        ("SELECT i / 2, d / 2 FROM t AS q (d, i)", "SELECT (CAST(i AS DOUBLE) / 2), (d // 2) FROM t AS q(d, i)"),
        ("WITH q AS (SELECT n FROM m) SELECT n / 2 FROM q", "WITH q AS (SELECT n FROM m) SELECT (n // 2) FROM q"),
        (
            "WITH RECURSIVE r (y) AS (SELECT n FROM m UNION ALL SELECT y / 2 FROM r) SELECT y / 4 FROM r",
            "WITH RECURSIVE r(y) AS (SELECT n FROM m UNION ALL SELECT (y // 2) FROM r) SELECT (y // 4) FROM r",
        ),
        ("SELECT (SELECT n FROM m) / 2", "SELECT ((SELECT n FROM m) // 2)"),
        (
            "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM (SELECT n FROM m) AS q WHERE q.n / 2 = t.i / 3)",
            "SELECT 1 FROM t WHERE EXISTS(SELECT 1 FROM (SELECT n FROM m) AS q WHERE (q.n // 2) = (t.i // 3))",
        ),
        (
            "SELECT 1 FROM t WHERE i / 2 IN (SELECT n / 3 FROM (SELECT n FROM m) AS q)",
            "SELECT 1 FROM t WHERE (i // 2) IN (SELECT (n // 3) FROM (SELECT n FROM m) AS q)",
        ),
        (
            "SELECT i / 2 AS h FROM t GROUP BY i / 2 HAVING SUM(i / 3) > 1 ORDER BY i / 4, h / 2, 1",
            "SELECT (i // 2) AS h FROM t GROUP BY (i // 2) HAVING SUM((i // 3)) > 1 ORDER BY (i // 4), (h // 2), 1",
        ),
        (
            "SELECT COUNT(*) FROM t GROUP BY ROLLUP (i / 2, (d, i / 3))",
            "SELECT COUNT(*) FROM t GROUP BY ROLLUP ((i // 2), (d, (i // 3)))",
        ),
        (
            "SELECT RANK() OVER (PARTITION BY i / 2 ORDER BY i / 3) FROM t",
            "SELECT RANK() OVER (PARTITION BY (i // 2) ORDER BY (i // 3)) FROM t",
        ),
        (
            "SELECT SUM(i) OVER w FROM t WINDOW w AS (ORDER BY i / 2)",
            "SELECT SUM(i) OVER w FROM t WINDOW w AS (ORDER BY (i // 2))",
        ),
        ("SELECT DISTINCT ON (i / 2) i FROM t", "SELECT DISTINCT ON ((i // 2)) i FROM t"),
        (
            "SELECT * FROM (SELECT n FROM m) AS q JOIN t ON q.n / 2 = t.i / 3",
            "SELECT * FROM (SELECT n FROM m) AS q JOIN t ON (q.n // 2) = (t.i // 3)",
        ),
        (
            "SELECT i::bigint, COUNT(*), 1 FROM t GROUP BY 1",
            'SELECT CAST(i AS BIGINT) AS "i", COUNT(*), 1 FROM t GROUP BY 1',
        ),
    ],
)
def test_a_column_around_has_the_type_of_what_it_shows(sql: str, translated: str) -> None:
    assert _around(sql).replace(" NULLS FIRST", "") == translated


@pytest.mark.parametrize(
    ("inner", "column", "kind"),
    [
        ("SELECT i AS n FROM t UNION ALL SELECT n FROM m", "n", "whole"),
        ("SELECT i AS n FROM t UNION ALL SELECT d FROM t", "n", "numeric"),
        ("SELECT NULL AS n UNION ALL SELECT i FROM t", "n", "whole"),
        ("SELECT d AS n FROM t UNION ALL SELECT NULL", "n", "numeric"),
        ("SELECT i AS n FROM t EXCEPT SELECT s FROM t", "n", "unknown"),
        ("SELECT i AS n FROM t UNION ALL SELECT * FROM unknown", "n", "unknown"),
        ("SELECT s, i AS n FROM t UNION ALL SELECT *, i FROM unknown", "n", "unknown"),
        ("SELECT i AS n, d FROM t UNION ALL SELECT i FROM t", "n", "unknown"),
        ("SELECT i AS n, * FROM t", "n", "whole"),
        ("SELECT q.* FROM (SELECT d AS n FROM t) AS q, (SELECT n FROM m) AS r", "n", "numeric"),
        ("SELECT * FROM (SELECT d AS n FROM t) AS q JOIN (SELECT i FROM t) AS r ON TRUE", "i", "whole"),
        ("SELECT n FROM (SELECT n FROM m) AS q, (SELECT d AS n FROM t) AS r", "n", "unknown"),
        ("SELECT n FROM unknown", "n", "unknown"),
        ("VALUES (1)", "n", "unknown"),
    ],
)
def test_the_columns_of_a_subquery_have_types_by_name(inner: str, column: str, kind: str) -> None:
    """Shown by a division, which is said in another way for each type."""
    sql = f"SELECT {column} / 2 FROM ({inner}) AS z"
    if kind == "unknown":
        with pytest.raises(UnsupportedQueryError, match="a type that is not known here"):
            _around(sql)
        return
    divided = {"whole": f"({column} // 2)", "numeric": f"(CAST({column} AS DOUBLE) / 2)"}[kind]

    assert _around(sql).startswith(f"SELECT {divided} FROM ")


@pytest.mark.parametrize("value", ["EXISTS (SELECT n FROM m)", "(SELECT n, x FROM m)"])
def test_what_is_no_single_value_has_no_type(value: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="a type that is not known here"):
        _around(f"SELECT {value} / 2")


@pytest.mark.parametrize(
    ("inner", "division"),
    [
        ("SELECT MIN(i), SUM(d) FROM t", "(a // 2), (CAST(b AS DOUBLE) / 2)"),
        ("SELECT d, i AS d FROM t", "(CAST(a AS DOUBLE) / 2), (b // 2)"),
        ("SELECT * FROM (SELECT n FROM m) AS q, (SELECT d FROM t) AS r", "(a // 2), (CAST(b AS DOUBLE) / 2)"),
    ],
)
def test_an_alias_names_columns_by_their_places_also_where_they_have_no_names(inner: str, division: str) -> None:
    assert _around(f"SELECT a / 2, b / 2 FROM ({inner}) AS z (a, b)").startswith(f"SELECT {division} FROM ")


def test_a_union_of_dates_and_timestamps_has_timestamps() -> None:
    """PostgreSQL adds a number to a date, and not to a timestamp."""
    dates = "SELECT n + 1 FROM (SELECT e AS n FROM t {0}) AS z"

    assert _around(dates.format("UNION SELECT e FROM t")).startswith("SELECT (n + CAST(1 AS INT)) FROM")
    with pytest.raises(UnsupportedQueryError, match="no such operation on timestamp and integer"):
        _around(dates.format("UNION SELECT TIMESTAMP '2000-01-01'"))


@pytest.mark.parametrize(
    ("clause", "function"),
    [
        ("WHERE INITCAP(\"City\") = 'x'", "INITCAP"),
        ("JOIN (SELECT 'x' AS c) AS t ON INITCAP(\"City\") = c", "INITCAP"),
        ('GROUP BY INITCAP("City")', "INITCAP"),
        ("HAVING MAX(INITCAP(\"City\")) > 'x'", "INITCAP"),
        ("ORDER BY LOG(COUNT(*))", "LOG"),
    ],
)
def test_on_a_warehouse_that_was_never_tried_only_portable_functions_are_answered(clause: str, function: str) -> None:
    query = read_query(f"SELECT COUNT(*) FROM shop_star {clause}")

    with pytest.raises(UnsupportedQueryError, match=f"`{function}` is not proven to mean on snowflake"):
        check_query(query, "postgres", find_dialect("snowflake"))
    check_query(query, "postgres", find_dialect("postgres"))
    check_query(query, "snowflake", find_dialect("snowflake"))


@pytest.mark.parametrize(
    ("expression", "rounded"),
    [
        (
            'ROUND("Price", 2)',
            "ROUND(CAST((CAST({Amount} AS DOUBLE PRECISION) / NULLIF({Quantity}, 0)) AS DECIMAL), 2)",
        ),
        ('TRUNC("Doubled", 1)', "TRUNC(CAST(({Amount} * 2) AS DECIMAL), 1)"),
        ('ROUND("Doubled")', "ROUND(({Amount} * 2))"),
        ('ROUND(SUM("Amount"), 2)', "ROUND({Amount}, 2)"),
    ],
)
def test_calculated_metrics_are_rounded_as_decimals_on_postgresql(expression: str, rounded: str) -> None:
    """PostgreSQL rounds no floating number to places. Other warehouses do."""
    query = read_query(f"SELECT {expression} AS x FROM shop_star HAVING {expression} > 1 ORDER BY {expression}")

    decimals = with_decimal_rounding(query, find_dialect("postgres"))

    assert spell(query, decimals.outputs[0].expression) == rounded
    assert spell(query, decimals.having) == f"{rounded} > 1"
    assert spell(query, decimals.order_by[0].expression) == rounded
    assert with_decimal_rounding(query, find_dialect("duckdb")) == query
