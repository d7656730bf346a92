"""What the internet sales sample model has and TPC-DS lacks, on data made here and against plain Python.

A many-to-many dimension behind a bridge, compound keys, a snowflake of geography, standard deviations, minimum and maximum,
exact and estimated distinct counts. The sample has no aggregates of its own; the test adds some to a copy.
"""

from __future__ import annotations

import itertools
import math
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from tests.support.oracles.hand_written import Built, Case
from tests.support.oracles.query_cases import QueryCase

Value = Any
FACT_ROWS = 400
NO_SUCH_KEY = 999
DATABASE = "atscale_tutorial_data"
SCHEMA = "as_adventure"
FACT = "factinternetsales"

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

COUNTRIES = {"DE": (), "FR": (), "US": ()}
STATES = {1: ("Bayern", "DE"), 2: ("Hessen", "DE"), 3: ("Paris", "FR"), 4: ("Lost", "XX"), 5: (None, "US")}
CITIES = {
    1: ("Hof", 1),
    2: ("Hof", 2),
    3: ("Fulda", 2),
    4: ("Paris", 3),
    5: ("Nowhere", 4),
    6: ("Adrift", 77),
    7: (None, 5),
}
CUSTOMERS = {number: (number % 9 or None, ("M", "F", None, "X")[number % 4]) for number in range(1, 30)}
"""Number to (geography, gender); some geographies and genders do not exist."""
GENDERS = {"M": "Male", "F": "Female"}
PRODUCTS = {
    number: (("R", "M", None)[number % 3], number % 4, ("Bikes", "Helmets", "Locks", None)[number % 4])
    for number in range(1, 12)
}
"""Number to (line, subcategory, its name)."""
ORDER_LINES = {
    (line, f"SO{order}", currency): (f"Currency {currency}", "web" if order % 3 else None)
    for order, line, currency in itertools.product(range(1, 13), (1, 2), (1, 2))
    if order != 5
}
REASONS = {1: ("Price", "Other"), 2: ("Magazine", "Marketing"), 3: ("Television", "Marketing"), 4: (None, None)}
BRIDGE = [
    *((f"SO{order}", line, reason) for order, line in itertools.product(range(1, 9), (1, 2)) for reason in (1, 2)),
    *((f"SO{order}", 1, reason) for order in (1, 2, 3) for reason in (2, 3, 3, 4)),
    ("SO9", 1, NO_SUCH_KEY),
    ("SO9", 1, NO_SUCH_KEY + 1),
    ("SO9", 2, None),
]
"""(order, line, reason): the same twice, two of one type, reasons that do not exist, orders without any."""


def facts() -> list[dict[str, Value]]:
    """Sales with NULL and unmatched keys and NULL measures; amounts are sums of binary fractions, so totals are exact."""
    draw = random.Random(42)
    return [
        {
            "salesordernumber": f"SO{draw.randint(1, 13)}",
            "salesorderlinenumber": draw.choice((1, 1, 2, None)),
            "currencykey": draw.choice((1, 2, NO_SUCH_KEY)),
            "customerkey": draw.choice((*CUSTOMERS, *CUSTOMERS, None, NO_SUCH_KEY)),
            "productkey": draw.choice((*PRODUCTS, None, NO_SUCH_KEY)),
            "orderdatekey": draw.randint(20200101, 20200131),
            "shipdatekey": 20200201,
            "salesamount": draw.choice((None, *(draw.randint(4, 4000) / 4 + 100000 for _ in range(8)))),
            "taxamt": draw.choice((None, draw.randint(1, 100) / 4)),
            "orderquantity": draw.choice((None, 1, 2, 3)),
        }
        for _ in range(FACT_ROWS)
    ]


Row = dict[str, Value]


def city_of(fact: Row) -> tuple[Value, ...] | None:
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
    """The reasons of a sale that exist; None for one that leads nowhere or when there is none."""
    place = (fact["salesordernumber"], fact["salesorderlinenumber"])
    found = [reason if reason in REASONS else None for order, line, reason in BRIDGE if (order, line) == place]
    return found or [None]


def by_reason(fact: Row) -> set[tuple[Value, ...]]:
    """Each distinct reason once."""
    return {(key, REASONS[key][0], 1) if key else (None, None, 0) for key in reasons_of(fact)}


def by_reason_type(fact: Row) -> set[tuple[Value, ...]]:
    """Each distinct type once."""
    return {(REASONS[key][1], 1) if key else (None, 0) for key in reasons_of(fact)}


def by_order(fact: Row) -> set[tuple[Value, ...]]:
    """Order (number, currency key), currency key and name, type, flag; all columns of the order dimension."""
    key = (fact["salesorderlinenumber"], fact["salesordernumber"], fact["currencykey"])
    found = ORDER_LINES.get(key)
    return {(key[1], key[2], key[2], found[0], found[1], 1) if found else (None, None, None, None, None, 0)}


def by_category(fact: Row) -> set[tuple[Value, ...]]:
    """Line; category (line, subcategory, name); flag."""
    found = PRODUCTS.get(fact["productkey"])
    return {(found[0], found[0], found[1], found[2], 1) if found else (None, None, None, None, 0)}


def by_line(fact: Row) -> set[tuple[Value, ...]]:
    """Line, flag."""
    found = PRODUCTS.get(fact["productkey"])
    return {(found[0], 1) if found else (None, 0)}


def values(rows: Sequence[Row], column: str) -> list[Value]:
    """What is not NULL."""
    return [row[column] for row in rows if row[column] is not None]


def squares(rows: Sequence[Row]) -> float | None:
    """Squared distances from the mean."""
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
        """Group to measures."""
        by_group: dict[tuple[Value, ...], list[Row]] = defaultdict(list)
        for fact in facts():
            for group in self.groups(fact):
                by_group[group].append(fact)
        return {group: [MEASURES[measure](rows) for measure in self.measures] for group, rows in by_group.items()}

    def case(self) -> Case:
        """Column names of its own for everything."""
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


def tables() -> dict[str, tuple[str, list[tuple[Value, ...]]]]:
    """Table to its columns with types and its rows. Only columns that aggregates use are there."""
    sales = facts()
    kinds = {"salesordernumber": "varchar(20)", "salesamount": "double precision"}
    spelled = ", ".join(
        f"{name} {kinds.get(name, 'decimal(9,2)' if name == 'taxamt' else 'integer')}" for name in sales[0]
    )
    return {
        FACT: (spelled, [tuple(row.values()) for row in sales]),
        "dim_geo_country": ("country varchar(20)", [(country,) for country in COUNTRIES]),
        "dim_geo_state": (
            "statekey integer, state varchar(20), country varchar(20)",
            [(key, *rest) for key, rest in STATES.items()],
        ),
        "dim_geo_city": (
            "geographykey integer, statekey integer, city varchar(20), citystatekey varchar(40)",
            [(key, state, name, f"{name}-{state}" if name else None) for key, (name, state) in CITIES.items()],
        ),
        "dimcustomer": (
            "customerkey integer, geographykey integer, gender varchar(1)",
            [(key, *rest) for key, rest in CUSTOMERS.items()],
        ),
        "dimgender": ("genderkey varchar(1), gendername varchar(20)", list(GENDERS.items())),
        "dimproduct": (
            "productkey integer, productline varchar(1), productsubcategorykey integer, productsubcategoryname varchar(20)",
            [(key, *rest) for key, rest in PRODUCTS.items()],
        ),
        "dimorder": (
            "salesorderlinenumber integer, salesordernumber varchar(20), currencykey integer, currency_name varchar(20), type varchar(20)",
            [(*key, *rest) for key, rest in ORDER_LINES.items()],
        ),
        "dimsalesreason": (
            "salesreasonkey integer, salesreasonname varchar(20), salesreasonreasontype varchar(20)",
            [(key, *rest) for key, rest in REASONS.items()],
        ),
        "factinternetsalesreason": (
            "salesordernumber varchar(20), salesorderlinenumber integer, salesreasonkey integer",
            list(BRIDGE),
        ),
    }


def literal(value: Value) -> str:
    """SQL for a value of ours."""
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def built(
    request: pytest.FixtureRequest, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
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


def _build(warehouse: str, model: Path) -> Iterator[Built]:
    registry = f"sqlite:///{model.parent / 'registry.sqlite'}"
    with open_workspace(
        registry=registry, warehouse=warehouse, aggregate_schema="aggs", settings=SETTINGS
    ) as workspace:
        _load(workspace)
        (deployed,) = deploy(workspace, model, now=utc_now()).models
        yield Built.of(workspace, run_batch(workspace, deployed.model, owner=process_owner()))


def _load(workspace: Workspace) -> None:
    with workspace.warehouse.session() as session:
        session.execute(f"CREATE SCHEMA {SCHEMA}")
        for table, (columns, rows) in tables().items():
            session.execute(f"CREATE TABLE {SCHEMA}.{table} ({columns})")
            spelled = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
            session.execute(f"INSERT INTO {SCHEMA}.{table} VALUES {spelled}")


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.aggregate)
def test_an_aggregate_equals_plain_python(built: Built, expected: Expected) -> None:
    """Every group and every stored piece of its measures."""
    case = expected.case()
    instance = built.instances[expected.aggregate, FACT]
    columns = ", ".join(f'"{column}"' for column in case.stored_columns(built.parts[expected.aggregate, FACT]))
    with built.workspace.warehouse.session() as session:
        rows = session.fetch_all(f'SELECT {columns} FROM aggs."{instance.table}"')

    size = len(columns.split(", ")) - len(expected.measures)
    wanted = expected.rows()
    assert len(rows) == len(wanted) == instance.rows
    assert {row[:size] for row in rows} == wanted.keys()
    for row in rows:
        assert row[size:] == pytest.approx(tuple(wanted[row[:size]]), rel=1e-9, abs=1e-4), row[:size]


def test_deviations_are_derived_along_the_geography(built: Built) -> None:
    """The two coarser ones come from other aggregates, so their squares were combined and not recomputed."""
    assert built.instances["by state", FACT].source == "by city"
    assert built.instances["by country", FACT].source == "by state"


def test_distinct_counts_and_many_to_many_are_not_added_up(built: Built) -> None:
    """Both would count some rows or customers twice."""
    assert built.instances["customers by line", FACT].source == FACT
    assert built.instances["by reason type", FACT].source == FACT


def test_what_cannot_be_stored_is_refused_by_name(built: Built) -> None:
    """The others are built all the same."""
    assert not {("estimated", FACT), ("by color", FACT)} & built.instances.keys()
    notes = built.report.batch.notes
    assert [note for note in notes if note.startswith("estimated ") and "customerkey" in note]
    assert [note for note in notes if note.startswith("by color ") and "map column `product_info`" in note]


@pytest.mark.parametrize("case", QueryCase.read("internet_sales_sample"), ids=lambda case: case.name)
def test_a_query_equals_the_select_written_by_hand(built: Built, case: QueryCase) -> None:
    """From the facts and routed."""
    model = built.report.batch.model_id

    case.check(QueryRouter(built.workspace), built.workspace, SCHEMA, model)
