"""Runs what is typed in the shell: statements, and commands that begin with a backslash."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from airflow_atscale_aggs.cli.answers import say_source
from airflow_atscale_aggs.cli.connection_options import hide_secrets
from airflow_atscale_aggs.cli.help_verb import say_more
from airflow_atscale_aggs.cli.interruption import Interruptible
from airflow_atscale_aggs.cli.output import describe_error, say
from airflow_atscale_aggs.cli.printed_tables import answer_lines, print_lines
from airflow_atscale_aggs.cli.shell_commands import run_command
from airflow_atscale_aggs.cli.shell_names import ModelNames

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import Statement

DIALECT = "postgres"
"""The SQL that is typed."""

_LINES_OF_PROMPT = 3
_MOST_FILES = 10
_MOST_TRIES = 20
"""Semicolons up to which an open text is read, the last ones. What stands before them waits for its end."""


class ShellSession:
    r"""One conversation. An error is shown, and the conversation goes on.

    Attributes:
        place: what is asked.
        names: of the models, for lists and completion.
        use_aggregates: False: the facts answer.
        in_blocks: each row is a block of lines; False: only where a table is too wide for the terminal.
        has_timing: the time of each statement is shown.
        last: the statement before, for ``\explain``.
        exit_code: 0 as long as nothing failed.
        is_over: somebody has left, or a signal has ended the shell.
    """

    def __init__(self, place: Workspace, *, user: str, bounds: QueryBounds, is_interactive: bool) -> None:
        from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter

        self.place, self.names = place, ModelNames(place.read)
        self.router = QueryRouter(place, user=user, bounds=bounds)
        self.use_aggregates, self.in_blocks, self.has_timing = True, False, False
        self.last, self.exit_code, self.is_over = "", 0, False
        self._is_interactive, self._rest = is_interactive, ""
        self._files: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.router.close()

    def run_script(self, lines: Iterable[str]) -> int:
        """Run what is read, to its end; the exit code: 1 if anything failed.

        Raises:
            click.ClickException: it is no text.
        """
        try:
            for line in lines:
                self.feed(line)
                if self.is_over:
                    return self.exit_code
        except UnicodeDecodeError as error:
            raise click.ClickException("Standard input cannot be read: it is not UTF-8 text.") from error
        self.end_input()
        return self.exit_code

    def feed(self, text: str) -> None:
        """Take more text, and run all of it that is complete."""
        if text.lstrip().startswith("\\") and _statements(self._rest) == ():
            self._guarded(lambda: run_command(self, text.strip()))
            return
        statements, self._rest = split_input(self._rest + text)
        for statement in statements:
            if not self.is_over:
                self.run_statement(statement)

    def end_input(self) -> None:
        """Run what was not ended by a semicolon: nothing follows it."""
        rest, self._rest = self._rest.strip(), ""
        if _statements(rest) != () and not self.is_over:
            self.run_statement(rest)

    def run_file(self, path: str) -> None:
        """Run the statements and commands of a file.

        Raises:
            click.ClickException: it cannot be read.
        """
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{path} cannot be read: it is not UTF-8 text.") from error
        except OSError as error:
            raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
        if len(self._files) == _MOST_FILES:
            raise click.ClickException(f"{path} is not run: {_MOST_FILES} files that run each other are under way.")
        self._files.append(path)
        self.run_script(text.splitlines(keepends=True))
        self._files.pop()

    def run_statement(self, sql: str) -> None:
        """Answer a statement."""
        self.last = sql
        self._guarded(lambda: self._answer(sql))

    def show(self, lines: Iterable[str]) -> None:
        """Show lines, through a pager where they are more than the terminal has."""
        shown = list(lines)
        if self._is_interactive and len(shown) > shutil.get_terminal_size().lines - _LINES_OF_PROMPT:
            click.echo_via_pager("\n".join(shown) + "\n")
        else:
            print_lines(shown)

    def _answer(self, sql: str) -> None:
        started = time.perf_counter()
        answered = self.router.answer(sql, dialect=DIALECT, use_aggregates=self.use_aggregates)
        took = time.perf_counter() - started
        self.show(answer_lines(answered.columns, answered.rows, in_blocks=self.in_blocks))
        say_source(answered)
        if self.has_timing:
            say(f"Time: {took * 1000:,.1f} ms")
        self.router.write_log()

    def _guarded(self, action: Callable[[], object]) -> None:
        """Do something. An error is told; Ctrl-C stops the statement, and a signal that ends programs the shell."""
        interruptible = Interruptible(self.place.warehouse.cancel_all)
        try:
            with interruptible:
                action()
        except BrokenPipeError:
            raise  # nobody reads any more, so nothing more is asked
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the shell goes on
            self._tell_failure(error, interruptible.signal_number)
        finally:
            if self._is_interactive and self.place.warehouse.dialect.name == "duckdb":
                # While somebody thinks, other processes may want the file, which only one can hold.
                self.place.warehouse.close()

    def _tell_failure(self, error: BaseException, signal_number: int) -> None:
        self.exit_code = 1
        if signal_number:
            say("Stopped.")
            if not self._is_interactive or signal_number != signal.SIGINT:
                self.is_over, self.exit_code = True, 128 + signal_number
        elif isinstance(error, Exception):
            state: dict[str, Any] = click.get_current_context().find_root().obj or {}
            say(hide_secrets(describe_error(error, is_debugging=bool(state.get("debug"))), state))
            if not isinstance(error, click.ClickException):
                say_more(_codes_of(error))


def _codes_of(error: Exception) -> tuple[str, ...]:
    from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of

    return codes_of(error)


def split_input(text: str) -> tuple[list[str], str]:
    """The statements of a text that are ended, and what follows them.

    What follows may end in the middle of a name in quotes, a string or a comment: the text is then taken apart up to
    the last semicolon that ends a statement.
    """
    ends = [place for place, letter in enumerate(text) if letter == ";"]
    for part in (text, *(text[: end + 1] for end in reversed(ends[-_MOST_TRIES:]))) if ends else ():
        ended = [statement for statement in _statements(part) or () if statement.end is not None]
        if ended:
            return [statement.text for statement in ended], text[(ended[-1].end or 0) + 1 :]
    return [], text


def _statements(text: str) -> tuple[Statement, ...] | None:
    """The statements of a text; None where it ends in the middle of something."""
    from airflow_atscale_aggs.engine.errors import UnreadableQueryError
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import split_statements

    try:
        return split_statements(text, dialect=DIALECT)
    except UnreadableQueryError:
        return None


def is_complete(text: str) -> bool:
    """Whether a text is to be run now: a command, statements with their semicolons, or nothing."""
    stripped = text.strip()
    return not stripped or stripped.startswith("\\") or not split_input(text)[1].strip("; \n\t")
