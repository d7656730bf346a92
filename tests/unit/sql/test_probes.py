"""Claims about data: which of them plans rely on, and which of them the data proves."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.probes import (
    Claim,
    UniqueKey,
    find_wanted_dependencies,
    implied_dependencies,
    keys_to_prove,
    proof_statement,
    with_proofs,
)
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import CITY, SmallStar, attribute, described_sources, join, part

DAY = join("unique_key", "sales", "d", "day", "d")
SEASON = join("unique_key", "day", "season", "season", "season")
WEEK = attribute("week", "day", "week", "week", DAY, determines="year grp")
YEAR = attribute("year", "day", "year", "year", DAY)
GROUP = attribute("grp", "season", "grp", "grp", DAY, SEASON)
BRIDGE = join("bridge", "sales", "why", "bridge", "why")
REASON = join("unique_key", "bridge", "reason", "reason", "reason")
KIND = attribute("kind", "reason", "kind", "kind", BRIDGE, REASON, determines="year")

_DAY_KEY, _SEASON_KEY = ("day", ("d",)), ("season", ("season",))
_WEEK_TO_YEAR = Dependency("day", ("week",), (), ("year",), is_join_key=False)
_WEEK_TO_GROUP = Dependency("day", ("week",), (SEASON,), ("grp",), is_join_key=False)


def test_the_keys_that_joins_rely_on_are_to_be_proven_each_once() -> None:
    """A bridge relies on none."""
    assert keys_to_prove([part(WEEK, GROUP), part(YEAR, KIND)]) == (
        UniqueKey("day", ("d",)),
        UniqueKey("reason", ("reason",)),
        UniqueKey("season", ("season",)),
    )


def test_one_row_per_key_is_wanted_where_keys_are_not_unique() -> None:
    """Each claims that the key determines the columns that are used of its dataset, those of further joins included."""
    unproven = find_wanted_dependencies([part(YEAR, GROUP)], ProvenConstraints())
    proven = find_wanted_dependencies([part(YEAR, GROUP)], ProvenConstraints(unique_keys=frozenset({_DAY_KEY})))

    season = Dependency("season", ("season",), (), ("grp",), is_join_key=True)
    assert unproven == {Dependency("day", ("d",), (), ("season", "year"), is_join_key=True), season}
    assert proven == {season}


def test_hierarchies_between_aggregates_of_one_fact_are_wanted() -> None:
    """Nothing is wanted of many-to-many attributes, nor where the model claims nothing."""
    unique = ProvenConstraints(unique_keys=frozenset({_DAY_KEY, _SEASON_KEY, ("reason", ("reason",))}))

    assert find_wanted_dependencies([part(WEEK), part(YEAR, KIND), part(GROUP)], unique) == {
        _WEEK_TO_YEAR,
        _WEEK_TO_GROUP,
    }
    assert find_wanted_dependencies([part(YEAR), part(GROUP)], unique) == frozenset()


@pytest.mark.parametrize(
    ("claim", "unique_keys", "expected"),
    [
        (Dependency("day", ("d",), (), ("year",), is_join_key=True), {_DAY_KEY}, True),
        (Dependency("day", ("d",), (SEASON,), ("grp",), is_join_key=True), {_DAY_KEY, _SEASON_KEY}, True),
        (Dependency("day", ("d",), (SEASON,), ("grp",), is_join_key=True), {_DAY_KEY}, False),
        (Dependency("day", ("d",), (), ("year",), is_join_key=True), set(), False),
        (_WEEK_TO_YEAR, {("day", ("week",))}, False),
    ],
    ids=["own row", "joined row", "joined rows", "not unique", "a key that may be NULL"],
)
def test_a_unique_key_that_facts_join_on_determines_its_row(
    claim: Dependency, unique_keys: set[tuple[str, tuple[str, ...]]], expected: bool
) -> None:
    implied = implied_dependencies([claim], ProvenConstraints(unique_keys=frozenset(unique_keys)))

    assert implied == (frozenset({claim}) if expected else frozenset())


def _is_proven(star: SmallStar, claim: Claim) -> bool:
    """Whether the data proves a claim, which may rely on keys that are asked about first."""
    keys = keys_to_prove([part(GROUP)]) if claim == _WEEK_TO_GROUP else ()
    constraints = ProvenConstraints()
    for claims in (keys, [claim]):
        claims_in_query, statement = proof_statement(claims, star.sources(), constraints)
        rows = star.rows(statement) if statement is not None else []
        constraints = with_proofs(constraints, claims_in_query, rows)
    is_key = isinstance(claim, UniqueKey)
    return (claim.dataset, claim.columns) in constraints.unique_keys if is_key else claim in constraints.functional


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), True),
        (("1, 1", "1, 2", "2, 1"), True),
        (("1, 1", "1, 1"), False),
        (("1, NULL", "1, NULL", "NULL, NULL", "NULL, NULL"), True),
    ],
    ids=["no rows", "different", "twice", "NULL keys"],
)
def test_a_key_is_unique_where_no_value_of_it_repeats(star: SmallStar, rows: tuple[str, ...], expected: bool) -> None:
    """A NULL in it never joins, so such keys may repeat."""
    star.add("dim", "a b", *rows)

    assert _is_proven(star, UniqueKey("dim", ("a", "b"))) is expected


@pytest.mark.parametrize(
    ("rows", "of_a_join_key", "of_another_key"),
    [
        ((), True, True),
        (("1, 2000, 0", "1, 2000, 1", "2, 2000, 0"), True, True),
        (("1, NULL, 0", "1, NULL, 1"), True, True),
        (("1, 2000, 0", "1, 2001, 0"), False, False),
        (("1, 2000, 0", "1, NULL, 0"), False, False),
        (("1, 2000, 0", "NULL, 2000, 0"), True, False),
        (("NULL, 2000, 0", "NULL, 2001, 0"), True, False),
    ],
    ids=["no rows", "one value", "no value", "two values", "a value and a NULL", "a NULL key", "NULL keys that differ"],
)
def test_a_key_determines_a_column_of_one_value(
    star: SmallStar, rows: tuple[str, ...], of_a_join_key: bool, of_another_key: bool
) -> None:
    """Facts never meet a NULL in the key that they join on; a NULL in another key breaks the claim."""
    star.add("day", "week year other", *rows)

    for is_join_key, expected in ((True, of_a_join_key), (False, of_another_key)):
        claim = Dependency("day", ("week",), (), ("year",), is_join_key=is_join_key)

        assert _is_proven(star, claim) is expected


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("double", ("1.5", "1.5"), True),
        ("double", ("'NaN'", "'NaN'"), True),
        ("double", ("1.5", "'NaN'", "1.5"), False),
        ("boolean", ("TRUE", "FALSE"), False),
        ("varchar", ("'a'", "'a'"), True),
        ("varchar", ("'a'", "'A'"), False),
        ("date", ("'2026-01-01'", "'2026-01-02'"), False),
        ("integer[]", ("[1]", "[1]"), True),
        ("integer[]", ("[1]", "[2]"), False),
    ],
)
def test_values_of_every_type_are_told_apart(
    star: SmallStar, kind: str, values: tuple[str, ...], expected: bool
) -> None:
    """Also where MIN and MAX would not tell them."""
    star.add("day", f"week year:{kind}", *(f"1, {value}" for value in values))

    assert _is_proven(star, _WEEK_TO_YEAR) is expected


def test_a_column_of_the_key_is_determined_by_it(star: SmallStar) -> None:
    star.add("day", "week year", "1, 2000", "1, 2001", "NULL, 2000")

    for is_join_key, expected in ((True, True), (False, False)):
        assert _is_proven(star, Dependency("day", ("week",), (), ("week",), is_join_key=is_join_key)) is expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("1, 1, 5", "2, 1, 5", "3, 2, 6"), True),
        (("1, 1, NULL", "2, 1, 99"), True),
        (("1, 1, 5", "2, 1, 7"), True),
        (("1, 1, 5", "2, 1, 6"), False),
        (("1, 1, 5", "2, 1, NULL"), False),
        (("1, 1, 8", "2, 1, NULL"), False),
        (("1, 1, 8", "2, 1, 8"), True),
    ],
    ids=["one season", "none", "seasons alike", "two", "one and none", "nameless and none", "nameless"],
)
def test_a_key_determines_what_is_reached_by_joins(star: SmallStar, days: tuple[str, ...], expected: bool) -> None:
    """A season without a group and no season look alike in the column, but not in the matched flag."""
    star.add("season", "season grp:varchar", "5, 'warm'", "6, 'cold'", "7, 'warm'", "8, NULL")
    star.add("day", "d week season", *days)

    assert _is_proven(star, _WEEK_TO_GROUP) is expected


def test_all_claims_are_asked_in_one_statement_and_those_that_cannot_be_asked_are_left_out(star: SmallStar) -> None:
    star.add("day", "d week year", "1, 1, 2000", "2, 1, 2001", "2, 2, 2000")
    claims: list[Claim] = [
        UniqueKey("day", ("d",)),
        UniqueKey("gone", ("id",)),
        UniqueKey("day", ("gone",)),
        UniqueKey("day", ("d", "week")),
        _WEEK_TO_YEAR,
    ]

    claims_in_query, statement = proof_statement(claims, star.sources(), ProvenConstraints())

    assert claims_in_query == (claims[0], claims[3], claims[4])
    assert statement is not None
    assert star.rows(statement) == [(0, 1), (1, 0), (2, 1)]
    before = ProvenConstraints(unique_keys=frozenset({("shop", ("shop_id",))}))
    assert with_proofs(before, claims_in_query, star.rows(statement)).unique_keys == {
        ("shop", ("shop_id",)),
        ("day", ("d", "week")),
    }


def test_without_a_claim_nothing_is_asked() -> None:
    sources = described_sources("duckdb", day="d integer")

    assert proof_statement([], sources, ProvenConstraints()) == ((), None)
    assert proof_statement([UniqueKey("day", ("gone",))], sources, ProvenConstraints()) == ((), None)


def test_a_claim_through_a_join_that_would_multiply_rows_is_not_asked(star: SmallStar) -> None:
    """It is wanted only together with one row per key of that join, which is refused here."""
    star.add("season", "season grp:varchar", "5, 'warm'", "5, 'cold'")
    star.add("day", "d week season", "1, 1, 5")

    assert proof_statement([_WEEK_TO_GROUP], star.sources(), ProvenConstraints()) == ((), None)


def test_the_data_proves_what_an_aggregate_needs(star: SmallStar) -> None:
    star.add("sales", "shop_id amount")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "1, 'N'")

    assert star.constraints(part(CITY)) == ProvenConstraints(
        functional=frozenset({Dependency("shop", ("shop_id",), (), ("city",), is_join_key=True)})
    )


def test_violations_of_a_key_are_counted_by_the_warehouse() -> None:
    sources = described_sources("postgres", shop="shop_id integer")

    _, statement = proof_statement([UniqueKey("shop", ("shop_id",))], sources, ProvenConstraints())

    assert statement is not None
    assert render(statement, find_dialect("postgres")) == (
        'SELECT 0 AS "claim", COUNT(*) AS "violations" FROM (SELECT 1 AS "one" FROM "shop" AS "t" '
        'WHERE NOT "t"."shop_id" IS NULL GROUP BY "t"."shop_id" HAVING COUNT(*) > 1) AS "violations"'
    )
