"""Writes a definition as an entry of ``aggregates:`` in the SML of its model, for people to paste there.

    - unique_name: by_sold_year
      label: Revenue by sold year
      attributes:
        - name: Year
          dimension: Date
          relationships_path: [sold_date]
      metrics:
        - Revenue

Source: SML reference, ``aggregates``. `user_defined` reads it back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import yaml

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

_LONGEST_PATH = 8
"""Relationships of a path: dimensions may embed each other in a circle, each time in another role."""


def sml_entry(definition: AggregateDefinition, model: SemanticModel) -> str:
    """The definition as YAML, one item of a list.

    Empty where no entry means the same: SML takes an aggregate without metrics for one of a dimension's members, and a
    role that no path of relationships leads to cannot be said.
    """
    attributes = []
    for bound in definition.parts[0].attributes:
        entry = _attribute_entry(bound.attribute, model)
        if entry is None:
            return ""
        attributes.append(entry)
    if not definition.metrics:
        return ""
    aggregate: dict[str, object] = {"unique_name": definition.name, "label": definition.label or definition.name}
    if attributes:
        aggregate["attributes"] = attributes
    aggregate["metrics"] = list(definition.metrics)
    return str(yaml.safe_dump([aggregate], sort_keys=False, allow_unicode=True, width=120))


def _attribute_entry(attribute: GrainAttribute, model: SemanticModel) -> Mapping[str, object] | None:
    role = attribute.role
    entry: dict[str, object] = {"name": attribute.name, "dimension": role.dimension}
    if role != Role(role.dimension):
        path = _path_to(role, model)
        if path is None:
            return None
        entry["relationships_path"] = list(path)
    return entry


def _path_to(role: Role, model: SemanticModel) -> tuple[str, ...] | None:
    """The shortest path of relationships from a fact that leads to a role; None where none does."""
    waiting: deque[tuple[Role, tuple[str, ...]]] = deque(
        (Role(relationship.dimension, relationship.template), (relationship.name,))
        for relationship in model.relationships
    )
    seen: set[Role] = set()
    while waiting:
        reached, path = waiting.popleft()
        if reached == role:
            return path
        dimension = model.dimensions.get(reached.dimension)
        if dimension is not None and reached not in seen and len(path) < _LONGEST_PATH:
            seen.add(reached)
            waiting.extend(
                (reached.embed(edge.dimension, edge.template), (*path, edge.name)) for edge in dimension.relationships
            )
    return None
