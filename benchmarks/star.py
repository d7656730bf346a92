"""A synthetic retail star and its SML model, for benchmarks: skewed, ordered by date, string level columns."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

LEVELS: dict[str, tuple[str, ...]] = {
    "calendar": ("Year", "Quarter", "Month", "Day"),
    "product": ("Category", "Brand", "Sku"),
    "store": ("Region", "City", "Store"),
    "customer": ("Segment", "Customer"),
    "promotion": ("Promotion",),
    "channel": ("Channel",),
}
"""Levels of each dimension, coarse to fine; the finest one is the join target."""

_DIMENSIONS_SQL = (
    """CREATE TABLE calendar AS SELECT i AS day_id, strftime(d, '%Y-%m-%d') AS day, strftime(d, '%Y-%m') AS month,
       year(d) || '-Q' || quarter(d) AS quarter, strftime(d, '%Y') AS year
       FROM (SELECT i, DATE '2023-01-01' + CAST(i AS INTEGER) AS d FROM range(1096) t(i))""",
    """CREATE TABLE product AS SELECT i AS sku_id, 'SKU-' || lpad(i::VARCHAR, 6, '0') AS sku,
       'Brand ' || (i % 500) AS brand, 'Category ' || (i % 500 % 30) AS category FROM range(20000) t(i)""",
    """CREATE TABLE store AS SELECT i AS store_id, 'Store ' || i AS store, 'City ' || (i % 60) AS city,
       'Region ' || (i % 60 % 8) AS region FROM range(200) t(i)""",
    """CREATE TABLE customer AS SELECT i AS customer_id, 'Customer ' || i AS customer, 'Segment ' || (i % 5) AS segment
       FROM range(100000) t(i)""",
    "CREATE TABLE promotion AS SELECT i AS promotion_id, 'Promotion ' || i AS promotion FROM range(50) t(i)",
    "CREATE TABLE channel AS SELECT i AS channel_id, 'Channel ' || i AS channel FROM range(4) t(i)",
)

_SKEW = "CAST(floor(power((hash(i, {seed}) % 1000003) / 1000003.0, {power}) * {size}) AS INTEGER)"

_FOREIGN_KEYS = {
    "sku_id": ("product", 1, 2.0, 20000),
    "store_id": ("store", 2, 1.5, 200),
    "customer_id": ("customer", 3, 2.0, 100000),
    "promotion_id": ("promotion", 4, 3.0, 50),
    "channel_id": ("channel", 5, 1.2, 4),
}

LATTICE: tuple[tuple[str, ...], ...] = (
    ("Day", "Store", "Category"),
    ("Month", "Store", "Brand"),
    ("Day", "City", "Channel", "Segment"),
    ("Month", "City", "Category", "Segment"),
    ("Day", "Brand"),
    ("Month", "Sku"),
    ("Day", "Store"),
    ("Day", "City", "Category"),
    ("Month", "Store", "Category"),
    ("Month", "City", "Brand"),
    ("Day", "Region", "Category"),
    ("Month", "Region", "Category", "Segment"),
    ("Day", "Region", "Channel"),
    ("Month", "Promotion", "Channel"),
    ("Quarter", "Store", "Category"),
    ("Month", "Brand"),
    ("Day", "Category"),
    ("Month", "City", "Category"),
    ("Month", "City", "Segment"),
    ("Quarter", "City", "Brand"),
    ("Day", "Region"),
    ("Day", "Channel"),
    ("Month", "Store"),
    ("Month", "Category"),
    ("Quarter", "Region", "Category"),
    ("Quarter", "Brand"),
    ("Year", "Store"),
    ("Month", "Region"),
    ("Year", "Category"),
    ("Year", "Region", "Channel"),
)
"""Thirty grains from a few dozen rows to a good share of the fact; seventeen or more derive from others."""


_SIZES = {
    "Year": 3,
    "Quarter": 12,
    "Month": 36,
    "Day": 1096,
    "Category": 30,
    "Brand": 500,
    "Sku": 20000,
    "Region": 8,
    "City": 60,
    "Store": 200,
    "Segment": 5,
    "Promotion": 50,
    "Channel": 4,
}


def without_largest(count: int) -> tuple[tuple[str, ...], ...]:
    """The lattice less its largest grains, for fact tables that are small beside them."""
    by_size = sorted(LATTICE, key=lambda grain: -math.prod(_SIZES[level] for level in grain))
    return tuple(grain for grain in LATTICE if grain not in by_size[:count])


def create_star(connection: Any, rows: int) -> None:
    """Fill an empty DuckDB connection's current schema with the star; ``rows`` fact rows in date order."""
    for statement in _DIMENSIONS_SQL:
        connection.execute(statement)
    keys = ", ".join(
        f"{_SKEW.format(seed=seed, power=power, size=size)} AS {name}"
        for name, (_, seed, power, size) in _FOREIGN_KEYS.items()
    )
    connection.execute(
        f"""CREATE TABLE sales AS SELECT CAST(i * 1096 // {rows} AS INTEGER) AS day_id, {keys},
        CAST(1 + hash(i, 6) % 9 AS INTEGER) AS quantity, CAST((hash(i, 7) % 100000) / 100.0 AS DECIMAL(9, 2)) AS amount,
        CAST((hash(i, 8) % 5000) / 100.0 AS DECIMAL(9, 2)) AS discount FROM range({rows}) t(i)"""
    )


def copy_star(connection: Any, url: str) -> None:
    """Copy the star from a DuckDB connection into an empty PostgreSQL database.

    Args:
        url: ``postgresql+psycopg://…``.
    """
    with (
        psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as target,
        tempfile.TemporaryDirectory() as folder,
    ):
        for table in (*LEVELS, "sales"):
            columns = connection.execute(f"DESCRIBE {table}").fetchall()
            target.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind, *_ in columns)})")
            text = Path(folder) / f"{table}.csv"
            connection.execute(f"COPY {table} TO '{text}' (HEADER false)")
            with text.open("rb") as lines, target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
                while chunk := lines.read(1 << 20):
                    copy.write(chunk)
            text.unlink()
        target.execute("VACUUM ANALYZE")


def write_model(folder: Path, grains: Iterable[Sequence[str]], *, metrics: Sequence[str] | None = None) -> Path:
    """Write the star's SML model with one user-defined aggregate per grain; the folder."""
    chosen = tuple(metrics or METRICS)
    _write(
        folder / "catalog.yml", {"unique_name": "bench", "object_type": "catalog", "label": "Bench", "version": "1.6"}
    )
    _write(
        folder / "connection.yml",
        {"unique_name": "warehouse", "object_type": "connection", "label": "w", "as_connection": "warehouse"},
    )
    _write(folder / "sales.yml", _dataset("sales", ("day_id", *_FOREIGN_KEYS, "quantity", "amount", "discount")))
    for dimension, levels in LEVELS.items():
        finest = levels[-1]
        key = f"{finest.lower()}_id"
        _write(folder / f"{dimension}_data.yml", _dataset(dimension, (key, *(level.lower() for level in levels))))
        _write(folder / f"{dimension}.yml", _dimension(dimension, levels, key))
    for name, (method, column) in METRICS.items():
        _write(
            folder / f"{name}.yml",
            {
                "unique_name": name,
                "object_type": "metric",
                "label": name,
                "calculation_method": method,
                "dataset": "sales",
                "column": column,
            },
        )
    _write(folder / "model.yml", _model(grains, chosen))
    return folder


METRICS: dict[str, tuple[str, str]] = {
    "Quantity": ("sum", "quantity"),
    "Amount": ("sum", "amount"),
    "Discount": ("sum", "discount"),
    "Least Amount": ("minimum", "amount"),
    "Greatest Amount": ("maximum", "amount"),
}


def _dataset(name: str, columns: Sequence[str]) -> dict[str, Any]:
    return {
        "unique_name": f"{name}_data" if name != "sales" else name,
        "object_type": "dataset",
        "label": name,
        "connection_id": "warehouse",
        "table": name,
        "columns": [{"name": column, "data_type": "string"} for column in columns],
    }


def _dimension(name: str, levels: Sequence[str], key: str) -> dict[str, Any]:
    def attribute(level: str) -> dict[str, Any]:
        column = level.lower()
        is_leaf = level == levels[-1]
        return {
            "unique_name": level,
            "label": level,
            "dataset": f"{name}_data",
            "key_columns": [key if is_leaf else column],
            "name_column": column,
            "is_unique_key": is_leaf,
        }

    return {
        "unique_name": name,
        "object_type": "dimension",
        "label": name,
        "type": "standard",
        "hierarchies": [
            {"unique_name": f"{name} levels", "label": name, "levels": [{"unique_name": x} for x in levels]}
        ],
        "level_attributes": [attribute(level) for level in levels],
    }


def _model(grains: Iterable[Sequence[str]], metrics: Sequence[str]) -> dict[str, Any]:
    dimension_of = {level: dimension for dimension, levels in LEVELS.items() for level in levels}
    key_of = {"calendar": "day_id", **{dimension: key for key, (dimension, *_) in _FOREIGN_KEYS.items()}}
    return {
        "unique_name": "bench_model",
        "object_type": "model",
        "label": "Bench",
        "relationships": [
            {
                "unique_name": f"sales_{dimension}",
                "from": {"dataset": "sales", "join_columns": [key_of[dimension]]},
                "to": {"dimension": dimension, "level": levels[-1]},
            }
            for dimension, levels in LEVELS.items()
        ],
        "metrics": [{"unique_name": name} for name in METRICS],
        "aggregates": [
            {
                "unique_name": f"{number:03d} {' '.join(grain)}",
                "label": " by ".join(grain),
                "attributes": [{"name": level, "dimension": dimension_of[level]} for level in grain],
                "metrics": list(metrics),
            }
            for number, grain in enumerate(grains)
        ],
    }


def let_fact_grow(folder: Path, fact: str, *, column: str, grace_period: str) -> Path:
    """Say in a written model that a fact grows by a column, and that its dimensions do not change; the folder."""
    for file in folder.glob("*.yml"):
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["object_type"] == "dataset":
            is_fact = document["unique_name"] == fact
            grows = {"incremental": {"column": column, "grace_period": grace_period}}
            _write(file, document | (grows if is_fact else {"immutable": True}))
    return folder


def _write(path: Path, value: dict[str, Any]) -> None:
    """YAML is a superset of JSON, so JSON text is a readable enough SML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
