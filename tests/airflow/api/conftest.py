"""The API over a built star, one for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_server import ApiServer, api_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The server."""
    with api_server(tmp_path_factory.mktemp("api")) as started:
        yield started
