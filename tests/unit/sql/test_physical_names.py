"""Names of tables, views and stored columns are readable, within limits, and never collide."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import Role
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.physical_names import (
    instance_table,
    is_instance_table,
    is_view_name,
    segment_table,
    stored_columns,
    view_names,
)
from tests.support.oracles.composed_statements import DAY_LEVEL, FINE, REASON_LEVEL, bound_attribute, part

POSTGRES, DUCKDB = DIALECTS["postgres"], DIALECTS["duckdb"]
_ID = "e0bc4492-1111-2222-3333-444455556666"


def test_a_layout_reads_like_the_aggregate() -> None:
    assert stored_columns(FINE).names == (
        "day_key",
        "day",
        "shop_key",
        "shop",
        "reason",
        "day_matched",
        "shop_matched",
        "sale_reasons_matched",
        "squares_price",
        "count_price",
        "distinct_price",
        "row_count",
        "max_price",
        "min_price",
        "sum_qty",
        "sum_price",
        "sum_distinct_qty",
    )


def test_roles_and_compound_keys_show_in_column_names() -> None:
    sold = replace(
        DAY_LEVEL, attribute=replace(DAY_LEVEL.attribute, role=Role("day", "Sold {0}")), key_columns=("y", "m")
    )

    assert stored_columns(part(sold, measures=())).names == (
        "sold_day_key1",
        "sold_day_key2",
        "sold_day",
        "sold_day_matched",
        "row_count",
    )


def test_a_name_that_is_one_of_the_keys_is_stored_once() -> None:
    layout = stored_columns(part(bound_attribute("Pair", "sales", ("a", "b"), "b", ()), measures=()))

    (pair,) = layout.attributes.values()
    assert (pair.keys, pair.name, pair.columns) == (("pair_key1", "pair_key2"), "pair_key2", ("pair_key1", "pair_key2"))
    assert layout.names == ("pair_key1", "pair_key2", "row_count")


def test_sketches_show_in_column_names() -> None:
    functions = (StoredFunction.DISTINCT_SKETCH, StoredFunction.PERCENTILE_SKETCH)
    sketches = tuple(StoredMeasure(function, "sales", "price") for function in functions)

    assert stored_columns(part(measures=sketches)).names == ("row_count", "sketch_price", "percentiles_price")


def test_names_that_become_equal_are_numbered() -> None:
    first = bound_attribute("Net Price", "sales", ("a",), "a", ())
    second = bound_attribute("net-price", "sales", ("b",), "b", ())
    counted = bound_attribute("Row Count", "sales", ("c",), "c", ())

    names = stored_columns(part(first, second, counted, measures=())).names

    assert names == ("net_price", "net_price_2", "row_count", "row_count_2")


@pytest.mark.parametrize("letter", ["x", "ü", "語"], ids=["ascii", "two bytes", "three bytes"])
def test_long_names_of_any_script_stay_distinct_within_the_limit(letter: str) -> None:
    attributes = [bound_attribute(letter * 80 + str(number), "sales", ("a",), "a", ()) for number in range(5)]
    measures = tuple(StoredMeasure(StoredFunction.SUM, "sales", letter * 80 + str(number)) for number in range(5))

    names = stored_columns(part(*attributes, measures=measures)).names

    assert len({name.casefold() for name in names}) == len(names) == 11
    assert max(len(name.encode()) for name in names) <= 63
    assert all(name.isidentifier() for name in names)


def test_the_layout_depends_on_nothing_but_the_part() -> None:
    assert stored_columns(FINE) == stored_columns(replace(FINE))


def test_a_matched_flag_stands_once_per_join_path() -> None:
    month = bound_attribute("Month", "day", ("month_id",), "month_name", DAY_LEVEL.steps)

    flags = stored_columns(part(DAY_LEVEL, month, REASON_LEVEL)).matched

    assert list(flags.values()) == ["day_matched", "sale_reasons_matched"]


@pytest.mark.parametrize(
    ("aggregate", "attempt", "expected"),
    [
        ("UDA - Color of Shops", "3", "as_agg_e0bc4492_uda_color_of_s_a3"),
        ("by_city_of_a__of_b", "12", "as_agg_e0bc4492_by_city_of_a_a12"),
        ("---", "1", "as_agg_e0bc4492_x_a1"),
    ],
)
def test_a_table_is_named_by_instance_aggregate_and_attempt(aggregate: str, attempt: str, expected: str) -> None:
    assert instance_table(_ID, aggregate, POSTGRES, attempt) == expected


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_table_name_fits_with_its_attempt_and_a_segment(dialect: Dialect) -> None:
    for name in ("語" * 50, "x" * 500, "---", ""):
        table = instance_table(_ID, name, dialect, "9999")

        assert len(segment_table(table, 9).encode()) <= dialect.max_identifier
        assert is_instance_table(table)
        assert is_instance_table(segment_table(table, 9))


def test_a_segment_is_named_after_the_table_of_its_attempt() -> None:
    assert segment_table("as_agg_e0bc4492_x_a1", 2) == "as_agg_e0bc4492_x_a1_s2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as_agg_e0bc4492_uda_color_a1", True),
        ("AS_AGG_E0BC4492_UDA_COLOR_A12", True),
        ("as_agg_e0bc4492_two\nlines_a1_s20", True),
        ("as_agg_e0bc449_uda_color_a1", False),
        ("as_agg_e0bc4492_uda_color", False),
        ("as_agg_e0bc4492_uda_color_a1_old", False),
        ("my_as_agg_e0bc4492_uda_color_a1", False),
        ("agg_sales_by_city", False),
    ],
)
def test_tables_of_aggregates_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_instance_table(name) is expected


def test_views_of_aggregates_are_readable() -> None:
    assert view_names("Tiny Sales", ["by_city", "Größe (web)"], DUCKDB) == [
        "agg_tiny_sales_by_city",
        "agg_tiny_sales_größe_web",
    ]


def test_views_that_would_be_named_alike_or_too_long_end_in_a_hash_of_their_own() -> None:
    names = view_names("m", ["A-B", "a b", "x" * 90, "x" * 91], POSTGRES)

    assert len({name.casefold() for name in names}) == 4
    assert all(len(name.encode()) <= 63 for name in names)
    assert names[2:] == view_names("m", ["x" * 90, "x" * 91], POSTGRES)


@pytest.mark.parametrize(
    ("name", "expected"), [("agg_sales_by_city", True), ("AGG_SALES", True), ("aggregate", False), ("my_agg_", False)]
)
def test_views_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_view_name(name) is expected


def test_letters_that_a_warehouse_takes_in_no_table_name_are_left_out() -> None:
    """Views that lost some are told apart by a hash; others have the names that they have everywhere."""
    spark = find_dialect("spark")

    views = view_names("m", ["größe", "große", "日本", "plain"], spark)

    assert all(re.fullmatch(r"[a-z0-9_]+", view) for view in views)
    assert len(set(views)) == 4
    assert views[-1] == "agg_m_plain"
    assert views[0].startswith("agg_m_groe_")
    assert instance_table("e0bc4492-0", "größe", spark, "1") == "as_agg_e0bc4492_groe_a1"
    assert instance_table("e0bc4492-0", "日本", spark, "1") == "as_agg_e0bc4492_x_a1"
    assert view_names("m", ["größe"], find_dialect("duckdb")) == ["agg_m_größe"]
