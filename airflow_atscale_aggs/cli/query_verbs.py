"""The verbs ``query`` and ``explain``: they answer queries from aggregates and explain the choice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, print_table, say, show, visible, when
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource
    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
    from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
    from airflow_atscale_aggs.engine.lifecycle.query.router import Answer
    from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate

_QUERY = 'SELECT "Sold Year", "Store Revenue" FROM retail.retail ORDER BY 2 DESC'


def _age(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:  # noqa: ARG001
    """``90m``, ``12h``, ``7d``."""
    from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
    from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age

    try:
        return None if value is None else read_age(value)
    except UnsupportedQueryError as error:
        raise click.BadParameter(f"`{value}`: {error.reason}. {error.remedy}") from error


def _values(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Any:  # noqa: ARG001
    """The parameters by order; by name where the query names its parameters and every value has a name."""
    sql = str(ctx.params.get("sql") or "")
    pairs = [value.partition("=") for value in values]
    names = all(name.isidentifier() and _is_named(sql, name) for name, _, _ in pairs)
    return {name: value for name, _, value in pairs} if values and names else list(values) or None


def _is_named(sql: str, name: str) -> bool:
    return any(place in sql for place in (f":{name}", f"${name}", f"%({name})s"))


def _asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options that both verbs have."""
    for option in (
        click.argument("sql", is_eager=True),
        click.option("--model", metavar="M", help="The model that is meant where FROM names none that is deployed."),
        click.option("--dialect", default="postgres", show_default=True, help="The SQL that the query is written in."),
        click.option("--as-user", metavar="NAME", help="Who asks, for models with row security."),
        click.option(
            "--as-group",
            "as_groups",
            multiple=True,
            metavar="NAME",
            help="A group that the user belongs to, for row security by group. Repeatable; name all.",
        ),
        click.option("--max-staleness", metavar="AGE", callback=_age, help="Use no aggregate that is older, e.g. 12h."),
        click.option(
            "--param",
            "parameters",
            multiple=True,
            metavar="VALUE",
            callback=_values,
            help="A value for the next `?`, `%s` or `$n`; `name=value` for `:name`, `$name` or `%(name)s`. Repeatable.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        connection_options,
        click.pass_context,
    ):
        command = option(command)
    return command


@click.command(cls=Verb, example=f"atscale-aggs query '{_QUERY}'")
@click.option("--no-aggregates", is_flag=True, help="Answer from the facts.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@_asking
def query(
    ctx: click.Context,
    /,
    sql: str,
    model: str | None,
    dialect: str,
    max_staleness: timedelta | None,
    parameters: Any,
    form: str,
    *,
    as_user: str | None,
    as_groups: tuple[str, ...],
    no_aggregates: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    """Answer a query on a model: FROM names the model, columns are its attributes and metrics.

    Use it to read a model as one flat table. The answer is that of the facts, sooner. Where it came from is said on
    standard error. Plain SQL on the warehouse's tables is run as it stands, or on an aggregate where that is proven to
    be the same.
    """
    from airflow_atscale_aggs.engine.lifecycle.query.router import answer

    with workspace(ctx, connection) as place:
        answered = answer(
            place,
            sql,
            model=model,
            dialect=dialect,
            use_aggregates=not no_aggregates,
            max_staleness=max_staleness,
            parameters=parameters,
            user=as_user or "",
            bounds=_bounds(as_user, as_groups),
        )
    if as_json or form == "json":
        print_json(_answer_document(answered))
    elif form == "csv":
        _print_csv(answered)
    else:
        print_table(answered.columns, answered.rows)
    if answered.fallback_reason:
        say(f"The aggregate could not be read, so the facts answered: {answered.fallback_reason}")
    if answered.log_loss:
        say(answered.log_loss)
    sources = ", ".join(_describe_source(source) for source in answered.plan.sources) or "the SQL as it stands"
    say(f"{counted(len(answered.rows), 'row')} from {sources}")


@click.command(cls=Verb, example=f"atscale-aggs explain '{_QUERY}'")
@click.option("--no-estimate", is_flag=True, help="Do not scan the facts to size the nearest aggregate's change.")
@_asking
def explain(
    ctx: click.Context,
    /,
    sql: str,
    model: str | None,
    dialect: str,
    max_staleness: timedelta | None,
    parameters: Any,
    *,
    as_user: str | None,
    as_groups: tuple[str, ...],
    no_estimate: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    """Show what would answer a query: the source and SQL of each part, and why every other aggregate would not.

    Use it when an aggregate is not used: the nearest one comes first, with the smallest change that would make it
    match. Runs no query.
    """
    from airflow_atscale_aggs.engine.lifecycle.query.router import explain as explain_query

    with workspace(ctx, connection) as place:
        plan = explain_query(
            place,
            sql,
            model=model,
            dialect=dialect,
            max_staleness=max_staleness,
            parameters=parameters,
            estimate=not no_estimate,
            bounds=_bounds(as_user, as_groups),
        )
    if as_json:
        print_json(_plan_document(plan))
        return
    show(plan.sql)
    for sentence in plan.meant:
        say(sentence)
    for reason in plan.untouched:
        say(f"Run as it stands: {reason}")
    for number, candidates in enumerate(plan.candidates):
        say(plan.verdict(number))
        if candidates:
            rows = [
                (
                    candidate.aggregate,
                    candidate.rows,
                    candidate.miss,
                    ", ".join(candidate.missing),
                    candidate.change,
                    candidate.extra_rows,
                )
                for candidate in candidates
            ]
            columns = ("aggregate", "rows", "why not", "what", "smallest change", "more rows")
            print_table(columns, rows, right=("rows", "more rows"))


def _bounds(user: str | None, groups: tuple[str, ...]) -> QueryBounds:
    """What the person at the command line may read: everything, of secured models as the one that is named."""
    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of

    if groups and user is None:
        raise click.UsageError("`--as-group` says the groups of `--as-user`, which is missing.")
    return bounds_of(user, groups)


def _describe_source(source: PartSource) -> str:
    if source.aggregate is None:
        return f"the facts `{source.fact}`"
    if source.is_restricted:
        return f"aggregate `{source.aggregate}` (what the user may see of it, as of {when(source.as_of)})"
    return f"aggregate `{source.aggregate}` ({counted(source.rows or 0, 'row')}, as of {when(source.as_of)})"


def _print_csv(answered: Answer) -> None:
    """RFC 4180; NULL is an empty field. Values are as they are, unless a terminal would read them."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([visible(column) for column in answered.columns])
    if sys.stdout.isatty():
        writer.writerows(
            [visible(value) if isinstance(value, str) else value for value in row] for row in answered.rows
        )
    else:
        writer.writerows(answered.rows)


def _answer_document(answered: Answer) -> dict[str, object]:
    return {
        "columns": answered.columns,
        "rows": [[_plain(value) for value in row] for row in answered.rows],
        "sources": [_source(source) for source in answered.plan.sources],
        "planned_sources": [_source(source) for source in answered.planned],
        "fallback_reason": answered.fallback_reason,
        "log_loss": answered.log_loss,
        "sql": answered.plan.sql,
    }


def _plan_document(plan: QueryPlan) -> dict[str, object]:
    return {
        "sql": plan.sql,
        "meant": list(plan.meant),
        "untouched": list(plan.untouched),
        "parts": [
            {
                **_source(source),
                "verdict": plan.verdict(number),
                "candidates": [_candidate(candidate) for candidate in candidates],
            }
            for number, (source, candidates) in enumerate(zip(plan.sources, plan.candidates, strict=True))
        ],
    }


def _source(source: PartSource) -> dict[str, object]:
    names = ("model", "fact", "aggregate", "instance_id", "rows", "as_of")
    facts = (
        {"fact_rows": source.fact_cost.rows, "fact_cost": source.fact_cost.cost} if source.fact_cost is not None else {}
    )
    return {**{name: getattr(source, name) for name in names}, **facts}


def _candidate(candidate: Candidate) -> dict[str, object]:
    return {
        "aggregate": candidate.aggregate,
        "rows": candidate.rows,
        "reason": candidate.miss.name.lower(),
        "explanation": candidate.miss.value,
        "missing": candidate.missing,
        "change": candidate.change,
        "extra_rows": candidate.extra_rows,
    }


def _plain(value: object) -> object:
    """A decimal as a JSON number where that loses nothing, else as text."""
    if isinstance(value, Decimal):
        as_float = float(value)
        return as_float if Decimal(repr(as_float)) == value else str(value)
    return value
