"""Decides from how many rows on another aggregate is a dearer source than the facts.

An aggregate with nearly as many rows as its facts saves no rows, and what derives from it groups by names what facts
are grouped by codes of. See `planning/root_forms.py` for codes, and decision 55 for what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from airflow_atscale_aggs.engine.aggregates.build_step import RowsBetween
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import AttributeOrigin, Derivation
from airflow_atscale_aggs.engine.model.paths import JoinStep
from airflow_atscale_aggs.engine.sql.mark_queries import columns_of_datasets
from airflow_atscale_aggs.engine.sql.sources import Sources

LEAST_SHARE = 0.9
"""Of the rows of the facts, which a source must have at least to be the dearer one."""

_GREATEST_SHARE = 1.05
"""A source has no more rows than its facts; the catalog's estimate may be a little less than they have."""


def dearer_rows(
    part: FactPart, way: Derivation, coded: Collection[JoinStep], sources: Sources, rows: Mapping[str, int]
) -> RowsBetween | None:
    """The rows with which a source costs more than the facts; None where it is not known to, whatever rows it has.

    A source that seems to have more rows than the facts shows that the catalog is out of date: nothing is known then.

    Args:
        way: how the part is derived from the source.
        coded: joins of the dimensions that are grouped by code where it is built from its facts.
        rows: of tables by dataset, as the catalog estimates them.
    """
    if way.is_same_grain or not _is_alike(way, coded) or not _is_stored(part, sources):
        return None
    facts = rows[part.fact]
    return RowsBetween(least=math.ceil(facts * LEAST_SHARE), most=int(facts * _GREATEST_SHARE))


def _is_alike(way: Derivation, coded: Collection[JoinStep]) -> bool:
    """Whether the facts need hardly a join that the source does not need too.

    Each dimension is met by the same key in both and is coded for the facts, and at least half of them are joined to
    the source as well. A source that stores the names that it is asked for is the cheaper one.
    """
    origins: dict[JoinStep, list[AttributeOrigin]] = {}
    for origin in way.origins:
        if origin.attribute.steps:
            origins.setdefault(origin.attribute.steps[0], []).append(origin)
    if not origins or not origins.keys() <= set(coded) or not all(map(_has_join_key, way.origins)):
        return False
    joined = sum(not all(origin.is_stored for origin in of_dimension) for of_dimension in origins.values())
    return 2 * joined >= len(origins)


def _has_join_key(origin: AttributeOrigin) -> bool:
    """Whether an attribute is found by the key that the facts join its dimension by, or is the facts' own."""
    steps = origin.attribute.steps
    return not steps or (origin.source.steps == steps[:1] and origin.source.key_columns == steps[0].to_columns)


def _is_stored(part: FactPart, sources: Sources) -> bool:
    """Whether nothing is calculated from the rows of the facts, which might cost more than any join."""
    return all(sources[part.fact].is_physical(column) for column in columns_of_datasets([part])[part.fact])
