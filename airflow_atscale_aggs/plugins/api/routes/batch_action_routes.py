"""Batches are started, cancelled and resumed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from airflow_atscale_aggs.plugins.api import batch_actions
from airflow_atscale_aggs.plugins.api.access import BuildableModel, BuildingConnection
from airflow_atscale_aggs.plugins.api.audit import record_deed
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun
from airflow_atscale_aggs.plugins.api.documents.batch_documents import BatchStart, BatchStarted
from airflow_atscale_aggs.plugins.api.documents.definition_documents import Done
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate

router = APIRouter(tags=["Batches"], dependencies=[ActingRate])

_LOCATION: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "The run is queued.",
        "headers": {
            "Location": {"description": "Where to ask for the batch.", "schema": {"type": "string", "format": "uri"}}
        },
    }
}


@router.post("/connections/{connection}/models/{model}/batches", status_code=201, responses=_LOCATION)
def start_batch(
    place: BuildableModel,
    asked: Annotated[
        BatchStart,
        Body(
            openapi_examples={
                "all, by increments": {"value": {"build_type": "incremental"}},
                "a repair": {"value": {"build_type": "full", "aggregates": ["sales_by_month"]}},
                "a day that was loaded again": {"value": {"changed": {"store_sales": ["2026-01-03"]}}},
                "late rows": {"value": {"build_type": "incremental", "grace_periods": {"store_sales": "9d"}}},
            }
        ),
    ],
    request: Request,
    response: Response,
) -> BatchStarted:
    """Start a batch: a run of the DAG that builds the model. `Location` is where to ask for it.

    Names of aggregates and datasets, grace periods and ranges that have changed are checked first, so that a wrong
    request starts nothing. A request that comes while another batch of the model runs waits for its end. Requests that
    wait at the same time are answered by one batch; then the ids of all of them lead to it.

    A DAG that is paused is refused with 409, since its run would wait.
    """
    started = batch_actions.start_batch(place, asked, is_from_page=bool(request.headers.get("referer")))
    record_deed(place.place, "start_batch", started.message, BatchRun(started.dag_id, started.run_id))
    response.headers["Location"] = batch_actions.address_of_batch(place.place.connection, started.id)
    return started


@router.post("/connections/{connection}/batches/{batch_id}/cancel")
def cancel_batch(place: BuildingConnection, batch_id: Identity) -> Done:
    """Cancel a batch that is in progress or has failed, and stop its run; what served before goes on serving.

    The id of a request may be given as well. One whose run has begun no batch yet loses its run.
    """
    message = batch_actions.cancel(place, batch_id)
    record_deed(place, "cancel_batch", message)
    return Done(message=message)


@router.post("/connections/{connection}/batches/{batch_id}/resume")
def resume_batch(place: BuildingConnection, batch_id: Identity) -> BatchStarted:
    """Clear the failed tasks of the run of a batch that has failed or was interrupted, so that it goes on.

    What is built already stays. A batch that no run of Airflow drives is refused with the command that goes on with it.
    """
    resumed = batch_actions.resume(place, batch_id)
    record_deed(place, "resume_batch", resumed.message, BatchRun(resumed.dag_id, resumed.run_id))
    return resumed
