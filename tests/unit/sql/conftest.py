"""A star that the tests of this room fill by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stars.small_star import SmallStar, small_star


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """No tables yet."""
    with small_star() as empty_star:
        yield empty_star
