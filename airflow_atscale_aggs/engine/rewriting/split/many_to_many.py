"""Whether rows of a fact query could meet a group by several members of a many-to-many attribute.

    GROUP BY "Owner"                    once in the group of each owner
    WHERE "Owner" = 'Ann'               once
    WHERE "Owner" IN ('Ann', 'Bob')     twice, where both own the account: each fact row must be counted once
    GROUP BY LEFT("Owner", 1)           twice as well

Source: decision 24.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, attribute_at
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery


def has_several_members(query: ModelQuery, fact_query: FactQuery) -> bool:
    """Whether a group may meet a fact row by several members of an attribute."""
    return bool(fact_query.metrics) and bool(several_members(query, fact_query))


def several_members(query: ModelQuery, fact_query: FactQuery) -> tuple[BoundAttribute, ...]:
    """Many-to-many attributes of which a group may meet a fact row by several members."""
    many = {place: bound for place, bound in fact_query.attributes.items() if bound.is_many_to_many}
    if not many:
        return ()
    fixed = set(fixed_places(query, fact_query))
    return tuple(
        bound
        for place, bound in many.items()
        if place not in fixed or not is_told_apart(bound) or bound.filter_empty == "no"
    )


def fixed_places(query: ModelQuery, fact_query: FactQuery) -> Iterable[int]:
    """Places of attributes that are grouping keys by themselves, or that WHERE holds to one value of their name."""
    keys = (attribute_at(query.keys[key_place]) for key_place in fact_query.keys)
    fixed = {at for at in keys if at is not None} | set(pinned_by(fact_query.where))
    return fixed - set(fact_query.columns)


def is_told_apart(bound: BoundAttribute) -> bool:
    """Whether one value stands for one member: name and key are the same, and NULL does not mean two things."""
    if bound.key_columns != (bound.name_column,):
        return False
    if bound.empty is not None:
        return False
    return not bound.steps or bound.filter_empty != "no" or bound.steps[-1].to_columns == bound.key_columns
