"""Defined: the model's joins are compared with what the warehouse's columns really are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import Dataset, PhysicalTables, find_column_type, table_key
from airflow_atscale_aggs.engine.model.semantic_model import DimensionRelationship, Relationship, SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.sql.dialects import Dialect
from airflow_atscale_aggs.engine.sql.join_types import REFUSED_JOIN_REMEDY, JoinColumn, refused_join


@dataclass(frozen=True, slots=True)
class _Side:
    dataset: Dataset
    columns: tuple[str, ...]

    def told(self, physical: PhysicalTables) -> list[JoinColumn]:
        """The columns with their types, as far as the warehouse tells them."""
        key = table_key(self.dataset)
        found = {} if key is None else physical.get(key, {})
        return [
            JoinColumn(self.dataset.name, name, find_column_type(self.dataset, name, found)) for name in self.columns
        ]


def read_columns(workspace: Workspace, models: Sequence[SemanticModel], issues: IssueList) -> PhysicalTables:
    """Columns of the models' tables, in one round trip; a warehouse that cannot be asked is a warning."""
    datasets = [one for model in models for one in model.datasets.values()]
    keys = {key for key in map(table_key, datasets) if key is not None}
    if not keys:
        return {}
    try:
        with workspace.warehouse.session() as session:
            return session.columns(sorted(keys, key=str))
    except WarehouseError as error:
        message = f"the warehouse could not be asked for column types, so neither columns nor joins nor indicators were checked: {error}"
        issues.warning(models[0].where, "columns-not-checked", message)
        return {}


def tell_refused_joins(
    models: Iterable[SemanticModel], physical: PhysicalTables, dialect: Dialect, issues: IssueList
) -> None:
    """A warning for each relationship whose columns the warehouse refuses to compare; the rest of the model is usable.

    Nothing is said of what is not known: tables that are not there yet, calculated columns, queries, other types.
    """
    for model in models:
        for relationship, (ours, theirs) in _joins(model):
            # Both have as many columns, or deployment stops for it.
            reason = refused_join(zip(ours.told(physical), theirs.told(physical), strict=False), dialect)
            if reason:
                who = f"relationship `{relationship.name}`" if relationship.name else "a relationship without a name"
                message = f"{who}: {reason}; queries and aggregates that need it are refused. {REFUSED_JOIN_REMEDY}"
                issues.warning(relationship.where, "refused-join", message)


def _joins(model: SemanticModel) -> Iterator[tuple[Relationship | DimensionRelationship, tuple[_Side, _Side]]]:
    """Every relationship of the model and of its dimensions, with what it joins; those that lead nowhere are left out."""
    found: list[Relationship | DimensionRelationship] = [*model.relationships]
    for dimension in model.dimensions.values():
        found += dimension.relationships
    for one in found:
        reached, ours = model.dimensions.get(one.dimension), model.datasets.get(one.from_dataset)
        target = reached.attributes.get(one.level) if reached else None
        theirs = model.datasets.get(target.dataset) if target else None
        if ours is not None and target is not None and theirs is not None:
            yield one, (_Side(ours, one.from_columns), _Side(theirs, target.key_columns))
