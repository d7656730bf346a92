"""Which columns refer to which keys: names propose, data decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from airflow_atscale_aggs.engine.discovery.references import (
    Decisions,
    DeclaredKey,
    Names,
    Reference,
    choose_references,
    find_candidates,
    likely_keys,
    without_circles,
    without_doubles,
)
from tests.support.stars.table_rows import Columns, inclusion_of, profiles_of

_CUSTOMERS: Columns = {"customer_id": [*range(1, 51)], "customer_name": [f"c{n}" for n in range(50)]}


def _decide(tables: Mapping[str, Columns]) -> Decisions:
    profiles = profiles_of(tables)
    names = Names(profiles)
    keys = likely_keys(profiles, names)
    candidates = find_candidates(profiles, names, keys)
    return choose_references([(found, inclusion_of(found, tables)) for found in candidates], profiles, 0.25)


def _pairs(decisions: Decisions) -> list[tuple[str, ...]]:
    return [(found.table, *found.columns, found.to_table, *found.to_columns) for found in decisions.references]


def test_a_column_named_as_a_key_whose_values_are_found_refers_to_it() -> None:
    decisions = _decide({"orders": {"order_no": [1, 1, 2], "customer_id": [1, 50, None]}, "customers": _CUSTOMERS})

    assert _pairs(decisions) == [("orders", "customer_id", "customers", "customer_id")]
    assert decisions.references[0].reason == ("`customer` is the same name; 2 of 2 values found; unique over 50 rows")


def test_an_inclusion_without_a_name_is_a_coincidence() -> None:
    orders: Columns = {"order_no": [1, 1, 2], "quantity": [1, 2, 3], "priority_code": [1, 2, 3], "region_id": [1, 2, 3]}

    assert _pairs(_decide({"orders": orders, "customers": _CUSTOMERS})) == []


def test_orphans_are_told_and_too_many_are_no_relationship() -> None:
    some: Columns = {"order_no": [1] * 10, "customer_id": [*range(1, 10), 999]}
    many: Columns = {"order_no": [1] * 4, "customer_id": [1, 2, 777, 999]}

    (kept,) = _decide({"orders": some, "customers": _CUSTOMERS}).references
    refused = _decide({"orders": many, "customers": _CUSTOMERS})

    assert "9 of 10 values found; 1 row of 10 lead nowhere" in kept.reason
    assert refused.references == ()
    assert "only 2 of 4 values and 50% of the rows are found" in refused.left_out[0].reason


def test_a_key_that_is_not_unique_is_none() -> None:
    customers: Columns = {"customer_id": [1, 1, 2], "customer_name": ["a", "b", "c"]}

    assert _pairs(_decide({"orders": {"n": [1, 1], "customer_id": [1, 2]}, "customers": customers})) == []


def test_two_tables_that_fit_alike_are_a_question() -> None:
    days: Columns = {"date_key": [1, 2, 3], "year": [2020] * 3}
    tables: dict[str, Columns] = {"sales": {"n": [1, 1], "date_key": [1, 2]}, "dim_date": days, "calendar_date": days}
    decisions = _decide(tables)

    assert decisions.references == ()
    (question,) = decisions.questions
    assert {option.to_table for option in question.options} == {"dim_date", "calendar_date"}


def test_the_table_that_is_named_like_the_column_wins_over_its_extension() -> None:
    details: Columns = {"customer_id": [*range(1, 51)], "remark": ["x"] * 50}
    tables: dict[str, Columns] = {
        "orders": {"n": [1, 1], "customer_id": [1, 2]},
        "customers": _CUSTOMERS,
        "loyalty_details": details,
    }

    assert ("orders", "customer_id", "customers", "customer_id") in _pairs(_decide(tables))


def test_a_superior_of_the_same_table_is_told_and_not_proposed() -> None:
    employees: Columns = {"employee_id": [1, 2, 3], "employee_name": ["a", "b", "c"], "manager_id": [None, 1, 1]}
    decisions = _decide({"employees": employees})

    assert decisions.references == ()
    assert [entry.what for entry in decisions.left_out] == ["employees.manager_id"]


def test_a_few_small_numbers_in_a_long_key_are_a_coincidence_where_the_name_is_weak() -> None:
    parts: Columns = {"part_id": [*range(1, 1001)]}
    tables: dict[str, Columns] = {"lines": {"n": [1, 1, 2], "counterpart_id": [1, 2, 3]}, "parts": parts}

    assert _pairs(_decide(tables)) == []


def test_dates_refer_to_a_table_of_days_but_those_of_bookkeeping_do_not() -> None:
    days: Columns = {"d_date": [20200101, 20200102], "d_year": [2020, 2020]}
    lines: Columns = {"lo_orderdate": [20200101] * 2, "lo_create_date": [20200102] * 2, "lo_x": [1, 1]}

    assert _pairs(_decide({"lines": lines, "days_date": days})) == [("lines", "lo_orderdate", "days_date", "d_date")]


def test_a_date_refers_to_the_table_of_days_whatever_it_is_called() -> None:
    every = [date(2024, 1, day) for day in range(1, 29)]
    sales: Columns = {"sold_on": every[:3], "loaded_at": every[:3], "n": [1, 1, 2]}
    tables: dict[str, Columns] = {"days": {"day_date": every, "year": [2024] * 28}, "sales": sales}
    decisions = _decide(tables)

    assert _pairs(decisions) == [("sales", "sold_on", "days", "day_date")]
    assert decisions.references[0].role == ("sold",)


def test_a_date_that_says_again_what_a_key_says_is_left_out() -> None:
    tables: dict[str, Columns] = {
        "sales": {"order_date_key": [1, 1], "orderdate": [date(2024, 1, 1)] * 2},
        "dim_date": {"date_key": [1], "date": [date(2024, 1, 1)]},
    }
    kept, left_out = without_doubles(
        [
            Reference("sales", ("orderdate",), "dim_date", ("date",), ("order",), ""),
            Reference("sales", ("order_date_key",), "dim_date", ("date_key",), ("order",), ""),
        ],
        profiles_of(tables),
    )

    assert [reference.columns for reference in kept] == [("order_date_key",)]
    assert [entry.reason for entry in left_out] == ["`order_date_key` leads there already"]


def test_a_chain_that_comes_back_is_cut() -> None:
    there, back = (Reference(a, ("x",), b, ("y",), (), "") for a, b in (("a", "b"), ("b", "a")))

    assert without_circles([there, back])[0] == (there,)


def test_a_column_refers_to_what_it_is_declared_to_refer_to_if_the_data_bears_it_out() -> None:
    tables: dict[str, Columns] = {"orders": {"n": [1, 1, 1], "buyer": [1, 2, 50]}, "customers": _CUSTOMERS}
    profiles = profiles_of(tables)
    names = Names(profiles)
    declared = [DeclaredKey("orders", ("buyer",), "customers", ("customer_id",))]
    (candidate,) = find_candidates(profiles, names, likely_keys(profiles, names), declared)
    decisions = choose_references([(candidate, inclusion_of(candidate, tables))], profiles, 0.25)

    (found,) = decisions.references
    assert (found.columns, found.to_table, found.role) == (("buyer",), "customers", ("buyer",))
    assert found.reason.startswith("declared as a foreign key; 3 of 3 values found")
    assert find_candidates(profiles, names, [], declared) == []
