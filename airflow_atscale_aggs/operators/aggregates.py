"""All operators, to import from one place.

    plan ──▶ build [one task instance per aggregate] ──▶ activate   decides the run's state, all or nothing
                                                     └─▶ report     always

Only ids travel through XCom. The batch belongs to the DAG run: whoever asks with the same run gets the same batch, so
every task can be retried or cleared.
"""

from __future__ import annotations

from airflow_atscale_aggs.operators.advising import RecommendAggregatesOperator
from airflow_atscale_aggs.operators.asking import AggregateAwareSQLOperator
from airflow_atscale_aggs.operators.building import BuildAggregateOperator
from airflow_atscale_aggs.operators.deploying import DeployModelOperator
from airflow_atscale_aggs.operators.finishing import ActivateBatchOperator, ReportBatchOperator
from airflow_atscale_aggs.operators.keeping import (
    BuildNewAggregatesOperator,
    EvaluateAggregatesOperator,
    PruneInstancesOperator,
    ReportMaintenanceOperator,
    SupersedeAggregatesOperator,
    SweepTablesOperator,
)
from airflow_atscale_aggs.operators.planning import PlanBatchBuildOperator
from airflow_atscale_aggs.operators.transferring import (
    ExportAggregateDefinitionsOperator,
    ImportAggregateDefinitionsOperator,
)
from airflow_atscale_aggs.operators.triggering import TriggerBatchBuildOperator

__all__ = [
    "ActivateBatchOperator",
    "AggregateAwareSQLOperator",
    "BuildAggregateOperator",
    "BuildNewAggregatesOperator",
    "DeployModelOperator",
    "EvaluateAggregatesOperator",
    "ExportAggregateDefinitionsOperator",
    "ImportAggregateDefinitionsOperator",
    "PlanBatchBuildOperator",
    "PruneInstancesOperator",
    "RecommendAggregatesOperator",
    "ReportBatchOperator",
    "ReportMaintenanceOperator",
    "SupersedeAggregatesOperator",
    "SweepTablesOperator",
    "TriggerBatchBuildOperator",
]
