"""Batches as AtScale's paths start them and list them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.planning.requests import signal_of_request
from airflow_atscale_aggs.engine.registry.batch_lists import BatchFilter
from airflow_atscale_aggs.engine.registry.listings import BatchListing
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from airflow_atscale_aggs.plugins.api.access import ModelPlace
from airflow_atscale_aggs.plugins.api.audit import record_deed
from airflow_atscale_aggs.plugins.api.batch_actions import start_batch
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun, RequestedRun, runs_of_requests
from airflow_atscale_aggs.plugins.api.documents.batch_documents import BatchStart
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.published.published_documents import (
    BatchAnswer,
    HistoryBatch,
    HistoryList,
    StartedBatch,
)
from airflow_atscale_aggs.plugins.api.published.published_pages import PageOptions, walk
from airflow_atscale_aggs.plugins.api.published.published_words import (
    BATCH_WORDS,
    NEW_BATCH,
    WAITING_BATCH,
    iso_duration,
)

_MOST_REQUESTS = 100
"""Requests whose ids the history shows, the newest ones."""


def read_grace_periods(body: object) -> dict[str, str]:
    """The grace periods of a request: ``{"sales": 30}`` or ``[{"sales": 30}]``; bare numbers are seconds.

    Raises:
        ProblemError: 400: they are something else.
    """
    given = body.get("gracePeriodOverrides") if isinstance(body, Mapping) else body
    entries = given if isinstance(given, list) else [] if given is None else [given]
    periods: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise _refuse_periods()
        for dataset, value in entry.items():
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                raise _refuse_periods()
            periods[str(dataset)] = f"{value}s" if isinstance(value, int) else value
    return periods


def _refuse_periods() -> ProblemError:
    detail = (
        'Invalid parameter `gracePeriodOverrides`: give seconds by dataset, as in {"gracePeriodOverrides": {"sales": '
        "30}}."
    )
    return ProblemError(HTTPStatus.BAD_REQUEST, detail, "malformed")


def start(place: ModelPlace, *, is_full: bool, body: object) -> BatchAnswer:
    """Start a batch of all aggregates of a model.

    Raises as `batch_actions.start_batch`.
    """
    build_type = BuildType.FULL if is_full else BuildType.INCREMENTAL
    try:
        asked = BatchStart(build_type=build_type, grace_periods=read_grace_periods(body))
    except ValidationError:
        raise _refuse_periods() from None
    started = start_batch(place, asked)
    record_deed(place.place, "start_batch", started.message, BatchRun(started.dag_id, started.run_id))
    return BatchAnswer(
        batch=StartedBatch(
            **_common(place, started.id, build_type),
            create_date=utc_now(),
            status=NEW_BATCH,
            estimate_time=_usual_milliseconds(place),
        )
    )


def history(place: ModelPlace, options: PageOptions) -> HistoryList[HistoryBatch]:
    """The batches of a model, newest first.

    Each is shown under the id of the request that it answers, which is the id that whoever asked knows; under several
    ids, where it answers several. Requests that no batch answers yet stand before them, on the first page.
    """
    place_read, which = place.read, BatchFilter(model_ids=[place.model.id])
    lists = place_read.lists.batches
    listings = walk(lambda limit, cursor: lists.page(which, limit=limit, cursor=cursor), options.offset, options.size)
    requests = _requests(place)
    answered, waiting = _answers(place, requests)
    estimate = _usual_milliseconds(place)
    rows = [_waiting(place, request, estimate) for request in waiting] if options.page == 1 else []
    for listing in listings:
        ids = answered.get(listing.batch.id) or [listing.batch.id]
        rows += [_batch(place, listing, identity, estimate) for identity in ids]
    return HistoryList(data=rows, total=lists.count(which).number + len(waiting))


def _requests(place: ModelPlace) -> list[RequestedRun]:
    """The newest requests for batches of the model, by this API."""
    return runs_of_requests([dag.dag_id for dag in place.place.dags_of(place.model)], _MOST_REQUESTS)


def _answers(place: ModelPlace, requests: list[RequestedRun]) -> tuple[dict[str, list[str]], list[RequestedRun]]:
    """Ids of requests by the batch that answers them, newest first; and the requests that none answers."""
    batches = place.read.batches
    signals = {request.request_id: signal_of_request(request.request_id) for request in requests}
    known = batches.of_signals(place.model.id, list(signals.values()))
    answered: dict[str, list[str]] = {}
    waiting: list[RequestedRun] = []
    for request in requests:
        batch_id = known.get(signals[request.request_id])
        if batch_id is None and request.is_over:
            cancelled = batches.of_signal([place.model.id], signals[request.request_id])
            batch_id = None if cancelled is None else cancelled.id
        if batch_id is None:
            waiting.append(request)
        else:
            answered.setdefault(batch_id, []).append(request.request_id)
    return answered, waiting


def _batch(place: ModelPlace, listing: BatchListing, identity: str, estimate: int) -> HistoryBatch:
    batch: BatchRecord = listing.batch
    seconds = sum(instance.seconds or 0.0 for instance in place.read.lists.instances.of_batch(batch.id))
    return HistoryBatch(
        **_common(place, identity, batch.build_type),
        create_date=batch.created_at,
        status=BATCH_WORDS[batch.status],
        estimate_time=estimate,
        start_time=batch.created_at,
        end_time=None if batch.status is BatchStatus.IN_PROGRESS else batch.finished_at,
        sum_of_instance_build_times=iso_duration(seconds),
    )


def _waiting(place: ModelPlace, request: RequestedRun, estimate: int) -> HistoryBatch:
    """A request that no batch answers: its run has not got so far, or never will."""
    ended: datetime | None = request.finished_at if request.is_over else None
    status = WAITING_BATCH
    if request.is_over:
        status = BATCH_WORDS[BatchStatus.FAILED if request.has_failed else BatchStatus.CANCELLED]
    return HistoryBatch(
        **_common(place, request.request_id, str(request.conf.get("build_type") or "")),
        create_date=request.requested_at,
        status=status,
        estimate_time=estimate,
        start_time=None,
        end_time=ended,
        sum_of_instance_build_times=iso_duration(0),
    )


def _common(place: ModelPlace, identity: str, build_type: str) -> dict[str, Any]:
    return {
        "id": identity,
        "catalog_id": catalog_id(place.model.catalog),
        "model_id": place.model.id,
        "is_full_build": build_type == BuildType.FULL,
    }


def _usual_milliseconds(place: ModelPlace) -> int:
    return round((place.read.lists.batches.usual_duration(place.model.id) or 0.0) * 1000)
