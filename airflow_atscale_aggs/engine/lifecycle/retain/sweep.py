"""Sweep: drop tables that nothing needs any more.

The registry alone tells which tables these are, never a name pattern.

A table that somebody else's view reads stays for as long as the view reads it. The report names the view; it is no
failure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import datetime

from airflow_atscale_aggs.engine.errors import TransientWarehouseError, ViewStaysError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.activate import switch_pending_views
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import (
    describe_readers,
    drop_stable_view,
    read_view_places,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import UnneededSegment, UnneededTable
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Dependent, catalog_of

_PATIENCE = 10.0
"""Seconds that a sweep waits for readers of views that are to be switched."""

Unneeded = UnneededTable | UnneededSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptTable:
    """A table that the engine made and no longer needs.

    Attributes:
        kept_for: what still reads it, so that it stays; empty where nothing does.
        error: why it could not be dropped.
    """

    table: str
    schema: str
    aggregate: str
    why: str
    dropped: bool
    kept_for: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep found, and dropped unless it was a dry run.

    ``notes``: sentences about stable views that stay as they are.
    """

    tables: tuple[SweptTable, ...]
    dry_run: bool
    notes: tuple[str, ...] = ()


def sweep(workspace: Workspace, *, dry_run: bool, now: datetime) -> SweepReport:
    """Drop the tables of failed, interrupted and cancelled attempts, and of superseded instances whose delay is over.

    A table that was swept before and is there again, because a server finished what a killed client had asked for, is
    dropped again.

    Never touched: ACTIVE and staged instances, tables that an owner with a live lease is writing, anything that the
    registry did not write down before it was created, tables that a view reads, whosever it is.

    Args:
        dry_run: only list the tables.
        now: superseded tables go when their ``drop_after`` is not later.

    Raises:
        SchemaOwnedError: another registry writes into the schema; nothing was dropped.
    """
    read = workspace.read
    if not dry_run:
        check_schema(workspace)
    notes = () if dry_run else switch_pending_views(workspace, patience=_PATIENCE)
    with workspace.warehouse.session() as session:
        existing = session.tables(workspace.warehouse.aggregate_schema)
        unneeded_tables = (*read.tables.to_drop(now), *read.tables.that_came_back(existing))
        # After the views that read them.
        segments = (
            *read.tables.segments_to_drop(now),
            *read.tables.segments_that_came_back(existing),
        )
        run = _Sweep(workspace, session, dry_run, now)
        tables = run.sweep_all((*unneeded_tables, *segments))
    return SweepReport(tables=tables, dry_run=dry_run, notes=(*notes, *run.notes))


@dataclass
class _Sweep:
    """Works through the tables of one sweep."""

    workspace: Workspace
    session: WarehouseSession
    dry_run: bool
    now: datetime
    notes: list[str] = field(default_factory=list)
    _gone: set[str] = field(default_factory=set)

    def sweep_all(self, unneeded: Sequence[Unneeded]) -> tuple[SweptTable, ...]:
        """Sweep all unneeded tables, in order."""
        if not unneeded:
            return ()
        shown = self.workspace.read.tables.views_that_serve()
        readers = self._readers(unneeded)
        return tuple(
            self._sweep_table(
                unneeded_table, self._let_view_go(unneeded_table, shown), readers.get(_key(unneeded_table), ())
            )
            for unneeded_table in unneeded
        )

    def _readers(self, unneeded: Sequence[Unneeded]) -> Mapping[tuple[str, str], Sequence[Dependent]]:
        """What reads the tables, by schema and table."""
        names: dict[str, list[str]] = {}
        for unneeded_table in unneeded:
            names.setdefault(unneeded_table.schema, []).append(_key(unneeded_table)[1])
        readers: dict[tuple[str, str], Sequence[Dependent]] = {}
        for schema, tables in names.items():
            catalog = catalog_of(self.session, schema)
            dependents = {} if catalog is None else catalog.dependents(tables)
            readers |= {(schema, table): dependents.get(table.casefold(), ()) for table in tables}
        return readers

    def _let_view_go(self, unneeded: Unneeded, shown: AbstractSet[str]) -> str:
        """Drop the stable view of a table unless the view shows a serving instance.

        Returns its name when it is or would be gone.
        """
        if isinstance(unneeded, UnneededSegment) or not unneeded.drop_view_sql or unneeded.view in shown:
            return ""
        if self.dry_run:
            return unneeded.view
        try:
            serving = self.workspace.read.instances.tables_that_serve
            places = read_view_places(self.session, unneeded.schema, [unneeded.view], serving)
            if places is None:
                self.session.execute(unneeded.drop_view_sql)
            else:
                drop_stable_view(self.session, unneeded.view, places)
        except (WarehouseError, ViewStaysError) as stays:
            self.notes.append(f"{stays}.")
            return ""
        return unneeded.view

    def _sweep_table(self, unneeded: Unneeded, gone_view: str, readers: Collection[Dependent]) -> SweptTable:
        """One table, dropped unless it is a dry run or somebody reads it."""
        schema, table = _key(unneeded)
        self._gone |= {gone_view} - {""}
        remaining = [reader for reader in readers if reader.last_name not in self._gone]
        dropped, kept_for, error = False, describe_readers(remaining), ""
        if not kept_for:
            self._gone.add(table)
            if not self.dry_run:
                dropped, kept_for, error = self._drop(unneeded)
        return SweptTable(
            table=table,
            schema=schema,
            aggregate=unneeded.aggregate,
            why=unneeded.why,
            dropped=dropped,
            kept_for=kept_for,
            error=error,
        )

    def _drop(self, unneeded: Unneeded) -> tuple[bool, str, str]:
        """(whether it was dropped, who holds it, why not)."""
        registry = self.workspace.registry
        drop_sql = unneeded.drop_sql if isinstance(unneeded, UnneededSegment) else unneeded.attempt.drop_sql
        try:
            with self.session.transaction():
                for sql in (*self.session.dialect.before_switch, drop_sql):
                    self.session.execute(sql)
            _mark_dropped(registry, unneeded, self.now)
        except TransientWarehouseError as error:
            return False, f"a query that holds it ({error.reason})", ""
        except WarehouseError as error:
            return False, "", str(error)
        return True, "", ""


def _mark_dropped(registry: Registry, unneeded: Unneeded, now: datetime) -> None:
    if isinstance(unneeded, UnneededSegment):
        registry.tables.record_segment_drop(unneeded.key, now)
    else:
        registry.tables.record_drop(unneeded.attempt.instance_id, unneeded.attempt.number, now)


def _key(unneeded: Unneeded) -> tuple[str, str]:
    """Schema and table."""
    return unneeded.schema, unneeded.table if isinstance(unneeded, UnneededSegment) else unneeded.attempt.table
