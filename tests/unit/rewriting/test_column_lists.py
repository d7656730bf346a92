"""What is known of a query's columns by name and by place, also where columns have no names or the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.column_lists import (
    add_column,
    add_star,
    column_name,
    combine_columns,
    is_complete,
    rename_columns,
)


def _columns(*names: str) -> dict[str, int]:
    """Columns with their places, from 1; a star stands for columns that are not known."""
    columns: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name == "*":
            add_star(columns, exp.Star(), {"unknown": {}}, 0)
        else:
            add_column(columns, name, place)
    return columns


def _renamed(columns: Mapping[str, int], *names: str) -> dict[str, int]:
    """The columns that have names that may be written."""
    alias = exp.TableAlias(this=exp.to_identifier("q"), columns=[exp.to_identifier(name) for name in names])
    return {name: place for name, place in rename_columns(columns, alias).items() if name.isidentifier()}


@pytest.mark.parametrize(
    ("columns", "aliases", "renamed"),
    [
        (("n", "m"), (), {"n": 1, "m": 2}),
        (("n", "m"), ("a", "b"), {"a": 1, "b": 2}),
        (("", ""), ("a", "b"), {"a": 1, "b": 2}),
        (("n", "n"), ("a", "b"), {"a": 1, "b": 2}),
        (("n", "n"), (), {"n": 1}),
        (("n", "m", "k"), ("a",), {"a": 1, "m": 2, "k": 3}),
        (("n", "m"), ("m", "n"), {"m": 1, "n": 2}),
        (("n", "*", "m"), ("a", "b"), {"a": 1}),
        (("n", "*", "m"), ("a",), {"a": 1, "m": 3}),
        (("*", "m"), ("a", "b"), {}),
        ((), ("a",), {}),
    ],
)
def test_an_alias_names_columns_by_their_places(
    columns: tuple[str, ...], aliases: tuple[str, ...], renamed: dict[str, int]
) -> None:
    """Behind a star whose columns are not known no column has a place."""
    assert _renamed(_columns(*columns), *aliases) == renamed


def test_columns_keep_their_names_where_there_is_no_alias() -> None:
    assert rename_columns(_columns("n", "m"), None) == {"n": 1, "m": 2}


@pytest.mark.parametrize(
    ("sql", "columns", "complete"),
    [
        ("SELECT * FROM t, u", {"a": 1, "b": 2, "c": 3}, True),
        ("SELECT u.* FROM t, u", {"b": 3, "c": 3}, True),
        ("SELECT t.* FROM t, u", {"a": 1, "b": 2}, True),
        ("SELECT v.* FROM t, u", {}, True),
        ("SELECT * FROM t JOIN u USING (b)", {"a": 1, "b": 2, "c": 3}, False),
        ("SELECT * FROM t NATURAL JOIN u", {"a": 1, "b": 2, "c": 3}, False),
        ("SELECT t.* FROM t JOIN u USING (b)", {"a": 1, "b": 2}, True),
        ("SELECT * EXCLUDE (b) FROM t, u", {"a": 1, "c": 3}, False),
        ("SELECT * REPLACE (1 AS a) FROM t, u", {"b": 2, "c": 3}, False),
    ],
)
def test_a_star_shows_the_columns_of_its_relations(sql: str, columns: dict[str, int], complete: bool) -> None:
    """`t` has the columns `a` and `b`, `u` has `b` and `c`; of two columns of a name the first is meant."""
    (star,) = sqlglot.parse_one(sql, read="duckdb").expressions
    shown: dict[str, int] = {}

    add_star(shown, star, {"t": {"a": 1, "b": 2}, "u": {"b": 3, "c": 3}}, 0)

    assert {name: place for name, place in shown.items() if name.isidentifier()} == columns
    assert is_complete(shown) is complete


def test_a_star_over_a_star_knows_as_little() -> None:
    shown: dict[str, int] = {}

    add_star(shown, exp.Star(), {"q": _columns("n", "*", "", "m")}, 0)

    assert _renamed(shown, "a", "b") == {"a": 1}
    assert not is_complete(shown)


@pytest.mark.parametrize(
    ("projection", "name"),
    [
        ("a", "a"),
        ("t.a", "a"),
        ("a + 1 AS b", "b"),
        ("CAST(a AS text)", "a"),
        ("a::int::text", "a"),
        ("COUNT(*)", ""),
        ("SUM(a)", ""),
        ("1", ""),
        ("'x'", ""),
        ("DATE '2000-01-01'", ""),
        ("SUM(a) OVER w", ""),
    ],
)
def test_a_column_has_the_name_of_its_alias_or_of_the_column_that_it_shows(projection: str, name: str) -> None:
    (shown,) = sqlglot.parse_one(f"SELECT {projection}", read="postgres").expressions

    assert column_name(shown) == name


@pytest.mark.parametrize(
    ("left", "right", "combined"),
    [
        (("n", "m"), ("x", "y"), {"n": 11, "m": 22}),
        (("n", "m"), ("x",), {"n": 0, "m": 0}),
        (("n", "m"), ("x", "*"), {"n": 0, "m": 0}),
    ],
)
def test_a_union_has_the_names_of_its_first_query_and_what_both_are_in_each_place(
    left: tuple[str, ...], right: tuple[str, ...], combined: dict[str, int]
) -> None:
    """A kind is a number here, and that of both sides is ten times the one and the other."""
    columns = combine_columns(_columns(*left), _columns(*right), lambda kind, other: 10 * kind + other, 0)

    assert columns == combined
