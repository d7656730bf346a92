"""The entry point of the command line. Verbs are loaded when they are used; an error is shown as one sentence."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import importlib
import io
import keyword
import os
import sys
import threading
from typing import Any, NoReturn

import click

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.cli.connection_options import connection_options, hide_secrets, remember_connection
from airflow_atscale_aggs.cli.help_verb import help_fields, say_more
from airflow_atscale_aggs.cli.late_modules import put_off_imports
from airflow_atscale_aggs.cli.output import describe_error, plain_text, print_json, say, visible
from airflow_atscale_aggs.cli.verb import VerbGroup

_VERBS = {
    "demo": ("demo_verb", "Show all of it on a small star that is made for it; half a minute."),
    "init": ("init_verb", "Write a first model from the tables of a warehouse."),
    "deploy": ("deploy_verb", "Read a folder of SML and register its models with their aggregates."),
    "models": ("list_verbs", "List the deployed models."),
    "definitions": ("list_verbs", "List aggregate definitions: what should be aggregated."),
    "instances": ("list_verbs", "List aggregate instances: the tables, and where each stands."),
    "batches": ("list_verbs", "List batch builds, newest first."),
    "plan": ("build_verbs", "Show what a build would do: order, sources, estimated rows, SQL."),
    "build": ("build_verbs", "Build or rebuild all aggregates of a model and activate them together."),
    "query": ("query_verbs", "Answer a query on a model, from its aggregates where they serve."),
    "explain": ("query_verbs", "Show what would answer a query, and why other aggregates would not."),
    "shell": ("shell_verb", "Ask models at a prompt that completes names and tells where answers came from."),
    "recommend": ("recommend_verb", "Tell which aggregates a model should have, and define them."),
    "cancel": ("build_verbs", "Give a batch up; the old instances keep serving."),
    "verify": ("verify_verb", "Compare the aggregates that serve with their facts."),
    "evaluate": ("evaluate_verb", "Judge each aggregate; name those that could take another's place."),
    "prune": ("retention_verbs", "Let the least used instances go when there are too many."),
    "delete-instance": ("retention_verbs", "Let one instance go by hand."),
    "block": ("retention_verbs", "Take an aggregate out of use, until `unblock`."),
    "unblock": ("retention_verbs", "Define a blocked aggregate again."),
    "retire": ("retire_verbs", "Let a model go that was renamed or removed, with its aggregates."),
    "sweep": ("sweep_verb", "Drop tables that nothing needs any more; lists them first."),
    "adopt": ("retire_verbs", "Take over an aggregate schema that another registry has written into."),
    "export": ("transfer_verbs", "Write the system-defined definitions of a model to a file."),
    "import": ("transfer_verbs", "Define here what `export` wrote elsewhere, and build it."),
    "convert": ("convert_verb", "Make a folder of SML out of a semantic model of dbt or Ossie."),
    "tell": ("tell_verb", "Tell dbt, Lightdash, Looker or Ossie of the aggregates that serve."),
    "settings": ("setting_verbs", "Show, set or unset settings, for all models or one."),
    "serve": ("serve_verb", "Answer on the PostgreSQL protocol, for BI tools."),
    "user": ("user_verbs", "Say who may connect to `serve`, with which password, and what they see."),
    "check-warehouse": ("check_warehouse_verb", "Tell what works on a warehouse, in a schema of its own."),
    "registry": ("setting_verbs", "Show or upgrade the registry's schema version."),
    "help": ("help_verb", "Tell what an error or a warning means, and what to do."),
}

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""New objects, before Python looks through them for garbage."""

_OBJECTS_OF_A_START = 1_000_000
"""More than any verb makes until its modules are imported."""

_FIRST_RUN = """\
atscale-aggs deploy models/retail   read the model, register its aggregates
atscale-aggs plan retail            see what a build would do
atscale-aggs build retail           build all aggregates, activate them together
atscale-aggs instances              see rows, seconds and sources"""


class LazyVerbs(VerbGroup):
    """Imports a verb's module when the verb is used, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs in the order of the life cycle."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command; None for an unknown verb."""
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"airflow_atscale_aggs.cli.{_VERBS[cmd_name][0]}")
        name = cmd_name.replace("-", "_")
        is_taken = keyword.iskeyword(name) or hasattr(builtins, name)
        command: click.Command = getattr(module, f"{name}_" if is_taken else name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Verbs with their sentences, without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in _VERBS.items()])


@click.group(
    cls=LazyVerbs,
    example=_FIRST_RUN,
    example_title="A first run, with a DuckDB file warehouse.duckdb that holds the facts",
    invoke_without_command=True,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@connection_options
@click.option("--debug", is_flag=True, envvar="ATSCALE_AGGS_DEBUG", help="Show tracebacks.  [env ATSCALE_AGGS_DEBUG]")
@click.version_option(__version__, prog_name="atscale-aggs")
@click.pass_context
def cli(ctx: click.Context, /, *, debug: bool, **connection: str | None) -> None:
    """Aggregate tables for star schemas: define, plan, build, activate, use.

    `atscale-aggs VERB --help` tells when to use a verb, with an example. Results go to standard output, everything
    else to standard error; exit codes are 0 ok, 1 failed, 2 usage, 130 interrupted.
    """
    ctx.ensure_object(dict)["debug"] = debug
    remember_connection(ctx, connection)
    if ctx.invoked_subcommand is None:
        from airflow_atscale_aggs.cli.first_steps import tell_first_steps

        tell_first_steps(ctx, _VERBS)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process."""
    # What is imported stays. To look through it for garbage again and again takes a sixth of the time of a start.
    gc.callbacks.append(_collect_as_usual)
    gc.set_threshold(_OBJECTS_OF_A_START)
    put_off_imports()
    _end(run(arguments))


def _collect_as_usual(*_: object) -> None:
    """From the first collection on, as often as a process should that goes on for long."""
    gc.callbacks.remove(_collect_as_usual)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code: 0 ok, 1 failed, 2 usage, 130 interrupted.

    A reader of our output that went away (``… | head -1``) ends the process without a word, by click's SystemExit.
    """
    state: dict[str, Any] = {}
    try:
        result: Any = cli.main(args=arguments, prog_name="atscale-aggs", standalone_mode=False, obj=state)
    except click.ClickException as error:
        if state.get("wants_json"):
            print_json({"error": error.format_message(), **help_fields(["usage"])})
        text = io.StringIO()
        error.show(text)
        click.echo(visible(text.getvalue()), err=True, nl=False)
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except Exception as error:  # noqa: BLE001 - the last one to see it
        codes = _codes_of(error)
        if state.get("wants_json"):
            print_json({"error": hide_secrets(plain_text(error), state), **help_fields(codes)})
        say(hide_secrets(describe_error(error, is_debugging=state.get("debug", False)), state))
        say_more(codes)
        return 1
    return result if isinstance(result, int) else 0


def _end(code: int) -> NoReturn:
    """End the process, with what Python does at its end, but for taking every object apart.

    The system takes all memory back anyway. To free it piece by piece takes an eighth of a short verb's time. A thread
    that still runs is waited for, and a reader that went away is met, as Python does it.
    """
    if threading.active_count() == 1:
        with contextlib.suppress(OSError):
            atexit._run_exitfuncs()  # noqa: SLF001 - it has no public name
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def _codes_of(error: Exception) -> tuple[str, ...]:
    """What to read about an error."""
    from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of

    return codes_of(error)


if __name__ == "__main__":
    main()
