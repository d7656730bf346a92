"""Check a folder that is about to be deployed: all checks, in one tuple.

Checks that need an SQL library import it only when a model has something for them to check, so that other deployments
need not wait for the import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import Check, CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.check_joins import check_joins
from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import (
    check_columns,
    check_long_names,
    check_support,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.check_tables import LookedIn, check_tables, look_for_tables
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import PhysicalTables, table_key
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue


def _check_number(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """An error for a folder without a model to deploy."""
    issues = IssueList()
    if not checked.names:
        issues.error(checked.folder.folder, "no-model", "the folder holds no model to deploy")
    return issues.all()


def _check_members(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Warnings for default and empty members, where a model has any."""
    if not any(map(_has_member_rules, checked.models)):
        return ()
    from airflow_atscale_aggs.engine.lifecycle.deploy.check_calculations import (  # noqa: PLC0415
        check_default_members,
        check_empty_members,
    )

    return (*check_default_members(checked), *check_empty_members(checked))


def _check_calculations(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Warnings for calculations without a translation, where a model has calculations."""
    if not any(model.calculations for model in checked.models):
        return ()
    from airflow_atscale_aggs.engine.lifecycle.deploy.check_calculations import check_calculations  # noqa: PLC0415

    return check_calculations(checked)


def _check_indicators(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Errors and warnings for incremental indicators, where a dataset has one."""
    datasets = (dataset for model in checked.models for dataset in model.datasets.values())
    if all(dataset.incremental is None for dataset in datasets):
        return ()
    from airflow_atscale_aggs.engine.lifecycle.deploy.check_indicators import check_indicators  # noqa: PLC0415

    return check_indicators(checked)


CHECKS: tuple[Check, ...] = (
    _check_number,
    check_settings,
    check_tables,
    check_joins,
    check_columns,
    check_long_names,
    check_support,
    _check_calculations,
    _check_members,
    _check_indicators,
)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The issues that all checks return, and where the tables of the models were looked for."""

    issues: tuple[ModelIssue, ...]
    looked_in: LookedIn


def run_checks(
    workspace: Workspace,
    folder: ModelFolder,
    names: Sequence[str],
    models: Sequence[SemanticModel],
    known_paths: Mapping[str, JoinPaths] = MappingProxyType({}),
) -> CheckReport:
    """Run all checks.

    Args:
        names: of all models of the folder.
        models: those that are deployed.
        known_paths: of models by name, where they were followed already.
    """
    seen, issues = _look_at_warehouse(workspace, models)
    checked = CheckInput(
        folder=folder,
        names=names,
        models=models,
        physical=seen.physical,
        dialect=workspace.warehouse.dialect,
        has_answer=not issues,
        place=seen.place,
        known_paths=known_paths,
    )
    found = (*issues, *(issue for check in CHECKS for issue in check(checked)))
    return CheckReport(found, look_for_tables(checked))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the warehouse has told: columns of the models' tables, and its own database and schema."""

    physical: PhysicalTables
    place: tuple[str, str] = ("", "")


def _look_at_warehouse(workspace: Workspace, models: Sequence[SemanticModel]) -> tuple[_Seen, tuple[ModelIssue, ...]]:
    """Columns of the models' tables, in one round trip; a warning when the warehouse does not answer."""
    datasets = [dataset for model in models for dataset in model.datasets.values()]
    keys = {key for key in map(table_key, datasets) if key is not None}
    if not keys:
        return _Seen({}), ()
    try:
        with workspace.warehouse.session() as session:
            return _Seen(session.columns(sorted(keys, key=str)), session.own_place()), ()
    except WarehouseError as error:
        issues = IssueList()
        message = (
            "the warehouse could not be asked for column types, "
            f"so neither columns nor joins nor indicators were checked: {error}"
        )
        issues.warning(models[0].where, "columns-not-checked", message)
        return _Seen({}), issues.all()


def _has_member_rules(model: SemanticModel) -> bool:
    """Whether a model has default or empty members."""
    return any(
        any(hierarchy.default_member is not None for hierarchy in dimension.hierarchies)
        or any(attribute.empty is not None for attribute in dimension.attributes.values())
        for dimension in model.dimensions.values()
    )
