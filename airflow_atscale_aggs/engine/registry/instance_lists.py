"""Lists of instances: filtered, sorted and paged, without their build steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, false, func, select

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import SHOWN
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.listings import InstanceListing
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
from airflow_atscale_aggs.engine.registry.tables import batches, instances, models

MOST_COUNTED = 10_000
"""Counting stops there."""

_AT_ONCE = 500
"""Values in one IN list."""

_FEW, _SOME = 1000, 10_000
"""Instances that are looked up one by one, and that are sorted without an index."""


class InstanceSort(StrEnum):
    """What a list of instances is sorted by."""

    BATCH = "batch"
    """By the begin of the batch."""

    STARTED = "started"
    ROWS = "rows"
    SECONDS = "seconds"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """Which instances are listed; what is not given filters nothing.

    Attributes:
        model_ids: None: of all models; empty: none at all.
        statuses: one of them; empty: any.
        sources: built from one of them, by the name of a fact or an aggregate; empty: from anything.
        table_contains: a part of the table's name, in any case.
        started_before, started_after: the newest attempt began before, or at or after.
    """

    model_ids: Collection[str] | None = None
    definition_id: str | None = None
    batch_id: str | None = None
    statuses: Collection[InstanceStatus] = ()
    sources: Collection[str] = ()
    table_contains: str = ""
    started_before: datetime | None = None
    started_after: datetime | None = None


_ANY = InstanceFilter()
_KEYS: Mapping[InstanceSort, tuple[ColumnElement[Any], bool]] = {
    InstanceSort.BATCH: (instances.c.batch_created_at, False),
    InstanceSort.STARTED: (instances.c.started_at, True),
    InstanceSort.ROWS: (instances.c.rows, True),
    InstanceSort.SECONDS: (instances.c.seconds, True),
    InstanceSort.NAME: (instances.c.name_key, False),
}


class InstanceLists(RegistryPart):
    """Reads lists of instances."""

    __slots__ = ()

    def page(
        self,
        which: InstanceFilter = _ANY,
        *,
        sort: InstanceSort = InstanceSort.STARTED,
        descending: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[InstanceListing]:
        """Some instances in order; those without a sort key come last, whatever the direction.

        Args:
            limit: rows at most; more than `page.MOST_ROWS` are cut.
            cursor: of the page before, with the same sort and direction; None: from the start.

        Raises:
            CursorError: the cursor does not continue such a list.
        """
        key, may_be_missing = _KEYS[sort]
        order = Order(
            subject="instances",
            name=sort,
            key=key,
            identity=instances.c.id,
            descending=descending,
            may_be_missing=may_be_missing,
        )
        after = None if cursor is None else read_cursor(order, cursor)
        most = rows_asked(limit)
        with self.database.reading() as connection:
            conditions, splits, is_sorted = _narrow(connection, which)
            if not is_sorted:
                order = replace(order, key=func.coalesce(order.key, order.key))
            query = with_position(_select_listed(), order).where(*conditions)
            rows = read_after(connection, query, order, after, most + 1, splits=splits)
        next_cursor = write_cursor(order, position_of(rows[most - 1])) if len(rows) > most else None
        return Page(tuple(map(_listing, rows[:most])), next_cursor)

    def of_batch(self, batch_id: str) -> tuple[InstanceListing, ...]:
        """All instances of a batch, in build order."""
        query = _select_listed().where(instances.c.batch_id == batch_id).order_by(instances.c.position)
        return tuple(map(_listing, self._rows(query)))

    def some(self, instance_ids: Sequence[str]) -> tuple[InstanceListing, ...]:
        """Instances by id, in no order; those that are not there are left out."""
        query = _select_listed()
        return tuple(
            _listing(row)
            for start in range(0, len(instance_ids), _AT_ONCE)
            for row in self._rows(query.where(instances.c.id.in_(instance_ids[start : start + _AT_ONCE])))
        )

    def serving(self, definition_ids: Sequence[str]) -> tuple[InstanceListing, ...]:
        """The instances that serve, of some definitions; by definition, in order of the facts."""
        query = _select_listed().where(instances.c.status == InstanceStatus.ACTIVE)
        query = query.order_by(instances.c.definition_id, instances.c.fact)
        return tuple(
            _listing(row)
            for start in range(0, len(definition_ids), _AT_ONCE)
            for row in self._rows(query.where(instances.c.definition_id.in_(definition_ids[start : start + _AT_ONCE])))
        )

    def count(self, which: InstanceFilter = _ANY) -> Count:
        """How many instances there are; counting stops at `MOST_COUNTED`."""
        with self.database.reading() as connection:
            number = _count(connection, [*_of_models(which), *_conditions(connection, which)], MOST_COUNTED + 1)
        return Count(min(number, MOST_COUNTED), is_exact=number <= MOST_COUNTED)


def _select_listed() -> Select[Any]:
    return select(instances, batches.c.schema).join(batches, batches.c.id == instances.c.batch_id)


def _narrow(
    connection: Connection, which: InstanceFilter
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]], bool]:
    """Conditions of the instances in question, how to split them (see `read_after`), and whether an index sorts them.

    An index on what is sorted by leads to the first of many at once, but past all instances to few of them, or to those
    that stand at its end: failed ones have no rows. Up to `_SOME` are therefore found first, and sorted then.
    """
    if which == InstanceFilter(model_ids=which.model_ids):
        return [], _models(connection, which), True
    if which.batch_id is not None or which.definition_id is not None:
        return [*_of_models(which, tried_on_rows=True), *_conditions(connection, which)], [], False
    few = _find_few(connection, which)
    if few is not None:
        return [instances.c.id.in_(few)], [], False
    found = [*_of_models(which), *_conditions(connection, which)]
    # A part of a name is compared with all names: not twice.
    if not which.table_contains and _count(connection, found, _SOME + 1) <= _SOME:
        return found, [], False
    return _conditions(connection, which, tried_on_rows=True), _models(connection, which), True


def _count(connection: Connection, conditions: Sequence[ColumnElement[bool]], most: int) -> int:
    """How many instances there are, up to some number."""
    limited = select(instances.c.id).where(*conditions).limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(limited)) or 0


def _find_few(connection: Connection, which: InstanceFilter) -> list[str] | None:
    """Ids of the instances in question; None where there are more than `_FEW`."""
    if which == InstanceFilter(model_ids=which.model_ids, table_contains=which.table_contains):
        query = _by_table(which)
    else:
        query = select(instances.c.id).where(*_of_models(which), *_conditions(connection, which))
    found = list(connection.scalars(query.limit(_FEW + 1)))
    return found if len(found) <= _FEW else None


def _by_table(which: InstanceFilter) -> Select[Any]:
    """The instances whose table's name has a part: read from the index of names, which is shorter than the rows.

    PostgreSQL would rather read all rows than an index to its end, unless the index's order is what it is asked for.
    """
    ordered = select(instances.c.id, instances.c.table).where(*_of_models(which))
    ordered = ordered.order_by(instances.c.model_id, instances.c.table, instances.c.id)
    named = ordered.offset(0).subquery()
    return select(named.c.id).where(_has_part(named.c.table, which.table_contains))


def _has_part(table: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Names of tables are in lower case, see `instance_table`: lowering all takes longer than comparing them."""
    return table.contains(part.lower(), autoescape=True) if is_storable(part) else false()


def _models(connection: Connection, which: InstanceFilter) -> list[ColumnElement[bool]]:
    """A condition for each model. Every index on what is sorted by begins with the model."""
    ids = connection.scalars(select(models.c.id)) if which.model_ids is None else which.model_ids
    return [instances.c.model_id == model_id for model_id in sorted(ids)] or [false()]


def _of_models(which: InstanceFilter, *, tried_on_rows: bool = False) -> list[ColumnElement[bool]]:
    if which.model_ids is None:
        return []
    # A function of a column hides it from its indices.
    column = func.coalesce(instances.c.model_id, "") if tried_on_rows else instances.c.model_id
    return [column.in_(sorted(which.model_ids))]


def _conditions(
    connection: Connection, which: InstanceFilter, *, tried_on_rows: bool = False
) -> list[ColumnElement[bool]]:
    """What a filter says, but for the models.

    Args:
        tried_on_rows: no index on the columns is to be used. SQLite, which knows little of how rows are distributed,
            would prefer it to the order, and sort.
    """

    def column(name: str) -> ColumnElement[Any]:
        found: ColumnElement[Any] = instances.c[name]
        hides = tried_on_rows and connection.dialect.name == "sqlite"
        return func.coalesce(found, found) if hides else found

    found: list[ColumnElement[bool]] = []
    for name, value in (("definition_id", which.definition_id), ("batch_id", which.batch_id)):
        if value is not None:
            found.append(column(name) == value if is_storable(value) else false())
    for name, values in (("status", which.statuses), ("source", which.sources)):
        if values:
            found.append(column(name).in_(sorted(str(value) for value in values if is_storable(str(value)))))
    if which.table_contains:
        found.append(_has_part(instances.c.table, which.table_contains))
    if which.started_after is not None:
        found.append(column("started_at") >= which.started_after)
    if which.started_before is not None:
        found.append(column("started_at") < which.started_before)
    return found


def _listing(row: Any) -> InstanceListing:
    status = InstanceStatus(row.status)
    return InstanceListing(
        id=row.id,
        batch_id=row.batch_id,
        model_id=row.model_id,
        definition_id=row.definition_id,
        aggregate=row.aggregate,
        fact=row.fact,
        position=row.position,
        status=status,
        shown_status=SHOWN[status],
        batch_created_at=row.batch_created_at,
        schema=row.schema,
        attempt=row.attempt,
        failures=row.failures,
        table=row.table,
        rows=row.rows,
        seconds=row.seconds,
        source=row.source,
        error=row.error,
        started_at=row.started_at,
        finished_at=row.finished_at,
        activated_at=row.activated_at,
        superseded_at=row.superseded_at,
        drop_after=row.drop_after,
    )
