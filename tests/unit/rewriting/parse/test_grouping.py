"""GROUP BY as sets of keys."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.grouping import grouping_sets


def _sets(sql: str, dialect: str = "postgres") -> tuple[list[str], bool]:
    """Each set as the letters of its keys, and whether there are several levels."""
    group = sqlglot.parse_one(f"SELECT 1 FROM t GROUP BY {sql}", read=dialect).args["group"]
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
        ("ROLLUP (a)", ["a", ""], True),
        ("GROUPING SETS (a, (a))", ["a", "a"], True),
        ("GROUPING SETS (GROUPING SETS (a, b), CUBE (c))", ["a", "b", "c", ""], True),
        ("(a, b), c", ["abc"], False),
        ("()", [""], False),
    ],
)
def test_every_level_of_totals_is_a_set_of_keys_as_sql_defines_it(sql: str, sets: list[str], has_levels: bool) -> None:
    assert _sets(sql) == (sets, has_levels)


@pytest.mark.parametrize(
    ("sql", "levels"),
    [
        ("CUBE (a, b, c, d, e, f, g)", 128),
        ("ROLLUP (a, b, c, d), ROLLUP (e, f, g), CUBE (h, i)", 80),
    ],
)
def test_more_levels_than_queries_should_be_run_are_refused(sql: str, levels: int) -> None:
    with pytest.raises(UnsupportedQueryError, match=f"it has {levels} levels, and 64 are the most") as error:
        _sets(sql)

    assert error.value.remedy == "Name the levels that you need by GROUPING SETS."


def test_as_many_levels_as_are_answered_are_64() -> None:
    sets, _ = _sets("CUBE (a, b, c, d, e, f)")

    assert len(set(sets)) == 64


def test_another_way_of_grouping_is_refused() -> None:
    with pytest.raises(UnsupportedQueryError, match="this way of grouping is not known") as error:
        _sets("a WITH TOTALS", "clickhouse")

    assert "WITH TOTALS" in error.value.clause
