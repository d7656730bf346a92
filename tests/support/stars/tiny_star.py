"""A tiny star and its SML model, written by the tests that need a whole workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import sqlglot

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.statements import render

FACT_ROWS = 60

SETUP_SQL = (
    "CREATE TABLE shop (shop_id INTEGER, shop_name VARCHAR(20), city VARCHAR(20))",
    "CREATE TABLE day (day_id INTEGER, day_name VARCHAR(20), month VARCHAR(20))",
    "CREATE TABLE sales (day_id INTEGER, shop_id INTEGER, quantity INTEGER, amount DECIMAL(9,2))",
    (
        "INSERT INTO shop VALUES (1, 'North 1', 'North'), (2, 'North 2', 'North'), (3, 'South', 'South'), (4, "
        "'Closed', NULL)"
    ),
    "INSERT INTO day VALUES " + ", ".join(f"({d}, 'day {d}', 'month {d // 5}')" for d in range(20)),
    "INSERT INTO sales VALUES "
    + ", ".join(
        f"({d % 20}, {('1', '2', '3', '4', 'NULL', '99')[d % 6]}, {d % 7 if d % 11 else 'NULL'}, {d}.25)"
        for d in range(FACT_ROWS)
    ),
)
"""Plain SQL for DuckDB and PostgreSQL; some foreign keys are NULL or lead nowhere, some measures are NULL."""

_CATALOG = """\
unique_name: tiny
object_type: catalog
label: Tiny
version: 1.6
aggressive_agg_promotion: false
build_speculative_aggs: false
"""

_CONNECTION = """\
unique_name: warehouse
object_type: connection
label: Warehouse
as_connection: tiny_warehouse
"""

_DATASETS = {
    "sales": ("day_id int", "shop_id int", "quantity int", "amount decimal(9,2)"),
    "shop": ("shop_id int", "shop_name string", "city string"),
    "day": ("day_id int", "day_name string", "month string"),
}

_DIMENSION = """\
unique_name: {name}
object_type: dimension
label: {name}
type: standard
hierarchies:
  - unique_name: {name} levels
    label: {name} levels
    filter_empty: 'yes'
    levels:
      - unique_name: {coarse}
      - unique_name: {fine}
level_attributes:
  - unique_name: {coarse}
    label: {coarse}
    dataset: {table}
    key_columns: [{coarse_column}]
    name_column: {coarse_column}
  - unique_name: {fine}
    label: {fine}
    dataset: {table}
    is_unique_key: true
    key_columns: [{table}_id]
    name_column: {table}_name
"""

METRIC = """\
unique_name: {name}
object_type: metric
label: {name}
calculation_method: {method}
dataset: sales
column: {column}
"""

_MODEL = """\
unique_name: tiny_sales
object_type: model
label: Tiny sales
relationships:
  - unique_name: sales_day
    from: {dataset: sales, join_columns: [day_id]}
    to: {dimension: Calendar, level: Day}
  - unique_name: sales_shop
    from: {dataset: sales, join_columns: [shop_id]}
    to: {dimension: Shops, level: Shop}
metrics:
  - unique_name: Quantity
  - unique_name: Amount
  - unique_name: Average Amount
"""

AGGREGATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "by_city": (("City",), ("Amount",)),
    "by_day_and_shop": (("Day", "Shop"), ("Quantity", "Amount", "Average Amount")),
    "by_month": (("Month",), ("Quantity", "Average Amount")),
    "by_month_and_city": (("Month", "City"), ("Quantity", "Amount", "Average Amount")),
}
"""Name to (attributes, metrics); all derive from ``by_day_and_shop``, some from each other."""

_DIMENSION_OF = {"City": "Shops", "Shop": "Shops", "Day": "Calendar", "Month": "Calendar"}


def make_file(file: Path) -> None:
    """Make the tables in a DuckDB file."""
    with duckdb.connect(str(file)) as connection:
        for statement in SETUP_SQL:
            connection.execute(statement)


def run_sql(workspace: Workspace, *statements: str) -> None:
    """Run statements one by one: plain SQL of DuckDB and PostgreSQL, which is translated for others."""
    with workspace.warehouse.session() as session:
        for statement in statements:
            session.execute(said_for(statement, workspace.warehouse.dialect))


def said_for(sql: str, dialect: Dialect) -> str:
    """A statement as a warehouse takes it."""
    if dialect.sqlglot_name in {"duckdb", "postgres"}:
        return sql
    return render(sqlglot.parse_one(sql, read="duckdb"), dialect)


def write_model(folder: Path, aggregates: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None) -> Path:
    """Write the SML files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "catalog": _CATALOG,
        "connection": _CONNECTION,
        "model": _MODEL + _aggregates(AGGREGATES if aggregates is None else aggregates),
    }
    for table, columns in _DATASETS.items():
        files[f"dataset_{table}"] = dataset(table, columns)
    files["calendar"] = _DIMENSION.format(
        name="Calendar", table="day", coarse="Month", fine="Day", coarse_column="month"
    )
    files["shops"] = _DIMENSION.format(name="Shops", table="shop", coarse="City", fine="Shop", coarse_column="city")
    for name, method, column in (
        ("Quantity", "sum", "quantity"),
        ("Amount", "sum", "amount"),
        ("Average Amount", "average", "amount"),
    ):
        files[f"metric_{name}"] = METRIC.format(name=name, method=method, column=column)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def dataset(table: str, columns: tuple[str, ...]) -> str:
    """The file of a dataset; columns as in ``"shop_id int"``."""
    lines = "".join(
        f"  - name: {name}\n    data_type: {kind}\n" for name, kind in (column.split(" ", 1) for column in columns)
    )
    return (
        f"unique_name: {table}\nobject_type: dataset\nlabel: {table}\nconnection_id: warehouse\ntable: {table}\n"
        f"columns:\n{lines}"
    )


def _aggregates(aggregates: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
    text = "aggregates:\n" if aggregates else ""
    for name, (attributes, metrics) in aggregates.items():
        text += f"  - unique_name: {name}\n    label: {name}\n    attributes:\n"
        text += "".join(f"      - name: {a}\n        dimension: {_DIMENSION_OF.get(a, 'Shops')}\n" for a in attributes)
        text += "    metrics:\n" + "".join(f"      - {metric}\n" for metric in metrics)
    return text
