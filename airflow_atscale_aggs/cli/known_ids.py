"""Looks up ids that people have copied, and names near ones when a part is missing or mistyped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader

_MOST_BATCHES = 200


def require_batch(read: RegistryReader, batch_id: str) -> None:
    """Check that there is such a batch.

    Raises:
        NotRegisteredError: there is none; carries near ids.
    """
    from airflow_atscale_aggs.engine.errors import NotRegisteredError

    try:
        read.batches.get(batch_id)
    except NotRegisteredError as error:
        ids = [batch.id for batch in read.batches.find(None, _MOST_BATCHES)]
        raise NotRegisteredError(error.kind, batch_id, near_ids(batch_id, ids)) from error


def require_instance(read: RegistryReader, instance_id: str) -> None:
    """Check that there is such an instance.

    Raises:
        NotRegisteredError: there is none; carries near ids.
    """
    from airflow_atscale_aggs.engine.errors import NotRegisteredError

    try:
        read.instances.get(instance_id)
    except NotRegisteredError as error:
        ids = [instance.id for model in read.models.all() for instance in read.instances.find(model_id=model.id)]
        raise NotRegisteredError(error.kind, instance_id, near_ids(instance_id, ids)) from error


def near_ids(part: str, ids: Iterable[str]) -> tuple[str, ...]:
    """The ids that begin with a part of one, else those that are spelled like it; three at the most.

    >>> near_ids("38b3", ["38b397f9-5034", "bb09d836-8505"])
    ('38b397f9-5034',)
    """
    from airflow_atscale_aggs.engine.errors import near_names

    known = list(ids)
    beginning = [one for one in known if part and one.startswith(part.casefold())]
    return tuple(beginning[:3]) or near_names(part, known)
