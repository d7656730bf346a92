"""The prompt of the shell on a terminal: history, completion, statements of several lines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.cli.output import say, visible
from airflow_atscale_aggs.cli.shell_commands import ARGUMENTS, COMMANDS
from airflow_atscale_aggs.cli.shell_completion import ShellCompleter
from airflow_atscale_aggs.cli.shell_session import is_complete

if TYPE_CHECKING:
    from airflow_atscale_aggs.cli.shell_session import ShellSession

_PROMPT = "atscale=> "
_CONTINUATION = "atscale-> "
_MOST_NAMES = 5
_FAILED = 1


def talk(session: ShellSession) -> int:
    """Ask for statements until somebody leaves; the exit code."""
    os.environ.setdefault("LESS", "-RSFX")
    say(_greeting(session))
    prompt: PromptSession[str] = PromptSession(
        _PROMPT,
        multiline=True,
        prompt_continuation=lambda width, number, wrapped: _CONTINUATION if number else "",  # noqa: ARG005
        history=_history(),
        completer=ThreadedCompleter(_Completions(session)),
        complete_while_typing=False,
        key_bindings=_keys(),
        enable_history_search=True,
    )
    while not session.is_over:
        # Ctrl-C drops what was typed. One that comes just after an answer has nothing left to stop.
        with contextlib.suppress(KeyboardInterrupt):
            try:
                text = prompt.prompt()
            except EOFError:
                break
            session.feed(text)
            session.end_input()
    # Somebody has seen the errors; only a signal that ended the shell is told.
    return session.exit_code if session.exit_code > _FAILED else 0


class _Completions(Completer):
    """What the shell proposes, as the prompt wants it."""

    def __init__(self, session: ShellSession) -> None:
        self._completer = ShellCompleter(session.names, COMMANDS, ARGUMENTS)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """The proposals; none when the registry cannot be read now, since a statement will tell that."""
        from airflow_atscale_aggs.engine.errors import AtScaleAggsError

        try:
            proposals = self._completer.propose(document.text_before_cursor, document.text_after_cursor)
        except AtScaleAggsError:
            return
        for proposal in proposals:
            yield Completion(
                proposal.text,
                start_position=-proposal.length,
                display=visible(proposal.text),
                display_meta=visible(proposal.note),
            )


def _keys() -> KeyBindings:
    """Enter runs what is complete, and begins another line of what is not."""
    keys = KeyBindings()

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history() -> History:
    """What was typed before, in a file that only its owner reads: statements hold values."""
    path = Path(os.environ.get("ATSCALE_AGGS_HISTORY") or _usual_place())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError as error:
        say(f"What is typed here is not kept: {path} cannot be written ({error.strerror}).")
        return InMemoryHistory()
    return FileHistory(str(path))


def _usual_place() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "atscale-aggs" / "history"


def _greeting(session: ShellSession) -> str:
    """What is said first: which models there are, and how to go on."""
    names = list(session.names.by_name())
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    models = f"Models: {', '.join(names[:_MOST_NAMES])}{more}." if names else "No model is deployed here yet."
    return f"atscale-aggs {__version__}. {models} Tab completes names, \\? lists the commands, \\q leaves."
