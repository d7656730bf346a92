"""Estimates the bytes of an aggregate before its table is built: its rows times the bytes of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWidths:
    """Bytes of the columns of aggregates of one fact.

    Attributes:
        attributes: what an attribute's stored columns take.
        measure: what a stored measure takes.
        row: what the warehouse adds to each row.
    """

    attributes: Mapping[GrainAttribute, float] = field(default_factory=dict)
    measure: float = 8.0
    row: float = 0.0

    def of(self, attributes: Iterable[GrainAttribute], measures: int) -> float:
        """Bytes of one row."""
        return self.row + sum(self.attributes.get(attribute, 0.0) for attribute in attributes) + self.measure * measures

    def of_part(self, part: FactPart) -> float:
        """Bytes of one row of a stored part."""
        return self.of((bound.attribute for bound in part.attributes), len(part.measures))
