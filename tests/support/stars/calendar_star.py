"""A star with a calendar that has gaps, and calculated metrics of every form, as an SML model written by the tests.

The calendar begins and ends inside a year, has a leap day, weeks that lie in two years, month names that stand for
several months, and months without sales. Sales have NULL and orphan days, products and shops.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from tests.support.stars.tiny_star import METRIC

Value = int | str | bool | None
Row = dict[str, Value]

SCHEMA = "forms_star"
MODEL = "forms"

_MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]


def calendar(first: date = date(2002, 11, 20), last: date = date(2004, 3, 4)) -> list[Row]:
    """One row per day."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        {
            "day_id": number + 1,
            "day_name": day.isoformat(),
            "month_id": day.year * 12 + day.month,
            "month_label": f"{day.year}-{day.month:02}",
            "month_name": _MONTHS[day.month - 1],
            "month_before": (day.year - 1) * 12 + day.month,
            "quarter_id": day.year * 4 + (day.month - 1) // 3,
            "quarter_label": f"{day.year} Q{(day.month + 2) // 3}",
            "year_id": day.year,
            "week_id": (day - date(2002, 1, 7)).days // 7,
            "weekday": day.strftime("%A"),
            "season": "cold" if day.month in {12, 1, 2} else "warm",
            "is_first": day.day == 1,
        }
        for number, day in enumerate(days)
    ]


PRODUCTS: list[Row] = [
    {
        "product_id": number,
        "product_name": f"product {number}",
        "code": f"C{number % 7}",
        "class": (None, "toys", "tools", "games")[number % 4],
        "category": "home" if number % 3 else "garden",
    }
    for number in range(1, 13)
]
SHOPS: list[Row] = [{"shop_id": number, "shop_name": (None, "north", "south")[number % 3]} for number in range(1, 6)]


def sales(days: int, rows: int = 900) -> list[Row]:
    """Fact rows; there is no sale in two months of 2003, and none on many days."""
    draw = random.Random(7)
    open_days = [number for number in range(1, days + 1) if number % 4 and not 135 <= number <= 200]
    return [
        {
            "day_id": draw.choice((*open_days, *open_days, None, 9999))
            if draw.random() < 0.2
            else draw.choice(open_days),
            "product_id": draw.choice((*range(1, 13), None, 99)),
            "shop_id": draw.choice((1, 2, 3, 4, None, 77)),
            "customer_id": draw.choice((*range(1, 20), None)),
            "amount": draw.choice((None, *range(-5, 60))),
            "quantity": draw.randint(0, 9),
        }
        for _ in range(rows)
    ]


def setup_sql(tables: Mapping[str, list[Row]], schema: str = "") -> Iterator[str]:
    """Statements that make and fill the tables, on DuckDB and PostgreSQL."""
    place = f"{schema}." if schema else ""
    for name, columns in _COLUMNS.items():
        spelled = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        yield f"CREATE TABLE {place}{name} ({spelled})"
        rows = ["(" + ", ".join(_literal(row[column]) for column in columns) + ")" for row in tables[name]]
        if rows:
            yield f"INSERT INTO {place}{name} VALUES {', '.join(rows)}"


def tables() -> dict[str, list[Row]]:
    """The data of the cases."""
    days = calendar()
    return {"calendar": days, "product": PRODUCTS, "shop": SHOPS, "sales": sales(len(days))}


def _literal(value: Value) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


_INT, _TEXT = "INTEGER", "VARCHAR(20)"
_COLUMNS = {
    "calendar": {
        name: _TEXT if isinstance(value, str) else "BOOLEAN" if isinstance(value, bool) else _INT
        for name, value in calendar()[0].items()
    },
    "product": {name: _TEXT if isinstance(value, str) else _INT for name, value in PRODUCTS[0].items()}
    | {"class": _TEXT},
    "shop": {"shop_id": _INT, "shop_name": _TEXT},
    "sales": {
        "day_id": _INT,
        "product_id": _INT,
        "shop_id": _INT,
        "customer_id": _INT,
        "amount": "DECIMAL(9,2)",
        "quantity": _INT,
    },
}

METRICS = {
    "Sales": ("sum", "amount"),
    "Quantity": ("sum", "quantity"),
    "Lines": ("count non-null", "amount"),
    "Lowest": ("minimum", "amount"),
    "Highest": ("maximum", "amount"),
    "Mean": ("average", "amount"),
    "Customers": ("count distinct", "customer_id"),
}

_DATES = "[Sold Dates]"
_CURRENT = f"{_DATES}.[Sold Calendar].CurrentMember"
_WEEK = f"{_DATES}.[Sold Weeks].CurrentMember"
_YEAR = f"{_DATES}.[Sold Calendar].[Sold Year]"
_MONTH = f"{_DATES}.[Sold Calendar].[Sold Month]"

CALCULATIONS = {
    "Sales Before": f"({_CURRENT}.PrevMember, [Measures].[Sales])",
    "Sales After": f"({_CURRENT}.NextMember, [Measures].[Sales])",
    "Sales Lag 3": f"([Measures].[Sales], {_CURRENT}.Lag(3))",
    "Sales Lead 2": f"({_CURRENT}.Lead(2), [Measures].[Sales])",
    "Customers Before": f"({_CURRENT}.PrevMember, [Measures].[Customers])",
    "Mean Before": f"({_CURRENT}.PrevMember, [Measures].[Mean])",
    "Sales Growth": f"CASE WHEN ISEMPTY([Measures].[Sales]) THEN NULL ELSE ({_CURRENT}, [Measures].[Sales]) / "
    f"({_CURRENT}.PrevMember, [Measures].[Sales]) END",
    "Sales Difference": "[Measures].[Sales] - [Measures].[Sales Before]",
    "Sales Year Ago": f"(ParallelPeriod({_YEAR}, 1, {_CURRENT}), [Measures].[Sales])",
    "Customers Year Ago": f"(ParallelPeriod({_YEAR}, 1, {_CURRENT}), [Measures].[Customers])",
    "Sales Year Ago by Week": (
        f"(ParallelPeriod({_DATES}.[Sold Weeks].[Sold Week Year], 1, {_WEEK}), [Measures].[Sales])"
    ),
    "Sales 4 Weeks On": f"(ParallelPeriod({_DATES}.[Sold Weeks].[Sold Week], -4, {_WEEK}), [Measures].[Sales])",
    "Sales Own Year Ago": f"(ParallelPeriod({_DATES}.[Sold Own].[Sold Own Year], 1, {_DATES}.[Sold "
    "Own].CurrentMember), "
    "[Measures].[Sales])",
    "Sales to Date": f"Aggregate(PeriodsToDate({_YEAR}, {_CURRENT}), [Measures].[Sales])",
    "Lines to Date": f"Aggregate(PeriodsToDate({_YEAR}), [Measures].[Lines])",
    "Lowest to Date": f"Aggregate(PeriodsToDate({_YEAR}, {_CURRENT}), [Measures].[Lowest])",
    "Highest in Quarter": (
        f"Aggregate(PeriodsToDate({_DATES}.[Sold Calendar].[Sold Quarter], {_CURRENT}), [Measures].[Highest])"
    ),
    "Customers to Date": f"Avg(PeriodsToDate({_YEAR}, {_CURRENT}), [Measures].[Customers])",
    "Sum of Customers to Date": f"Sum(PeriodsToDate({_YEAR}, {_CURRENT}), [Measures].[Customers])",
    "Distinct to Date": f"Aggregate(PeriodsToDate({_YEAR}, {_CURRENT}), [Measures].[Customers])",
    "Mean Around": f"Aggregate({_CURRENT}.Lag(1):{_CURRENT}.Lead(1), [Measures].[Mean])",
    "Sales Moving Average": f"Avg({_CURRENT}.Lag(2):{_CURRENT}, [Measures].[Sales])",
    "Customers Moving Average": f"Avg({_CURRENT}.Lag(2):{_CURRENT}, [Measures].[Customers])",
    "Sales Around": f"Sum({{{_CURRENT}.Lag(1):{_CURRENT}.Lead(1)}}, [Measures].[Sales])",
    "Sales Base Line": f"Avg({_MONTH}.&[2003-01]:{_MONTH}.&[2003-06], [Measures].[Sales])",
    "Sales of Span": f"Aggregate({_MONTH}.&[2003-01]:{_MONTH}.&[2003-06], [Measures].[Customers])",
    "Sales per Weekday": f"Avg({_DATES}.[Sold Weekday].[Sold Weekday].Members, [Measures].[Sales])",
    "Best Season": f"Max({_DATES}.[Sold Season].[Sold Season].Members, [Measures].[Sales])",
    "Share of Classes": "[Measures].[Sales] / ([Products].[Class].[All], [Measures].[Sales])",
    "Share of Products": "[Measures].[Sales] / ([Products].[All], [Measures].[Sales])",
    "Share in Class": (
        "[Measures].[Sales] / ([Products].[Assortment].[All], [Products].[Class].CurrentMember, [Measures].[Sales])"
    ),
    "North Before": f"({_CURRENT}.PrevMember, [Shops].[Shop].&[north], [Measures].[Sales])",
    "Sales Two Own Years Ago": f"(ParallelPeriod({_DATES}.[Sold Own].[Sold Own Year], 2, {_DATES}.[Sold "
    "Own].CurrentMember), "
    "[Measures].[Sales])",
    "Before a Weekday": f"({_DATES}.[Sold Weekday].CurrentMember.PrevMember, [Measures].[Sales])",
    "Average of Differences": f"Avg(PeriodsToDate({_YEAR}), [Measures].[Sales Difference])",
    "Year to Date": f"Sum(YTD({_CURRENT}), [Measures].[Sales])",
    "Best Months": f"Sum(TopCount({_MONTH}.Members, 3, [Measures].[Sales]), [Measures].[Sales])",
    "No Such Level": f"(ParallelPeriod({_DATES}.[Sold Calendar].[Sold Decade], 1, {_CURRENT}), [Measures].[Sales])",
    "Two Months": f"({_CURRENT}.PrevMember, {_MONTH}.&[2003-01], [Measures].[Sales])",
    "Stock Before": f"({_CURRENT}.PrevMember, [Measures].[Stock])",
    "Stock Average": f"Avg({_CURRENT}.Lag(1):{_CURRENT}, [Measures].[Stock])",
    "Stock to Date": f"Aggregate(PeriodsToDate({_YEAR}), [Measures].[Stock])",
    "Growth of Difference": f"({_CURRENT}.PrevMember, [Measures].[Sales Difference])",
}


def write_model(folder: Path, aggregates: str = "") -> Path:
    """Write the SML files; returns their folder."""
    files = {"catalog.yml": _CATALOG, "connection.yml": _CONNECTION, "model.yml": _MODEL + aggregates}
    for name, columns in _COLUMNS.items():
        kinds = "\n".join(
            f"  - {{name: {column}, data_type: {'string' if 'CHAR' in kind else kind.lower()}}}"
            for column, kind in columns.items()
        )
        files[f"{name}.yml"] = _DATASET.format(name=name, columns=kinds)
    files["dates.yml"], files["products.yml"], files["shops.yml"] = _DATES_SML, _PRODUCTS_SML, _SHOPS_SML
    for number, (name, (method, column)) in enumerate(METRICS.items()):
        files[f"metric_{number}.yml"] = METRIC.format(name=name, method=method, column=column)
    files["stock.yml"] = METRIC.format(name="Stock", method="sum", column="quantity") + _LAST_DAY
    for number, (name, expression) in enumerate(CALCULATIONS.items()):
        files[f"calculation_{number}.yml"] = _CALCULATION.format(name=name, expression=expression.replace("'", "''"))
    names = "".join(f"  - unique_name: {name}\n" for name in (*METRICS, "Stock", *CALCULATIONS))
    files["model.yml"] = _MODEL.replace("METRICS", names) + aggregates
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


_CATALOG = """\
unique_name: forms_catalog
object_type: catalog
label: Forms
version: 1.6
aggressive_agg_promotion: false
build_speculative_aggs: false
"""
_CONNECTION = f"""\
unique_name: warehouse
object_type: connection
label: Warehouse
as_connection: forms
schema: {SCHEMA}
"""
_DATASET = """\
unique_name: {name}
object_type: dataset
label: {name}
connection_id: warehouse
table: {name}
columns:
{columns}
"""
_LAST_DAY = """\
semi_additive:
  position: last
  relationships: [sold_day]
"""
_CALCULATION = """\
unique_name: {name}
object_type: metric_calc
label: {name}
expression: '{expression}'
"""
_DATES_SML = """\
unique_name: Dates
object_type: dimension
label: Dates
type: time
hierarchies:
  - unique_name: Calendar
    label: Calendar
    filter_empty: 'yes'
    levels:
      - unique_name: Year
      - unique_name: Quarter
      - unique_name: Month
        secondary_attributes:
          - {unique_name: Season, label: Season, dataset: calendar, key_columns: [season], name_column: season}
      - unique_name: Day
        secondary_attributes:
          - unique_name: First of Month
            label: First
            dataset: calendar
            key_columns: [is_first]
            name_column: is_first
          - {unique_name: Weekday, label: Weekday, dataset: calendar, key_columns: [weekday], name_column: weekday}
  - unique_name: Weeks
    label: Weeks
    filter_empty: 'yes'
    levels:
      - unique_name: Week Year
      - unique_name: Week
      - unique_name: Day of Week
  - unique_name: Own
    label: Own
    filter_empty: 'yes'
    levels:
      - unique_name: Own Year
      - unique_name: Own Month
        parallel_periods:
          - {level: Own Year, key_columns: [month_before]}
      - unique_name: Day
level_attributes:
  - {unique_name: Year, label: Year, dataset: calendar, key_columns: [year_id], name_column: year_id}
  - {unique_name: Quarter, label: Quarter, dataset: calendar, key_columns: [quarter_id], name_column: quarter_label}
  - {unique_name: Month, label: Month, dataset: calendar, key_columns: [month_label], name_column: month_label}
  - {unique_name: Day, label: Day, dataset: calendar, is_unique_key: true, key_columns: [day_id], name_column: day_name}
  - {unique_name: Week Year, label: Week Year, dataset: calendar, key_columns: [year_id], name_column: year_id}
  - {unique_name: Week, label: Week, dataset: calendar, key_columns: [week_id], name_column: week_id}
  - unique_name: Day of Week
    label: Day of Week
    dataset: calendar
    is_unique_key: true
    key_columns: [day_id]
    name_column: day_id
  - {unique_name: Own Year, label: Own Year, dataset: calendar, key_columns: [year_id], name_column: year_id}
  - {unique_name: Own Month, label: Own Month, dataset: calendar, key_columns: [month_id], name_column: month_name}
"""
_PRODUCTS_SML = """\
unique_name: Products
object_type: dimension
label: Products
type: standard
hierarchies:
  - unique_name: Assortment
    label: Assortment
    filter_empty: 'yes'
    levels:
      - unique_name: Category
      - unique_name: Product
        secondary_attributes:
          - {unique_name: Class, label: Class, dataset: product, key_columns: [class], name_column: class}
          - {unique_name: Code, label: Code, dataset: product, key_columns: [code], name_column: code}
level_attributes:
  - {unique_name: Category, label: Category, dataset: product, key_columns: [category], name_column: category}
  - unique_name: Product
    label: Product
    dataset: product
    is_unique_key: true
    key_columns: [product_id]
    name_column: product_name
"""
_SHOPS_SML = """\
unique_name: Shops
object_type: dimension
label: Shops
type: standard
hierarchies:
  - unique_name: Shops
    label: Shops
    filter_empty: 'no'
    levels:
      - unique_name: Shop Number
        secondary_attributes:
          - {unique_name: Shop, label: Shop, dataset: shop, key_columns: [shop_name], name_column: shop_name}
level_attributes:
  - unique_name: Shop Number
    label: Shop Number
    dataset: shop
    is_unique_key: true
    key_columns: [shop_id]
    name_column: shop_id
"""
_MODEL = f"""\
unique_name: {MODEL}
object_type: model
label: Forms
relationships:
  - unique_name: sold_day
    from: {{dataset: sales, join_columns: [day_id]}}
    to: {{dimension: Dates, level: Day}}
    role_play: "Sold {{0}}"
  - unique_name: sold_day_of_week
    from: {{dataset: sales, join_columns: [day_id]}}
    to: {{dimension: Dates, level: Day of Week}}
    role_play: "Sold {{0}}"
  - unique_name: product
    from: {{dataset: sales, join_columns: [product_id]}}
    to: {{dimension: Products, level: Product}}
  - unique_name: shop
    from: {{dataset: sales, join_columns: [shop_id]}}
    to: {{dimension: Shops, level: Shop Number}}
metrics:
METRICS"""
