"""``plan``, ``build``, ``cancel``: batch builds."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connecting import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan

_FULL = click.option("--full", "build_type", flag_value="full", default=True, help="Full rebuild (the default).")
_INCREMENTAL = click.option(
    "--incremental", "build_type", flag_value="incremental", help="By increments where the model allows it."
)


@click.command(short_help="Show what a build would do: order, sources, estimated rows, SQL.")
@click.argument("model")
@_FULL
@_INCREMENTAL
@click.option("--sql", "with_sql", is_flag=True, help="Show each step's SQL.")
@click.option("--no-estimate", is_flag=True, help="Do not scan the facts; show the rows of the last build instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, SQL included.")
@connection_options
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    model: str,
    build_type: str,
    *,
    with_sql: bool,
    no_estimate: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    r"""Show what a build would do: the ordered steps, the source of each, estimated rows. Builds nothing.

    Rows are sketched in the warehouse, one scan per fact table.

    \b
    Example:
      atscale-aggs plan retail --sql
    """
    from airflow_atscale_aggs.engine.aggregates.instance import BuildType
    from airflow_atscale_aggs.engine.lifecycle.plan import plan_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        made = plan_batch(
            place,
            model,
            build_type=BuildType(build_type),
            now=utc_now(),
            new_id=lambda: str(uuid.uuid4()),
            estimate=not no_estimate,
        )
    if as_json:
        print_json(_plan_document(made))
        return
    rows = [
        (
            step.position + 1,
            step.aggregate,
            step.sources[0].name,
            step.estimated_rows,
            step.estimate_source,
            step.reason,
        )
        for step in made.steps
    ]
    print_table(("#", "aggregate", "source", "rows", "estimate", "why here"), rows, right=("#", "rows"))
    for refused in made.refused:
        say(f"not built: {refused.aggregate}: {refused.reason}")
    for note in made.notes:
        say(note)
    say(f"{len(made.steps)} steps, ordered by {made.ordering}. Nothing was built.")
    if with_sql:
        for step in made.steps:
            click.echo(f"\n-- {step.position + 1}. {step.aggregate}, from {step.sources[0].name}")
            click.echo(f"{step.create_statement(step.sources[0], 1, 1)};")


@click.command(short_help="Build or rebuild all aggregates of a model and activate them together.")
@click.argument("model")
@_FULL
@_INCREMENTAL
@click.option("--resume", metavar="BATCH_ID", help="Finish this interrupted or failed batch instead of beginning one.")
@click.option("--jobs", type=click.IntRange(min=1), help="Aggregates built at the same time.  [setting; 1]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, no progress.")
@connection_options
@click.pass_context
def build(
    ctx: click.Context,
    /,
    model: str,
    build_type: str,
    resume: str | None,
    jobs: int | None,
    *,
    as_json: bool,
    **connection: str | None,
) -> int:
    r"""Build or rebuild all aggregates of a model, in one batch, and activate them together.

    What others derive from comes first. The old instances serve until all new ones are ready; if too many fail, they go
    on serving and what was built stays staged for `--resume`. An interrupted batch is taken up again by the next build.

    \b
    Example:
      atscale-aggs build retail --jobs 2
    """
    from airflow_atscale_aggs.cli.progress import BuildProgress
    from airflow_atscale_aggs.cli.reading import batch_document, instance_document, print_instances
    from airflow_atscale_aggs.engine.aggregates.instance import BuildType
    from airflow_atscale_aggs.engine.errors import BatchFailedError
    from airflow_atscale_aggs.engine.lifecycle.activate import BatchReport
    from airflow_atscale_aggs.engine.lifecycle.batch import run_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import process_owner

    with workspace(ctx, connection) as place, BuildProgress(is_silent=as_json) as progress:
        failure: BatchFailedError | None = None
        try:
            report = run_batch(
                place,
                model,
                build_type=BuildType(build_type),
                jobs=jobs,
                owner=process_owner(),
                resume=resume,
                on_event=progress,
            )
        except KeyboardInterrupt:
            place.warehouse.cancel_all()
            progress.stop()
            return _interrupted(place, model)
        except BatchFailedError as error:
            failure = error
            report = BatchReport(
                place.registry.batch(error.batch_id), place.registry.instances(batch_id=error.batch_id)
            )
        progress.stop()
        name = place.registry.model(report.batch.model_id).name
        counts = dict(place.registry.instance_counts(report.batch.id))
    if as_json:
        instances = [instance_document(one) for one in report.instances]
        print_json({**batch_document(report.batch, name, counts), "instances": instances})
    else:
        print_instances(list(report.instances))
        for note in report.batch.notes:
            say(note)
    if failure is not None:
        for one in report.instances:
            if one.error:
                say(f"failed: {one.step.aggregate}: {one.error}")
        say(f"Error: {failure}")
        return 1
    if not as_json:
        _say_summary(report)
    return 0


@click.command(short_help="Give a batch up; the old instances keep serving.")
@click.argument("batch_id")
@connection_options
@click.pass_context
def cancel(ctx: click.Context, /, batch_id: str, **connection: str | None) -> None:
    r"""Give a batch up: nothing of it goes live, the old instances keep serving, `sweep` drops what it built.

    \b
    Example:
      atscale-aggs cancel 6f1c6a52-2d1e-4a8a-9f0f-3d6e0b9a7c11
    """
    from airflow_atscale_aggs.engine.lifecycle.activate import cancel_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        report = cancel_batch(place, batch_id, now=utc_now())
    say(f"Batch {report.batch.id} is cancelled.")


def _interrupted(place: Workspace, model: str) -> int:
    batch = place.registry.open_batch_of(place.registry.model(model).id)
    if batch is not None:
        say(f"Interrupted. Built aggregates are kept; go on with: atscale-aggs build {model} --resume {batch.id}")
    return 130


def _say_summary(report: Any) -> None:
    batch = report.batch
    total = sum(one.rows or 0 for one in report.instances)
    took = (batch.finished_at - batch.created_at).total_seconds()
    active = sum(one.status == "active" for one in report.instances)
    say(f"Activated {active} aggregates with {total:,} rows in {took:.1f} s (batch {batch.id}).")


def _plan_document(made: BatchPlan) -> dict[str, object]:
    return {
        "model_id": made.model_id,
        "build_type": made.build_type,
        "dialect": made.dialect,
        "ordering": made.ordering,
        "notes": made.notes,
        "refused": [{"aggregate": one.aggregate, "reason": one.reason} for one in made.refused],
        "steps": [
            {
                "position": step.position,
                "aggregate": step.aggregate,
                "fact": step.fact,
                "sources": [source.name for source in step.sources],
                "estimated_rows": step.estimated_rows,
                "estimate_source": step.estimate_source,
                "reason": step.reason,
                "view": step.view,
                "sql": step.create_statement(step.sources[0], 1, 1),
            }
            for step in made.steps
        ],
    }
