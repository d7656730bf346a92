"""GROUP BY as sets of keys."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.grouping import grouping_sets


def _sets(sql: str) -> tuple[list[str], bool]:
    group = sqlglot.parse_one(f"SELECT 1 FROM t GROUP BY {sql}", read="postgres").args["group"]
    sets, has_levels = grouping_sets(group, "postgres")
    return ["".join(item.unnest().sql() for item in items) for items in sets], has_levels


@pytest.mark.parametrize(
    ("sql", "sets", "has_levels"),
    [
        ("a, b", ["ab"], False),
        ("ROLLUP (a, b)", ["ab", "a", ""], True),
        ("CUBE (a, b)", ["ab", "a", "b", ""], True),
        ("GROUPING SETS ((a), (b, c), ())", ["a", "bc", ""], True),
        ("a, ROLLUP (b)", ["ab", "a"], True),
        ("ROLLUP (a), CUBE (b)", ["ab", "a", "b", ""], True),
        ("ROLLUP ((a, b), c)", ["abc", "ab", ""], True),
        ("GROUPING SETS (a, ROLLUP (b, c))", ["a", "bc", "b", ""], True),
        ("a, b WITH ROLLUP", ["ab", "a", ""], True),
    ],
)
def test_every_level_is_a_set(sql: str, sets: list[str], has_levels: bool) -> None:
    """As SQL defines them."""
    assert _sets(sql) == (sets, has_levels)


def test_too_many_levels_are_refused() -> None:
    """Each would be a query."""
    with pytest.raises(UnsupportedQueryError, match="it has 128 levels"):
        _sets("CUBE (a, b, c, d, e, f, g)")
