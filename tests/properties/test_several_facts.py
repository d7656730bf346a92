"""Metrics of two facts in one query: each fact by itself, laid over each other key by key, NULL keys included."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, PhysicalTables
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.model.semantic_model import Metric, SemanticModel
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import split_by_fact
from airflow_atscale_aggs.engine.sql.rows import FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.query_oracle import same_rows
from tests.support.stars.throwaway_database import PROFILE, Database, Rows
from tests.support.strategies.query_strategies import bare_dimensions

Value = int | str | None
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))

FACTS = {
    "sales": ("shop_id", "kind_id", "amount"),
    "returns": ("shop_id", "amount"),
    "visits": ("shop_id", "kind_id", "amount"),
}
_SHOP, _KIND = Role("Shop"), Role("Kind")


def _bound(fact: str, role: Role, name: str) -> BoundAttribute:
    table = role.dimension.lower()
    step = JoinStep(JoinKind.UNIQUE_KEY, fact, (f"{table}_id",), table, (f"{table}_id",))
    column = name.lower()
    return BoundAttribute(
        attribute=GrainAttribute(role, name),
        label=name,
        dataset=table,
        key_columns=(f"{table}_id",) if name == role.dimension else (column,),
        name_column="name" if name == role.dimension else column,
        steps=(step,),
    )


class Paths(JoinPaths):
    """Shops are reached from all facts, kinds from some."""

    def attributes_of(self, fact: str) -> Mapping[GrainAttribute, BoundAttribute]:
        """The attributes that a fact reaches."""
        bounds = [_bound(fact, _SHOP, "Shop"), _bound(fact, _SHOP, "City")]
        if "kind_id" in FACTS.get(fact, ()):
            bounds.append(_bound(fact, _KIND, "Kind"))
        return {bound.attribute: bound for bound in bounds} if fact in FACTS else {}


def _model(handling: str) -> SemanticModel:
    def columns(*names: str) -> dict[str, Column]:
        return {name: Column(name=name, data_type="int") for name in names}

    tables = {**FACTS, "shop": ("shop_id", "name", "city"), "kind": ("kind_id", "name")}
    metrics = {
        fact: Metric(
            name=fact,
            label=f"{fact} amount",
            calculation_method="sum",
            dataset=fact,
            column="amount",
            unrelated_dimensions_handling=handling,
        )
        for fact in FACTS
    }
    return SemanticModel(
        catalog="tests",
        name="facts",
        label="Facts",
        connection=None,
        datasets={name: Dataset(name=name, table=name, columns=columns(*names)) for name, names in tables.items()},
        dimensions=bare_dimensions((_SHOP.dimension, _KIND.dimension)),
        metrics=metrics,
        calculations={},
        relationships=(),
        degenerate_dimensions=(),
        aggregates=(),
    )


Tables = dict[str, list[tuple[Value, ...]]]


def _tables(seed: int) -> Tables:
    draw = random.Random(seed)
    rows_by_table: Tables = {
        "shop": [
            (n, draw.choice(("a", "b", None)), draw.choice(("x", "y", None))) for n in range(1, draw.randint(2, 6))
        ],
        "kind": [(n, draw.choice(("k", "l", None))) for n in range(1, 4)],
    }
    for fact, names in FACTS.items():
        rows_by_table[fact] = [
            tuple(
                draw.choice((1, 2, 3, 4, 9, None)) if name != "amount" else draw.choice((None, 1, 2, 5))
                for name in names
            )
            for _ in range(draw.choice((0, 3, 12)))
        ]
    return rows_by_table


def _expected(
    tables: Tables, keys: tuple[str, ...], fact_names: tuple[str, ...], where: str | None, handling: str
) -> Rows | None:
    """The rows of the answer; None where the query must be refused."""
    used = (*keys, *([where] if where else []))
    shops = {row[0]: row for row in tables["shop"]}
    kinds = {row[0]: row for row in tables["kind"]}
    results: dict[str, dict[tuple[Value, ...], Value]] = {}
    owned: dict[str, tuple[str, ...]] = {}
    for fact in fact_names:
        reached = {"Shop", "City"} | ({"Kind"} if "kind_id" in FACTS[fact] else set())
        if not set(used) <= reached:
            if handling == "error":
                return None
            if handling == "empty":
                continue
        own = tuple(key for key in keys if key in reached)
        owned[fact] = own
        groups: dict[tuple[Value, ...], list[Value]] = {} if own else {(): []}
        for row in tables[fact]:
            cells = dict(zip(FACTS[fact], row, strict=True))
            shop, kind = shops.get(cells["shop_id"]), kinds.get(cells.get("kind_id"))
            here: dict[str, Value] = {
                "Shop": shop[1] if shop else None,
                "City": shop[2] if shop else None,
                "Kind": kind[1] if kind else None,
            }
            mine = [name for name in used if name in reached]
            if any((kind if name == "Kind" else shop) is None for name in mine):
                continue
            if where in reached and here[where] is None:
                continue
            groups.setdefault(tuple(here[key] for key in own), []).append(cells["amount"])
        results[fact] = {
            key: sum(int(str(v)) for v in values if v is not None) if any(v is not None for v in values) else None
            for key, values in groups.items()
        }
    whole = [fact for fact in owned if owned[fact] == keys]
    if not whole:
        return None
    every = dict.fromkeys(key for fact in whole for key in results[fact])

    def value(fact: str, key: tuple[Value, ...]) -> Value:
        if fact not in results:
            return None
        return results[fact].get(tuple(cell for name, cell in zip(keys, key, strict=True) if name in owned[fact]))

    return [(*key, *(value(fact, key) for fact in fact_names)) for key in every]


def _check(database: Database, data: st.DataObject) -> None:
    tables = _tables(data.draw(st.integers(0, 2**32)))
    handling = data.draw(st.sampled_from(["error", "empty", "repeat"]))
    keys = tuple(data.draw(st.lists(st.sampled_from(["Shop", "City", "Kind"]), unique=True, max_size=3)))
    fact_names = tuple(data.draw(st.lists(st.sampled_from(list(FACTS)), unique=True, min_size=1, max_size=3)))
    where = data.draw(st.none() | st.sampled_from(["Shop", "City", "Kind"]))
    model = _model(handling)
    paths = Paths(model)
    shown = ", ".join(f'"{name}"' for name in (*keys, *fact_names))
    text = f"SELECT {shown} FROM tests.facts"
    text += f' WHERE "{where}" IS NOT NULL' if where else ""
    (select,) = read_statement(text, dialect="postgres").selects
    query = read_select(select, SurfaceNames(model, paths), CalculatedMetrics(model), dialect="postgres")
    expected = _expected(tables, keys, fact_names, where, handling)
    if expected is None:
        with pytest.raises(UnsupportedQueryError):
            split_by_fact(query, model, paths)
        return
    parts = split_by_fact(query, model, paths)
    with database.example():
        sources = Sources(model.datasets, _create(database, tables), database.dialect)
        proven = prove(database.session, [part.needed for part in parts], sources)
        select = compose(query, [(part, FactRows(part.needed, sources, proven)) for part in parts])
        text_asked = render(select, database.dialect)
        rows = database.fetch_all(text_asked)
        wrong = same_rows(rows, expected)
        assert not wrong, f"{wrong}\n{text} ({handling})\n{text_asked}"


def _create(database: Database, tables: Tables) -> PhysicalTables:
    names = {**FACTS, "shop": ("shop_id", "name", "city"), "kind": ("kind_id", "name")}
    for table, rows in tables.items():
        columns = {name: "VARCHAR(9)" if name in {"name", "city"} else "INTEGER" for name in names[table]}
        database.fetch_all(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        for row in rows:
            values = ("NULL" if cell is None else f"'{cell}'" if isinstance(cell, str) else str(cell) for cell in row)
            database.fetch_all(f"INSERT INTO {table} VALUES ({', '.join(values)})")
    return {
        (None, None, table): {name: "varchar" if name in {"name", "city"} else "integer" for name in columns}
        for table, columns in names.items()
    }


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES)
def test_facts_are_laid_together_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    """Other facts are an error, empty or repeated; there are keys or none."""
    _check(on_duckdb, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=max(EXAMPLES // 4, 1))
def test_facts_are_laid_together_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    """NULL keys and untyped NULLs are handled differently there."""
    _check(on_postgres, data)


def test_the_same_name_twice_is_told_apart() -> None:
    """A metric and an attribute of one name would be ambiguous; two outputs of one name are not."""
    model = _model("empty")
    metric = replace(model.metrics["sales"], name="other sales", label="sales amount 2")
    model = replace(model, metrics={**model.metrics, metric.name: metric})
    (select,) = read_statement(
        'SELECT "sales" AS a, "other sales" AS a, "returns" FROM tests.facts', dialect="postgres"
    ).selects
    query = read_select(select, SurfaceNames(model, Paths(model)), CalculatedMetrics(model), dialect="postgres")

    assert query.names == ("a", "a", "returns")
    assert [sorted(part.metrics) for part in split_by_fact(query, model, Paths(model))] == [[0, 1], [2]]
