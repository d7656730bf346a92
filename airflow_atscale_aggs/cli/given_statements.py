"""Takes SQL from an argument, a file or standard input, as one statement or several."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import Statement

STANDARD_INPUT = "-"


class StatementVerb(Verb):
    """A verb whose argument is SQL, which may begin with a comment and then looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with statements that begin with ``--`` as what they are."""
        takes_value = {
            name
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for name in parameter.opts
        }
        for index, argument in enumerate(args):
            if argument == "--":
                break
            if _is_statement(argument) and not (index and args[index - 1] in takes_value):
                return super().parse_args(ctx, [*args[:index], *args[index + 1 :], "--", argument])
        return super().parse_args(ctx, args)


def _is_statement(argument: str) -> bool:
    r"""True for a text that begins like an option and cannot be one, since there are blanks in its name.

    >>> _is_statement("-- the best shops\nSELECT 1"), _is_statement("--model=my shop"), _is_statement("--model")
    (True, False, False)
    """
    return argument.startswith("--") and len(argument.partition("=")[0].split(maxsplit=1)) > 1


def read_statements(ctx: click.Context, sql: str | None, file: Path | None, dialect: str) -> tuple[Statement, ...]:
    """The statements that are asked for.

    Args:
        sql: the argument: SQL, or ``-`` for standard input; None: there is none.
        file: of the option ``-f``; ``-`` for standard input.

    Raises:
        click.UsageError: both are given, or none of them, or there is no statement in it.
        click.ClickException: the file cannot be read.
    """
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import split_statements

    if (sql is None) == (file is None):
        raise click.UsageError("Give a statement, `-f FILE`, or `-` for standard input: one of them.", ctx)
    text, where = (sql, "the argument") if sql not in {None, STANDARD_INPUT} else _read(file)
    statements = split_statements(str(text), dialect=dialect)
    if not statements:
        raise click.UsageError(f"There is no statement in {where}.", ctx)
    return statements


def _read(file: Path | None) -> tuple[str, str]:
    """The text of a file, or of standard input, and what that is called."""
    try:
        if file is None or str(file) == STANDARD_INPUT:
            return sys.stdin.buffer.read().decode("utf-8-sig"), "standard input"
        return file.read_text(encoding="utf-8-sig"), str(file)
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file or 'Standard input'} cannot be read: it is not UTF-8 text.") from error
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error
