# ruff: noqa: ARG005 - a planted bug ignores what it should not
"""Law 1 for plain SQL: what is answered from an aggregate equals the very same SQL on the tables.

The oracle is the warehouse itself: the SQL as it stands. Joins are drawn inner and left, on keys that are unique and on
keys that are not, to tables that nothing else uses; every aggregate of an example is tried by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.proofs import Proofs
from airflow_atscale_aggs.engine.lifecycle.query import plain_planner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, Sizes
from airflow_atscale_aggs.engine.lifecycle.query.plain_planner import PlainPlanner
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import TableColumns
from airflow_atscale_aggs.engine.model.row_security import RowRules
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.match.aggregate_index import InstanceIndex
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import Statement
from airflow_atscale_aggs.engine.rewriting.plain import plain_reader as plain
from airflow_atscale_aggs.engine.rewriting.plain import star_joins
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import PhysicalModel
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.rows import AggregateRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.kill.planting import Plant, assert_found, plants
from tests.support.oracles.query_oracle import same_rows
from tests.support.oracles.routed_answers import (
    EXAMPLES,
    POSTGRES_EXAMPLES,
    StarPaths,
    build_all,
)
from tests.support.stars.throwaway_database import PROFILE, Database, Rows, duckdb_in_memory
from tests.support.strategies.plain_strategies import PlainSql, key_sql, plain_part, plain_sql, with_plain_attributes
from tests.support.strategies.query_strategies import StarQuery, model_of, queries_of
from tests.support.strategies.strategies import Star, aggregates_of, stars

_QUERIES = 4


class _Warehouse:
    """The connection of an example as a warehouse: all that is done stays in its transaction."""

    aggregate_schema = ""

    def __init__(self, database: Database, star: Star) -> None:
        self.dialect, self._database, self._star = database.dialect, database, star

    @contextlib.contextmanager
    def session(self) -> Iterator[_Warehouse]:
        """The warehouse itself."""
        yield self

    @contextlib.contextmanager
    def wait_briefly(self) -> Iterator[None]:
        """Nobody else holds a lock."""
        yield

    def fetch_all(self, sql: str) -> Rows:
        """Run a query."""
        return self._database.fetch_all(sql)

    def columns(self, tables: Sequence[tuple[str | None, str | None, str]]) -> Mapping[Any, TableColumns]:
        """The columns of the star's tables."""
        there = self._star.physical()
        return {
            key: TableColumns(there[None, None, key[2]], ("", "", key[2]))
            for key in tables
            if (None, None, key[2]) in there
        }


@given(data=st.data())
@settings(PROFILE, max_examples=max(EXAMPLES // 2, 1))
def test_plain_sql_is_answered_alike_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    """A rewritten statement answers as it does as it stands, on DuckDB."""
    check(on_duckdb, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=POSTGRES_EXAMPLES)
def test_plain_sql_is_answered_alike_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    """A rewritten statement answers as it does as it stands, on PostgreSQL."""
    check(on_postgres, data)


def check(database: Database, data: st.DataObject) -> None:
    """Make one star with its aggregates, and ask it a few plain queries."""
    star = data.draw(stars(), label="star")
    parts = data.draw(aggregates_of(star), label="aggregates")
    plain_star, plain_parts = with_plain_attributes(star), tuple(plain_part(star, part) for part in parts)
    queries = [data.draw(queries_of(plain_star, plain_parts)) for _ in range(_QUERIES)]
    statements = [data.draw(plain_sql(plain_star, query), label="SQL") for query in queries]
    by_key = data.draw(key_sql(plain_parts), label="SQL by keys")
    statements += [by_key] if by_key is not None else []
    with database.example():
        for star_table in star.tables.values():
            for statement in star_table.setup_sql():
                database.fetch_all(statement)
        sources = Sources(star.datasets(), _spelled_columns(star), database.dialect)
        instances = build_all(database, parts, sources)
        for plain in statements:
            _ask(database, star, plain, instances, sources)


def _spelled_columns(star: Star) -> Mapping[Any, TableColumns]:
    return {key: TableColumns(columns, ("", "", key[2])) for key, columns in star.physical().items()}


def _ask(database: Database, star: Star, plain: PlainSql, instances: list[ServingInstance], sources: Sources) -> None:
    wanted = database.fetch_all(plain.sql)
    for instance in instances:
        nothing: Any = None
        warehouse: Any = _Warehouse(database, star)
        workspace = Workspace(nothing, warehouse, Settings())
        planner = PlainPlanner(workspace, WarehouseTables(workspace))
        read = planner.read(plain.sql)
        assert read is not None, plain.sql
        assert read.root is not None, plain.sql
        plan = planner.plan(plain.sql, read.root, [_snapshot(star, instance, sources)], since=None, written=plain.sql)
        if not plan.composed:
            event(f"as it stands: {plan.untouched[0].rpartition(':')[2] if plan.untouched else 'no match'}")
            continue
        event("rewritten")
        statement = _put_in(plan.statement, plan.composed)
        routed = render(statement, database.dialect)
        rows = database.fetch_all(routed)
        wrong = same_rows(rows, wanted)
        assert not wrong, f"{wrong}\n{plain.sql}\n{routed}"
        assert [row[: plain.keys] for row in rows] == [row[: plain.keys] for row in wanted], plain.sql


def _put_in(statement: Statement, composed: Sequence[exp.Query]) -> exp.Query:
    return statement.replace_selects(lambda number, _: composed[number])


def _snapshot(star: Star, instance: ServingInstance, sources: Sources) -> ModelSnapshot:
    model, paths = model_of(star, _NOTHING), StarPaths(star)
    return ModelSnapshot(
        record=ModelRecord(
            id="m",
            catalog="tests",
            name="star",
            label="Star",
            deployment_id="d",
            version=1,
            deployed_at=datetime.now(UTC),
            connection=None,
        ),
        version=1,
        taken_at=datetime.now(UTC),
        model=model,
        paths=paths,
        names=SurfaceNames(model, paths),
        calculations=CalculatedMetrics(model),
        index=InstanceIndex([instance]),
        not_serving=(),
        sources=sources,
        proofs=Proofs(sources),
        physical=PhysicalModel(model, paths, sources),
        sizes=Sizes(sources, ()),
        row_rules=RowRules(model, paths),
    )


_NOTHING = StarQuery(keys=(), metrics=(), members=(), where=None, least_rows=None)
"""A model has no calculations for it."""


def _keys_are_believed(patch: pytest.MonkeyPatch) -> None:
    """Joins on keys that are not unique are followed."""
    patch.setattr(PlainPlanner, "_prove", lambda self, plain, snapshot: None)


def _left_joins_are_inner(patch: pytest.MonkeyPatch) -> None:
    """Rows without a member are left out by every join."""
    find_stars = star_joins.find_stars

    def inner(*arguments: Any) -> Iterator[Any]:
        for joins in find_stars(*arguments):
            yield replace(joins, inner=frozenset(alias for alias, path in joins.paths.items() if path))

    patch.setattr(plain_planner, "find_stars", inner)


def _inner_joins_are_left(patch: pytest.MonkeyPatch) -> None:
    """Rows without a member stay whatever the join says."""
    find_stars = star_joins.find_stars

    def without_inner(*arguments: Any) -> Iterator[Any]:
        for joins in find_stars(*arguments):
            yield replace(joins, inner=frozenset())

    patch.setattr(plain_planner, "find_stars", without_inner)


def _unused_joins_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """An inner join of which nothing is used leaves nothing out."""
    patch.setattr(plain._PlainReader, "_attributes_of_unused_joins", lambda self, used: [])


def _foreign_keys_are_keys(patch: pytest.MonkeyPatch) -> None:
    """A fact's foreign key is taken for the key of its dimension, whether the join leaves orphans out or not."""
    shown = plain._PlainReader._shown

    def of_every_join(self: Any, path: Any, name: str) -> Iterator[Any]:
        joins = self._joins
        self._joins = replace(joins, inner=frozenset(alias for alias, steps in joins.paths.items() if steps))
        columns = list(shown(self, path, name))
        self._joins = joins
        yield from columns

    patch.setattr(plain._PlainReader, "_shown", of_every_join)


def _keys_are_names(patch: pytest.MonkeyPatch) -> None:
    """An attribute's name stands where a column of its key is asked for."""
    value = AggregateRows.value
    patch.setattr(AggregateRows, "value", lambda self, bound, column=None: value(self, bound))


def _distinct_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """COUNT(DISTINCT x) is COUNT(x)."""
    patch.setattr(plain, "_DISTINCT", {name: name for name in plain._DISTINCT})


_PLANTS = (
    _keys_are_believed,
    _left_joins_are_inner,
    _inner_joins_are_left,
    _unused_joins_are_dropped,
    _distinct_is_forgotten,
    _foreign_keys_are_keys,
    _keys_are_names,
)


_SLOW = (_keys_are_believed, _left_joins_are_inner, _foreign_keys_are_keys, _keys_are_names)
"""Finding these takes up to minutes; `make fuzz` does it."""


@pytest.mark.parametrize("plant", plants(_PLANTS, is_slow=lambda plant: plant in _SLOW))
def test_a_planted_bug_is_found(plant: Plant) -> None:
    """The property fails, by a wrong answer or an error of the warehouse."""
    with duckdb_in_memory() as database:
        assert_found(plant, lambda data: check(database, data), examples=1000)
