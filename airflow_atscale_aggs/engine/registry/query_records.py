"""The log of queries and the usage of aggregates: written in batches, read by advisors and people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.records import QueryRecord, UsageRecord
from airflow_atscale_aggs.engine.registry.standings import refresh_uses
from airflow_atscale_aggs.engine.registry.tables import definitions, queries, usages


class QueryReader(RegistryPart):
    """Reads about queries."""

    __slots__ = ()

    def find(self, model_id: str, *, limit: int | None = None) -> tuple[QueryRecord, ...]:
        """The log of a model, newest first."""
        query = select(queries.c.document).where(queries.c.model_id == model_id)
        query = query.order_by(queries.c.asked_at.desc(), queries.c.id.desc())
        rows = self._rows(query.limit(limit) if limit else query)
        return tuple(documents.decode_query(row[0]) for row in rows)

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
        """Append queries and count the uses of aggregates, in one transaction.

        Args:
            forget_before: older queries of the log are deleted; usage stays.
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
        usage_by_place: dict[tuple[str, str], tuple[int, float, datetime]] = {}
        for record in records:
            for source in record.actual:
                if source.definition_id:
                    place = (source.definition_id, source.fact)
                    uses, seconds, last = usage_by_place.get(place, (0, 0.0, record.asked_at))
                    weight = record.weight
                    usage_by_place[place] = (
                        uses + weight,
                        seconds + record.seconds * weight,
                        max(last, record.asked_at),
                    )
        with self.database.writing(patience=patience) as connection:
            if records:
                connection.execute(insert(queries), [_row(record) for record in records])
            definition_ids = set(connection.scalars(select(definitions.c.id)))
            # In one order everywhere: two writers must not wait for each other.
            for (definition, fact), (uses, seconds, last) in sorted(usage_by_place.items()):
                if definition not in definition_ids:
                    continue
                row = {"definition_id": definition, "fact": fact, "uses": uses, "seconds": seconds}
                more = {
                    "uses": usages.c.uses + uses,
                    "seconds": usages.c.seconds + seconds,
                    "last_used_at": later_use(connection, last),
                }
                upsert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(usages)
                connection.execute(
                    upsert.values(**row, last_used_at=last).on_conflict_do_update(
                        index_elements=["definition_id", "fact"], set_=more
                    )
                )
            if forget_before is not None:
                connection.execute(delete(queries).where(queries.c.asked_at < forget_before))
            refresh_uses(connection, [definition for definition, _ in usage_by_place])


def later_use(connection: Connection, moment: datetime) -> ColumnElement[datetime]:
    """The time of the last use that a row of usages has, or another moment that is later."""
    greatest = func.max if connection.dialect.name == "sqlite" else func.greatest
    return greatest(usages.c.last_used_at, literal(moment, usages.c.last_used_at.type))


def _row(record: QueryRecord) -> dict[str, object]:
    columns = ("model_id", "fingerprint", "asked_at", "rows", "seconds", "weight")
    return {**{name: getattr(record, name) for name in columns}, "document": documents.encode_query(record)}
