"""Check that the warehouse can compare the columns on which the model joins."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, find_column_type, table_key
from airflow_atscale_aggs.engine.model.semantic_model import DimensionRelationship, Relationship, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.sql.join_types import REFUSED_JOIN_REMEDY, JoinColumn, refused_join


@dataclass(frozen=True, slots=True)
class _Side:
    dataset: Dataset
    columns: tuple[str, ...]

    def join_columns(self, physical: PhysicalTables) -> list[JoinColumn]:
        """The columns with their types, as far as the warehouse tells them."""
        key = table_key(self.dataset)
        columns = {} if key is None else physical.get(key, {})
        return [
            JoinColumn(self.dataset.name, column, find_column_type(self.dataset, column, columns))
            for column in self.columns
        ]


def check_joins(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """A warning for each relationship whose columns the warehouse refuses to compare. The rest of the model is usable.

    Columns of an unknown type get no warning: those of tables that do not exist yet, and calculated ones.
    """
    issues = IssueList()
    for model in checked.models:
        for relationship, (ours, theirs) in _find_joins(model):
            # Both have as many columns, or deployment stops for it.
            pairs = zip(ours.join_columns(checked.physical), theirs.join_columns(checked.physical), strict=False)
            reason = refused_join(pairs, checked.dialect)
            if reason:
                who = f"relationship `{relationship.name}`" if relationship.name else "a relationship without a name"
                message = f"{who}: {reason}; queries and aggregates that need it are refused. {REFUSED_JOIN_REMEDY}"
                issues.warning(relationship.where, "refused-join", message)
    return issues.all()


def _find_joins(model: SemanticModel) -> Iterator[tuple[Relationship | DimensionRelationship, tuple[_Side, _Side]]]:
    """Every relationship of the model and of its dimensions with its two sides.

    Relationships without a target are left out.
    """
    relationships: list[Relationship | DimensionRelationship] = [*model.relationships]
    for dimension in model.dimensions.values():
        relationships += dimension.relationships
    for relationship in relationships:
        target_dimension = model.dimensions.get(relationship.dimension)
        target = target_dimension.attributes.get(relationship.level) if target_dimension else None
        ours, theirs = (
            model.datasets.get(relationship.from_dataset),
            model.datasets.get(target.dataset) if target else None,
        )
        if ours is not None and target is not None and theirs is not None:
            yield relationship, (_Side(ours, relationship.from_columns), _Side(theirs, target.key_columns))
