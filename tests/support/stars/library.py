"""A library as a file of Apache Ossie, with readers that are not there, NULLs and ties."""

from __future__ import annotations

from pathlib import Path

import duckdb

FILE = Path(__file__).parents[2] / "cases" / "ossie" / "library.yaml"

_TABLES = (
    "CREATE SCHEMA library",
    """CREATE TABLE library.loans AS SELECT * FROM (VALUES
        (1, 1, 'a', DATE '2023-12-30', DATE '2024-01-13', 14, 1.0, NULL),
        (2, 1, 'A', DATE '2024-01-02', DATE '2024-01-16', 20, 1.0, 2.5),
        (3, 2, 'b', DATE '2024-01-02', DATE '2024-01-16', NULL, NULL, NULL),
        (4, NULL, 'b', DATE '2024-01-03', NULL, 3, 0.5, NULL),
        (5, 99, NULL, DATE '2024-05-01', DATE '2024-05-15', 15, 4.0, 1.0),
        (6, 3, NULL, NULL, DATE '2030-01-01', 15, 4.0, 1.0)
    ) AS loans (loan_id, reader_id, shelf, lent_on, due_on, days_out, fee, fine)""",
    """CREATE TABLE library.readers AS SELECT * FROM (VALUES
        (1, 'Ada', 30, 'NO', 'Oslo', NULL), (2, 'Ada', NULL, 'NO', 'Moss', 1), (3, 'Bo', 50, NULL, NULL, 1),
        (4, 'Cy', 20, 'SE', 'Oslo', 2)
    ) AS readers (reader_id, name, age, country, town, inviter)""",
    """CREATE TABLE library.towns AS SELECT * FROM (VALUES
        ('NO', 'Oslo', 'east'), ('NO', 'Moss', NULL), ('SE', 'Oslo', 'west')
    ) AS towns (country, town, region)""",
    """CREATE TABLE library.calendar AS
        SELECT CAST(range AS DATE) AS day FROM range(TIMESTAMP '2023-12-01', TIMESTAMP '2024-06-01', INTERVAL 1 DAY)""",
)


def make_library(database: Path) -> str:
    """Make the tables in a DuckDB file; its URL."""
    with duckdb.connect(str(database)) as connection:
        for statement in _TABLES:
            connection.execute(statement)
    return f"duckdb:///{database}"
