"""The verbs ``retire`` and ``adopt``: they retire models and take over aggregate schemas."""

from __future__ import annotations

import sys

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say, when
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb


@click.command(cls=Verb, example="atscale-aggs retire old_retail --dry-run")
@click.argument("model")
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; without --yes it only lists.")
@connection_options
@click.pass_context
def retire(
    ctx: click.Context, /, model: str, *, dry_run: bool, yes: bool, as_json: bool, **connection: str | None
) -> None:
    """Let a model go that was renamed or removed: its aggregates serve no more, its tables go with `sweep`.

    Use it when `models` lists a model that no folder holds any more. Definitions and statistics are kept; deploying the
    model again brings them back. A stable view that somebody's own view reads stays, and is named. Without a terminal
    and without --yes it only lists.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.retire import retire as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    now = utc_now()
    with workspace(ctx, connection) as place:
        report = run(place, model, dry_run=True, now=now)
        if not as_json and report.tables:
            print_table(("table", "view"), list(zip(report.tables, report.views, strict=True)))
        is_wanted = yes or (not as_json and sys.stdin.isatty())
        if is_wanted and not dry_run:
            question = (
                f"Retire model `{report.model}` with {counted(len(report.aggregates), 'aggregate')}, "
                f"{len(report.tables)} of them in use?"
            )
            if not yes and not click.confirm(question, err=True):
                say("Nothing was changed.")
                return
            report = run(place, model, dry_run=False, now=now)
    for note in report.notes:
        say(note)
    if as_json:
        names = ("model", "model_id", "aggregates", "tables", "views", "notes", "drop_after", "dry_run")
        print_json({name: getattr(report, name) for name in names})
    elif report.dry_run:
        say(
            f"Model `{report.model}` has {counted(len(report.aggregates), 'aggregate')}, "
            f"{len(report.tables)} of them in use; nothing was changed{'' if dry_run else ' (--yes retires it)'}."
        )
    else:
        say(
            f"Model `{report.model}` is retired; `atscale-aggs sweep` drops its "
            f"{counted(len(report.tables), 'table')} from {when(report.drop_after)} on."
        )


@click.command(cls=Verb, example="atscale-aggs adopt --schema aggs")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; without --yes it only tells whose it is."
)
@connection_options
@click.pass_context
def adopt(ctx: click.Context, /, *, yes: bool, as_json: bool, **connection: str | None) -> None:
    """Take over an aggregate schema that another registry, or a copy of this one, has written into.

    Use it when that registry is gone, or was put back from a backup. Nothing is dropped: builds of this registry make
    tables of their own and switch the stable views of the same names; `sweep` offers what is left. The other registry
    is refused from then on.
    """
    from airflow_atscale_aggs.engine.lifecycle.schema_ownership import adopt_schema, schema_mark
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    with workspace(ctx, connection) as place:
        mark = schema_mark(place)
        whose = (
            f"It is of the registry at {mark.registry}, since {mark.marked_at}."
            if mark
            else "No registry has marked it."
        )
        is_wanted = yes or (not as_json and sys.stdin.isatty())
        if is_wanted and not yes:
            is_wanted = click.confirm(f"{whose} Take the schema over for {place.registry.database.place}?", err=True)
        if is_wanted:
            adopt_schema(place, now=utc_now())
        schema = place.warehouse.aggregate_schema
    if as_json:
        before = None if mark is None else {"registry": mark.registry, "marked_at": mark.marked_at}
        print_json({"schema": schema, "before": before, "adopted": is_wanted})
    else:
        say(
            f"{whose} "
            f"{'This registry has taken it over.' if is_wanted else 'Nothing was changed (--yes takes it over).'}"
        )
