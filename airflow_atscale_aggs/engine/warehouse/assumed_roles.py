"""Statements of one user under a role of the warehouse, and of nobody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from airflow_atscale_aggs.engine.errors import UnsupportedOnDialectError
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


@contextlib.contextmanager
def as_role(session: WarehouseSession, role: str) -> Iterator[None]:
    """The rights of a role count for the statements of the block, and afterwards those of the connection's own.

    Args:
        role: empty: the connection's own.

    Raises:
        UnsupportedOnDialectError: the warehouse's row knows no such thing.
        WarehouseError: there is no such role, or the connection may not take it.
    """
    if not role:
        yield
        return
    if session.dialect.assume_role is None:
        reason = f"role `{role}` cannot be taken: only PostgreSQL's roles are. Add the user without --warehouse-role"
        raise UnsupportedOnDialectError(session.dialect.name, "", reason)
    assume, leave = session.dialect.assume_role
    quoted = '"' + role.replace('"', '""') + '"'
    try:
        session.execute(assume.format(role=quoted))
        yield
        session.execute(leave)
    except BaseException:
        # Nobody else gets a session of which it is not sure whose it is.
        session.close()
        raise
