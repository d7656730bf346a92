"""DuckDB, which tests and users run."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql import view_catalog as catalogs
from airflow_atscale_aggs.engine.sql.capabilities import (
    AverageType,
    Dialect,
    Folding,
    FunctionStyle,
    Proven,
    QuantileStyle,
    ReplaceViewStyle,
    RowFence,
)
from airflow_atscale_aggs.engine.sql.column_types import DUCKDB_UNMEASURED
from airflow_atscale_aggs.engine.sql.session_settings import DUCKDB_SETTINGS
from airflow_atscale_aggs.engine.sql.table_catalog import DUCKDB_COLUMNS, DUCKDB_FOREIGN_KEYS, DUCKDB_SCHEMAS

_DUCKDB_DESCRIPTIONS = """\
SELECT database_name, schema_name, table_name, column_name,
  data_type || CASE WHEN is_nullable THEN '' ELSE ' NOT NULL' END, NULL
FROM duckdb_columns() WHERE (database_name, schema_name, table_name) IN ({tables})
UNION ALL SELECT database_name, schema_name, table_name, '', 'table', sql
FROM duckdb_tables() WHERE (database_name, schema_name, table_name) IN ({tables})
UNION ALL SELECT database_name, schema_name, view_name, '', 'view', NULL
FROM duckdb_views() WHERE (database_name, schema_name, view_name) IN ({tables})"""

_DUCKDB_STATISTICS = """\
SELECT schema_name, table_name, estimated_size, NULL, NULL, NULL, FALSE, NULL FROM duckdb_tables()
WHERE database_name = current_database() AND (schema_name, table_name) IN ({tables})"""

# VARCHAR is in none: it is cast to the other type, which depends on its values. So is UHUGEINT, which compares with
# UUID.
_DUCKDB_COMPARABLE = (
    frozenset(
        {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"}
        | {"decimal", "float", "double", "boolean"}
    ),
    frozenset({"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}),
    frozenset({"time", "time with time zone"}),
    frozenset({"interval"}),
    frozenset({"uuid"}),
    frozenset({"blob"}),
)

_BY_COLLATION = "the session's default_collation compares texts; batches note it, and queries under another are told"
_DIFFERENCES = {
    **dict.fromkeys(("case_tells_texts_apart", "spaces_tell_texts_apart", "bytes_tell_texts_apart"), _BY_COLLATION),
    "quotient_of_whole_numbers": "the session's integer_division cuts quotients off in calculations; batches note it",
}

DUCKDB = Dialect(
    name="duckdb",
    sqlglot_name="duckdb",
    takes_samples=True,
    proven=Proven.IN_CI,
    differences=_DIFFERENCES,
    schemes=("duckdb",),
    unmeasured=DUCKDB_UNMEASURED,
    max_identifier=255,
    folding=Folding.KEEP,
    transactional_ddl=True,
    begin_snapshot="BEGIN",
    replace_view=ReplaceViewStyle.REPLACE,
    deviation_of_one_is_zero=True,
    average=AverageType.DOUBLE,
    functions=FunctionStyle.DUCKDB,
    divides_whole_numbers=True,
    quantile=QuantileStyle.WITHIN_GROUP,
    statistics=_DUCKDB_STATISTICS,
    stored_share=0.25,
    data_file="SELECT path FROM duckdb_databases() WHERE database_name = current_database() AND path IS NOT NULL",
    descriptions=_DUCKDB_DESCRIPTIONS,
    hash_columns="HASH",
    groups_by_codes=True,
    statements_at_once=2,
    type_of="TYPEOF",
    comparable=_DUCKDB_COMPARABLE,
    catalog=catalogs.DUCKDB,
    session_settings=DUCKDB_SETTINGS,
    fence=RowFence.VOLATILE,
    columns=DUCKDB_COLUMNS,
    schemas=DUCKDB_SCHEMAS,
    foreign_keys=DUCKDB_FOREIGN_KEYS,
)
