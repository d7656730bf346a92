"""How a warehouse is asked which tables it has: rows of the capability table.

``columns`` queries give, for the tables whose lower-case names stand at ``{names}``, one row per column: database,
schema, table, column, type, place of the schema among those that names without schema are looked for in (NULL: none of
them), whether the database is the session's own, ``table`` or ``view`` or something else, what the session may not do
(empty: it may read the column), and whether the rows that it sees depend on who it is.

``foreign_keys`` queries give one row per column of each declared foreign key, in its order: what tells the
key from others of its table, table, column, table referred to, column there.
"""

from __future__ import annotations

STANDARD_COLUMNS = """\
SELECT c.table_catalog, c.table_schema, c.table_name, c.column_name, c.data_type,
  CASE WHEN c.table_schema = current_schema() THEN 1 END, c.table_catalog = current_catalog,
  CASE t.table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'VIEW' THEN 'view' ELSE t.table_type END, '', FALSE
FROM information_schema.columns AS c LEFT JOIN information_schema.tables AS t
  ON t.table_catalog = c.table_catalog AND t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE LOWER(c.table_name) IN ({names}) ORDER BY c.ordinal_position"""

STANDARD_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}"

STANDARD_SCHEMAS = """\
SELECT table_schema, COUNT(*) FROM information_schema.tables
WHERE LOWER(table_schema) NOT IN ('information_schema', 'pg_catalog') GROUP BY table_schema"""

# Types have their digits beside them. Of timestamps it does not tell how many they have: nine, unless somebody said less.
SNOWFLAKE_COLUMNS = """\
SELECT c.table_catalog, c.table_schema, c.table_name, c.column_name,
  CASE WHEN c.data_type = 'NUMBER' THEN 'NUMBER(' || c.numeric_precision || ',' || c.numeric_scale || ')'
    WHEN c.data_type LIKE 'TIMESTAMP%' THEN c.data_type || '(9)'
    ELSE c.data_type END,
  CASE WHEN c.table_schema = CURRENT_SCHEMA() THEN 1 END, c.table_catalog = CURRENT_DATABASE(),
  CASE t.table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'VIEW' THEN 'view' ELSE t.table_type END, '', FALSE
FROM {database}information_schema.columns AS c LEFT JOIN {database}information_schema.tables AS t
  ON t.table_catalog = c.table_catalog AND t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE LOWER(c.table_name) IN ({names}) ORDER BY c.ordinal_position"""

# information_schema is made of the same functions, and asks for more. Views are few where aggregates are many, and DuckDB
# takes as long to list tables as to list all their columns.
DUCKDB_COLUMNS = """\
SELECT c.database_name, c.schema_name, c.table_name, c.column_name, c.data_type,
  LIST_POSITION(CURRENT_SCHEMAS(TRUE)[2:], c.schema_name), c.database_name = CURRENT_CATALOG(),
  CASE WHEN NOT v.view_name IS NULL THEN 'view' WHEN c.database_name = 'temp' THEN 'LOCAL TEMPORARY' ELSE 'table' END,
  '', FALSE
FROM duckdb_columns() AS c LEFT JOIN duckdb_views() AS v
  ON v.database_name = c.database_name AND v.schema_name = c.schema_name AND v.view_name = c.table_name
WHERE LOWER(c.table_name) IN ({names}) ORDER BY c.column_index"""

# information_schema hides what the role may not read, as if it were not there.
POSTGRES_COLUMNS = """\
SELECT CURRENT_DATABASE(), n.nspname, c.relname, a.attname,
  CASE WHEN y.typtype = 'd' THEN
    CASE WHEN b.typelem <> 0 AND b.typlen = -1 THEN 'ARRAY'
      WHEN bn.nspname = 'pg_catalog' THEN FORMAT_TYPE(y.typbasetype, NULL) ELSE 'USER-DEFINED' END
  ELSE CASE WHEN y.typelem <> 0 AND y.typlen = -1 THEN 'ARRAY'
      WHEN yn.nspname = 'pg_catalog' THEN FORMAT_TYPE(a.atttypid, NULL) ELSE 'USER-DEFINED' END END,
  ARRAY_POSITION(CURRENT_SCHEMAS(TRUE), n.nspname), TRUE,
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'm' THEN 'table' WHEN 'v' THEN 'view' ELSE 'foreign' END,
  CASE WHEN NOT HAS_SCHEMA_PRIVILEGE(n.oid, 'USAGE') THEN 'schema'
    WHEN HAS_TABLE_PRIVILEGE(c.oid, 'SELECT') THEN ''
    WHEN HAS_COLUMN_PRIVILEGE(c.oid, a.attnum, 'SELECT') THEN ''
    WHEN HAS_ANY_COLUMN_PRIVILEGE(c.oid, 'SELECT') THEN 'column' ELSE 'table' END,
  c.relrowsecurity
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS y ON y.oid = a.atttypid JOIN pg_namespace AS yn ON yn.oid = y.typnamespace
LEFT JOIN pg_type AS b ON y.typtype = 'd' AND b.oid = y.typbasetype
LEFT JOIN pg_namespace AS bn ON bn.oid = b.typnamespace
WHERE LOWER(c.relname) IN ({names}) AND c.relkind IN ('r', 'p', 'm', 'v', 'f') ORDER BY a.attnum"""

POSTGRES_TABLES = """\
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'm', 'v', 'f')"""

DUCKDB_SCHEMAS = """\
SELECT schema_name, COUNT(*) FROM (
  SELECT schema_name FROM duckdb_tables() WHERE database_name = CURRENT_DATABASE() AND NOT internal
  UNION ALL SELECT schema_name FROM duckdb_views() WHERE database_name = CURRENT_DATABASE() AND NOT internal) AS t
GROUP BY schema_name"""

POSTGRES_SCHEMAS = """\
SELECT n.nspname, COUNT(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND HAS_SCHEMA_PRIVILEGE(n.oid, 'USAGE')
GROUP BY n.nspname"""

DUCKDB_FOREIGN_KEYS = """\
SELECT constraint_index, table_name, UNNEST(constraint_column_names), referenced_table, UNNEST(referenced_column_names)
FROM duckdb_constraints()
WHERE constraint_type = 'FOREIGN KEY' AND database_name = CURRENT_DATABASE() AND schema_name = {schema}"""

# A partition has a copy of its table's keys.
POSTGRES_FOREIGN_KEYS = """\
SELECT k.conname, c.relname, a.attname, f.relname, b.attname
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS f ON f.oid = k.confrelid AND f.relnamespace = c.relnamespace
CROSS JOIN LATERAL UNNEST(k.conkey, k.confkey) WITH ORDINALITY AS p (ours, theirs, place)
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.ours
JOIN pg_attribute AS b ON b.attrelid = f.oid AND b.attnum = p.theirs
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = {schema}
ORDER BY c.relname, k.conname, p.place"""
