"""What people and programs do to batches: start, cancel, resume."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import IllegalTransitionError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.activate import cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import check_slices, read_slices
from airflow_atscale_aggs.engine.lifecycle.build.request_check import check_request
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.planning.requests import signal_of_request
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from airflow_atscale_aggs.hooks.aggregates import read_settings
from airflow_atscale_aggs.hooks.airflow_addresses import base_url
from airflow_atscale_aggs.hooks.run_conf import check_keys, check_values
from airflow_atscale_aggs.plugins.api.access import ModelPlace, Place
from airflow_atscale_aggs.plugins.api.batch_runs import (
    BatchRun,
    RequestedRun,
    find_batch,
    run_id_of_request,
    run_of_owner,
)
from airflow_atscale_aggs.plugins.api.documents.batch_documents import BatchStart, BatchStarted
from airflow_atscale_aggs.plugins.api.model_dags import ModelDag
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.run_actions import choose_dag, clear_failed_builds, start_run, stop_run

REQUESTED = "requested"
"""The status of a batch that was asked for and that its run has not begun yet."""


def address_of_batch(connection: str, batch_id: str) -> str:
    """Where to ask for a batch."""
    return f"{base_url()}/atscale_aggs/api/connections/{quote(connection, safe='')}/batches/{quote(batch_id, safe='')}"


def start_batch(place: ModelPlace, asked: BatchStart, *, is_from_page: bool = False) -> BatchStarted:
    """Start a run of the DAG that builds a model, after all that can be checked was checked.

    Args:
        is_from_page: a person has asked in the browser.

    Raises:
        ProblemError: 403, 404, 409: no run would begin, see `choose_dag`; 422: the request cannot be meant so.
        GracePeriodError: a grace period cannot take effect.
        SliceError: what has changed is no range of the indicator.
    """
    notes = _check(place, asked)
    dag = choose_dag(place, asked.dag_id)
    request_id, visitor = str(uuid.uuid4()), place.place.visitor
    conf: dict[str, Any] = {
        "build_type": asked.build_type,
        "aggregates": asked.aggregates,
        "grace_periods": asked.grace_periods,
        "signals": [signal_of_request(request_id)],
    }
    if asked.changed:
        conf["changed"] = asked.changed
    if asked.max_concurrent_builds is not None:
        conf["max_concurrent_builds"] = asked.max_concurrent_builds
    try:
        check_values(check_keys(conf, ()))
    except AirflowFailException as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), "run-refused") from error
    run_id = run_id_of_request(request_id, utc_now())
    run = start_run(dag, conf, run_id=run_id, user=visitor.name, is_from_page=is_from_page)
    what = ", ".join(f"`{name}`" for name in asked.aggregates) or "all aggregates"
    message = f"Run `{run_id}` of DAG `{dag.dag_id}` is queued: {asked.build_type}, {what}. "
    message += "Ask for the batch by the id of this request; when another batch answers it, you get that one."
    return _started(request_id, run, REQUESTED, " ".join((message, *notes)))


def _check(place: ModelPlace, asked: BatchStart) -> tuple[str, ...]:
    """Notes about the grace periods. Raises ProblemError (422) for a name that is not there, SliceError."""
    slices = read_slices((dataset, text) for dataset, texts in asked.changed.items() for text in texts)
    try:
        notes = check_request(
            place.read,
            place.model,
            settings_in_force(place.read, read_settings(), place.model.id),
            build_type=BuildType(asked.build_type),
            aggregates=asked.aggregates,
            grace_periods=asked.grace_periods,
        )
        check_slices(place.read, place.model, slices)
    except UnknownNameError as error:
        detail = f"{error} Nothing was started."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "unknown-name") from error
    return notes


def cancel(place: Place, batch_id: str) -> str:
    """Cancel a batch and stop its run; in this order, so that nothing goes live between the two. Returns a sentence.

    Args:
        batch_id: also of a request; one that has begun no batch yet loses its run.

    Raises:
        ProblemError: 404: there is neither batch nor request that the visitor may read; 403: he may not stop runs of
            the DAG.
        IllegalTransitionError: the batch has ended well already.
    """
    found = find_batch(place, batch_id)
    if isinstance(found, RequestedRun):
        return _cancel_request(place, found)
    return _cancel_batch(place, found)


def _cancel_batch(place: Place, batch: BatchRecord) -> str:
    run = run_of_owner(batch.owner)
    dag = _dag_of(place, batch, run)
    if dag is not None:
        _check_may_change(place, dag)
    with place.bookkeeping() as workspace:
        cancel_batch(workspace, batch.id, now=utc_now())
    message = f"Batch {batch.id} is cancelled. What served before goes on serving."
    newest = place.read.batches.of_owner(batch.model_id, batch.owner)
    # A run that was cleared may have begun another batch since.
    is_driven = newest is not None and newest.id == batch.id
    if run is not None and dag is not None and is_driven and stop_run(run, dag):
        what = "Run" if dag.is_own else "What builds it in run"
        message += f" {what} `{run.run_id}` of DAG `{run.dag_id}` is told to stop."
    return message


def _cancel_request(place: Place, asked: RequestedRun) -> str:
    """Stop the run of a request that has begun no batch."""
    dag = next((dag for dag in place.dags if dag.dag_id == asked.run.dag_id), None)
    if dag is None:
        detail = f"You may not read DAG `{asked.run.dag_id}`."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")
    place.model(dag.model)
    _check_may_change(place, dag)
    if asked.is_over:
        detail = f"Run `{asked.run.run_id}` of DAG `{dag.dag_id}` has ended ({asked.state}) and has begun no batch."
        raise ProblemError(HTTPStatus.CONFLICT, detail, "run-ended")
    if not dag.is_own:
        detail = (
            f"The run has begun no batch yet, and DAG `{dag.dag_id}` does other things as well. Stop the run itself: "
            f"{asked.run.url}"
        )
        raise ProblemError(HTTPStatus.CONFLICT, detail, "shared-dag")
    stop_run(asked.run, dag)
    begun = find_batch(place, asked.request_id)
    if isinstance(begun, BatchRecord) and run_of_owner(begun.owner) == asked.run:
        # Its plan was just being made.
        return _cancel_batch(place, begun)
    return f"Run `{asked.run.run_id}` of DAG `{dag.dag_id}` is told to stop before it begins a batch."


def resume(place: Place, batch_id: str) -> BatchStarted:
    """Let a batch that has failed or was interrupted go on: what failed in its run is tried again.

    Raises:
        ProblemError: 403; 404, as `cancel`; 409: no run drives it, or nothing in the run has failed.
        IllegalTransitionError: the batch has ended well, was cancelled, or a newer one closed it.
    """
    found = find_batch(place, batch_id)
    if isinstance(found, RequestedRun):
        detail = (
            f"Run `{found.run.run_id}` of DAG `{found.run.dag_id}` is {found.state} and has begun no batch, so there "
            f"is nothing to go on with. Its plan task tells why: {found.run.url}"
        )
        raise ProblemError(HTTPStatus.CONFLICT, detail, "nothing-to-resume")
    if found.status not in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
        raise IllegalTransitionError("Batch", found.id, found.status, BatchStatus.IN_PROGRESS)
    run = run_of_owner(found.owner)
    dag = _dag_of(place, found, run)
    if run is None or dag is None:
        driver = "by no run of Airflow" if run is None else "by a run of a DAG that you may not read or that is gone"
        model = place.read.models.get(found.model_id).name
        detail = (
            f"Batch {found.id} is driven {driver}. Go on with it by hand: "
            f"`atscale-aggs build {model} --resume {found.id}`."
        )
        raise ProblemError(HTTPStatus.CONFLICT, detail, "no-run")
    _check_may_change(place, dag, DagAccessEntity.TASK_INSTANCE)
    choose_dag(ModelPlace(place, place.read.models.get(found.model_id)), dag.dag_id)
    cleared = clear_failed_builds(run, dag)
    verb = "is" if cleared == 1 else "are"
    message = f"{counted(cleared, 'task')} of run `{run.run_id}` of DAG `{run.dag_id}` {verb} tried again."
    return _started(found.id, run, BatchStatus.IN_PROGRESS, message)


def _dag_of(place: Place, batch: BatchRecord, run: BatchRun | None) -> ModelDag | None:
    """The DAG whose run drives a batch, if the visitor may read it."""
    if run is None:
        return None
    model = place.read.models.get(batch.model_id)
    return next((dag for dag in place.dags_of(model) if dag.dag_id == run.dag_id), None)


def _check_may_change(place: Place, dag: ModelDag, entity: DagAccessEntity = DagAccessEntity.RUN) -> None:
    if not place.visitor.may_change_runs(dag.dag_id, entity):
        what = "stop runs" if entity is DagAccessEntity.RUN else "clear tasks"
        detail = f"You may not {what} of DAG `{dag.dag_id}`, which drives the batch."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")


def _started(batch_id: str, run: BatchRun, status: str, message: str) -> BatchStarted:
    return BatchStarted(
        id=batch_id, dag_id=run.dag_id, run_id=run.run_id, run_url=run.url, status=status, message=message
    )
