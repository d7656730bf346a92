"""The verbs ``plan``, ``build`` and ``cancel``: batch builds."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.known_ids import require_batch
from airflow_atscale_aggs.cli.output import counted, print_json, say, show
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.cli.interruption import Interruptible
    from airflow_atscale_aggs.cli.progress import BuildProgress
    from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
    from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
    from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan

_FULL = click.option("--full", "build_type", flag_value="full", default=True, help="Full rebuild (the default).")
_INCREMENTAL = click.option(
    "--incremental", "build_type", flag_value="incremental", help="By increments where the model allows it."
)
_AGGREGATES = click.option(
    "--aggregate", "aggregates", metavar="NAME", multiple=True, help="Only this one; may be given several times."
)


def _pairs(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """``a=1 b=2`` as a mapping."""
    duration_by_dataset = dict(text.partition("=")[::2] for text in given)
    if not all(duration_by_dataset.values()):
        raise click.BadParameter("write DATASET=DURATION, such as store_sales=2d", ctx, option)
    return duration_by_dataset


def _slices(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """``a=1..2`` as pairs; a dataset may be given several times."""
    slices = tuple((dataset, text) for dataset, _, text in (item.partition("=") for item in given))
    if not all(dataset and text for dataset, text in slices):
        raise click.BadParameter("write DATASET=FROM..THROUGH, such as sales=2026-01-03..2026-01-05", ctx, option)
    return slices


_CHANGED = click.option(
    "--changed",
    metavar="DATASET=FROM..THROUGH",
    multiple=True,
    callback=_slices,
    help="Make this range of the indicator anew, however old it is, such as sales=2026-01-03..2026-01-05; may be given "
    "several times. The build is incremental then, unless --full is given.",
)


def _is_incremental(ctx: click.Context, build_type: str, changed: tuple[tuple[str, str], ...]) -> bool:
    """Whether increments are asked for: outright, or by what has changed."""
    is_given = ctx.get_parameter_source("build_type") is not click.core.ParameterSource.DEFAULT
    return build_type == "incremental" or (bool(changed) and not is_given)


@click.command(cls=Verb, example="atscale-aggs plan retail --sql")
@click.argument("model")
@_FULL
@_INCREMENTAL
@_AGGREGATES
@_CHANGED
@click.option("--sql", "with_sql", is_flag=True, help="Show each step's SQL.")
@click.option("--no-estimate", is_flag=True, help="Do not scan the facts; show the rows of the last build instead.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, SQL included.")
@connection_options
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    model: str,
    build_type: str,
    aggregates: tuple[str, ...],
    changed: tuple[tuple[str, str], ...],
    *,
    with_sql: bool,
    no_estimate: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    """Show what a build would do: the ordered steps, the source of each, estimated rows, the cost. Builds nothing.

    Use it before a build, to see what derives from what, what will not be built, and how often each fact is read. Rows
    are sketched in the warehouse, one scan of a fact for 50 aggregates.
    """
    from airflow_atscale_aggs.cli.batch_costs import print_cost
    from airflow_atscale_aggs.engine.aggregates.instance import BuildType
    from airflow_atscale_aggs.engine.lifecycle.build.named_slices import check_slices, read_slices
    from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    slices = read_slices(changed)
    with workspace(ctx, connection) as place:
        check_slices(place.read, place.read.models.get_deployed(model), slices)
        batch_plan = plan_batch(
            place,
            model,
            build_type=BuildType.INCREMENTAL if _is_incremental(ctx, build_type, changed) else BuildType.FULL,
            aggregates=aggregates,
            changed=slices,
            now=utc_now(),
            new_id=lambda: str(uuid.uuid4()),
            estimate=not no_estimate,
            with_cost=True,
        )
    if as_json:
        print_json(_plan_document(batch_plan))
        return
    _print_plan(batch_plan)
    if batch_plan.cost is not None:
        print_cost(batch_plan.cost)
    for refused in batch_plan.refused:
        say(f"not built: {refused.aggregate}: {refused.reason}")
    for note in batch_plan.notes:
        say(note)
    say(f"{counted(len(batch_plan.steps), 'step')}, ordered by {batch_plan.ordering}. Nothing was built.")
    if with_sql:
        for step in batch_plan.steps:
            show(f"\n-- {step.position + 1}. {step.aggregate}, from {step.sources[0].name}")
            show(f"{_first_statement(step)};")


def _first_statement(step: BuildStep) -> str:
    """How a step is built from its first source, where the first attempt at both succeeds."""
    step = step.of_attempt(1)
    return step.create_statement(step.sources[0], 1)


@click.command(cls=Verb, example="atscale-aggs build retail --jobs 2")
@click.argument("model")
@_FULL
@_INCREMENTAL
@_AGGREGATES
@click.option(
    "--grace-period",
    "grace_periods",
    metavar="DATASET=DURATION",
    multiple=True,
    callback=_pairs,
    help="Read this far back again, instead of what the model says; may be given several times.",
)
@_CHANGED
@click.option("--resume", metavar="BATCH_ID", help="Finish this interrupted or failed batch instead of beginning one.")
@click.option("--jobs", type=click.IntRange(min=1), help="Aggregates built at the same time.  [setting; 1]")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, no progress.")
@connection_options
@click.pass_context
def build(
    ctx: click.Context,
    /,
    model: str,
    build_type: str,
    aggregates: tuple[str, ...],
    grace_periods: dict[str, str],
    changed: tuple[tuple[str, str], ...],
    resume: str | None,
    jobs: int | None,
    *,
    as_json: bool,
    **connection: str | None,
) -> int:
    """Build or rebuild all aggregates of a model, in one batch, and activate them together.

    Use it after each load of the facts. What others derive from comes first. The old instances serve until all new ones
    are ready; if too many fail, they go on serving and what was built stays staged for `--resume`. An interrupted batch
    is gone on with by the next build only when that would do the same; else it is closed, and the reason is told.
    """
    from airflow_atscale_aggs.cli.interruption import Interruptible
    from airflow_atscale_aggs.cli.progress import BuildProgress
    from airflow_atscale_aggs.engine.aggregates.instance import BuildType
    from airflow_atscale_aggs.engine.errors import BatchFailedError
    from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
    from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
    from airflow_atscale_aggs.engine.lifecycle.build.named_slices import read_slices
    from airflow_atscale_aggs.engine.lifecycle.workspace import process_owner

    if resume and changed:
        raise click.UsageError("--resume finishes a batch as it was asked for. Leave --changed out, or --resume.")
    with (
        workspace(ctx, connection) as place,
        BuildProgress(is_silent=as_json) as progress,
        Interruptible(place.warehouse.cancel_all) as interruptible,
    ):
        failure: BatchFailedError | None = None
        if resume:
            _check_model_of(place, model, resume)
        try:
            report = run_batch(
                place,
                model,
                build_type=BuildType.INCREMENTAL if _is_incremental(ctx, build_type, changed) else BuildType.FULL,
                jobs=jobs,
                owner=process_owner(),
                resume=resume,
                request=BatchRequest(aggregates=aggregates, grace_periods=grace_periods, changed=read_slices(changed)),
                on_event=lambda event: _on_event(event, interruptible, progress),
            )
        except (Exception, KeyboardInterrupt) as error:
            progress.stop()
            if interruptible.signal_number:
                _say_interruption(place, model)
                return 128 + interruptible.signal_number
            if not isinstance(error, BatchFailedError):
                raise
            failure = error
            report = BatchReport(
                place.read.batches.get(error.batch_id), place.read.instances.find(batch_id=error.batch_id)
            )
        progress.stop()
        name = place.read.models.get(report.batch.model_id).name
        counts = dict(place.read.instances.count_by_status(report.batch.id))
    _show_report(report, name, counts, as_json=as_json)
    if failure is not None:
        say(f"Error: {failure}")
        return 1
    return 0


@click.command(cls=Verb, example="atscale-aggs cancel 6f1c6a52-2d1e-4a8a-9f0f-3d6e0b9a7c11")
@click.argument("batch_id")
@connection_options
@click.pass_context
def cancel(ctx: click.Context, /, batch_id: str, **connection: str | None) -> None:
    """Give a batch up: nothing of it goes live, the old instances keep serving, `sweep` drops what it built."""
    from airflow_atscale_aggs.engine.lifecycle.build.activate import cancel_batch
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        require_batch(place.read, batch_id)
        report = cancel_batch(place, batch_id, now=utc_now())
    say(f"Batch {report.batch.id} is cancelled.")


def _check_model_of(place: Workspace, model: str, batch_id: str) -> None:
    """Refuse a batch of another model than the one that is named."""
    require_batch(place.read, batch_id)
    wanted, model_of_batch = place.read.models.get(model).id, place.read.batches.get(batch_id).model_id
    if wanted != model_of_batch:
        raise click.UsageError(
            f"Batch {batch_id} is of model `{place.read.models.get(model_of_batch).name}`, not `{model}`."
        )


def _on_event(event: BuildEvent, interruptible: Interruptible, progress: BuildProgress) -> None:
    """Show an event. After Ctrl-C no further build begins."""
    if event.kind == "start":
        interruptible.check()
    progress(event)


def _say_interruption(place: Workspace, model: str) -> None:
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus

    last = place.read.batches.find(place.read.models.get(model).id, 1)
    if last and last[0].status in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
        say(
            "Interrupted. What was built is kept, the old instances keep serving; go on with: "
            f"atscale-aggs build {model} --resume {last[0].id}"
        )
    else:
        say("Interrupted; no batch is open.")


def _show_report(report: BatchReport, model: str, counts: dict[str, int], *, as_json: bool) -> None:
    """Print the final table and a summary, or the document; then failed aggregates with their errors."""
    from airflow_atscale_aggs.cli.list_verbs import batch_document, instance_document, print_instances
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus

    batch = report.batch
    if as_json:
        instances = [instance_document(instance, model) for instance in report.instances]
        print_json({**batch_document(batch, model, counts), "instances": instances})
    else:
        print_instances(report.instances)
        for note in batch.notes:
            say(note)
    for instance in report.instances:
        if instance.error and instance.status is InstanceStatus.FAILED:
            say(f"failed: {instance.step.aggregate}: {instance.error}")
    if batch.finished_at is None or batch.status is not BatchStatus.DONE or as_json:
        return
    active = [instance for instance in report.instances if instance.status is InstanceStatus.ACTIVE]
    total = sum(instance.rows or 0 for instance in active)
    took = (batch.finished_at - batch.created_at).total_seconds()
    what = f"{counted(len(active), 'aggregate')} with {counted(total, 'row')}"
    say(f"Activated {what} in {took:.1f} s (batch {batch.id}).")


def _print_plan(batch_plan: BatchPlan) -> None:
    """Print one line per step.

    A column for the kind of build is shown only if some steps are increments or segments, and one for the grouping of
    facts only if some are grouped by codes.
    """
    with_grouping = any(_grouping(step) == "codes" for step in batch_plan.steps)
    with_kind = any(step.increment is not None for step in batch_plan.steps)
    rows = [
        (
            step.position + 1,
            step.aggregate,
            *((step.kind,) if with_kind else ()),
            step.sources[0].name,
            *((_grouping(step),) if with_grouping else ()),
            step.estimated_rows,
            step.estimate_source,
            step.reason,
        )
        for step in batch_plan.steps
    ]
    optional = (("build",) if with_kind else ()), (("grouped by",) if with_grouping else ())
    names = ("#", "aggregate", *optional[0], "source", *optional[1], "rows", "estimate", "why here")
    print_table(names, rows, right=("#", "rows"))


def _grouping(step: BuildStep) -> str:
    """How the facts are grouped for a step, ``codes`` or ``names``; empty where it is made from another aggregate."""
    return "" if step.sources[0].instance_id else step.grouping.partition(":")[0]


def _plan_document(batch_plan: BatchPlan) -> dict[str, object]:
    from airflow_atscale_aggs.cli.batch_costs import cost_document

    return {
        "model_id": batch_plan.model_id,
        "build_type": batch_plan.build_type,
        "dialect": batch_plan.dialect,
        "ordering": batch_plan.ordering,
        "notes": batch_plan.notes,
        "cost": None if batch_plan.cost is None else cost_document(batch_plan.cost),
        "refused": [{"aggregate": part.aggregate, "reason": part.reason} for part in batch_plan.refused],
        "steps": [
            {
                "position": step.position,
                "aggregate": step.aggregate,
                "fact": step.fact,
                "build": step.kind,
                "full_reason": step.full_reason,
                "segments": [
                    {"range": str(segment.rows), "settled": segment.is_settled, "merges": len(segment.merges)}
                    for segment in (step.increment.new if step.increment else ())
                ],
                "sources": [source.name for source in step.sources],
                "estimated_rows": step.estimated_rows,
                "estimate_source": step.estimate_source,
                "reason": step.reason,
                "grouping": step.grouping,
                "view": step.view,
                "sql": _first_statement(step),
            }
            for step in batch_plan.steps
        ],
    }
