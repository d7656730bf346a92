"""Which moves of an instance's status are legal: each pair of statuses."""

from __future__ import annotations

import itertools

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus, check_transition
from airflow_atscale_aggs.engine.errors import IllegalTransitionError

_LEGAL = {
    "new": "in_progress cancelled",
    "in_progress": "in_progress done failed cancelled",
    "failed": "in_progress cancelled",
    "done": "active in_progress cancelled",
    "active": "superseded deleted",
    "superseded": "deleted",
    "cancelled": "deleted",
    "deleted": "",
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(InstanceStatus, InstanceStatus)))
def test_an_instance_moves_as_the_diagram_says(before: InstanceStatus, after: InstanceStatus) -> None:
    """An interrupted attempt is taken over, and a built one may be cleared while its batch is open."""
    if after.value in _LEGAL[before.value].split():
        check_transition("i1", before, after)
        return
    with pytest.raises(IllegalTransitionError, match=f"^Instance i1 is {before} and cannot become {after}.$"):
        check_transition("i1", before, after)
