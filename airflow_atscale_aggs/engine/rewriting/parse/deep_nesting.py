"""Runs work on deeply nested texts with a larger stack, for example on generated conditions of a thousand parts.

The parser, the printer and our own functions call themselves for each level. A text with too many levels for the
caller's thread is planned in a thread with a larger stack, where calls may go deeper.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from airflow_atscale_aggs.engine.errors import UnreadableQueryError

Result = TypeVar("Result")

_STACK_BYTES = 512 << 20
"""Address space, of which only what is used takes memory."""

_MOST_CALLS = 100_000
"""Some 25,000 levels of parentheses; each call takes less than 5 kB of the stack."""

_lock = threading.Lock()


def with_room(work: Callable[[], Result], sql: str) -> Result:
    """What the work returns, done again with more room where it needs that. It must be safe to do twice.

    Args:
        sql: the text that is worked on, for the message.

    Raises:
        UnreadableQueryError: the text is nested too deeply even so.
    """
    try:
        return work()
    except RecursionError:
        pass
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
            errors.append(error)

    # One at a time: both limits are those of the whole process.
    with _lock:
        calls, stack = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
        sys.setrecursionlimit(max(calls, _MOST_CALLS))
        try:
            thread = threading.Thread(target=run, name="deep query")
            thread.start()
            threading.stack_size(stack)
            thread.join()
        finally:
            threading.stack_size(stack)
            sys.setrecursionlimit(calls)
    if not errors:
        return results[0]
    if isinstance(errors[0], RecursionError):
        shown = sql if len(sql) <= _LONGEST else f"{sql[:_LONGEST]}…"
        raise UnreadableQueryError(shown, "it is nested too deeply") from errors[0]
    raise errors[0]


_LONGEST = 200
