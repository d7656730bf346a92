"""Joins from a fact to its attributes: each role once, and no fact row lost or multiplied."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import (
    JoinComposer,
    JoinNode,
    ProvenConstraints,
    groupable,
    is_plain,
    join_tree,
    key_dependency,
    only_value,
)
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import CITY, SHOP, SmallStar, attribute, described_sources, join, part


def test_a_repeated_key_with_one_value_does_not_multiply(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1", "2, 2")
    star.add("shop", "shop_id city:varchar is_new:boolean", "1, 'N', true", "1, 'N', false", "2, NULL, NULL")

    assert star.from_facts(part(CITY)) == [("N", 1, 1, 1), (None, 1, 1, 2)]


@pytest.mark.parametrize("other_city", ["'S'", "NULL"])
def test_a_repeated_key_with_several_values_is_refused_by_name(star: SmallStar, other_city: str) -> None:
    """A value and a NULL are several values as well."""
    star.add("sales", "shop_id amount", "1, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'", f"1, {other_city}")

    with pytest.raises(DefinitionError, match=r"dataset `shop` on \(shop_id\).*\(city\).*Make the key unique"):
        star.from_facts(part(CITY))


def test_a_join_above_the_leaf_meets_one_row_per_key(star: SmallStar) -> None:
    """Quotas per quarter meet a calendar of days: nothing is counted once per day."""
    star.add("sales", "quarter amount", "1, 100", "2, 10", "3, 1")
    star.add("day", "d quarter year", "1, 1, 2000", "2, 1, 2000", "3, 2, 2000", "4, 2, 2000")
    year = attribute("year", "day", "year", "year", join("coarse_key", "sales", "quarter", "day", "quarter"))

    assert star.from_facts(part(year)) == [(2000, 1, 2, 110), (None, 0, 1, 1)]


def test_what_lies_behind_a_join_above_the_leaf_is_reached(star: SmallStar) -> None:
    star.add("sales", "quarter amount", "1, 100", "2, 10", "3, 1")
    star.add("day", "d quarter season", "1, 1, 7", "2, 1, 7", "3, 2, 8")
    star.add("season", "season name:varchar", "7, 'warm'")
    steps = (
        join("coarse_key", "sales", "quarter", "day", "quarter"),
        join("unique_key", "day", "season", "season", "season"),
    )

    rows = star.from_facts(part(attribute("name", "season", "name", "name", *steps)))

    assert rows == [("warm", 1, 1, 100), (None, 0, 2, 11)]


def test_a_fact_row_counts_once_per_distinct_member_of_a_bridge(star: SmallStar) -> None:
    star.add("sales", "why amount", "1, 10", "2, 1", "3, 100", "NULL, 1000")
    star.add("bridge", "why reason", "1, 1", "1, 2", "1, 3", "2, 2", "2, 2", "2, 77", "2, 78")
    star.add("reason", "reason kind:varchar", "1, 'x'", "2, 'y'", "3, 'y'")
    steps = (
        join("bridge", "sales", "why", "bridge", "why"),
        join("unique_key", "bridge", "reason", "reason", "reason"),
    )

    assert star.from_facts(part(attribute("kind", "reason", "kind", "kind", *steps))) == [
        ("x", 1, 1, 10),
        ("y", 1, 2, 11),
        (None, 0, 3, 1101),
    ]


def test_a_compound_key_with_a_null_in_it_meets_nothing(star: SmallStar) -> None:
    star.add("sales", "a b amount", "1, 1, 1", "1, NULL, 2", "NULL, 1, 4", "1, 2, 8")
    star.add("dim", "a b name:varchar", "1, 1, 'one'", "1, NULL, 'never'", "1, 2, 'two'")
    name = attribute("name", "dim", "a b", "name", join("unique_key", "sales", "a b", "dim", "a b"))

    assert star.from_facts(part(name)) == [
        (1, 1, "one", 1, 1, 1),
        (1, 2, "two", 1, 1, 8),
        (None, None, None, 0, 2, 6),
    ]


def test_a_calculated_key_that_is_never_null_does_not_look_matched(star: SmallStar) -> None:
    star.add("sales", "code:varchar amount", "'a', 1", "'zz', 2", "NULL, 4")
    star.add("dim", "id name:varchar", "1, 'A'", calculated={"code": "CASE WHEN id = 1 THEN 'a' ELSE 'other' END"})
    name = attribute("name", "dim", "name", "name", join("unique_key", "sales", "code", "dim", "code"))

    assert star.from_facts(part(name)) == [("A", 1, 1, 1), (None, 0, 2, 6)]


def test_a_calculation_gives_nothing_for_a_member_that_is_not_there(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1", "9, 2")
    star.add("shop", "shop_id", "1", calculated={"city": "CASE WHEN shop_id > 5 THEN 'far' ELSE 'near' END"})

    assert star.from_facts(part(CITY)) == [("near", 1, 1, 1), (None, 0, 1, 2)]


def test_datasets_that_differ_in_case_only_are_joined_apart(star: SmallStar) -> None:
    star.add("sales", "shop_id other_id amount", "1, 2, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'")
    star.datasets["SHOP"] = replace(star.datasets["shop"], name="SHOP")
    other = attribute("other", "SHOP", "city", "city", join("unique_key", "sales", "other_id", "SHOP", "shop_id"))

    assert star.from_facts(part(CITY, other)) == [("N", "S", 1, 1, 1, 1)]


def test_datasets_with_long_names_are_joined_apart(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1")
    star.add("shop", "shop_id city:varchar", "1, 'N'")
    names = ("x" * 70 + "1", "x" * 70 + "2")
    star.datasets |= {name: replace(star.datasets["shop"], name=name) for name in names}
    attributes = [
        attribute(name[-1], name, "city", "city", join("unique_key", "sales", "shop_id", name, "shop_id"))
        for name in names
    ]
    both = part(*attributes)

    select = select_from_fact(both, star.sources(), star.constraints(both))

    aliases = [node.alias_or_name for node in select.find_all(exp.Table) if node.name == "shop"]
    assert len({alias.encode()[:63] for alias in aliases}) == 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["shop", "day", "shop"], ["shop", "day", "shop_2"]),
        (["shop", "SHOP", "Shop"], ["shop", "SHOP_2", "Shop_3"]),
        (["shop", "shop_2", "shop"], ["shop", "shop_2", "shop_3"]),
        (["ü" * 40], ["ü" * 25]),
    ],
    ids=["twice", "without case", "a number that is taken", "fifty bytes"],
)
def test_aliases_are_short_and_different(names: list[str], expected: list[str]) -> None:
    composer = JoinComposer(described_sources("duckdb"), ProvenConstraints())

    assert [composer.alias(name) for name in names] == expected


def test_joins_that_begin_alike_are_made_once() -> None:
    region_step = join("unique_key", "shop", "region_id", "region", "id")
    region = attribute("region", "region", "name", "name", SHOP, region_step)

    tree = join_tree("sales", [CITY, region, attribute("code", "sales", "code", "code")])

    nodes = [(len(node.path), node.dataset, list(node.columns), list(node.shown)) for node in tree.walk()]
    assert nodes == [
        (0, "sales", ["shop_id", "code"], ["code"]),
        (1, "shop", ["city", "region_id"], ["city"]),
        (2, "region", ["name"], ["name"]),
    ]


def test_a_target_is_joined_as_it_is_only_on_a_proven_key() -> None:
    proven = ProvenConstraints(unique_keys=frozenset({("shop", ("shop_id",))}))
    steps = {
        "proven": SHOP,
        "above the leaf, and proven": join("coarse_key", "sales", "shop_id", "shop", "shop_id"),
        "another key": join("unique_key", "sales", "code", "shop", "code"),
        "many to many": join("bridge", "sales", "shop_id", "shop", "shop_id"),
    }

    assert [name for name, step in steps.items() if is_plain(step, proven)] == ["proven", "above the leaf, and proven"]


def test_one_row_per_key_is_right_where_the_key_determines_the_columns_that_are_used() -> None:
    node = JoinNode((SHOP,), "shop", dict.fromkeys(("size", "shop_id", "city")))

    assert key_dependency(node) == Dependency("shop", ("shop_id",), (), ("city", "size"), is_join_key=True)


@pytest.mark.parametrize(
    ("dialect", "kind", "expected"),
    [
        ("duckdb", "varchar", 'MIN("t"."x")'),
        ("duckdb", "bit", 'MIN("t"."x")'),
        ("postgres", "boolean", 'BOOL_AND("t"."x")'),
        ("tsql", "bit", "CAST(MIN(CAST([t].[x] AS INTEGER)) AS BIT)"),
    ],
)
def test_the_only_value_of_a_group_is_said_for_booleans_too(dialect: str, kind: str, expected: str) -> None:
    source = described_sources(dialect, shop=f"x {kind}")["shop"]

    assert render(only_value(source, "x", column_of("x", "t")), source.dialect) == expected


def test_a_string_of_bits_stays_what_it_is(star: SmallStar) -> None:
    """DuckDB's aggregate of booleans would make TRUE of it."""
    star.add("sales", "shop_id amount", "1, 1", "2, 2")
    star.add("shop", "shop_id city:bit", "1, '0101'", "1, '0101'", "2, '0000'")

    assert star.from_facts(part(CITY)) == [("0000", 1, 1, 2), ("0101", 1, 1, 1)]


def test_constants_are_no_keys_of_a_group() -> None:
    keys = [column_of("a", "t"), exp.Literal.number(1), exp.Upper(this=column_of("b")), exp.Literal.string("x")]

    assert [render(key, find_dialect("duckdb")) for key in groupable(keys)] == ['"t"."a"', 'UPPER("b")']


@pytest.mark.parametrize(
    ("dialect", "own", "other", "is_refused"),
    [
        ("postgres", "integer", "text", True),
        ("postgres", "integer", "bigint", False),
        ("postgres", "integer", "citext", False),
        ("duckdb", "integer", "date", True),
        ("duckdb", "integer", "varchar", False),
    ],
)
def test_a_join_of_types_that_do_not_compare_is_refused_by_name(
    dialect: str, own: str, other: str, is_refused: bool
) -> None:
    """Types of which nothing is known are tried by the warehouse itself."""
    sources = described_sources(dialect, sales=f"shop_id {own}, amount integer", shop=f"shop_id {other}, city varchar")
    proven = ProvenConstraints(unique_keys=frozenset({("shop", ("shop_id",))}))
    if not is_refused:
        assert "LEFT JOIN" in render(select_from_fact(part(CITY), sources, proven), sources.dialect)
        return

    with pytest.raises(DefinitionError, match=r"`sales`.`shop_id` \(\w+\) is joined to `shop`.`shop_id` .* compare"):
        select_from_fact(part(CITY), sources, proven)


def test_a_dataset_that_could_not_be_asked_about_its_keys_is_refused_with_the_reason(star: SmallStar) -> None:
    sources = described_sources("duckdb", sales="shop_id integer, amount integer", shop="shop_id integer, city varchar")
    refused = ProvenConstraints(unreadable={"shop": "division by zero"})

    with pytest.raises(DefinitionError, match=r"`shop` \(shop.yml:1\) cannot be read: division by zero.*try again"):
        select_from_fact(part(CITY), sources, refused)


def test_a_tree_is_joined_beside_what_stands_in_from(star: SmallStar) -> None:
    """As a stored key of an aggregate is joined to its dimension. A calculation is NULL where no row is met."""
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, NULL", calculated={"label": "COALESCE(city, '?')"})
    star.add("aggregate", "shop_key", "1", "2", "9")
    select = exp.select(column_of("shop_key", "a")).from_('"aggregate" AS "a"')
    shown = [attribute("city", "shop", "city", "city"), attribute("label", "shop", "label", "label")]
    composer = JoinComposer(star.sources(), ProvenConstraints())

    joined = composer.beside(join_tree("shop", shown), select, {"shop_id": column_of("shop_key", "a")})

    select.select(joined.column[(), "city"], joined.column[(), "label"], joined.matched_flag(()), copy=False)
    assert star.rows(select) == [(1, "N", "N", 1), (2, None, "?", 1), (9, None, None, 0)]
