"""Words, stems, and which names lead to which."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.discovery.column_names import (
    best_match,
    is_shortened,
    match_name,
    shared_prefix,
    singular,
    stem_of,
    table_stem,
    words_of,
)


@pytest.mark.parametrize(
    ("column", "prefix", "words", "key_words"),
    [
        ("ss_sold_date_sk", "ss", ("sold", "date"), ("sk",)),
        ("lo_custkey", "lo", ("cust",), ("key",)),
        ("OrderDateKey", "", ("order", "date"), ("key",)),
        ("customer_id", "", ("customer",), ("id",)),
        ("fk_customer", "", ("customer",), ("fk",)),
        ("id", "", (), ("id",)),
        ("paid", "", ("paid",), ()),
        ("Straße", "", ("strasse",), ()),
    ],
)
def test_a_stem_is_without_prefix_and_key_words(
    column: str, prefix: str, words: tuple[str, ...], key_words: tuple[str, ...]
) -> None:
    stem = stem_of(column, prefix)

    assert (stem.words, stem.key_words) == (words, key_words)


def test_words_end_where_case_or_signs_change() -> None:
    assert words_of("ShipToHTTPAddress Line-2") == ("ship", "to", "http", "address", "line", "2")
    assert shared_prefix(["c_id", "c_name", "d_city"]) == ""
    assert [singular(word) for word in ("cities", "boxes", "glass")] == ["city", "boxe", "glass"]


@pytest.mark.parametrize(
    ("table", "stem"),
    [
        ("dim_customers", ("customer",)),
        ("FactInternetSales", ("internet", "sale")),
        ("d", ("d",)),
        ("dimension", ("dimension",)),
    ],
)
def test_a_tables_stem_is_what_its_rows_are(table: str, stem: tuple[str, ...]) -> None:
    assert table_stem(table) == stem


@pytest.mark.parametrize(
    ("ours", "target", "role"),
    [
        (("sold", "date"), ("date",), ("sold",)),
        (("orderdate",), ("date",), ("order",)),
        (("bill", "cdemo"), ("customer", "demographic"), ("bill",)),
        (("current", "addr"), ("address",), ("current",)),
        (("customer",), ("cust",), ()),
    ],
)
def test_names_lead_to_their_target_in_a_role(
    ours: tuple[str, ...], target: tuple[str, ...], role: tuple[str, ...]
) -> None:
    match = match_name(ours, target)

    assert match is not None
    assert match.role == role


@pytest.mark.parametrize(
    ("ours", "target"),
    [
        (("cdemo",), ("demo",)),
        (("hdemo",), ("customer", "demographic")),
        (("sub", "category"), ("category",)),
        (("productsubcategory",), ("productcategory",)),
        (("productcategoryalternate",), ("product",)),
        (("update",), ("date",)),
        ((), ("date",)),
    ],
)
def test_names_that_only_look_alike_lead_nowhere(ours: tuple[str, ...], target: tuple[str, ...]) -> None:
    assert match_name(ours, target) is None


def test_the_strongest_of_several_matches_counts() -> None:
    match = best_match(("web", "site"), [("site",), ("web", "site")])

    assert match is not None
    assert match.strength == 1.0
    assert is_shortened("", ())
