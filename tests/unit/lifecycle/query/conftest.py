"""The workspace that queries are planned on. Its aggregates are built once for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import standing_star


@pytest.fixture(scope="module")
def asked_star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The tiny star with its aggregates, for tests that change nothing of it."""
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), standing_star.build_aggregates) as workspace:
        yield workspace
