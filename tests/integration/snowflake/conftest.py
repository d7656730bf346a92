"""An emulator of Snowflake, and databases on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fakesnow_server import Fakesnow, fakesnow_server, reason_without_fakesnow


@pytest.fixture(scope="package")
def fakesnow() -> Iterator[Fakesnow]:
    """A running emulator."""
    reason = reason_without_fakesnow()
    if reason:
        pytest.skip(reason)
    with fakesnow_server() as server:
        yield server


@pytest.fixture
def snowflake_url(fakesnow: Fakesnow, request: pytest.FixtureRequest) -> str:
    """The URL of a database of the test's own."""
    return fakesnow.url(f"DB{abs(hash(request.node.nodeid))}")
