"""Defined: what deploy says about a model that queries or builds will refuse by name, or that has no effect here.

Warnings stop nothing: the rest of the model is usable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, table_key
from airflow_atscale_aggs.engine.model.semantic_model import Attribute, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.sql.column_types import explain_unmeasurable
from airflow_atscale_aggs.engine.sql.dialects import Dialect


def tell_unusable(
    models: Iterable[SemanticModel], physical: PhysicalTables, dialect: Dialect, issues: IssueList
) -> None:
    """Columns that are not there, measures that no warehouse has, names that the warehouse takes for one."""
    for model in models:
        for wanted in _wanted(model):
            dataset = model.datasets.get(wanted.dataset)
            if dataset is None:
                continue
            kind, missing = _looked_up(dataset, wanted.column, physical)
            if missing:
                message = f"{wanted.who} uses column `{wanted.column}` of dataset `{dataset.name}`, {missing}; what needs it is refused"
                issues.warning(wanted.where, "missing-column", message)
            reason = explain_unmeasurable(wanted.method, kind, dialect.unmeasured)
            if reason:
                message = f"{wanted.who} measures column `{wanted.column}` of dataset `{dataset.name}`, but {reason}; it is refused"
                issues.warning(wanted.where, "not-measurable", message)
        _tell_long_names(model, dialect, issues)


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A column that something of a model needs; ``method`` is that of a metric."""

    who: str
    dataset: str
    column: str
    where: str
    method: str = ""


def _wanted(model: SemanticModel) -> Iterator[_Wanted]:
    for metric in model.metrics.values():
        who = f"metric `{metric.name}`"
        yield _Wanted(who, metric.dataset, metric.column, metric.where, metric.calculation_method)
    for dimension in model.dimensions.values():
        for attribute in dimension.attributes.values():
            yield from _of_attribute(attribute)
        for edge in dimension.relationships:
            who = f"relationship `{edge.name}`" if edge.name else f"a relationship of dimension `{dimension.name}`"
            for column in edge.from_columns:
                yield _Wanted(who, edge.from_dataset, column, edge.where)
    for relationship in model.relationships:
        for column in relationship.from_columns:
            yield _Wanted(f"relationship `{relationship.name}`", relationship.from_dataset, column, relationship.where)


def _of_attribute(attribute: Attribute) -> Iterator[_Wanted]:
    who = f"attribute `{attribute.name}`"
    if attribute.dataset:
        for column in dict.fromkeys((*attribute.key_columns, attribute.name_column)):
            yield _Wanted(who, attribute.dataset, column, attribute.where)
    for shared in attribute.shared:
        for column in dict.fromkeys((*shared.key_columns, shared.name_column)):
            yield _Wanted(who, shared.dataset, column, attribute.where)


def _looked_up(dataset: Dataset, name: str, physical: PhysicalTables) -> tuple[str, str]:
    """(type in lower case, why it is missing) of a column; both empty where nobody tells."""
    declared = dataset.columns.get(name) or _without_case(name, dataset.columns)
    kind = (declared.data_type or "").casefold() if declared else ""
    if declared is not None and (declared.variants or declared.parent_column):
        return kind, ""
    key = table_key(dataset)
    columns = physical.get(key) if key is not None else None
    if columns is None:
        is_listed = declared is not None or not dataset.columns
        return kind, "" if is_listed else "which its column list does not have"
    told = columns.get(name) or _without_case(name, columns)
    if told is None:
        return kind, f"which table `{'.'.join(part for part in key or () if part)}` does not have"
    return told.casefold(), ""


def _without_case(name: str, values: Mapping[str, _Value]) -> _Value | None:
    folded = name.casefold()
    return next((value for known, value in values.items() if known.casefold() == folded), None)


def _tell_long_names(model: SemanticModel, dialect: Dialect, issues: IssueList) -> None:
    """Names that are one to a warehouse which cuts them."""
    places = {metric.name: metric.where for metric in model.metrics.values()}
    places |= {calculation.name: calculation.where for calculation in model.calculations.values()}
    for dimension in model.dimensions.values():
        places |= {attribute.name: attribute.where for attribute in dimension.attributes.values()}
    first: dict[bytes, str] = {}
    for name, where in places.items():
        shown = model.query_names.get(name, name).encode()
        if len(shown) <= dialect.max_identifier:
            continue
        other = first.setdefault(shown[: dialect.max_identifier], name)
        if other != name:
            message = (
                f"`{name}` and `{other}` share their first {dialect.max_identifier} bytes, of which {dialect.name} keeps no "
                "more: give one of them another name by `overrides`, or an alias in every query"
            )
            issues.warning(where, "long-names", message)


def tell_not_honoured(models: Iterable[SemanticModel], issues: IssueList) -> None:
    """What SML says and this version does not do, where it would change an answer."""
    for model in models:
        for metric in model.metrics.values():
            said = metric.semi_additive
            if said is None or (said.position in {"first", "last"} and len(said.relationships) == 1):
                continue
            message = (
                f"metric `{metric.name}` is semi-additive by `{said.position}` of {len(said.relationships)} relationships; only the first or last "
                "member along one relationship is answered, so queries that name it are refused"
            )
            issues.warning(metric.where, "not-honoured", message)
        for group in model.calculation_groups:
            names = ", ".join(f"`{name}`" for name in group.members)
            message = (
                f"calculation group `{group.name}` of dimension `{group.dimension}` is not applied; queries that name it or "
                f"its members ({names}) are refused"
            )
            issues.warning(group.where, "calculation-group", message)
        for dimension in model.dimensions.values():
            for hierarchy in dimension.hierarchies:
                if hierarchy.filter_empty not in {"yes", "no", "always"}:
                    message = f"`filter_empty` of hierarchy `{hierarchy.name}` is `{hierarchy.filter_empty}`, none of `yes`, `no`, `always`; it is taken for `yes`"
                    issues.warning(dimension.where, "unknown-value", message)


def has_member_rules(model: SemanticModel) -> bool:
    """Whether a model has default or empty members."""
    return any(
        any(hierarchy.default_member is not None for hierarchy in dimension.hierarchies)
        or any(attribute.empty is not None for attribute in dimension.attributes.values())
        for dimension in model.dimensions.values()
    )
