"""A division keeps the meaning of the dialect that it is written in, or is refused where types are not known."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.divisions import (
    KIND,
    KINDS,
    KindOf,
    NumberKind,
    kind_of_answer,
    kind_of_number,
    kind_of_type,
    kinds_of_columns,
    sum_of,
    translate_divisions,
)
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.statements import parse_text
from tests.support.oracles.spelled_queries import read_query, spell, spell_clauses

WHOLE, WIDE, OTHER, UNKNOWN = NumberKind.WHOLE, NumberKind.WIDE, NumberKind.OTHER, NumberKind.UNKNOWN
_KINDS = {"Year": WHOLE, "City": UNKNOWN, "Shop": UNKNOWN, "Amount": OTHER, "Quantity": WIDE, "Lines": WIDE, "": WIDE}
_DUCKDB = find_dialect("duckdb")


def _kind_of(query: ModelQuery) -> KindOf:
    """By the columns of the shop star: years and quantities are whole, amounts are decimals, cities are no numbers."""

    def kind_of(kind: Ref, place: int) -> NumberKind:
        return _KINDS[query.attributes[place].query_name if kind is Ref.ATTRIBUTE else query.metrics[place]]

    return kind_of


def _translate(sql: str, written: str = "postgres", warehouse: str = "duckdb") -> ModelQuery:
    query = read_query(sql, dialect=written)
    return translate_divisions(query, _kind_of(query), written, find_dialect(warehouse))


@pytest.mark.parametrize(
    ("written", "translated"),
    [
        ('SUM("Quantity") / COUNT(*)', "{Quantity} // {rows}"),
        ('SUM("Amount") / COUNT(*)', "{Amount} / {rows}"),
        ('COUNT(*) / SUM("Amount")', "{rows} / {Amount}"),
        ('"Year" / 10', '"Year" // 10'),
        ('"Year" / 2.5', '"Year" / 2.5'),
        ('"Year" / 10 / 4.0', '"Year" // 10 / 4.0'),
        ('"Year" / 10 / 4', '"Year" // 10 // 4'),
        ('MAX("Year") / 2', 'MAX("Year") // 2'),
        ('CAST("City" AS DOUBLE PRECISION) / 2', 'CAST("City" AS DOUBLE) / 2'),
        ('CAST("City" AS BIGINT) / 2', 'CAST("City" AS BIGINT) // 2'),
    ],
)
def test_whole_numbers_leave_the_remainder_out_and_others_keep_it(written: str, translated: str) -> None:
    query = _translate(f"SELECT {written} AS x FROM shop_star")

    assert spell(query, query.outputs[0].expression, "duckdb") == translated


def test_every_clause_is_translated() -> None:
    query = _translate(
        'SELECT "Year" / 10 AS decade, COUNT(*) / 2 AS half, MAX("Year" / 7) AS most, '
        'SUM("Amount") FILTER (WHERE "Year" / 6 = 1) AS some '
        'FROM shop_star JOIN (SELECT 3 AS n) AS t ON "Year" / 8 = n WHERE "Year" / 4 = 500 '
        "GROUP BY 1 HAVING COUNT(*) / 3 > 1 ORDER BY COUNT(*) / 5"
    )

    assert spell_clauses(query, "duckdb") == [
        '"Year" // 10',
        "{rows} // 2",
        'MAX("Year" // 7)',
        '{Amount where "Year" // 6 = 1}',
        '"Year" // 8 = "subquery 1"."n"',
        '"Year" // 4 = 500',
        "{rows} // 3 > 1",
        "{rows} // 5",
    ]


@pytest.mark.parametrize("warehouse", ["duckdb", "snowflake"])
def test_a_column_of_a_joined_relation_is_known_where_an_answered_query_gives_it(warehouse: str) -> None:
    sql = "SELECT n / 2 AS x FROM shop_star JOIN (SELECT 'North' AS c, 3 AS n) AS t ON \"City\" = c"
    query = read_query(sql)
    dialect = find_dialect(warehouse)
    with pytest.raises(UnsupportedQueryError, match="not known here") as error:
        translate_divisions(query, _kind_of(query), "postgres", dialect)
    assert error.value.clause == '"n" / 2'

    query.subqueries[0][1].meta[KINDS] = {"c": UNKNOWN, "n": OTHER}
    translated = translate_divisions(query, _kind_of(query), "postgres", dialect)
    assert spell(query, translated.keys[0], "duckdb") == '"subquery 1"."n" / 2'


@pytest.mark.parametrize(("dividend", "divisor"), [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (0, 5), (-1, 2)])
def test_the_translated_quotient_is_cut_towards_zero_as_in_postgresql(dividend: int, divisor: int) -> None:
    query = _translate(f'SELECT "Year" * {dividend} / {divisor} AS x FROM shop_star')
    text = spell(query, query.outputs[0].expression, "duckdb")

    ((quotient,),) = duckdb.execute(f'SELECT {text} FROM (VALUES (1)) AS t ("Year")').fetchall()

    assert quotient == int(dividend / divisor)


@pytest.mark.parametrize(
    ("written", "clause"),
    [
        ('"City" / 2', '"City" / 2'),
        ('2 / MIN("City")', '2 / MIN("City")'),
        ('COUNT(*) / MAX("Shop")', '"count" / MAX("Shop")'),
        ('GROUPING("City") / MIN("City")', 'GROUPING("City") / MIN("City")'),
        ('SUM("Quantity") / LENGTH("City") / MIN("City")', '"Quantity" / LENGTH("City") / MIN("City")'),
    ],
)
def test_a_division_of_what_is_not_known_is_refused_with_names(written: str, clause: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="and whether they are is not known here") as error:
        _translate(f'SELECT {written} AS x FROM shop_star GROUP BY ROLLUP ("City")')

    assert error.value.clause == clause
    assert "CAST(… AS DOUBLE PRECISION)" in error.value.remedy


def test_whole_numbers_are_not_divided_where_the_warehouse_has_no_proven_operator_for_it() -> None:
    with pytest.raises(
        UnsupportedQueryError, match="as they are here, and no operator of snowflake is proven"
    ) as error:
        _translate('SELECT COUNT(*) / SUM("Quantity") AS x FROM shop_star', warehouse="snowflake")

    assert error.value.clause == '"count" / "Quantity"'


def test_a_warehouse_whose_division_means_the_same_gets_it_as_it_is() -> None:
    query = _translate('SELECT "City" / 2 AS x FROM shop_star', warehouse="postgres")

    assert spell(query, query.outputs[0].expression) == '"City" / 2'


def test_a_division_that_never_leaves_the_remainder_out_stays() -> None:
    """DuckDB's `/` gives a quotient also of whole numbers, so nothing is to be known about types."""
    query = _translate('SELECT "City" / 2 AS x FROM shop_star', written="duckdb")

    assert spell(query, query.outputs[0].expression, "duckdb") == '"City" / 2'


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ('"Year"', WHOLE),
        ("1", WHOLE),
        ("1.5", OTHER),
        ("'1'", UNKNOWN),
        ('-("Year")', WHOLE),
        ('ABS("Year" + 1)', WHOLE),
        ('"Year" + 1.5', OTHER),
        ('"Year" + COUNT(*)', WIDE),
        ('"Year" % 2', WHOLE),
        ('"Year" / 2', WHOLE),
        ('"City" * 2', UNKNOWN),
        ('NULLIF("Year", 0)', WHOLE),
        ('COALESCE("Year", 0)', WHOLE),
        ('COALESCE("Year", 0.5)', OTHER),
        ("CASE WHEN \"City\" = 'x' THEN 1 ELSE NULL END", WHOLE),
        ("CASE WHEN \"City\" = 'x' THEN 1 ELSE 0.5 END", OTHER),
        ('CAST("City" AS int)', WHOLE),
        ('CAST("City" AS numeric)', OTHER),
        ('LENGTH("City")', WIDE),
        ('COUNT(DISTINCT "City")', WIDE),
        ('MIN("Year")', WHOLE),
        ("ROW_NUMBER() OVER ()", WIDE),
        ('AVG("Year") OVER ()', OTHER),
        ('SUM("Year") OVER ()', WIDE),
        ('SUM(SUM("Quantity")) OVER ()', OTHER),
        ('LAG("Year") OVER (ORDER BY "Year")', WHOLE),
        ('SUM("Year") FILTER (WHERE "Year" > 1) OVER ()', WIDE),
        ('FIRST_VALUE("Year") IGNORE NULLS OVER ()', WHOLE),
        ("STRING_AGG('x', ',') OVER ()", UNKNOWN),
        ('"Year" > 1', UNKNOWN),
        ('GROUPING("Year")', WHOLE),
    ],
)
def test_the_kind_of_a_number_follows_from_its_parts(expression: str, kind: NumberKind) -> None:
    query = read_query(f'SELECT {expression} AS x FROM shop_star GROUP BY "Year", "City"')

    assert kind_of_answer(query, _kind_of(query), "postgres", _DUCKDB) is kind


def test_the_columns_of_an_answer_have_kinds_by_name() -> None:
    query = read_query('SELECT "City", COUNT(*) AS n, SUM("Amount") AS a FROM shop_star GROUP BY 1')

    kinds = kinds_of_columns(query, _kind_of(query), "postgres", _DUCKDB)

    assert kinds == {"City": UNKNOWN, "n": WIDE, "a": OTHER}


def test_two_columns_of_one_name_have_places_of_their_own() -> None:
    query = read_query('SELECT COUNT("Quantity"), SUM("Amount") AS "Quantity" FROM shop_star')
    assert query.names == ("Quantity", "Quantity")

    kinds = kinds_of_columns(query, _kind_of(query), "postgres", _DUCKDB)

    assert (kinds["Quantity"], list(kinds.values())) == (WIDE, [WIDE, OTHER])


def test_what_a_translated_division_gives_is_whole() -> None:
    query = _translate('SELECT "Year" / 10 AS decade, COUNT(*) / 2 AS half FROM shop_star')

    assert kinds_of_columns(query, _kind_of(query), "postgres", _DUCKDB) == {"decade": WHOLE, "half": WIDE}


def test_an_inner_query_brings_its_kind_along() -> None:
    (statement,) = parse_text("SELECT (SELECT 1)", "postgres")
    assert statement is not None
    (subquery,) = statement.expressions

    kinds = [kind_of_number(subquery, lambda _kind, _place: UNKNOWN, "postgres")]
    subquery.set(KIND, WIDE)
    kinds.append(kind_of_number(subquery, lambda _kind, _place: UNKNOWN, "postgres"))

    assert kinds == [UNKNOWN, WIDE]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("integer", WHOLE),
        ("smallint", WHOLE),
        ("bigint", WIDE),
        ("decimal(9,2)", OTHER),
        ("double precision", OTHER),
        ("varchar", UNKNOWN),
        ("date", UNKNOWN),
    ],
)
def test_the_kind_of_a_type_is_known_by_its_name(name: str, kind: NumberKind) -> None:
    assert kind_of_type(name) is kind


@pytest.mark.parametrize(
    ("kind", "written", "total"),
    [
        (WHOLE, "postgres", WIDE),
        (WIDE, "postgres", OTHER),
        (WIDE, "trino", WIDE),
        (OTHER, "postgres", OTHER),
        (UNKNOWN, "postgres", UNKNOWN),
    ],
)
def test_a_sum_is_wider_than_its_terms(kind: NumberKind, written: str, total: NumberKind) -> None:
    """PostgreSQL adds 64-bit numbers up as decimals, which divide with a remainder."""
    assert sum_of(kind, written) is total
