"""What a model is asked is read as requirements with weights: from its log, from queries, or from its structure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.lifecycle.advise.workload import (
    Workload,
    decay,
    storable_metrics,
    workload_of_log,
    workload_of_queries,
    workload_of_structure,
)
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.query_records import make_query_record
from tests.support.stars import wide_star
from tests.support.stars.standing_star import MODEL, NOW

_SETTINGS = Settings()
_ALLOWED = Settings(allow_distinct_counts=True, allow_distinct_sums=True)
_BY_MONTH = 'SELECT "Month", "Amount" FROM tiny_sales'

Shown = list[tuple[set[str], set[str], float]]


def _shown(workload: Workload) -> Shown:
    """Attributes, metrics and weight of each requirement."""

    def show(requirement: QueryRequirement) -> tuple[set[str], set[str], float]:
        grain = {attribute.query_name for attribute in requirement.grain}
        return grain, set(requirement.metrics), requirement.weight

    return [show(requirement) for requirement in workload.requirements]


@pytest.mark.parametrize(
    ("queries", "shown"),
    [
        pytest.param([_BY_MONTH], [({"Month"}, {"Amount"}, 1)], id="one query"),
        pytest.param([_BY_MONTH] * 3, [({"Month"}, {"Amount"}, 3)], id="one that stands there three times"),
        pytest.param(
            ['SELECT "Amount" FROM tiny_sales WHERE "City" = \'North\' AND "Month" > \'month 1\''],
            [({"City", "Month"}, {"Amount"}, 1)],
            id="conditions need their attributes",
        ),
        pytest.param(
            [_BY_MONTH, 'SELECT "Month", "Amount", "Quantity" FROM tiny_sales', _BY_MONTH],
            [({"Month"}, {"Amount"}, 2), ({"Month"}, {"Amount", "Quantity"}, 1)],
            id="the heaviest first",
        ),
        pytest.param(['SELECT "City" FROM tiny_sales'], [({"City"}, set(), 1)], id="members of a dimension"),
        pytest.param(["SELECT COUNT(*) FROM tiny_sales"], [(set(), set(), 1)], id="rows"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_queries_need_attributes_and_metrics(snapshot: ModelSnapshot, queries: list[str], shown: Shown) -> None:
    workload = workload_of_queries(snapshot, queries, _SETTINGS)

    assert (_shown(workload), workload.unserved) == (shown, ())


def test_measures_of_a_requirement_are_what_must_be_stored(snapshot: ModelSnapshot) -> None:
    (requirement,) = workload_of_queries(
        snapshot, ['SELECT "City", "Average Amount" FROM tiny_sales'], _SETTINGS
    ).requirements

    assert {str(measure) for measure in requirement.part.measures} == {
        "count(sales.amount)",
        "count_rows(sales)",
        "sum(sales.amount)",
    }


@pytest.mark.parametrize(
    ("sql", "settings", "reason"),
    [
        ("SELECT 1 +", _SETTINGS, "The query cannot be read"),
        ('SELECT "Town" FROM tiny_sales', _SETTINGS, "has no attribute or metric `Town`"),
        (
            'SELECT "Month", "Days" FROM tiny_sales',
            _SETTINGS,
            "(sales.day_id) does not roll up; `aggregates.create.allowExactDistinctCountMeasures.enabled` is false",
        ),
        (
            'SELECT "Month", "Takings" FROM tiny_sales',
            _SETTINGS,
            "(sales.day_id) does not roll up; `aggregates.create.allowDistinctSumMeasures.enabled` is false",
        ),
        (
            'SELECT "Month", "Visitors" FROM tiny_sales',
            _ALLOWED,
            "is a sketch, which queries of this version do not read",
        ),
        (
            'SELECT "Days" FROM tiny_sales WHERE "Month" > \'month 1\'',
            _ALLOWED,
            "an exact distinct metric is needed at a coarser grain",
        ),
    ],
)
def test_what_no_aggregate_may_answer_is_told_with_the_reason(
    snapshot: ModelSnapshot, sql: str, settings: Settings, reason: str
) -> None:
    workload = workload_of_queries(snapshot, [sql], settings)

    assert workload.requirements == ()
    (unserved,) = workload.unserved
    assert (unserved.query, unserved.weight) == (sql, 1.0)
    assert reason in unserved.reason


def test_exact_distinct_metrics_are_stored_where_settings_allow_it(snapshot: ModelSnapshot) -> None:
    workload = workload_of_queries(snapshot, ['SELECT "Month", "Days", "Takings" FROM tiny_sales'], _ALLOWED)

    assert _shown(workload) == [({"Month"}, {"Days", "Takings"}, 1)]


@pytest.mark.parametrize(
    ("edit", "sql", "reason"),
    [
        (
            ("calendar", "label: Month\n", "label: Month\n    exclude_from_fact_agg: true\n"),
            _BY_MONTH,
            "`Month` has `exclude_from_fact_agg`",
        ),
        (
            ("calendar", "label: Month\n", "label: Month\n    exclude_from_dim_agg: true\n"),
            'SELECT "Month" FROM tiny_sales',
            "`Month` has `exclude_from_dim_agg`",
        ),
        (
            ("catalog", "version: 1.6\n", "version: 1.6\ndataset_properties: {sales: {allow_aggregates: false}}\n"),
            _BY_MONTH,
            "dataset `sales` has `allow_aggregates: false`",
        ),
        (
            ("catalog", "version: 1.6\n", "version: 1.6\ndataset_properties: {day: {allow_aggregates: false}}\n"),
            _BY_MONTH,
            "dataset `day` has `allow_aggregates: false`",
        ),
    ],
)
def test_what_the_model_keeps_out_is_told(
    wide: Workspace, tmp_path: Path, edit: tuple[str, str, str], sql: str, reason: str
) -> None:
    wide_star.redeploy(wide, tmp_path / "model", edit)
    snapshot = read_model_snapshot(wide, wide.read.models.get(MODEL), now=NOW)

    workload = workload_of_queries(snapshot, [sql, 'SELECT "City" FROM tiny_sales'], _SETTINGS)

    assert [unserved.reason for unserved in workload.unserved] == [reason]
    assert [grain for grain, _, _ in _shown(workload)] == [{"City"}]


def _logged(shape: str, *, fingerprint: str = "f", days_ago: float = 0, weight: int = 1) -> QueryRecord:
    record = make_query_record(
        fingerprint=fingerprint, asked_at=NOW - timedelta(days=days_ago), weight=weight, model_id="m"
    )
    return replace(record, shape=shape, keys=("Month",), metrics=("Amount", ""), predicates=("City",))


def test_logged_queries_weigh_less_with_time(snapshot: ModelSnapshot) -> None:
    """By half with each half-life; queries of one shape are one requirement."""
    shape = 'SELECT "Month", "Amount" FROM tiny_sales WHERE "City" = ?'
    half_life = _SETTINGS.demand_half_life
    log = [
        _logged(shape),
        _logged(shape, days_ago=half_life, weight=4),
        _logged(_BY_MONTH, fingerprint="g", days_ago=2 * half_life, weight=2),
    ]

    workload = workload_of_log(snapshot, log, _SETTINGS, now=NOW)

    assert _shown(workload) == [({"Month", "City"}, {"Amount"}, 3.0), ({"Month"}, {"Amount"}, 0.5)]


def test_a_logged_query_that_cannot_be_read_again_counts_by_what_was_noted(snapshot: ModelSnapshot) -> None:
    workload = workload_of_log(snapshot, [_logged("(unreadable", weight=3)], _SETTINGS, now=NOW)

    assert _shown(workload) == [({"Month", "City"}, {"Amount"}, 3.0)]


def test_a_logged_query_of_names_that_are_gone_is_told(snapshot: ModelSnapshot) -> None:
    gone = replace(_logged("(unreadable"), keys=("Town",))

    workload = workload_of_log(snapshot, [gone], _SETTINGS, now=NOW)

    assert workload.requirements == ()
    assert [(u.query, "`Town`" in u.reason) for u in workload.unserved] == [("(unreadable", True)]


def test_structure_makes_all_metrics_of_a_fact_likely(snapshot: ModelSnapshot) -> None:
    workload = workload_of_structure(snapshot, _SETTINGS)

    grains = [grain for grain, _, _ in _shown(workload)]
    assert {"Month", "City"} in grains
    assert {frozenset(metrics) for _, metrics, _ in _shown(workload)} == {
        frozenset({"Quantity", "Amount", "Average Amount"})
    }
    assert workload_of_structure(snapshot, _SETTINGS, ["sales"]) == workload
    assert workload_of_structure(snapshot, _SETTINGS, []) == Workload((), ())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (_SETTINGS, {"Quantity", "Amount", "Average Amount"}),
        (_ALLOWED, {"Quantity", "Amount", "Average Amount", "Days", "Takings"}),
        (Settings(allow_distinct_sums=True), {"Quantity", "Amount", "Average Amount", "Takings"}),
    ],
)
def test_metrics_are_storable_that_roll_up_or_are_allowed(
    snapshot: ModelSnapshot, settings: Settings, expected: set[str]
) -> None:
    storable = storable_metrics(snapshot.model, settings)

    assert {fact: set(metrics) for fact, metrics in storable.items()} == {"sales": expected}


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [(0, 1.0), (14, 0.5), (28, 0.25), (7, 0.5**0.5), pytest.param(-1, 1.0, id="a clock that is ahead")],
)
def test_a_moment_counts_a_half_one_half_life_ago(days_ago: float, expected: float) -> None:
    moment = NOW - timedelta(days=days_ago)

    assert decay(moment, Settings(demand_half_life=14), now=NOW) == pytest.approx(expected)
