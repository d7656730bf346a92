"""Where our own retail model is, and which tables of TPC-DS it stands on."""

from __future__ import annotations

import os
from pathlib import Path

SCALE = os.environ.get("TPCDS_SCALE", "0.01")

MODEL_FOLDER = Path(__file__).parents[3] / "dags" / "models" / "retail"

SCHEMA = "retail"

TABLES = (
    "catalog_sales",
    "customer",
    "customer_address",
    "date_dim",
    "inventory",
    "item",
    "promotion",
    "store",
    "store_sales",
    "time_dim",
    "warehouse",
    "web_sales",
)
