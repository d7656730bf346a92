"""Where each definition stands: what lists show, filter and sort by, from all that the registry keeps of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, String, Subquery, Text, and_, case, cast, func, or_, select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import BY_URGENCY, SHOWN, ShownStatus
from airflow_atscale_aggs.engine.registry.tables import batches, definitions, evaluations, instances, usages


def _place(instance: Any) -> Any:
    return (
        func.dense_rank()
        .over(partition_by=instance.c.definition_id, order_by=(batches.c.created_at.desc(), batches.c.id.desc()))
        .label("place")
    )


def _instances_by_definition() -> Subquery:
    """Of each definition, what its active instances and those of its newest batch say."""
    placed = (
        select(
            instances.c.definition_id,
            instances.c.batch_id,
            instances.c.status,
            instances.c.rows,
            instances.c.seconds,
            instances.c.finished_at,
            _place(instances),
        )
        .join(batches, batches.c.id == instances.c.batch_id)
        .subquery("placed")
    )
    is_active = placed.c.status == InstanceStatus.ACTIVE
    is_newest = placed.c.place == 1
    is_built = placed.c.rows.is_not(None)
    urgency = case({str(status): number for number, status in enumerate(BY_URGENCY)}, value=placed.c.status)
    return (
        select(
            placed.c.definition_id,
            func.count().filter(is_active).label("active"),
            func.min(urgency).filter(is_newest).label("urgency"),
            func.max(placed.c.batch_id).filter(is_newest).label("newest_batch_id"),
            func.sum(placed.c.rows).filter(is_active).label("active_rows"),
            func.sum(placed.c.seconds).filter(is_active).label("active_seconds"),
            func.min(placed.c.finished_at).filter(is_active).label("active_built_at"),
            func.sum(placed.c.rows).filter(is_newest).label("newest_rows"),
            func.sum(placed.c.seconds).filter(and_(is_newest, is_built)).label("newest_seconds"),
            func.min(placed.c.finished_at).filter(and_(is_newest, is_built)).label("newest_built_at"),
        )
        .where(or_(is_active, is_newest))
        .group_by(placed.c.definition_id)
        .subquery("built")
    )


def _uses_by_definition() -> Subquery:
    """How often each definition was used, over all facts."""
    uses, last = func.sum(usages.c.uses), func.max(usages.c.last_used_at)
    query = select(usages.c.definition_id, uses.label("uses"), last.label("last_used_at"))
    return query.group_by(usages.c.definition_id).subquery("used")


def _newest_judgements() -> Subquery:
    """When each definition was judged last."""
    query = select(evaluations.c.definition_id, func.max(evaluations.c.evaluated_at).label("at"))
    return query.group_by(evaluations.c.definition_id).subquery("judged")


def select_standings() -> Any:
    """One row for each definition.

    Its columns: those of `DefinitionListing` that need no document, and ``newest_batch_id``.
    """
    used, judged = _uses_by_definition(), _newest_judgements()
    built = _instances_by_definition()
    is_active = built.c.active > 0
    return (
        select(
            definitions.c.id.label("definition_id"),
            definitions.c.model_id,
            func.lower(definitions.c.name, type_=Text).label("name_key"),
            definitions.c.origin,
            definitions.c.status,
            definitions.c.created_at,
            _shown_status(is_active, built).label("shown_status"),
            _newest_status(built).label("newest_status"),
            built.c.newest_batch_id,
            cast(func.coalesce(used.c.uses, 0), BigInteger).label("uses"),
            used.c.last_used_at,
            cast(case((is_active, built.c.active_rows), else_=built.c.newest_rows), BigInteger).label("rows"),
            cast(case((is_active, built.c.active_seconds), else_=built.c.newest_seconds), Float).label("seconds"),
            case((is_active, built.c.active_built_at), else_=built.c.newest_built_at).label("built_at"),
            evaluations.c.score,
        )
        .outerjoin(used, used.c.definition_id == definitions.c.id)
        .outerjoin(built, built.c.definition_id == definitions.c.id)
        .outerjoin(judged, judged.c.definition_id == definitions.c.id)
        .outerjoin(
            evaluations,
            and_(evaluations.c.definition_id == definitions.c.id, evaluations.c.evaluated_at == judged.c.at),
        )
    )


def _newest_status(built: Any) -> ColumnElement[str]:
    shown = {number: str(SHOWN[status]) for number, status in enumerate(BY_URGENCY)}
    return cast(case(shown, value=built.c.urgency), String)


def _shown_status(is_active: ColumnElement[bool], built: Any) -> ColumnElement[str]:
    is_defined = definitions.c.status == DefinitionStatus.DEFINED
    return case(
        (definitions.c.status == DefinitionStatus.BLOCKED, str(ShownStatus.UNAVAILABLE)),
        (is_active, str(ShownStatus.ACTIVE)),
        (built.c.urgency.is_not(None), _newest_status(built)),
        (is_defined, str(ShownStatus.PENDING)),
        else_=str(ShownStatus.INACTIVE),
    )


standings = select_standings().subquery("standings")
"""Read as if it were a table."""
