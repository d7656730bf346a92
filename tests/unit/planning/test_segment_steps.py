"""Segments of an aggregate in SQL: how they are made, merged, viewed, counted and compared with the facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import SOURCE_ATTEMPT, TARGET_ATTEMPT
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, RowRange
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.planning.decisions import Segmented
from airflow_atscale_aggs.engine.planning.segment_steps import SegmentComposer, SegmentContext
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.derivations import unite_segments
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import create_view, render, table
from tests.support.increment_cases import ID, NOW, segment_of
from tests.support.stars.asked_star import AskedStar, sorted_rows

_ORDERS = replace(ID, column="order_id", data_type="integer")
_OLD, _NEW = (RowRange(column="order_id", kind=_ORDERS.kind, after=after, through=after + 2) for after in (0, 2))
_ALL_OLD = replace(_OLD, after=None)

_OLD_ROWS = [("North", 1, 3, 35), ("South", 1, 1, 40)]
"""City, whether the shop is there, fact rows, amount: of the orders 1 and 2."""

_NEW_ROWS = [("North", 1, 2, 80), (None, 0, 1, 320)]
"""The same of the orders 3 and 4."""


def _decision(*ranges: RowRange, **changes: Any) -> Segmented:
    decision = Segmented(
        indicator=_ORDERS, grace=GracePeriod(1, ""), full_reason="", full_at=NOW, ranges=ranges or (_ALL_OLD, _NEW)
    )
    return replace(decision, **changes)


def _composer(
    star: AskedStar,
    decision: Segmented,
    part: FactPart | None = None,
    *,
    level: VerificationLevel = VerificationLevel.TOTALS,
    relation: str = "by_city",
) -> SegmentComposer:
    part = part or star.part(["City"], ["Amount"])
    proven = star.proven(part)
    context = SegmentContext(
        sources=star.sources,
        constraints=proven,
        schema="",
        verifications=VerificationComposer([part], star.sources, proven),
        level=level,
    )
    return SegmentComposer(part, decision, f"{relation}_a{TARGET_ATTEMPT}", context)


def _of_attempt(sql: str) -> str:
    return sql.replace(TARGET_ATTEMPT, "1").replace(SOURCE_ATTEMPT, "1")


def _run(star: AskedStar, *statements: str) -> None:
    for sql in statements:
        star.session.execute(_of_attempt(sql))


def _rows(star: AskedStar, sql: str) -> list[tuple[Any, ...]]:
    return sorted_rows(star.session.fetch_all(_of_attempt(sql)))


def _older(star: AskedStar, number: int, after: int | None, through: int, **changes: Any) -> Segment:
    """A settled segment of an earlier build, with its table."""
    rows = replace(_OLD, after=after, through=through)
    (statement,) = _composer(star, _decision(rows), relation=f"old{number}").from_facts()
    _run(star, statement)
    return replace(segment_of(number, after, through, 2), table=f"old{number}_a1_s1", **changes)


def test_each_segment_holds_the_fact_rows_of_its_range(star: AskedStar) -> None:
    composer = _composer(star, _decision())

    _run(star, *composer.from_facts(), composer.increment().create_view_sql)

    assert _rows(star, "SELECT * FROM by_city_a1_s1") == _OLD_ROWS
    assert _rows(star, "SELECT * FROM by_city_a1_s2") == _NEW_ROWS
    assert _rows(star, "SELECT * FROM by_city_a1") == sorted_rows([*_OLD_ROWS, *_NEW_ROWS])


def test_what_reads_the_view_combines_the_rows_of_one_group(star: AskedStar) -> None:
    composer = _composer(star, _decision())
    _run(star, *composer.from_facts(), composer.increment().create_view_sql)

    shown = render(composer.shown(), star.session.dialect)

    assert _rows(star, shown) == [("North", 1, 5, 115), ("South", 1, 1, 40), (None, 0, 1, 320)]


def test_a_new_segment_knows_its_range_its_table_and_its_statements(star: AskedStar) -> None:
    checksum = Checksum(columns=("order_id",), buckets={"1": (4, 7)})
    old, new = _composer(star, _decision(checksums=(checksum, None))).increment().new

    assert (old.number, old.rows, old.is_settled, old.checksum) == (1, _ALL_OLD, True, checksum)
    assert (new.number, new.rows, new.is_settled, new.checksum) == (2, _NEW, False, None)
    assert [_of_attempt(segment.table) for segment in (old, new)] == ["by_city_a1_s1", "by_city_a1_s2"]
    assert _of_attempt(new.drop_sql) == 'DROP TABLE IF EXISTS "by_city_a1_s2"'
    assert (new.analyze_sql, new.fact_rows_sql, new.create_sql) == ("", "", "")


def test_a_segment_counts_its_rows_and_the_fact_rows_behind_them(star: AskedStar) -> None:
    composer = _composer(star, _decision())
    _run(star, *composer.from_facts())

    counts = [star.session.fetch_all(_of_attempt(segment.count_sql))[0] for segment in composer.increment().new]

    assert [row[:2] for row in counts] == [(2, 4), (2, 3)]
    assert counts[0][2] != counts[1][2]


def test_an_empty_segment_stands_for_no_fact_rows(star: AskedStar) -> None:
    composer = _composer(star, _decision(replace(_NEW, after=50, through=60)))
    _run(star, *composer.from_facts())
    (segment,) = composer.increment().new

    assert star.session.fetch_all(_of_attempt(segment.count_sql))[0][:2] == (0, 0)


def test_fact_rows_of_several_members_are_counted_in_the_fact(star: AskedStar) -> None:
    """The groups overlap, so they do not tell."""
    composer = _composer(star, _decision(), star.part(["Kind"], ["Amount"]))
    _run(star, *composer.from_facts())
    old, new = composer.increment().new

    assert [star.session.fetch_all(_of_attempt(segment.count_sql))[0][:2] for segment in (old, new)] == [
        (2, None),
        (2, None),
    ]
    assert [_rows(star, segment.fact_rows_sql) for segment in (old, new)] == [[(4,)], [(3,)]]
    everything = _composer(star, _decision(replace(_NEW, after=None, through=None)), star.part(["Kind"], ["Amount"]))
    assert _rows(star, everything.increment().new[0].fact_rows_sql) == [(8,)]


def test_the_view_of_many_segments_is_what_is_rendered_at_once(star: AskedStar) -> None:
    """Each segment is put into the text by its name alone."""
    kept = tuple(segment_of(number, number, number + 1, 2) for number in range(50))
    composer = _composer(star, _decision(_NEW, kept=kept))
    part = star.part(["City"], ["Amount"])

    names = [*(segment.table for segment in kept), *(segment.table for segment in composer.increment().new)]
    united = unite_segments(part, [table(name) for name in names])
    view = create_view(table(f"by_city_a{TARGET_ATTEMPT}"), united)
    assert composer.increment().create_view_sql == render(view, star.sources.dialect, pretty=True)


def test_segments_that_stay_are_in_the_view(star: AskedStar) -> None:
    older_segment = _older(star, 1, None, 2)
    composer = _composer(star, _decision(_NEW, kept=(older_segment,)))
    increment = composer.increment()
    _run(star, *composer.from_facts(), increment.create_view_sql)

    assert (increment.kept, increment.kept_rows, len(increment.new)) == ((older_segment.key,), 5, 1)
    assert _rows(star, "SELECT * FROM by_city_a1") == sorted_rows([*_OLD_ROWS, *_NEW_ROWS])


def test_settled_segments_that_are_merged_become_the_first_new_one(star: AskedStar) -> None:
    checksums = [Checksum(columns=("order_id",), buckets={"1": (2, number)}) for number in (3, 4)]
    merged = (_older(star, 1, None, 1, checksum=checksums[0]), _older(star, 2, 1, 2, checksum=checksums[1]))
    composer = _composer(star, _decision(_NEW, merged=merged))
    increment = composer.increment()
    merging, new = increment.new
    _run(star, merging.create_sql, *composer.from_facts(), increment.create_view_sql)

    assert (merging.number, new.number, merging.is_settled) == (1, 2, True)
    assert (merging.rows.after, merging.rows.through) == (None, 2)
    assert merging.merges == tuple(segment.key for segment in merged)
    assert merging.checksum == Checksum(columns=("order_id",), buckets={"1": (4, 7)})
    assert _rows(star, "SELECT * FROM by_city_a1_s1") == _OLD_ROWS
    assert _rows(star, "SELECT * FROM by_city_a1") == sorted_rows([*_OLD_ROWS, *_NEW_ROWS])
    assert star.session.fetch_all(_of_attempt(merging.count_sql))[0][:2] == (2, 4)


def test_a_merged_segment_is_compared_with_those_that_it_replaces(star: AskedStar) -> None:
    merged = (_older(star, 1, None, 1), _older(star, 2, 1, 2))
    composer = _composer(star, _decision(_NEW, merged=merged))
    merging = composer.increment().new[0]
    _run(star, merging.create_sql)
    assert merging.verification is not None

    facts, table = (
        dict(zip(query.names, star.session.fetch_all(_of_attempt(query.sql))[0], strict=True))
        for query in (merging.verification.facts, merging.verification.table)
    )
    assert {name: facts[name] for name in ("count_rows(sales)", "sum(sales.amount)")} == {
        name: table[name] for name in ("count_rows(sales)", "sum(sales.amount)")
    }
    assert int(facts["count_rows(sales)"]) == 4


@pytest.mark.parametrize(("fact_rows", "counted"), [((2, 2), 4), ((2, None), None)])
def test_a_merged_segment_of_several_members_stands_for_the_rows_of_both(
    star: AskedStar, fact_rows: tuple[int, int | None], counted: int | None
) -> None:
    part = star.part(["Kind"], ["Amount"])
    merged = []
    for number, rows in enumerate(fact_rows, 1):
        (statement,) = _composer(star, _decision(replace(_OLD, after=number - 1, through=number)), part).from_facts()
        _run(star, statement.replace("by_city", f"kind{number}"))
        merged.append(replace(segment_of(number, number - 1, number, rows), table=f"kind{number}_a1_s1"))
    merging = _composer(star, _decision(_NEW, merged=tuple(merged)), part).increment().new[0]
    _run(star, merging.create_sql)

    assert star.session.fetch_all(_of_attempt(merging.count_sql))[0][:2] == (2, counted)


def _last(star: AskedStar) -> tuple[Segment, Segment]:
    return _older(star, 1, None, 2), replace(_older(star, 2, 2, 4), is_settled=False)


def test_an_unsettled_segment_that_is_as_it_was_differs_in_no_group(star: AskedStar) -> None:
    last = _last(star)
    increment = _composer(star, _decision(_NEW, kept=last[:1], last=last, may_be_unchanged=True)).increment()
    assert increment.unchanged is not None

    assert not increment.unchanged.is_sample
    assert _rows(star, increment.unchanged.sql) == []
    assert (increment.last, increment.last_rows) == (tuple(segment.key for segment in last), 10)
    _run(star, increment.unchanged_view_sql)
    assert _rows(star, "SELECT * FROM by_city_a1") == sorted_rows([*_OLD_ROWS, *_NEW_ROWS])

    star.session.execute("UPDATE sales SET amount = 81 WHERE amount = 80")
    assert [row[0] for row in _rows(star, increment.unchanged.sql)] == ["North"]


def test_nobody_looks_whether_the_last_segment_changed_where_it_surely_did(star: AskedStar) -> None:
    last = _last(star)
    increment = _composer(star, _decision(_NEW, kept=last[:1], last=last)).increment()

    assert (increment.unchanged, increment.last, increment.last_rows, increment.unchanged_view_sql) == (None, (), 0, "")


def test_estimates_cannot_be_compared_group_by_group(star: AskedStar) -> None:
    last = _last(star)
    sketch = StoredMeasure(StoredFunction.DISTINCT_SKETCH, "sales", "customer")
    part = star.part(["City"], ["Amount"])
    with_sketch = replace(part, measures=tuple(sorted({*part.measures, sketch})))
    decision = _decision(_NEW, kept=last[:1], last=last, may_be_unchanged=True)

    increment = _composer(star, decision, with_sketch).increment()

    assert (increment.unchanged, increment.last) == (None, ())


def test_segments_are_derived_from_those_of_another_aggregate_range_by_range(star: AskedStar) -> None:
    fine, coarse = star.part(["Shop"], ["Amount"]), star.part(["City"], ["Amount"])
    parent = _composer(star, _decision(), fine, relation="by_shop")
    child = _composer(star, _decision(), coarse)
    way = derivation(coarse, fine, star.proven(fine, coarse).functional)
    assert way is not None

    statements = child.from_segments(parent, way)
    _run(star, *parent.from_facts(), *statements)

    assert f'FROM "by_shop_a{SOURCE_ATTEMPT}_s1"' in statements[0]
    assert _rows(star, "SELECT * FROM by_city_a1_s1") == _OLD_ROWS
    assert _rows(star, "SELECT * FROM by_city_a1_s2") == _NEW_ROWS


@pytest.mark.parametrize(
    ("level", "has_groups", "is_sample"),
    [
        (VerificationLevel.TOTALS, False, None),
        (VerificationLevel.SAMPLE, True, True),
        (VerificationLevel.FULL, True, False),
    ],
)
def test_new_segments_together_are_compared_with_the_facts_of_their_range(
    star: AskedStar, level: VerificationLevel, has_groups: bool, is_sample: bool | None
) -> None:
    composer = _composer(star, _decision(_NEW), level=level)
    _run(star, *composer.from_facts())
    verification = composer.verification()
    totals = [
        dict(zip(query.names, star.session.fetch_all(_of_attempt(query.sql))[0], strict=True))
        for query in (verification.facts, verification.table)
    ]

    assert [int(row["count_rows(sales)"]) for row in totals] == [3, 3]
    assert [int(row["sum(sales.amount)"]) for row in totals] == [400, 400]
    assert (verification.groups is not None) is has_groups
    if verification.groups is not None:
        assert verification.groups.is_sample is is_sample
        assert _rows(star, verification.groups.sql) == []


def test_an_increment_says_what_it_was_made_from(star: AskedStar) -> None:
    state = SourceState(columns={"sales.order_id": "integer"})
    decision = _decision(sources=state, newest=4, full_reason="a full rebuild was asked for")
    increment = _composer(star, decision).increment()

    assert (increment.sources, increment.newest, increment.grace_period) == (state, 4, "1")
    assert (increment.full_reason, increment.full_at, increment.indicator) == (decision.full_reason, NOW, _ORDERS)
    assert _composer(star, _decision()).increment().identities_sql == ""


def test_statistics_are_gathered_where_the_warehouse_does_not_do_so_itself(star: AskedStar) -> None:
    tables = star.session.columns([(None, None, "sales"), (None, None, "shop")])
    postgres = AskedStar(star.model, star.session)
    postgres.sources = Sources(star.model.datasets, tables, find_dialect("postgres"))

    composer = _composer(postgres, _decision(sources=SourceState()))

    assert [_of_attempt(segment.analyze_sql) for segment in composer.increment().new] == [
        'ANALYZE "by_city_a1_s1"',
        'ANALYZE "by_city_a1_s2"',
    ]
    assert "pg_class" in composer.increment().identities_sql
