"""``evaluate``: how good each aggregate is, and which could take another's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connecting import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, say, size, when
from airflow_atscale_aggs.cli.teaching import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import EvaluateReport, Evaluation
    from airflow_atscale_aggs.engine.lifecycle.retain.supersede import SupersedeReport
    from airflow_atscale_aggs.engine.registry.records import EvaluationRecord


@click.command(cls=Verb, example="atscale-aggs evaluate retail --apply")
@click.argument("model")
@click.option("--apply", "is_applied", is_flag=True, help="Let aggregates give way; without it only list which could.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def evaluate(ctx: click.Context, /, model: str, *, is_applied: bool, as_json: bool, **connection: str | None) -> None:
    """Judge each aggregate by its use, what it saved and what it cost; name those that could take another's place.

    Use it to see what aggregates earn. Each judgement is kept. Seconds with a ~ are estimated; the others were measured, on queries that ran on
    the facts as well. With --apply smaller ones give way to larger ones at the same grain, once those are Active.
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
        rows = [_row(one) for one in report.evaluations]
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


def _row(one: Evaluation) -> tuple[object, ...]:
    found = one.record
    return (
        one.definition.definition.name,
        f"{found.score:.1f}",
        ", ".join(f"{name} {value:.2f}" for name, value in found.parts.items()),
        found.uses,
        when(found.last_used_at),
        found.rows,
        None if found.predicted_rows is None else round(found.predicted_rows),
        _size(one),
        found.rows_saved,
        _seconds_saved(found),
        f"{found.build_seconds:.3f}",
    )


def _size(one: Evaluation) -> str:
    """What the warehouse tells; with a ~ what was predicted of each row, where it tells nothing."""
    found, evidence = one.record, one.definition.evidence
    told, rows = evidence.get("predicted_bytes"), evidence.get("predicted_rows")
    if found.size_bytes is not None or found.rows is None or not told or not rows:
        return size(found.size_bytes)
    return f"~{size(found.rows * told / rows)}"


def _seconds_saved(found: EvaluationRecord) -> str:
    """Measured as it is; with a ~ where some of it is estimated.

    A dash where nothing is known.
    """
    if found.seconds_saved is None:
        return "-"
    mark = "" if found.measured_share == 1 or not found.uses else "~"
    return f"{mark}{found.seconds_saved:.3f}"


def _document(report: EvaluateReport, ways: SupersedeReport) -> dict[str, object]:
    names = (
        *("definition_id", "evaluated_at", "score", "uses", "last_used_at", "rows", "size_bytes", "fact_rows"),
        *("rows_saved", "seconds_saved", "measured_share", "build_seconds", "builds", "predicted_rows"),
    )
    return {
        "model": report.model,
        "evaluations": [
            {
                "aggregate": one.definition.definition.name,
                "origin": one.definition.definition.origin,
                **{name: getattr(one.record, name) for name in names},
                "parts": dict(one.record.parts),
            }
            for one in report.evaluations
        ],
        "supersede": {
            "dry_run": ways.dry_run,
            "proposed": [{"old": old, "new": new, "why": why} for old, new, why in ways.proposed],
            "defined": ways.defined,
            "done": [{"old": old, "new": new} for old, new in ways.done],
        },
    }
