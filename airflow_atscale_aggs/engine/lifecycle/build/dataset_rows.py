"""Ask the catalog how many rows tables have, so that a plan knows which of them are small beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.lifecycle.build.costs import ask_catalog, place_of
from airflow_atscale_aggs.engine.lifecycle.read_surroundings import datasets_of
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.table_statistics import read_statistics, statistics_query
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


def read_rows(session: WarehouseSession, parts: Sequence[FactPart], sources: Sources) -> Mapping[str, int]:
    """Estimated rows of the tables behind datasets, by dataset. No table is read.

    Views, queries, and tables that the catalog tells nothing of are left out; where the catalog refuses, all are. It is
    not asked where facts are never grouped by codes.

    Raises:
        WarehouseError: the connection is lost.
    """
    if not session.dialect.groups_by_codes:
        return {}
    places = {dataset: place for dataset in datasets_of(parts) if (place := place_of(dataset, sources)) is not None}
    statistics = read_statistics(ask_catalog(session, statistics_query(set(places.values()), session.dialect)))
    return {
        dataset: statistics[schema or "", name].rows
        for dataset, (_, schema, name) in places.items()
        if (schema or "", name) in statistics
    }
