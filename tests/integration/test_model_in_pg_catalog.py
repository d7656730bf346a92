"""Models in pg_catalog: statements as the PostgreSQL drivers and BI tools send them, of what there is and what it is
like.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import tiny_star

_COLUMNS = ["Month", "Day", "City", "Shop", "Quantity", "Amount", "Average Amount"]


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with its model deployed."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    deploy(empty_workspace, tiny_star.write_model(tmp_path / "model"), now=datetime.now(UTC))
    return empty_workspace


def _is_postgres(workspace: Workspace) -> bool:
    return workspace.warehouse.dialect.name == "postgres"


def _own(workspace: Workspace, sql: str) -> list[tuple[object, ...]]:
    with workspace.warehouse.session() as session:
        return session.fetch_all(sql)


_JDBC_TABLES = """
SELECT NULL AS table_cat, n.nspname AS table_schem, c.relname AS table_name,
  CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' END AS table_type, d.description AS remarks
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND c.relname LIKE '%sales'
ORDER BY table_type, table_schem, table_name"""
_JDBC_COLUMNS = """
SELECT * FROM (
  SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull, a.atttypmod, a.attlen,
    row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum,
    pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)
  JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid)
  LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)
  WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'tiny'
) c WHERE true ORDER BY nspname, c.relname, attnum"""
_TYPES = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
  pg_catalog.col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname = 'tiny_sales' AND a.attnum > 0 ORDER BY a.attnum"""


def test_drivers_find_a_model_as_a_view(workspace: Workspace) -> None:
    """It stands beside the tables that there are, with its columns in order and the types of the warehouse."""
    assert [row[1:] for row in answer(workspace, _JDBC_TABLES).rows] == [
        (_own(workspace, "SELECT current_schema()")[0][0], "sales", "TABLE", None),
        ("tiny", "tiny_sales", "VIEW", None),
    ]
    columns = answer(workspace, _JDBC_COLUMNS).rows
    assert [(row[1], row[2], row[7]) for row in columns] == [
        ("tiny_sales", name, place) for place, name in enumerate(_COLUMNS, 1)
    ]
    kinds = {name: kind for name, kind, _ in answer(workspace, _TYPES).rows}
    assert list(kinds) == _COLUMNS
    expected = ("character varying", "bigint", "numeric") if _is_postgres(workspace) else ("varchar", None, None)
    assert kinds["City"] == expected[0]
    assert kinds["Average Amount"] in {"double precision", "numeric", "float8"}
    catalog_types = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'tiny_sales'"
    if _is_postgres(workspace):
        assert {name: kind.partition("(")[0] for name, kind in kinds.items()} == dict(
            answer(workspace, catalog_types).rows
        )


_REFLECTED = """
SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.pg_class.relname AS table_name
FROM pg_catalog.pg_class
LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid
  AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm'])
  AND pg_catalog.pg_class.relname IN ('tiny_sales')
ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum"""
_ODBC = """
SELECT a.attname, c.relname FROM ((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n
    ON n.oid = c.relnamespace AND c.relname = 'tiny_sales' AND n.nspname = 'tiny')
  INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum > 0 AND a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY n.nspname, c.relname, a.attnum"""


@pytest.mark.parametrize("sql", [_REFLECTED, _ODBC], ids=["SQLAlchemy", "psqlODBC"])
def test_columns_are_reflected(workspace: Workspace, sql: str) -> None:
    """Columns have the names of their schemas, and joins are in parentheses."""
    assert answer(workspace, sql).rows == [(name, "tiny_sales") for name in _COLUMNS]


def test_a_sample_of_the_catalog_shows_no_models(workspace: Workspace) -> None:
    """A sample would be one of other rows."""
    share = "100" if _is_postgres(workspace) else "100 PERCENT"
    sql = f"SELECT relname FROM pg_catalog.pg_class TABLESAMPLE BERNOULLI ({share}) WHERE relname LIKE '%sales'"
    assert (answer(workspace, sql).plan.sql, answer(workspace, sql).rows) == (sql, [("sales",)])


def test_schemas_and_views_of_the_information_schema(workspace: Workspace) -> None:
    """The catalog is a schema, the model a view in it."""
    schemas = "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'tiny'"
    assert answer(workspace, schemas).rows == [("tiny",)]
    views = "SELECT table_schema, is_updatable FROM information_schema.views WHERE table_name = 'tiny_sales'"
    assert answer(workspace, views).rows[0][0] == "tiny"


def test_what_is_the_warehouses_own_stays_as_it_is(workspace: Workspace) -> None:
    """Rows stay, and so do the types of their columns."""
    for sql in (
        "SELECT oid, relname, relkind, relnatts, relnamespace FROM pg_catalog.pg_class WHERE relname = 'sales'",
        (
            "SELECT attname, attnum, atttypid, attlen, attisdropped FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'shop' ORDER BY 2"
        ),
        "SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname <> 'tiny'",
        "SELECT tablename FROM pg_catalog.pg_tables WHERE tablename LIKE '%s%' ORDER BY 1",
        "SELECT COUNT(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname = 'tiny_sales'",
        "SELECT conname FROM pg_constraint WHERE conrelid IN (SELECT oid FROM pg_class WHERE relname = 'tiny_sales')",
    ):
        assert answer(workspace, sql).rows == _own(workspace, sql), sql
    with workspace.warehouse.session() as session:
        for view in ("pg_class", "pg_attribute", "pg_namespace", "pg_views"):
            sql = f"SELECT * FROM pg_catalog.{view} WHERE 1 = 0"
            shown = explain(workspace, sql)
            assert "shows models" in shown.untouched[0]
            assert session.result_types(shown.sql) == session.result_types(sql)


def test_a_model_has_one_number_and_one_schema(workspace: Workspace) -> None:
    """One statement asks for the number and the next one uses it; a schema of the catalog's name is the model's."""
    find = (
        "SELECT c.oid, n.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'tiny' "
        "AND c.relname = 'tiny_sales'"
    )
    ((number, schema),) = answer(workspace, find).rows
    of_number = (
        f"SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = '{number}' AND attnum > 0 ORDER BY attnum"
    )
    assert [name for (name,) in answer(workspace, of_number).rows] == _COLUMNS
    assert answer(workspace, "SELECT viewname FROM pg_views WHERE schemaname = 'tiny'").rows == [("tiny_sales",)]

    tiny_star.run_sql(workspace, "CREATE SCHEMA tiny", "CREATE TABLE tiny.other (a INTEGER)")
    ((same, real),) = answer(workspace, find).rows
    assert (same, real != schema) == (number, True)
    assert answer(workspace, "SELECT COUNT(*) FROM pg_namespace WHERE nspname = 'tiny'").rows == [(1,)]


def test_a_model_may_be_read_and_nothing_else(workspace: Workspace) -> None:
    """By number and by name, as Metabase and Superset ask; also where the warehouse would refuse a name that it has
    not.
    """
    by_number = (
        "SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c WHERE c.relname = 'tiny_sales' "
        "AND pg_table_is_visible(c.oid)"
    )
    assert answer(workspace, by_number).rows == [(True,)]
    by_name = """
    SELECT t.s, t.n, has_any_column_privilege(current_user, '"' || t.s || '"."' || t.n || '"', 'update') AS updates,
      has_table_privilege(current_user, '"' || t.s || '"."' || t.n || '"', 'SELECT') AS reads,
      has_schema_privilege(t.s, 'USAGE') AS uses
    FROM (SELECT schemaname AS s, tablename AS n FROM pg_catalog.pg_tables
      UNION SELECT schemaname, viewname FROM pg_catalog.pg_views) t
    WHERE t.n = 'tiny_sales'"""
    assert answer(workspace, by_name).rows == [("tiny", "tiny_sales", False, True, True)]


def test_a_hidden_model_is_not_visible(workspace: Workspace) -> None:
    """A name alone means the table, which is in the catalog as well."""
    tiny_star.run_sql(workspace, "CREATE TABLE tiny_sales (a INTEGER)")
    sql = (
        "SELECT c.relkind FROM pg_class c WHERE c.relname = 'tiny_sales' AND pg_catalog.pg_table_is_visible(c.oid) "
        "ORDER BY 1"
    )
    every = "SELECT c.relkind FROM pg_class c WHERE c.relname = 'tiny_sales' ORDER BY 1"
    if _is_postgres(workspace):
        assert answer(workspace, sql).rows == [("r",)]
    assert answer(workspace, every).rows == [("r",), ("v",)]


def test_a_name_becomes_a_relation(workspace: Workspace) -> None:
    """A model may stand in ``'…'::regclass``."""
    for name in ("tiny.tiny_sales", "tiny_sales", '"tiny"."tiny_sales"'):
        sql = f"SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 ORDER BY attnum"
        assert [column for (column,) in answer(workspace, sql).rows] == _COLUMNS, name
    for sql in ("'tiny_sales'::regclass::text", "'tiny.tiny_sales'::regclass", "to_regclass('tiny_sales')"):
        assert answer(workspace, f"SELECT {sql} AS name").rows == [("tiny_sales",)], sql
    assert answer(workspace, "SELECT has_table_privilege('tiny.tiny_sales', 'SELECT') AS reads").rows == [(True,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relname IN ('sales', 'tiny_sales')",
        "SELECT xmin IS NULL FROM pg_class c WHERE relname IN ('sales', 'tiny_sales')",
        (
            "SELECT pg_relation_size(quote_ident(relname)::regclass) > 0 FROM pg_class "
            "WHERE relname IN ('sales', 'tiny_sales')"
        ),
        "SELECT pg_total_relation_size(oid) > 0 FROM pg_class WHERE relname IN ('sales', 'tiny_sales')",
        "SELECT 'pg_class'::regclass::text",
    ],
)
@pytest.mark.postgres
def test_what_cannot_be_said_of_a_model_is_run_as_it_stands(workspace: Workspace, sql: str) -> None:
    """Models are not among the rows."""
    if _is_postgres(workspace):
        result = answer(workspace, sql)
        assert (result.plan.sql, result.rows) == (sql, _own(workspace, sql))


def test_psql_describes_a_model(workspace: Workspace) -> None:
    """``\\d tiny_sales``: the relation by a pattern, what it is, its columns."""
    if not _is_postgres(workspace):
        return
    find = """SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.~) '^(tiny_sales)$' COLLATE pg_catalog.default
      AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3"""
    ((number, schema, name),) = answer(workspace, find).rows
    assert (schema, name) == ("tiny", "tiny_sales")
    about = f"""SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers,
      c.relrowsecurity, c.relforcerowsecurity,
      false AS relhasoids, c.relispartition, '', c.reltablespace,
      CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END,
      c.relpersistence, c.relreplident, am.amname
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid)
    LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = '{number}'"""
    assert answer(workspace, about).rows == [
        (0, "v", False, False, False, False, False, False, False, "", 0, "", "p", "n", None)
    ]
    columns = f"""SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
      (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d
       WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull,
      (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
       WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation,
      a.attidentity, a.attgenerated
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = '{number}' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
    rows = answer(workspace, columns).rows
    assert [row[0] for row in rows] == _COLUMNS
    assert {row[2:] for row in rows} == {(None, False, None, "", "")}


_TYPED = """
SELECT a.attname, t.typname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = '{name}' AND a.attnum > 0 ORDER BY a.attnum"""


def test_types_are_those_of_the_catalog(workspace: Workspace) -> None:
    """Both views have one number for the type of a model's column and of a table's."""
    kinds = dict(answer(workspace, _TYPED.format(name="tiny_sales")).rows)
    assert list(kinds) == _COLUMNS
    assert (kinds["Month"], kinds["Average Amount"]) == ("varchar", "float8")
    assert answer(workspace, _TYPED.format(name="day")).rows == [
        ("day_id", "int4"),
        ("day_name", "varchar"),
        ("month", "varchar"),
    ]


_CLIENTS = (
    """
SELECT c.relname, d.description, pg_catalog.pg_get_userbyid(c.relowner) AS owner FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE n.nspname !~ '^pg_toast' AND c.relname IN ('day', 'tiny_sales') ORDER BY c.relname""",
    """
SELECT c.relname, CASE WHEN c.relname = 'day' THEN 'all days' END, pg_catalog.pg_get_userbyid(c.relowner)
FROM pg_catalog.pg_class c LEFT JOIN pg_stat_user_tables s ON s.relname = c.relname AND s.schemaname = 'tiny'
WHERE c.relname OPERATOR(pg_catalog.~) '^(day|tiny_sales)$' COLLATE pg_catalog.default ORDER BY 1""",
)


def test_what_duckdb_lacks_is_said_where_models_are_shown(workspace: Workspace) -> None:
    """REGCLASS, owners, PostgreSQL's operators and views, as psql and drivers name them; comments of tables stay."""
    tiny_star.run_sql(workspace, "COMMENT ON TABLE day IS 'all days'")
    ((owner,),) = _own(workspace, "SELECT CURRENT_USER")
    for sql in _CLIENTS:
        rows = answer(workspace, sql).rows
        assert rows == [("day", "all days", owner), ("tiny_sales", None, owner)], sql


def test_names_that_are_words_of_changes_are_read(workspace: Workspace) -> None:
    """Metabase names rights in this way; what changes something is not run."""
    sql = "SELECT n.update FROM (SELECT 1 AS update, 2 AS select) AS n"
    if _is_postgres(workspace):
        assert answer(workspace, sql).rows == [(1,)]
    with pytest.raises(UnreadableQueryError, match="cannot be read"):
        answer(workspace, "WITH x AS MATERIALIZED (DELETE FROM day RETURNING 1) SELECT 1 AS select FROM x")
    assert _own(workspace, "SELECT COUNT(*) FROM day") == [(20,)]
