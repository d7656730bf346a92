"""The queries that compare an aggregate's table with its facts: what they find, and what they find right."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.aggregates.verification import (
    ROUNDOFF,
    TABLE_ROWS,
    TotalsQuery,
    Verification,
    differences,
    group_differences,
    scale_of,
    totals_of,
)
from airflow_atscale_aggs.engine.sql.comparison_queries import SAMPLED_GROUPS, VerificationComposer
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.statements import table
from tests.support.stars.small_star import CITY, SmallStar, attribute, described_sources, join, measures, part

_ROWS = str(row_count("sales"))
_AGG = table("agg")
_BY_CITY = part(CITY, measures=measures("sum count minimum maximum"))


@pytest.fixture
def sales(star: SmallStar) -> SmallStar:
    """Sales of two cities, of a shop without a city, and of no shop."""
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "4, NULL", "NULL, 8")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, 'S'", "4, NULL")
    star.create_aggregate("agg", _BY_CITY)
    return star


def _totals(star: SmallStar, query: TotalsQuery) -> dict[str, object]:
    (row,) = star.rows(query.sql)
    return dict(zip(query.names, row, strict=True))


def _verification(star: SmallStar, aggregate: FactPart) -> Verification:
    composer = VerificationComposer([aggregate], star.sources(), star.constraints(aggregate))
    return composer.verification(aggregate, _AGG)


def _different_totals(star: SmallStar, aggregate: FactPart) -> list[str]:
    verification = _verification(star, aggregate)
    facts, stored = (totals_of(query, star.rows(query.sql)[0]) for query in (verification.facts, verification.table))
    return [str(difference) for difference in differences(verification, facts, stored)]


def _different_groups(star: SmallStar, aggregate: FactPart, *, is_sample: bool = False) -> list[str]:
    """The differences by group, as messages show them."""
    composer = VerificationComposer([aggregate], star.sources(), star.constraints(aggregate))
    query = composer.groups_query(aggregate, _AGG, is_sample=is_sample)
    return [str(difference) for difference in group_differences(query, star.rows(query.sql), _ROWS)]


def test_totals_of_the_table_are_those_of_the_facts(sales: SmallStar) -> None:
    """Least and greatest values are texts; the number of groups is told of the table only."""
    verification = _verification(sales, _BY_CITY)

    of_facts = _totals(sales, verification.facts)

    assert of_facts == {
        _ROWS: 5,
        "count(sales.amount)": 4,
        "maximum(sales.amount)": "8",
        "minimum(sales.amount)": "1",
        "sum(sales.amount)": 15,
    }
    assert _totals(sales, verification.table) == of_facts | {TABLE_ROWS: 4}
    assert (verification.fact, verification.rows, verification.roundoff) == ("sales", _ROWS, {})


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("SELECT 1", []),
        ("UPDATE agg SET sum_amount = 9 WHERE city = 'N'", ["`sum(sales.amount)` should be 15 but is 21"]),
        ("UPDATE agg SET max_amount = 7 WHERE max_amount = 8", ["`maximum(sales.amount)` should be 8 but is 7"]),
        (
            "DELETE FROM agg WHERE city = 'S'",
            [
                f"`{_ROWS}` should be 5 but is 4",
                "`count(sales.amount)` should be 4 but is 3",
                "`sum(sales.amount)` should be 15 but is 11",
            ],
        ),
        ("DELETE FROM agg", [f"`{_ROWS}` should be 5 but is 0, the table is empty"]),
        # What is moved from group to group is not seen in a total.
        ("UPDATE agg SET sum_amount = sum_amount + CASE city WHEN 'N' THEN 1 ELSE -1 END WHERE city IS NOT NULL", []),
    ],
)
def test_which_damage_totals_show(sales: SmallStar, damage: str, expected: list[str]) -> None:
    sales.run(damage)

    assert sorted(_different_totals(sales, _BY_CITY)) == sorted(expected)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("SELECT 1", []),
        (
            "UPDATE agg SET sum_amount = sum_amount + 1 WHERE city = 'N'",
            ["`sum(sales.amount)` of group (city = N, shop_matched = 1) should be 3 but is 4"],
        ),
        (
            "UPDATE agg SET sum_amount = NULL WHERE city = 'S'",
            ["`sum(sales.amount)` of group (city = S, shop_matched = 1) should be 4 but is NULL"],
        ),
        (
            "UPDATE agg SET min_amount = 0 WHERE city IS NULL AND shop_matched = 1",
            ["`minimum(sales.amount)` of group (city = NULL, shop_matched = 1) should be NULL but is 0"],
        ),
        (
            "DELETE FROM agg WHERE shop_matched = 0",
            [f"`{_ROWS}` of group (city = NULL, shop_matched = 0) should be 1 but is not there"],
        ),
        (
            "UPDATE agg SET city = 'X' WHERE city = 'S'",
            [
                f"`{_ROWS}` of group (city = S, shop_matched = 1) should be 1 but is not there",
                f"`{_ROWS}` of group (city = X, shop_matched = 1) should be not there but is 1",
            ],
        ),
        (
            "INSERT INTO agg SELECT * FROM agg WHERE city = 'S'",
            ["`rows of the group` of group (city = S, shop_matched = 1) should be 1 but is 2"],
        ),
    ],
)
@pytest.mark.parametrize("is_sample", [False, True], ids=["every group", "a sample"])
def test_which_damage_the_comparison_by_group_shows(
    sales: SmallStar, damage: str, expected: list[str], is_sample: bool
) -> None:
    """Of a table of few groups, a sample is all groups; but what is not in it any more is not looked for."""
    sales.run(damage)

    different = _different_groups(sales, _BY_CITY, is_sample=is_sample)

    if is_sample:
        expected = [text for text in expected if "city = S, shop_matched = 1) should be 1 but is not" not in text]
    assert sorted(different) == sorted(expected)


def test_at_most_five_differences_are_told(star: SmallStar) -> None:
    by_kind = part(attribute("kind", "sales", "kind", "kind"))
    star.add("sales", "kind amount", *(f"{number}, 1" for number in range(9)))
    star.create_aggregate("agg", by_kind)
    star.run("UPDATE agg SET sum_amount = 2")

    assert len(_different_groups(star, by_kind)) == 5


def test_a_sample_is_about_a_hundred_groups_of_a_table_of_many(star: SmallStar) -> None:
    """Of 350 groups, every fourth one: damage of the others is not seen."""
    by_kind = part(attribute("kind", "sales", "kind", "kind"))
    star.add("sales", "kind amount", *(f"{number}, 1" for number in range(1, 351)))
    star.create_aggregate("agg", by_kind)
    assert SAMPLED_GROUPS == 100

    star.run("UPDATE agg SET sum_amount = 2 WHERE kind % 4 <> 0")
    assert _different_groups(star, by_kind, is_sample=True) == []
    assert len(_different_groups(star, by_kind)) == 5

    star.run("UPDATE agg SET sum_amount = 2 WHERE kind = 8")
    assert _different_groups(star, by_kind, is_sample=True) == [
        "`sum(sales.amount)` of group (kind = 8) should be 1 but is 2"
    ]


def test_the_total_of_no_rows_agrees_with_its_table(star: SmallStar) -> None:
    total = part(measures=measures("sum count minimum"))
    star.add("sales", "amount")
    star.create_aggregate("agg", total)

    assert _different_totals(star, total) == []
    for is_sample in (False, True):
        assert _different_groups(star, total, is_sample=is_sample) == []

    star.run("UPDATE agg SET sum_amount = 0")
    assert _different_groups(star, total) == ["`sum(sales.amount)` of group (all rows) should be NULL but is 0"]


def test_floating_sums_agree_to_a_share_of_the_sum_of_absolute_values(star: SmallStar) -> None:
    """The sum is 1, the sum of absolute values 2e9 + 1: what cancels is what the error is measured by."""
    floats = part(measures=measures("sum centered_squares count"))
    star.add("sales", "amount:double", "1e9", "-1e9", "1")
    star.create_aggregate("agg", floats)
    verification = _verification(star, floats)

    assert verification.roundoff == {"sum(sales.amount)": ROUNDOFF}
    assert _totals(star, verification.facts)[scale_of("sum(sales.amount)")] == 2e9 + 1

    star.run("UPDATE agg SET sum_amount = sum_amount + 1, squares_amount = squares_amount * (1 + 1e-10)")
    assert _different_totals(star, floats) == []
    assert _different_groups(star, floats) == []

    star.run("UPDATE agg SET sum_amount = sum_amount + 10, squares_amount = squares_amount * 1.01")
    assert _different_totals(star, floats) == ["`sum(sales.amount)` should be 1.0 but is 12.0"]
    assert [text.partition(" should")[0] for text in _different_groups(star, floats)] == [
        "`centered_squares(sales.amount)` of group (all rows)",
        "`sum(sales.amount)` of group (all rows)",
    ]


@pytest.mark.parametrize("special", ["nan", "inf"])
def test_what_is_no_finite_number_agrees_with_itself_only(star: SmallStar, special: str) -> None:
    total = part(measures=measures("sum maximum"))
    star.add("sales", "amount:double", f"'{special}'", "1")
    star.create_aggregate("agg", total)

    assert (_different_totals(star, total), _different_groups(star, total)) == ([], [])

    star.run("UPDATE agg SET max_amount = 1")
    assert [text.partition(" of group")[0] for text in _different_groups(star, total)] == ["`maximum(sales.amount)`"]


@pytest.mark.parametrize(
    ("dialect", "kind", "has_roundoff"),
    [
        ("duckdb", "integer", False),
        ("duckdb", "decimal(9,2)", False),
        ("duckdb", "hugeint", False),
        ("duckdb", "double", True),
        ("postgres", "interval", True),
        ("postgres", "numeric", False),
        ("postgres", "real", True),
        ("duckdb", "", True),
    ],
)
def test_sums_are_exact_where_the_warehouse_says_so_by_the_type(dialect: str, kind: str, has_roundoff: bool) -> None:
    sources = described_sources(dialect, sales=f"amount {kind}")

    verification = VerificationComposer([part()], sources, ProvenConstraints()).verification(part(), _AGG)

    assert ("sum(sales.amount)" in verification.roundoff) is has_roundoff


def test_narrow_floating_numbers_are_added_up_in_double_precision_on_both_sides() -> None:
    sources = described_sources("postgres", sales="amount real")

    verification = VerificationComposer([part()], sources, ProvenConstraints()).verification(part(), _AGG)

    assert 'SUM(CAST("sales"."amount" AS DOUBLE PRECISION))' in verification.facts.sql
    assert 'SUM(CAST("stored"."sum_amount" AS DOUBLE PRECISION))' in verification.table.sql


def test_facts_are_totalled_without_joins_so_that_a_join_that_loses_rows_shows(sales: SmallStar) -> None:
    verification = _verification(sales, _BY_CITY)

    assert "JOIN" not in verification.facts.sql


def test_one_scan_of_a_fact_serves_all_of_its_aggregates(sales: SmallStar) -> None:
    total = part(measures=measures("sum distinct_sketch count_distinct", "shop_id"))
    composer = VerificationComposer([_BY_CITY, total], sales.sources(), sales.constraints(_BY_CITY))

    of_cities, of_total = (composer.verification(aggregate, _AGG) for aggregate in (_BY_CITY, total))

    assert of_cities.facts == of_total.facts
    assert {"sum(sales.amount)", "sum(sales.shop_id)"} <= set(of_cities.facts.names)
    assert "count_distinct(sales.shop_id)" not in of_cities.facts.names
    assert of_total.table.names == (TABLE_ROWS, _ROWS, "sum(sales.shop_id)")


def test_a_fact_row_counts_once_per_member_where_an_attribute_has_many(star: SmallStar) -> None:
    """So the bridge is joined, and aggregates with and without it are totalled apart."""
    star.add("sales", "why amount", "1, 10", "2, 1", "NULL, 100")
    star.add("bridge", "why reason:varchar", "1, 'a'", "1, 'b'", "2, 'a'")
    reason = attribute("reason", "bridge", "reason", "reason", join("bridge", "sales", "why", "bridge", "why"))
    by_reason, total = part(reason), part()
    composer = VerificationComposer([by_reason, total], star.sources(), star.constraints(by_reason))
    star.create_aggregate("agg", by_reason)

    verification = composer.verification(by_reason, _AGG)

    assert _totals(star, verification.facts) == {_ROWS: 4, "sum(sales.amount)": 121}
    assert _totals(star, composer.verification(total, _AGG).facts) == {_ROWS: 3, "sum(sales.amount)": 111}
    assert _different_totals(star, by_reason) == []
    assert _different_groups(star, by_reason) == []


def test_a_segment_is_compared_with_the_fact_rows_of_its_range(star: SmallStar) -> None:
    by_kind = part(attribute("kind", "sales", "kind", "kind"))
    star.add("sales", "kind amount", "1, 1", "2, 2", "3, 4", "4, 8", "NULL, 16")
    rows = RowRange(column="kind", kind=IndicatorKind.INTEGER, after=1, through=3)
    sources, constraints = star.sources(), ProvenConstraints()
    star.create("agg", select_from_fact(by_kind, sources, constraints, (rows,)))
    composer = VerificationComposer([by_kind], sources, constraints)

    verification = composer.verification(by_kind, _AGG, only=(rows,))
    groups = composer.groups_query(by_kind, _AGG, is_sample=False, only=(rows,))

    assert _totals(star, verification.facts) == {_ROWS: 2, "sum(sales.amount)": 6}
    assert _totals(star, verification.table) == {TABLE_ROWS: 2, _ROWS: 2, "sum(sales.amount)": 6}
    assert star.rows(groups.sql) == []


def test_a_merged_table_is_compared_with_those_that_were_merged(star: SmallStar) -> None:
    by_kind = part(attribute("kind", "sales", "kind", "kind"))
    star.add("sales", "kind amount", "1, 1")
    star.run(
        "CREATE TABLE merged AS SELECT 1 AS kind, 3 AS row_count, 7 AS sum_amount",
        "CREATE TABLE agg AS SELECT 1 AS kind, 3 AS row_count, 9 AS sum_amount",
    )
    composer = VerificationComposer([by_kind], star.sources(), ProvenConstraints())

    verification = composer.merging(by_kind, _AGG, table("merged"))

    assert _totals(star, verification.facts) == {TABLE_ROWS: 1, _ROWS: 3, "sum(sales.amount)": 7}
    assert _totals(star, verification.table) == {TABLE_ROWS: 1, _ROWS: 3, "sum(sales.amount)": 9}


def test_exact_distinct_counts_are_compared_by_group_and_sketches_not_at_all() -> None:
    sources = described_sources("snowflake", sales="kind integer, amount integer")
    by_kind = part(
        attribute("kind", "sales", "kind", "kind"), measures=measures("count_distinct sum_distinct distinct_sketch")
    )

    query = VerificationComposer([by_kind], sources, ProvenConstraints()).groups_query(by_kind, _AGG, is_sample=False)

    assert query.keys == ("kind",)
    assert query.measures == ("count_distinct(sales.amount)", _ROWS, "sum_distinct(sales.amount)")
    assert not query.is_sample
