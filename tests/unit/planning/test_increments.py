"""Full or by increments, decided on values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.aggregates.segment import Increment, Segment, SegmentKey
from airflow_atscale_aggs.engine.model.datasets import Dataset, Incremental
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.planning.increments import (
    Decision,
    FullTable,
    IncrementsInput,
    LastBuild,
    Prospect,
    Segmented,
    decide,
    prospect,
)
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts
from airflow_atscale_aggs.engine.sql.sources import Sources

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_STEP = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("shop_id",), "shop", ("shop_id",))
_CITY = BoundAttribute(
    attribute=GrainAttribute(Role("Shops"), "City"),
    label="City",
    dataset="shop",
    key_columns=("city",),
    name_column="city",
    steps=(_STEP,),
)
_DATASETS = {
    "sales": Dataset(name="sales", table="sales", columns={}, incremental=Incremental(column="id", grace_period="10")),
    "returns": Dataset(name="returns", table="returns", columns={}),
    "shop": Dataset(name="shop", table="shop", columns={}, immutable=True),
}


def _part(fact: str = "sales", *more: StoredMeasure) -> FactPart:
    return FactPart(fact=fact, attributes=(_CITY,), measures=(row_count(fact), *more))


def _definition(*parts: FactPart) -> AggregateDefinition:
    return AggregateDefinition(
        model_id="m", name="a", label="a", origin=DefinitionOrigin.USER_DEFINED, metrics=(), parts=parts
    )


def _given(**changes: object) -> IncrementsInput:
    physical = {(None, None, name): {"id": "bigint", "shop_id": "integer"} for name in _DATASETS}
    made = IncrementsInput(
        build_type=BuildType.INCREMENTAL,
        deployment_id="d",
        now=_NOW,
        datasets=_DATASETS,
        sources=Sources(_DATASETS, physical, find_dialect("duckdb")),
        settings=Settings(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def _segment(
    number: int, after: int | None, through: int, fact_rows: int | None, *, is_settled: bool = True
) -> Segment:
    return Segment(
        key=SegmentKey("i", 1, number),
        table=f"t{number}",
        after=after,
        through=through,
        is_settled=is_settled,
        rows=5,
        fact_rows=fact_rows,
    )


def _last(*fact_rows: int | None) -> LastBuild:
    """Rows up to 89 settled, up to 100 unsettled."""
    indicator = Indicator(column="id", data_type="bigint", kind=IndicatorKind.INTEGER, unit=IndicatorUnit.PLAIN)
    increment = Increment(
        indicator=indicator, grace_period="10", full_reason="", full_at=_NOW, kept=(), new=(), create_view_sql=""
    )
    segments = (_segment(1, None, 89, fact_rows[0]), _segment(2, 89, 100, fact_rows[1], is_settled=False))
    return LastBuild(deployment_id="d", increment=increment, segments=segments)


def _decided(last: LastBuild, looked_up: IndicatorFacts, **changes: object) -> Decision:
    definition = _definition(_part())
    given = _given(last={(definition.id, "sales"): last}, **changes)
    found = prospect(definition, _part(), given)
    assert isinstance(found, Prospect)
    assert found.start == 89
    return decide(found, looked_up, given)


@pytest.mark.parametrize(
    ("definition", "fact", "expected"),
    [
        (_definition(_part("returns"), _part()), "sales", "it has metrics of several facts: returns, sales"),
        (_definition(_part("returns")), "returns", "dataset `returns` has no `incremental` in the model"),
        (
            _definition(_part("sales", StoredMeasure(StoredFunction.COUNT_DISTINCT, "sales", "shop_id"))),
            "sales",
            "exact distinct values of `shop_id` cannot be combined from segments",
        ),
    ],
)
def test_who_is_never_incremental(definition: AggregateDefinition, fact: str, expected: str) -> None:
    """One table, with the reason."""
    part = next(one for one in definition.parts if one.fact == fact)

    assert prospect(definition, part, _given()) == FullTable(reason=expected)


def test_an_increment_on_top_of_the_last_build() -> None:
    """From the end of what is settled; what the grace period cannot reach any more is settled now."""
    found = _decided(_last(50, 5), IndicatorFacts(greatest=130, above={89: 20}, up_to={89: 52}))

    assert isinstance(found, Segmented)
    assert [(one.after, one.through) for one in found.ranges] == [(89, 119), (119, 130)]
    assert (found.full_reason, found.late, found.may_be_unchanged) == ("", 2, False)
    assert [one.through for one in found.kept] == [89]


@pytest.mark.parametrize(
    ("rows", "greatest", "expected"),
    [(5, 100, True), (5, 95, True), (6, 100, False), (5, 101, False), (0, None, False)],
)
def test_what_may_be_unchanged(rows: int, greatest: int | None, expected: bool) -> None:
    """As many rows in the window as before, and none beyond it; the build then compares groups."""
    found = _decided(_last(50, 5), IndicatorFacts(greatest=greatest or 80, above={89: rows}, up_to={89: 50}))

    assert isinstance(found, Segmented)
    assert found.full_reason == ""
    assert found.may_be_unchanged is expected


@pytest.mark.parametrize(
    ("fact_rows", "looked_up", "expected"),
    [
        ((50, 5), IndicatorFacts(greatest=100, above={89: 5}, up_to={89: 49}), "1 of the 50 rows of `sales`"),
        ((None, 5), IndicatorFacts(greatest=80, above={89: 0}, up_to={89: 50}), "nobody knows whether the older ones"),
        ((50, 5), IndicatorFacts(greatest=100, above={89: 5}), ""),
        ((None, 0), IndicatorFacts(greatest=80, above={89: 0}, up_to={89: 50}), ""),
    ],
)
def test_when_history_cannot_be_trusted(
    fact_rows: tuple[int | None, int], looked_up: IndicatorFacts, expected: str
) -> None:
    """Rows below the window are gone, or cannot be told to be there while the window is empty."""
    found = _decided(_last(*fact_rows), looked_up)

    assert isinstance(found, Segmented)
    assert (expected in found.full_reason) if expected else found.full_reason == ""


def test_rows_without_an_indicator_come_first() -> None:
    """Whatever else holds: they are in no range."""
    assert _decided(_last(50, 5), IndicatorFacts(greatest=130, nulls=2, above={89: 5})) == FullTable(
        reason="`id` is NULL in 2 rows of `sales`"
    )
