"""What the sources of segments are now, what is wrong with segments that stay, and checksums of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.provenance import SourceState
from airflow_atscale_aggs.engine.aggregates.segment import Segment, SegmentKey
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.build.source_changes import (
    Checksums,
    KeptSegments,
    ReadPart,
    checksum_columns,
    damages,
    source_states,
)
from airflow_atscale_aggs.engine.model.paths import JoinKind
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.source_descriptions import ChecksumRequest, table_mark
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import AMOUNT, CITY, DUCKDB, SHOP, SmallStar, attribute, measures, part, small_star

_KEY = ("by_city", "sales")
_BY_CITY = part(CITY)
_READ = {_KEY: ReadPart(part=_BY_CITY, indicator="seq")}
_ALL_ROWS = RowRange(column="seq", kind=IndicatorKind.INTEGER)


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Five sales, of which two are in one city and one is in no shop."""
    with small_star() as star:
        star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'")
        star.add(
            "sales",
            "seq:bigint shop_id amount",
            *("1, 1, 5", "2, 1, NULL", "3, 2, 7", "4, 2, 7", "5, 9, 1"),
            calculated={"twice": "amount * 2", "broken": "no_such_function(amount)"},
        )
        yield star


def test_a_state_describes_every_column_that_is_read(star: SmallStar) -> None:
    (state,) = source_states(star.session, _READ, star.sources()).values()

    assert dict(state.columns) == {
        "sales": "table",
        "sales.amount": "INTEGER",
        "sales.seq": "BIGINT",
        "sales.shop_id": "INTEGER",
        "shop": "table",
        "shop.city": "VARCHAR",
        "shop.shop_id": "INTEGER",
    }
    # DuckDB's catalog does not tell a table from its successor.
    assert state.tables is None


@pytest.mark.parametrize(
    ("statement", "column", "described"),
    [
        ("ALTER TABLE sales ALTER amount TYPE DECIMAL(9,2)", "sales.amount", "DECIMAL(9,2)"),
        ("ALTER TABLE sales ALTER amount SET NOT NULL", "sales.amount", "INTEGER NOT NULL"),
        ("CREATE OR REPLACE TABLE shop (shop_id INTEGER, city VARCHAR COLLATE NOCASE)", "shop.city", "VARCHAR"),
        ("CREATE OR REPLACE TABLE shop (shop_id BIGINT, city VARCHAR)", "shop.shop_id", "BIGINT"),
    ],
)
def test_a_column_that_becomes_another_one_is_described_otherwise(
    star: SmallStar, statement: str, column: str, described: str
) -> None:
    before = source_states(star.session, _READ, star.sources())[_KEY]
    star.run("DELETE FROM sales WHERE amount IS NULL", statement)

    now = source_states(star.session, _READ, star.sources())[_KEY]

    assert now.columns[column].startswith(described)
    assert now.columns[column] != before.columns[column]
    assert {name for name in now.columns if now.columns[name] != before.columns[name]} == {column}


@pytest.mark.parametrize(
    ("column", "described"),
    [("twice", "INTEGER of amount INTEGER"), pytest.param("broken", "string of amount INTEGER", id="not computable")],
)
def test_a_calculation_is_described_by_its_type_and_what_it_reads(star: SmallStar, column: str, described: str) -> None:
    read = {_KEY: ReadPart(part=part(CITY, measures=measures("sum", column)), indicator="seq")}

    state = source_states(star.session, read, star.sources())[_KEY]

    assert state.columns[f"sales.{column}"] == described


def test_a_state_of_a_table_that_is_not_there_is_an_error(star: SmallStar) -> None:
    star.run("DROP TABLE shop")

    with pytest.raises(DefinitionError, match="shop"):
        source_states(star.session, _READ, star.sources())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(SourceState(columns={"sales": "table"}), ("amount", "shop_id"), id="no identities"),
        pytest.param(SourceState(columns={"sales": "table"}, tables={"sales": "7"}), (), id="a table with an identity"),
        pytest.param(SourceState(columns={"sales": "partitioned table"}, tables={}), (), id="a partitioned one"),
        pytest.param(SourceState(columns={"sales": "view"}, tables={"t": "7"}), ("amount", "shop_id"), id="a view"),
    ],
)
def test_versions_of_rows_are_summed_up_only_where_a_table_is_told_from_others(
    state: SourceState, expected: tuple[str, ...]
) -> None:
    assert checksum_columns(state, "sales", ["shop_id", "amount"]) == expected


@pytest.mark.parametrize(
    ("statement", "is_same"),
    [
        ("SELECT 1", True),
        ("UPDATE sales SET amount = 8 WHERE seq = 3", False),
        ("DELETE FROM sales WHERE seq = 2", False),
        pytest.param("UPDATE sales SET amount = 8 WHERE seq = 5", True, id="above the range"),
        pytest.param("UPDATE sales SET shop_id = 8 WHERE seq = 3", True, id="another column"),
    ],
)
def test_a_checksum_tells_whether_rows_of_a_range_have_changed(
    star: SmallStar, statement: str, *, is_same: bool
) -> None:
    request = ChecksumRequest(replace(_ALL_ROWS, through=4), ("amount",))
    before = Checksums(star.session, star.sources(), "sales").of(request)
    assert before is not None
    assert sum(rows for rows, _ in before.buckets.values()) == 4
    star.run(statement)

    assert (Checksums(star.session, star.sources(), "sales").of(request) == before) is is_same


def test_each_checksum_is_asked_for_once(star: SmallStar) -> None:
    checksums, request = Checksums(star.session, star.sources(), "sales"), ChecksumRequest(_ALL_ROWS, ("amount",))
    before = checksums.of(request)
    star.run("DELETE FROM sales")

    assert checksums.of(request) is before
    assert checksums.of(replace(request, columns=("shop_id",))) != before


def test_versions_of_rows_cannot_be_summed_up_where_there_are_none(star: SmallStar) -> None:
    assert Checksums(star.session, star.sources(), "sales").of(ChecksumRequest(_ALL_ROWS, ())) is None


def _segment(star: SmallStar, whole: FactPart = _BY_CITY) -> Segment:
    """A settled segment of all sales, as it was noted when it was made."""
    place = star.create_aggregate("segment", whole)
    mark = exp.select(exp.cast(table_mark(place, stored_columns(whole).names, DUCKDB), "text")).from_(place)
    ((noted,),) = star.rows(render(mark, DUCKDB))
    key = SegmentKey("i", 1, 1)
    return Segment(
        key=key, table="segment", after=None, through=5, is_settled=True, rows=3, fact_rows=5, mark=str(noted)
    )


def _damage(star: SmallStar, segment: Segment, whole: FactPart = _BY_CITY) -> str:
    segments_of_aggregate = {_KEY: KeptSegments(part=whole, schema="", segments=[segment])}
    return damages(star.session, segments_of_aggregate).get(_KEY, "")


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("SELECT 1", ""),
        ("DELETE FROM segment WHERE city = 'N'", "was made with 3 rows and has 2"),
        ("UPDATE segment SET row_count = 3 WHERE city = 'N'", "was made from 5 fact rows and now tells of 6"),
        ("UPDATE segment SET sum_amount = 9 WHERE city = 'N'", "was changed or replaced by somebody else"),
        ("ALTER TABLE segment RENAME sum_amount TO other", "is not the table that was made for one of its segments"),
        ("DROP TABLE segment", "is not the table that was made for one of its segments"),
        # Whoever adds a column has not changed the others.
        ("ALTER TABLE segment ADD COLUMN note VARCHAR", ""),
    ],
)
def test_damage_to_a_segment_is_told_in_a_sentence(star: SmallStar, statement: str, damage: str) -> None:
    segment = _segment(star)

    star.run(statement)

    problem = _damage(star, segment)
    assert problem.startswith("`segment`" if damage else "")
    assert problem.endswith(damage)
    assert bool(problem) is bool(damage)


@pytest.mark.parametrize(
    "unknown", [pytest.param({"fact_rows": None}, id="fact rows"), pytest.param({"mark": ""}, id="the mark")]
)
def test_what_was_not_noted_is_not_compared(star: SmallStar, unknown: dict[str, str | None]) -> None:
    segment = _segment(star)
    changed = "UPDATE segment SET row_count = 3" if "fact_rows" in unknown else "UPDATE segment SET sum_amount = 9"
    star.run(changed)

    assert _damage(star, segment) != ""
    assert _damage(star, replace(segment, mark="", fact_rows=None)) == ""


def test_fact_rows_of_many_to_many_attributes_are_not_compared(star: SmallStar) -> None:
    """A sale counts once for each member that it meets."""
    fanning = part(attribute("city", "shop", "city", "city", replace(SHOP, kind=JoinKind.BRIDGE)), measures=AMOUNT)
    segment = replace(_segment(star), fact_rows=4)
    assert "was made from 4 fact rows and now tells of 5" in _damage(star, segment)

    assert _damage(star, segment, fanning) == ""


def test_several_aggregates_are_looked_at_together(star: SmallStar) -> None:
    """The first damage of each is told."""
    whole, broken = _segment(star), ("broken", "sales")
    star.run("CREATE TABLE other AS SELECT * FROM segment WHERE city = 'N'", "CREATE TABLE third AS SELECT 1 AS x")
    segments_of_aggregates = {
        _KEY: KeptSegments(part=_BY_CITY, schema="", segments=[whole]),
        broken: KeptSegments(
            part=_BY_CITY, schema="", segments=[whole, replace(whole, table="other"), replace(whole, table="third")]
        ),
    }

    assert damages(star.session, segments_of_aggregates) == {
        broken: "`third` is not the table that was made for one of its segments"
    }
    segments_of_aggregates[broken] = replace(
        segments_of_aggregates[broken], segments=segments_of_aggregates[broken].segments[:2]
    )
    assert damages(star.session, segments_of_aggregates) == {
        broken: "`other`, one of its segments, was made with 3 rows and has 1"
    }
