"""Batches: lists, one with its steps, and those of a run."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import APIRouter, Query
from pydantic import Field

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry import batch_lists
from airflow_atscale_aggs.plugins.api.access import ReachableConnection, VisitorDep
from airflow_atscale_aggs.plugins.api.batch_rows import batch_detail, batch_rows, requested_detail
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun, RequestedRun, answer_of_run, find_batch
from airflow_atscale_aggs.plugins.api.documents.batch_documents import BatchDetail, BatchRow, RunBatch
from airflow_atscale_aggs.plugins.api.documents.shared_documents import Page
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.list_options import ListOptions, Moment
from airflow_atscale_aggs.plugins.api.problems import ProblemError

router = APIRouter(tags=["Batches"])


class BatchFilter(ListOptions):
    """What batches are listed, newest first."""

    status: list[Literal["in_progress", "done", "failed", "cancelled"]] = Field(default_factory=list)
    dag_id: Identity | None = None
    run_id: Identity | None = None
    """With `dag_id`: only the batches of that run."""


@router.get("/connections/{connection}/batches")
def list_batches(place: ReachableConnection, options: Annotated[BatchFilter, Query()]) -> Page[BatchRow]:
    """Batches, newest first."""
    if options.run_id is not None and options.dag_id is None:
        detail = "A run is known by its DAG and its id: give `dag_id` as well as `run_id`."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "malformed")
    run = BatchRun(options.dag_id or "", options.run_id or "")
    which = batch_lists.BatchFilter(
        model_ids=place.model_ids(options.model),
        statuses=[BatchStatus(status) for status in options.status],
        owner=run.owner if options.run_id is not None else None,
        owner_begins=run.owner if options.dag_id is not None and options.run_id is None else "",
    )
    lists = place.read.lists.batches
    page = lists.page(which, limit=options.limit, cursor=options.cursor)
    return Page(
        items=batch_rows(place, page.rows),
        next_cursor=page.next_cursor,
        total=lists.count(which).number if options.count else None,
    )


@router.get("/connections/{connection}/batches/{batch_id}")
def read_batch(
    place: ReachableConnection, batch_id: Identity, changed_after: Annotated[Moment | None, Query()] = None
) -> BatchDetail:
    """One batch with its steps, by its id or by the id of a request that it answers.

    Until the run of a request has begun its batch, or where it never does, `steps` is empty and `notes` says why.

    Who follows a batch of thousands of steps gives `changed_after`, the `as_of` of the last answer: `steps` then has
    only those that are being built, or whose build began, ended or went live since; from a minute before on, since
    clocks differ. `counts` are always those of all steps: where they are not what you count, ask for all of them anew.
    """
    found = find_batch(place, batch_id)
    if isinstance(found, RequestedRun):
        return requested_detail(place, found)
    return batch_detail(place, found, asked_as=batch_id, now=utc_now(), changed_after=changed_after)


@router.get("/dags/{dag_id}/runs/{run_id}/batches")
def list_batches_of_run(visitor: VisitorDep, dag_id: Identity, run_id: Identity) -> list[RunBatch]:
    """The batches that a run drives, newest first; where it drives none, the one that answered it."""
    if not visitor.may_read_dag(dag_id, DagAccessEntity.RUN):
        raise ProblemError(HTTPStatus.FORBIDDEN, f"You may not read the runs of DAG `{dag_id}`.", "forbidden")
    run = BatchRun(dag_id, run_id)
    found: list[RunBatch] = []
    for connection in sorted({dag.connection for dag in visitor.dags if dag.dag_id == dag_id}):
        place = visitor.place(connection)
        model_ids = [model.id for model in place.models]
        lists = place.read.lists.batches
        listings = lists.page(batch_lists.BatchFilter(model_ids=model_ids, owner=run.owner)).rows
        if not listings:
            answers = lists.some(answer_of_run(run))
            listings = tuple(listing for listing in answers if listing.batch.model_id in model_ids)
        rows = batch_rows(place, listings)
        found += [RunBatch(connection=connection, **row.model_dump()) for row in rows]
    return found
