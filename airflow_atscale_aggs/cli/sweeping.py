"""``sweep``: tables that nothing needs any more."""

from __future__ import annotations

import sys

import click

from airflow_atscale_aggs.cli.connecting import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, print_table, say
from airflow_atscale_aggs.cli.teaching import Verb


@click.command(cls=Verb, example="atscale-aggs sweep --dry-run")
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--yes", is_flag=True, help="Drop without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; without --yes it only lists.")
@connection_options
@click.pass_context
def sweep(ctx: click.Context, /, *, dry_run: bool, yes: bool, as_json: bool, **connection: str | None) -> int:
    """Drop the tables of failed, interrupted, cancelled and superseded builds.

    Use it now and then, or after a build that failed for good. Only tables that the registry wrote down before they were made; never one that serves, is staged, or is being
    written. Without a terminal and without --yes it only lists.
    """
    from airflow_atscale_aggs.engine.lifecycle.sweep import sweep as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    # One moment for both: what is dropped is what was listed.
    now = utc_now()
    with workspace(ctx, connection) as place:
        report = run(place, dry_run=True, now=now)
        if report.found and not as_json:
            print_table(
                ("table", "schema", "aggregate", "why"),
                [(one.table, one.schema, one.aggregate, one.why) for one in report.found],
            )
        is_wanted = yes or (not as_json and sys.stdin.isatty() and bool(report.found))
        if is_wanted and not dry_run and report.found:
            if not yes and not click.confirm(f"Drop these {len(report.found)} tables?", err=True):
                say("Nothing was dropped.")
                return 0
            report = run(place, dry_run=False, now=now)
    if as_json:
        fields = ("table", "schema", "aggregate", "why", "dropped", "error")
        found = [{name: getattr(one, name) for name in fields} for one in report.found]
        print_json({"dry_run": report.dry_run, "tables": found})
    dropped = sum(one.dropped for one in report.found)
    for one in report.found:
        if one.error:
            say(f"not dropped: {one.table}: {one.error}")
    if not report.found:
        say("Nothing to drop.")
    elif report.dry_run:
        say(f"{len(report.found)} tables; nothing was dropped{'' if dry_run else ' (--yes drops them)'}.")
    else:
        say(f"Dropped {dropped} of {len(report.found)} tables.")
    return 1 if any(one.error for one in report.found) else 0
