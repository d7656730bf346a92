"""The verb ``verify``: it compares the active aggregates with their facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import print_json, say
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.verify import VerifyReport


@click.command(cls=Verb, example="atscale-aggs verify retail --level sample")
@click.argument("model")
@click.option("--aggregate", metavar="NAME", help="Only this one.")
@click.option(
    "--level",
    type=click.Choice(["totals", "sample", "full"]),
    default="totals",
    show_default=True,
    help="totals: row count, totals, least and greatest values; sample: some groups as well; full: every group.",
)
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def verify(
    ctx: click.Context, /, model: str, aggregate: str | None, level: str, *, as_json: bool, **connection: str | None
) -> int:
    """Compare the aggregates that serve with their facts as they are now. Changes nothing.

    Use it when a number looks wrong, or on a schedule. An aggregate that is only behind, because the facts have changed
    since its build, is told apart from one that is wrong. Both end with exit code 1, and so does one whose table, or
    whose facts, are gone.
    """
    from airflow_atscale_aggs.engine.lifecycle.build.verify import verify as run
    from airflow_atscale_aggs.engine.settings import VerificationLevel

    with workspace(ctx, connection) as place:
        report = run(place, model, aggregate=aggregate, level=VerificationLevel(level))
    if as_json:
        print_json(_document(report))
    else:
        _show(report)
    return 1 if report.has_mismatch else 0


def _show(report: VerifyReport) -> None:
    """Print a line per aggregate, then the differences and what could not be decided."""
    rows = [
        (instance.aggregate, instance.finding, instance.table, ", ".join(instance.not_compared))
        for instance in report.instances
    ]
    if rows:
        print_table(("aggregate", "finding", "table", "not compared at this level"), rows)
    else:
        say(f"Nothing is active; begin with: atscale-aggs build {report.model}")
    for instance in report.instances:
        for difference in instance.differences:
            say(f"{instance.finding}: {instance.aggregate}: {difference}")
        for reason in instance.undecided:
            kind = instance.finding if instance.finding in {"gone", "unreadable"} else "undecided"
            say(f"{kind}: {instance.aggregate}: {reason}")
    names = ("agrees", "behind", "differs", "gone", "unreadable")
    counts = [(sum(instance.finding == name for instance in report.instances), name) for name in names]
    numbers = ", ".join(f"{number} {name}" for number, name in counts if number)
    if any(instance.finding == "behind" for instance in report.instances):
        say(f"The facts have changed since the last build; run: atscale-aggs build {report.model}")
    compared = sum(instance.finding not in {"gone", "unreadable"} for instance in report.instances)
    say(f"{compared} compared at level {report.level}{f': {numbers}' if numbers else ''}.")


def _document(report: VerifyReport) -> dict[str, object]:
    return {
        "model": report.model,
        "level": report.level,
        "aggregates": [
            {
                "aggregate": instance.aggregate,
                "instance_id": instance.instance_id,
                "table": instance.table,
                "finding": instance.finding,
                "differences": [
                    {name: getattr(difference, name) for name in ("measure", "group", "expected", "found")}
                    for difference in instance.differences
                ],
                "undecided": instance.undecided,
                "not_compared": instance.not_compared,
            }
            for instance in report.instances
        ],
    }
