"""The verbs ``prune``, ``delete-instance``, ``block`` and ``unblock``.

They take instances and aggregates out of use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.known_ids import require_instance
from airflow_atscale_aggs.cli.output import counted, print_json, say, when
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.retain.prune import PruneReport


@click.command(cls=Verb, example="atscale-aggs prune retail --dry-run")
@click.argument("model")
@click.option("--dry-run", is_flag=True, help="Only list.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def prune(ctx: click.Context, /, model: str, *, dry_run: bool, as_json: bool, **connection: str | None) -> None:
    """Let the least used instances of system-defined aggregates go when there are too many of them.

    Use it now and then, or let the maintenance DAG do it. Definitions and statistics stay, user-defined aggregates are
    never touched. Tables go with `sweep`, after the drop delay.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.prune import prune as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        report = run(place, model, dry_run=dry_run, now=utc_now())
    for warning in report.warnings:
        say(f"warning: {warning}")
    if as_json:
        print_json(_document(report))
        return
    if report.pruned:
        print_table(
            ("rank", "aggregate", "uses", "last used", "table", "why"),
            [
                (
                    instance.rank or None,
                    instance.aggregate,
                    instance.uses,
                    when(instance.last_used_at),
                    instance.table,
                    instance.why,
                )
                for instance in report.pruned
            ],
            right=("rank", "uses"),
        )
    say(
        f"{counted(report.total, 'instance')} of system-defined aggregates; "
        f"{counted(report.desired, 'is', 'are')} desired, {report.excess:,} more tolerated."
    )
    if not report.pruned:
        say("Nothing to prune.")
    elif dry_run:
        say(f"{len(report.pruned)} would go; nothing was changed.")
    else:
        say(
            f"{len(report.pruned)} serve{'s' if len(report.pruned) == 1 else ''} no more; `atscale-aggs sweep` drops "
            f"their tables from {when(report.drop_after)} on."
        )


@click.command("delete-instance", cls=Verb, example="atscale-aggs delete-instance 0b6d2a50-6c0a-4d0c-9a3e-8d2a7f1f2c11")
@click.argument("instance_id")
@connection_options
@click.pass_context
def delete_instance(ctx: click.Context, /, instance_id: str, **connection: str | None) -> None:
    """Let one instance go by hand: one of an aggregate that has left its model, or that is blocked.

    Use it for what `definitions` says has stayed: instances of user-defined aggregates go no other way. The table goes
    with `sweep`, after the drop delay.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        require_instance(place.read, instance_id)
        deleted = run(place, instance_id, now=utc_now())
    for note in deleted.notes:
        say(note)
    name, table = deleted.instance.step.aggregate, deleted.instance.table
    say(f"Instance of `{name}` serves no more; `atscale-aggs sweep` drops {table} from {when(deleted.drop_after)} on.")


@click.command(cls=Verb, example="atscale-aggs block retail sales_by_day --why 'wrong currency'")
@click.argument("model")
@click.argument("aggregate")
@click.option("--why", default="", help="For those who look at it later.")
@connection_options
@click.pass_context
def block(ctx: click.Context, /, model: str, aggregate: str, why: str, **connection: str | None) -> None:
    """Take an aggregate out of use: queries go past it at once, batches do not build it, nobody defines it again.

    Use it when a number is doubted, or when an aggregate costs more than it gives. `unblock` takes it back.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        block_definition(place, model, aggregate, why=why, now=utc_now())
    say(f"`{aggregate}` is blocked.")


@click.command(cls=Verb, example="atscale-aggs unblock retail sales_by_day")
@click.argument("model")
@click.argument("aggregate")
@connection_options
@click.pass_context
def unblock(ctx: click.Context, /, model: str, aggregate: str, **connection: str | None) -> None:
    """Define a blocked aggregate again; the next batch builds it.

    Use it when the reason for `block` is gone.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.block import unblock_definition
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        definition = unblock_definition(place, model, aggregate, now=utc_now())
    say(f"`{aggregate}` is {definition.status}{f': {definition.status_reason}' if definition.status_reason else ''}.")


def _document(report: PruneReport) -> dict[str, object]:
    fields = ("instance_id", "aggregate", "table", "rank", "uses", "last_used_at", "why")
    return {
        **{name: getattr(report, name) for name in ("model", "total", "desired", "excess", "drop_after", "dry_run")},
        "disabled": report.disabled,
        "warnings": report.warnings,
        "pruned": [{name: getattr(instance, name) for name in fields} for instance in report.pruned],
    }
