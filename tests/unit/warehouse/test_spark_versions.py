"""As of which version a table is read."""

from __future__ import annotations

import contextlib

from sail_server import shared_session

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog
from airflow_atscale_aggs.engine.warehouse.spark_versions import version_clause


def test_versions_are_found_where_the_server_does_not_tell_them(sail_address: str) -> None:
    """By what its refusal tells. Tables without versions, views, and what is not there have none."""
    with contextlib.closing(open_warehouse(shared_session(sail_address))) as warehouse, warehouse.session() as session:
        assert isinstance(session, DbApiSession)
        catalog = SparkCatalog()
        session.execute("CREATE TABLE versions USING delta AS SELECT 0 AS n")
        seen = [version_clause(catalog, session, ("versions",))]
        for n in range(1, 12):
            session.execute(f"INSERT INTO versions VALUES ({n})")
            seen.append(version_clause(catalog, session, ("default", "versions")))
        session.execute("CREATE TABLE plain USING parquet AS SELECT CAST(0 AS INT) AS n")
        session.execute("CREATE VIEW shown AS SELECT * FROM versions")

        assert seen == [f"VERSION AS OF {n}" for n in range(12)]
        assert [version_clause(catalog, session, (name,)) for name in ("plain", "shown", "nowhere")] == ["", "", ""]


def test_a_plan_learns_the_format_of_a_table_anew(sail_address: str) -> None:
    """Meanwhile it is remembered: a table with versions is read without one when it takes the place of another."""
    with contextlib.closing(open_warehouse(shared_session(sail_address))) as warehouse, warehouse.session() as session:
        assert isinstance(session, DbApiSession)
        catalog, key = SparkCatalog(), (None, None, "replaced")
        session.execute("CREATE TABLE replaced USING parquet AS SELECT 0 AS n")
        catalog.columns(session, [key])
        session.execute("DROP TABLE replaced")
        session.execute("CREATE TABLE replaced USING delta AS SELECT 0 AS n")

        assert version_clause(catalog, session, ("replaced",)) == ""
        catalog.columns(session, [key])
        assert version_clause(catalog, session, ("replaced",)) == "VERSION AS OF 0"
