"""How models stand in the views of a warehouse's catalog: which column of a view shows what of a model, as data.

Texts are SQL over a relation ``models`` with these columns: ``schema``, ``schema_number``, ``model``, ``number``,
``width`` (of each model), ``name``, ``place``, ``type`` (of each of its columns). Columns that are not listed are NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class Shown(StrEnum):
    """What a row of a view stands for."""

    SCHEMA = "schema"
    RELATION = "relation"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class ModelView:
    """A view of the catalog that shows models.

    Attributes:
        columns: by name of the view's column: the expression that it shows.
    """

    shown: Shown
    columns: Mapping[str, str]


INFORMATION_SCHEMA = "information_schema"
PG_CATALOG = "pg_catalog"

_SCHEMA_NUMBER = "COALESCE((SELECT MIN(n.oid) FROM pg_catalog.pg_namespace AS n WHERE n.nspname = models.schema), models.schema_number)"
_FALSE = dict.fromkeys(
    (
        *("relhasindex", "relisshared", "relhasoids", "relhaspkey", "relhasrules", "relhastriggers", "relhassubclass"),
        *("relrowsecurity", "relforcerowsecurity", "relispartition"),
        *("attnotnull", "atthasdef", "atthasmissing", "attisdropped", "attbyval"),
    ),
    "FALSE",
)
_ZERO = dict.fromkeys(
    (
        *("reltype", "reloftype", "relowner", "relam", "relfilenode", "reltablespace", "relpages", "relallvisible"),
        *("reltoastrelid", "reltoastidxid", "relchecks", "relrewrite"),
        *("attndims", "attinhcount", "attcollation", "nspowner"),
    ),
    "0",
)

_TABLE = {"table_catalog": "CURRENT_DATABASE()", "table_schema": "models.schema", "table_name": "models.model"}

MODEL_VIEWS: Mapping[tuple[str, str], ModelView] = {
    (INFORMATION_SCHEMA, "tables"): ModelView(
        Shown.RELATION,
        {
            **_TABLE,
            "table_type": "'VIEW'",
        },
    ),
    (INFORMATION_SCHEMA, "columns"): ModelView(
        Shown.COLUMN,
        {
            **_TABLE,
            "column_name": "models.name",
            "ordinal_position": "models.place",
            "is_nullable": "'YES'",
            "data_type": "models.type",
        },
    ),
    (INFORMATION_SCHEMA, "schemata"): ModelView(
        Shown.SCHEMA,
        {"catalog_name": "CURRENT_DATABASE()", "schema_name": "models.schema", "schema_owner": "CURRENT_USER"},
    ),
    (INFORMATION_SCHEMA, "views"): ModelView(
        Shown.RELATION,
        {
            **_TABLE,
            "check_option": "'NONE'",
            "is_updatable": "'NO'",
            "is_insertable_into": "'NO'",
        },
    ),
    (PG_CATALOG, "pg_namespace"): ModelView(
        Shown.SCHEMA,
        {"oid": "models.schema_number", "nspname": "models.schema", "nspowner": "0"},
    ),
    (PG_CATALOG, "pg_class"): ModelView(
        Shown.RELATION,
        {
            **_FALSE,
            **_ZERO,
            "oid": "models.number",
            "relname": "models.model",
            "relnamespace": _SCHEMA_NUMBER,
            "reltuples": "-1",
            "relpersistence": "'p'",
            "relkind": "'v'",
            "relnatts": "models.width",
            "relispopulated": "TRUE",
            "relreplident": "'n'",
        },
    ),
    (PG_CATALOG, "pg_attribute"): ModelView(
        Shown.COLUMN,
        {
            **_FALSE,
            **_ZERO,
            "attrelid": "models.number",
            "attname": "models.name",
            "attstattarget": "-1",
            "attnum": "models.place",
            "attcacheoff": "-1",
            "attidentity": "''",
            "attgenerated": "''",
            "attcompression": "''",
            "attislocal": "TRUE",
        },
    ),
    (PG_CATALOG, "pg_views"): ModelView(
        Shown.RELATION,
        {"schemaname": "models.schema", "viewname": "models.model", "viewowner": "CURRENT_USER"},
    ),
}
"""By schema and name of the view."""

_POSTGRES_ROLE = "(SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER)"
POSTGRES_VALUES: Mapping[str, str] = {
    "relowner": _POSTGRES_ROLE,
    "nspowner": _POSTGRES_ROLE,
    "atttypid": "TO_REGTYPE(models.type)",
    "atttypmod": "-1",
    **{
        f"att{name}": f"(SELECT t.typ{name} FROM pg_catalog.pg_type AS t WHERE t.oid = TO_REGTYPE(models.type))"
        for name in ("len", "byval", "align", "storage", "collation")
    },
}
"""What PostgreSQL says in its own way. A type has no length: no model promises one."""

DUCKDB_VALUES: Mapping[str, str] = {
    "relreplident": "NULL",
    "attcompression": "NULL",
    "atttypid": "(SELECT MIN(t.type_oid) FROM DUCKDB_TYPES() AS t WHERE t.logical_type = "
    "CASE WHEN models.type LIKE '%]' THEN 'LIST' ELSE SPLIT_PART(models.type, '(', 1) END)",
    "atttypmod": "CASE WHEN models.type LIKE 'DECIMAL(%' THEN "
    "CAST(SPLIT_PART(SPLIT_PART(models.type, '(', 2), ',', 1) AS INTEGER) * 1000 "
    "+ CAST(RTRIM(SPLIT_PART(models.type, ',', 2), ')') AS INTEGER) ELSE -1 END",
}
"""What DuckDB says in its own way: the numbers of its types, and a decimal's length as its catalog packs it."""

_NO_ROWS = {
    "pg_matviews": "schemaname VARCHAR, matviewname VARCHAR, matviewowner VARCHAR, tablespace VARCHAR, definition VARCHAR",
    "pg_stat_user_tables": "relid BIGINT, schemaname VARCHAR, relname VARCHAR, n_live_tup BIGINT",
    "pg_inherits": "inhrelid BIGINT, inhparent BIGINT, inhseqno INTEGER",
}
"""Views that DuckDB has not and clients join, by what they would show: names and types."""

DUCKDB_VIEWS: Mapping[str, str] = {
    **{
        view: "SELECT "
        + ", ".join(
            f"CAST(NULL AS {kind}) AS {name}"
            for name, kind in (name_and_type.split() for name_and_type in columns.split(", "))
        )
        + " WHERE FALSE"
        for view, columns in _NO_ROWS.items()
    },
    "pg_type": "SELECT t.* REPLACE (COALESCE((SELECT MIN(d.type_oid) FROM DUCKDB_TYPES() AS d "
    "WHERE FORMAT_PG_TYPE(d.logical_type, d.type_name) = t.typname), t.oid) AS oid) FROM pg_catalog.pg_type AS t",
}
"""Views that DuckDB shows otherwise than its other views refer to them: types bear PostgreSQL's numbers, columns name
DuckDB's.
"""

DUCKDB_TEXTS: Mapping[str, str] = {
    "pg_class": "(SELECT MIN(d.database_oid) FROM DUCKDB_DATABASES() AS d WHERE d.database_name = CURRENT_DATABASE())",
}
"""What DuckDB, which has no REGCLASS, says of a catalog's relation that a text names: comments are its databases'. 0
for others.
"""

_DEFINITION_FUNCTIONS = (
    *("pg_get_ruledef", "pg_get_triggerdef", "pg_get_partkeydef", "pg_get_indexdef"),
    *("pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns", "pg_get_functiondef"),
    *("pg_get_function_arguments", "pg_get_function_result", "pg_get_function_identity_arguments"),
)
"""Functions that show how rules, indexes, functions and the like were defined."""

DUCKDB_MISSING: Mapping[str, str] = {
    "pg_get_userbyid": "CURRENT_USER",
    **dict.fromkeys(
        (
            *_DEFINITION_FUNCTIONS,
            *("pg_encoding_to_char", "pg_relation_is_publishable", "has_type_privilege"),
        ),
        "NULL",
    ),
}
"""Functions that DuckDB has not, and what they would say."""

VISIBLE = "pg_table_is_visible"
TO_RELATION = "to_regclass"
PRIVILEGES: Mapping[str, tuple[int, Shown, str]] = {
    "has_table_privilege": (-2, Shown.RELATION, "select"),
    "has_any_column_privilege": (-2, Shown.RELATION, "select"),
    "has_column_privilege": (-3, Shown.RELATION, "select"),
    "has_schema_privilege": (-2, Shown.SCHEMA, "usage"),
}
"""By function: which argument names what, and the only right that there is on it."""

HARMLESS = frozenset(
    {
        *("format_type", "obj_description", "col_description", "shobj_description"),
        *("pg_get_userbyid", "pg_get_expr", "pg_get_viewdef", "pg_get_constraintdef"),
        *_DEFINITION_FUNCTIONS,
        *("pg_type_is_visible", "pg_function_is_visible", "pg_collation_is_visible", "pg_operator_is_visible"),
        *("pg_encoding_to_char", "pg_is_other_temp_schema", "pg_my_temp_schema", "pg_backend_pid", "pg_typeof"),
        *("pg_partition_ancestors", "pg_relation_is_publishable", "pg_has_role"),
        *("has_database_privilege", "has_type_privilege", "has_function_privilege", "has_language_privilege"),
    }
)
"""Functions of the catalog that say the truth, which is nothing, of a number that no relation of the warehouse has."""

CATALOG_FUNCTIONS = ("pg_", "has_", "to_reg", "obj_", "col_", "shobj_", "row_security", "table_to", "query_to")
"""How the names of functions begin that look something up in the catalog."""

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"})
"""Columns that tables have and queries have not."""
