"""The verb ``evaluate``: it shows how good each aggregate is, and which could replace another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, say, size, when
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import EvaluateReport, Evaluation
    from airflow_atscale_aggs.engine.lifecycle.retain.supersede import SupersedeReport
    from airflow_atscale_aggs.engine.registry.records import EvaluationRecord


@click.command(cls=Verb, example="atscale-aggs evaluate retail --apply")
@click.argument("model")
@click.option("--apply", "is_applied", is_flag=True, help="Let aggregates give way; without it only list which could.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def evaluate(ctx: click.Context, /, model: str, *, is_applied: bool, as_json: bool, **connection: str | None) -> None:
    """Judge each aggregate by its use, what it saved and what it cost; name those that could take another's place.

    Use it to see what aggregates earn. Each judgement is kept. Seconds with a ~ are estimated; the others were
    measured, on queries that ran on the facts as well. With --apply smaller ones give way to larger ones at the same
    grain, once those are Active.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate as run
    from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        report = run(place, model, now=utc_now())
        ways = supersede(place, model, dry_run=not is_applied, now=utc_now())
    if as_json:
        print_json(_document(report, ways))
    else:
        _show(report, ways)


_COLUMNS = (
    *("aggregate", "score", "parts", "uses", "last used", "rows", "predicted", "size", "rows saved", "seconds saved"),
    "build seconds",
)


def _show(report: EvaluateReport, ways: SupersedeReport) -> None:
    if report.evaluations:
        rows = [_row(evaluation) for evaluation in report.evaluations]
        print_table(_COLUMNS, rows, right=(_COLUMNS[1], _COLUMNS[3], *_COLUMNS[5:]))
    else:
        say("No aggregate is defined.")
    for old, new, why in ways.proposed:
        say(f"`{old}` could give way to `{new}`: {why}" if ways.dry_run else f"`{old}` gives way to `{new}`: {why}")
    for old, new in ways.done:
        say(f"`{old}` gave way to `{new}`, which serves.")
    if ways.defined:
        say(f"Defined: {', '.join(ways.defined)}. Build: atscale-aggs build {report.model}")
    if ways.dry_run and ways.proposed:
        say("Nothing was changed (--apply does it).")


def _row(evaluation: Evaluation) -> tuple[object, ...]:
    record = evaluation.record
    return (
        evaluation.definition.definition.name,
        f"{record.score:.1f}",
        ", ".join(f"{name} {value:.2f}" for name, value in record.parts.items()),
        record.uses,
        when(record.last_used_at),
        record.rows,
        None if record.predicted_rows is None else round(record.predicted_rows),
        _size(evaluation),
        record.rows_saved,
        _saved_seconds(record),
        f"{record.build_seconds:.3f}",
    )


def _size(evaluation: Evaluation) -> str:
    """The size that the warehouse tells. Where it tells none: a predicted size, marked with ~."""
    record, evidence = evaluation.record, evaluation.definition.evidence
    predicted_bytes, rows = evidence.get("predicted_bytes"), evidence.get("predicted_rows")
    if record.size_bytes is not None or record.rows is None or not predicted_bytes or not rows:
        return size(record.size_bytes)
    return f"~{size(record.rows * predicted_bytes / rows)}"


def _saved_seconds(record: EvaluationRecord) -> str:
    """The seconds saved. A ~ marks a number of which a part is estimated; a dash means that nothing is known."""
    if record.seconds_saved is None:
        return "-"
    mark = "" if record.measured_share == 1 or not record.uses else "~"
    return f"{mark}{record.seconds_saved:.3f}"


def _document(report: EvaluateReport, ways: SupersedeReport) -> dict[str, object]:
    names = (
        *("definition_id", "evaluated_at", "score", "uses", "last_used_at", "rows", "size_bytes", "fact_rows"),
        *("rows_saved", "seconds_saved", "measured_share", "build_seconds", "builds", "predicted_rows"),
    )
    return {
        "model": report.model,
        "evaluations": [
            {
                "aggregate": evaluation.definition.definition.name,
                "origin": evaluation.definition.definition.origin,
                **{name: getattr(evaluation.record, name) for name in names},
                "parts": dict(evaluation.record.parts),
            }
            for evaluation in report.evaluations
        ],
        "supersede": {
            "dry_run": ways.dry_run,
            "proposed": [{"old": old, "new": new, "why": why} for old, new, why in ways.proposed],
            "defined": ways.defined,
            "done": [{"old": old, "new": new} for old, new in ways.done],
        },
    }
