"""What the internet sales sample model has and TPC-DS lacks, on data made here and against plain Python.

A many-to-many dimension behind a bridge, compound keys, a snowflake of geography, standard deviations, minimum and
maximum, exact and estimated distinct counts. The sample has no aggregates of its own; the test adds some to a copy.
"""

from __future__ import annotations

import itertools
import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from tests.support.oracles.hand_written import BuiltModel, Case
from tests.support.oracles.query_cases import QueryCase
from tests.support.stars.internet_sales import (
    BRIDGE,
    CITIES,
    COUNTRIES,
    CUSTOMERS,
    DATABASE,
    FACT,
    GENDERS,
    ORDER_LINES,
    PRODUCTS,
    REASONS,
    SCHEMA,
    STATES,
    Value,
    facts,
    literal,
    tables,
)

SETTINGS = {"aggregates.batch.max.failures": 1}
"""One of the aggregates below cannot be built."""

AGGREGATES = """
aggregates:
  - unique_name: by reason
    label: Many to many
    attributes:
      - {name: Sales Reason, dimension: Sales Reason Dimension}
    metrics: [Sales Amount, Order Quantity, Average Sales Amount]
  - unique_name: by reason type
    label: Several reasons of one type count once
    attributes:
      - {name: Reason Type, dimension: Sales Reason Dimension}
    metrics: [Sales Amount]
  - unique_name: by order
    label: Compound keys
    attributes:
      - {name: Order, dimension: Order Dimension}
      - {name: Currency, dimension: Order Dimension}
      - {name: Order Type, dimension: Order Dimension}
    metrics: [Sales Amount Standard Deviation, Maximum Tax Amount, Minimum Order Date, Maximum Order Date]
  - unique_name: by city
    label: Snowflake, and a dimension beside it
    attributes:
      - {name: City, dimension: Geography Dimension}
      - {name: State, dimension: Geography Dimension}
      - {name: Country, dimension: Geography Dimension}
      - {name: Gender, dimension: Gender Dimension}
    metrics: [Sales Amount Standard Deviation, Maximum Tax Amount]
  - unique_name: by state
    label: Derived
    attributes:
      - {name: State, dimension: Geography Dimension}
      - {name: Country, dimension: Geography Dimension}
    metrics: [Sales Amount Standard Deviation, Maximum Tax Amount]
  - unique_name: by country
    label: Derived from what is derived
    attributes:
      - {name: Country, dimension: Geography Dimension}
    metrics: [Sales Amount Standard Deviation]
  - unique_name: customers
    label: Exact distinct counts stand for their own grain only
    attributes:
      - {name: Product Line, dimension: Product Dimension}
      - {name: Product Category, dimension: Product Dimension}
    metrics: [Customer Count, Sold Product Non Distinct Count]
  - unique_name: customers by line
    label: Must not be added up from the one before
    attributes:
      - {name: Product Line, dimension: Product Dimension}
    metrics: [Customer Count]
  - unique_name: tax by line
    label: A calculated column
    attributes:
      - {name: Product Line, dimension: Product Dimension}
    metrics: [Calculated Tax]
  - unique_name: estimated
    label: A sketch that these warehouses cannot store
    attributes:
      - {name: Product Line, dimension: Product Dimension}
    metrics: [Estimated Customer Count]
  - unique_name: by color
    label: A color is a value inside a map column
    attributes:
      - {name: Color, dimension: Color Dimension}
    metrics: [Sales Amount]
"""


Row = dict[str, Value]


def city_of(
    fact: Row,
) -> tuple[tuple[str | None, int | None] | None, int | None, tuple[str | None, str] | None, str | None]:
    """(city key, city name, state, country) as far as the snowflake leads, and the flag of each join."""
    geography = CUSTOMERS.get(fact["customerkey"], (None, None))[0]
    city = CITIES.get(geography)
    state = STATES.get(city[1]) if city else None
    country = state[1] if state and state[1] in COUNTRIES else None
    return city, (city[1] if city and state else None), state, country


def by_city(fact: Row) -> set[tuple[Value, ...]]:
    """City (state key, city, name), state, country, gender; then the flags."""
    city, state_key, state, country = city_of(fact)
    gender = CUSTOMERS.get(fact["customerkey"], (None, None))[1]
    gender = gender if gender in GENDERS else None
    city_columns = (city[1], city[0], f"{city[0]}-{city[1]}" if city[0] else None) if city else (None, None, None)
    columns = (*city_columns, state_key, state[0] if state else None, country, gender, GENDERS.get(gender))
    return {
        (*columns, int(city is not None), int(state is not None), int(country is not None), int(gender is not None))
    }


def by_state(fact: Row) -> set[tuple[Value, ...]]:
    """State, country, flags."""
    _, state_key, state, country = city_of(fact)
    return {(state_key, state[0] if state else None, country, int(state is not None), int(country is not None))}


def by_country(fact: Row) -> set[tuple[Value, ...]]:
    """Country, flag."""
    country = city_of(fact)[3]
    return {(country, int(country is not None))}


def reasons_of(fact: Row) -> list[int | None]:
    """The reasons of a sale that exist; None stands for one that leads nowhere, and for none at all."""
    place = (fact["salesordernumber"], fact["salesorderlinenumber"])
    reasons = [reason if reason in REASONS else None for order, line, reason in BRIDGE if (order, line) == place]
    return reasons or [None]


def by_reason(fact: Row) -> set[tuple[Value, ...]]:
    """Each distinct reason once."""
    return {(key, REASONS[key][0], 1) if key else (None, None, 0) for key in reasons_of(fact)}


def by_reason_type(fact: Row) -> set[tuple[Value, ...]]:
    """Each distinct type once."""
    return {(REASONS[key][1], 1) if key else (None, 0) for key in reasons_of(fact)}


def by_order(fact: Row) -> set[tuple[Value, ...]]:
    """Order (number, currency key), currency key and name, type, flag; all columns of the order dimension."""
    key = (fact["salesorderlinenumber"], fact["salesordernumber"], fact["currencykey"])
    order = ORDER_LINES.get(key)
    return {(key[1], key[2], key[2], order[0], order[1], 1) if order else (None, None, None, None, None, 0)}


def by_category(fact: Row) -> set[tuple[Value, ...]]:
    """Line; category (line, subcategory, name); flag."""
    product = PRODUCTS.get(fact["productkey"])
    return {(product[0], product[0], product[1], product[2], 1) if product else (None, None, None, None, 0)}


def by_line(fact: Row) -> set[tuple[Value, ...]]:
    """Line, flag."""
    product = PRODUCTS.get(fact["productkey"])
    return {(product[0], 1) if product else (None, 0)}


def values(rows: Sequence[Row], column: str) -> list[Value]:
    """The values of a column that are not NULL."""
    return [row[column] for row in rows if row[column] is not None]


def squares(rows: Sequence[Row]) -> float | None:
    """The sum of the squared distances from the mean."""
    amounts = values(rows, "salesamount")
    if not amounts:
        return None
    mean = math.fsum(amounts) / len(amounts)
    return math.fsum((amount - mean) ** 2 for amount in amounts)


MEASURES: dict[str, Callable[[Sequence[Row]], Value]] = {
    "count_rows": len,
    "sum(salesamount)": lambda rows: sum(values(rows, "salesamount")) if values(rows, "salesamount") else None,
    "count(salesamount)": lambda rows: len(values(rows, "salesamount")),
    "centered_squares(salesamount)": squares,
    "sum(orderquantity)": lambda rows: sum(values(rows, "orderquantity")) if values(rows, "orderquantity") else None,
    "maximum(taxamt)": lambda rows: max(values(rows, "taxamt"), default=None),
    "minimum(orderdatekey)": lambda rows: min(values(rows, "orderdatekey")),
    "maximum(orderdatekey)": lambda rows: max(values(rows, "orderdatekey")),
    "count_distinct(customerkey)": lambda rows: len(set(values(rows, "customerkey"))),
    "count(productkey)": lambda rows: len(values(rows, "productkey")),
    "sum(calculated tax)": lambda rows: (
        math.fsum(values(rows, "salesamount")) * 0.085 if values(rows, "salesamount") else None
    ),
}
ROW_COUNT = "count_rows"
DEVIATION = ("sum(salesamount)", "count(salesamount)", "centered_squares(salesamount)")


@dataclass(frozen=True)
class Expected:
    """An aggregate in plain Python: its columns by attribute, the groups that a fact belongs to, its measures."""

    aggregate: str
    columns: dict[str, int]
    matched: tuple[str, ...]
    groups: Callable[[Row], set[tuple[Value, ...]]]
    measures: tuple[str, ...]

    def rows(self) -> dict[tuple[Value, ...], list[Value]]:
        """The measures of each group."""
        by_group: dict[tuple[Value, ...], list[Row]] = defaultdict(list)
        for fact in facts():
            for group in self.groups(fact):
                by_group[group].append(fact)
        return {group: [MEASURES[measure](rows) for measure in self.measures] for group, rows in by_group.items()}

    def case(self) -> Case:
        """The case, with column names of its own."""
        numbers = itertools.count()
        return Case(
            aggregate=self.aggregate,
            fact=FACT,
            grain={name: tuple(f"c{next(numbers)}" for _ in range(count)) for name, count in self.columns.items()},
            matched={name: f"m{next(numbers)}" for name in self.matched},
            measures={measure: f"v{next(numbers)}" for measure in self.measures},
            sql="",
        )


EXPECTED = [
    Expected(
        "by reason",
        {"Sales Reason": 2},
        ("Sales Reason",),
        by_reason,
        (ROW_COUNT, "sum(salesamount)", "count(salesamount)", "sum(orderquantity)"),
    ),
    Expected("by reason type", {"Reason Type": 1}, ("Reason Type",), by_reason_type, (ROW_COUNT, "sum(salesamount)")),
    Expected(
        "by order",
        {"Order": 2, "Currency": 2, "Order Type": 1},
        ("Order",),
        by_order,
        (ROW_COUNT, *DEVIATION, "maximum(taxamt)", "minimum(orderdatekey)", "maximum(orderdatekey)"),
    ),
    Expected(
        "by city",
        {"City": 3, "State": 2, "Country": 1, "Gender": 2},
        ("City", "State", "Country", "Gender"),
        by_city,
        (ROW_COUNT, *DEVIATION, "maximum(taxamt)"),
    ),
    Expected(
        "by state",
        {"State": 2, "Country": 1},
        ("State", "Country"),
        by_state,
        (ROW_COUNT, *DEVIATION, "maximum(taxamt)"),
    ),
    Expected("by country", {"Country": 1}, ("Country",), by_country, (ROW_COUNT, *DEVIATION)),
    Expected(
        "customers",
        {"Product Line": 1, "Product Category": 3},
        ("Product Line",),
        by_category,
        (ROW_COUNT, "count_distinct(customerkey)", "count(productkey)"),
    ),
    Expected(
        "customers by line", {"Product Line": 1}, ("Product Line",), by_line, (ROW_COUNT, "count_distinct(customerkey)")
    ),
    Expected("tax by line", {"Product Line": 1}, ("Product Line",), by_line, (ROW_COUNT, "sum(calculated tax)")),
]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def built_model(
    request: pytest.FixtureRequest, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltModel]:
    """The sample with aggregates added, deployed and built on the data above."""
    folder = tmp_path_factory.mktemp("internet_sales")
    model = folder / "model"
    shutil.copytree(sample_models / "internet-sales", model)
    with (model / "models" / "internet_sales.yml").open("a", encoding="utf-8") as text:
        text.write(AGGREGATES)
    if request.param == "duckdb":
        yield from _build(f"duckdb:///{folder / f'{DATABASE}.duckdb'}", model)
    else:
        with request.getfixturevalue("postgres_database")(DATABASE) as url:
            yield from _build(url, model)


def _build(warehouse: str, model: Path) -> Iterator[BuiltModel]:
    registry = f"sqlite:///{model.parent / 'registry.sqlite'}"
    with open_workspace(
        registry=registry, warehouse=warehouse, aggregate_schema="aggs", settings=SETTINGS
    ) as workspace:
        _load(workspace)
        (deployed,) = deploy(workspace, model, now=utc_now()).models
        yield BuiltModel.of(workspace, run_batch(workspace, deployed.model, owner=process_owner()))


def _load(workspace: Workspace) -> None:
    with workspace.warehouse.session() as session:
        session.execute(f"CREATE SCHEMA {SCHEMA}")
        for table, (columns, rows) in tables().items():
            session.execute(f"CREATE TABLE {SCHEMA}.{table} ({columns})")
            spelled = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
            session.execute(f"INSERT INTO {SCHEMA}.{table} VALUES {spelled}")


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.aggregate)
def test_an_aggregate_equals_plain_python(built_model: BuiltModel, expected: Expected) -> None:
    """Every group is right, with every stored piece of its measures."""
    case = expected.case()
    instance = built_model.instances[expected.aggregate, FACT]
    columns = ", ".join(f'"{column}"' for column in case.stored_columns(built_model.parts[expected.aggregate, FACT]))
    with built_model.workspace.warehouse.session() as session:
        rows = session.fetch_all(f'SELECT {columns} FROM aggs."{instance.table}"')

    size = len(columns.split(", ")) - len(expected.measures)
    wanted = expected.rows()
    assert len(rows) == len(wanted) == instance.rows
    assert {row[:size] for row in rows} == wanted.keys()
    for row in rows:
        assert row[size:] == pytest.approx(tuple(wanted[row[:size]]), rel=1e-9, abs=1e-4), row[:size]


def test_deviations_are_derived_along_the_geography(built_model: BuiltModel) -> None:
    """The two coarser ones come from other aggregates, so their squares were combined and not recomputed."""
    assert built_model.instances["by state", FACT].source == "by city"
    assert built_model.instances["by country", FACT].source == "by state"


def test_distinct_counts_and_many_to_many_are_not_added_up(built_model: BuiltModel) -> None:
    """Both would count some rows or customers twice."""
    assert built_model.instances["customers by line", FACT].source == FACT
    assert built_model.instances["by reason type", FACT].source == FACT


def test_what_cannot_be_stored_is_refused_by_name(built_model: BuiltModel) -> None:
    """The others are built all the same."""
    assert not {("estimated", FACT), ("by color", FACT)} & built_model.instances.keys()
    notes = built_model.report.batch.notes
    assert [note for note in notes if note.startswith("estimated ") and "customerkey" in note]
    assert [note for note in notes if note.startswith("by color ") and "map column `product_info`" in note]


@pytest.mark.parametrize("case", QueryCase.read("internet_sales_sample"), ids=lambda case: case.name)
def test_a_query_equals_the_select_written_by_hand(built_model: BuiltModel, case: QueryCase) -> None:
    """The answer is the same from the facts and routed."""
    model = built_model.report.batch.model_id

    case.check(QueryRouter(built_model.workspace), built_model.workspace, SCHEMA, model)
