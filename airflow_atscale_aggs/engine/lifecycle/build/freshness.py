"""Tells how old the aggregates of a model are: since when the facts that they show may have changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from operator import attrgetter

from airflow_atscale_aggs.engine.errors import UnknownNameError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.registry import RegistryReader


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateAge:
    """How old one aggregate is, of one fact.

    Attributes:
        is_live: it has a table that serves.
        since: when the build of that table began: it shows the facts as they were then, or later. Without a table, when
            the aggregate was defined.
        age: since then.
    """

    aggregate: str
    fact: str
    is_live: bool
    since: datetime
    age: timedelta


def aggregate_ages(
    read: RegistryReader, model: str, *, now: datetime, aggregates: Collection[str] = ()
) -> tuple[AggregateAge, ...]:
    """The ages of a model's aggregates that are defined, oldest first; blocked and retired ones have none.

    Args:
        model: name or id.
        aggregates: names of those that are asked for; empty: all.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: an aggregate is asked for that is not defined.
    """
    record = read.models.get_deployed(model)
    began = {
        (instance.step.definition_id, instance.step.fact): instance.started_at
        for instance in read.instances.serving(record.id)
    }
    ages, names = [], set()
    for definition in read.definitions.of_model(record.id):
        name = definition.definition.name
        names.add(name)
        if aggregates and name not in aggregates:
            continue
        for part in definition.definition.parts:
            built = began.get((definition.definition.id, part.fact))
            since = built or definition.defined_at or definition.created_at
            ages.append(
                AggregateAge(aggregate=name, fact=part.fact, is_live=built is not None, since=since, age=now - since)
            )
    for name in aggregates:
        if name not in names:
            raise UnknownNameError("aggregate", name, near_names(name, names))
    return tuple(sorted(ages, key=attrgetter("since", "aggregate", "fact")))
