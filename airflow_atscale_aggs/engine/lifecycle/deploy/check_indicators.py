"""Defined: incremental indicators are compared with what the warehouse's columns really are.

Source: AtScale, "About Incremental Rebuilds": supported incremental indicator types.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.aggregates.indicator import parse_grace_period
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.sql.dialects import Dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import indicator_type, is_finer_than_kept, type_problem
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources


def check_indicators(
    datasets: Mapping[str, Dataset], physical: PhysicalTables, dialect: Dialect, issues: IssueList
) -> None:
    """Note indicators of a type that cannot be one, and grace periods that are none, as errors.

    What cannot be told, because the table is not there yet or could not be asked for, is a warning: a batch looks again.

    Args:
        datasets: those with an indicator, by name.
    """
    sources = Sources(datasets, physical, dialect)
    for name, dataset in datasets.items():
        _check_grace(dataset, issues)
        try:
            source = sources[name]
        except DefinitionError as error:
            message = f"the incremental indicator of dataset `{name}` could not be checked: {error.explanation}"
            issues.warning(dataset.where, "indicator-not-checked", message)
            continue
        _check_type(source, issues)


def _check_grace(dataset: Dataset, issues: IssueList) -> None:
    written = dataset.incremental.grace_period if dataset.incremental else ""
    if parse_grace_period(written) is None:
        message = (
            f"the grace period `{written}` of dataset `{dataset.name}` is not of the form 12h; write a whole number and one "
            "of s, m, h, d, w, or a bare number in the unit of the indicator"
        )
        issues.error(dataset.where, "grace-period", message)


def _check_type(source: DatasetSource, issues: IssueList) -> None:
    dataset = source.dataset
    column = dataset.incremental.column if dataset.incremental else ""
    problem = type_problem(source, column)
    if problem:
        issues.error(dataset.where, "indicator-type", problem)
    elif is_finer_than_kept(indicator_type(source, column)):
        message = (
            f"the incremental indicator `{column}` of dataset `{dataset.name}` has digits beyond microseconds, which are not "
            "kept; bounds are rounded up to whole microseconds"
        )
        issues.warning(dataset.where, "indicator-precision", message)
