"""Declared keys are read from the catalog, and compound ones are proven on all rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.discovery.references import DeclaredKey, LeftOut, Names, Reference
from airflow_atscale_aggs.engine.lifecycle.discover.compound_keys import CompoundKeys, declared_keys
from airflow_atscale_aggs.engine.lifecycle.discover.table_questions import TableQuestions
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_STATEMENTS = (
    "CREATE TABLE regions (code INT, part INT, PRIMARY KEY (code, part))",
    "CREATE TABLE shops (no INT PRIMARY KEY, c INT, p INT, FOREIGN KEY (c, p) REFERENCES regions)",
    "CREATE TABLE sales (shop INT REFERENCES shops, c INT, p INT, FOREIGN KEY (c, p) REFERENCES regions (code, part))",
    "CREATE TABLE boxes (a INT, b INT, pa INT, pb INT, PRIMARY KEY (a, b), FOREIGN KEY (pa, pb) REFERENCES boxes)",
    "INSERT INTO boxes VALUES (1, 1, NULL, NULL)",
    "INSERT INTO boxes VALUES (1, 2, 1, 1)",
    "CREATE TABLE twice AS SELECT 1 AS code, 1 AS part FROM range(2)",
    "INSERT INTO regions VALUES (1, 1), (1, 2), (2, 1)",
    "INSERT INTO shops VALUES (1, 1, 1), (2, 1, 2), (3, 1, 1)",
    "INSERT INTO sales SELECT 1 + i % 3, 1, 1 + i % 2 FROM range(20) AS t (i)",
)


@pytest.fixture
def questions(tmp_path: Path) -> Iterator[TableQuestions]:
    """Tables with declared keys, and one whose rows are there twice."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        for statement in _STATEMENTS:
            connection.execute(statement)
    warehouse = open_warehouse(f"duckdb:///{tmp_path / 'w.duckdb'}")
    with warehouse.session() as session:
        keys = [(None, "main", name) for name in ("regions", "shops", "sales", "boxes", "twice")]
        found = session.columns(keys)
        asked = TableQuestions(session, 1000, lambda _: None, {}, [])
        asked.look_at_all({key[2]: found[key] for key in keys})
        yield asked
    warehouse.close()


def test_declared_keys_are_read_with_their_columns_in_order(questions: TableQuestions) -> None:
    assert set(declared_keys(questions, "main")) == {
        DeclaredKey("shops", ("c", "p"), "regions", ("code", "part")),
        DeclaredKey("sales", ("shop",), "shops", ("no",)),
        DeclaredKey("sales", ("c", "p"), "regions", ("code", "part")),
        DeclaredKey("boxes", ("pa", "pb"), "boxes", ("a", "b")),
    }
    del questions.tables["regions"]
    assert {key.to_table for key in declared_keys(questions, "")} == {"shops", "boxes"}


def test_a_declared_key_is_proven_by_the_data(questions: TableQuestions) -> None:
    declared = [*declared_keys(questions, "main"), DeclaredKey("sales", ("c", "p"), "twice", ("code", "part"))]
    keys = CompoundKeys(questions, Names(questions.tables), frozenset(), declared, 0.25)
    references, told = keys.references(())

    assert {(each.table, each.columns, each.to_table) for each in references if isinstance(each, Reference)} == {
        ("shops", ("c", "p"), "regions"),
        ("sales", ("c", "p"), "regions"),
    }
    what = "sales (c, p) to twice (code, part)"
    assert told == [
        LeftOut(what, "declared as a foreign key, but its values are there more than once"),
        LeftOut("boxes (pa, pb)", "parents and children of one table cannot be said in SML"),
    ]


def test_a_column_that_leads_there_alone_is_enough_and_several_declared_keys_all_hold(
    questions: TableQuestions,
) -> None:
    declared = [
        DeclaredKey("sales", ("c", "p"), "regions", ("code", "part")),
        DeclaredKey("sales", ("c", "p"), "boxes", ("a", "b")),
        DeclaredKey("shops", ("c", "p"), "regions", ("code", "part")),
    ]
    known = [Reference("shops", ("p",), "regions", ("part",), (), "")]
    keys = CompoundKeys(questions, Names(questions.tables), frozenset(), declared, 0.25)
    references, told = keys.references(known)

    assert [(each.table, each.to_table) for each in references] == [("sales", "regions"), ("sales", "boxes")]
    assert told == [LeftOut("shops (c, p) to regions (code, part)", "`p` leads there already")]
