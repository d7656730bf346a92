"""An aggregate made from another aggregate's table has the rows and types of one made from the facts."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.lattice import Derivation, derivation
from airflow_atscale_aggs.engine.sql.derivations import (
    InstanceRows,
    combine_segments,
    select_from_instance,
    unite_segments,
    where,
)
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import parse_text, render, table
from tests.support.stars.small_star import CITY, SHOP, SmallStar, attribute, described_sources, join, measures, part

DAY = join("unique_key", "sales", "d", "day", "d")
WEEK = attribute("week", "day", "week", "week", DAY, determines="year")
YEAR = attribute("year", "day", "year", "year", DAY)
SHOP_LEVEL = attribute("shop", "shop", "shop_id", "shop_id", SHOP, determines="city")

ROLLING = measures("sum count minimum maximum centered_squares")


def test_every_measure_of_coarser_groups_is_that_of_the_facts(star: SmallStar) -> None:
    """The values of N are 1, 2, NULL and 9, with a mean of 4: squared distances of 9, 4 and 25."""
    star.add("sales", "shop_id amount", "1, 1", "1, 2", "2, NULL", "2, 9", "3, NULL", "4, 5", "NULL, 7", "99, 7")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, 'S'", "4, NULL")
    child = part(CITY, measures=ROLLING)

    rows = star.derived(child, part(SHOP_LEVEL, measures=ROLLING))

    # City and matched flag, then squares, count, rows, greatest, least and sum.
    assert stored_columns(child).names[2:] == (
        *("squares_amount", "count_amount", "row_count", "max_amount", "min_amount", "sum_amount"),
    )
    assert rows == [
        ("N", 1, 38.0, 3, 4, 9, 1, 12),
        ("S", 1, None, 0, 1, None, None, None),
        (None, 0, 0.0, 2, 2, 7, 7, 14),
        (None, 1, 0.0, 1, 1, 5, 5, 5),
    ]
    assert rows == star.from_facts(child)


def test_the_total_derives_to_one_row_even_from_an_empty_parent(star: SmallStar) -> None:
    star.add("sales", "shop_id amount")
    star.add("shop", "shop_id city:varchar")

    assert star.derived(part(), part(CITY)) == [(0, None)]


def test_the_same_grain_takes_the_columns_as_they_are(star: SmallStar) -> None:
    """Also distinct counts, which could not be combined."""
    star.add("sales", "shop_id amount", "1, 1", "1, 1", "2, 5", "2, NULL")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'")
    child = part(CITY, measures=measures("count_distinct"))

    assert star.derived(child, part(CITY, measures=measures("count_distinct sum"))) == [("N", 1, 2, 4)]
    assert star.derived(part(measures=measures("count_distinct")), child) is None


def test_met_with_nulls_and_not_met_are_not_merged_by_a_derivation(star: SmallStar) -> None:
    """Month 1's days lead to a season without a group, and to no season: one derived row would be wrong."""
    star.add("sales", "d amount", "1, 1", "2, 2")
    star.add("day", "d month season", "1, 1, 5", "2, 1, NULL")
    star.add("season", "season grp:varchar", "5, NULL")
    season = join("unique_key", "day", "season", "season", "season")
    month = attribute("month", "day", "month", "month", DAY, determines="grp")
    group = attribute("grp", "season", "grp", "grp", DAY, season)

    assert star.from_facts(part(group)) == [(None, 0, 1, 2), (None, 1, 1, 1)]
    assert star.derived(part(group), part(month)) is None


def test_a_hierarchy_is_used_only_where_the_data_is_functional(star: SmallStar) -> None:
    """A week that lies in two years cannot tell its year."""
    star.add("sales", "d amount", "1, 1", "2, 2", "3, 4")
    star.add("day", "d week year", "1, 1, 2000", "2, 1, 2000", "3, 2, 2001")
    assert star.derived(part(YEAR), part(WEEK)) == star.from_facts(part(YEAR))

    star.run("INSERT INTO day VALUES (4, 2, 2000)")

    assert star.derived(part(YEAR), part(WEEK)) is None


def test_a_stored_key_that_may_be_null_determines_nothing(star: SmallStar) -> None:
    star.add("sales", "d amount", "1, 1", "2, 2")
    star.add("day", "d week year", "1, 1, 2000", "2, NULL, 2000")

    assert star.derived(part(YEAR), part(WEEK)) is None


def test_what_lies_behind_a_stored_key_that_repeats_is_joined_once_per_key(star: SmallStar) -> None:
    """Each week has two days; both lead to one season, or to none. Sales of day 9 meet no day."""
    star.add("sales", "d amount", "1, 1", "2, 2", "3, 4", "4, 8", "9, 16")
    star.add("day", "d week season", "1, 1, 7", "2, 1, 7", "3, 2, NULL", "4, 2, NULL")
    star.add("season", "season name:varchar", "7, 'warm'")
    season = join("unique_key", "day", "season", "season", "season")
    week = attribute("week", "day", "week", "week", DAY, determines="name")
    child = part(attribute("name", "season", "name", "name", DAY, season))

    rows = star.derived(child, part(week))

    assert rows == [("warm", 1, 2, 3), (None, 0, 3, 28)]
    assert rows == star.from_facts(child)


def test_squares_of_large_values_do_not_cancel(star: SmallStar) -> None:
    """Sums of squares around 1e9 would lose everything; the exact answer is 2 per group of three."""
    star.add("sales", "shop_id amount:double", *(f"{n % 2}, {10**9 + n // 2}" for n in range(6)))
    star.add("shop", "shop_id city:varchar", "0, 'N'", "1, 'S'")
    shop = attribute("shop", "shop", "shop_id", "city", SHOP)

    fine = star.from_facts(part(shop, measures=ROLLING))
    total = star.derived(part(measures=ROLLING), part(shop, measures=ROLLING))

    assert [row[3] for row in fine] == pytest.approx([2.0, 2.0])
    assert total is not None
    assert total[0][0] == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["smallint", "integer", "bigint", "decimal(9,2)", "double"])
def test_a_derived_table_has_the_types_of_one_made_from_facts(star: SmallStar, kind: str) -> None:
    star.add("sales", f"shop_id amount:{kind}", "1, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'")
    child, parent = part(CITY, measures=ROLLING), part(SHOP_LEVEL, measures=ROLLING)

    derived = star.select_derived(child, parent)

    assert derived is not None
    assert star.rows(derived) == star.from_facts(child)
    from_facts = select_from_fact(child, star.sources(), star.constraints(child, parent))
    assert star.types(derived) == star.types(from_facts)


@pytest.mark.parametrize(
    ("dialect", "kind", "expected"),
    [
        ("postgres", "integer", 'CAST(SUM("parent"."sum_amount") AS BIGINT) AS "sum_amount"'),
        ("postgres", "bigint", 'SUM("parent"."sum_amount") AS "sum_amount"'),
        ("duckdb", "integer", 'SUM("parent"."sum_amount") AS "sum_amount"'),
        ("databricks", "bigint", "SUM(`parent`.`sum_amount`) AS `sum_amount`"),
        ("spark", "bigint", "CAST(SUM(CAST(`parent`.`sum_amount` AS DECIMAL(38, 0))) AS BIGINT) AS `sum_amount`"),
        ("spark", "decimal(9,2)", "CAST(SUM(`parent`.`sum_amount`) AS DECIMAL(19, 2)) AS `sum_amount`"),
        ("databricks", "decimal(30,4)", "CAST(SUM(`parent`.`sum_amount`) AS DECIMAL(38, 4)) AS `sum_amount`"),
    ],
)
def test_sums_of_sums_are_cast_back_where_they_would_widen(dialect: str, kind: str, expected: str) -> None:
    """PostgreSQL's SUM of INTEGER is BIGINT, and of BIGINT it is NUMERIC; Spark's of DECIMAL(9, 2) has ten digits more.

    Sums that may leave their range are added up in decimals.
    """
    said = _total_from_color(dialect, kind, "sum")

    assert said.replace("`", '"').endswith(f', {expected} FROM "p" AS "parent"'.replace("`", '"'))


@pytest.mark.parametrize(("dialect", "is_guarded"), [("postgres", True), ("duckdb", False)])
def test_distances_too_small_to_be_squared_are_guarded_where_underflow_is_an_error(
    dialect: str, is_guarded: bool
) -> None:
    text = _total_from_color(dialect, "double", "sum count centered_squares")

    assert ("< 1e-150 THEN 0 ELSE" in text) is is_guarded


def _total_from_color(dialect: str, kind: str, functions: str) -> str:
    """The SQL of the total from an aggregate by color."""
    sources = described_sources(dialect, sales=f"amount {kind}, color varchar")
    child = part(measures=measures(functions))
    parent = part(attribute("color", "sales", "color", "color"), measures=measures(functions))
    way = derivation(child, parent, frozenset())
    assert way is not None
    return render(select_from_instance(child, parent, way, table("p"), sources, ProvenConstraints()), sources.dialect)


@pytest.mark.parametrize("name", [name for name, row in DIALECTS.items() if row.distinct_sketch])
def test_a_sketch_is_merged_where_the_dialect_has_one(name: str) -> None:
    functions = find_dialect(name).distinct_sketch

    assert functions is not None
    assert f"{functions.merge}(" in _total_from_color(name, "integer", "distinct_sketch")


@pytest.mark.parametrize("name", [name for name, row in DIALECTS.items() if row.percentile_sketch])
def test_a_sketch_of_percentiles_is_merged_where_the_dialect_has_one(name: str) -> None:
    functions = find_dialect(name).percentile_sketch

    assert functions is not None
    assert f"{functions.merge}(" in _total_from_color(name, "integer", "percentile_sketch")


@pytest.mark.parametrize("function", ["count_distinct", "sum_distinct"])
def test_what_does_not_roll_up_is_never_combined(function: str) -> None:
    """The lattice offers no such derivation; a caller that makes one up is stopped."""
    color = attribute("color", "sales", "color", "color")
    sources = described_sources("duckdb", sales="amount integer, color varchar")
    child, parent = part(measures=measures(function)), part(color, measures=measures(function))

    with pytest.raises(AssertionError, match=rf"{function}\(sales.amount\) does not roll up"):
        select_from_instance(
            child, parent, Derivation((), is_same_grain=False), table("p"), sources, ProvenConstraints()
        )


def test_segments_of_a_fact_combine_to_what_one_table_would_hold(star: SmallStar) -> None:
    """A group of both segments is in the union twice, also where its rows are alike, and in the combined rows once."""
    star.add("sales", "d shop_id amount", "1, 1, 1", "1, 1, 2", "2, 1, 9", "1, 2, 5", "2, 2, 5", "2, 9, NULL")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'")
    whole = part(CITY, measures=ROLLING)
    sources, constraints = star.sources(), star.constraints(whole)
    segments = [
        star.create(f"s{number}", select_from_fact(whole, sources, constraints, [_segment(number)]))
        for number in (1, 2)
    ]

    assert len(star.rows(unite_segments(whole, segments))) == 5
    # The values of N are 1, 2 and 9.
    assert star.rows(combine_segments(whole, segments, sources)) == [
        ("N", 1, 38.0, 3, 3, 9, 1, 12),
        ("S", 1, 0.0, 2, 2, 5, 5, 10),
        (None, 0, None, 0, 1, None, None, None),
    ]


def _segment(number: int) -> RowRange:
    """The rows of one day."""
    return RowRange(column="d", kind=IndicatorKind.INTEGER, after=number - 1, through=number)


def test_only_the_rows_that_meet_a_condition_are_rolled_up(star: SmallStar) -> None:
    """A count of no rows is 0; a sum of no rows is NULL."""
    star.add("sales", "shop_id amount", "1, 1", "1, 2", "2, 5")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'")
    stored = part(CITY)
    star.create_aggregate("agg", stored)
    rows = InstanceRows(part(), stored_columns(stored), star.sources(), ProvenConstraints())
    rows.begin_with(Derivation((), is_same_grain=False), table("agg"))
    (north,), (nobody,) = (parse_text(f"city = '{city}'", "duckdb") for city in ("N", "X"))

    for condition in (north, nobody):
        for measure in part().measures:
            rows.select.select(rows.roll_up(measure, condition), copy=False)

    assert star.rows(rows.select) == [(2, 3, 0, None)]


def test_a_value_that_must_meet_a_condition_is_null_in_other_rows() -> None:
    value, condition = column_of("x"), column_of("is_open")

    assert render(where(value, condition), find_dialect("duckdb")) == 'CASE WHEN "is_open" THEN "x" END'
    assert where(value, None) is value


def test_a_stored_key_that_is_proven_unique_is_joined_to_its_dataset_itself(star: SmallStar) -> None:
    """No row per key must be made first, and the joins tell which rows have a member."""
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "9, 8")
    star.add("shop", "shop_id city:varchar region_id", "1, 'N', 7", "2, NULL, 8", "3, 'S', 99")
    star.add("region", "id name:varchar", "7, 'west'", "8, NULL")
    region = attribute("region", "region", "id", "name", SHOP, join("unique_key", "shop", "region_id", "region", "id"))
    shop = attribute("shop", "shop", "shop_id", "shop_id", SHOP, determines="city region")
    child, parent = part(CITY, region), part(shop)
    way = star.way(child, parent)
    assert way is not None
    parent_table = star.create_aggregate("p", parent)
    rows = InstanceRows(child, stored_columns(parent), star.sources(), star.constraints(child, parent))

    rows.begin_with(way, parent_table)

    join_of_members = rows.join_of_members(CITY.steps)
    assert join_of_members is not None
    assert join_of_members.side == "LEFT"
    assert rows.join_of_members(region.steps) is None
    assert "GROUP BY" not in render(rows.select, find_dialect("duckdb"))
    values = [rows.value(shop, "shop_id"), rows.value(CITY, "city"), rows.value(region, "name")]
    tests = [rows.is_there(CITY.steps), rows.is_there(region.steps), rows.flag(region.steps)]
    rows.select.select(*values, *tests, copy=False)
    assert star.rows(rows.select) == [
        (1, "N", "west", True, True, 1),
        (2, None, None, True, True, 1),
        (3, "S", None, True, False, 0),
        (None, None, None, False, False, 0),
    ]
    assert star.derived(child, parent) == star.from_facts(child)
