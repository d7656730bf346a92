"""What totals and groups are taken for equal, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from airflow_atscale_aggs.engine.aggregates.verification import (
    ROUNDOFF,
    TABLE_ROWS,
    GroupsQuery,
    TotalsQuery,
    Verification,
    as_text,
    differences,
    first_disagreement,
    group_differences,
    has_changed,
    scale_of,
    totals_of,
    undecidable,
)

SINGLE_ROUNDOFF = 2.0**-24
_ROWS, _SUM, _LEAST = "count_rows(sales)", "sum(sales.weight)", "minimum(sales.name)"
_NAMES = (_ROWS, _SUM, scale_of(_SUM), _LEAST)


def _verification(roundoff: float = ROUNDOFF) -> Verification:
    return Verification(
        fact="sales",
        rows=_ROWS,
        facts=TotalsQuery(sql="", names=_NAMES),
        table=TotalsQuery(sql="", names=(TABLE_ROWS, _ROWS, _SUM, _LEAST)),
        roundoff={_SUM: roundoff},
    )


def _compared(facts: tuple[object, ...], table: tuple[object, ...], roundoff: float = ROUNDOFF) -> list[str]:
    verification = _verification(roundoff)
    totals = totals_of(verification.facts, facts), totals_of(verification.table, table)
    return [difference.measure for difference in differences(verification, *totals)]


@pytest.mark.parametrize(
    ("facts", "table"),
    [
        pytest.param((3, Decimal("1.50"), 9.0, "a"), (2, Decimal(3), Decimal("1.5"), "a"), id="decimals by value"),
        pytest.param((3, 0.1 + 0.2, 0.3, "a"), (2, 3, 0.3, "a"), id="rounding"),
        pytest.param((3, 1e-7, 2e16, "a"), (2, 3, 4.0, "a"), id="what cancels is measured by absolute values"),
        pytest.param((3, float("nan"), float("nan"), "a"), (2, 3, float("nan"), "a"), id="NaN"),
        pytest.param((3, float("inf"), float("inf"), "a"), (2, 3, float("inf"), "a"), id="infinity"),
        pytest.param((3, None, None, None), (2, 3, None, None), id="NULL"),
        pytest.param((0, None, None, None), (0, 0, None, None), id="no facts"),
        pytest.param((3, 1, 1.0, "Größe "), (2, 3, 1, "GROSSE"), id="one of several that a collation takes for equal"),
        pytest.param((3, 1, 1.0, "1.0"), (2, 3, 1, "1.00"), id="a least number as text"),
    ],
)
def test_equal_totals(facts: tuple[object, ...], table: tuple[object, ...]) -> None:
    assert _compared(facts, table) == []


@pytest.mark.parametrize(
    ("facts", "table", "measure"),
    [
        pytest.param((3, 1, 1.0, "a"), (2, 2, 1, "a"), _ROWS, id="row count"),
        pytest.param((3, 1, 1.0, "a"), (0, 0, None, None), _ROWS, id="empty"),
        pytest.param((3, Decimal("1.50"), 9.0, "a"), (2, 3, Decimal("1.51"), "a"), _SUM, id="decimals exactly"),
        pytest.param((3, 10**30, 1.0, "a"), (2, 3, 10**30 + 1, "a"), _SUM, id="whole numbers exactly"),
        pytest.param((3, 1.0, 1.0, "a"), (2, 3, 1.00001, "a"), _SUM, id="floats beyond the tolerance"),
        pytest.param((3, 1.0, 1.0, "a"), (2, 3, None, "a"), _SUM, id="NULL is no number"),
        pytest.param((3, 1.0, 1.0, "a"), (2, 3, float("nan"), "a"), _SUM, id="NaN is no number"),
        pytest.param((3, 1.0, 1.0, "a"), (2, 3, 1.0, "b"), _LEAST, id="least text"),
        pytest.param((3, 1.0, 1.0, "2020-01-01"), (2, 3, 1.0, "2020-01-02"), _LEAST, id="least date"),
    ],
)
def test_unequal_totals(facts: tuple[object, ...], table: tuple[object, ...], measure: str) -> None:
    assert _compared(facts, table) == [measure]


def test_an_empty_table_is_told_as_such() -> None:
    """Facts have rows, the aggregate has none."""
    verification = _verification()
    facts, table = (60, 1.0, 1.0, "a"), (0, 0, None, None)

    (difference,) = differences(
        verification, totals_of(verification.facts, facts), totals_of(verification.table, table)
    )

    assert str(difference) == f"`{_ROWS}` should be 60 but is 0, the table is empty"


def test_single_precision_over_many_rows_decides_nothing_and_says_so() -> None:
    """Sixteen million additions of 24 bits may be wrong by anything."""
    facts, table = (10**7, 5.0, 5.0, "a"), (9, 10**7, 7.0, "a")

    assert _compared(facts, table, SINGLE_ROUNDOFF) == []
    assert _compared(facts, table, ROUNDOFF) == [_SUM]
    totals = totals_of(_verification().facts, facts), totals_of(_verification().table, table)
    (reason,) = undecidable(_verification(SINGLE_ROUNDOFF), *totals)
    assert reason.startswith(f"`{_SUM}`: floating sums over 10,000,000 rows")
    assert undecidable(_verification(), *totals) == ()


def test_floating_numbers_where_exact_ones_were_meant_decide_nothing_and_say_so() -> None:
    """They agree, and what differs is still seen."""
    verification = replace(_verification(), exact=(_ROWS, _SUM, "c", "d"), roundoff={})
    facts = {_ROWS: "60", _SUM: "~12.3", "c": "~1.0", "d": "~2.0", scale_of(_SUM): "9"}
    table = {TABLE_ROWS: "3", _ROWS: "~60.0", _SUM: "~12.299999999999999", "c": "~1.0", "d": "~2.0"}

    assert differences(verification, facts | {_LEAST: "a"}, table | {_LEAST: "a"}) == ()
    (reason,) = undecidable(verification, facts, table)
    assert reason.startswith(f"exact numbers came back as floating ones (`{_ROWS}`, `{_SUM}`, `c`, …)")
    (difference,) = differences(verification, facts | {_LEAST: "a"}, table | {_ROWS: "~61.0", _LEAST: "a"})
    assert str(difference) == f"`{_ROWS}` should be 60 but is 61.0"
    assert differences(verification, facts | {_LEAST: "a"}, table | {TABLE_ROWS: "~0.0", _LEAST: "a"})


def test_rounding_is_no_change_of_the_facts() -> None:
    verification = _verification()
    before, same, after = (
        totals_of(verification.facts, row) for row in ((3, 0.3, 0.3, "a"), (3, 0.1 + 0.2, 0.3, "a"), (4, 0.3, 0.3, "a"))
    )

    assert not has_changed(verification, before, same)
    assert has_changed(verification, before, after)


@pytest.mark.parametrize(
    ("other", "measure"),
    [
        ({_ROWS: "3", _SUM: "5"}, ""),
        ({_ROWS: "4", _SUM: "6"}, _ROWS),
        ({_ROWS: "3", _SUM: "6"}, _SUM),
        ({_ROWS: "3"}, ""),
        ({_SUM: "6"}, ""),
        ({_ROWS: "3", scale_of(_SUM): "9", TABLE_ROWS: "1", "of another aggregate": "7"}, ""),
    ],
    ids=["the same", "rows first", "a sum", "only what both have", "no row count", "scales and numbers of groups"],
)
def test_the_first_measure_of_which_two_aggregates_show_other_totals(other: dict[str, str], measure: str) -> None:
    totals = {_ROWS: "3", _SUM: "5", scale_of(_SUM): "5", TABLE_ROWS: "2"}

    assert first_disagreement(_verification(), totals, other) == measure


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (Decimal("12345678901234567890123456789012345678.10"), Decimal("12345678901234567890123456789012345678.1")),
        (Decimal("-0.00"), 0),
        (
            datetime(2020, 1, 1, 12, tzinfo=UTC),
            datetime(2020, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_equal_values_have_equal_texts(value: object, other: object) -> None:
    assert as_text(value) == as_text(other)


def test_groups_that_disagree_are_told_by_key_and_measure() -> None:
    """Missing, doubled, surplus and changed groups."""
    query = GroupsQuery(sql="", keys=("city", "matched"), measures=(_ROWS, _SUM), is_sample=False)
    rows = [
        ("North", "1", 0, 1, 1, "3", None, 1, "5.5", None),
        ("South", "1", 2, 1, 0, "3", "3", 0, "5.5", "5.5"),
        ("West", "1", 1, 0, 1, None, "3", 1, None, "5.5"),
        (None, "0", 1, 1, 0, "3", "3", 1, "5.5", "6.5"),
    ]

    sentences = [str(difference) for difference in group_differences(query, rows, _ROWS)]

    assert sentences == [
        f"`{_ROWS}` of group (city = North, matched = 1) should be 3 but is not there",
        "`rows of the group` of group (city = South, matched = 1) should be 1 but is 2",
        f"`{_ROWS}` of group (city = West, matched = 1) should be not there but is 3",
        f"`{_SUM}` of group (city = NULL, matched = 0) should be 5.5 but is 6.5",
    ]
