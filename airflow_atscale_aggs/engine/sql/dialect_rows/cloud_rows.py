"""Warehouses in a cloud. Snowflake's statements are run on an emulator; the others' are rendered and parsed back."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.capabilities import (
    CreateTableStyle,
    Dialect,
    Folding,
    Proven,
    QuantileStyle,
    ReplaceViewStyle,
    SketchFunctions,
)
from airflow_atscale_aggs.engine.sql.session_settings import (
    BIGQUERY_SETTINGS,
    REDSHIFT_SETTINGS,
    SNOWFLAKE_SETTINGS,
    TRINO_SETTINGS,
    TSQL_SETTINGS,
)
from airflow_atscale_aggs.engine.sql.table_catalog import SNOWFLAKE_COLUMNS

_FLOATING_SUMS = (
    "the emulator fakesnow adds whole numbers and decimals up as floating ones, so that last digits are lost and "
    "comparisons say `undecided`; Snowflake itself adds up exactly"
)

SNOWFLAKE = Dialect(
    name="snowflake",
    sqlglot_name="snowflake",
    session_settings=SNOWFLAKE_SETTINGS,
    schemes=("snowflake",),
    version="SELECT CURRENT_VERSION()",
    sml_dialects=("Snowflake",),
    max_identifier=255,
    folding=Folding.UPPER,
    has_whole_decimals=True,
    quantile=QuantileStyle.WITHIN_GROUP,
    timestamp_format="YYYY-MM-DD HH24:MI:SS.FF9",
    hash_columns="HASH",
    distinct_sketch=SketchFunctions(make="HLL_ACCUMULATE", merge="HLL_COMBINE"),
    percentile_sketch=SketchFunctions(make="APPROX_PERCENTILE_ACCUMULATE", merge="APPROX_PERCENTILE_COMBINE"),
    copies_grants=True,
    civil_timestamp="timestampntz",
    proven=Proven.EMULATED,
    differences={"sum_of_bigint": _FLOATING_SUMS},
    columns=SNOWFLAKE_COLUMNS,
)

BIGQUERY = Dialect(
    name="bigquery",
    sqlglot_name="bigquery",
    quotes=("`", "`", "\\`"),
    session_settings=BIGQUERY_SETTINGS,
    schemes=("bigquery",),
    version="",
    sml_dialects=("BigQuery",),
    max_identifier=300,
    folding=Folding.KEEP,
    timestamps_are_instants=True,
    epoch_micros="UNIX_MICROS",
    distinct_sketch=SketchFunctions(make="HLL_COUNT.INIT", merge="HLL_COUNT.MERGE_PARTIAL"),
)

REDSHIFT = Dialect(
    name="redshift",
    sqlglot_name="redshift",
    session_settings=REDSHIFT_SETTINGS,
    quantile=QuantileStyle.WITHIN_GROUP,
    schemes=("redshift",),
    sml_dialects=("Postgresql",),
    max_identifier=127,
    transactional_ddl=True,
    replace_view=ReplaceViewStyle.DROP_CREATE,
    distinct_sketch=SketchFunctions(make="HLL_CREATE_SKETCH", merge="HLL_COMBINE"),
    needs_analyze=True,
    bigint_sums_widen=True,
)

TRINO = Dialect(
    name="trino",
    sqlglot_name="trino",
    session_settings=TRINO_SETTINGS,
    schemes=("trino",),
    max_identifier=127,
    approx_count_distinct="APPROX_DISTINCT",
    distinct_sketch=SketchFunctions(make="APPROX_SET", merge="MERGE"),
    percentile_sketch=SketchFunctions(make="TDIGEST_AGG", merge="MERGE"),
)

TSQL = Dialect(
    name="tsql",
    sqlglot_name="tsql",
    quotes=("[", "]", "]]"),
    session_settings=TSQL_SETTINGS,
    schemes=("mssql",),
    version="SELECT @@VERSION",
    max_identifier=128,
    folding=Folding.KEEP,
    transactional_ddl=True,
    create_table=CreateTableStyle.SELECT_INTO,
    replace_view=ReplaceViewStyle.DROP_CREATE,
    widens_integer_sums=False,
    has_boolean_aggregate=False,
    variance_pop="VARP",
)
