"""Queries on models beside SELECTs written by hand; see `tests/cases/queries/README.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from tests.support.oracles.query_oracle import same_rows

_WRITTEN = ("duckdb", "postgres")
"""The SELECTs mean the same in both; for others they are translated."""

CASES_FOLDER = Path(__file__).parents[2] / "cases" / "queries"


@dataclass(frozen=True)
class QueryCase:
    """A query on a model and what it must equal. See the folder's README."""

    name: str
    source: str
    query: str
    equals: str
    is_ordered: bool

    @classmethod
    def read(cls, model: str) -> list[QueryCase]:
        """All cases of a file."""
        text = (CASES_FOLDER / f"{model}.sql").read_text(encoding="utf-8")
        return [cls.parse(block) for block in text.split("-- case: ")[1:]]

    @classmethod
    def parse(cls, block: str) -> QueryCase:
        """One block of the file."""
        name, _, rest = block.partition("\n")
        source, _, rest = rest.removeprefix("-- from: ").partition("\n")
        is_ordered = "-- ordered equals\n" in rest
        query, _, equals = rest.partition("-- ordered equals\n" if is_ordered else "-- equals\n")
        return cls(name, source, query.strip(), equals.strip(), is_ordered)

    def check(self, router: QueryRouter, workspace: Workspace, schema: str, model: str | None = None) -> None:
        """Base answer, routed answer and the SELECT agree; the answer comes from where the case says."""
        with workspace.warehouse.session() as session:
            wanted = session.fetch_all(self.sql_for(schema, workspace.warehouse.dialect))
        self.check_answers(router, wanted, model)

    def check_answers(self, router: QueryRouter, wanted: Sequence[tuple[Any, ...]], model: str | None = None) -> None:
        """Base answer and routed answer are what is wanted; the answer comes from where the case says."""
        base = router.answer(self.query, model=model, use_aggregates=False)
        routed = router.answer(self.query, model=model)

        assert same_rows(base.rows, wanted) == "", base.plan.sql
        assert same_rows(routed.rows, wanted) == "", routed.plan.sql
        assert routed.fallback_reason == ""
        if self.is_ordered:
            assert [row[0] for row in routed.rows] == [row[0] for row in wanted] == [row[0] for row in base.rows]
        if self.source != "any":
            sources = ", ".join(plan_source.aggregate or "facts" for plan_source in routed.plan.sources)
            assert sources == self.source, routed.plan.sql

    def check_plain(self, router: QueryRouter, workspace: Workspace, schema: str) -> None:
        """The SELECT on tables, through the router: the same rows and names of columns as without it."""
        sql = self.sql_for(schema, workspace.warehouse.dialect)
        with workspace.warehouse.session() as session:
            names, wanted = session.fetch_with_names(sql)
        result = router.answer(sql)

        assert same_rows(result.rows, wanted) == "", result.plan.sql
        assert (result.columns, result.fallback_reason) == (names, "")
        assert result.plan.uses_aggregates or result.plan.sql == sql

    def sql_for(self, schema: str, dialect: Dialect) -> str:
        """The SELECT written by hand, for a warehouse, with a schema before the names of tables."""
        written = dialect.sqlglot_name if dialect.sqlglot_name in _WRITTEN else "duckdb"
        return qualify_tables(self.equals, schema, written, dialect.sqlglot_name)


def qualify_tables(sql: str, schema: str, dialect: str, other_dialect: str = "") -> str:
    """The SQL with a schema before the names of tables: plain SQL is looked up as the warehouse looks it up.

    Args:
        dialect: that it is written in; ``other_dialect``: that it is wanted in, if that is another.
    """
    root = sqlglot.parse_one(sql, read=dialect)
    own = {cte.alias for cte in root.find_all(exp.CTE)}
    for table in root.find_all(exp.Table):
        if not table.db and table.name not in own:
            table.set("db", exp.to_identifier(schema))
    return root.sql(dialect=other_dialect or dialect)
