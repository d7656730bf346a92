"""Statements that read tables as of their versions."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.sql.table_versions import places_read, with_versions

_VERSIONS = {("w", "t"): "VERSION AS OF 3", ("u",): "VERSION AS OF 0"}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT x.a FROM w.t AS x", "SELECT x.a FROM w.t VERSION AS OF 3 AS x"),
        ("SELECT `t`.a FROM `W`.`T` `t`", "SELECT `t`.a FROM `W`.`T` VERSION AS OF 3 `t`"),
        (
            "SELECT 'w.t' FROM w.t JOIN u ON w.t.a = u.a",
            "SELECT 'w.t' FROM w.t VERSION AS OF 3 JOIN u VERSION AS OF 0 ON w.t.a = u.a",
        ),
        (
            "CREATE TABLE w.t2 USING delta AS SELECT /* w.t */ * FROM w.t",
            "CREATE TABLE w.t2 USING delta AS SELECT /* w.t */ * FROM w.t VERSION AS OF 3",
        ),
        (
            "SELECT (SELECT MAX(a) FROM u) FROM other WHERE a IN (SELECT a FROM w.t)",
            "SELECT (SELECT MAX(a) FROM u VERSION AS OF 0) FROM other WHERE a IN (SELECT a FROM w.t VERSION AS OF 3)",
        ),
        (
            "SELECT a FROM w.t UNION ALL SELECT a FROM w.t",
            "SELECT a FROM w.t VERSION AS OF 3 UNION ALL SELECT a FROM w.t VERSION AS OF 3",
        ),
    ],
)
def test_versions_stand_behind_names_and_nothing_else_changes(sql: str, expected: str) -> None:
    assert with_versions(sql, _VERSIONS, "spark") == expected


@pytest.mark.parametrize(
    "sql",
    [
        "WITH u AS (SELECT 1 AS a) SELECT * FROM u",
        "CREATE TABLE w.t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT * FROM w.t",
        "ALTER VIEW v AS SELECT * FROM w.t",
        "DROP TABLE IF EXISTS w.t",
        "DESCRIBE TABLE EXTENDED w.t",
        "SELECT * FROM x.w.t",
        "SELECT * FROM t",
    ],
)
def test_what_is_another_table_or_no_reading_stays(sql: str) -> None:
    """A view shows what will be there; a name of WITH is not the table of that name."""
    assert with_versions(sql, _VERSIONS, "spark") == sql


def test_the_places_that_a_statement_reads() -> None:
    sql = "CREATE TABLE aggs.new AS WITH c AS (SELECT * FROM Main.W.T) SELECT * FROM c JOIN u JOIN u AS v"

    assert places_read(sql, "spark") == {("main", "w", "t"), ("u",)}
