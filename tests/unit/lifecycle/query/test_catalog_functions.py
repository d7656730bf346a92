"""Functions of the catalog say of a model what they would say of a view."""

from __future__ import annotations

import pytest
from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lifecycle.query.catalog_functions import (
    CatalogFunctions,
    ShownModel,
    replace_missing,
)
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.small_star import DUCKDB
from tests.support.stars.standing_star import MODEL, NOW

_NUMBER, _SCHEMA_NUMBER = 77, 7


@pytest.fixture(scope="module")
def snapshot(asked_star: Workspace) -> ModelSnapshot:
    return read_model_snapshot(asked_star, asked_star.read.models.get(MODEL), now=NOW)


def _parse(sql: str) -> exp.Query:
    root = parse_one(sql, read="duckdb")
    assert isinstance(root, exp.Query)
    return root


def _functions(snapshot: ModelSnapshot, *, is_visible: bool = True) -> CatalogFunctions:
    return CatalogFunctions([ShownModel(snapshot, _NUMBER, _SCHEMA_NUMBER, is_visible)])


def test_a_shown_model_has_the_names_of_its_catalog_and_itself(snapshot: ModelSnapshot) -> None:
    shown = ShownModel(snapshot, _NUMBER, _SCHEMA_NUMBER, is_visible=True)

    assert (shown.schema, shown.name) == ("tiny", "tiny_sales")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # Where people read it, a relation is its name.
        ("SELECT 'tiny_sales'::regclass", "SELECT 'tiny_sales'"),
        ("SELECT 'tiny.tiny_sales'::pg_catalog.regclass AS x", "SELECT 'tiny_sales' AS x"),
        ("SELECT to_regclass('tiny_sales')::text", "SELECT CAST('tiny_sales' AS TEXT)"),
        # Elsewhere it is its number.
        (
            "SELECT 1 FROM pg_class AS c WHERE c.oid = '\"tiny\".tiny_sales'::regclass",
            "SELECT 1 FROM pg_class AS c WHERE c.oid = CAST(77 AS oid)",
        ),
        ("SELECT 1 WHERE 5 = to_regclass('tiny_sales')", "SELECT 1 WHERE 5 = CAST(77 AS oid)"),
        ("SELECT 1 WHERE 5 = pg_catalog.to_regclass('tiny_sales')", "SELECT 1 WHERE 5 = CAST(77 AS oid)"),
    ],
)
def test_a_text_that_names_a_model_becomes_its_name_or_its_number(
    snapshot: ModelSnapshot, sql: str, expected: str
) -> None:
    root = _parse(sql)

    assert _functions(snapshot).replace_names(root)
    assert root.sql("duckdb") == expected


def test_a_model_that_is_hidden_is_named_with_its_catalog_only(snapshot: ModelSnapshot) -> None:
    hidden = _functions(snapshot, is_visible=False)
    plain, qualified = _parse("SELECT 'tiny_sales'::regclass"), _parse("SELECT 'tiny.tiny_sales'::regclass")

    assert not hidden.replace_names(plain)
    assert plain.sql("duckdb") == "SELECT CAST('tiny_sales' AS regclass)"
    assert hidden.replace_names(qualified)
    assert qualified.sql("duckdb") == "SELECT 'tiny.tiny_sales'"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST('shop' AS regclass)",
        "SELECT TO_REGCLASS('shop')",
        "SELECT HAS_TABLE_PRIVILEGE('shop')",
        "SELECT FORMAT_TYPE(1, 2)",
        "SELECT CAST('tiny_sales' AS TEXT)",
    ],
)
def test_what_names_no_model_is_left_alone(snapshot: ModelSnapshot, sql: str) -> None:
    root = _parse(sql)

    assert not _functions(snapshot).replace_names(root)
    assert root.sql("duckdb") == sql


@pytest.mark.parametrize(
    ("is_visible", "expected"),
    [
        (True, "(PG_TABLE_IS_VISIBLE(c.oid) OR CAST(c.oid AS TEXT) IN ('77'))"),
        (False, "(PG_TABLE_IS_VISIBLE(c.oid) OR FALSE)"),
    ],
)
def test_a_model_is_visible_where_its_name_alone_means_it(
    snapshot: ModelSnapshot, expected: str, *, is_visible: bool
) -> None:
    """A number is none that a statement names by itself."""
    root = _parse("SELECT 1 FROM pg_class AS c WHERE pg_table_is_visible(c.oid)")

    assert not _functions(snapshot, is_visible=is_visible).replace_names(root)
    assert root.sql("duckdb") == f"SELECT 1 FROM pg_class AS c WHERE {expected}"


@pytest.mark.parametrize(
    ("call", "is_named", "answer"),
    [
        ("has_table_privilege('tiny_sales', 'SELECT')", True, True),
        ("has_table_privilege('me', 'tiny.tiny_sales', 'select')", True, True),
        ("has_table_privilege('tiny_sales', 'INSERT')", True, False),
        ("has_table_privilege('tiny_sales', 'SELECT WITH GRANT OPTION')", True, False),
        ("has_any_column_privilege('\"tiny_sales\"', 'SELECT')", True, True),
        ("has_column_privilege('tiny_sales', 'City', 'SELECT')", True, True),
        ("has_column_privilege('tiny_sales', 'City', 'UPDATE')", True, False),
        ("has_schema_privilege('tiny', 'USAGE')", True, True),
        ("has_schema_privilege('tiny', 'CREATE')", True, False),
        ("has_table_privilege(77, 'SELECT')", False, True),
        ("has_schema_privilege(7, 'USAGE')", False, True),
    ],
)
def test_a_model_may_be_read_and_nothing_else(
    asked_star: Workspace, snapshot: ModelSnapshot, call: str, *, is_named: bool, answer: bool
) -> None:
    """The answer is the warehouse's own of the text that takes the place of the function."""
    root = _parse(f"SELECT {call}")

    assert _functions(snapshot).replace_names(root) is is_named
    with asked_star.warehouse.session() as session:
        assert session.fetch_all(root.sql("duckdb")) == [(answer,)]


def test_privileges_on_relations_of_the_warehouse_are_its_own_business(snapshot: ModelSnapshot) -> None:
    root = _parse("SELECT has_table_privilege('shop', 'SELECT')")

    assert not _functions(snapshot).replace_names(root)
    assert root.sql("duckdb").endswith("ELSE HAS_TABLE_PRIVILEGE('shop', 'SELECT') END")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT c.relname FROM pg_class AS c", True),
        ("SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a", True),
        ("SELECT pg_get_userbyid(c.relowner), pg_table_is_visible(c.oid) FROM pg_class AS c", True),
        ("SELECT 'tiny_sales'::regclass, to_regclass('shop')", True),
        ("SELECT upper(c.relname) FROM pg_class AS c", True),
        # These would look for a relation of the warehouse under the model's number.
        ("SELECT pg_total_relation_size(c.oid) FROM pg_class AS c", False),
        ("SELECT pg_relation_filepath('tiny_sales')", False),
        ("SELECT c.oid::regclass FROM pg_class AS c", False),
        ("SELECT to_regclass(c.relname) FROM pg_class AS c", False),
        ("SELECT to_regclass('a', 'b')", False),
        ("SELECT row_security_active('tiny_sales')", False),
        ("SELECT c.xmin FROM pg_class AS c", False),
        ("SELECT c.tableoid FROM pg_class AS c", False),
    ],
)
def test_a_statement_is_answered_when_all_its_functions_can_be(
    snapshot: ModelSnapshot, sql: str, *, expected: bool
) -> None:
    assert _functions(snapshot).is_answerable(_parse(sql)) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'shop'::regclass", True),
        ("SELECT to_regclass('shop')", True),
        ("SELECT has_schema_privilege('tiny', 'USAGE')", True),
        ("SELECT pg_table_is_visible(1)", False),
        ("SELECT 'shop'::text", False),
    ],
)
def test_some_functions_name_relations_in_texts(sql: str, *, expected: bool) -> None:
    assert CatalogFunctions.names_relations(_parse(sql)) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c", "SELECT CURRENT_USER() FROM pg_class AS c"),
        ("SELECT pg_catalog.pg_get_indexdef(1)", "SELECT NULL"),
        ("SELECT 'pg_proc'::regclass", "SELECT 0"),
        ("SELECT 'pg_catalog.pg_proc'::regclass", "SELECT 0"),
        ("SELECT 'mine'::regclass", "SELECT CAST('mine' AS regclass)"),
        ("SELECT 1 WHERE x OPERATOR(pg_catalog.~) '^a$'", "SELECT 1 WHERE REGEXP_MATCHES(x, '^a$')"),
        ("SELECT 1 WHERE x OPERATOR(pg_catalog.!~) 'a'", "SELECT 1 WHERE NOT REGEXP_MATCHES(x, 'a')"),
        ("SELECT 1 WHERE x OPERATOR(pg_catalog.~~) 'a'", "SELECT 1 WHERE x OPERATOR(pg_catalog.~~) 'a'"),
        ("SELECT x COLLATE pg_catalog.default", "SELECT x"),
        ("SELECT x COLLATE NOCASE", "SELECT x COLLATE NOCASE"),
        ("SELECT upper(x)", "SELECT UPPER(x)"),
    ],
)
def test_what_the_warehouse_lacks_is_said_in_its_own_way(sql: str, expected: str) -> None:
    root = _parse(sql)
    assert DUCKDB.catalog is not None

    replace_missing(root, DUCKDB.catalog, "duckdb")

    assert root.sql("duckdb") == expected
