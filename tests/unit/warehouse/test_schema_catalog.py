"""What is in a schema, who reads it, and what belongs to it: asked of DuckDB, whose catalog keeps no dependents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import (
    Belonging,
    Catalog,
    Dependent,
    Relation,
    Rights,
    catalog_of,
)

_SETUP = (
    "CREATE SCHEMA aggs",
    "CREATE SCHEMA reports",
    'CREATE TABLE aggs.agg_1 (city VARCHAR, "Amount" DECIMAL(9,2))',
    "CREATE TABLE aggs.agg_2 (city VARCHAR)",
    'CREATE VIEW aggs."By City" AS SELECT city, "Amount" FROM aggs.agg_1',
    'CREATE VIEW reports.top AS SELECT city FROM aggs."By City" WHERE "Amount" > 5',
    "CREATE VIEW reports.deeper AS SELECT COUNT(*) AS n FROM reports.top",
    "CREATE VIEW reports.elsewhere AS SELECT 1 AS a",
)


@pytest.fixture
def session() -> Iterator[DbApiSession]:
    """A database with aggregates, a stable view, and people's reports on it."""
    warehouse = open_warehouse("duckdb://?threads=1")
    with warehouse.session() as opened:
        for statement in _SETUP:
            opened.execute(statement)
        yield opened
    warehouse.close()


@pytest.fixture
def catalog(session: DbApiSession) -> Catalog:
    """The schema with the aggregates."""
    opened = catalog_of(session, "aggs")
    assert opened is not None
    return opened


def test_relations_are_found_without_case(catalog: Catalog) -> None:
    assert catalog.relations(["BY CITY", "agg_2", "gone"]) == {
        "by city": Relation("By City", "view", "", may_replace=True, is_own=True),
        "agg_2": Relation("agg_2", "table", "", may_replace=True, is_own=True),
    }
    assert catalog.relations([]) == {}
    assert catalog.relations(["top"]) == {}


def test_columns_come_in_order_with_their_types(catalog: Catalog) -> None:
    assert catalog.columns(["agg_1", "By City", "gone"]) == {
        "agg_1": (("city", "VARCHAR"), ("Amount", "DECIMAL(9,2)")),
        "by city": (("city", "VARCHAR"), ("Amount", "DECIMAL(9,2)")),
    }


def test_a_view_reads_relations(session: DbApiSession, catalog: Catalog) -> None:
    reports = catalog_of(session, "reports")
    assert reports is not None

    assert catalog.reads(["by city"]) == {"by city": frozenset({"agg_1"})}
    assert reports.reads(["top", "deeper", "elsewhere"]) == {
        "top": frozenset({"by city"}),
        "deeper": frozenset({"top"}),
        "elsewhere": frozenset(),
    }


@pytest.mark.parametrize(
    ("name", "dependents"),
    [
        ("agg_1", {"view aggs.By City", "view reports.top", "view reports.deeper"}),
        ("By City", {"view reports.top", "view reports.deeper"}),
        ("agg_2", set()),
    ],
)
def test_what_needs_a_relation_is_found_through_views_on_views(
    catalog: Catalog, name: str, dependents: set[str]
) -> None:
    assert {str(item) for item in catalog.dependents([name]).get(name.casefold(), ())} == dependents


def test_a_dependent_reads_columns(catalog: Catalog) -> None:
    (top, *_) = [item for item in catalog.dependents(["agg_1"])["agg_1"] if item.last_name == "top"]

    assert top.columns == {"city", "amount"}


def test_a_view_that_names_no_schema_may_mean_any(session: DbApiSession, catalog: Catalog) -> None:
    session.execute("CREATE TABLE agg_2 (city VARCHAR)")
    session.execute("CREATE VIEW vague AS SELECT city FROM agg_2")

    assert [str(item) for item in catalog.dependents(["agg_2"])["agg_2"]] == ["view main.vague"]


@pytest.mark.parametrize(
    ("name", "last_name"),
    [("aggs.agg_x", "agg_x"), ('aggs."Agg_x"', "Agg_x"), ("agg_x", "agg_x")],
)
def test_a_dependents_own_name(name: str, last_name: str) -> None:
    assert Dependent(name, "view").last_name == last_name


def test_comments_belong_to_a_relation_and_are_given_to_another_one(session: DbApiSession, catalog: Catalog) -> None:
    """Even one that looks like a place of a statement."""
    session.execute("COMMENT ON VIEW aggs.\"By City\" IS 'ours: {target} <relation>'")
    session.execute("COMMENT ON COLUMN aggs.agg_1.\"Amount\" IS 'it''s net'")

    (comment,) = catalog.belongings(["By City"])["by city"]
    (on_column,) = catalog.belongings(["agg_1"])["agg_1"]

    assert (comment.kind, comment.column, on_column.column) == ("comment", "", "Amount")
    assert comment.statement("aggs.agg_2", "TABLE") == "COMMENT ON TABLE aggs.agg_2 IS 'ours: {target} <relation>'"
    session.execute(comment.statement("aggs.agg_2", "TABLE"))
    assert session.fetch_all("SELECT comment FROM duckdb_tables() WHERE table_name = 'agg_2'") == [
        ("ours: {target} <relation>",)
    ]
    assert on_column.statement('aggs."x"', "TABLE") == "COMMENT ON COLUMN aggs.\"x\".\"Amount\" IS 'it''s net'"


def test_a_template_has_places_for_the_relation_and_its_kind(catalog: Catalog) -> None:
    assert catalog.belongings(["agg_1", "agg_2"]) == {}
    assert Belonging("grant", "", "GRANT SELECT ON x").statement("y", "VIEW") == "GRANT SELECT ON x"


def test_a_warehouse_without_roles_revokes_and_grants_nothing(catalog: Catalog) -> None:
    assert catalog.revocations("By City", target="x") == ()
    assert catalog.grants_to_owner("By City", target="x") == ()
    assert catalog.rights() == Rights(role="", may_create=True, has_schema=True)


def test_the_default_schema_is_that_of_the_session(session: DbApiSession) -> None:
    session.execute("CREATE TABLE plain (a INTEGER)")
    session.execute("CREATE VIEW v AS SELECT a FROM main.plain")
    default = catalog_of(session, "")
    assert default is not None

    assert set(default.relations(["plain", "agg_1"])) == {"plain"}
    assert default.reads(["v"]) == {"v": frozenset({"plain"})}
    assert [str(item) for item in default.dependents(["plain"])["plain"]] == ["view main.v"]


def test_queries_of_a_warehouse_that_keeps_dependents_are_asked_as_they_stand(session: DbApiSession) -> None:
    """Here rows are written down in place of a catalog; names keep their case."""
    queries = find_dialect("duckdb").catalog
    assert queries is not None
    keeping = replace(
        queries,
        reads="SELECT 'V', x FROM (VALUES ('t'), ('u')) AS r(x) WHERE 'V' IN ({names})",
        dependents="SELECT 'T', 'public.report', 'view', ['city'] WHERE 'T' IN ({names})",
        revocations="SELECT 'REVOKE ALL ON ' || {target} || ' FROM ' || {name}",
        grant_select="SELECT 'GRANT SELECT ON ' || {target} || ' TO owner_of_' || {name}",
        rights="SELECT 'me in ' || {schema}, FALSE, TRUE",
    )
    catalog = Catalog(session, "aggs", keeping)

    assert catalog.reads(["V"]) == {"v": frozenset({"t", "u"})}
    assert catalog.dependents(["T"]) == {"t": (Dependent("public.report", "view", frozenset({"city"})),)}
    assert catalog.dependents(["t"]) == {}
    assert catalog.revocations("V", target="aggs.x") == ("REVOKE ALL ON aggs.x FROM V",)
    assert catalog.grants_to_owner("V", target="aggs.x") == ("GRANT SELECT ON aggs.x TO owner_of_V",)
    assert catalog.rights() == Rights("me in aggs", may_create=False, has_schema=True)


def test_a_dialect_that_was_never_tried_has_no_catalog(session: DbApiSession) -> None:
    session.dialect = replace(session.dialect, catalog=None)

    assert catalog_of(session, "aggs") is None
