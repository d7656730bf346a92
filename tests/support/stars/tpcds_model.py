"""What the TPC-DS sample model stands on."""

from __future__ import annotations

import os

SCALE = os.environ.get("TPCDS_SCALE", "0.01")

DATABASE = "atscale_tutorial_data"
"""The sample's query datasets spell this name out."""

TABLES = (
    "catalog_sales",
    "customer",
    "customer_address",
    "customer_demographics",
    "date_dim",
    "household_demographics",
    "income_band",
    "inventory",
    "item",
    "promotion",
    "ship_mode",
    "store",
    "store_returns",
    "store_sales",
    "time_dim",
    "warehouse",
    "web_sales",
)
