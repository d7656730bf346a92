"""A lease is renewed for as long as its owner works, and not for longer."""

from __future__ import annotations

from datetime import timedelta

from airflow_atscale_aggs.engine.lifecycle.build.lease import LeaseKeeper
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars.standing_star import NOW, OWNER, begin, open_batch

_HOUR = timedelta(hours=1)
"""No timer of a test comes to its end: the tests themselves do what a timer would do."""


def test_a_lease_is_renewed_while_its_owner_works(deployed_star: Workspace) -> None:
    batch = begin(deployed_star).batch
    assert batch.lease_until < NOW + _HOUR

    with LeaseKeeper(deployed_star.registry, batch.id, owner=OWNER, lease=_HOUR) as keeper:
        assert keeper._timer is not None
        assert (keeper._timer.interval, keeper._timer.daemon) == (20 * 60, True)
        before = utc_now()
        keeper._renew()
        assert before + _HOUR <= open_batch(deployed_star).lease_until <= utc_now() + _HOUR
        again = keeper._timer
        assert again.is_alive()
    renewed = open_batch(deployed_star).lease_until

    again.join(timeout=10)
    keeper._renew()

    assert not again.is_alive()
    assert open_batch(deployed_star).lease_until == renewed


def test_a_renewal_that_fails_is_tried_again_at_the_next_turn(deployed_star: Workspace) -> None:
    """The batch is somebody else's by now."""
    batch = begin(deployed_star).batch

    with LeaseKeeper(deployed_star.registry, batch.id, owner="somebody else", lease=_HOUR) as keeper:
        first = keeper._timer
        keeper._renew()
        assert keeper._timer is not first
        assert open_batch(deployed_star).lease_until == batch.lease_until
        assert first is not None
        first.cancel()
