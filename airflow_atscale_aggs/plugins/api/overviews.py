"""How the aggregates of a model are doing: queries by day, the last batch, what wants attention, sizes."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.registry.batch_lists import BatchFilter
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.listings import QueryDay
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.batch_rows import batch_rows
from airflow_atscale_aggs.plugins.api.documents.batch_documents import DayFigures, Overview, SizeTile
from airflow_atscale_aggs.plugins.api.model_attention import attention_of

_MOST_TILES = 50


def overview_of(place: Place, model: ModelRecord, *, days: int, now: datetime) -> Overview:
    """The overview of a model.

    Args:
        days: today's and those before it, in UTC.
    """
    read = place.read
    figures = read.models.figures([model.id])[model.id]
    newest = read.lists.batches.page(BatchFilter(model_ids=[model.id]), limit=1).rows
    asked = _days(read, model.id, days, now)
    batch = newest[0].batch if newest else None
    fact_rows = read.attempts.fact_rows(model.id)
    return Overview(
        days=asked,
        last_batch=next(iter(batch_rows(place, newest)), None),
        attention=attention_of(place, model, batch, asked, now=now),
        sizes=_sizes(read, model.id),
        active=figures.active,
        definitions=figures.definitions,
        rows=figures.rows,
        fact_rows=sum(fact_rows.values()) if fact_rows else None,
    )


def _days(read: RegistryReader, model_id: str, number: int, now: datetime) -> list[DayFigures]:
    """One entry for each day, also for those on which nothing was asked."""
    first = now.date() - timedelta(days=number - 1)
    asked = {day.day: day for day in read.lists.queries.days([model_id], since=first)}
    dates = [first + timedelta(days=place) for place in range(number)]
    return [_day(asked.get(date) or QueryDay(model_id=model_id, day=date)) for date in dates]


def _day(day: QueryDay) -> DayFigures:
    return DayFigures(
        day=day.day.isoformat(),
        queries=day.queries,
        hits=day.hits,
        misses=day.misses,
        fallbacks=day.fallbacks,
        seconds=day.seconds,
        rows_read=day.rows_read,
        fact_rows=day.fact_rows,
        seconds_saved=day.seconds_saved,
    )


def _sizes(read: RegistryReader, model_id: str) -> list[SizeTile]:
    """The largest aggregates that serve. Bytes are those of the last judgement, so that no warehouse is needed."""
    which = DefinitionFilter(model_ids=[model_id], shown_statuses=[ShownStatus.ACTIVE])
    page = read.lists.definitions.page(which, sort=DefinitionSort.ROWS, descending=True, limit=_MOST_TILES)
    return [
        SizeTile(
            definition_id=listing.id,
            aggregate=listing.name,
            rows=listing.rows or 0,
            bytes=listing.size_bytes,
            uses=listing.uses,
        )
        for listing in page.rows
    ]
