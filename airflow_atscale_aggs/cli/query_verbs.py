"""The verbs ``query`` and ``explain``: they answer queries from aggregates and explain the choice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.answers import answer_document, plan_document, print_csv, say_source, show_plan
from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.given_statements import StatementVerb, read_statements
from airflow_atscale_aggs.cli.output import print_json, say
from airflow_atscale_aggs.cli.printed_tables import details_option, print_answer

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import Statement

_QUERY = 'SELECT "Sold Year", "Store Revenue" FROM retail.retail ORDER BY 2 DESC'


def _age(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:  # noqa: ARG001
    """``90m``, ``12h``, ``7d``."""
    from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
    from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age

    try:
        return None if value is None else read_age(value)
    except UnsupportedQueryError as error:
        raise click.BadParameter(f"`{value}`: {error.reason}. {error.remedy}") from error


def _parameters(sql: str, values: tuple[str, ...]) -> Any:
    """The parameters by order; by name where the query names its parameters and every value has a name."""
    pairs = [value.partition("=") for value in values]
    names = all(name.isidentifier() and _is_named(sql, name) for name, _, _ in pairs)
    return {name: value for name, _, value in pairs} if values and names else list(values) or None


def _is_named(sql: str, name: str) -> bool:
    return any(place in sql for place in (f":{name}", f"${name}", f"%({name})s"))


def _asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options that both verbs have."""
    for option in (
        click.argument("sql", required=False),
        click.option(
            "-f",
            "--file",
            "file",
            metavar="FILE",
            type=click.Path(path_type=Path, allow_dash=True),
            help="Read the statements from this file; `-` is standard input.",
        ),
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
        click.option("--max-staleness", metavar="AGE", callback=_age, help="Use no aggregate older than, say, 12h."),
        click.option(
            "--param",
            "parameters",
            multiple=True,
            metavar="VALUE",
            help="A value for the next `?`, `%s` or `$n`; `name=value` for `:name`, `$name` or `%(name)s`. Repeatable.",
        ),
        details_option,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        connection_options,
        click.pass_context,
    ):
        command = option(command)
    return command


@click.command(cls=StatementVerb, example=f"atscale-aggs query '{_QUERY}'\natscale-aggs query -f report.sql")
@click.option("--no-aggregates", is_flag=True, help="Answer from the facts.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@_asking
def query(
    ctx: click.Context,
    /,
    sql: str | None,
    file: Path | None,
    form: str,
    *,
    no_aggregates: bool,
    as_json: bool,
    as_user: str | None,
    as_groups: tuple[str, ...],
    parameters: tuple[str, ...],
    **options: Any,
) -> None:
    """Answer a query on a model: FROM names the model, columns are its attributes and metrics.

    Use it to read a model as one flat table. The answer is that of the facts, sooner. Where it came from is said on
    standard error. Plain SQL on the warehouse's tables is run as it stands, or on an aggregate where that is proven to
    be the same. SQL is an argument, a file, or `-` for standard input. Several statements, which semicolons separate,
    are answered in order until one fails.
    """
    from airflow_atscale_aggs.engine.lifecycle.query.router import answer

    form = "json" if as_json else form
    statements = _statements(ctx, sql, file, options["dialect"], parameters)
    if form == "csv" and len(statements) > 1:
        raise click.UsageError(f"CSV holds one answer, and these are {len(statements)} statements.", ctx)
    answered = []
    with workspace(ctx, options) as place:
        for number, statement in enumerate(statements, 1):
            with _naming(statement, number, len(statements)):
                found = answer(
                    place,
                    statement.text,
                    use_aggregates=not no_aggregates,
                    parameters=_parameters(statement.text, parameters),
                    user=as_user or "",
                    bounds=_bounds(as_user, as_groups),
                    **_query_options(options),
                )
            answered.append(found)
            if form == "csv":
                print_csv(found)
            elif form == "table":
                print_answer(found.columns, found.rows)
            say_source(found)
    if form == "json":
        documents = [answer_document(found) for found in answered]
        print_json(documents if len(documents) > 1 else documents[0])


@click.command(cls=StatementVerb, example=f"atscale-aggs explain '{_QUERY}'")
@click.option("--no-estimate", is_flag=True, help="Do not scan the facts to size the nearest aggregate's change.")
@_asking
def explain(
    ctx: click.Context,
    /,
    sql: str | None,
    file: Path | None,
    *,
    no_estimate: bool,
    as_json: bool,
    as_user: str | None,
    as_groups: tuple[str, ...],
    parameters: tuple[str, ...],
    **options: Any,
) -> None:
    """Show what would answer a query: the source and SQL of each part, and why every other aggregate would not.

    Use it when an aggregate is not used: the nearest one comes first, with the smallest change that would make it
    match. Runs no query.
    """
    from airflow_atscale_aggs.engine.lifecycle.query.router import explain as explain_query

    statements = _statements(ctx, sql, file, options["dialect"], parameters)
    plans = []
    with workspace(ctx, options) as place:
        for number, statement in enumerate(statements, 1):
            with _naming(statement, number, len(statements)):
                plan = explain_query(
                    place,
                    statement.text,
                    parameters=_parameters(statement.text, parameters),
                    estimate=not no_estimate,
                    bounds=_bounds(as_user, as_groups),
                    **_query_options(options),
                )
            plans.append(plan)
            if not as_json:
                show_plan(plan)
    if as_json:
        documents = [plan_document(plan) for plan in plans]
        print_json(documents if len(documents) > 1 else documents[0])


def _statements(
    ctx: click.Context, sql: str | None, file: Path | None, dialect: str, parameters: tuple[str, ...]
) -> tuple[Statement, ...]:
    """The statements that are asked for. Values belong to one statement."""
    statements = read_statements(ctx, sql, file, dialect)
    if parameters and len(statements) > 1:
        raise click.UsageError(f"`--param` gives values to one statement, and these are {len(statements)}.", ctx)
    return statements


@contextlib.contextmanager
def _naming(statement: Statement, number: int, of_all: int) -> Iterator[None]:
    """Say which one of several statements failed, before the error is shown."""
    try:
        yield
    except Exception:
        if of_all > 1:
            say(f"Statement {number} of {of_all}, in line {statement.line}, failed; those after it were not run.")
        raise


def _query_options(options: Mapping[str, Any]) -> Any:
    """What both functions of the engine take from the command line."""
    return {name: options[name] for name in ("model", "dialect", "max_staleness")}


def _bounds(user: str | None, groups: tuple[str, ...]) -> QueryBounds:
    """What the person at the command line may read: everything, of secured models as the one that is named."""
    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of

    if groups and user is None:
        raise click.UsageError("`--as-group` says the groups of `--as-user`, which is missing.")
    return bounds_of(user, groups)
