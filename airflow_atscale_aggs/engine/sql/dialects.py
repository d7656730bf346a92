"""One capability row per warehouse dialect. Differences between warehouses are facts in this table, not subclasses.

Callers read a row's fields; they never compare dialect names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_atscale_aggs.engine.errors import UnsupportedOnDialectError, near_names
from airflow_atscale_aggs.engine.sql import view_catalog as catalogs
from airflow_atscale_aggs.engine.sql.column_types import DUCKDB_UNMEASURED, POSTGRES_UNMEASURED
from airflow_atscale_aggs.engine.sql.session_settings import (
    BIGQUERY_SETTINGS,
    DUCKDB_SETTINGS,
    POSTGRES_SETTINGS,
    REDSHIFT_SETTINGS,
    SNOWFLAKE_SETTINGS,
    SPARK_SETTINGS,
    TRINO_SETTINGS,
    TSQL_SETTINGS,
    SessionSettings,
)
from airflow_atscale_aggs.engine.sql.table_catalog import (
    DUCKDB_COLUMNS,
    POSTGRES_COLUMNS,
    POSTGRES_TABLES,
    STANDARD_COLUMNS,
    STANDARD_TABLES,
)


class CreateTableStyle(StrEnum):
    """How a table is made from a query."""

    CREATE_TABLE_AS = "create_table_as"
    SELECT_INTO = "select_into"
    """SQL Server: SELECT … INTO target FROM …"""


class ReplaceViewStyle(StrEnum):
    """How a view is made to show another table."""

    REPLACE = "replace"
    """CREATE OR REPLACE VIEW: it may change the columns, or ``catalog`` tells what else is to be done."""

    DROP_CREATE = "drop_create"
    """A replace may only add columns, so the view is dropped and made again, in one transaction."""


class AverageType(StrEnum):
    """What AVG of an exact number yields."""

    DOUBLE = "double"
    EXACT = "exact"
    """The quotient of the sum and the count as the warehouse divides decimals."""


class QuantileStyle(StrEnum):
    """How the exact quantile of a group is said, interpolated between the two values that it lies between."""

    WITHIN_GROUP = "within_group"
    """PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"""

    FUNCTION = "function"
    """PERCENTILE(x, 0.5)"""


class FunctionStyle(StrEnum):
    """How PostgreSQL's functions are said, which queries on models are written with."""

    NATIVE = "native"
    """As they are written: it is PostgreSQL."""

    DUCKDB = "duckdb"
    """Translated one by one, see `functions/duckdb.py`."""

    PORTABLE = "portable"
    """Never tried: only what means the same everywhere is passed on."""


class Folding(StrEnum):
    """What an unquoted identifier becomes."""

    LOWER = "lower"
    UPPER = "upper"
    KEEP = "keep"
    """Kept as written and compared without case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchFunctions:
    """Names of the functions that make and merge a sketch that can be stored in a column."""

    make: str
    merge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a warehouse can do and how it says it.

    Attributes:
        name: ours; the first part of a SQLAlchemy URL's scheme names it (`dialect_of_url`).
        sqlglot_name: the SQL parser's and printer's name.
        schemes: URL schemes (before ``+driver``) of this dialect.
        sml_dialects: SML's names of SQL variants that fit, best first.
        max_identifier: longest name, in bytes of UTF-8.
        folding: what unquoted identifiers become.
        transactional_ddl: a transaction around CREATE, DROP and view changes takes effect as a whole or not at all.
        begin_snapshot: begins a transaction whose statements all see the data of one moment, a table made in it
            included; None where there is no such thing or it was never tried.
        create_table: how a table is made from a query.
        replace_view: how a view is switched.
        approx_count_distinct: the cardinality estimate's function, None when there is none.
        hash_columns: a function that hashes a tuple of columns of any type, NULLs told apart; None: text is made of
            them.
        distinct_sketch: functions for estimated distinct counts that roll up, None when there are none.
        percentile_sketch: functions for percentiles that roll up, None when there are none.
        widens_integer_sums: SUM over a 32-bit integer yields a wider type by itself; otherwise the argument is cast
            first.
        adds_singles_as_they_are: SUM of single-precision numbers is added up, and answered, in single precision.
        refuses_underflow: a product or quotient of floating numbers that is too small to be told from zero is an error.
        deviation_of_one_is_zero: the population variance of a single number is 0, also where the number is NaN or
            infinite.
        has_boolean_aggregate: booleans need their own MIN; otherwise they are cast to integers for it.
        unmeasured: calculation methods that it has not for a type, by how the type begins, where other warehouses have
            them.
        variance_pop: the population variance's function where it is not the one that the SQL printer knows.
        needs_analyze: a new table has no statistics until it is analyzed, and until then queries on it are planned
            badly.
        bigint_sums_widen: SUM of BIGINT yields a wider type than SUM of INTEGER, so sums of sums are cast back.
        has_whole_decimals: whole numbers are decimals without digits after the point, which may be incremental
            indicators.
        timestamps_are_instants: TIMESTAMP knows its time zone; DATETIME does not.
        epoch_micros: gives the microseconds since 1970 of an instant, where its text does not say its offset.
        timestamp_format: of TO_CHAR, for all digits of a timestamp, where a session may cut off digits of its plain
            text.
        average: what AVG of an exact number is; None where it was never tried, or is neither.
        functions: how PostgreSQL's functions are said.
        divides_whole_numbers: sqlglot's IntDiv leaves the remainder out as PostgreSQL's `/` does, also below zero.
        quantile: how an exact quantile is said; None where only estimates are aggregates.
        statistics: a query, with a place for ``{tables}``, for schema, table, estimated rows (negative: unknown),
            column, distinct values (negative: share of the rows), correlation, whether an index begins with the column,
            average bytes of a value; None where nothing cheap is known. See `sql/table_statistics.py`.
        table_bytes: a query, with a place for ``{tables}``, for schema, table, bytes it takes with all that belongs to
            it; None where the warehouse does not tell.
        descriptions: a query, with a place for ``{tables}``, for database, schema, table, column (empty: the relation
            itself), what it is (type with its digits, collation, NOT NULL, and after `` #`` the column's number where
            it never gets another; for a relation: table, view, …), and the DDL that collations are read from or NULL;
            None where the warehouse tells no more than types. See `sql/source_descriptions.py`.
        identities: a query, with a place for ``{tables}``, for dataset, table, identity of each table that the rows of
            a relation come from, NULL where a table has none; None where the catalog does not tell a table from its
            successor.
        row_version: a system column of the rows of tables that changes whenever a row is written; None where there is
            none.
        hash_text: a function of a text and a seed that hashes it, where there is no ``hash_columns``.
        row_bytes: what a row takes besides its values.
        comparable: families of column types, as the warehouse spells them in lower case without lengths: ``=`` between
            types of two families is refused, whatever the values. Types in no family are not known to be refused; empty
            where it was never tried.
        before_switch: statements at the head of the transaction that switches views. A switch must not keep readers
            waiting behind it, nor win a deadlock against one: it gives its locks up early and tries again.
        type_of: the function that names the type of an expression, also of NULL; None where there is none.
        find_relations: a query, with a place for ``{names}`` (rows of number, database or nothing, quoted name), for
            the numbers of the names that can be read; None: they are tried one by one.
        catalog: how the warehouse is asked what belongs to a view and who depends on it; None where it was never tried:
            then views are switched without looking.
        hurry: statements that let a session wait for locks for a short while only, and as long as before again.
        session_settings: the settings of a session that decide what a stored value is. See `sql/session_settings.py`.
        columns: a query for the columns of tables, see `sql/table_catalog.py`.
        tables: a query for the names of the tables and views in the schema that stands at ``{schema}``.
    """

    name: str
    sqlglot_name: str
    schemes: tuple[str, ...]
    sml_dialects: tuple[str, ...] = ()
    max_identifier: int = 127
    folding: Folding = Folding.LOWER
    transactional_ddl: bool = False
    begin_snapshot: str | None = None
    create_table: CreateTableStyle = CreateTableStyle.CREATE_TABLE_AS
    replace_view: ReplaceViewStyle = ReplaceViewStyle.REPLACE
    approx_count_distinct: str | None = "APPROX_COUNT_DISTINCT"
    hash_columns: str | None = None
    distinct_sketch: SketchFunctions | None = None
    percentile_sketch: SketchFunctions | None = None
    widens_integer_sums: bool = True
    adds_singles_as_they_are: bool = False
    refuses_underflow: bool = False
    deviation_of_one_is_zero: bool = False
    has_boolean_aggregate: bool = True
    unmeasured: Mapping[str, frozenset[str]] = field(default_factory=dict)
    variance_pop: str | None = None
    needs_analyze: bool = False
    bigint_sums_widen: bool = False
    has_whole_decimals: bool = False
    timestamps_are_instants: bool = False
    epoch_micros: str | None = None
    timestamp_format: str | None = None
    average: AverageType | None = None
    functions: FunctionStyle = FunctionStyle.PORTABLE
    divides_whole_numbers: bool = False
    quantile: QuantileStyle | None = None
    statistics: str | None = None
    table_bytes: str | None = None
    descriptions: str | None = None
    identities: str | None = None
    row_version: str | None = None
    hash_text: str | None = None
    row_bytes: int = 0
    comparable: tuple[frozenset[str], ...] = ()
    before_switch: tuple[str, ...] = ()
    find_relations: str | None = None
    type_of: str | None = None
    catalog: catalogs.CatalogQueries | None = None
    hurry: tuple[str, str] | None = None
    session_settings: SessionSettings | None = None
    columns: str = STANDARD_COLUMNS
    tables: str = STANDARD_TABLES


_POSTGRES_STATISTICS = """\
SELECT n.nspname, c.relname, CAST(c.reltuples AS BIGINT), a.attname, s.n_distinct, s.correlation,
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL),
  s.avg_width
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE (n.nspname, c.relname) IN ({tables})"""

_POSTGRES_DESCRIPTIONS = """\
SELECT current_database(), n.nspname, c.relname, a.attname,
  format_type(a.atttypid, a.atttypmod)
  || COALESCE(' COLLATE ' || quote_ident(k.collname) || CASE WHEN k.collisdeterministic THEN '' ELSE ' (nondeterministic)' END, '')
  || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || ' #' || a.attnum,
  NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation k ON k.oid = a.attcollation AND a.attcollation <> t.typcollation
WHERE (current_database(), n.nspname, c.relname) IN ({tables})
UNION ALL SELECT current_database(), n.nspname, c.relname, '', CASE c.relkind WHEN 'r' THEN 'table'
  WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (current_database(), n.nspname, c.relname) IN ({tables})"""

_POSTGRES_IDENTITIES = """\
WITH RECURSIVE under AS (
  SELECT t.dataset, to_regclass(t.spelled)::oid AS oid FROM (VALUES {tables}) AS t (dataset, spelled)
  UNION
  SELECT u.dataset, n.oid FROM under u CROSS JOIN LATERAL (
    SELECT d.refobjid AS oid FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    WHERE r.ev_class = u.oid AND r.ev_type = '1' AND d.refobjid <> u.oid
    UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = u.oid) n
)
SELECT u.dataset, n.nspname || '.' || c.relname, CASE c.relkind WHEN 'r' THEN c.oid || '/' || pg_relation_filenode(c.oid)
  WHEN 'p' THEN CAST(c.oid AS TEXT) WHEN 'v' THEN c.oid || '/' || md5(pg_get_viewdef(c.oid)) END
FROM under u JOIN pg_class c ON c.oid = u.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"""

_DUCKDB_DESCRIPTIONS = """\
SELECT database_name, schema_name, table_name, column_name,
  data_type || CASE WHEN is_nullable THEN '' ELSE ' NOT NULL' END, NULL
FROM duckdb_columns() WHERE (database_name, schema_name, table_name) IN ({tables})
UNION ALL SELECT database_name, schema_name, table_name, '', 'table', sql
FROM duckdb_tables() WHERE (database_name, schema_name, table_name) IN ({tables})
UNION ALL SELECT database_name, schema_name, view_name, '', 'view', NULL
FROM duckdb_views() WHERE (database_name, schema_name, view_name) IN ({tables})"""

_POSTGRES_TABLE_BYTES = """\
SELECT n.nspname, c.relname, pg_total_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN ({tables})"""

_POSTGRES_RELATIONS = """\
SELECT n.number FROM (VALUES {names}) AS n (number, base, name)
WHERE CASE WHEN n.base IN ('', current_database()) THEN
  EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = to_regclass(n.name) AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S'))
END"""

_DUCKDB_STATISTICS = """\
SELECT schema_name, table_name, estimated_size, NULL, NULL, NULL, FALSE, NULL FROM duckdb_tables()
WHERE database_name = current_database() AND (schema_name, table_name) IN ({tables})"""

_POSTGRES_COMPARABLE = (
    frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}),
    frozenset({"text", "character varying", "character"}),
    frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
    frozenset({"time without time zone", "time with time zone", "interval"}),
    frozenset({"boolean"}),
    frozenset({"uuid"}),
    frozenset({"bytea"}),
)

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

_ROWS = (
    Dialect(
        name="duckdb",
        sqlglot_name="duckdb",
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
        descriptions=_DUCKDB_DESCRIPTIONS,
        hash_columns="HASH",
        type_of="TYPEOF",
        comparable=_DUCKDB_COMPARABLE,
        catalog=catalogs.DUCKDB,
        session_settings=DUCKDB_SETTINGS,
        columns=DUCKDB_COLUMNS,
    ),
    Dialect(
        name="postgres",
        sqlglot_name="postgres",
        schemes=("postgresql", "postgres"),
        unmeasured=POSTGRES_UNMEASURED,
        sml_dialects=("Postgresql",),
        max_identifier=63,
        adds_singles_as_they_are=True,
        refuses_underflow=True,
        transactional_ddl=True,
        begin_snapshot="BEGIN ISOLATION LEVEL REPEATABLE READ",
        replace_view=ReplaceViewStyle.REPLACE,
        approx_count_distinct=None,
        needs_analyze=True,
        bigint_sums_widen=True,
        average=AverageType.EXACT,
        functions=FunctionStyle.NATIVE,
        quantile=QuantileStyle.WITHIN_GROUP,
        statistics=_POSTGRES_STATISTICS,
        table_bytes=_POSTGRES_TABLE_BYTES,
        descriptions=_POSTGRES_DESCRIPTIONS,
        identities=_POSTGRES_IDENTITIES,
        row_version="xmin",
        hash_text="HASHTEXTEXTENDED",
        row_bytes=28,
        comparable=_POSTGRES_COMPARABLE,
        before_switch=("SET LOCAL lock_timeout = '400ms'",),
        find_relations=_POSTGRES_RELATIONS,
        type_of="PG_TYPEOF",
        catalog=catalogs.POSTGRES,
        hurry=("SET lock_timeout = '2s'", "RESET lock_timeout"),
        session_settings=POSTGRES_SETTINGS,
        columns=POSTGRES_COLUMNS,
        tables=POSTGRES_TABLES,
    ),
    Dialect(
        name="snowflake",
        sqlglot_name="snowflake",
        session_settings=SNOWFLAKE_SETTINGS,
        schemes=("snowflake",),
        sml_dialects=("Snowflake",),
        max_identifier=255,
        folding=Folding.UPPER,
        has_whole_decimals=True,
        quantile=QuantileStyle.WITHIN_GROUP,
        timestamp_format="YYYY-MM-DD HH24:MI:SS.FF9",
        hash_columns="HASH",
        distinct_sketch=SketchFunctions(make="HLL_ACCUMULATE", merge="HLL_COMBINE"),
        percentile_sketch=SketchFunctions(make="APPROX_PERCENTILE_ACCUMULATE", merge="APPROX_PERCENTILE_COMBINE"),
    ),
    Dialect(
        name="bigquery",
        sqlglot_name="bigquery",
        session_settings=BIGQUERY_SETTINGS,
        schemes=("bigquery",),
        sml_dialects=("BigQuery",),
        max_identifier=300,
        folding=Folding.KEEP,
        timestamps_are_instants=True,
        epoch_micros="UNIX_MICROS",
        distinct_sketch=SketchFunctions(make="HLL_COUNT.INIT", merge="HLL_COUNT.MERGE_PARTIAL"),
    ),
    Dialect(
        name="databricks",
        sqlglot_name="databricks",
        session_settings=SPARK_SETTINGS,
        quantile=QuantileStyle.FUNCTION,
        schemes=("databricks",),
        sml_dialects=("DatabricksSQL",),
        max_identifier=255,
        folding=Folding.KEEP,
        timestamps_are_instants=True,
        epoch_micros="UNIX_MICROS",
        distinct_sketch=SketchFunctions(make="HLL_SKETCH_AGG", merge="HLL_UNION_AGG"),
    ),
    Dialect(
        name="spark",
        sqlglot_name="spark",
        session_settings=SPARK_SETTINGS,
        quantile=QuantileStyle.FUNCTION,
        schemes=("hive", "spark"),
        sml_dialects=("DatabricksSQL",),
        max_identifier=128,
        folding=Folding.KEEP,
        timestamps_are_instants=True,
        epoch_micros="UNIX_MICROS",
        distinct_sketch=SketchFunctions(make="HLL_SKETCH_AGG", merge="HLL_UNION_AGG"),
    ),
    Dialect(
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
    ),
    Dialect(
        name="trino",
        sqlglot_name="trino",
        session_settings=TRINO_SETTINGS,
        schemes=("trino",),
        max_identifier=127,
        approx_count_distinct="APPROX_DISTINCT",
        distinct_sketch=SketchFunctions(make="APPROX_SET", merge="MERGE"),
        percentile_sketch=SketchFunctions(make="TDIGEST_AGG", merge="MERGE"),
    ),
    Dialect(
        name="tsql",
        sqlglot_name="tsql",
        session_settings=TSQL_SETTINGS,
        schemes=("mssql",),
        max_identifier=128,
        folding=Folding.KEEP,
        transactional_ddl=True,
        create_table=CreateTableStyle.SELECT_INTO,
        replace_view=ReplaceViewStyle.DROP_CREATE,
        widens_integer_sums=False,
        has_boolean_aggregate=False,
        variance_pop="VARP",
    ),
)

DIALECTS: Mapping[str, Dialect] = {row.name: row for row in _ROWS}
"""Every dialect by name. DuckDB and PostgreSQL are proven by running; the others by rendering and parsing back."""


def find_dialect(name: str) -> Dialect:
    """The row of a dialect.

    Raises:
        UnsupportedOnDialectError: no such row; names near ones.
    """
    row = DIALECTS.get(name)
    if row is None:
        near = ", ".join(near_names(name, DIALECTS)) or ", ".join(DIALECTS)
        raise UnsupportedOnDialectError(name, "", f"there is no capability row for this dialect; known: {near}")
    return row


def dialect_of_url(url: str) -> Dialect:
    """The row for a warehouse URL.

    >>> dialect_of_url("postgresql+psycopg://host/db").name
    'postgres'

    Raises:
        UnsupportedOnDialectError: no row has this scheme.
    """
    scheme = url.partition(":")[0].partition("+")[0].casefold()
    for row in _ROWS:
        if scheme in row.schemes:
            return row
    schemes = ", ".join(scheme for row in _ROWS for scheme in row.schemes)
    raise UnsupportedOnDialectError(scheme, "", f"no warehouse dialect has this URL scheme; known: {schemes}")
