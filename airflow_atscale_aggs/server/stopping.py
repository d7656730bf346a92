"""Stops what a session does: its client asks for it, or the time is up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from airflow_atscale_aggs.server.messages import error_response
from airflow_atscale_aggs.server.sql_errors import SqlError

BY_USER = "canceling statement due to user request"
BY_TIMEOUT = "canceling statement due to statement timeout"

_T = TypeVar("_T")


async def to_the_end(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of this one after the other, also when one of them fails or the task that waits is canceled meanwhile.

    A task that ends may be canceled once more, and would then leave threads and connections behind. The cancellation is
    raised at the end, with what one of them raised as its cause.
    """
    doing = asyncio.ensure_future(_one_by_one(*works))
    given_up: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            given_up = error
    if given_up is not None:
        raise given_up from doing.exception()
    doing.result()


async def _one_by_one(first: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    try:
        await first
    finally:
        if others:
            await _one_by_one(*others)


class Interruption:
    """Of one session, for the task that answers its client."""

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_busy = self._is_waiting = False
        self._reason = ""
        self._stop_aside: Callable[[], None] | None = None
        self._ends_at = 0.0

    def begin(self, seconds: float) -> None:
        """A statement begins, and is stopped after so many seconds; 0: it is not."""
        self._task = asyncio.current_task()
        self._is_busy, self._reason = True, ""
        self._set_timer(seconds)

    def shorten(self, seconds: float) -> None:
        """The statement is stopped after so many seconds from now, unless it is earlier; 0: nothing changes."""
        now = asyncio.get_running_loop().time()
        if seconds and (self._timer is None or now + seconds < self._ends_at):
            self.cancel_timer()
            self._set_timer(seconds)

    def end(self) -> None:
        """The statement has ended."""
        self._is_busy = False
        self.cancel_timer()

    def cancel_timer(self) -> None:
        """No time is up any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self, reason: str) -> None:
        """Stop the statement, if there is one. What waits for it raises SqlError with the reason."""
        if not self._is_busy:
            return
        self._reason = self._reason or reason
        if self._is_waiting and self._task is not None:
            self._task.cancel()
        elif self._stop_aside is not None:
            self._stop_aside()

    async def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something that can be given up at any moment. Raises SqlError: it was stopped."""
        self._is_waiting = True
        try:
            if self._reason:
                # It came while something was done that cannot be given up.
                work.close()
                raise SqlError(error_response("57014", self._reason))
            return await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._reason or task is None or task.uncancel():
                raise
            raise SqlError(error_response("57014", self._reason)) from None
        finally:
            self._is_waiting = False

    @contextlib.contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, something else than its task is to be stopped."""
        self._stop_aside = stop
        try:
            yield
        finally:
            self._stop_aside = None

    def _set_timer(self, seconds: float) -> None:
        if seconds:
            loop = asyncio.get_running_loop()
            self._ends_at = loop.time() + seconds
            self._timer = loop.call_at(self._ends_at, self.stop, BY_TIMEOUT)
