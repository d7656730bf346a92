"""Surroundings of a batch as a registry keeps them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.model.paths import JoinKind, JoinStep
from airflow_atscale_aggs.engine.registry.documents import decode_surroundings, encode_surroundings

_CITY = JoinStep(JoinKind.UNIQUE_KEY, "shop", ("city_id",), "city", ("city_id",))


def test_surroundings_are_read_as_they_were_written() -> None:
    surroundings = Surroundings(
        settings={"TimeZone": "UTC"},
        tables={"sales": SeenTable(place=("db", "main", "Sales"), columns={"amount": "DECIMAL(9,2)"}, kind="view")},
        unique_keys=(("shop", ("shop_id",)),),
        functional=(Dependency("shop", ("shop_id",), (_CITY,), ("city_name",), is_join_key=True),),
    )

    assert decode_surroundings(encode_surroundings(surroundings)) == surroundings


def test_what_an_older_version_did_not_note_is_empty() -> None:
    seen = decode_surroundings(b'{"tables":{"sales":{"place":["db","main","sales"],"columns":{}}}}')

    assert seen.tables["sales"] == SeenTable(place=("db", "main", "sales"), columns={}, kind="table")
    assert (dict(seen.settings), seen.unique_keys, seen.functional) == ({}, (), ())
