"""The verb ``shell``: it asks models interactively."""

from __future__ import annotations

import sys

import click

from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.verb import Verb


@click.command(cls=Verb, example="atscale-aggs shell\natscale-aggs shell < report.sql")
@click.option("--as-user", metavar="NAME", help="Who asks, for models with row security.")
@click.option(
    "--as-group",
    "as_groups",
    multiple=True,
    metavar="NAME",
    help="A group that the user belongs to, for row security by group. Repeatable; name all.",
)
@click.option("--no-aggregates", is_flag=True, help="Begin with answers from the facts.")
@connection_options
@click.pass_context
def shell(
    ctx: click.Context,
    /,
    *,
    as_user: str | None,
    as_groups: tuple[str, ...],
    no_aggregates: bool,
    **connection: str | None,
) -> int:
    r"""Ask models at a prompt that completes their names, and see under each answer where it came from.

    Use it to get to know a model. A statement ends with a semicolon and may have several lines. `\?` lists the
    commands. Ctrl-C stops a statement in the warehouse and keeps the shell. Without a terminal it runs what it reads
    from standard input, and ends with 1 if a statement failed.
    """
    from airflow_atscale_aggs.cli.shell_session import ShellSession
    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import bounds_of

    if as_groups and as_user is None:
        raise click.UsageError("`--as-group` says the groups of `--as-user`, which is missing.")
    is_interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with workspace(ctx, connection) as place:
        session = ShellSession(
            place, user=as_user or "", bounds=bounds_of(as_user, as_groups), is_interactive=is_interactive
        )
        session.use_aggregates = not no_aggregates
        with session:
            if is_interactive:
                from airflow_atscale_aggs.cli.shell_prompt import talk

                return talk(session)
            return session.run_script(sys.stdin)
