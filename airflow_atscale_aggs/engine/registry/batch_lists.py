"""Lists of batches, and how long they usually take."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, false, func, select

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.listings import BatchListing
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
from airflow_atscale_aggs.engine.registry.record_rows import batch_record
from airflow_atscale_aggs.engine.registry.tables import batches, instances

USUAL_BATCHES = 20
"""Batches whose median duration is the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches are listed; what is not given filters nothing.

    Attributes:
        model_ids: None: of all models; empty: none at all.
        statuses: one of them; empty: any.
        owner: who drives it.
        owner_begins: how the name of who drives it begins.
    """

    model_ids: Collection[str] | None = None
    statuses: Collection[BatchStatus] = ()
    owner: str | None = None
    owner_begins: str = ""


@dataclass(frozen=True, slots=True)
class UsualDuration:
    """How long a batch of a model usually takes, in seconds, and of how many batches that is the median."""

    seconds: float
    batches: int


_ANY = BatchFilter()
_ORDER = Order(
    subject="batches",
    name="created",
    key=batches.c.created_at,
    identity=batches.c.id,
    descending=True,
    may_be_missing=False,
)


class BatchLists(RegistryPart):
    """Reads lists of batches."""

    __slots__ = ()

    def page(self, which: BatchFilter = _ANY, *, limit: int = 50, cursor: str | None = None) -> Page[BatchListing]:
        """Some batches, newest first.

        Args:
            limit: rows at most; more than `page.MOST_ROWS` are cut.
            cursor: of the page before; None: from the start.

        Raises:
            CursorError: the cursor does not continue such a list.
        """
        after = None if cursor is None else read_cursor(_ORDER, cursor)
        query = with_position(select(batches).where(*_conditions(which)), _ORDER)
        most = rows_asked(limit)
        with self.database.reading() as connection:
            rows = read_after(connection, query, _ORDER, after, most + 1)
            counts = _counts(connection, [row.id for row in rows[:most]])
        next_cursor = write_cursor(_ORDER, position_of(rows[most - 1])) if len(rows) > most else None
        return Page(
            tuple(BatchListing(batch=batch_record(row), instances=counts.get(row.id, {})) for row in rows[:most]),
            next_cursor,
        )

    def get(self, batch_id: str) -> BatchListing:
        """A batch by id. Raises NotRegisteredError."""
        row = self._row(select(batches), batches.c.id, batch_id, "batch")
        with self.database.reading() as connection:
            counts = _counts(connection, [batch_id])
        return BatchListing(batch=batch_record(row), instances=counts.get(batch_id, {}))

    def some(self, batch_ids: Collection[str]) -> tuple[BatchListing, ...]:
        """Batches by id, newest first; those that are not there are left out."""
        query = select(batches).where(batches.c.id.in_(sorted(batch_ids)))
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(batches.c.created_at.desc(), batches.c.id.desc())).all()
            counts = _counts(connection, [row.id for row in rows])
        return tuple(BatchListing(batch=batch_record(row), instances=counts.get(row.id, {})) for row in rows)

    def count(self, which: BatchFilter = _ANY) -> Count:
        """How many batches there are."""
        return Count(self._rows(select(func.count()).select_from(batches).where(*_conditions(which)))[0][0])

    def usual_duration(self, model_id: str) -> float | None:
        """Seconds from begin to end of a usual batch of a model; None before the first, see `usual_durations`."""
        usual = self.usual_durations([model_id]).get(model_id)
        return None if usual is None else usual.seconds

    def usual_durations(self, model_ids: Collection[str]) -> Mapping[str, UsualDuration]:
        """From begin to end of a usual batch of each model: the median of the last `USUAL_BATCHES` DONE ones.

        Models without such are left out.
        """
        place = func.row_number().over(partition_by=batches.c.model_id, order_by=batches.c.created_at.desc())
        ended = (
            select(batches.c.model_id, batches.c.created_at, batches.c.finished_at, place.label("place"))
            .where(
                batches.c.model_id.in_(sorted(model_ids)),
                batches.c.status == BatchStatus.DONE,
                batches.c.finished_at.is_not(None),
            )
            .subquery()
        )
        query = select(ended.c.model_id, ended.c.created_at, ended.c.finished_at)
        seconds_by_model: dict[str, list[float]] = {}
        for model_id, began, finished in self._rows(query.where(ended.c.place <= USUAL_BATCHES)):
            seconds_by_model.setdefault(model_id, []).append((finished - began).total_seconds())
        return {
            model_id: UsualDuration(statistics.median(seconds), len(seconds))
            for model_id, seconds in seconds_by_model.items()
        }

    def usual_seconds(self, batch_id: str) -> Mapping[str, float]:
        """How long each instance of a batch usually builds, by the instance's id, as it was known when the batch began.

        See `usual_builds.find_usual_seconds`; instances of which nothing was known are left out.
        """
        query = select(instances.c.id, instances.c.usual_seconds).where(
            instances.c.batch_id == batch_id, instances.c.usual_seconds.is_not(None)
        )
        return {row[0]: row[1] for row in self._rows(query)}


def _conditions(which: BatchFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.model_ids is not None:
        found.append(batches.c.model_id.in_(sorted(which.model_ids)))
    if which.statuses:
        found.append(batches.c.status.in_(sorted(str(status) for status in which.statuses)))
    if not is_storable(f"{which.owner or ''}{which.owner_begins}"):
        return [false()]
    if which.owner is not None:
        found.append(batches.c.owner == which.owner)
    if which.owner_begins:
        found.append(batches.c.owner.startswith(which.owner_begins, autoescape=True))
    return found


def _counts(connection: Connection, ids: Sequence[str]) -> Mapping[str, Mapping[InstanceStatus, int]]:
    """How many instances stand where, by batch."""
    query = (
        select(instances.c.batch_id, instances.c.status, func.count())
        .where(instances.c.batch_id.in_(ids))
        .group_by(instances.c.batch_id, instances.c.status)
    )
    found: dict[str, dict[InstanceStatus, int]] = {}
    for batch_id, status, number in connection.execute(query):
        found.setdefault(batch_id, {})[InstanceStatus(status)] = number
    return found
