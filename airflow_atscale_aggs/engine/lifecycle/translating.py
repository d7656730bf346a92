"""Defined: what deploy says about calculated metrics that no query will be answered for."""

from __future__ import annotations

from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.rewriting.calculations import untranslated
from airflow_atscale_aggs.engine.rewriting.names import SurfaceNames


def tell_untranslated(model: SemanticModel, paths: JoinPaths, issues: IssueList) -> None:
    """A warning for each, where it is written; nothing else is kept from anybody."""
    for calculation, reason in untranslated(model, SurfaceNames(model, paths)):
        message = f"calculation `{calculation.name}` will not be answered: {reason}; its base metrics will"
        issues.warning(calculation.where, "untranslated-calculation", message)
