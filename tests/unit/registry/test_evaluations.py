"""Evaluations: every judgement of a definition is kept, and the newest ones are compared."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.records import EvaluationRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    make_aggregate,
    make_deployment,
)


def _evaluation(definition_id: str, score: float, hours: int = 0, model: str = MODEL) -> EvaluationRecord:
    return EvaluationRecord(
        model_id=model, definition_id=definition_id, evaluated_at=NOW + hours * HOUR, score=score, parts={"use": score}
    )


def test_the_newest_judgement_of_each_definition_is_told_the_best_first(registry: Registry) -> None:
    old = [_evaluation(REVENUE.id, 0.9), _evaluation(UNITS.id, 0.1)]
    new = [_evaluation(REVENUE.id, 0.2, hours=1), _evaluation(UNITS.id, 0.3, hours=2)]
    registry.evaluations.record(old)
    registry.evaluations.record(new)

    assert registry.read.evaluations.find(MODEL) == (new[1], new[0])


def test_all_judgements_of_a_definition_are_told_newest_first(registry: Registry) -> None:
    records = [_evaluation(REVENUE.id, score, hours) for hours, score in enumerate((0.9, 0.1, 0.5))]
    registry.evaluations.record([*records, _evaluation(UNITS.id, 0.7)])

    assert registry.read.evaluations.find(MODEL, definition_id=REVENUE.id) == tuple(reversed(records))
    assert registry.read.evaluations.newest(REVENUE.id) == records[-1]
    assert registry.read.evaluations.newest("nobody") is None


def test_other_models_are_judged_by_themselves(registry: Registry) -> None:
    visits = make_aggregate("visits", model=OTHER_MODEL)
    registry.models.record_deployments([make_deployment(visits, model_id=OTHER_MODEL, name="visits")], now=NOW)
    records = [_evaluation(REVENUE.id, 0.5), _evaluation(visits.id, 0.6, model=OTHER_MODEL)]
    registry.evaluations.record(records)

    assert [registry.read.evaluations.find(model) for model in (MODEL, OTHER_MODEL)] == [(records[0],), (records[1],)]
    assert registry.read.evaluations.find(MODEL, definition_id=visits.id) == ()


def test_nothing_judged_is_nothing_recorded(registry: Registry) -> None:
    registry.evaluations.record([])

    assert registry.read.evaluations.find(MODEL) == ()
