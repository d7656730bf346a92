"""Check for parts of a model that queries or builds will refuse by name, or that have no effect in this version.

All issues are warnings: the rest of the model is usable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, table_key
from airflow_atscale_aggs.engine.model.row_security import why_not_applied
from airflow_atscale_aggs.engine.model.semantic_model import Attribute, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.sql.column_types import explain_unmeasurable, has_more_digits


def check_columns(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Warnings for columns that are not there, metrics that cannot be measured, and keys with too many digits."""
    issues = IssueList()
    for model in checked.models:
        for use in _column_uses(model):
            dataset = model.datasets.get(use.dataset)
            if dataset is None:
                continue
            kind, missing = _look_up(dataset, use.column, checked.physical)
            if missing:
                column = f"column `{use.column}` of dataset `{dataset.name}`"
                message = f"{use.who} uses {column}, {missing}; what needs it is refused"
                issues.warning(use.where, "missing-column", message)
            reason = explain_unmeasurable(use.method, kind, checked.dialect.unmeasured)
            if reason:
                message = (
                    f"{use.who} measures column `{use.column}` of dataset `{dataset.name}`, but {reason}; it is refused"
                )
                issues.warning(use.where, "not-measurable", message)
            if not use.method and has_more_digits(kind, checked.dialect.timestamp_digits):
                message = (
                    f"{use.who} uses column `{use.column}` of dataset `{dataset.name}`, a {kind}, of which "
                    f"{checked.dialect.timestamp_digits} digits of a second reach whoever reads: aggregates keep all, "
                    "and answers show no more, so that different members may look the same"
                )
                issues.warning(use.where, "key-precision", message)
    return issues.all()


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _ColumnUse:
    """A column that a part of a model uses. ``method`` is the calculation method of a metric, else empty."""

    who: str
    dataset: str
    column: str
    where: str
    method: str = ""


def _column_uses(model: SemanticModel) -> Iterator[_ColumnUse]:
    for metric in model.metrics.values():
        who = f"metric `{metric.name}`"
        yield _ColumnUse(who, metric.dataset, metric.column, metric.where, metric.calculation_method)
    for dimension in model.dimensions.values():
        for attribute in dimension.attributes.values():
            yield from _uses_of_attribute(attribute)
        for edge in dimension.relationships:
            who = f"relationship `{edge.name}`" if edge.name else f"a relationship of dimension `{dimension.name}`"
            for column in edge.from_columns:
                yield _ColumnUse(who, edge.from_dataset, column, edge.where)
    yield from _uses_of_security(model)
    for relationship in model.relationships:
        for column in relationship.from_columns:
            yield _ColumnUse(
                f"relationship `{relationship.name}`", relationship.from_dataset, column, relationship.where
            )


def _uses_of_security(model: SemanticModel) -> Iterator[_ColumnUse]:
    for security in model.row_securities.values():
        for column in (security.filter_key_column, security.ids_column):
            yield _ColumnUse(f"row security `{security.name}`", security.dataset, column, security.where)
    for link in model.security_links:
        yield _ColumnUse(f"relationship `{link.name}`", link.dataset, link.column, link.where)


def _uses_of_attribute(attribute: Attribute) -> Iterator[_ColumnUse]:
    who = f"attribute `{attribute.name}`"
    if attribute.dataset:
        for column in dict.fromkeys((*attribute.key_columns, attribute.name_column)):
            yield _ColumnUse(who, attribute.dataset, column, attribute.where)
    for shared in attribute.shared:
        for column in dict.fromkeys((*shared.key_columns, shared.name_column)):
            yield _ColumnUse(who, shared.dataset, column, attribute.where)


def _look_up(dataset: Dataset, name: str, physical: PhysicalTables) -> tuple[str, str]:
    """(type in lower case, why it is missing) of a column; both are empty where nothing is known of it."""
    declared = dataset.columns.get(name) or _without_case(name, dataset.columns)
    kind = (declared.data_type or "").casefold() if declared else ""
    if declared is not None and (declared.variants or declared.parent_column):
        return kind, ""
    key = table_key(dataset)
    columns = physical.get(key) if key is not None else None
    if columns is None:
        is_listed = declared is not None or not dataset.columns
        return kind, "" if is_listed else "which its column list does not have"
    physical_type = columns.get(name) or _without_case(name, columns)
    if physical_type is None:
        return kind, f"which table `{'.'.join(part for part in key or () if part)}` does not have"
    return physical_type.casefold(), ""


def _without_case(name: str, values: Mapping[str, _Value]) -> _Value | None:
    """The value of a name that is spelled the same but for its case; None when there is none."""
    folded = name.casefold()
    return next((value for key, value in values.items() if key.casefold() == folded), None)


def check_long_names(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Warnings for names that a warehouse takes for the same, because it cuts long names off."""
    issues = IssueList()
    for model in checked.models:
        places = {metric.name: metric.where for metric in model.metrics.values()}
        places |= {calculation.name: calculation.where for calculation in model.calculations.values()}
        for dimension in model.dimensions.values():
            places |= {attribute.name: attribute.where for attribute in dimension.attributes.values()}
        first: dict[bytes, str] = {}
        for name, where in places.items():
            shown = model.query_names.get(name, name).encode()
            if len(shown) <= checked.dialect.max_identifier:
                continue
            other = first.setdefault(shown[: checked.dialect.max_identifier], name)
            if other != name:
                message = (
                    f"`{name}` and `{other}` share their first {checked.dialect.max_identifier} bytes, of which "
                    f"{checked.dialect.name} keeps no "
                    "more: give one of them another name by `overrides`, or an alias in every query"
                )
                issues.warning(where, "long-names", message)
    return issues.all()


def check_support(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Warnings for what SML says and this version does not do, where it would change an answer."""
    issues = IssueList()
    for model in checked.models:
        for metric in model.metrics.values():
            semi_additive = metric.semi_additive
            if semi_additive is None or (
                semi_additive.position in {"first", "last"} and len(semi_additive.relationships) == 1
            ):
                continue
            message = (
                f"metric `{metric.name}` is semi-additive by `{semi_additive.position}` of "
                f"{len(semi_additive.relationships)} relationships; only the first or last "
                "member along one relationship is answered, so queries that name it are refused"
            )
            issues.warning(metric.where, "not-honoured", message)
        for group in model.calculation_groups:
            names = ", ".join(f"`{member}`" for member in group.members)
            message = (
                f"calculation group `{group.name}` of dimension `{group.dimension}` is not applied; queries that name "
                "it or "
                f"its members ({names}) are refused"
            )
            issues.warning(group.where, "calculation-group", message)
        for security, reason in why_not_applied(model):
            message = f"row security `{security.name}` is not applied: {reason}; queries on `{model.name}` are refused"
            issues.warning(security.where, "row-security", message)
        for dimension in model.dimensions.values():
            for hierarchy in dimension.hierarchies:
                if hierarchy.filter_empty not in {"yes", "no", "always"}:
                    message = (
                        f"`filter_empty` of hierarchy `{hierarchy.name}` is `{hierarchy.filter_empty}`, "
                        "none of `yes`, `no`, `always`; it is taken for `yes`"
                    )
                    issues.warning(dimension.where, "unknown-value", message)
    return issues.all()
