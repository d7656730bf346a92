"""Two facts, sales and visits, that share a calendar and shops: the model that small queries are read on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, SemanticModel
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames

METRICS = {
    "Amount": ("sum", "sales", "amount"),
    "Quantity": ("sum", "sales", "quantity"),
    "Mean": ("average", "sales", "amount"),
    "Lowest": ("minimum", "sales", "amount"),
    "Lines": ("count non-null", "sales", "amount"),
    "Customers": ("count distinct", "sales", "customer_id"),
    "Visitors": ("sum", "visits", "visitors"),
}
"""Metric to its calculation method, its fact and its column."""

CALCULATIONS = {
    "Price": "[Measures].[Amount] / [Measures].[Quantity]",
    "Doubled": "[Measures].[Amount] * 2",
    "Amount Before": "([Calendar].[Months].CurrentMember.PrevMember, [Measures].[Amount])",
    "North Amount": "([Shops].[City].&[North], [Measures].[Amount])",
    "City Share": "[Measures].[Amount] / ([Shops].[All], [Measures].[Amount])",
    "Mean of Months": "Avg([Calendar].[Months].[Month].Members, [Measures].[Amount])",
    "Per Visitor": "[Measures].[Amount] / [Measures].[Visitors]",
}

_FILES = {
    "catalog": "{unique_name: shop_catalog, object_type: catalog, label: Shops, version: 1.6, "
    "aggressive_agg_promotion: false, build_speculative_aggs: false}",
    "connection": "{unique_name: warehouse, object_type: connection, label: Warehouse, as_connection: shop_warehouse}",
    "calendar": """\
unique_name: Calendar
object_type: dimension
label: Calendar
type: time
hierarchies:
  - unique_name: Months
    label: Months
    filter_empty: 'yes'
    levels:
      - unique_name: Year
      - unique_name: Month
      - unique_name: Day
        secondary_attributes:
          - {unique_name: Weekday, label: Weekday, dataset: day, key_columns: [weekday], name_column: weekday}
  - unique_name: Weeks
    label: Weeks
    filter_empty: 'yes'
    levels: [{unique_name: Week}, {unique_name: Day}]
level_attributes:
  - {unique_name: Year, label: Year, dataset: day, key_columns: [year_id], name_column: year_id}
  - {unique_name: Month, label: Month, dataset: day, key_columns: [month], name_column: month}
  - {unique_name: Week, label: Week, dataset: day, key_columns: [week_id], name_column: week_id}
  - {unique_name: Day, label: Date of Day, dataset: day, is_unique_key: true, key_columns: [day_id], name_column: day}
""",
    "shops": """\
unique_name: Shops
object_type: dimension
label: Shops
type: standard
hierarchies:
  - unique_name: Places
    label: Places
    filter_empty: 'yes'
    levels:
      - unique_name: City
      - unique_name: Shop
        secondary_attributes:
          - {unique_name: Size, label: Size, dataset: shop, key_columns: [size], name_column: size}
level_attributes:
  - {unique_name: City, label: City, dataset: shop, key_columns: [city], name_column: city}
  - {unique_name: Shop, label: Shop, dataset: shop, is_unique_key: true, key_columns: [shop_id], name_column: shop}
""",
    "dataset_sales": "{unique_name: sales, object_type: dataset, label: sales, connection_id: warehouse, table: sales, "
    "columns: [{name: day_id, data_type: int}, {name: sent_id, data_type: int}, {name: shop_id, data_type: int}, "
    "{name: customer_id, data_type: int}, {name: quantity, data_type: int}, "
    "{name: amount, data_type: 'decimal(9,2)'}]}",
    "dataset_visits": "{unique_name: visits, object_type: dataset, label: visits, connection_id: warehouse, "
    "table: visits, columns: [{name: day_id, data_type: int}, {name: shop_id, data_type: int}, "
    "{name: visitors, data_type: int}]}",
    "dataset_day": "{unique_name: day, object_type: dataset, label: day, connection_id: warehouse, table: day, "
    "columns: [{name: day_id, data_type: int}, {name: day, data_type: date}, {name: weekday, data_type: string}, "
    "{name: month, data_type: string}, {name: year_id, data_type: int}, {name: week_id, data_type: int}]}",
    "dataset_shop": "{unique_name: shop, object_type: dataset, label: shop, connection_id: warehouse, table: shop, "
    "columns: [{name: shop_id, data_type: int}, {name: shop, data_type: string}, {name: city, data_type: string}, "
    "{name: size, data_type: string}]}",
    "model": """\
unique_name: shop_star
object_type: model
label: Shop star
relationships:
  - unique_name: sold
    from: {dataset: sales, join_columns: [day_id]}
    to: {dimension: Calendar, level: Day}
  - unique_name: sent
    from: {dataset: sales, join_columns: [sent_id]}
    to: {dimension: Calendar, level: Day}
    role_play: Sent {0}
  - unique_name: sold_in
    from: {dataset: sales, join_columns: [shop_id]}
    to: {dimension: Shops, level: Shop}
  - unique_name: visited
    from: {dataset: visits, join_columns: [day_id]}
    to: {dimension: Calendar, level: Day}
  - unique_name: visited_in
    from: {dataset: visits, join_columns: [shop_id]}
    to: {dimension: Shops, level: Shop}
metrics:
""",
}
"""What the dimension's rows are for each fact: sales have a second calendar, the day on which they were sent."""


@cache
def shop_model() -> SemanticModel:
    """The model; it is read once."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _texts().items():
            (Path(folder) / f"{name}.yml").write_text(text, encoding="utf-8")
        return ModelResolver(read_model_folder(Path(folder))).resolve("shop_star")


def shop_model_with(calculations: Mapping[str, str]) -> SemanticModel:
    """The model with other calculated metrics: their MDX by name."""
    return replace(
        shop_model(),
        calculations={
            name: Calculation(name=name, label=name, expression=expression, where=f"{name}.yml:1")
            for name, expression in calculations.items()
        },
    )


@cache
def shop_paths() -> JoinPaths:
    """The join paths of the model."""
    return JoinPaths(shop_model())


@cache
def shop_names() -> SurfaceNames:
    """The columns of the model's flat table."""
    return SurfaceNames(shop_model(), shop_paths())


def _texts() -> dict[str, str]:
    texts = {**_FILES, "model": _FILES["model"] + "".join(f"  - unique_name: {name}\n" for name in _listed())}
    for name, (method, dataset, column) in METRICS.items():
        texts[name] = (
            f"{{unique_name: {name}, object_type: metric, label: {name}, calculation_method: {method}, "
            f"dataset: {dataset}, column: {column}}}"
        )
    for name, expression in CALCULATIONS.items():
        texts[name] = f"unique_name: {name}\nobject_type: metric_calc\nlabel: {name}\nexpression: '{expression}'\n"
    return texts


def _listed() -> tuple[str, ...]:
    return (*METRICS, *CALCULATIONS)
