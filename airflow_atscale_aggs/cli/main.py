"""The entry point: verbs are loaded when they are used, errors are one sentence, exit codes are 0, 1, 2."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.cli.connecting import connection_options, remember_connection

_VERBS = {
    "deploy": ("deploying", "Read a folder of SML and register its models with their aggregates."),
    "models": ("reading", "List the deployed models."),
    "definitions": ("reading", "List aggregate definitions: what should be aggregated."),
    "instances": ("reading", "List aggregate instances: the tables, and where each stands."),
    "batches": ("reading", "List batch builds, newest first."),
    "plan": ("building", "Show what a build would do: order, sources, estimated rows, SQL."),
    "build": ("building", "Build or rebuild all aggregates of a model and activate them together."),
    "cancel": ("building", "Give a batch up; the old instances keep serving."),
    "sweep": ("sweeping", "Drop tables that nothing needs any more; lists them first."),
    "settings": ("configuring", "Show, set or unset settings, for all models or one."),
    "registry": ("configuring", "Show or upgrade the registry's schema version."),
}


class LazyVerbs(click.Group):
    """Imports a verb's module when the verb is used, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs in the order of the life cycle."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command; None for an unknown verb, which click reports with near names."""
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"airflow_atscale_aggs.cli.{_VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Verbs with their sentences, without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in _VERBS.items()])


@click.group(cls=LazyVerbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@connection_options
@click.option("--debug", is_flag=True, envvar="ATSCALE_AGGS_DEBUG", help="Show tracebacks.")
@click.version_option(__version__, prog_name="atscale-aggs")
@click.pass_context
def cli(ctx: click.Context, /, *, debug: bool, **connection: str | None) -> None:
    r"""Aggregate tables for star schemas.

    A first run, with a DuckDB file warehouse.duckdb that holds the facts:

    \b
      atscale-aggs deploy models/retail      read the model, register its aggregates
      atscale-aggs plan retail               see what a build would do
      atscale-aggs build retail              build all aggregates, activate them together
      atscale-aggs instances                 see rows, seconds and sources
    """
    ctx.obj = {"debug": debug}
    remember_connection(ctx, connection)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code: 0 ok, 1 failed, 2 usage, 130 interrupted."""
    try:
        result: Any = cli.main(args=arguments, prog_name="atscale-aggs", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output went away: nothing is left to say, also not at interpreter shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last one to see it; defects are raised again
        return _report(error, arguments if arguments is not None else sys.argv[1:])
    return result if isinstance(result, int) else 0


def _report(error: Exception, arguments: list[str]) -> int:
    """One sentence for an error of ours; anything else is a defect and keeps its traceback."""
    from airflow_atscale_aggs.engine.errors import AtScaleAggsError

    if not isinstance(error, AtScaleAggsError) or "--debug" in arguments or os.environ.get("ATSCALE_AGGS_DEBUG"):
        raise error
    click.echo(f"Error: {error}", err=True)
    return 1


if __name__ == "__main__":
    main()
