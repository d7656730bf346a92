"""Makes the DAGs of batch builds and of maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import DAG, Param, chain

from airflow_atscale_aggs.assets.activated import aggregates_alias, aggregates_asset
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.hooks.run_form import choices_variable, read_choices
from airflow_atscale_aggs.operators.aggregates import (
    BuildNewAggregatesOperator,
    EvaluateAggregatesOperator,
    PruneInstancesOperator,
    RecommendAggregatesOperator,
    ReportMaintenanceOperator,
    SupersedeAggregatesOperator,
    SweepTablesOperator,
)
from airflow_atscale_aggs.task_group import add_batch_build_tasks


def batch_build_dag(
    model: str,
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    aggs_conn_id: str = AggregatesHook.default_conn_name,
    models_folder: str | None = None,
    max_concurrent_builds: int = 1,
    build_type: str = "full",
    partitions: Mapping[str, str] | None = None,
    partition_period: str = "",
    tags: Sequence[str] = ("aggregates",),
    **dag_options: Any,
) -> DAG:
    """The DAG that builds all aggregates of a model: one visible, retryable, clearable task per aggregate.

    Its runs take ``build_type``, ``max_concurrent_builds`` and ``aggregates`` from a form, which offers the names of
    the aggregates once a batch was planned. There is one run at a time: runs that were asked for while one was under
    way become one further batch. An activation updates the asset
    ``aggregates_of_<model>`` and one asset per aggregate (`airflow_atscale_aggs.assets.activated`).

    Args:
        model: name or id of the model.
        dag_id: None: ``batch_build_<model>``.
        schedule: anything Airflow takes: an asset that the ETL emits, a cron expression, None.
        aggs_conn_id: connection of type ``atscale_aggs``.
        models_folder: a folder of SML to deploy at the beginning of every run.
        max_concurrent_builds: upper bound of aggregates built at the same time, and the form's default.
        build_type: ``full`` or ``incremental``; the form's default, and that of scheduled runs.
        partitions, partition_period: with a schedule of partitioned assets, what the partition keys of their events
            name; as of `PlanBatchBuildOperator`.
        dag_options: further arguments of the DAG.

    Returns:
        The DAG; assign it to a module-level name.

    Example:
        dag = batch_build_dag("retail", schedule=[Asset("retail_facts_loaded")], aggs_conn_id="retail_aggs")
    """
    options: dict[str, Any] = {"catchup": False, "max_active_runs": 1, "doc_md": f"Builds all aggregates of `{model}`."}
    dag_id = dag_id or f"batch_build_{model}"
    variable = choices_variable(dag_id)
    with DAG(
        dag_id,
        schedule=schedule,
        params=_params(max_concurrent_builds, build_type, read_choices(variable)),
        tags=list(tags),
        **{**options, **dag_options},
    ) as dag:
        add_batch_build_tasks(
            model,
            aggs_conn_id=aggs_conn_id,
            models_folder=models_folder,
            max_concurrent_builds=max_concurrent_builds,
            outlets=[aggregates_asset(model), aggregates_alias(model)],
            is_first=True,
            choices_variable=variable,
            partitions=partitions,
            partition_period=partition_period,
        )
    return dag


def maintenance_dag(
    model: str,
    *,
    dag_id: str | None = None,
    schedule: Any = "0 4 * * *",
    aggs_conn_id: str = AggregatesHook.default_conn_name,
    tags: Sequence[str] = ("aggregates",),
    **dag_options: Any,
) -> DAG:
    """The DAG that keeps a model's aggregates worth their place.

    Evaluate, recommend, supersede, prune, sweep, build, report.

    Its runs take ``dry_run`` from a form: then every step only tells what it would do. The setting
    ``aggregates.maintenance.autonomy`` says how much it may do on its own: ``suggest``, ``define``, ``define and
    build``.

    Args:
        model: name or id of the model.
        dag_id: None: ``maintain_<model>``.
        schedule: daily at 04:00 UTC, as the product's maintenance.
        aggs_conn_id: connection of type ``atscale_aggs``.
        dag_options: further arguments of the DAG.

    Returns:
        The DAG; assign it to a module-level name.
    """
    doc = f"Judges, recommends, supersedes, prunes and sweeps the aggregates of `{model}`."
    options: dict[str, Any] = {"catchup": False, "max_active_runs": 1, "doc_md": doc}
    common: dict[str, Any] = {"aggs_conn_id": aggs_conn_id, "retries": 2}
    with DAG(
        dag_id or f"maintain_{model}",
        schedule=schedule,
        params={"dry_run": Param(False, type="boolean", title="Dry run", description="Only tell what would be done.")},
        tags=list(tags),
        **{**options, **dag_options},
    ) as dag:
        steps = [
            EvaluateAggregatesOperator(task_id="evaluate", model=model, **common),
            RecommendAggregatesOperator(task_id="recommend", model=model, apply=None, **common),
            SupersedeAggregatesOperator(task_id="supersede", model=model, **common),
            PruneInstancesOperator(task_id="prune", model=model, **common),
            SweepTablesOperator(task_id="sweep", **common),
            BuildNewAggregatesOperator(task_id="build", model=model, **common),
        ]
        chain(*steps)
        names = [step.task_id for step in steps]
        report = ReportMaintenanceOperator(task_id="report", model=model, step_task_ids=names, **common)
        # A teardown runs after all steps, however they ended, and does not decide the run's state. As an ordinary leaf
        # it would make every run a success.
        steps >> report.as_teardown()
    return dag


def _param(default: Any, **options: Any) -> Param:
    """A parameter of a DAG. Each task checks its schema twice, which takes a third of the time by this older draft."""
    return Param(default, **{"$schema": "http://json-schema.org/draft-07/schema#", **options})


def _by_dataset(title: str, description: str, example: str) -> Param:
    """A parameter that gives something for each dataset."""
    shown = f'{description}: {{"store_sales": "{example}"}}.'
    return _param({}, type=["null", "object"], title=title, description=shown)


def _params(max_concurrent_builds: int, build_type: str, choices: Mapping[str, str]) -> dict[str, Param]:
    """The parameters that the form of a run shows.

    Args:
        choices: what people see of each aggregate, by its name; none: names are written as a text.
    """
    offered: dict[str, Any] = {"examples": list(choices), "values_display": dict(choices)} if choices else {}
    return {
        "build_type": _param(
            build_type,
            type="string",
            enum=["full", "incremental"],
            title="Build type",
            description="Everything anew, or what is new and what the grace periods reach, where the model allows it.",
        ),
        "max_concurrent_builds": _param(
            max_concurrent_builds,
            type="integer",
            minimum=1,
            maximum=max_concurrent_builds,
            title="Concurrent builds",
            description="How many aggregates are built at the same time in this run.",
        ),
        "grace_periods": _by_dataset("Grace periods", "Duration by dataset, instead of the model's", "2d"),
        "changed": _by_dataset(
            "Changed ranges",
            "Ranges of the indicator by dataset, which are made anew however old they are",
            "2026-01-03..2026-01-05",
        ),
        "aggregates": _param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            title="Aggregates",
            description="Those to build, for a repair. Empty: all."
            if choices
            else "Names of those to build, one per line, for a repair. Empty: all.",
            **offered,
        ),
    }
