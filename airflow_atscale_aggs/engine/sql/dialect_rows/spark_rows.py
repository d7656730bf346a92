"""Spark and Databricks."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.capabilities import (
    Dialect,
    Folding,
    QuantileStyle,
    ReplaceViewStyle,
    SketchFunctions,
)
from airflow_atscale_aggs.engine.sql.session_settings import SPARK_SETTINGS

DATABRICKS = Dialect(
    name="databricks",
    sqlglot_name="databricks",
    session_settings=SPARK_SETTINGS,
    quantile=QuantileStyle.FUNCTION,
    replace_view=ReplaceViewStyle.ALTER,
    schemes=("databricks",),
    sml_dialects=("DatabricksSQL",),
    max_identifier=255,
    folding=Folding.KEEP,
    timestamps_are_instants=True,
    epoch_micros="UNIX_MICROS",
    distinct_sketch=SketchFunctions(make="HLL_SKETCH_AGG", merge="HLL_UNION_AGG"),
)

SPARK = Dialect(
    name="spark",
    sqlglot_name="spark",
    session_settings=SPARK_SETTINGS,
    quantile=QuantileStyle.FUNCTION,
    replace_view=ReplaceViewStyle.ALTER,
    schemes=("sc", "hive", "spark"),
    sml_dialects=("DatabricksSQL",),
    max_identifier=128,
    folding=Folding.KEEP,
    timestamps_are_instants=True,
    epoch_micros="UNIX_MICROS",
    distinct_sketch=SketchFunctions(make="HLL_SKETCH_AGG", merge="HLL_UNION_AGG"),
)
