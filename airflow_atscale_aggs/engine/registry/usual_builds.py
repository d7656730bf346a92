"""How long aggregates usually build: found when a batch begins, so that whoever watches it need not look again."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, bindparam, func, select, update

from airflow_atscale_aggs.engine.registry.tables import instances

USUAL_BUILDS = 5
"""Builds of one aggregate whose median duration is the usual one."""


def find_usual_seconds(connection: Connection, batch_id: str) -> Mapping[str, float]:
    """How long each instance of a batch usually builds, by the instance's id.

    The median of the last `USUAL_BUILDS` builds of the same definition over the same fact, in other batches; instances
    without such are left out.
    """
    own = instances.alias("own")
    is_same = and_(instances.c.definition_id == own.c.definition_id, instances.c.fact == own.c.fact)
    place = func.row_number().over(partition_by=own.c.id, order_by=instances.c.finished_at.desc())
    built = (
        select(own.c.id, instances.c.seconds, place.label("place"))
        .join(instances, is_same)
        .where(
            own.c.batch_id == batch_id,
            instances.c.batch_id != batch_id,
            instances.c.seconds.is_not(None),
            instances.c.finished_at.is_not(None),
        )
        .subquery()
    )
    seconds_by_id: dict[str, list[float]] = {}
    query = select(built.c.id, built.c.seconds).where(built.c.place <= USUAL_BUILDS)
    for identity, seconds in connection.execute(query):
        seconds_by_id.setdefault(identity, []).append(seconds)
    # It brings random numbers and fractions, which nothing else of a registry needs.
    from statistics import median  # noqa: PLC0415

    return {identity: median(seconds) for identity, seconds in seconds_by_id.items()}


def note_usual_seconds(connection: Connection, batch_id: str) -> None:
    """Note with the instances of a batch how long they usually build, in the transaction that begins it."""
    found = find_usual_seconds(connection, batch_id)
    if found:
        is_it = instances.c.id == bindparam("instance")
        connection.execute(
            update(instances).where(is_it).values(usual_seconds=bindparam("usual")),
            [{"instance": identity, "usual": seconds} for identity, seconds in found.items()],
        )
