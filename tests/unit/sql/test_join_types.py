"""Which joins a warehouse refuses, told by the types of their columns."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.join_types import JoinColumn, are_incomparable, refused_join


@pytest.mark.parametrize(
    ("dialect", "left", "right", "expected"),
    [
        ("postgres", "integer", "bigint", False),
        ("postgres", "integer", "text", True),
        ("postgres", "text", "integer", True),
        ("postgres", "character varying(20)", "text", False),
        ("postgres", "numeric(9, 2)", "real", False),
        ("postgres", "DATE", "Timestamp Without Time Zone", False),
        ("postgres", "time(3) without time zone", "interval", False),
        ("postgres", "date", "integer", True),
        ("postgres", "integer", "citext", False),
        ("postgres", "integer", "", False),
        ("duckdb", "integer", "boolean", False),
        ("duckdb", "integer", "varchar", False),
        ("duckdb", "integer", "date", True),
        ("duckdb", "decimal(9,2)", "uuid", True),
        ("snowflake", "number", "date", False),
    ],
)
def test_types_that_are_known_not_to_compare(dialect: str, left: str, right: str, expected: bool) -> None:
    """Lengths and case do not count. What was never tried is not known to be refused."""
    assert are_incomparable(left, right, find_dialect(dialect)) is expected


_DUCKDB_VALUES = {
    **dict.fromkeys(
        ("date", "timestamp", "timestamp with time zone", "timestamp_s", "timestamp_ms", "timestamp_ns"), "2020-01-01"
    ),
    **dict.fromkeys(("time", "time with time zone"), "10:00:00"),
    "interval": "1 day",
    "uuid": "00000000-0000-0000-0000-000000000001",
}


def test_duckdb_refuses_what_its_row_says_and_nothing_else() -> None:
    """It refuses when it reads the first row, so there is one."""
    dialect = find_dialect("duckdb")
    kinds = sorted(kind for family in dialect.comparable for kind in family)
    columns = ", ".join(f"CAST('{_DUCKDB_VALUES.get(kind, '1')}' AS {kind}) AS \"{kind}\"" for kind in kinds)
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t AS SELECT {columns}")
    foretold, refused = set(), set()
    for left, right in itertools.combinations(kinds, 2):
        if are_incomparable(left, right, dialect):
            foretold.add((left, right))
        try:
            connection.execute(f'SELECT 1 FROM t AS a JOIN t AS b ON a."{left}" = b."{right}"')
        except (duckdb.BinderException, duckdb.ConversionException):
            refused.add((left, right))

    assert foretold == refused
    assert ("date", "integer") in refused


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("integer", "bigint")], ""),
        ([], ""),
        ([("integer", "text")], "`sales`.`k0` (INTEGER) is joined to `shop`.`k0` (TEXT), {refused}"),
        (
            [("date", "date"), ("integer", "text"), ("uuid", "bytea")],
            "`sales`.`k1` (INTEGER) is joined to `shop`.`k1` (TEXT) and {second}, {refused}",
        ),
    ],
)
def test_a_refused_join_is_explained_with_all_of_its_columns_that_do_not_fit(
    pairs: list[tuple[str, str]], expected: str
) -> None:
    columns = [
        (JoinColumn("sales", f"k{number}", left), JoinColumn("shop", f"k{number}", right))
        for number, (left, right) in enumerate(pairs)
    ]

    assert refused_join(columns, find_dialect("postgres")) == expected.format(
        second="`sales`.`k2` (UUID) is joined to `shop`.`k2` (BYTEA)", refused="which postgres refuses to compare"
    )
