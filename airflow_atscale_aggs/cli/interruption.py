"""Handles Ctrl-C while the warehouse works: it cancels the statements, then the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_PAUSE_SECONDS = 0.2


class Interruptible:
    """For the length of a ``with`` block, SIGINT and SIGTERM cancel running statements and raise KeyboardInterrupt.

    Attributes:
        signal_number: the signal that came; 0 as long as none did.
    """

    def __init__(
        self, cancel: Callable[[], None], give_up: Callable[[], None] | None = None, *, patience: float = 5.0
    ) -> None:
        """Say what ends the block.

        Args:
            cancel: interrupts the running statements.
            give_up: ends the process when the block goes on, since a warehouse may not answer; None: it is waited for.
            patience: seconds after the signal until then.
        """
        self.signal_number = 0
        self._cancel, self._give_up, self._patience = cancel, give_up, patience
        self._over = threading.Event()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came. A driver may have swallowed the first exception."""
        if self.signal_number:
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the shape of a signal handler
        if not self.signal_number:
            self.signal_number = number
            # In a thread of its own: the main thread may hold the very lock that cancelling needs.
            threading.Thread(target=self._cancel_until_over, daemon=True).start()
            threading.Thread(target=self._wait_and_give_up, daemon=True).start()
        raise KeyboardInterrupt

    def _cancel_until_over(self) -> None:
        """Cancel again and again until the block ends, because a builder may have been between two statements."""
        self._cancel()
        while not self._over.wait(_PAUSE_SECONDS):
            self._cancel()

    def _wait_and_give_up(self) -> None:
        """End the process where neither cancelling nor closing comes to an end."""
        if self._give_up is not None and not self._over.wait(self._patience):
            self._give_up()
