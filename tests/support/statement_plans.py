"""How a database finds the rows of the statements that a registry runs, so that tests need no large tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from airflow_atscale_aggs.engine.registry.registry import Registry


@contextmanager
def plans_of(registry: Registry) -> Iterator[list[str]]:
    """A list to which the end of the block adds the steps of SQLite's plans of all its statements.

    A step such as ``SCAN atscale_aggs_instances`` reads a table, or an index of it, from one end to the other.
    """
    run: list[tuple[str, Any]] = []
    plans: list[str] = []
    engine = registry.database.engine

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        is_many = rest[-1]
        if statement.split(None, 1)[0] in {"SELECT", "UPDATE", "DELETE", "INSERT", "WITH"}:
            run.append((statement, parameters[0] if is_many else parameters))

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", record)
    with registry.database.reading() as connection:
        for statement, parameters in run:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            plans += [str(row[-1]) for row in rows]


def scanned(plans: list[str], *tables: str) -> list[str]:
    """The steps that read all of one of the registry's tables; names as in ``instances``."""
    names = {f"atscale_aggs_{table}" for table in tables}
    return [step for step in plans if step.startswith("SCAN ") and step.split()[1] in names]
