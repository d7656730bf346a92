"""Sessions that the tests of several drivers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession


@pytest.fixture
def sail_session(sail_address: str) -> Iterator[DbApiSession]:
    """Of Sail, on a catalog of its own, which ends with it."""
    warehouse = open_warehouse(sail_address)
    with warehouse.session() as opened:
        yield opened
    warehouse.close()
