"""Spark and Databricks. Sail speaks Spark's protocol and SQL, and has its row."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.sql.capabilities import (
    AverageType,
    Dialect,
    Folding,
    Proven,
    QuantileStyle,
    ReplaceViewStyle,
    SketchFunctions,
)
from airflow_atscale_aggs.engine.sql.session_settings import SPARK_SETTINGS

_COMPARABLE = (
    frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"}),
    frozenset({"date", "timestamp", "timestamp_ntz"}),
    frozenset({"boolean"}),
    frozenset({"binary"}),
)
"""Texts are cast to whatever they are compared with."""

_WRAPS = (
    "sums of BIGINT beyond its range come back to its other end without an error, as they do on Sail and without "
    "spark.sql.ansi.enabled; sums in aggregates and of models are made in decimals, and are an error there"
)

_WIDEST_WRAPS = (
    "sums of decimals with 38 digits come back to the other end of their range without an error on Sail, where they "
    "have more digits than that; Spark refuses them"
)

DATABRICKS = Dialect(
    name="databricks",
    sqlglot_name="databricks",
    quotes=("`", "`", "``"),
    schemes=("databricks",),
    sml_dialects=("DatabricksSQL",),
    max_identifier=255,
    # Of the Hive catalog.
    ascii_names=True,
    folding=Folding.KEEP,
    replace_view=ReplaceViewStyle.ALTER,
    session_settings=SPARK_SETTINGS,
    has_information_schema=False,
    schemas="SHOW SCHEMAS",
    hash_columns="XXHASH64",
    hashes_nulls=False,
    # The files of a table are listed once in each session, until it is told REFRESH TABLE.
    remembers_files=True,
    # Whenever one part of a statement has run, Spark plans all others anew with what it has learnt.
    plans_unions_slowly=True,
    # A small statement is analyzed and planned by one thread, while the executors have nothing to do.
    statements_at_once=4,
    # Sail has no such column, and is asked for the values.
    file_version=("file_path", "file_size", "file_modification_time"),
    decimal_sum_digits=10,
    average=AverageType.CUT,
    casts_cut=True,
    divides_whole_numbers=True,
    quantile=QuantileStyle.FUNCTION,
    timestamps_are_instants=True,
    epoch_micros="UNIX_MICROS",
    comparable=_COMPARABLE,
    distinct_sketch=SketchFunctions(make="HLL_SKETCH_AGG", merge="HLL_UNION_AGG"),
)

SPARK = replace(
    DATABRICKS,
    name="spark",
    sqlglot_name="spark",
    quotes=("`", "`", "``"),
    proven=Proven.IN_CI,
    differences={"sum_of_bigint": _WRAPS, "sum_of_widest_decimal": _WIDEST_WRAPS},
    schemes=("sc", "hive", "spark"),
    # Not of Delta, where the first row of a file may be deleted. Databricks does not document such a column.
    numbered_formats=frozenset({"parquet"}),
    max_identifier=128,
    # Spark refuses a sum that is too large unless its ANSI mode is off; Sail gives a wrong one.
    sums_wrap=True,
)
