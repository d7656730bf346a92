"""Finds the members without facts that a query on a hierarchy with ``filter_empty: "no"`` shows besides its facts.

Conditions on other dimensions choose facts, and all members stay. Conditions on the dimension itself choose its
members. Each member is shown with every combination of the keys of other dimensions that the answer has.

Source: SML reference, ``hierarchy.filter_empty``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref, references
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery
from airflow_atscale_aggs.engine.rewriting.split.member_moves import member_datasets
from airflow_atscale_aggs.engine.sql.statements import all_of


def empty_member_queries(
    query: ModelQuery, parts: Sequence[FactQuery], model: SemanticModel, paths: JoinPaths
) -> tuple[FactQuery, ...]:
    """A fact query on the dimension's dataset for each role whose members are all shown.

    Raises:
        UnsupportedQueryError: a key or condition combines the dimension with others, or the answer aggregates members.
    """
    if not query.metrics:
        return ()
    behind = [frozenset(references(key, Ref.ATTRIBUTE)) for key in query.keys]
    shown = {at for places in behind for at in places}
    whole = {
        bound.attribute.role
        for fact_query in parts
        for place, bound in fact_query.attributes.items()
        if place in shown and bound.steps and bound.filter_empty == "no"
    }
    return tuple(_member_query(query, role, behind, model, paths) for role in sorted(whole))


def _member_query(
    query: ModelQuery, role: Role, behind: Sequence[frozenset[int]], model: SemanticModel, paths: JoinPaths
) -> FactQuery:
    own = {place for place, attribute in enumerate(query.attributes) if attribute.role == role}
    keys = tuple(number for number, places in enumerate(behind) if places & own)
    conjuncts = list(query.where.flatten()) if isinstance(query.where, exp.And) else [query.where]
    conditions = [
        condition
        for condition in conjuncts
        if condition is not None and set(references(condition, Ref.ATTRIBUTE)) & own
    ]
    bound_to_others = any(not set(references(condition, Ref.ATTRIBUTE)) <= own for condition in conditions)
    if query.members or bound_to_others or any(not behind[number] <= own for number in keys):
        what = query.members[0].key.upper() if query.members else role.query_name(role.dimension)
        reason = f'all members of `{role.dimension}` are shown (`filter_empty: "no"`), also those without facts'
        raise UnsupportedQueryError(what, reason, "Ask for its attributes by themselves, in keys and in conditions.")
    used = {at for number in keys for at in behind[number]}
    used |= {at for condition in conditions for at in references(condition, Ref.ATTRIBUTE)}
    wanted = {place: GrainAttribute(Role(role.dimension), query.attributes[place].name) for place in sorted(used)}
    for dataset in member_datasets(model.dimensions[role.dimension]):
        reached = paths.attributes_of(dataset)
        if all(attribute in reached for attribute in wanted.values()):
            return FactQuery(
                fact=dataset,
                attributes={place: reached[attribute] for place, attribute in wanted.items()},
                keys=keys,
                metrics={},
                where=all_of(condition.copy() for condition in conditions) if conditions else None,
            )
    reason = f'all members of `{role.dimension}` are shown (`filter_empty: "no"`), and no dataset of it has them all'
    raise UnsupportedQueryError(role.query_name(role.dimension), reason, "Ask for fewer of its attributes.")
