"""Check the types of incremental indicators in the warehouse, and their grace periods.

Source: AtScale, "About Incremental Rebuilds": supported incremental indicator types.
"""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.indicator import parse_grace_period
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.sql.indicator_lookup import indicator_type, is_finer_than_kept, type_problem
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources


def check_indicators(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Errors for indicators of a type that cannot be one, and for grace periods that cannot be read.

    Where the type is unknown because the table does not exist yet, there is a warning. The next batch checks it again.
    """
    issues = IssueList()
    for model in checked.models:
        datasets = {name: dataset for name, dataset in model.datasets.items() if dataset.incremental is not None}
        sources = Sources(datasets, checked.physical, checked.dialect)
        for name, dataset in datasets.items():
            _check_grace(dataset, issues)
            if not checked.has_answer:
                continue
            try:
                source = sources[name]
            except DefinitionError as error:
                message = f"the incremental indicator of dataset `{name}` could not be checked: {error.explanation}"
                issues.warning(dataset.where, "indicator-not-checked", message)
                continue
            _check_type(source, issues)
    return issues.all()


def _check_grace(dataset: Dataset, issues: IssueList) -> None:
    written = dataset.incremental.grace_period if dataset.incremental else ""
    if parse_grace_period(written) is None:
        message = (
            f"the grace period `{written}` of dataset `{dataset.name}` is not of the form 12h; write a whole number "
            "and one "
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
            f"the incremental indicator `{column}` of dataset `{dataset.name}` has digits beyond microseconds, which "
            "are not "
            "kept; bounds are rounded up to whole microseconds"
        )
        issues.warning(dataset.where, "indicator-precision", message)
