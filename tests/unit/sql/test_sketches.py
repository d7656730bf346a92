"""The number of groups of each grain, estimated from one scan of the fact."""

from __future__ import annotations

import random

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.sketches import (
    REGISTERS,
    estimate_from_registers,
    estimate_statement,
    read_estimates,
    sketch_error,
)
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import CITY, DUCKDB, SmallStar, attribute, described_sources, part

POSTGRES = find_dialect("postgres")
A, B = (attribute(name, "sales", name, name) for name in ("a", "b"))


def _exact_counts(star: SmallStar, parts: list[FactPart], dialect: Dialect) -> list[int]:
    """What the statement of a dialect would count on DuckDB if its sketch were exact."""
    statement = estimate_statement(parts, star.sources(dialect), star.constraints(*parts))
    assert dialect.approx_count_distinct is not None
    sketched = f"{dialect.approx_count_distinct}("
    text = render(statement, DUCKDB)
    assert text.count(sketched) == len(parts)
    return read_estimates(star.rows(text.replace(sketched, "COUNT(DISTINCT ")), len(parts), dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "snowflake", "redshift", "trino", "bigquery", "tsql"])
def test_groups_are_told_apart_by_hashes_or_by_texts(star: SmallStar, dialect: str) -> None:
    """Pairs whose texts would be one when they are set side by side; NULL differs from every value."""
    star.add(
        "sales",
        "a:varchar b:varchar",
        *("'x', 'yz'", "'xy', 'z'", "'xyz', ''", "'', 'xyz'", "NULL, 'xyz'", "'xyz', NULL", "'-', 'xyz'"),
        *("'1:x', '-'", "'1', ':x-'", "NULL, NULL", "NULL, NULL", "'x', 'yz'"),
    )

    # The first values are x, xy, xyz, -, 1:x, 1, nothing and NULL.
    # The second ones are yz, z, xyz, -, :x-, nothing and NULL.
    assert _exact_counts(star, [part(A, B), part(A), part(B)], find_dialect(dialect)) == [10, 8, 7]


def test_attributes_of_dimensions_are_counted_as_facts_meet_them(star: SmallStar) -> None:
    """Both sales without a city are one group."""
    star.add("sales", "shop_id a", "1, 1", "2, 1", "3, 2", "9, 2", "NULL, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, NULL")

    assert _exact_counts(star, [part(CITY), part(CITY, A)], DUCKDB) == [2, 3]


def test_each_attribute_is_hashed_once() -> None:
    sources = described_sources(DUCKDB, sales="a integer, b integer")

    text = render(estimate_statement([part(A, B), part(A)], sources, ProvenConstraints()), DUCKDB)

    assert text == (
        'SELECT APPROX_COUNT_DISTINCT(HASH("h0", "h1")) AS "g0", APPROX_COUNT_DISTINCT("h0") AS "g1" '
        'FROM (SELECT HASH("sales"."a") AS "h0", HASH("sales"."b") AS "h1" FROM "sales" AS "sales") AS "hashes"'
    )


def test_postgres_answers_with_the_least_hash_of_each_register() -> None:
    """The hash of a second attribute takes that of the first as its seed."""
    sources = described_sources(POSTGRES, sales="a integer, b integer")

    text = render(estimate_statement([part(A, B), part(A)], sources, ProvenConstraints()), POSTGRES)

    text_of_a = """COALESCE(CAST(LENGTH(CAST("sales"."a" AS TEXT)) AS TEXT) || ':' || CAST("sales"."a" AS TEXT), '-')"""
    assert f'HASHTEXTEXTENDED({text_of_a}, 0) AS "h0"' in text
    assert 'UNNEST(ARRAY[HASHINT8EXTENDED("h1", "h0"), "h0"]) AS "hash", GENERATE_SERIES(0, 1) AS "part"' in text
    assert text.startswith(
        f'SELECT "part", "hash" & {REGISTERS - 1} AS "register", MIN(("hash" >> 12) & {2**52 - 1}) AS "least" FROM '
    )
    assert text.endswith(f'GROUP BY "part", "hash" & {REGISTERS - 1}')


@pytest.mark.parametrize("number", [0, 1, 50, 3000, 12_000, 60_000])
def test_estimates_from_registers_lie_within_the_error_that_is_told(number: int) -> None:
    """Hashes are random numbers of 64 bits: the low ones choose the register, the others are what it sees."""
    draw = random.Random(3)
    least: dict[int, int] = {}
    for _ in range(number):
        word, register = divmod(draw.getrandbits(64), REGISTERS)
        least[register] = min(least.get(register, word), word)
    rows = [(0, register, word) for register, word in least.items()] + [("1", "5", "7")]

    first, second, without_rows = read_estimates(rows, 3, POSTGRES)

    assert abs(first - number) <= sketch_error(POSTGRES) * number
    assert (second, without_rows) == (1, 0)


def test_a_register_that_saw_a_hash_of_many_leading_zeros_tells_of_many_groups() -> None:
    """Where all registers saw the same rank r, the estimate is alpha times their number times two to the power of r."""
    estimate = estimate_from_registers(dict.fromkeys(range(REGISTERS), 10))

    assert estimate == pytest.approx(0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * 2**10)


@pytest.mark.parametrize(("row", "expected"), [((3, 17), [3, 17]), ((0, None), [0, 0]), (("5", 1), [5, 1])])
def test_a_warehouses_own_estimates_are_read_from_one_row(row: tuple[object, ...], expected: list[int]) -> None:
    assert read_estimates([row], 2, DUCKDB) == expected


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_how_far_an_estimate_may_be_off(dialect: Dialect) -> None:
    """Two standard errors of 4096 registers, or what was measured for DuckDB."""
    expected = 0.0325 if dialect.name == "postgres" else 0.06

    assert sketch_error(dialect) == pytest.approx(expected)
