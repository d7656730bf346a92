"""The log of queries and the usage of aggregates: written in batches, read by advisors and people."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select
from sqlalchemy.exc import SQLAlchemyError

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.bulk import upsert
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.query_days import add_days, count_days, outcome_of, shortest_builds
from airflow_atscale_aggs.engine.registry.records import QueryRecord, UsageRecord
from airflow_atscale_aggs.engine.registry.standings import refresh_uses
from airflow_atscale_aggs.engine.registry.tables import definitions, models, queries, query_sources, usages

_CHUNK = 500
_INSERT = insert(queries)
_INSERT_RETURNING = insert(queries).returning(queries.c.id, sort_by_parameter_order=True)

_Usage = tuple[int, float, datetime]
"""Uses, seconds together, and the last use."""


class QueryReader(RegistryPart):
    """Reads about queries."""

    __slots__ = ()

    def find(self, model_id: str, *, limit: int | None = None) -> tuple[QueryRecord, ...]:
        """The log of a model, newest first."""
        query = select(queries.c.document, queries.c.user, queries.c.shape).where(queries.c.model_id == model_id)
        query = query.order_by(queries.c.asked_at.desc(), queries.c.id.desc())
        return tuple(map(query_record, self._rows(query.limit(limit) if limit else query)))

    def usages(self, model_id: str) -> tuple[UsageRecord, ...]:
        """The usage of a model's definitions, most used first."""
        query = (
            select(usages)
            .join(definitions, definitions.c.id == usages.c.definition_id)
            .where(definitions.c.model_id == model_id)
            .order_by(usages.c.uses.desc(), usages.c.definition_id, usages.c.fact)
        )
        return tuple(UsageRecord(**row._mapping) for row in self._rows(query))  # noqa: SLF001 - SQLAlchemy's public name


class QueryWriter(RegistryPart):
    """Writes about queries."""

    __slots__ = ()

    def record(
        self,
        records: Sequence[QueryRecord],
        *,
        forget_before: datetime | None = None,
        patience: timedelta | None = None,
    ) -> None:
        """Append queries, and count them by day and as uses of aggregates, in one transaction.

        Args:
            forget_before: older queries of the log are deleted; usage and the figures of days stay.
            patience: how long to wait for another writer; None: as `RegistryDatabase.writing` waits.

        Raises:
            RegistryUnavailableError: it cannot be written, for whatever reason; nobody waits for it.
        """
        try:
            self._append(records, forget_before, patience)
        except SQLAlchemyError as error:
            raise RegistryUnavailableError(self.database.name, f"its log of queries: {error}") from error

    def _append(
        self, records: Sequence[QueryRecord], forget_before: datetime | None, patience: timedelta | None
    ) -> None:
        usage_by_place = _count_usage(records)
        with self.database.writing(patience=patience) as connection:
            _insert_queries(connection, records)
            builds = shortest_builds(connection, records)
            used = _known_definitions(connection, {definition for definition, _ in usage_by_place})
            # In one order everywhere: two writers must not wait for each other.
            rows = [
                {"definition_id": definition, "fact": fact, "uses": uses, "seconds": seconds, "last_used_at": last}
                for (definition, fact), (uses, seconds, last) in sorted(usage_by_place.items())
                if definition in used
            ]
            if rows:
                connection.execute(_upsert_usage(connection.dialect.name), rows)
            if forget_before is not None:
                _forget_queries(connection, forget_before)
            # Today's figures are everybody's: they are held for as short as can be.
            add_days(connection, count_days(records, builds))
            refresh_uses(connection, used)


def query_record(row: Any) -> QueryRecord:
    """A row of queries as a value. Whoever asked and what it was stand in columns, so that lists can look for them."""
    return replace(documents.decode_query(row.document), user=row.user, shape=row.shape)


def later_use(connection: Connection, moment: datetime) -> ColumnElement[datetime]:
    """The time of the last use that a row of usages has, or another moment that is later."""
    greatest = func.max if connection.dialect.name == "sqlite" else func.greatest
    return greatest(usages.c.last_used_at, literal(moment, usages.c.last_used_at.type))


def _count_usage(records: Sequence[QueryRecord]) -> Mapping[tuple[str, str], _Usage]:
    """How often aggregates answered, by definition and fact."""
    usage_by_place: dict[tuple[str, str], _Usage] = {}
    for record in records:
        weight = record.weight
        for source in record.actual:
            if source.definition_id:
                place = (source.definition_id, source.fact)
                uses, seconds, last = usage_by_place.get(place, (0, 0.0, record.asked_at))
                seconds += record.seconds * weight
                usage_by_place[place] = (uses + weight, seconds, max(last, record.asked_at))
    return usage_by_place


def _insert_queries(connection: Connection, records: Sequence[QueryRecord]) -> None:
    """Append queries, in their order."""
    rows = [query_row(record) for record in records]
    several = [_definitions_of(record) for record in records]
    if all(len(answering) < 2 for answering in several):  # noqa: PLR2004 - one aggregate stands in the row itself
        if rows:
            connection.execute(_INSERT, rows)
        return
    ids = connection.scalars(_INSERT_RETURNING, rows).all()
    sources = [
        {"definition_id": definition, "asked_at": record.asked_at, "query_id": identity}
        for identity, record, answering in zip(ids, records, several, strict=True)
        if len(answering) > 1
        for definition in answering
    ]
    connection.execute(insert(query_sources), sources)


def _definitions_of(record: QueryRecord) -> list[str]:
    """Ids of the definitions that a query was answered from, each once."""
    return sorted({source.definition_id for source in record.actual if source.definition_id})


def query_row(record: QueryRecord) -> dict[str, object]:
    """The row of a query; `query_record` reads it."""
    columns = ("model_id", "fingerprint", "asked_at", "rows", "seconds", "weight")
    answering = _definitions_of(record)
    return {
        **{name: getattr(record, name) for name in columns},
        "user": storable(record.user),
        "shape": storable(record.shape),
        "document": documents.encode_query(replace(record, user="", shape="")),
        "outcome": outcome_of(record),
        "definition_id": answering[0] if len(answering) == 1 else None,
    }


def storable(text: str) -> str:
    """A text as both databases hold it: PostgreSQL has no NUL in texts."""
    return text.replace("\0", "\ufffd")


def _known_definitions(connection: Connection, definition_ids: Collection[str]) -> set[str]:
    """Which of some definitions the registry knows."""
    ids = sorted(definition_ids)
    known: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        query = select(definitions.c.id).where(definitions.c.id.in_(ids[start : start + _CHUNK]))
        known.update(connection.scalars(query))
    return known


def _forget_queries(connection: Connection, before: datetime) -> None:
    # By model, because the index begins with it.
    is_old = (queries.c.model_id.in_(select(models.c.id)), queries.c.asked_at < before)
    connection.execute(delete(queries).where(*is_old))
    connection.execute(delete(query_sources).where(query_sources.c.asked_at < before))


@functools.cache
def _upsert_usage(dialect: str) -> Any:
    insert_usage = upsert(dialect, usages)
    more, greatest = insert_usage.excluded, func.max if dialect == "sqlite" else func.greatest
    return insert_usage.on_conflict_do_update(
        index_elements=["definition_id", "fact"],
        set_={
            "uses": usages.c.uses + more.uses,
            "seconds": usages.c.seconds + more.seconds,
            "last_used_at": greatest(usages.c.last_used_at, more.last_used_at),
        },
    )
