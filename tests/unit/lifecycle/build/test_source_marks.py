"""The state of a dataset is marked, and told from a later one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets, take_marks, unmarked_datasets
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars.small_star import CITY, SmallStar, part, small_star, table_dataset

_BY_CITY = part(CITY)


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Two sales, one of them without an amount, in one of two shops."""
    with small_star() as star:
        star.add("shop", "shop_id city:varchar owner:varchar", "1, 'N', 'Ann'", "2, NULL, 'Bob'")
        star.add("sales", "shop_id amount note:varchar", "1, 5, 'x'", "1, NULL, 'y'")
        yield star


def test_every_dataset_that_a_part_reads_is_marked(star: SmallStar) -> None:
    marks = take_marks(star.session, [_BY_CITY], star.sources())

    # A number of rows, and a sum of hashes.
    assert {mark.dataset: (mark.mark or "").partition("/")[0] for mark in marks} == {"sales": "2", "shop": "2"}
    assert unmarked_datasets(marks) == ()


def test_a_dataset_of_which_little_is_to_be_read_gets_no_mark(star: SmallStar) -> None:
    marks = take_marks(star.session, [_BY_CITY], star.sources(), unmarked={"sales", "returns"})

    assert {mark.dataset: mark.mark is None for mark in marks} == {"sales": True, "shop": False}
    assert unmarked_datasets(marks) == ("sales",)
    assert changed_datasets(star.session, marks) == ()


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("SELECT 1", ()),
        ("INSERT INTO sales VALUES (2, 7, 'z')", ("sales",)),
        ("DELETE FROM sales WHERE amount IS NULL", ("sales",)),
        ("UPDATE sales SET amount = 6 WHERE amount = 5", ("sales",)),
        ("UPDATE sales SET shop_id = 2 WHERE amount = 5", ("sales",)),
        ("INSERT INTO sales SELECT * FROM sales", ("sales",)),
        ("UPDATE shop SET city = 'S' WHERE shop_id = 2", ("shop",)),
        ("DROP TABLE shop", ("shop",)),
        # No aggregate reads these columns.
        ("UPDATE sales SET note = NULL", ()),
        ("UPDATE shop SET owner = 'Cy'", ()),
        # The order of rows does not count.
        ("CREATE OR REPLACE TABLE sales AS SELECT * FROM sales ORDER BY amount DESC", ()),
    ],
)
def test_a_dataset_that_was_changed_is_told_by_its_mark(
    star: SmallStar, statement: str, changed: tuple[str, ...]
) -> None:
    marks = take_marks(star.session, [_BY_CITY], star.sources())

    star.run(statement)

    assert changed_datasets(star.session, marks) == changed


def test_a_dataset_without_a_table_is_not_marked(star: SmallStar) -> None:
    """What needs it is refused by the plan."""
    star.run("DROP TABLE shop")

    assert [mark.dataset for mark in take_marks(star.session, [_BY_CITY], star.sources())] == ["sales"]


def test_a_dataset_that_cannot_be_computed_has_no_mark() -> None:
    with small_star() as star:
        star.add("rows", "amount:varchar", "'five'")
        star.run("CREATE VIEW sales AS SELECT CAST(amount AS INTEGER) AS amount FROM rows")
        star.datasets["sales"] = table_dataset("sales", ["amount"])

        (mark,) = take_marks(star.session, [part()], star.sources())

        assert mark.mark is None
        assert unmarked_datasets([mark]) == ("sales",)
        # Nobody can tell whether it has changed.
        assert changed_datasets(star.session, [mark]) == ()


def test_a_dataset_that_cannot_be_computed_keeps_no_other_from_its_mark() -> None:
    with small_star() as star:
        star.add("shop", "shop_id city:varchar", "1, 'N'")
        star.add("rows", "shop_id amount:varchar", "1, 'five'")
        star.run("CREATE VIEW sales AS SELECT shop_id, CAST(amount AS INTEGER) AS amount FROM rows")
        star.datasets["sales"] = table_dataset("sales", ["shop_id", "amount"])

        marks = take_marks(star.session, [_BY_CITY], star.sources())

        assert {mark.dataset: mark.mark is None for mark in marks} == {"sales": True, "shop": False}
        star.run("INSERT INTO shop VALUES (2, 'S')")
        assert changed_datasets(star.session, marks) == ("shop",)


def test_all_datasets_are_marked_in_one_round_trip(star: SmallStar, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, sent = star.sources(), list[str]()
    fetch_all = DbApiSession.fetch_all

    def noted(session: DbApiSession, sql: str) -> list[Row]:
        sent.append(sql)
        return fetch_all(session, sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", noted)

    changed_datasets(star.session, take_marks(star.session, [_BY_CITY], sources))

    assert len(sent) == 2


def test_marks_are_compared_by_the_query_that_has_made_them(star: SmallStar) -> None:
    marks = [SourceMark(dataset="b", sql="SELECT 1, 2", mark="1/2"), SourceMark(dataset="a", sql="SELECT 1", mark="2")]

    assert changed_datasets(star.session, [*marks, SourceMark(dataset="c", sql="SELECT NULL, 3", mark="/3")]) == ("a",)


_IN_FILES = replace(
    find_dialect("duckdb"),
    plans_unions_slowly=True,
    file_version=("file_path", "file_size", "file_modification_time"),
)
"""A warehouse that tells of each row the file that it is in."""

_STRUCT = "file_path VARCHAR, file_size BIGINT, file_modification_time TIMESTAMP"


def _rows_in_files(star: SmallStar, name: str, *paths: str) -> FactPart:
    """A table with a row in each file, and an aggregate that counts its rows."""
    star.run(f"CREATE TABLE {name} (a INTEGER, _metadata STRUCT({_STRUCT}))")
    star.datasets[name] = table_dataset(name, ["a"])
    for path in paths:
        star.run(f"INSERT INTO {name} VALUES (1, ROW('{path}', 10, TIMESTAMP '2026-01-01'))")
    return FactPart(fact=name, attributes=(), measures=(row_count(name),))


def test_tables_are_marked_by_their_files_in_one_pass_as_each_by_itself(star: SmallStar) -> None:
    """Two files of which one is named as a file of another table, one that has one row, and no file."""
    parts = [_rows_in_files(star, "first", "x", "x", "y"), _rows_in_files(star, "second", "x")]
    parts.append(_rows_in_files(star, "empty"))
    star.session.dialect = _IN_FILES
    sources = star.sources(_IN_FILES)

    marks = take_marks(star.session, parts, sources)

    by_dataset = {mark.dataset: mark for mark in marks}
    assert by_dataset == {one.fact: take_marks(star.session, [one], sources)[0] for one in parts}
    assert all("_metadata" in mark.sql for mark in marks)
    assert {name: (mark.mark or "").partition("/")[0] for name, mark in by_dataset.items()} == {
        "first": "3",
        "second": "1",
        "empty": "",
    }
    assert changed_datasets(star.session, marks) == ()
    star.run("INSERT INTO empty SELECT * FROM second", "DELETE FROM first WHERE _metadata.file_path = 'y'")
    assert changed_datasets(star.session, marks) == ("empty", "first")
    star.run("DROP TABLE second")
    assert changed_datasets(star.session, marks) == ("empty", "first", "second")
