"""Asks MetricFlow itself; run by its own Python, in an environment of its own, and never imported by tests.

Reads questions as JSON from standard input, and writes for each question its rows with their columns, or the error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
from metricflow.data_table.mf_table import MetricFlowDataTable
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup


class DuckDbClient:
    """What MetricFlow needs of a warehouse to write SQL for it."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def query(self, *_: Any, **__: Any) -> MetricFlowDataTable:
        """Nothing is asked through it."""
        raise NotImplementedError

    execute = dry_run = close = query

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        """DuckDB's way."""
        return f"${bind_parameter_key}"


def main() -> None:
    """The answers to all questions."""
    manifest, database = sys.argv[1:]
    lookup = SemanticManifestLookup(
        parse_manifest_from_dbt_generated_manifest(manifest_json_string=Path(manifest).read_text(encoding="utf-8"))
    )
    engine = MetricFlowEngine(semantic_manifest_lookup=lookup, sql_client=DuckDbClient())
    with duckdb.connect(database, read_only=True) as connection:
        json.dump([_answer(engine, connection, question) for question in json.load(sys.stdin)], sys.stdout)


def _answer(
    engine: MetricFlowEngine, connection: duckdb.DuckDBPyConnection, question: dict[str, Any]
) -> dict[str, Any]:
    try:
        request = MetricFlowQueryRequest.create(
            metric_names=question["metrics"],
            group_by_names=question.get("group_by") or None,
            where_constraints=question.get("where") or None,
        )
        sql = engine.explain(request).sql_statement.sql
        cursor = connection.execute(sql)
        columns = [column[0] for column in cursor.description]
        rows = [[None if value is None else str(value) for value in row] for row in cursor.fetchall()]
    except Exception as error:  # noqa: BLE001 - whatever MetricFlow says is the answer
        return {"error": f"{type(error).__name__}: {error}"}
    return {"columns": columns, "rows": rows, "sql": sql}


if __name__ == "__main__":
    main()
