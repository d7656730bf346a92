"""Names are readable, within limits, and never collide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import Role
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.physical_names import instance_table, stored_columns, view_names
from tests.support.oracles.composed_statements import DAY_LEVEL, FINE, REASON_LEVEL, bound, part

POSTGRES, DUCKDB = DIALECTS["postgres"], DIALECTS["duckdb"]
_ID = "e0bc4492-1111-2222-3333-444455556666"


def test_a_layout_reads_like_the_aggregate():
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


def test_roles_and_compound_keys_show_in_column_names():
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


def test_names_that_become_equal_are_numbered():
    one = bound("Net Price", "sales", ("a",), "a", ())
    other = bound("net-price", "sales", ("b",), "b", ())
    counted = bound("Row Count", "sales", ("c",), "c", ())

    names = stored_columns(part(one, other, counted, measures=())).names

    assert names == ("net_price", "net_price_2", "row_count", "row_count_2")


@pytest.mark.parametrize("letter", ["x", "ü", "語"], ids=["ascii", "two bytes", "three bytes"])
def test_long_names_of_any_script_stay_distinct_within_the_limit(letter):
    attributes = [bound(letter * 80 + str(number), "sales", ("a",), "a", ()) for number in range(5)]
    measures = tuple(StoredMeasure(StoredFunction.SUM, "sales", letter * 80 + str(number)) for number in range(5))

    names = stored_columns(part(*attributes, measures=measures)).names

    assert len({name.casefold() for name in names}) == len(names) == 11
    assert max(len(name.encode()) for name in names) <= 63
    assert all(name.isidentifier() for name in names)


def test_the_layout_depends_on_nothing_but_the_part():
    assert stored_columns(FINE) == stored_columns(replace(FINE))


def test_a_table_is_named_by_instance_aggregate_and_attempt():
    assert instance_table(_ID, "UDA - Color of Shops", POSTGRES, "3") == "as_agg_e0bc4492_uda_color_of_s_a3"


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_table_name_fits_with_its_attempt(dialect):
    for name in ("語" * 50, "x" * 500, "---", ""):
        assert len(instance_table(_ID, name, dialect, "9999").encode()) <= dialect.max_identifier


def test_views_of_aggregates_are_readable():
    assert view_names("Tiny Sales", ["by_city", "Größe (web)"], DUCKDB) == [
        "agg_tiny_sales_by_city",
        "agg_tiny_sales_größe_web",
    ]


def test_views_that_would_be_named_alike_or_too_long_end_in_a_hash_of_their_own():
    names = view_names("m", ["A-B", "a b", "x" * 90, "x" * 91], POSTGRES)

    assert len({name.casefold() for name in names}) == 4
    assert all(len(name.encode()) <= 63 for name in names)
    assert names[2:] == view_names("m", ["x" * 90, "x" * 91], POSTGRES)


def test_a_matched_flag_stands_once_per_join_path():
    month = bound("Month", "day", ("month_id",), "month_name", DAY_LEVEL.steps)

    flags = stored_columns(part(DAY_LEVEL, month, REASON_LEVEL)).matched

    assert list(flags.values()) == ["day_matched", "sale_reasons_matched"]
