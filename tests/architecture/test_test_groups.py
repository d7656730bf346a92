"""Tests that share something stay on one worker of pytest-xdist."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_a_group_of_tests_is_kept_together(request: pytest.FixtureRequest) -> None:
    """pytest-xdist writes the group into the id of the test, which fails without a word on versions of pytest."""
    is_grouping = bool(request.config.getoption("loadgroup", default=False))

    assert request.node.nodeid.endswith("@together") is is_grouping
