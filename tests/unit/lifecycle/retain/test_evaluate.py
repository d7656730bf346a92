"""How good each aggregate is, by the log of queries and by its builds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    define,
    definition,
    model_id,
    run_sql,
)

_USED_AT = LATER - timedelta(days=30)


def _ask(workspace: Workspace, aggregate: str, *, times: int, seconds: float, on_facts: float | None = None) -> None:
    """Log queries that an aggregate answered, and the same one on the facts."""
    identity = definition(workspace, aggregate).definition.id
    source = QuerySource(fact="sales", aggregate=aggregate, definition_id=identity)
    model = model_id(workspace)
    log = [
        make_query_record(
            source, model_id=model, asked_at=_USED_AT, seconds=seconds, weight=times, fingerprint=aggregate
        )
    ]
    if on_facts is not None:
        facts = QuerySource(fact="sales")
        log.append(make_query_record(facts, model_id=model, asked_at=_USED_AT, seconds=on_facts, fingerprint=aggregate))
    workspace.registry.queries.record(log)


def _evaluations(workspace: Workspace, *, now: datetime = LATER) -> dict[str, EvaluationRecord]:
    report = evaluate(workspace, MODEL, now=now)
    return {evaluation.definition.definition.name: evaluation.record for evaluation in report.evaluations}


def test_an_aggregate_is_judged_by_what_it_saved_when_it_was_used_and_how_small_it_is(built_star: Workspace) -> None:
    _ask(built_star, "by_city", times=3, seconds=0.5, on_facts=2.0)

    city = _evaluations(built_star)["by_city"]

    assert (city.rows, city.fact_rows, city.uses, city.builds) == (4, 60, 3, 1)
    assert (city.rows_saved, city.seconds_saved, city.measured_share) == (3 * (60 - 4), 3 * 1.5, 1.0)
    # DuckDB does not tell bytes.
    assert (city.size_bytes, city.last_used_at, city.predicted_rows) == (None, _USED_AT, None)
    assert dict(city.parts) == {
        "payback": pytest.approx(4.5 / (4.5 + city.build_seconds)),
        "recency": pytest.approx(0.5),
        "compression": pytest.approx(1 - 4 / 60),
    }
    assert city.score == pytest.approx(100 * 4.5 / (4.5 + city.build_seconds) * 0.5 * (56 / 60))


def test_what_was_never_used_is_worth_nothing(built_star: Workspace) -> None:
    _ask(built_star, "by_city", times=1, seconds=0.5)

    report = evaluate(built_star, MODEL, now=LATER)

    names = [evaluation.definition.definition.name for evaluation in report.evaluations]
    unused = report.evaluations[1].record
    assert names == ["by_city", "by_day_and_shop"]
    assert (unused.score, unused.uses, unused.seconds_saved, unused.last_used_at) == (0.0, 0, 0.0, None)


def test_a_definition_without_an_instance_has_no_rows(built_star: Workspace) -> None:
    define(built_star, "advised", "quantity")

    advised = _evaluations(built_star)["advised"]

    assert (advised.rows, advised.fact_rows, advised.builds, advised.score) == (None, 60, 0, 0.0)
    assert "compression" not in advised.parts


def test_uses_of_what_does_not_serve_any_more_save_nobody_knows_what(built_star: Workspace) -> None:
    define(built_star, "advised", "quantity")
    _ask(built_star, "advised", times=2, seconds=0.5)

    advised = _evaluations(built_star)["advised"]

    assert (advised.uses, advised.rows_saved) == (2, None)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param((), id="they are gone"),
        pytest.param(("CREATE VIEW sales AS SELECT 1 AS amount WHERE error('broken') = ''",), id="they are broken"),
    ],
)
def test_facts_that_cannot_be_counted_leave_out_what_depends_on_them(
    built_star: Workspace, statements: tuple[str, ...]
) -> None:
    _ask(built_star, "by_city", times=3, seconds=0.5, on_facts=2.0)
    run_sql(built_star, "DROP TABLE sales", *statements)

    city = _evaluations(built_star)["by_city"]

    assert (city.fact_rows, city.rows_saved, city.rows, city.seconds_saved) == (None, None, 4, 4.5)
    assert "compression" not in city.parts


def test_nothing_is_known_of_the_facts_where_the_warehouse_does_not_answer(
    built_star: Workspace, tmp_path: Path
) -> None:
    """Its file is away."""
    built_star.warehouse.close()
    (tmp_path / "w.duckdb").rename(tmp_path / "away.duckdb")
    (tmp_path / "w.duckdb").mkdir()

    city = _evaluations(built_star)["by_city"]

    assert (city.fact_rows, city.size_bytes, city.rows) == (None, None, 4)


def test_evaluations_are_recorded_unless_they_are_only_looked_at(built_star: Workspace) -> None:
    model = model_id(built_star)
    evaluate(built_star, MODEL, record=False, now=LATER)
    assert built_star.read.evaluations.find(model) == ()

    evaluate(built_star, MODEL, now=LATER)

    recorded = built_star.read.evaluations.find(model)
    assert {record.evaluated_at for record in recorded} == {LATER}
    assert {record.definition_id for record in recorded} == {
        definition(built_star, name).definition.id for name in ("by_city", "by_day_and_shop")
    }


def test_a_model_that_is_not_registered_is_not_evaluated(built_star: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        evaluate(built_star, "tiny", now=LATER)
