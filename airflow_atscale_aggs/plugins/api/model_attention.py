"""What wants attention in a model, in sentences: what, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.lifecycle.build.batch import NOT_BUILT
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
from airflow_atscale_aggs.engine.planning.increment_notes import LATE_ROWS
from airflow_atscale_aggs.engine.registry.batches import VIEW_NOTE
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter
from airflow_atscale_aggs.engine.registry.records import BatchRecord, ModelRecord
from airflow_atscale_aggs.engine.sql.join_types import REFUSES
from airflow_atscale_aggs.hooks.aggregates import read_settings
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.documents.batch_documents import Attention, DayFigures

_MOST_NAMED = 20
_SEVERITIES = ("error", "warning", "info")

_SENTENCES = {
    "stale": (
        "1 aggregate was built more than {hours} ago. Start a batch, or see whether its DAG is paused.",
        "{} aggregates were built more than {hours} ago. Start a batch, or see whether their DAG is paused.",
    ),
    "never_used": (
        "1 aggregate has answered no query since defined more than {days} ago. Block it if nobody will need it.",
        "{} aggregates have answered no query since defined more than {days} ago. Block those that nobody will need.",
    ),
    "not_built": (
        "1 aggregate is defined and not built yet. Start a batch.",
        "{} aggregates are defined and not built yet. Start a batch.",
    ),
    "failed": (
        "1 aggregate of the newest batch failed; what served before serves on. Repair, then resume the batch.",
        "{} aggregates of the newest batch failed; what served before serves on. Repair, then resume the batch.",
    ),
    "failed of a live batch": (
        "1 aggregate of the newest batch failed, and the others went live. Repair, then build it again.",
        "{} aggregates of the newest batch failed, and the others went live. Repair, then build these again.",
    ),
    "missing_table": (
        "1 query fell back to the facts, since its aggregate could not be read. The log of queries says which one.",
        "{} queries fell back to the facts, since their aggregates could not be read. The log of queries says which.",
    ),
}
"""For one thing, and for several; hours and days are those of the model's settings."""


def attention_of(
    place: Place, model: ModelRecord, batch: BatchRecord | None, days: Sequence[DayFigures], *, now: datetime
) -> list[Attention]:
    """What wants attention, the most urgent first.

    Args:
        batch: the newest one of the model; None before the first.
        days: what was asked lately.
    """
    settings = settings_in_force(place.read, read_settings(), model.id)
    hours, days_unused = settings.attention_stale_hours, settings.attention_unused_days
    never_used, stale = place.read.lists.attention.find_aged(
        [model.id], now=now, stale_after=timedelta(hours=hours), unused_after=timedelta(days=days_unused)
    )
    fallbacks = sum(day.fallbacks for day in days)
    everything = [
        *_of_batch(place, batch),
        *_of_dags(place, model),
        *_of_notes(batch),
        *_found("missing_table", "warning", fallbacks),
        *_stale(stale.number, stale.ids, hours),
        *_of_definitions(place, model),
        *_found("never_used", "info", never_used.number, never_used.ids, days=counted(days_unused, "day")),
    ]
    return sorted(everything, key=lambda attention: _SEVERITIES.index(attention.severity))


def kind_of_note(note: str) -> str | None:
    """Which kind of attention a note of a batch wants; None where it only tells what was done."""
    if LATE_ROWS in note:
        return "late_rows"
    if REFUSES in note:
        return "refused_joins"
    if NOT_BUILT in note:
        return "not_built"
    return "failed" if note.startswith(VIEW_NOTE) else None


def _of_batch(place: Place, batch: BatchRecord | None) -> Iterator[Attention]:
    """What failed in the newest batch."""
    if batch is None:
        return
    which = InstanceFilter(batch_id=batch.id, statuses=[InstanceStatus.FAILED])
    lists = place.read.lists.instances
    failed = lists.count(which).number
    if failed:
        ids = dict.fromkeys(listing.definition_id for listing in lists.page(which, limit=_MOST_NAMED).rows)
        what = "failed of a live batch" if batch.status is BatchStatus.DONE else "failed"
        text = _say(what, failed)
    elif batch.status is BatchStatus.FAILED:
        ids, failed = {}, 1
        text = "The newest batch failed; what served before serves on. Its notes and the log of its run say why."
    else:
        return
    yield Attention(
        kind="failed", severity="error", text=text, count=failed, definition_ids=list(ids), batch_id=batch.id
    )


def _of_dags(place: Place, model: ModelRecord) -> Iterator[Attention]:
    if model.retired_at is None and not place.dags_of(model):
        text = (
            f"No DAG that you may read builds `{model.name}` over connection `{place.connection}`. Put one into your "
            f'DAG files: `dag = batch_build_dag("{model.name}", aggs_conn_id="{place.connection}")`.'
        )
        yield Attention(kind="no_dag", severity="warning", text=text, count=1, definition_ids=[])


def _of_notes(batch: BatchRecord | None) -> Iterator[Attention]:
    """What the newest batch has noted, sentence by sentence."""
    if batch is None:
        return
    for note in batch.notes:
        kind = kind_of_note(note)
        if kind is not None:
            yield Attention(kind=kind, severity="warning", text=note, count=1, definition_ids=[], batch_id=batch.id)


def _of_definitions(place: Place, model: ModelRecord) -> Iterator[Attention]:
    """What is defined and was never built."""
    which = DefinitionFilter(
        model_ids=[model.id], statuses=[DefinitionStatus.DEFINED], shown_statuses=[ShownStatus.PENDING]
    )
    lists = place.read.lists.definitions
    number = lists.count(which).number
    ids = [listing.id for listing in lists.page(which, limit=_MOST_NAMED).rows] if number else []
    yield from _found("not_built", "info", number, ids)


def _stale(number: int, definition_ids: Sequence[str], hours: int) -> Iterator[Attention]:
    """With the age, by which the page finds them."""
    for attention in _found("stale", "warning", number, definition_ids, hours=counted(hours, "hour")):
        yield attention.model_copy(update={"hours": hours})


def _found(
    kind: str, severity: str, number: int, definition_ids: Sequence[str] = (), **words: str
) -> Iterator[Attention]:
    if number:
        text = _say(kind, number, **words)
        yield Attention(kind=kind, severity=severity, text=text, count=number, definition_ids=list(definition_ids))


def _say(what: str, number: int, **words: str) -> str:
    one, several = _SENTENCES[what]
    return (one if number == 1 else several).format(f"{number:,}", **words)
