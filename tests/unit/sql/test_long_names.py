"""Short names stand for those that a warehouse would cut off."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.long_names import has_long_names, shorten_names


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT short FROM t WHERE a = b", False),
        ("SELECT eleven_long FROM t", True),
        ('SELECT "with spaces" FROM t', True),
        ('SELECT "a b", "c d" FROM t', False),
        ('SELECT "six""quotes" FROM t', True),
        ("SELECT größen_ü FROM t", True),
        ("SELECT grössen_u FROM t", False),
        ("t", False),
    ],
    ids=["short", "long", "quoted", "two short", "doubled quote", "bytes", "nine letters and a byte", "short text"],
)
def test_a_text_has_a_name_of_more_than_ten_bytes(sql: str, expected: bool) -> None:
    assert has_long_names(sql, 10) is expected


def _shorten(sql: str, longest: int) -> tuple[str, dict[str, str]]:
    tree = sqlglot.parse_one(sql, read="postgres")
    names = shorten_names(tree, longest)
    return tree.sql("postgres"), names


def test_a_long_name_is_shortened_in_all_its_places() -> None:
    sql = 'SELECT x."quantity of the month" FROM (SELECT 1 AS "quantity of the month") AS x'

    text, names = _shorten(sql, 20)

    ((short, long),) = names.items()
    assert long == "quantity of the month"
    assert short.startswith("quantity of")
    assert text == sql.replace(long, short)


def test_names_that_begin_alike_stay_apart_within_the_limit() -> None:
    starts = ("x" * 80, "语" * 40)
    sql = ", ".join(f'1 AS "{start}{number}"' for start in starts for number in range(3))

    text, names = _shorten(f"SELECT {sql}", 63)

    assert len(names) == 6
    assert all(len(name.encode()) <= 63 for name in names)
    assert sorted(names.values()) == sorted(f"{start}{number}" for start in starts for number in range(3))
    shown = sqlglot.parse_one(text, read="postgres").find_all(exp.Alias)
    assert {alias.alias for alias in shown} == names.keys()


def test_the_short_name_of_a_name_is_always_the_same() -> None:
    assert _shorten(f'SELECT 1 AS "{"x" * 99}"', 63)[1] == _shorten(f'SELECT "{"x" * 99}" FROM t', 63)[1]


def test_short_names_are_left_alone() -> None:
    assert _shorten("SELECT a AS b FROM c", 10) == ("SELECT a AS b FROM c", {})
