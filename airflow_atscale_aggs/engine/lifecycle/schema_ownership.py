"""Make sure that one registry alone writes into a schema.

A mark there names its registry, and is read before every change.

The mark holds the registry's id and a stamp: the last batch that the registry began, or what it wrote when it took the
schema over. A copy of a registry, or one that was restored from a backup, has the same id but does not know the other's
last batch, so the two are told apart as soon as one of them has written. A person who means to can take the schema over
(`adopt_schema`).
"""

from __future__ import annotations

import contextlib
import uuid
from datetime import datetime

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, SchemaOwnedError, WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE, read_mark
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import catalog_of

_TRIES = 5
"""How often the mark is written again when another registry writes it at the same moment."""


@dataclass(frozen=True, slots=True)
class SchemaMark:
    """The mark that names the registry which owns a schema.

    Attributes:
        registry: where that registry is, without secrets.
        stamp: its last batch.
        marked_at: when that began, as text.
    """

    registry_id: str
    registry: str
    stamp: str
    marked_at: str


def schema_mark(workspace: Workspace) -> SchemaMark | None:
    """The mark in the aggregate schema; None where nobody has put one there."""
    if workspace.warehouse.dialect.catalog is None:
        return None
    with workspace.warehouse.session() as session:
        return _read_mark(session, workspace)


def check_schema(workspace: Workspace, *, is_claiming: bool = False) -> None:
    """Refuse to go on when the aggregate schema belongs to another registry.

    Args:
        is_claiming: the caller is about to make the schema this registry's, if nobody owns it.

    Raises:
        SchemaOwnedError: another registry writes there, or a copy of this one; or one that knows nothing of marks has
            written there, and this one is about to.
        PermanentWarehouseError: it is not there and cannot be made, and this registry is about to write there.
    """
    if is_claiming:
        workspace.warehouse.require_schema()
    if workspace.warehouse.dialect.catalog is None:
        return
    with workspace.warehouse.session() as session:
        mark = _read_mark(session, workspace)
        if mark is not None or is_claiming:
            _refuse_foreign_schema(session, workspace, mark)


def mark_schema(workspace: Workspace, batch_id: str, *, now: datetime) -> None:
    """Put this registry's mark into the schema, with a batch that is written down already.

    Raises:
        SchemaOwnedError: as `check_schema`, also where another registry was faster.
    """
    if workspace.warehouse.dialect.catalog is None:
        return
    with workspace.warehouse.session() as session:
        for _ in range(_TRIES):
            before = _read_mark(session, workspace)
            _refuse_foreign_schema(session, workspace, before)
            _write_mark(session, workspace, before, batch_id, now)
            after = _read_mark(session, workspace)
            if after is not None and after.stamp == batch_id:
                return
        mark = _read_mark(session, workspace)
        _refuse_foreign_schema(session, workspace, mark)
        if mark is None:
            raise SchemaOwnedError(
                workspace.warehouse.aggregate_schema, "the mark that tells whose it is cannot be made there"
            )


def adopt_schema(workspace: Workspace, *, now: datetime) -> SchemaMark | None:
    """Take the aggregate schema over for this registry. Returns the mark that stood there before.

    Tables of the other registry stay, and stable views go on showing them until this one builds aggregates of the same
    names.
    """
    workspace.warehouse.require_schema()
    stamp = str(uuid.uuid4())
    workspace.registry.ownership.put_stamp(stamp)
    with workspace.warehouse.session() as session:
        before = _read_mark(session, workspace)
        for _ in range(_TRIES):
            _write_mark(session, workspace, _read_mark(session, workspace), stamp, now)
            after = _read_mark(session, workspace)
            if after is not None and after.stamp == stamp:
                break
    return before


def unknown_tables(session: WarehouseSession, workspace: Workspace) -> frozenset[str]:
    """Tables and views of the schema that are named as ours and that this registry never wrote down."""
    existing = {table for table in session.tables(workspace.warehouse.aggregate_schema) if is_instance_table(table)}
    return frozenset(existing - workspace.read.tables.names()) if existing else frozenset()


def _refuse_foreign_schema(session: WarehouseSession, workspace: Workspace, mark: SchemaMark | None) -> None:
    read, schema = workspace.read, workspace.warehouse.aggregate_schema
    if mark is None:
        unknown = unknown_tables(session, workspace)
        if unknown:
            some = ", ".join(sorted(unknown)[:3])
            raise SchemaOwnedError(
                schema, f"it holds {len(unknown)} aggregate tables that this registry has not made ({some})"
            )
    elif mark.registry_id != read.ownership.registry_id():
        raise SchemaOwnedError(schema, f"the registry at {mark.registry} writes there, at last on {mark.marked_at}")
    elif not read.ownership.has_written(mark.stamp):
        raise SchemaOwnedError(
            schema,
            f"a copy of this registry, at {mark.registry}, has written there on {mark.marked_at}, or this one was "
            "restored "
            "from a backup that is older",
        )


def _read_mark(session: WarehouseSession, workspace: Workspace) -> SchemaMark | None:
    schema, catalog = workspace.warehouse.aggregate_schema, catalog_of(session, workspace.warehouse.aggregate_schema)
    if catalog is None:
        return None
    try:
        # Of the session's own schema: a name alone may find the mark of another one.
        rows = session.fetch_all(read_mark(schema or session.own_place()[1], workspace.warehouse.dialect))
    except PermanentWarehouseError as error:
        # Only now, because a catalog with many tables answers slowly.
        if MARK_TABLE not in catalog.relations([MARK_TABLE]):
            return None
        # A role that may not read the mark is not the role that builds here.
        raise SchemaOwnedError(
            schema,
            f"{MARK_TABLE}, which tells whose it is, cannot be read ({error.reason}); if the tables were given to "
            "another "
            "role, build as that role or as a member of it",
        ) from error
    return SchemaMark(*rows[0]) if rows else None


def _write_mark(
    session: WarehouseSession, workspace: Workspace, before: SchemaMark | None, stamp: str, now: datetime
) -> None:
    """Replace the mark that was read. Where another registry was faster, nothing changes."""
    from airflow_atscale_aggs.engine.sql.owner_mark import create_mark, insert_mark, update_mark  # noqa: PLC0415

    schema, dialect = workspace.warehouse.aggregate_schema, workspace.warehouse.dialect
    values = {
        "registry_id": workspace.read.ownership.registry_id(),
        "registry": workspace.registry.database.place,
        "stamp": stamp,
        "marked_at": now.isoformat(timespec="seconds"),
    }
    if before is not None:
        session.execute(update_mark(schema, values, before.stamp, dialect))
        return
    # When two registries begin at the same moment, one of them finds the table or the row of the other.
    with contextlib.suppress(WarehouseError):
        session.execute(create_mark(schema, dialect))
        session.execute(insert_mark(schema, values, dialect))
