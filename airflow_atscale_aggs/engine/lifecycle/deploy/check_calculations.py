"""Check default members, empty members and calculations: can they be said in SQL?

This module needs an SQL library. Models without any of these do not import it.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, find_column_type, table_key
from airflow_atscale_aggs.engine.model.semantic_model import DefaultMember, Dimension, Hierarchy, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import find_untranslatable
from airflow_atscale_aggs.engine.rewriting.split.member_rules import read_default
from airflow_atscale_aggs.engine.sql.empty_members import mismatch, typed_literal


def check_default_members(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """A warning for each default member that cannot be read, or whose value does not fit its column."""
    issues = IssueList()
    for model in checked.models:
        for dimension in model.dimensions.values():
            for hierarchy in dimension.hierarchies:
                if hierarchy.default_member is None:
                    continue
                for message in _default_problems(
                    model, dimension, hierarchy, hierarchy.default_member, checked.physical
                ):
                    issues.warning(hierarchy.default_member.where, "default-member", message)
    return issues.all()


def _default_problems(
    model: SemanticModel, dimension: Dimension, hierarchy: Hierarchy, member: DefaultMember, physical: PhysicalTables
) -> Iterator[str]:
    """What is wrong with one default member, one sentence each."""
    try:
        name, tests = read_default(dimension, hierarchy, member)
    except UnsupportedQueryError as error:
        yield f"{error.reason}; queries that name no level of it are refused"
        return
    attribute = dimension.attributes[name]
    dataset = model.datasets.get(attribute.dataset)
    for column, text in tests:
        kind = _type_of(dataset, column or attribute.name_column, physical) if dataset is not None else ""
        if kind and typed_literal(text, kind) is None:
            yield (
                f"the default member of hierarchy `{hierarchy.name}` is `{text}`, which is no value of column "
                f"`{column or attribute.name_column}` ({kind}); queries that name no level of it fail"
            )


def check_empty_members(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """A warning for each empty member whose name does not fit the type of its column."""
    issues = IssueList()
    for model in checked.models:
        paths = checked.paths_of(model)
        attributes = {
            bound.attribute.name: bound for fact in model.fact_datasets for bound in paths.attributes_of(fact).values()
        }
        for bound in attributes.values():
            dataset = model.datasets.get(bound.dataset)
            if bound.empty is None or bound.empty.name is None or dataset is None:
                continue
            kind = _type_of(dataset, bound.name_column, checked.physical)
            if typed_literal(bound.empty.name, kind) is None:
                reason, remedy = mismatch(bound, bound.empty.name, bound.name_column, kind)
                where = model.dimensions[bound.attribute.role.dimension].attributes[bound.attribute.name].where
                message = f"{reason}; queries that use the attribute are refused. {remedy}"
                issues.warning(where, "empty-member-type", message)
    return issues.all()


def _type_of(dataset: Dataset, column: str, physical: PhysicalTables) -> str:
    """The type of a column in lower case; empty when it is unknown."""
    key = table_key(dataset)
    declared = dataset.columns.get(column)
    physical_type = find_column_type(dataset, column, physical.get(key, {}) if key is not None else {})
    return (physical_type or (declared.data_type if declared else "") or "").casefold()


def check_calculations(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """A warning for each calculation that cannot be translated to SQL. Its base metrics can still be asked."""
    issues = IssueList()
    for model in (model for model in checked.models if model.calculations):
        for calculation, reason in find_untranslatable(model, SurfaceNames(model, checked.paths_of(model))):
            message = f"calculation `{calculation.name}` will not be answered: {reason}; its base metrics will"
            issues.warning(calculation.where, "untranslated-calculation", message)
    return issues.all()
