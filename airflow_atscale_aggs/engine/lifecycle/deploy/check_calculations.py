"""Defined: what deploy says about what is written in a model and cannot be said in SQL.

Needs an SQL library, which models without any of it need not wait for.
"""

from __future__ import annotations

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, find_column_type, table_key
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import find_untranslatable
from airflow_atscale_aggs.engine.rewriting.split.member_rules import read_default
from airflow_atscale_aggs.engine.sql.empty_members import mismatch, typed_literal


def tell_members(model: SemanticModel, paths: JoinPaths, physical: PhysicalTables, issues: IssueList) -> None:
    """A warning for each default member that is not read and each empty member of another type than its column."""
    for dimension in model.dimensions.values():
        for hierarchy in dimension.hierarchies:
            if hierarchy.default_member is None:
                continue
            try:
                name, tests = read_default(dimension, hierarchy, hierarchy.default_member)
            except UnsupportedQueryError as error:
                message = f"{error.reason}; queries that name no level of it are refused"
                issues.warning(hierarchy.default_member.where, "default-member", message)
                continue
            attribute = dimension.attributes[name]
            dataset = model.datasets.get(attribute.dataset)
            for column, text in tests:
                kind = _type_of(dataset, column or attribute.name_column, physical) if dataset is not None else ""
                if kind and typed_literal(text, kind) is None:
                    message = (
                        f"the default member of hierarchy `{hierarchy.name}` is `{text}`, which is no value of column "
                        f"`{column or attribute.name_column}` ({kind}); queries that name no level of it fail"
                    )
                    issues.warning(hierarchy.default_member.where, "default-member", message)
    found = {
        bound.attribute.name: bound for fact in model.fact_datasets for bound in paths.attributes_of(fact).values()
    }
    for bound in found.values():
        dataset = model.datasets.get(bound.dataset)
        if bound.empty is None or dataset is None:
            continue
        kind = _type_of(dataset, bound.name_column, physical)
        if typed_literal(bound.empty.name, kind) is None:
            reason, remedy = mismatch(bound, bound.empty.name, bound.name_column, kind)
            where = model.dimensions[bound.attribute.role.dimension].attributes[bound.attribute.name].where
            issues.warning(
                where, "empty-member-type", f"{reason}; queries that use the attribute are refused. {remedy}"
            )


def _type_of(dataset: Dataset, column: str, physical: PhysicalTables) -> str:
    """In lower case; empty when nobody tells."""
    key = table_key(dataset)
    declared = dataset.columns.get(column)
    told = find_column_type(dataset, column, physical.get(key, {}) if key is not None else {})
    return (told or (declared.data_type if declared else "") or "").casefold()


def tell_untranslated(model: SemanticModel, paths: JoinPaths, issues: IssueList) -> None:
    """A warning for each, where it is written; nothing else is kept from anybody."""
    for calculation, reason in find_untranslatable(model, SurfaceNames(model, paths)):
        message = f"calculation `{calculation.name}` will not be answered: {reason}; its base metrics will"
        issues.warning(calculation.where, "untranslated-calculation", message)
