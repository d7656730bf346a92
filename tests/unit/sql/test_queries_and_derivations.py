"""What the composed SQL does with awkward data, run on DuckDB: every case by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb
import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.errors import DefinitionError, UnsupportedMetricError
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.sql.derivations import select_from_instance
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import create_table_as, render, table

DUCKDB = DIALECTS["duckdb"]
AMOUNT = StoredMeasure(StoredFunction.SUM, "sales", "amount")


@dataclass
class World:
    """Tables in DuckDB with their datasets."""

    connection: duckdb.DuckDBPyConnection
    datasets: dict[str, Dataset]
    types: dict[tuple[str | None, str | None, str], dict[str, str]]

    def add(self, name: str, columns: str, *rows: str, calculated: dict[str, str] | None = None) -> None:
        """Make a table of integer columns (``name:type`` for others) and its dataset."""
        typed = dict((*column.split(":"), "integer")[:2] for column in columns.split())
        self.connection.execute(f'CREATE TABLE "{name}" ({", ".join(f"{c} {t}" for c, t in typed.items())})')
        for row in rows:
            self.connection.execute(f'INSERT INTO "{name}" VALUES ({row})')
        made = {c: Column(name=c) for c in typed}
        made |= {
            c: Column(name=c, data_type="string", variants=(SqlVariant(dialect=None, sql=sql),))
            for c, sql in (calculated or {}).items()
        }
        self.datasets[name] = Dataset(name=name, table=name, columns=made)
        self.types[None, None, name] = typed

    def fetch_all(self, sql: str) -> list[tuple[object, ...]]:
        """What `prove` asks of a session."""
        return self.connection.execute(sql).fetchall()

    def facts(self, *parts: FactPart) -> ProvenConstraints:
        """What the data proves for these parts."""
        return prove(self, parts, self.sources())

    def sources(self) -> Sources:
        """The datasets on DuckDB."""
        return Sources(self.datasets, self.types, DUCKDB)

    def rows(self, part: FactPart) -> list[tuple[object, ...]]:
        """The part's rows from the facts, sorted."""
        return self._sorted(select_from_fact(part, self.sources(), self.facts(part)))

    def derived(self, child: FactPart, parent: FactPart) -> list[tuple[object, ...]] | None:
        """The child's rows from the parent's table, sorted; None when the lattice refuses."""
        facts, sources = self.facts(child, parent), self.sources()
        way = derivation(child, parent, facts.functional)
        if way is None:
            return None
        made = create_table_as(table("parent_table"), select_from_fact(parent, sources, facts), DUCKDB)
        self.connection.execute(render(made, DUCKDB).replace("CREATE TABLE", "CREATE OR REPLACE TABLE"))
        return self._sorted(select_from_instance(child, parent, way, table("parent_table"), sources, facts))

    def _sorted(self, select: exp.Expr) -> list[tuple[object, ...]]:
        return sorted(self.fetch_all(render(select, DUCKDB)), key=str)


@pytest.fixture
def world() -> Iterator[World]:
    with duckdb.connect(config={"threads": "1"}) as connection:
        yield World(connection, {}, {})


def _join(kind: str, from_: str, columns: str, to: str, keys: str) -> JoinStep:
    return JoinStep(JoinKind(kind), from_, tuple(columns.split()), to, tuple(keys.split()))


def _bound(name: str, dataset: str, keys: str, shown: str, *steps: JoinStep, determines: str = "") -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(Role("d"), name),
        label=name,
        dataset=dataset,
        key_columns=tuple(keys.split()),
        name_column=shown,
        steps=steps,
        determines=frozenset(determines.split()),
    )


def _part(*attributes: BoundAttribute, measures: tuple[StoredMeasure, ...] = (AMOUNT,)) -> FactPart:
    return FactPart(fact="sales", attributes=attributes, measures=tuple(sorted({*measures, row_count("sales")})))


SHOP = _join("unique_key", "sales", "shop_id", "shop", "shop_id")
CITY = _bound("city", "shop", "city", "city", SHOP)


def test_null_orphan_and_nameless_stay_apart(world):
    world.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "99, 8", "NULL, 16")
    world.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, NULL", "NULL, 'never met'")

    assert world.rows(_part(CITY)) == [("N", 1, 2, 3), (None, 0, 2, 24), (None, 1, 1, 4)]


def test_an_aggregate_of_no_attributes_has_one_row_even_over_nothing(world):
    world.add("sales", "shop_id amount")

    assert world.rows(_part()) == [(0, None)]


def test_the_total_derives_to_one_row_even_from_an_empty_parent(world):
    world.add("sales", "shop_id amount")
    world.add("shop", "shop_id city:varchar")

    assert world.derived(_part(), _part(CITY)) == [(0, None)]


def test_a_repeated_key_with_one_value_does_not_multiply(world):
    world.add("sales", "shop_id amount", "1, 1", "2, 2")
    world.add("shop", "shop_id city:varchar is_new:boolean", "1, 'N', true", "1, 'N', false", "2, NULL, NULL")

    assert world.rows(_part(CITY)) == [("N", 1, 1, 1), (None, 1, 1, 2)]


def test_a_repeated_key_with_several_values_is_refused_by_name(world):
    world.add("sales", "shop_id amount", "1, 1")
    world.add("shop", "shop_id city:varchar", "1, 'N'", "1, 'S'")

    with pytest.raises(DefinitionError, match=r"dataset `shop` on \(shop_id\).*\(city\)"):
        world.rows(_part(CITY))


def test_a_key_with_a_value_and_a_null_counts_as_several_values(world):
    world.add("sales", "shop_id amount", "1, 1")
    world.add("shop", "shop_id city:varchar", "1, 'N'", "1, NULL")

    with pytest.raises(DefinitionError):
        world.rows(_part(CITY))


def test_a_join_above_the_leaf_meets_one_row_per_key(world):
    """Quotas per quarter meet a calendar of days: nothing is counted once per day."""
    world.add("sales", "quarter amount", "1, 100", "2, 10", "3, 1")
    world.add("day", "d quarter year", "1, 1, 2000", "2, 1, 2000", "3, 2, 2000", "4, 2, 2000")
    year = _bound("year", "day", "year", "year", _join("coarse_key", "sales", "quarter", "day", "quarter"))

    assert world.rows(_part(year)) == [(2000, 1, 2, 110), (None, 0, 1, 1)]


def test_a_fact_row_counts_once_per_distinct_member_of_a_bridge(world):
    world.add("sales", "why amount", "1, 10", "2, 1", "3, 100", "NULL, 1000")
    world.add("bridge", "why reason", "1, 1", "1, 2", "1, 3", "2, 2", "2, 2", "2, 77", "2, 78")
    world.add("reason", "reason kind:varchar", "1, 'x'", "2, 'y'", "3, 'y'")
    steps = (
        _join("bridge", "sales", "why", "bridge", "why"),
        _join("unique_key", "bridge", "reason", "reason", "reason"),
    )

    assert world.rows(_part(_bound("kind", "reason", "kind", "kind", *steps))) == [
        ("x", 1, 1, 10),
        ("y", 1, 2, 11),
        (None, 0, 3, 1101),
    ]


def test_a_compound_key_with_a_null_in_it_meets_nothing(world):
    world.add("sales", "a b amount", "1, 1, 1", "1, NULL, 2", "NULL, 1, 4", "1, 2, 8")
    world.add("dim", "a b name:varchar", "1, 1, 'one'", "1, NULL, 'never'", "1, 2, 'two'")
    name = _bound("name", "dim", "a b", "name", _join("unique_key", "sales", "a b", "dim", "a b"))

    assert world.rows(_part(name)) == [(1, 1, "one", 1, 1, 1), (1, 2, "two", 1, 1, 8), (None, None, None, 0, 2, 6)]


def test_a_calculated_key_that_is_never_null_does_not_look_matched(world):
    world.add("sales", "code:varchar amount", "'a', 1", "'zz', 2", "NULL, 4")
    world.add("dim", "id name:varchar", "1, 'A'", calculated={"code": "CASE WHEN id = 1 THEN 'a' ELSE 'other' END"})
    name = _bound("name", "dim", "name", "name", _join("unique_key", "sales", "code", "dim", "code"))

    assert world.rows(_part(name)) == [("A", 1, 1, 1), (None, 0, 2, 6)]


def test_a_calculation_gives_nothing_for_a_member_that_is_not_there(world):
    world.add("sales", "shop_id amount", "1, 1", "9, 2")
    world.add("shop", "shop_id", "1", calculated={"city": "CASE WHEN shop_id > 5 THEN 'far' ELSE 'near' END"})

    assert world.rows(_part(CITY)) == [("near", 1, 1, 1), (None, 0, 1, 2)]


def test_datasets_that_differ_in_case_only_are_joined_apart(world):
    world.add("sales", "shop_id other_id amount", "1, 2, 1")
    world.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'S'")
    world.datasets["SHOP"] = replace(world.datasets["shop"], name="SHOP")
    other = _bound("other", "SHOP", "city", "city", _join("unique_key", "sales", "other_id", "SHOP", "shop_id"))

    assert world.rows(_part(CITY, other)) == [("N", "S", 1, 1, 1, 1)]


def test_datasets_with_long_names_are_joined_apart(world):
    long = "x" * 70
    world.add("sales", "shop_id amount", "1, 1")
    world.add("shop", "shop_id city:varchar", "1, 'N'")
    names = (long + "1", long + "2")
    world.datasets |= {name: replace(world.datasets["shop"], name=name) for name in names}
    bounds = [_bound(n[-1], n, "city", "city", _join("unique_key", "sales", "shop_id", n, "shop_id")) for n in names]
    part = _part(*bounds)

    aliases = [
        node.alias_or_name
        for node in select_from_fact(part, world.sources(), world.facts(part)).find_all(exp.Table)
        if node.name == "shop"
    ]

    assert len({alias.encode()[:63] for alias in aliases}) == 2


def test_met_with_nulls_and_not_met_are_not_merged_by_a_derivation(world):
    """Month 1's days lead to a season without a group, and to no season: one derived row would be wrong."""
    world.add("sales", "d amount", "1, 1", "2, 2")
    world.add("day", "d month season", "1, 1, 5", "2, 1, NULL")
    world.add("season", "season grp:varchar", "5, NULL")
    day = _join("unique_key", "sales", "d", "day", "d")
    season = _join("unique_key", "day", "season", "season", "season")
    month = _bound("month", "day", "month", "month", day, determines="grp")
    group = _bound("grp", "season", "grp", "grp", day, season)

    assert world.rows(_part(group)) == [(None, 0, 1, 2), (None, 1, 1, 1)]
    assert world.derived(_part(group), _part(month)) is None


def test_a_hierarchy_is_used_only_where_the_data_is_functional(world):
    """A week that lies in two years cannot tell its year."""
    day = _join("unique_key", "sales", "d", "day", "d")
    week = _bound("week", "day", "week", "week", day, determines="year")
    year = _bound("year", "day", "year", "year", day)
    world.add("sales", "d amount", "1, 1", "2, 2", "3, 4")
    world.add("day", "d week year", "1, 1, 2000", "2, 1, 2000", "3, 2, 2001")
    assert world.derived(_part(year), _part(week)) == world.rows(_part(year))

    world.connection.execute("INSERT INTO day VALUES (4, 2, 2000)")

    assert world.derived(_part(year), _part(week)) is None


def test_a_stored_key_that_may_be_null_determines_nothing(world):
    day = _join("unique_key", "sales", "d", "day", "d")
    week = _bound("week", "day", "week", "week", day, determines="year")
    year = _bound("year", "day", "year", "year", day)
    world.add("sales", "d amount", "1, 1", "2, 2")
    world.add("day", "d week year", "1, 1, 2000", "2, NULL, 2000")

    assert world.derived(_part(year), _part(week)) is None


def test_squares_of_large_values_do_not_cancel(world):
    """Sums of squares around 1e9 would lose everything; the exact answer is 2 per group of three."""
    world.add("sales", "shop_id amount:double", *(f"{n % 2}, {10**9 + n // 2}" for n in range(6)))
    world.add("shop", "shop_id city:varchar", "0, 'N'", "1, 'S'")
    functions = (StoredFunction.CENTERED_SQUARES, StoredFunction.SUM, StoredFunction.COUNT)
    measures = tuple(StoredMeasure(function, "sales", "amount") for function in functions)
    shop = _bound("shop", "shop", "shop_id", "city", SHOP)

    fine = world.rows(_part(shop, measures=measures))
    total = world.derived(_part(measures=measures), _part(shop, measures=measures))

    assert [row[3] for row in fine] == pytest.approx([2.0, 2.0])
    assert total is not None
    assert total[0][0] == pytest.approx(4.0)


def test_a_sketch_that_the_dialect_cannot_store_is_refused_by_name(world):
    world.add("sales", "shop_id amount")
    sketch = StoredMeasure(StoredFunction.DISTINCT_SKETCH, "sales", "amount")

    with pytest.raises(UnsupportedMetricError, match=r"estimated count distinct.*sales.amount.*duckdb"):
        world.rows(_part(measures=(sketch,)))


@pytest.mark.parametrize("name", [name for name, row in DIALECTS.items() if row.distinct_sketch])
def test_a_sketch_is_made_and_merged_where_the_dialect_has_one(name):
    dialect = DIALECTS[name]
    sketch = StoredMeasure(StoredFunction.DISTINCT_SKETCH, "sales", "amount")
    datasets = {"sales": Dataset(name="sales", table="sales", columns={})}
    sources = Sources(datasets, {(None, None, "sales"): {"amount": "integer", "color": "varchar"}}, dialect)
    parent, child = _part(_bound("color", "sales", "color", "color"), measures=(sketch,)), _part(measures=(sketch,))
    way = derivation(child, parent, frozenset())

    made = render(select_from_fact(parent, sources, ProvenConstraints()), dialect)
    merged = render(select_from_instance(child, parent, way, table("p"), sources, ProvenConstraints()), dialect)

    assert f"{dialect.distinct_sketch.make}(" in made
    assert f"{dialect.distinct_sketch.merge}(" in merged


@pytest.mark.parametrize("kind", ["smallint", "integer", "bigint", "decimal(9,2)", "double"])
def test_a_derived_table_has_the_types_of_one_made_from_facts(world, kind):
    world.add("sales", f"shop_id amount:{kind}", "1, 1")
    world.add("shop", "shop_id city:varchar", "1, 'N'")
    functions = ("sum", "count", "minimum", "maximum", "centered_squares")
    measures = tuple(StoredMeasure(StoredFunction(function), "sales", "amount") for function in functions)
    shop = _bound("shop", "shop", "shop_id", "shop_id", SHOP, determines="city")
    child, parent = _part(CITY, measures=measures), _part(shop, measures=measures)

    assert world.derived(child, parent) == world.rows(child)
    sources, facts = world.sources(), world.facts(child, parent)
    way = derivation(child, parent, facts.functional)
    selects = (
        select_from_fact(child, sources, facts),
        select_from_instance(child, parent, way, table("parent_table"), sources, facts),
    )
    one, other = (world.fetch_all(f"DESCRIBE {render(select, DUCKDB)}") for select in selects)

    assert one == other


@pytest.mark.parametrize("constant", ["'All'", "1", "NULL", "7.5"])
def test_a_constant_attribute_is_one_group(world, constant):
    """GROUP BY would take 1 for a position and refuse a text on PostgreSQL."""
    world.add("sales", "shop_id amount", "1, 1", "2, 2", calculated={"everything": constant})
    world.add("shop", "shop_id city:varchar", "1, 'N'")
    whole = _bound("everything", "sales", "everything", "everything")

    assert [row[1:] for row in world.rows(_part(whole))] == [(2, 3)]
    assert [row[1:] for row in world.rows(_part(whole, CITY))] == [("N", 1, 1, 1), (None, 0, 1, 2)]
    assert world.derived(_part(whole), _part(whole, CITY)) == world.rows(_part(whole))

    world.connection.execute("DELETE FROM sales")

    assert world.rows(_part(whole)) == []
