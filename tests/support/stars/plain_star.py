"""Plain SQL on the tables of a star that a model describes, and the equal query on the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.model.datasets import TableColumns
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import parse_with_tables
from airflow_atscale_aggs.engine.rewriting.plain.plain_reader import PlainContext, PlainQuery, read_plain
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import (
    PhysicalModel,
    PlainTable,
    SelectTables,
    StarJoins,
    find_stars,
)
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.base import Row
from tests.support.stars.asked_star import AskedStar, sorted_rows


class PlainStar:
    """A star that is asked in plain SQL.

    Attributes:
        popularity: as of `PlainContext`.
    """

    def __init__(self, star: AskedStar, popularity: Callable[[str, GrainAttribute], int] = lambda _, __: 0) -> None:
        self.star, self.popularity = star, popularity
        self.physical = PhysicalModel(star.model, star.paths, star.sources)
        self._columns: dict[str, TableColumns] = {}

    def select(self, sql: str) -> exp.Select:
        """The statement, which is one SELECT."""
        root, _ = parse_with_tables(sql, dialect=self.star.session.dialect.sqlglot_name, keeps_aliases=True)
        assert isinstance(root, exp.Select)
        return root

    def tables(self, select: exp.Select, *, ignores_case: bool = True) -> SelectTables:
        """The tables of a SELECT, with the columns that they have."""
        relations = [select.args["from_"].this, *(join.this for join in select.args.get("joins") or ())]
        tables = []
        for relation in relations:
            if relation.name not in self._columns:
                (self._columns[relation.name],) = self.star.session.columns([(None, None, relation.name)]).values()
            columns = self._columns[relation.name]
            tables.append(PlainTable(relation.alias_or_name, columns.spelled, columns))
        return SelectTables(tables, ignores_case=ignores_case)

    def joins(self, sql: str) -> list[StarJoins]:
        """Each way in which the joins of a SELECT follow those of the model."""
        select = self.select(sql)
        return list(find_stars(select, self.tables(select), self.physical))

    def read(self, sql: str, dialect: Dialect | None = None) -> PlainQuery:
        """What a SELECT asks of the model."""
        select = self.select(sql)
        tables = self.tables(select)
        context = PlainContext(
            select_tables=tables,
            model=self.physical,
            calculations=CalculatedMetrics(self.star.model),
            dialect=dialect or self.star.session.dialect,
            popularity=self.popularity,
        )
        names = [
            column.alias or (column.name if isinstance(column, exp.Column) else "") for column in select.expressions
        ]
        return read_plain(select, next(iter(find_stars(select, tables, self.physical))), names, context)

    def answer(self, sql: str, instances: Sequence[ServingInstance] = ()) -> list[Row]:
        """The rows of the equal query on the model, from aggregates where they serve."""
        plain = self.read(sql)
        select = self.star.select_of_parts(plain.query, [plain.fact_query], instances)
        rows = self.star.session.fetch_all(render(select, self.star.session.dialect))
        return rows if "ORDER BY" in sql else sorted_rows(rows)

    def rows(self, sql: str) -> list[Row]:
        """The rows of the SELECT as it stands."""
        rows = self.star.session.fetch_all(sql)
        return rows if "ORDER BY" in sql else sorted_rows(rows)
