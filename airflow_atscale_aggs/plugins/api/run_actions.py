"""Starts, stops and clears runs of the DAGs that build models, with Airflow's own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound, ParamValidationError
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_atscale_aggs.plugins.api.access import ModelPlace
from airflow_atscale_aggs.plugins.api.batch_runs import BatchRun
from airflow_atscale_aggs.plugins.api.model_dags import ModelDag
from airflow_atscale_aggs.plugins.api.problems import ProblemError

_CONCURRENCY = "max_concurrent_builds"
_GIVEN_UP = (TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED, TaskInstanceState.SKIPPED)


def choose_dag(place: ModelPlace, dag_id: str | None) -> ModelDag:
    """The DAG of which a run is to build a model: one that does nothing else, or the one that is named.

    Raises:
        ProblemError: 404: the named one does not build the model; 403: the visitor may trigger none; 409: there is
            none, it does other things as well and was not named, it is paused, or its file has errors.
    """
    model, connection = place.model.name, place.place.connection
    dags = place.place.dags_of(place.model)
    if dag_id is not None:
        dags = tuple(dag for dag in dags if dag.dag_id == dag_id)
        if not dags:
            detail = f"No DAG `{dag_id}` that you may read builds model `{model}` over connection `{connection}`."
            raise ProblemError(HTTPStatus.NOT_FOUND, detail, "no-dag")
    if not dags:
        detail = (
            f"No DAG builds model `{model}` over connection `{connection}`. Put one into your DAG files: "
            f'`dag = batch_build_dag("{model}", aggs_conn_id="{connection}")`.'
        )
        raise ProblemError(HTTPStatus.CONFLICT, detail, "no-dag")
    dags = tuple(dag for dag in dags if place.place.visitor.may_trigger(dag))
    if not dags:
        detail = f"You may not start a batch of model `{model}`: you need to trigger a DAG that builds it."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")
    if dag_id is None and not dags[0].is_own:
        detail = (
            f"DAG `{dags[0].dag_id}` builds model `{model}` and does other things as well. To run all of it, name it "
            "as `dag_id`; or make a DAG that does nothing else, with `batch_build_dag`."
        )
        raise ProblemError(HTTPStatus.CONFLICT, detail, "shared-dag")
    return _runnable([dag for dag in dags if dag.is_own] if dag_id is None else dags)


def _runnable(dags: Sequence[ModelDag]) -> ModelDag:
    """The first DAG of which a run would begin. Raises ProblemError (409) where none would."""
    ids = [dag.dag_id for dag in dags]
    with create_session() as session:
        columns = (DagModel.dag_id, DagModel.is_paused, DagModel.has_import_errors)
        found = {row[0]: row for row in session.execute(select(*columns).where(DagModel.dag_id.in_(ids)))}
    why = ""
    for dag in dags:
        _, is_paused, has_import_errors = found.get(dag.dag_id, (dag.dag_id, False, False))
        if not is_paused and not has_import_errors:
            return dag
        reason = (
            "is paused, so that a run of it would wait. Unpause it first"
            if is_paused
            else "has import errors. Mend its file first; Airflow's start page shows the errors"
        )
        why = why or f"DAG `{dag.dag_id}` {reason}. Nothing was started."
    raise ProblemError(HTTPStatus.CONFLICT, why, "dag-not-runnable")


def start_run(dag: ModelDag, conf: Mapping[str, Any], *, run_id: str, user: str, is_from_page: bool) -> BatchRun:
    """Queue a run of a DAG, as Airflow's own API does.

    Args:
        conf: parameters of the run; `max_concurrent_builds` only where the DAG has it.
        user: who asks for it, for those who look at the run.
        is_from_page: a person has asked in the browser, and not a program.

    Raises:
        ProblemError: 422: the DAG refuses the parameters; 409: it allows no manual runs, or is gone.
    """
    by = DagRunTriggeredByType.UI if is_from_page else DagRunTriggeredByType.REST_API
    try:
        with create_session() as session:
            _check_concurrency(dag.dag_id, conf, session)
            trigger_dag(
                dag.dag_id,
                triggered_by=by,
                triggering_user_name=user,
                run_id=run_id,
                conf=dict(conf),
                session=session,
            )
    except ParamValidationError as error:
        # The lines after the first show the schema.
        detail = f"DAG `{dag.dag_id}` refuses the run. {str(error).splitlines()[0]}. Nothing was started."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "run-refused") from error
    except (DagNotFound, ValueError) as error:
        detail = f"DAG `{dag.dag_id}` cannot be run: {str(error).rstrip('.')}. Nothing was started."
        raise ProblemError(HTTPStatus.CONFLICT, detail, "dag-not-runnable") from error
    return BatchRun(dag.dag_id, run_id)


def _check_concurrency(dag_id: str, conf: Mapping[str, Any], session: Session) -> None:
    """Refuse a number of concurrent builds that the DAG would not look at."""
    if _CONCURRENCY not in conf:
        return
    dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
    if dag is not None and _CONCURRENCY not in dag.params:
        message = f"It has no parameter `{_CONCURRENCY}`, leave it out"
        raise ParamValidationError(message)


def stop_run(run: BatchRun, dag: ModelDag) -> bool:
    """Tell a run to stop; tasks that run are ended by their workers within a few seconds. False when it has ended.

    Args:
        dag: what it is a run of. Of a DAG that does other things as well only the builds are stopped.
    """
    with create_session() as session:
        dag_run = _dag_run(run, session)
        serialized = None if dag_run is None else DBDagBag().get_dag_for_run(dag_run, session=session)
        if dag_run is None or serialized is None or dag_run.state in State.finished_dr_states:
            return False
        tasks = list(serialized.task_dict) if dag.is_own else [dag.build_task_id]
        unfinished = [task for task in _task_instances(run, tasks, session) if task.state not in State.finished]
        if not dag.is_own:
            _set_states(unfinished, TaskInstanceState.FAILED, session)
        elif dag_run.state == DagRunState.QUEUED:
            _set_states(unfinished, TaskInstanceState.SKIPPED, session)
            dag_run.set_state(DagRunState.FAILED)
        else:
            # The report is a teardown, and still runs. Then the activation decides that the run has failed.
            activation = [task for task in unfinished if task.task_id == dag.activate_task_id]
            _set_states(activation, TaskInstanceState.FAILED, session)
            # A plan that is interrupted has not failed: see `RequestedRun.is_stopped`.
            plan = [task for task in unfinished if task.task_id == dag.plan_task_id]
            _set_states(plan, TaskInstanceState.SKIPPED, session)
            set_dag_run_state_to_failed(dag=serialized, run_id=run.run_id, commit=True, session=session)
    return dag.is_own or bool(unfinished)


def clear_failed_builds(run: BatchRun, dag: ModelDag) -> int:
    """Let the failed builds of a run be tried again, and with them all that comes after. Returns the number of tasks.

    Builds that were skipped since somebody had ended the run are among them. Where all builds ended well, it is the
    activation that is tried again.

    Raises:
        ProblemError: 409: nothing has failed, or the run is not there any more.
    """
    with create_session() as session:
        dag_run = _dag_run(run, session)
        serialized = None if dag_run is None else DBDagBag().get_dag_for_run(dag_run, session=session)
        if dag_run is None or serialized is None:
            detail = f"Run `{run.run_id}` of DAG `{run.dag_id}` is not there any more, so it cannot go on."
            raise ProblemError(HTTPStatus.CONFLICT, detail, "no-run")
        tasks = [dag.build_task_id, dag.activate_task_id]
        failed = {
            (instance.task_id, instance.map_index)
            for instance in _task_instances(run, tasks, session)
            if instance.state in _GIVEN_UP
        }
        if not failed:
            detail = f"No build of run `{run.run_id}` of DAG `{run.dag_id}` has failed. It is {dag_run.state}."
            raise ProblemError(HTTPStatus.CONFLICT, detail, "nothing-to-resume")
        # The activation follows all builds, so that nothing later belongs to one of them only.
        later = {name for task, _ in failed for name in serialized.get_task(task).get_flat_relative_ids(upstream=False)}
        cleared = serialized.clear(task_ids=[*failed, *later], run_id=run.run_id, session=session)
    return int(cleared)


def _dag_run(run: BatchRun, session: Session) -> DagRun | None:
    found: DagRun | None = session.scalar(
        select(DagRun).where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id)
    )
    return found


def _set_states(instances: Sequence[TaskInstance], state: TaskInstanceState, session: Session) -> None:
    for instance in instances:
        instance.set_state(state, session=session)


def _task_instances(run: BatchRun, task_ids: Sequence[str], session: Session) -> Sequence[TaskInstance]:
    query = select(TaskInstance).where(
        TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id, TaskInstance.task_id.in_(task_ids)
    )
    return list(session.scalars(query))
