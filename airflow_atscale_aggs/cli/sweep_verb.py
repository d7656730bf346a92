"""The verb ``sweep``: it drops tables that nothing needs any more, and asks about tables that no registry knows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.retain.strays import Stray
    from airflow_atscale_aggs.engine.lifecycle.retain.sweep import SweepReport
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace


@click.command(cls=Verb, example="atscale-aggs sweep --dry-run")
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--yes", is_flag=True, help="Drop without asking; never what no registry knows.")
@click.option(
    "--unknown",
    type=click.Choice(["adopt", "drop"]),
    help="What to do, with --yes, with tables of ours that no registry knows: "
    "leave them alone from now on, or drop them.",
)
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; without --yes it only lists.")
@connection_options
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    *,
    dry_run: bool,
    yes: bool,
    unknown: str | None,
    as_json: bool,
    **connection: str | None,
) -> int:
    """Drop the tables of failed, interrupted, cancelled and superseded builds.

    Use it now and then, or after a build that failed for good. Never one that serves, is staged, is being
    written, or that somebody's view reads. Tables that are named as ours and that no registry knows are listed apart,
    and dropped or adopted only when you say so. Without a terminal and without --yes it only lists.
    """
    from airflow_atscale_aggs.engine.lifecycle.retain.strays import find_strays
    from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    # The same moment for listing and dropping, so that exactly the listed tables are dropped.
    now = utc_now()
    can_ask = not as_json and not dry_run and not yes and sys.stdin.isatty()
    with workspace(ctx, connection) as place:
        report = run(place, dry_run=True, now=now)
        if not as_json:
            _list(report)
        if not dry_run and (yes or (can_ask and _may_drop(report))):
            report = run(place, dry_run=False, now=now)
        strays: Sequence[Stray] = find_strays(place)
        if not as_json:
            _list_strays(strays)
        if not dry_run and strays:
            what = unknown if yes else (_ask(strays) if can_ask else None)
            strays = _treat_strays(place, strays, what)
    if as_json:
        print_json(_document(report, strays))
    _tell(report, strays, dry_run=dry_run)
    errors = [*(table.error for table in report.tables), *(table.error for table in strays)]
    return 1 if any(errors) else 0


def _list(report: SweepReport) -> None:
    if report.tables:
        print_table(
            ("table", "schema", "aggregate", "why"),
            [
                (
                    dropped_table.table,
                    dropped_table.schema,
                    dropped_table.aggregate,
                    f"{dropped_table.why}; stays for {dropped_table.kept_for}"
                    if dropped_table.kept_for
                    else dropped_table.why,
                )
                for dropped_table in report.tables
            ],
        )


def _list_strays(strays: Sequence[Stray]) -> None:
    if strays:
        say("Named as ours, and no registry knows them:")
        rows = [
            (stray.table, stray.schema, stray.kind, f"stays for {stray.kept_for}" if stray.kept_for else "")
            for stray in strays
        ]
        print_table(("unknown", "schema", "kind", "read by"), rows)


def _may_drop(report: SweepReport) -> bool:
    """Whether the user confirms the drop."""
    number = sum(not table.kept_for for table in report.tables)
    return number > 0 and click.confirm(f"Drop {counted(number, 'table')}?", err=True)


def _ask(strays: Sequence[Stray]) -> str | None:
    """Ask what to do with the strays: ``adopt``, ``drop``, or None for neither."""
    question = f"Adopt these {len(strays)} (they stay, and are not listed again), drop them, or neither?"
    answer: str = click.prompt(question, type=click.Choice(["adopt", "drop", "neither"]), default="neither", err=True)
    return None if answer == "neither" else answer


def _treat_strays(place: Workspace, strays: Sequence[Stray], choice: str | None) -> Sequence[Stray]:
    from airflow_atscale_aggs.engine.lifecycle.retain.strays import adopt_strays, drop_strays
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    if choice == "drop":
        return drop_strays(place, strays)
    return adopt_strays(place, strays, now=utc_now()) if choice == "adopt" else strays


def _document(report: SweepReport, strays: Sequence[Stray]) -> dict[str, object]:
    fields = ("table", "schema", "aggregate", "why", "dropped", "kept_for", "error")
    of_strays = ("table", "schema", "kind", "dropped", "adopted", "kept_for", "error")
    return {
        "dry_run": report.dry_run,
        "tables": [{name: getattr(table, name) for name in fields} for table in report.tables],
        "unknown": [{name: getattr(stray, name) for name in of_strays} for stray in strays],
        "notes": report.notes,
    }


def _tell(report: SweepReport, strays: Sequence[Stray], *, dry_run: bool) -> None:
    for note in report.notes:
        say(note)
    results = [(table.table, table.error, table.kept_for) for table in report.tables]
    results += [(stray.table, stray.error, stray.kept_for) for stray in strays]
    for table, error, kept_for in results:
        if error or kept_for:
            say(f"not dropped: {table}: {error or f'{kept_for} reads it'}")
    hint = "" if dry_run else " (--yes drops them)"
    if not report.tables:
        say("Nothing to drop.")
    elif report.dry_run:
        say(f"{counted(len(report.tables), 'table')}; nothing was dropped{hint}.")
    else:
        say(f"Dropped {sum(table.dropped for table in report.tables)} of {counted(len(report.tables), 'table')}.")
    if strays:
        dropped, adopted = sum(stray.dropped for stray in strays), sum(stray.adopted for stray in strays)
        done = f"{dropped} were dropped, {adopted} adopted" if dropped or adopted else "nothing was done with them"
        say(f"{len(strays)} that no registry knows; {done}.")
