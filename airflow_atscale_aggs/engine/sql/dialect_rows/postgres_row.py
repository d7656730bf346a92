"""PostgreSQL, which tests and users run."""

from __future__ import annotations

from airflow_atscale_aggs.engine.sql import view_catalog as catalogs
from airflow_atscale_aggs.engine.sql.capabilities import (
    AverageType,
    Dialect,
    FunctionStyle,
    Proven,
    QuantileStyle,
    ReplaceViewStyle,
    RowFence,
)
from airflow_atscale_aggs.engine.sql.column_types import POSTGRES_UNMEASURED
from airflow_atscale_aggs.engine.sql.session_settings import POSTGRES_SETTINGS
from airflow_atscale_aggs.engine.sql.table_catalog import (
    POSTGRES_COLUMNS,
    POSTGRES_FOREIGN_KEYS,
    POSTGRES_SCHEMAS,
    POSTGRES_TABLES,
)

_POSTGRES_STATISTICS = """\
SELECT n.nspname, c.relname, CAST(c.reltuples AS BIGINT), a.attname, s.n_distinct, s.correlation,
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL),
  s.avg_width
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN (SELECT * FROM pg_stats WHERE (schemaname, tablename) IN ({tables})) AS s
  ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
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

_POSTGRES_TABLE_BYTES = """\
SELECT n.nspname, c.relname, pg_total_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN ({tables})"""

_POSTGRES_RELATIONS = """\
SELECT n.number FROM (VALUES {names}) AS n (number, base, name)
WHERE CASE WHEN n.base IN ('', current_database()) THEN
  EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = to_regclass(n.name) AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S'))
END"""

_POSTGRES_COMPARABLE = (
    frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}),
    frozenset({"text", "character varying", "character"}),
    frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
    frozenset({"time without time zone", "time with time zone", "interval"}),
    frozenset({"boolean"}),
    frozenset({"uuid"}),
    frozenset({"bytea"}),
)


POSTGRES = Dialect(
    name="postgres",
    sqlglot_name="postgres",
    proven=Proven.IN_CI,
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
    groups_by_codes=True,
    hash_text="HASHTEXTEXTENDED",
    row_bytes=28,
    takes_samples=True,
    comparable=_POSTGRES_COMPARABLE,
    before_switch=("SET LOCAL lock_timeout = '400ms'",),
    find_relations=_POSTGRES_RELATIONS,
    type_of="PG_TYPEOF",
    catalog=catalogs.POSTGRES,
    hurry=("SET lock_timeout = '2s'", "RESET lock_timeout"),
    assume_role=("SET ROLE {role}", "RESET ROLE"),
    session_settings=POSTGRES_SETTINGS,
    fence=RowFence.OFFSET,
    columns=POSTGRES_COLUMNS,
    tables=POSTGRES_TABLES,
    schemas=POSTGRES_SCHEMAS,
    foreign_keys=POSTGRES_FOREIGN_KEYS,
)
