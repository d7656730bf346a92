"""Which columns together refer to a compound key, and where that is only told."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from airflow_atscale_aggs.engine.discovery.compound_references import (
    CompoundCandidate,
    compound_candidates,
    declared_compounds,
    judge_compound,
    without_rivals,
)
from airflow_atscale_aggs.engine.discovery.references import DeclaredKey, Inclusion, LeftOut, Names, Reference
from tests.support.stars.table_rows import Columns, profiles_of

_LINES: Columns = {"l_partkey": [1, 1, 2, 2, 2], "l_suppkey": [1, 2, 2, 2, 2], "l_n": [1, 1, 1, 3, 3]}
_PART_SUPP: Columns = {"ps_partkey": [1, 1, 2], "ps_suppkey": [1, 2, 2], "ps_qty": [1, 1, 1]}
_ALL = Inclusion(values=3, values_found=3, rows=4, rows_found=4, target_values=3)


def _refer(*edges: tuple[str, str, str]) -> list[Reference]:
    return [Reference(table, (column,), to_table, ("k",), (), "") for table, column, to_table in edges]


_TO_PARTS = _refer(
    ("lines", "l_partkey", "part"),
    ("lines", "l_suppkey", "supplier"),
    ("partsupp", "ps_partkey", "part"),
    ("partsupp", "ps_suppkey", "supplier"),
)


def _find(
    tables: dict[str, Columns], references: list[Reference], days: Collection[str] = ()
) -> dict[str, CompoundCandidate]:
    names = Names(profiles_of(tables))
    return {each.said: each for each in compound_candidates(names, references, [], days)}


def test_columns_that_refer_to_the_same_tables_in_both_may_be_a_key() -> None:
    found = _find({"lines": _LINES, "partsupp": _PART_SUPP}, _TO_PARTS)

    assert [*found] == ["lines (l_partkey, l_suppkey) to partsupp (ps_partkey, ps_suppkey)"]
    (candidate,) = found.values()
    assert (candidate.how, candidate.doubt) == ("`part` and `supp` are the same names in both", "")


def test_a_key_with_a_day_is_a_fact_of_each_day() -> None:
    edges = [Reference(e.table, e.columns, e.to_table.replace("supplier", "days"), ("k",), (), "") for e in _TO_PARTS]
    (candidate,) = _find({"lines": _LINES, "partsupp": _PART_SUPP}, edges, ["days"]).values()

    assert candidate.doubt.startswith("one of its columns is a day")


@pytest.mark.parametrize(
    ("table", "doubt"), [("stores", ""), ("visits", "no name says that `visits` is what it means")]
)
def test_a_column_of_its_own_must_be_named_as_its_table(table: str, doubt: str) -> None:
    stores: Columns = {"area": [1, 2, 3], "company_id": [1, 1, 2], "store_no": [1, 2, 1]}
    sales: Columns = {"n": [*range(5)], "company_id": [1, 1, 2, 2, 2], "store_no": [1, 2, 1, 1, 1]}
    (candidate,) = _find({"sales": sales, table: stores}, []).values()

    assert (candidate.to_columns, candidate.doubt) == (("company_id", "store_no"), doubt)
    assert candidate.is_counted


def test_words_before_all_columns_are_a_role() -> None:
    stores: Columns = {"area": [1, 2, 3], "company_id": [1, 1, 2], "store_no": [1, 2, 1]}
    sales: Columns = {
        "n": [1, 2, 3],
        "ship_company_id": [1, 1, 2],
        "ship_store_no": [1, 2, 1],
        "bill_store_no": [1] * 3,
    }
    found = _find({"sales": sales, "stores": stores}, [])

    assert {each.columns: each.role for each in found.values()} == {("ship_company_id", "ship_store_no"): ("ship",)}


def test_a_key_of_three_columns_is_found_and_one_that_cannot_be_unique_is_not() -> None:
    seats: Columns = {"hall_id": [1, 1, 1, 2, 2], "row_id": [1, 1, 2, 1, 1], "seat_id": [1, 2, 1, 1, 2]}
    tickets: Columns = {name: [*values, *values] for name, values in seats.items()}
    found = [each.columns for each in _find({"tickets": tickets, "seats": seats}, []).values()]

    assert found == [("hall_id", "row_id", "seat_id")]


def _candidate(**changed: object) -> CompoundCandidate:
    facts = {"table": "l", "columns": ("a", "b"), "to_table": "t", "to_columns": ("c", "d"), "role": (), "how": "why"}
    return CompoundCandidate(**{**facts, **changed})  # type: ignore[arg-type]


def test_what_the_data_bears_out_is_a_relationship_with_its_evidence() -> None:
    found = judge_compound(_candidate(), _ALL, 0.25, is_one_to_one=False)

    assert isinstance(found, Reference)
    assert (found.columns, found.to_columns) == (("a", "b"), ("c", "d"))
    assert found.reason == "a compound key: why; 3 of 3 combinations found; together unique over 3 rows"


@pytest.mark.parametrize(
    ("candidate", "inclusion", "is_one_to_one", "told"),
    [
        (_candidate(), _ALL, True, "each row meets one row"),
        (_candidate(doubt="who knows"), _ALL, False, "who knows; join it by hand"),
        (_candidate(is_counted=True), Inclusion(3, 3, 4, 4, 100), False, "small numbers may be there by chance"),
        (_candidate(is_declared=True, how="declared"), Inclusion(3, 1, 4, 1, 3), False, "declared, but only 25%"),
    ],
    ids=["one to one", "doubt", "chance", "declared"],
)
def test_what_may_mean_something_else_is_told(
    candidate: CompoundCandidate, inclusion: Inclusion, is_one_to_one: bool, told: str
) -> None:
    found = judge_compound(candidate, inclusion, 0.25, is_one_to_one=is_one_to_one)

    assert isinstance(found, LeftOut)
    assert told in found.reason


def test_names_alone_are_a_coincidence_and_a_declared_key_may_have_orphans() -> None:
    some = Inclusion(values=3, values_found=2, rows=4, rows_found=3, target_values=3)

    assert judge_compound(_candidate(), some, 0.25, is_one_to_one=False) is None
    assert isinstance(judge_compound(_candidate(is_declared=True), some, 0.25, is_one_to_one=True), Reference)


def test_two_tables_with_the_same_key_are_told() -> None:
    one, other = (Reference("l", ("a", "b"), table, ("a", "b"), (), "") for table in ("t", "u"))

    assert without_rivals([one])[0] == (one,)
    kept, told = without_rivals([one, other])
    assert kept == ()
    assert {entry.reason for entry in told} == {"nothing decides between `t` and `u`"}


def test_declared_keys_of_several_columns_have_the_role_of_their_names() -> None:
    columns: Columns = {"ship_a_id": [1], "ship_b_id": [1], "a_id": [1], "b_id": [1]}
    names = Names(profiles_of({"l": columns, "t": columns}))
    single = DeclaredKey("l", ("a_id",), "t", ("a_id",))
    (found,) = declared_compounds(names, [single, DeclaredKey("l", ("ship_a_id", "ship_b_id"), "t", ("a_id", "b_id"))])

    assert (found.role, found.is_declared) == (("ship",), True)
