"""All operators, to import from one place.

    plan ──▶ build [one task instance per aggregate] ──▶ activate ──▶ report

``activate`` decides the run's state, all or nothing; ``report`` runs always.

Only ids travel through XCom. The batch belongs to the DAG run: whoever asks with the same run gets the same batch, so
every task can be retried or cleared.
"""

from __future__ import annotations

from airflow_atscale_aggs.operators.aggregate_aware_sql import AggregateAwareSQLOperator
from airflow_atscale_aggs.operators.aggregate_build import BuildAggregateOperator
from airflow_atscale_aggs.operators.batch_begin import PlanBatchBuildOperator
from airflow_atscale_aggs.operators.batch_end import ActivateBatchOperator, ReportBatchOperator
from airflow_atscale_aggs.operators.batch_trigger import TriggerBatchBuildOperator
from airflow_atscale_aggs.operators.definition_transfer import (
    ExportAggregateDefinitionsOperator,
    ImportAggregateDefinitionsOperator,
)
from airflow_atscale_aggs.operators.freshness_check import CheckFreshnessOperator
from airflow_atscale_aggs.operators.maintenance import (
    BuildNewAggregatesOperator,
    EvaluateAggregatesOperator,
    PruneInstancesOperator,
    ReportMaintenanceOperator,
    SupersedeAggregatesOperator,
    SweepTablesOperator,
)
from airflow_atscale_aggs.operators.model_deployment import DeployModelOperator
from airflow_atscale_aggs.operators.recommendation import RecommendAggregatesOperator

__all__ = [
    "ActivateBatchOperator",
    "AggregateAwareSQLOperator",
    "BuildAggregateOperator",
    "BuildNewAggregatesOperator",
    "CheckFreshnessOperator",
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
