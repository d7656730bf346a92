"""As of which version a table is read."""

from __future__ import annotations

import contextlib

from sail_server import shared_session

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.spark_versions import version_clause


def test_versions_are_found_where_the_server_does_not_tell_them(sail_address: str) -> None:
    """By what its refusal tells. Tables without versions, views, and what is not there have none."""
    with contextlib.closing(open_warehouse(shared_session(sail_address))) as warehouse, warehouse.session() as session:
        assert isinstance(session, DbApiSession)
        session.execute("CREATE TABLE versions USING delta AS SELECT 0 AS n")
        seen = [version_clause(session, ("versions",))]
        for n in range(1, 12):
            session.execute(f"INSERT INTO versions VALUES ({n})")
            seen.append(version_clause(session, ("default", "versions")))
        session.execute("CREATE TABLE plain USING parquet AS SELECT CAST(0 AS INT) AS n")
        session.execute("CREATE VIEW shown AS SELECT * FROM versions")

        assert seen == [f"VERSION AS OF {n}" for n in range(12)]
        assert [version_clause(session, (name,)) for name in ("plain", "shown", "nowhere")] == ["", "", ""]
