"""Check a warehouse: load a small star, build, grow, compare and ask it, drop everything, and tell what works."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.conformance.build_checks import (
    check_aggregates,
    check_comparison,
    check_meaning,
    check_queries,
    check_tables,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, CheckReport, Verdict, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext, Listen, tried
from airflow_atscale_aggs.engine.lifecycle.conformance.increment_checks import check_increments, check_timestamps
from airflow_atscale_aggs.engine.lifecycle.conformance.lost_session_check import check_lost_session
from airflow_atscale_aggs.engine.lifecycle.conformance.reader_checks import check_readers
from airflow_atscale_aggs.engine.lifecycle.conformance.scratch import Scratch, quietly_dropped
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.registry import open_registry
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse

DEFAULT_SCHEMA = "atscale_aggs_check"

CHECKS: tuple[tuple[str, Callable[[CheckContext], list[Capability]]], ...] = (
    ("what SQL means", check_meaning),
    ("timestamps", check_timestamps),
    ("tables and rows", check_tables),
    ("aggregates", check_aggregates),
    ("queries", check_queries),
    ("comparison with the facts", check_comparison),
    ("readers during a switch", check_readers),
    ("a session that is lost during a build", check_lost_session),
    ("increments", check_increments),
)
"""All checks by name, in their order: queries are asked before rows are added."""

_NEEDED = "tables and rows"
"""Without it nothing that follows can be tried."""

IN_SHORT = frozenset({_NEEDED, "timestamps", "aggregates"})
"""Checks that a slow warehouse can be given with every change. What SQL means there is asked at first contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """How a check is made.

    Attributes:
        schema: to work in; it must be empty, or not there.
        checks: names of those to make; None: all. Those that follow work with what "tables and rows" and "aggregates"
            have made.
        keep: leave everything in it afterwards.
        listen: is told what is going on, line by line.
        is_stopped: whether somebody wants it to end. It is asked between checks, since what runs in one may take an
            interrupt for an error of its own.
    """

    schema: str = DEFAULT_SCHEMA
    checks: frozenset[str] | None = None
    keep: bool = False
    listen: Listen = lambda _: None
    is_stopped: Callable[[], bool] = lambda: False


_ALL_CHECKS = CheckOptions()


def check_warehouse(warehouse: DbApiWarehouse, options: CheckOptions = _ALL_CHECKS) -> CheckReport:
    """Try everything that the engine needs of a warehouse, in a schema of its own.

    Whatever it makes it drops again, also when it is interrupted, and nothing else. The registry is a file that goes
    with it.

    Raises:
        WarehouseError: the warehouse cannot be reached, or the schema is not empty or cannot be made; nothing was
            changed.
    """
    # The check asks itself, and goes on where others must not.
    warehouse.first_contact = None
    started = time.monotonic()
    version = _version(warehouse)
    scratch = Scratch(warehouse, options.schema)
    scratch.open()
    found: list[Capability] = []
    with _open_context(scratch, options.listen) as context:
        try:
            found += _run_checks(context, options)
        finally:
            if not options.keep:
                options.listen("Everything that was made is dropped ...")
                left = quietly_dropped(scratch, context.workspace)
                found.append(judge("dropping", left, "everything that was made is gone"))
    dialect = warehouse.dialect
    return CheckReport(
        dialect=dialect.name,
        proven=dialect.proven,
        version=version,
        schema=options.schema,
        seconds=time.monotonic() - started,
        capabilities=tuple(found),
    )


def _run_checks(context: CheckContext, options: CheckOptions) -> list[Capability]:
    """Raises KeyboardInterrupt when somebody wants it to end."""
    found: list[Capability] = []
    wanted = [(name, check) for name, check in CHECKS if options.checks is None or name in options.checks]
    for number, (name, check) in enumerate(wanted, 1):
        context.listen(f"[{number}/{len(wanted)}] {name} ...")
        results = tried(name, lambda check=check: check(context))  # type: ignore[misc]
        found += results
        if options.is_stopped():
            raise KeyboardInterrupt
        if name == _NEEDED and any(result.verdict is Verdict.FAILS for result in results):
            break
    return found


@contextlib.contextmanager
def _open_context(scratch: Scratch, listen: Listen) -> Iterator[CheckContext]:
    """What the checks work with; one aggregate that cannot be built keeps no other from serving."""
    warehouse = scratch.warehouse
    before, warehouse.aggregate_schema = warehouse.aggregate_schema, scratch.schema
    with tempfile.TemporaryDirectory(prefix="check_warehouse", ignore_cleanup_errors=True) as folder:
        registry = open_registry(f"sqlite:///{Path(folder) / 'registry.sqlite'}")
        settings = Settings().with_values({"aggregates.batch.retry.maxAttemptsPerAggregate": "1"})
        registry.settings.put(None, "aggregates.batch.max.failures", "100")
        try:
            yield CheckContext(Workspace(registry, warehouse, settings), scratch, Path(folder), listen)
        finally:
            warehouse.aggregate_schema = before
            registry.close()


def _version(warehouse: DbApiWarehouse) -> str:
    """What the warehouse says of itself; a warehouse that cannot be reached raises."""
    with warehouse.session() as session:
        session.own_place()
        if not warehouse.dialect.version:
            return ""
        with contextlib.suppress(WarehouseError):
            return " ".join(str(session.fetch_all(warehouse.dialect.version)[0][0]).split())
    return ""
