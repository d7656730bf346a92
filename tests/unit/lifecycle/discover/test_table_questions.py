"""What is asked of tables: few rows of big ones, all rows of keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.lifecycle.discover.table_questions import TableQuestions, chosen_names
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse


@pytest.fixture
def questions(tmp_path: Path) -> Iterator[TableQuestions]:
    """A table of 50,000 rows whose key is there twice once, and a wide one, in a schema named as the database."""
    with duckdb.connect(str(tmp_path / "same.duckdb")) as connection:
        connection.execute("CREATE SCHEMA same.same")
        connection.execute(
            "CREATE TABLE same.same.big AS SELECT CASE i WHEN 9 THEN 8 ELSE i END AS id FROM range(50000) t(i)"
        )
        wide = ", ".join(f"i + {number} AS c{number}" for number in range(300))
        connection.execute(f"CREATE TABLE same.same.wide AS SELECT {wide}, [1] AS list FROM range(3) t(i)")
        connection.execute("CREATE VIEW same.same.broken AS SELECT CAST('x' AS INT) AS a")
    warehouse = open_warehouse(f"duckdb:///{tmp_path / 'same.duckdb'}")
    with warehouse.session() as session:
        keys = [(None, "same", name) for name in ("big", "wide", "broken")]
        found = session.columns(keys)
        asked = TableQuestions(session, 1000, lambda _: None, {}, [])
        asked.look_at_all({key[2]: found[key] for key in keys})
        yield asked
    warehouse.close()


def test_big_tables_are_sampled_and_their_keys_proven_on_all_rows(questions: TableQuestions) -> None:
    big = questions.tables["big"]

    assert big.rows == 50_000
    assert big.is_sampled
    assert questions.prove_keys([("big", "id"), ("wide", "c0")]) == {("wide", "c0")}


def test_wide_tables_are_looked_at_in_parts_and_broken_views_are_told(questions: TableQuestions) -> None:
    wide = questions.tables["wide"]

    assert len(wide.columns) == 301
    assert {column.values for column in wide.in_order} == {3, 0}
    assert questions.database == "same"
    assert [entry.what for entry in questions.left_out] == ["broken"]


def test_inclusions_and_dependencies_are_counted(questions: TableQuestions) -> None:
    inclusion = questions.inclusion(("wide", ["c0"]), ("wide", ["c1"]))

    assert (inclusion.values, inclusion.values_found) == (3, 2)
    assert questions.determines("wide", ["c0"], "c1") == 0
    assert chosen_names(["A", "b"], ["a*"], []) == ["A"]
