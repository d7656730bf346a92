"""The shell's commands, which begin with a backslash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.answers import show_plan
from airflow_atscale_aggs.cli.output import say, seconds, when
from airflow_atscale_aggs.cli.printed_tables import table_lines
from airflow_atscale_aggs.cli.shell_names import kind_of

if TYPE_CHECKING:
    from airflow_atscale_aggs.cli.shell_session import ShellSession
    from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownColumn
    from airflow_atscale_aggs.engine.registry.records import ModelRecord

COMMANDS = {
    "\\d": "MODEL: the attributes and metrics of a model; without a name: the models.",
    "\\dt": "The models.",
    "\\da": "[MODEL]: attributes.",
    "\\dm": "[MODEL]: metrics.",
    "\\dg": "[MODEL]: aggregates, and where each stands.",
    "\\explain": "[SQL]: what would answer a statement, and why nothing else does; without SQL: the last one.",
    "\\i": "FILE: runs the statements and commands of a file.",
    "\\timing": "[on|off]: shows how long each statement takes.",
    "\\use_aggregates": "[on|off]: answers from aggregates; off: from the facts.",
    "\\x": "[on|off]: shows each row as a block of lines.",
    "\\?": "This list.",
    "\\q": "Leaves, as Ctrl-D does.",
}
"""Each command with its sentence."""

_SWITCH = ("on", "off")
ARGUMENTS: dict[str, Sequence[str]] = {
    **dict.fromkeys(("\\d", "\\da", "\\dm", "\\dg"), ("MODEL",)),
    **dict.fromkeys(("\\timing", "\\x", "\\use_aggregates"), _SWITCH),
}
"""What may follow a command, for completion; ``MODEL`` stands for the names of models."""


def run_command(session: ShellSession, text: str) -> None:
    """Run one command.

    Args:
        text: the command with what follows it.

    Raises:
        click.ClickException: there is no such command, or it does not take what follows.
    """
    name, argument = split_command(text)
    if name not in _ACTIONS:
        from airflow_atscale_aggs.engine.errors import did_you_mean, near_names

        raise click.ClickException(
            f"There is no command `{name}`.{did_you_mean(near_names(name, COMMANDS))} \\? lists them all."
        )
    _ACTIONS[name](session, argument)


def split_command(text: str) -> tuple[str, str]:
    r"""A command and what follows it, without the semicolon that people type by habit.

    >>> split_command("\\d retail;")
    ('\\d', 'retail')
    """
    name, _, argument = text.strip().partition(" ")
    return (name.rstrip(";") or name), argument.strip().rstrip(";").rstrip()


def _leave(session: ShellSession, argument: str) -> None:  # noqa: ARG001 - the shape of all commands
    session.is_over = True


def _help(session: ShellSession, argument: str) -> None:  # noqa: ARG001
    width = max(map(len, COMMANDS))
    session.show(
        [
            "A statement ends with a semicolon and may have several lines.",
            *(f"  {name:{width}}  {sentence}" for name, sentence in COMMANDS.items()),
            "Ctrl-C stops a statement, or drops what was typed. Tab completes names.",
        ]
    )


def _switch(name: str, meaning: str) -> Callable[[ShellSession, str], None]:
    """A command that sets something of the session, or turns it round."""

    def run(session: ShellSession, argument: str) -> None:
        if argument and argument.casefold() not in _SWITCH:
            raise click.ClickException(f"`{argument}` is neither `on` nor `off`.")
        value = argument.casefold() == "on" if argument else not getattr(session, name)
        setattr(session, name, value)
        say(f"{meaning}: {'on' if value else 'off'}.")

    return run


def _describe(session: ShellSession, argument: str) -> None:
    if not argument:
        _list_models(session, argument)
        return
    _list_columns(session, argument, ("attribute", "metric", "calculated metric"))


def _list_models(session: ShellSession, argument: str) -> None:  # noqa: ARG001
    rows = [
        (name, "perspective" if perspective else "model", record.catalog, record.version, when(record.deployed_at))
        for name, (record, perspective) in session.names.by_name().items()
    ]
    if not rows:
        say("No model is deployed here; begin with: atscale-aggs deploy DIR")
    _show(session, ("name", "kind", "catalog", "version", "deployed"), rows, ("version",))


def _list_attributes(session: ShellSession, argument: str) -> None:
    _list_columns(session, argument, ("attribute",))


def _list_metrics(session: ShellSession, argument: str) -> None:
    _list_columns(session, argument, ("metric", "calculated metric"))


def _list_columns(session: ShellSession, argument: str, kinds: Sequence[str]) -> None:
    rows = [
        (name, kind_of(column), _origin(column), column.label if column.label != name else "", column.description)
        for record, perspective in _chosen(session, argument)
        for name, column in session.names.columns(record, perspective).items()
        if kind_of(column) in kinds
    ]
    _show(session, ("name", "kind", "from", "label", "description"), rows)


def _origin(column: ShownColumn) -> str:
    """Where a column comes from: the level of a dimension, or what is measured of which dataset."""
    from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownAttribute

    origin = column.origin
    if isinstance(origin, ShownAttribute):
        return origin.dimension
    return f"{origin.aggregation} of {origin.dataset}" if origin.dataset else origin.expression


def _list_aggregates(session: ShellSession, argument: str) -> None:
    from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus

    gone = {InstanceStatus.SUPERSEDED, InstanceStatus.CANCELLED, InstanceStatus.DELETED}
    rows = [
        (
            instance.step.aggregate,
            record.name,
            instance.status,
            instance.rows,
            seconds(instance.seconds),
            when(instance.finished_at),
            instance.table,
        )
        for record in dict.fromkeys(record for record, _ in _chosen(session, argument))
        for instance in session.place.read.instances.find(model_id=record.id)
        if instance.status not in gone
    ]
    if not rows:
        say("Nothing is built; `atscale-aggs build MODEL` builds the aggregates of a model.")
    columns = ("aggregate", "model", "status", "rows", "seconds", "built", "table")
    _show(session, columns, rows, ("rows", "seconds"))


def _chosen(session: ShellSession, name: str) -> list[tuple[ModelRecord, str]]:
    """(model, perspective) of a name; of all models where none is given.

    Raises:
        NotRegisteredError: there is no such model; carries near names.
    """
    from airflow_atscale_aggs.engine.errors import NotRegisteredError, near_names

    named = session.names.by_name()
    if not name:
        return [(record, "") for record in session.names.records()]
    wanted = name.strip('"').rpartition(".")[2].strip('"')
    found = named.get(wanted) or {known.casefold(): of for known, of in named.items()}.get(wanted.casefold())
    if found is None:
        raise NotRegisteredError("model", wanted, near_names(wanted, named))
    return [found]


def _explain(session: ShellSession, argument: str) -> None:
    sql = argument or session.last
    if not sql:
        raise click.ClickException("Nothing was asked yet. Write the statement behind `\\explain`.")
    show_plan(session.router.explain(sql))


def _run_file(session: ShellSession, argument: str) -> None:
    if not argument:
        raise click.ClickException("Name the file: `\\i FILE`.")
    session.run_file(argument)


def _show(
    session: ShellSession, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """Show a list, shortened to the terminal's width unless rows are shown as blocks."""
    if not rows:
        return
    lines, note = table_lines(columns, rows, right=right, spare=("description", "label"), in_blocks=session.in_blocks)
    session.show(lines)
    if note:
        say(f"{note}; \\x shows all.")


_ACTIONS: dict[str, Callable[[ShellSession, str], None]] = {
    "\\d": _describe,
    "\\dt": _list_models,
    "\\da": _list_attributes,
    "\\dm": _list_metrics,
    "\\dg": _list_aggregates,
    "\\explain": _explain,
    "\\i": _run_file,
    "\\timing": _switch("has_timing", "Timing"),
    "\\use_aggregates": _switch("use_aggregates", "Answers from aggregates"),
    "\\x": _switch("in_blocks", "Each row as a block"),
    "\\?": _help,
    "\\q": _leave,
}
