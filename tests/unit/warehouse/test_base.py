"""Sessions and warehouses have what the engine asks of them."""

from __future__ import annotations

import inspect

import pytest

from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession, DbApiWarehouse


@pytest.mark.parametrize(
    ("protocol", "kind"), [(WarehouseSession, DbApiSession), (Warehouse, DbApiWarehouse)], ids=["session", "warehouse"]
)
def test_every_method_is_there_and_takes_the_same(protocol: type, kind: type) -> None:
    names = [name for name, member in vars(protocol).items() if inspect.isfunction(member) and name[0] != "_"]

    for name in names:
        expected, actual = (inspect.signature(getattr(owner, name)).parameters for owner in (protocol, kind))
        assert list(actual) == list(expected), name
    assert "close" in names
