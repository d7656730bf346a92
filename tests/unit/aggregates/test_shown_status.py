"""The page has one word for every status of an instance, and tells the most urgent one of several."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import BY_URGENCY, SHOWN, ShownStatus


def test_every_status_of_an_instance_has_a_word_of_its_own() -> None:
    """A definition that is blocked, or has no instances, has one of those that are left."""
    assert set(SHOWN) == set(InstanceStatus)
    assert set(ShownStatus) - set(SHOWN.values()) == {ShownStatus.PENDING, ShownStatus.UNAVAILABLE}
    assert len(set(SHOWN.values())) == len(SHOWN)


def test_the_order_of_urgency_has_every_status_once() -> None:
    assert sorted(BY_URGENCY) == sorted(InstanceStatus)
    assert BY_URGENCY[0] is InstanceStatus.FAILED
