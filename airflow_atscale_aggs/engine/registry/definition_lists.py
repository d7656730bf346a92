"""Lists of definitions: filtered, sorted and paged; only the documents of a page's definitions are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, func, or_, select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing
from airflow_atscale_aggs.engine.registry.page import (
    Count,
    Order,
    Page,
    is_storable,
    position_of,
    read_after,
    read_cursor,
    rows_asked,
    with_position,
    write_cursor,
)
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import attributes, definitions, instances, standings


class DefinitionSort(StrEnum):
    """What a list of definitions is sorted by."""

    NAME = "name"
    MODEL = "model"
    """By the name of the model, then by the aggregate's."""

    STATUS = "status"
    """By `DefinitionListing.shown_status`."""

    USES = "uses"
    LAST_USED = "last_used"
    ROWS = "rows"
    BUILT_AT = "built_at"
    SECONDS = "seconds"
    SCORE = "score"
    SIZE = "size"
    SAVED = "saved"
    CREATED = "created"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFilter:
    """Which definitions are listed; what is not given filters nothing.

    Attributes:
        model_ids: None: of all models; empty: none at all.
        origins, statuses, shown_statuses: one of them; empty: any.
        name_contains: a part of the name or of the label, in any case.
        used_before, used_after: the last use was before, or at or after.
        never_used: True: those that answered no query, together with what `used_before` lets pass.
        built_before: what serves was built before; those that were never built are left out.
    """

    model_ids: Collection[str] | None = None
    origins: Collection[DefinitionOrigin] = ()
    statuses: Collection[DefinitionStatus] = ()
    shown_statuses: Collection[ShownStatus] = ()
    name_contains: str = ""
    used_before: datetime | None = None
    used_after: datetime | None = None
    never_used: bool = False
    built_before: datetime | None = None


_ANY = DefinitionFilter()
_KEYS: Mapping[DefinitionSort, tuple[ColumnElement[Any], bool]] = {
    DefinitionSort.NAME: (standings.c.name_key, False),
    DefinitionSort.MODEL: (standings.c.model_key, False),
    DefinitionSort.STATUS: (standings.c.shown_status, False),
    DefinitionSort.USES: (standings.c.uses, False),
    DefinitionSort.LAST_USED: (standings.c.last_used_at, True),
    DefinitionSort.ROWS: (standings.c.rows, True),
    DefinitionSort.BUILT_AT: (standings.c.built_at, True),
    DefinitionSort.SECONDS: (standings.c.seconds, True),
    DefinitionSort.SCORE: (standings.c.score, True),
    DefinitionSort.SIZE: (standings.c.size_bytes, True),
    DefinitionSort.SAVED: (standings.c.seconds_saved, True),
    DefinitionSort.CREATED: (standings.c.created_at, False),
}
"""What each sort sorts by, and whether some definitions have none of it."""


class DefinitionLists(RegistryPart):
    """Reads lists of definitions."""

    __slots__ = ()

    def page(
        self,
        which: DefinitionFilter = _ANY,
        *,
        sort: DefinitionSort = DefinitionSort.NAME,
        descending: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[DefinitionListing]:
        """Some definitions in order; those without a sort key come last, whatever the direction.

        Args:
            limit: rows at most; more than `page.MOST_ROWS` are cut.
            cursor: of the page before, with the same sort and direction; None: from the start.

        Raises:
            CursorError: the cursor does not continue such a list.
        """
        key, may_be_missing = _KEYS[sort]
        order = Order(
            subject="definitions",
            name=sort,
            key=key,
            identity=standings.c.definition_id,
            descending=descending,
            may_be_missing=may_be_missing,
        )
        after = None if cursor is None else read_cursor(order, cursor)
        query = select(standings).where(*_conditions(which))
        most = rows_asked(limit)
        with self.database.reading() as connection:
            rows = read_after(connection, with_position(query, order), order, after, most + 1)
            listings = tuple(_listings(connection, rows[:most]))
        next_cursor = write_cursor(order, position_of(rows[most - 1])) if len(rows) > most else None
        return Page(listings, next_cursor)

    def get(self, definition_ids: Sequence[str]) -> tuple[DefinitionListing, ...]:
        """Some definitions, by id, in the order of their names; those that are not there are left out."""
        query = select(standings).where(standings.c.definition_id.in_(definition_ids))
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(standings.c.name_key, standings.c.definition_id)).all()
            return tuple(_listings(connection, rows))

    def count(self, which: DefinitionFilter = _ANY) -> Count:
        """How many definitions there are."""
        query = select(func.count()).select_from(standings).where(*_conditions(which))
        return Count(self._rows(query)[0][0])

    def count_by_status(self, which: DefinitionFilter = _ANY) -> Mapping[ShownStatus, int]:
        """How many definitions stand where; statuses that none has are left out."""
        query = select(standings.c.shown_status, func.count()).where(*_conditions(which))
        return {ShownStatus(row[0]): row[1] for row in self._rows(query.group_by(standings.c.shown_status))}


def _conditions(which: DefinitionFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.model_ids is not None:
        found.append(standings.c.model_id.in_(sorted(which.model_ids)))
    for column, values in (
        (standings.c.origin, which.origins),
        (standings.c.status, which.statuses),
        (standings.c.shown_status, which.shown_statuses),
    ):
        if values:
            found.append(column.in_(sorted(str(value) for value in values)))
    if which.name_contains:
        part = which.name_contains
        is_it = standings.c.name_key.contains(part.casefold(), autoescape=True)
        found.append(is_it if is_storable(part) else false())
    if which.used_after is not None:
        found.append(standings.c.last_used_at >= which.used_after)
    if which.used_before is not None or which.never_used:
        is_old = false() if which.used_before is None else standings.c.last_used_at < which.used_before
        found.append(or_(is_old, standings.c.last_used_at.is_(None)) if which.never_used else is_old)
    if which.built_before is not None:
        found.append(standings.c.built_at < which.built_before)
    return found


def _listings(connection: Connection, rows: Sequence[Any]) -> Iterable[DefinitionListing]:
    """The rows of standings with all that documents and instances say."""
    ids = [row.definition_id for row in rows]
    by_id = {row.id: row for row in connection.execute(select(definitions).where(definitions.c.id.in_(ids)))}
    parts = _instances_of(connection, rows)
    referred = documents.referred_attributes(row.document for row in by_id.values())
    decoder = documents.DefinitionDecoder(lambda: _attributes(connection, referred))
    for row in rows:
        recorded = by_id[row.definition_id]
        definition = decoder.decode(recorded.document)
        active, newest = parts.get(row.definition_id, ((), ()))
        yield DefinitionListing(
            id=row.definition_id,
            model_id=row.model_id,
            name=recorded.name,
            label=definition.label,
            origin=DefinitionOrigin(row.origin),
            status=DefinitionStatus(row.status),
            shown_status=ShownStatus(row.shown_status),
            newest_status=None if row.newest_status is None else ShownStatus(row.newest_status),
            created_at=row.created_at,
            reason=recorded.reason,
            status_reason=recorded.status_reason,
            uses=row.uses,
            last_used_at=row.last_used_at,
            rows=row.rows,
            seconds=row.seconds,
            built_at=row.built_at,
            active_instance_ids=active,
            newest_instance_ids=newest,
            score=row.score,
            size_bytes=row.size_bytes,
            seconds_saved=row.seconds_saved,
            facts=tuple(part.fact for part in definition.parts),
            attributes=tuple(sorted(attribute.query_name for attribute in definition.grain)),
            metrics=definition.metrics,
        )


def _instances_of(connection: Connection, rows: Sequence[Any]) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Ids of the active instances and of those of the newest batch, by definition."""
    newest = {row.definition_id: row.newest_batch_id for row in rows if row.newest_batch_id is not None}
    query = select(instances.c.id, instances.c.definition_id, instances.c.batch_id, instances.c.status).where(
        instances.c.definition_id.in_(list(newest)),
        or_(instances.c.status == InstanceStatus.ACTIVE, instances.c.batch_id.in_(sorted(set(newest.values())))),
    )
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for row in connection.execute(query.order_by(instances.c.fact, instances.c.id)):
        active, of_newest = found.get(row.definition_id, ((), ()))
        if row.status == InstanceStatus.ACTIVE:
            active = (*active, row.id)
        if row.batch_id == newest[row.definition_id]:
            of_newest = (*of_newest, row.id)
        found[row.definition_id] = (active, of_newest)
    return found


def _attributes(connection: Connection, ids: Collection[str]) -> Mapping[str, bytes]:
    query = select(attributes.c.id, attributes.c.document).where(attributes.c.id.in_(sorted(ids)))
    return {row[0]: row[1] for row in connection.execute(query)}
