"""ClickHouse, which tests run in their own process, by chDB."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql.capabilities import (
    AverageType,
    Dialect,
    Folding,
    Proven,
    QuantileStyle,
    ReplaceViewStyle,
    Wording,
)
from airflow_atscale_aggs.engine.sql.session_settings import CLICKHOUSE_SETTINGS

_SETTINGS = {
    "join_use_nulls": "1",
    "aggregate_functions_null_for_empty": "1",
    "group_by_use_nulls": "1",
    "cast_keep_nullable": "1",
    # An alias would stand for its expression wherever a column of the same name is meant.
    "prefer_column_name_to_alias": "1",
    "union_default_mode": "DISTINCT",
    "count_distinct_implementation": "uniqExact",
    # What does not fit is an error, and neither NULL, nor a default value, nor the other end of the range.
    "insert_null_as_default": "0",
    "date_time_overflow_behavior": "throw",
    "use_variant_as_common_type": "0",
}

_WRAPS = (
    "sums of BIGINT and of wide decimals that leave their range come back to its other end without an error; sums in "
    "aggregates and of models are made in wider decimals, and are an error there. So do sums and differences in "
    "calculations beyond the range of BIGINT"
)

_COMPARABLE = (
    frozenset(
        {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"}
        | {"uhugeint", "decimal", "real", "double", "boolean"}
    ),
    frozenset({"date", "timestamp"}),
    frozenset({"uuid"}),
)
"""Texts that are constants are read as whatever they are compared with."""

CLICKHOUSE = Dialect(
    name="clickhouse",
    sqlglot_name="clickhouse",
    proven=Proven.IN_CI,
    differences={"sum_of_bigint": _WRAPS, "sum_of_widest_decimal": _WRAPS},
    schemes=("chdb",),
    max_identifier=200,
    folding=Folding.KEEP,
    wording=Wording.CLICKHOUSE,
    replace_view=ReplaceViewStyle.REPLACE,
    approx_count_distinct="uniq",
    hash_columns="sipHash64",
    sums_wrap=True,
    wide_sum_digits=76,
    average=AverageType.DOUBLE,
    casts_cut=True,
    divides_whole_numbers=True,
    deviation_of_one_is_zero=True,
    quantile=QuantileStyle.WITHIN_GROUP,
    timestamps_are_instants=True,
    epoch_micros="toUnixTimestamp64Micro",
    comparable=_COMPARABLE,
    session_settings=CLICKHOUSE_SETTINGS,
    settings_at_start=_SETTINGS,
    version="SELECT version()",
    has_information_schema=False,
    schemas="SELECT database, COUNT(*) FROM system.tables WHERE NOT is_temporary AND LOWER(database) NOT IN "
    "('system', 'information_schema') GROUP BY database",
)
