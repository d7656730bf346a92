"""What a catalog describes of sources, and checksums that show which rows were changed."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, changed_rows, read_checksum
from airflow_atscale_aggs.engine.model.datasets import Dataset, SqlVariant, TableColumns
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.source_descriptions import (
    ChecksumRequest,
    Descriptions,
    checksum_statement,
    columns_of_part,
    describe_column,
    descriptions_query,
    find_unlisted_columns,
    identities_query,
    probe_statement,
    read_descriptions,
    relation_kind,
    table_mark,
)
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.sql.statements import render, table
from tests.support.stars.small_star import (
    CITY,
    DUCKDB,
    SmallStar,
    calculation,
    described_sources,
    measures,
    part,
    table_dataset,
)

POSTGRES, TRINO = find_dialect("postgres"), find_dialect("trino")
_SALES, _SHOWN = ("memory", "main", "sales"), ("memory", "main", "shown")


def test_the_columns_that_a_part_stores_joins_by_or_is_cut_by() -> None:
    assert columns_of_part(part(CITY, measures=measures("sum count")), "at") == {
        ("sales", "at"),
        ("sales", "amount"),
        ("sales", "shop_id"),
        ("shop", "shop_id"),
        ("shop", "city"),
    }


def test_duckdb_describes_tables_and_views(star: SmallStar) -> None:
    star.run(
        "CREATE TABLE sales (n INTEGER NOT NULL, amount DECIMAL(9,2), city VARCHAR COLLATE nocase)",
        "CREATE VIEW shown AS SELECT amount FROM sales",
    )
    query = descriptions_query([_SALES, _SHOWN, ("memory", None, "it's")], DUCKDB)

    assert query is not None
    assert read_descriptions(star.rows(query), DUCKDB) == {
        _SALES: {"": "table", "n": "INTEGER NOT NULL", "amount": "DECIMAL(9,2)", "city": "VARCHAR COLLATE nocase"},
        _SHOWN: {"": "view", "amount": "DECIMAL(9,2)"},
    }


@pytest.mark.parametrize(("places", "dialect"), [([], "duckdb"), ([_SALES], "trino")], ids=["no tables", "not told"])
def test_nothing_is_asked_where_nothing_is_described(places: list[tuple[str, str, str]], dialect: str) -> None:
    assert descriptions_query(places, find_dialect(dialect)) is None


def test_collations_of_a_text_that_cannot_be_read_are_not_described() -> None:
    rows = [("d", "s", "t", "", "table", "CREATE TABLE ("), ("d", "s", "t", "a", "VARCHAR", None)]

    assert read_descriptions(rows, DUCKDB) == {("d", "s", "t"): {"": "table", "a": "VARCHAR"}}


def _described() -> tuple[Sources, Descriptions]:
    """A table that the catalog describes, with calculations, and a query."""
    spelled = TableColumns({"Amount": "decimal(9,2)", "code": "text", "extra": "integer"}, ("db", "main", "Sales"))
    dataset = table_dataset("sales", ["amount", "code", "extra"])
    columns = {
        **dataset.columns,
        "double": calculation("double", "amount * 2 + extra", "decimal"),
        "now": calculation("now", "CURRENT_TIMESTAMP", "timestamp"),
    }
    sales = Dataset(name="sales", table="sales", columns=columns)
    query = Dataset(name="q", columns={}, variants=(SqlVariant(dialect=None, sql="SELECT a FROM sales"),))
    sources = Sources({"sales": sales, "q": query}, {(None, None, "sales"): spelled}, POSTGRES)
    return sources, {("db", "main", "Sales"): {"": "table", "Amount": "numeric(9,2) #1", "code": "text NOT NULL #2"}}


@pytest.mark.parametrize(
    ("dataset", "column", "probed", "expected"),
    [
        ("sales", "amount", {}, "numeric(9,2) #1"),
        ("sales", "extra", {}, "integer"),
        ("sales", "double", {}, "decimal of Amount numeric(9,2) #1"),
        ("sales", "double", {"double": "numeric"}, "numeric of Amount numeric(9,2) #1"),
        ("sales", "now", {"now": "timestamptz"}, "timestamptz"),
        ("sales", "now", {}, "timestamp"),
        ("sales", "gone", {"gone": "integer"}, ""),
        ("q", "a", {"a": "bigint"}, "bigint"),
        ("q", "a", {}, ""),
    ],
    ids=[
        *("as the catalog says", "a type only", "a calculation", "a probed calculation"),
        *("a probed constant", "a constant", "not there", "of a query", "of a query, not probed"),
    ],
)
def test_how_a_column_is_described(dataset: str, column: str, probed: dict[str, str], expected: str) -> None:
    """A calculation is described by its type and by the columns that it is made of."""
    sources, descriptions = _described()

    assert describe_column(sources[dataset], column, descriptions, probed) == expected


def test_what_kind_of_relation_a_dataset_is() -> None:
    sources, descriptions = _described()

    assert relation_kind(sources["sales"], descriptions) == "table"
    assert relation_kind(sources["sales"], {}) == ""
    assert relation_kind(sources["q"], descriptions) == "query"


def test_calculations_and_columns_of_queries_are_described_by_no_catalog() -> None:
    sources, _ = _described()

    assert find_unlisted_columns(sources["sales"], ["now", "amount", "gone", "double"]) == ("double", "now")
    assert find_unlisted_columns(sources["q"], ["b", "a"]) == ("a",)


def test_a_probe_has_the_types_of_columns_and_no_rows(star: SmallStar) -> None:
    star.add("sales", "amount:decimal(9,2)", "1", calculated={"half": "amount / 2", "label": "'x'"})
    source = star.sources()["sales"]

    probe = probe_statement(source, ["half", "label"])

    assert probe is not None
    assert star.rows(probe) == []
    assert star.types(probe) == {"half": "DOUBLE", "label": "VARCHAR"}
    assert probe_statement(source, []) is None


def test_the_identities_of_all_tables_that_a_fact_names_are_asked_for() -> None:
    """A query may name several, and names of its own."""
    text = (
        "WITH own AS (SELECT * FROM s.a) SELECT own.x FROM own JOIN b ON TRUE JOIN (SELECT * FROM s.own) AS z ON TRUE"
    )
    own_query = Dataset(name="it's", columns={}, variants=(SqlVariant(dialect=None, sql=text),))
    sources = described_sources("postgres", own_query, sales="amount integer")

    query = identities_query(["sales", "it's"], sources)

    assert query is not None
    rows = query.partition("(VALUES ")[2].partition(") AS t (dataset")[0]
    assert rows.split("), (")[-1] == "'sales', '\"sales\"')"
    tables = [row.partition("', '")[2].rstrip("')") for row in rows.split("), (")[:-1]]
    assert sorted(tables) == ['"b"', '"s"."a"', '"s"."own"']
    assert rows.count("'it''s'") == 3


def test_identities_are_not_asked_for_where_there_are_none() -> None:
    assert identities_query(["sales"], described_sources("duckdb", sales="amount integer")) is None
    assert identities_query([], described_sources("postgres", sales="amount integer")) is None


_UP_TO_100 = RowRange(column="n", kind=IndicatorKind.INTEGER, through=100)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("CREATE OR REPLACE TABLE sales AS SELECT * FROM sales ORDER BY amount DESC", ""),
        ("INSERT INTO sales VALUES (101, 1, 'x'), (NULL, 1, 'x')", ""),
        ("INSERT INTO sales VALUES (7, 1, 'late')", ""),
        ("UPDATE sales SET note = 'other'", ""),
        ("UPDATE sales SET amount = NULL WHERE n > 100", ""),
        ("UPDATE sales SET amount = NULL WHERE n = 7", "are not what they were"),
        ("UPDATE sales SET amount = amount + 1", "are not what they were"),
        ("DELETE FROM sales WHERE n = 7", "are not what they were"),
        ("INSERT INTO sales SELECT * FROM sales", "have become so many more"),
    ],
)
def test_which_changes_of_older_rows_a_checksum_shows(star: SmallStar, change: str, expected: str) -> None:
    """Rows that come late are no change, unless they are everywhere."""
    star.add("sales", "n amount note:varchar", *(f"{number}, {number % 3}, 'x'" for number in range(1, 120)))
    request = ChecksumRequest(_UP_TO_100, ("n", "amount"))
    before = _checksum(star, request)

    star.run(change)

    reason = changed_rows(before[0], _checksum(star, request)[0])
    assert reason.startswith(expected) if expected else reason == ""
    assert before[1] == 100


def _checksum(star: SmallStar, request: ChecksumRequest) -> tuple[Checksum, int]:
    """The checksum of the sales, and how many rows are in it."""
    statement = checksum_statement(request, star.sources()["sales"])
    assert statement is not None
    checksum = read_checksum(request.columns, [(row[0], row[1], row[2]) for row in star.rows(statement)])
    assert checksum is not None
    return checksum, sum(rows for rows, _ in checksum.buckets.values())


def test_rows_are_summed_up_by_hashes_of_their_values_or_by_their_versions_on_postgres() -> None:
    source = described_sources("postgres", sales="n integer, amount integer")["sales"]

    by_values = _text(checksum_statement(ChecksumRequest(_UP_TO_100, ("n", "amount")), source))
    by_versions = _text(checksum_statement(ChecksumRequest(_UP_TO_100, ()), source))

    bucket = 'HASHTEXTEXTENDED(CAST(ROW("f"."n") AS TEXT), 0) % 64'
    for text in (by_values, by_versions):
        assert text.startswith(f'SELECT {bucket} AS "bucket", COUNT(*) AS "counted", CAST(SUM(')
        assert text.endswith(f" GROUP BY {bucket}")
    assert 'SUM(HASHTEXTEXTENDED(CAST(ROW("f"."n", "f"."amount") AS TEXT), 0))' in by_values
    assert 'WHERE "f"."n" <= 100 GROUP' in by_values
    assert 'SUM(CAST(CAST("f"."xmin" AS TEXT) AS BIGINT))' in by_versions
    assert """WHERE "f"."n" <= 100 AND "f"."ctid" < CAST('(64,0)' AS tid) GROUP""" in by_versions


def _text(statement: exp.Select | None) -> str:
    assert statement is not None
    return render(statement, POSTGRES)


@pytest.mark.parametrize(("dialect", "columns"), [("trino", ("n",)), ("duckdb", ())], ids=["no hashes", "no versions"])
def test_nothing_is_summed_up_where_the_warehouse_has_no_way_to_do_it(dialect: str, columns: tuple[str, ...]) -> None:
    source: DatasetSource = described_sources(dialect, sales="n integer")["sales"]

    assert checksum_statement(ChecksumRequest(_UP_TO_100, columns), source) is None


def test_a_table_of_ours_is_told_from_anothers_by_its_rows_on_duckdb(star: SmallStar) -> None:
    star.add("agg", "city:varchar amount", "'N', 1", "NULL, 2")
    mark = f'SELECT {render(table_mark(table("agg"), ["city", "amount"], DUCKDB), DUCKDB)} FROM "agg"'
    before = star.rows(mark)

    star.run("CREATE OR REPLACE TABLE agg AS SELECT * FROM agg ORDER BY amount DESC")
    assert star.rows(mark) == before

    star.run("UPDATE agg SET amount = 3 WHERE city IS NULL")
    assert star.rows(mark) != before


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            "postgres",
            """MAX(CAST(TO_REGCLASS('"aggs"."it''s"') AS BIGINT)) + SUM(HASHTEXTEXTENDED(CAST("xmin" AS TEXT), 0))""",
        ),
        ("snowflake", 'SUM(HASH("city"))'),
        ("trino", "NULL"),
    ],
)
def test_how_a_table_of_ours_is_marked(dialect: str, expected: str) -> None:
    """By its number in the catalog and the versions of its rows, else by its values, else not at all."""
    row = find_dialect(dialect)

    assert render(table_mark(table("it's", "aggs"), ["city"], row), row) == expected
