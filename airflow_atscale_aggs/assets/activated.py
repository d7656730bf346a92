"""Assets that an activation updates; schedule dashboards and exports on them."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias


def aggregates_asset(model: str) -> Asset:
    """Updated when the model's aggregates go live."""
    return Asset(f"aggregates_of_{model}")


def aggregate_asset(model: str, aggregate: str) -> Asset:
    """Updated when this aggregate of the model goes live."""
    return Asset(f"aggregate_of_{model}/{aggregate}")


def aggregates_alias(model: str) -> AssetAlias:
    """The outlet through which an activation updates the asset of each aggregate."""
    return AssetAlias(f"each_aggregate_of_{model}")
