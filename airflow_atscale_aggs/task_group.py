"""Makes a batch build as a task group inside any DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.operators.aggregate_build import NAME_OF_BUILD
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator,
    BuildAggregateOperator,
    DeployModelOperator,
    PlanBatchBuildOperator,
    ReportBatchOperator,
)
from airflow_atscale_aggs.operators.base import AttemptsOfAggregate

if TYPE_CHECKING:
    from airflow.sdk import Asset, AssetAlias

_TRIES = 30
"""Retries of a build task.

The engine's own limits end it earlier; interruptions, which do not count there, use these.
"""


def add_batch_build_tasks(
    model: str,
    *,
    aggs_conn_id: str = AggregatesHook.default_conn_name,
    models_folder: str | None = None,
    max_concurrent_builds: int = 1,
    outlets: Sequence[Asset | AssetAlias] = (),
    is_first: bool = False,
    choices_variable: str | None = None,
    partitions: Mapping[str, str] | None = None,
    partition_period: str = "",
) -> None:
    """Add deploy (with a folder), plan, build, activate and report to the DAG or task group that is open.

    Args:
        model: name or id of the model.
        aggs_conn_id: connection of type ``atscale_aggs``.
        models_folder: a folder of SML to deploy first, in every run; None: the model is deployed by other means.
        max_concurrent_builds: upper bound of aggregates built at the same time; a run may ask for less.
        outlets: assets that an activation updates.
        is_first, choices_variable: the DAG loads no facts before; where names for its form are remembered. Both as of
            `PlanBatchBuildOperator`.
        partitions, partition_period: what keys of partitioned asset events name, as of `PlanBatchBuildOperator`.
    """
    common: dict[str, Any] = {"aggs_conn_id": aggs_conn_id}
    plan = PlanBatchBuildOperator(
        task_id="plan",
        model=model,
        build_type="{{ params.get('build_type', 'full') }}",
        aggregates="{{ (params.get('aggregates') or []) | tojson }}",
        grace_periods="{{ (params.get('grace_periods') or {}) | tojson }}",
        changed="{{ (params.get('changed') or {}) | tojson }}",
        partitions=partitions,
        partition_period=partition_period,
        is_first=is_first,
        choices_variable=choices_variable,
        retries=10,
        retry_delay=timedelta(seconds=30),
        **common,
    )
    build = BuildAggregateOperator.partial(
        task_id="build",
        max_concurrent_builds="{{ params.get('max_concurrent_builds', '') }}",
        retries=_TRIES,
        retry_delay=timedelta(seconds=5),
        retry_policy=AttemptsOfAggregate(),
        max_active_tis_per_dagrun=max_concurrent_builds,
        map_index_template=NAME_OF_BUILD,
        # Nobody reads what builds return and were given: the registry, the plan and their logs tell it as well.
        do_xcom_push=False,
        keep_rendered_fields=False,
        **common,
    ).expand_kwargs(plan.output)
    # A lost worker must not cost Airflow's default delay of five minutes.
    again: dict[str, Any] = {"retries": 5, "retry_delay": timedelta(seconds=10)}
    activate = ActivateBatchOperator(task_id="activate", model=model, outlets=list(outlets), **again, **common)
    report = ReportBatchOperator(task_id="report", model=model, **again, **common)
    # A teardown runs after its upstream, however that ended, and does not decide the run's state: `activate` does.
    build >> activate >> report.as_teardown()
    if models_folder is not None:
        deploy = DeployModelOperator(task_id="deploy", folder=models_folder, model=model, **again, **common)
        deploy >> plan


class BatchBuildTaskGroup(TaskGroup):
    """Plan, build, activate and report as one group of a DAG.

    The DAG's run parameters ``build_type`` and ``max_concurrent_builds`` are honoured when it has them.

    Args:
        model: name or id of the model.
        group_id: name of the group.
        options: as of `add_batch_build_tasks`.

    Example:
        with DAG("nightly"):
            load_facts() >> BatchBuildTaskGroup("retail", aggs_conn_id="retail_aggs")
    """

    def __init__(self, model: str, *, group_id: str = "batch_build", tooltip: str = "", **options: Any) -> None:
        super().__init__(group_id=group_id, tooltip=tooltip)
        with self:
            add_batch_build_tasks(model, **options)
