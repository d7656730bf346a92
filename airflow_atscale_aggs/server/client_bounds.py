"""What one client may take from the others: connections, time, rows, memory."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.messages import error_response
from airflow_atscale_aggs.server.sql_errors import SqlError

_MINUTE, _DAY = 60.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What clients may take. 0: as much as they like. Names that PostgreSQL has mean what they mean there.

    Attributes:
        connections: of all clients together.
        connections_per_user: of one user.
        statement_seconds: from a statement's arrival until its last row is taken; clients may set a shorter
            ``statement_timeout``.
        rows: of one answer; more are an error, and never left out without a word.
        session_bytes: of one message, of the prepared statements and portals that a session keeps, and of one row.
        authentication_seconds: until a client has signed in.
        idle_session_seconds: without a statement, outside of a transaction.
        idle_in_transaction_seconds: without a statement in a transaction, or with rows that were not read to the end.
        keepalive_seconds: of silence, after which is asked whether the other side is still there.
    """

    connections: int = 100
    connections_per_user: int = 50
    statement_seconds: float = 10 * _MINUTE
    rows: int = 100_000_000
    session_bytes: int = 64_000_000
    authentication_seconds: float = _MINUTE
    idle_session_seconds: float = _DAY
    idle_in_transaction_seconds: float = 10 * _MINUTE
    keepalive_seconds: float = _MINUTE


class Admission:
    """Counts connections."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._count = 0
        self._of_users: Counter[str] = Counter()

    @contextlib.contextmanager
    def admit(self) -> Iterator[None]:
        """A connection, for the length of the block. Raises SqlError: there are too many."""
        if self._bounds.connections and self._count >= self._bounds.connections:
            raise SqlError(error_response("53300", "sorry, too many clients already", severity="FATAL"))
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    @contextlib.contextmanager
    def admit_user(self, name: str) -> Iterator[None]:
        """A connection of a user, for the length of the block. Raises SqlError: that user has too many."""
        if self._bounds.connections_per_user and self._of_users[name] >= self._bounds.connections_per_user:
            raise SqlError(error_response("53300", f'too many connections for role "{name}"', severity="FATAL"))
        self._of_users[name] += 1
        try:
            yield
        finally:
            self._of_users[name] -= 1
            # Names come from clients: those of whom nobody is here are not kept.
            if not self._of_users[name]:
                del self._of_users[name]
