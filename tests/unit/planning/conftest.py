"""The star that the unit tests of planning make tables of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stars.asked_star import AskedStar, asked_market


@pytest.fixture(scope="module")
def market() -> Iterator[AskedStar]:
    """The market, with its tables in memory."""
    with asked_market() as star:
        yield star


@pytest.fixture
def star(market: AskedStar) -> Iterator[AskedStar]:
    """The market; what a test does to its tables is undone."""
    market.session.execute("BEGIN TRANSACTION")
    try:
        yield market
    finally:
        market.session.execute("ROLLBACK")
