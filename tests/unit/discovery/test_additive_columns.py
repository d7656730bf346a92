"""Which numbers may be added up."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from airflow_atscale_aggs.engine.discovery.additive_columns import Kind, is_named_total, judge
from airflow_atscale_aggs.engine.discovery.column_names import stem_of
from tests.support.stars.table_rows import profile_of

_MONEY = [Decimal("3.50"), Decimal("7.25"), Decimal("120.00")]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("ss_ext_sales_price", _MONEY, Kind.ADDITIVE),
        ("lo_extendedprice", [100, 250, 300], Kind.ADDITIVE),
        ("o_totalprice", _MONEY, Kind.ADDITIVE),
        ("ss_quantity", [1, 5, 9], Kind.ADDITIVE),
        ("net_profit", _MONEY, Kind.ADDITIVE),
        ("ss_list_price", _MONEY, Kind.RATE),
        ("unitprice", _MONEY, Kind.RATE),
        ("l_discount", [Decimal("0.05"), Decimal("0.10")], Kind.RATE),
        ("lo_discount", [0, 4, 10], Kind.RATE),
        ("discount_amount", _MONEY, Kind.ADDITIVE),
        ("inv_quantity_on_hand", [1, 5, 9], Kind.LEVEL),
        ("c_acctbal", _MONEY, Kind.LEVEL),
        ("order_id", [1, 5, 9], Kind.NONE),
        ("lo_linenumber", [1, 5, 9], Kind.NONE),
        ("year", [2020, 2021], Kind.NONE),
        ("zip", [1, 5, 9], Kind.NONE),
        ("is_gift", [0, 1], Kind.NONE),
        ("shipped", [20200101, 20200303], Kind.NONE),
        ("remark", ["a", "b"], Kind.NONE),
    ],
)
def test_a_number_is_judged_by_name_and_values(name: str, values: Sequence[object], kind: Kind) -> None:
    column = profile_of("fact", {name: values}).columns[name]

    assert judge(column, stem_of(name), ()).kind is kind


def test_a_key_is_no_measure_and_totals_are_named() -> None:
    columns = profile_of("fact", {"amount": _MONEY}).columns

    assert judge(columns["amount"], stem_of("amount"), ["amount"]).kind is Kind.NONE
    assert is_named_total(columns["amount"])
