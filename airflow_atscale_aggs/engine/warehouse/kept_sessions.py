"""Sessions of a warehouse that nobody uses at the moment, kept for the next who asks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession


class KeptSessions:
    """A number of idle sessions. Safe to share between threads.

    A session of a warehouse that remembers files reads a table as it was when the session first read it. So it is kept
    only for the attempts of a batch that runs in a block of `keep`, and no longer than until the next such block begins
    or one ends: a batch never reads a table as it was before it began to build. When anything fails in a session, the
    files may be gone that it and others remember: none that is older is given to anybody again.

    Attributes:
        count: at most so many are kept.
        generation: a number that is stored with a session when it is taken or opened. Where sessions remember files,
            one of an earlier generation is not kept.
    """

    def __init__(self, *, remember_files: bool) -> None:
        self.count = self.generation = 0
        self._remember_files = remember_files
        self._blocks = 0
        self._idle: list[DbApiSession] = []
        self._lock = threading.Lock()

    def take(self, *, may_remember: bool) -> DbApiSession | None:
        """A session that is still there, the one that was used last; None where there is none.

        Args:
            may_remember: the caller belongs to a batch that runs within a block of `keep`.
        """
        if self._remember_files and not may_remember:
            return None
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None or session.is_alive():
                return session
            session.close()

    def give_back(self, session: DbApiSession, generation: int, *, may_remember: bool) -> None:
        """Keep a session in which nothing failed, or close it.

        Args:
            generation: the one in which it was taken or opened.
            may_remember: as when it was taken.
        """
        is_alive = session.is_alive()
        with self._lock:
            if self._remember_files:
                is_alive = is_alive and may_remember and self._blocks > 0 and generation == self.generation
            is_kept = is_alive and len(self._idle) < self.count
            if is_kept:
                self._idle.append(session)
        if not is_kept:
            session.close()

    def close_failed(self, session: DbApiSession) -> None:
        """Close a session in which something failed."""
        session.close()
        if self._remember_files:
            self._begin_generation()

    @contextlib.contextmanager
    def keep(self, count: int) -> Iterator[None]:
        """At least so many are kept until the block ends."""
        if self._remember_files:
            self._begin_generation()
        with self._lock:
            before, self.count = self.count, max(self.count, count)
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self.count = before
                self._blocks -= 1
            if self._remember_files:
                self._begin_generation()
            else:
                self.close_idle(before)

    def close_idle(self, kept: int = 0) -> None:
        """Close those that nobody uses, but for a few."""
        with self._lock:
            idle = self._take_out(kept)
        for session in idle:
            session.close()

    def _begin_generation(self) -> None:
        with self._lock:
            # At once: a session of the last generation must not be taken in this one.
            self.generation += 1
            idle = self._take_out(0)
        for session in idle:
            session.close()

    def _take_out(self, kept: int) -> list[DbApiSession]:
        """Those that nobody uses, but for a few, which nobody gets any more. The caller holds the lock."""
        self._idle, idle = self._idle[:kept], self._idle[kept:]
        return idle
