"""What a warehouse's catalog says about views and what belongs to them: queries as data, one value per dialect.

Places in the texts are filled by `engine.warehouse.schema_catalog` with literals. Statements that give rights and
comments back are composed by the warehouse itself, with its own quoting, since only it knows all that can belong to a
view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.model_relations import (
    DUCKDB_MISSING,
    DUCKDB_TEXTS,
    DUCKDB_VALUES,
    DUCKDB_VIEWS,
    POSTGRES_VALUES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQueries:
    """Queries about stable views, with places for values.

    The places are ``{schema}``, ``{names}``, ``{name}``, ``{target}`` and ``{kind}``, the last two as literals.

    Attributes:
        relations: name, kind in words, owner, whether the session may replace it, whether the owner is the session's
            role, for whatever bears one of the names.
        columns: relation, column, type, in order.
        reads: view, relation that it reads.
        dependents: relation, dependent as people write it, kind, names of the columns that it reads. None: the
            warehouse does not keep them, and ``views`` is read instead.
        views: schema, name and SQL of all views that people made.
        belongings: relation, kind (``owner`` | ``options`` | ``comment`` | ``label`` | ``grant``), column or NULL, and the statement that
            gives it to ``{target}``, in the order in which they are to be run.
        revocations: statements that take all rights on a relation away that it got by default.
        grant_select: the statement that lets the owner of ``{name}`` read ``{target}``, where that is another role.
        rights: the session's role, whether it may create in the schema, whether the schema is there.
        lost_by_replace: kinds of belongings that CREATE OR REPLACE VIEW takes away.
        replaces_any_columns: CREATE OR REPLACE VIEW may take columns away and change types; otherwise it may only add
            some.
        widenings: (type, wider type) between which no value changes, as the catalog spells them, without lengths.
        model_values: by column of the catalog's views: what it shows of a model. See `sql/model_relations.py`.
        own_views: by name of a catalog's view: the query that stands in its place beside models.
        relation_texts: what a text that names a relation of the catalog stands for; None where a cast to REGCLASS
            tells.
        missing_functions: by name of a function that the warehouse has not: what it would say.
    """

    relations: str
    columns: str
    reads: str | None
    dependents: str | None
    views: str | None
    belongings: str
    revocations: str | None
    grant_select: str | None
    rights: str | None
    lost_by_replace: frozenset[str]
    replaces_any_columns: bool
    widenings: frozenset[tuple[str, str]] = frozenset()
    model_values: Mapping[str, str] = field(default_factory=dict)
    own_views: Mapping[str, str] = field(default_factory=dict)
    relation_texts: Mapping[str, str] | None = None
    missing_functions: Mapping[str, str] = field(default_factory=dict)


_POSTGRES_RELATIONS = """\
SELECT c.relname, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
  WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' WHEN 'c' THEN 'type'
  ELSE 'index' END, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner) = current_user
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname IN ({names})
UNION ALL
SELECT t.typname, 'type', pg_get_userbyid(t.typowner), FALSE, pg_get_userbyid(t.typowner) = current_user
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = {schema} AND t.typname IN ({names}) AND t.typrelid = 0 AND t.typcategory <> 'A'"""

_POSTGRES_COLUMNS = """\
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
  || CASE WHEN a.attcollation = t.typcollation THEN '' ELSE ' COLLATE ' || l.collname END
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE n.nspname = {schema} AND c.relname IN ({names}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""

_POSTGRES_READS = """\
SELECT DISTINCT v.relname, t.relname
FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid
WHERE n.nspname = {schema} AND v.relname IN ({names})"""

# Rules and triggers of the relation itself are among its dependents: a DROP would take them along without a word.
_POSTGRES_DEPENDENTS = """\
WITH wanted AS (
  SELECT c.oid, c.relname, c.relkind, c.reltype, t.typarray FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_type t ON t.oid = c.reltype WHERE n.nspname = {schema} AND c.relname IN ({names})
), found AS (
  SELECT w.relname, w.oid AS wanted, d.classid, d.objid, r.oid AS rule, r.ev_class, a.attname
  FROM wanted w JOIN pg_depend d
    ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid)
    OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (w.reltype, w.typarray))
  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass AND a.attrelid = w.oid AND a.attnum = d.refobjsubid
    AND d.refobjsubid > 0
  WHERE (d.deptype = 'n' OR (d.deptype = 'a' AND w.relkind = 'v'))
    AND NOT (d.classid = 'pg_class'::regclass AND d.objid = w.oid) AND (r.oid IS NULL OR r.ev_class <> w.oid OR r.rulename <> '_RETURN')
)
SELECT f.relname, o.identity, o.type, array_agg(DISTINCT f.attname) FILTER (WHERE f.attname IS NOT NULL)
FROM found f CROSS JOIN LATERAL pg_identify_object(
  CASE WHEN f.rule IS NULL OR f.ev_class = f.wanted THEN f.classid ELSE 'pg_class'::regclass END,
  CASE WHEN f.rule IS NULL OR f.ev_class = f.wanted THEN f.objid ELSE f.ev_class END, 0) o
GROUP BY f.relname, o.identity, o.type ORDER BY f.relname, o.type, o.identity"""

_POSTGRES_BELONGINGS = """\
WITH old AS (
  SELECT c.oid, c.relname, c.relacl, c.reloptions, pg_get_userbyid(c.relowner) AS owner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname IN ({names})
), rights AS (
  SELECT relname, NULL AS attname, owner, (aclexplode(relacl)).* FROM old
  UNION ALL SELECT relname, a.attname, owner, (aclexplode(a.attacl)).* FROM old JOIN pg_attribute a ON a.attrelid = old.oid AND NOT a.attisdropped
), given AS (
  SELECT relname, 1 AS place, 'owner' AS kind, NULL::name AS attname, format('ALTER %s %s OWNER TO %I', {kind}, {target}, owner) AS statement
  FROM old WHERE owner <> current_user
  UNION ALL SELECT relname, 2, 'options', NULL, format('ALTER %s %s SET (%s)', {kind}, {target}, array_to_string(reloptions, ', '))
  FROM old WHERE reloptions IS NOT NULL
  UNION ALL SELECT relname, 3, 'comment', NULL, format('COMMENT ON %s %s IS %L', {kind}, {target}, d.description)
  FROM old JOIN pg_description d ON d.objoid = old.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
  UNION ALL SELECT relname, 3, 'comment', a.attname, format('COMMENT ON COLUMN %s.%I IS %L', {target}, a.attname, d.description)
  FROM old JOIN pg_description d ON d.objoid = old.oid AND d.classoid = 'pg_class'::regclass
  JOIN pg_attribute a ON a.attrelid = old.oid AND a.attnum = d.objsubid AND a.attnum > 0
  UNION ALL SELECT relname, 4, 'label', a.attname, CASE WHEN a.attname IS NULL
    THEN format('SECURITY LABEL FOR %I ON %s %s IS %L', s.provider, {kind}, {target}, s.label)
    ELSE format('SECURITY LABEL FOR %I ON COLUMN %s.%I IS %L', s.provider, {target}, a.attname, s.label) END
  FROM old JOIN pg_seclabel s ON s.objoid = old.oid AND s.classoid = 'pg_class'::regclass
  LEFT JOIN pg_attribute a ON a.attrelid = old.oid AND a.attnum = s.objsubid AND a.attnum > 0
  UNION ALL SELECT DISTINCT relname, 5, 'grant', r.attname, format('GRANT %s%s ON %s TO %s%s', privilege_type,
    CASE WHEN r.attname IS NULL THEN '' ELSE format(' (%I)', r.attname) END, {target},
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM rights r WHERE grantee = 0 OR pg_get_userbyid(grantee) <> r.owner
)
SELECT relname, kind, attname, statement FROM given ORDER BY relname, place, statement"""

_POSTGRES_REVOCATIONS = """\
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', {target}, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE n.nspname = {schema} AND c.relname = {name} AND a.grantee <> c.relowner"""

_POSTGRES_GRANT_SELECT = """\
SELECT format('GRANT SELECT ON %s TO %I', {target}, pg_get_userbyid(c.relowner))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relname = {name} AND pg_get_userbyid(c.relowner) <> current_user"""

_POSTGRES_RIGHTS = """\
SELECT current_user, COALESCE((SELECT has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n WHERE n.nspname = {schema}), FALSE),
  EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname = {schema})"""

_POSTGRES_WIDENINGS = frozenset(
    {
        ("smallint", "integer"),
        ("smallint", "bigint"),
        ("integer", "bigint"),
        ("smallint", "numeric"),
        ("integer", "numeric"),
        ("bigint", "numeric"),
        ("real", "double precision"),
        ("smallint", "double precision"),
        ("integer", "double precision"),
        ("character varying", "text"),
        ("character varying", "character varying"),
        ("numeric", "numeric"),
        ("date", "timestamp without time zone"),
    }
)
"""To the wider type without a length; what has one is not known to hold every value."""

POSTGRES = CatalogQueries(
    relations=_POSTGRES_RELATIONS,
    columns=_POSTGRES_COLUMNS,
    reads=_POSTGRES_READS,
    dependents=_POSTGRES_DEPENDENTS,
    views=None,
    belongings=_POSTGRES_BELONGINGS,
    revocations=_POSTGRES_REVOCATIONS,
    grant_select=_POSTGRES_GRANT_SELECT,
    rights=_POSTGRES_RIGHTS,
    lost_by_replace=frozenset({"options"}),
    replaces_any_columns=False,
    widenings=_POSTGRES_WIDENINGS,
    model_values=POSTGRES_VALUES,
)

_DUCKDB_RELATIONS = """\
SELECT table_name, 'table', '', TRUE, TRUE FROM duckdb_tables()
WHERE database_name = current_database() AND schema_name = {schema} AND lower(table_name) IN ({names})
UNION ALL
SELECT view_name, 'view', '', TRUE, TRUE FROM duckdb_views()
WHERE database_name = current_database() AND schema_name = {schema} AND lower(view_name) IN ({names})"""

_DUCKDB_COLUMNS = """\
SELECT table_name, column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = {schema} AND lower(table_name) IN ({names}) ORDER BY column_index"""

_DUCKDB_VIEWS = """\
SELECT schema_name, view_name, sql FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
ORDER BY schema_name, view_name"""

_DUCKDB_BELONGINGS = """\
SELECT name, 'comment', NULL, 'COMMENT ON ' || {kind} || ' ' || {target} || ' IS ''' || replace(comment, '''', '''''') || ''''
FROM (SELECT schema_name, view_name AS name, comment FROM duckdb_views() WHERE database_name = current_database()
  UNION ALL SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE database_name = current_database())
WHERE schema_name = {schema} AND lower(name) IN ({names}) AND comment IS NOT NULL
UNION ALL
SELECT table_name, 'comment', column_name, 'COMMENT ON COLUMN ' || {target} || '."' || replace(column_name, '"', '""') || '" IS '''
  || replace(comment, '''', '''''') || ''''
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = {schema} AND lower(table_name) IN ({names}) AND comment IS NOT NULL"""

DUCKDB = CatalogQueries(
    relations=_DUCKDB_RELATIONS,
    columns=_DUCKDB_COLUMNS,
    reads=None,
    dependents=None,
    views=_DUCKDB_VIEWS,
    belongings=_DUCKDB_BELONGINGS,
    revocations=None,
    grant_select=None,
    rights=None,
    lost_by_replace=frozenset({"comment"}),
    replaces_any_columns=True,
    model_values=DUCKDB_VALUES,
    own_views=DUCKDB_VIEWS,
    relation_texts=DUCKDB_TEXTS,
    missing_functions=DUCKDB_MISSING,
)
