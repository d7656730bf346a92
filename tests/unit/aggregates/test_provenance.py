"""What speaks for it that sources are not what they were."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.provenance import (
    Checksum,
    SourceState,
    add_checksums,
    changed_columns,
    changed_rows,
    read_checksum,
    read_identities,
    replaced_table,
)


def _checksum(*buckets: tuple[int, int], columns: tuple[str, ...] = ("a",)) -> Checksum:
    return Checksum(columns=columns, buckets={str(number): bucket for number, bucket in enumerate(buckets)})


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (_checksum((2, 7), (1, 5)), ""),
        (_checksum((2, 8), (1, 5)), "are not what they were"),
        (_checksum((1, 7), (1, 5)), "are not what they were"),
        (_checksum((3, 8), (1, 5)), ""),
        (_checksum((3, 8), (1, 6)), "are not what they were"),
        (_checksum((3, 8), (2, 6)), "have become so many more"),
        (_checksum((2, 7)), "are not what they were"),
        (_checksum((2, 7), (1, 5), (4, 4)), ""),
        (_checksum((2, 8), (1, 5), columns=("b",)), ""),
    ],
    ids=["same", "other", "fewer", "late", "late and other", "all grown", "gone", "a bucket more", "of other columns"],
)
def test_late_rows_hide_no_others(now: Checksum, expected: str) -> None:
    """A bucket that has grown says nothing; each of the others must be what it was."""
    assert changed_rows(_checksum((2, 7), (1, 5)), now).startswith(expected)
    assert bool(changed_rows(_checksum((2, 7), (1, 5)), now)) is bool(expected)


def test_checksums_of_ranges_add_up() -> None:
    """To that of all their rows, whatever the size of the sums; one that is not known makes all unknown."""
    first = read_checksum(("a",), [("0", "2", str(2**70)), (-5, 1, -3)])
    other = read_checksum(("a",), [(0, 1, 5)])

    assert add_checksums([first, other]) == read_checksum(("a",), [(0, 3, 2**70 + 5), (-5, 1, -3)])
    assert add_checksums([first, None]) is None
    assert add_checksums([first, read_checksum(("b",), [])]) is None
    assert add_checksums([]) is None


def test_a_sum_that_has_lost_digits_is_no_checksum() -> None:
    """Some warehouses add hashes up as floating numbers."""
    assert read_checksum(("a",), [(0, 1.0, 5.0)]) == read_checksum(("a",), [(0, 1, 5)])
    assert read_checksum(("a",), [(0, 1, 5), (1, 2, 1.3139334506720625e19)]) is None
    assert read_checksum(("a",), [(0, 1, "1.3139334506720625e+19")]) is None


def test_the_first_column_that_differs_is_told() -> None:
    """Also one that nobody noted, or that is there no more."""
    before = SourceState(columns={"sales": "table", "sales.amount": "DECIMAL(9,0)"})

    assert changed_columns(before, before) == ""
    now = SourceState(columns={"sales": "table", "sales.amount": "DECIMAL(9,2)"})
    assert changed_columns(before, now) == "`sales.amount` was DECIMAL(9,0) and is now DECIMAL(9,2)"
    assert "no longer known" in changed_columns(before, SourceState(columns={"sales": "table"}))
    again = SourceState(columns={"sales": "table", "sales.amount": "numeric(9,0) #5"})
    former = SourceState(columns={"sales": "table", "sales.amount": "numeric(9,0) #3"})
    assert changed_columns(former, again) == (
        "`sales.amount` is another column than it was: it was dropped and added again"
    )
    assert changed_columns(former, before) == "`sales.amount` was numeric(9,0) and is now DECIMAL(9,0)"
    more = SourceState(columns={**before.columns, "sales.price": "REAL"})
    assert changed_columns(before, more) == "`sales.price` was not noted when it was built"


def test_tables_that_have_come_replace_none() -> None:
    """A new partition; a table without an identity makes all unknown."""
    before = SourceState(tables={"old": "1/1", "new": "2/2"})

    assert replaced_table(before, SourceState(tables={"old": "1/1", "new": "2/2", "newer": "3/3"})) == ""
    assert replaced_table(before, SourceState(tables={"old": "1/9", "new": "2/2"})) == "old"
    assert replaced_table(before, SourceState(tables={"new": "2/2"})) == "old"
    assert replaced_table(before, SourceState(tables=None)) == ""
    assert read_identities([("f", "a", "1/1"), ("f", "b", None), ("f", "c", "2/2"), ("g", "a", "1/1")]) == {
        "f": None,
        "g": {"a": "1/1"},
    }
