"""PostgreSQL's errors: worth retrying or not, connection lost or not, and what they mean."""

from __future__ import annotations

import contextlib
import inspect

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.postgres import is_lost, is_transient, open_postgres, reason_of

_TRANSIENT_CLASSES = {"08", "40", "53", "57", "58"}
_PERMANENT_CLASSES = {"0A", "21", "22", "23", "28", "3D", "3F", "42"}
_KINDS: list[type[psycopg.Error]] = [
    kind
    for _, kind in inspect.getmembers(psycopg.errors, inspect.isclass)
    if issubclass(kind, psycopg.Error) and kind.sqlstate
]


def test_every_error_with_a_state_is_told_apart() -> None:
    """What may pass by itself is transient; what the SQL or the data cause is not."""
    transient = {str(kind.sqlstate) for kind in _KINDS if is_transient(kind("x"))}
    states = {str(kind.sqlstate) for kind in _KINDS}

    assert transient == {state for state in states if state[:2] in _TRANSIENT_CLASSES or state == "55P03"}
    assert {state for state in transient if state[:2] in _PERMANENT_CLASSES} == set()
    assert len(states) > 200


@pytest.mark.parametrize(
    ("error", "transient", "lost"),
    [
        (psycopg.errors.DeadlockDetected("x"), True, False),
        (psycopg.errors.SerializationFailure("x"), True, False),
        (psycopg.errors.LockNotAvailable("x"), True, False),
        (psycopg.errors.QueryCanceled("x"), True, False),
        (psycopg.errors.DiskFull("x"), True, False),
        (psycopg.errors.AdminShutdown("x"), True, True),
        (psycopg.errors.ConnectionFailure("x"), True, True),
        (psycopg.errors.UndefinedTable("x"), False, False),
        (psycopg.errors.DivisionByZero("x"), False, False),
        (psycopg.OperationalError("server closed the connection unexpectedly"), True, True),
        (psycopg.InterfaceError("the connection is closed"), True, True),
        (psycopg.ProgrammingError("the query has 1 placeholder"), False, False),
        (psycopg.OperationalError('FATAL: database "x" does not exist'), False, True),
        (psycopg.OperationalError("FATAL: password authentication failed for user"), False, True),
        (psycopg.OperationalError("fe_sendauth: no password supplied"), False, True),
    ],
    ids=lambda value: f"{type(value).__name__}: {value}" if isinstance(value, Exception) else "",
)
def test_what_is_worth_retrying_and_what_ends_the_connection(error: Exception, *, transient: bool, lost: bool) -> None:
    """Without a state, the connection itself has failed, unless the message says that it is a wrong one."""
    assert (is_transient(error), is_lost(error)) == (transient, lost)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            psycopg.errors.InsufficientPrivilege("permission denied for table t"),
            (
                "permission denied for table t (the connection's role lacks a privilege: "
                "grant it, or connect as a role that has it)"
            ),
        ),
        (
            psycopg.errors.UndefinedTable('relation "t" does not exist\nLINE 1: SELECT\n'),
            (
                'relation "t" does not exist LINE 1: SELECT '
                "(the table or view is not there, or not in a schema that the session looks in)"
            ),
        ),
        (
            psycopg.errors.QueryCanceled("canceling statement"),
            "canceling statement (the statement was cancelled, by somebody or by statement_timeout)",
        ),
        (
            psycopg.errors.AdminShutdown("terminating connection"),
            "terminating connection (the connection was lost: the server was stopped, or somebody ended the session)",
        ),
        (psycopg.errors.DiskFull("full"), "full (the server is short of connections, memory or disk)"),
        (psycopg.errors.DivisionByZero("division by zero"), "division by zero"),
        (psycopg.errors.DivisionByZero(""), "DivisionByZero"),
        (
            psycopg.OperationalError("server closed"),
            "server closed (the connection was lost, or cannot be made)",
        ),
        (
            psycopg.OperationalError('role "x" does not exist'),
            'role "x" does not exist (correct the connection)',
        ),
        (psycopg.ProgrammingError("no results"), "no results"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_reason_is_what_the_server_says_and_what_that_means(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_opening_connects_to_nobody() -> None:
    warehouse = open_postgres("postgresql://me:pw@127.0.0.1:1/db", aggregate_schema="aggs")

    assert (warehouse.dialect.name, warehouse.aggregate_schema) == ("postgres", "aggs")


def test_sessions_are_kept_while_they_are_alive(postgres_url: str) -> None:
    """One in which something failed is not kept, nor one that the server has ended."""

    def number() -> int:
        with warehouse.session() as session:
            return int(session.fetch_all("SELECT pg_backend_pid()")[0][0])

    warehouse = open_warehouse(postgres_url)
    apart = (number(), number())
    warehouse.kept_sessions = 1
    kept = (number(), number())
    with contextlib.suppress(PermanentWarehouseError), warehouse.session() as session:
        session.fetch_all("SELECT 1 FROM nowhere")
    after_error = number()
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [after_error])
        wait_until_gone = "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = %s"
        while other.execute(wait_until_gone, [after_error]).fetchone() != (0,):
            pass
    after_end = number()
    warehouse.close()

    assert apart[0] != apart[1]
    assert kept[0] == kept[1] != after_error
    assert after_end != after_error
