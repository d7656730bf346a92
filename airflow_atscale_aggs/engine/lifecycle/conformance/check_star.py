"""The small star that a warehouse is checked with: rows and SML in the folder ``star``.

Its rows have what goes wrong first: NULLs, keys that lead nowhere, rows that are there twice, ties, negative numbers,
decimals, texts that differ in case, in a space at the end or in an accent, the days on which clocks are changed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.quoting import alias_as, identifier

STAR_FOLDER = Path(__file__).with_name("star")
MODEL = "check_sales"
TABLES = ("check_day", "check_shop", "check_stock", "check_sale")
LATER = "check_sale_later"
"""Rows of sales that come later: newer ones, and two that are late."""

INDICATORS = {
    "integer": ("sale_id", "5"),
    "milliseconds": ("loaded_ms", "15m"),
    "timestamp": ("loaded_at", "15m"),
    "timestamp with time zone": ("loaded_tz", "15m"),
}
"""Kind of incremental indicator to its column and grace period."""

_NULL = r"\N"
_GROWING = ("by_month", "by_city")
"""Aggregates of the models whose facts grow: the second one has no segment that is settled by its key alone."""


@dataclass(frozen=True, slots=True)
class StarRows:
    """Rows of a table, each value as text; None is NULL."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | None, ...], ...]

    def select(self, start: int, end: int) -> exp.Expr:
        """Some of the rows as a query."""
        selects = [
            exp.select(
                *(
                    alias_as(exp.cast(exp.Null() if value is None else exp.Literal.string(value), kind), name)
                    for (name, kind), value in zip(self.columns, row, strict=True)
                )
            )
            for row in self.rows[start:end]
        ]
        union: exp.Expr = selects[0]
        for select in selects[1:]:
            union = exp.Union(this=union, expression=select, distinct=False)
        return union


def read_rows(name: str) -> StarRows:
    """The rows of a table, or those that come later."""
    with (STAR_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines)
    columns = tuple((column.partition(":")[0], column.partition(":")[2].replace(";", ",")) for column in head)
    return StarRows(columns, tuple(tuple(None if value == _NULL else value for value in row) for row in rows))


def column_names(rows: StarRows) -> list[exp.Expr]:
    """The quoted names of the columns."""
    return [identifier(name) for name, _ in rows.columns]


def write_model(folder: Path, schema: str, *, indicator: str = "") -> str:
    """Write the SML files for tables in a schema; returns the model's name.

    Args:
        indicator: a kind of `INDICATORS`: a smaller model whose sales grow; empty: the whole one, whose sales do not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(STAR_FOLDER.glob("*.yml"))}
    texts["connection.yml"] = texts["connection.yml"].replace("SCHEMA", f"'{schema}'")
    model = MODEL
    if indicator:
        model = f"check_growth_{indicator.replace(' ', '_')}"
        column, grace = INDICATORS[indicator]
        texts["dataset_sale.yml"] += f"incremental: {{column: {column}, grace_period: '{grace}'}}\n"
        head, _, aggregates = texts["model.yml"].partition("aggregates:\n")
        kept = [text for text in aggregates.split("  - unique_name: ") if text.partition("\n")[0] in _GROWING]
        texts["model.yml"] = head.replace(MODEL, model) + "aggregates:\n" + "".join(map(_as_entry, kept))
        texts["catalog.yml"] = texts["catalog.yml"].replace("check_warehouse", model)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return model


def _as_entry(text: str) -> str:
    return f"  - unique_name: {text}"


def describe_rows(names: Sequence[str] = TABLES) -> str:
    """How many rows the star has, for people."""
    number = sum(len(read_rows(name).rows) for name in names)
    return f"{len(names)} tables with {number} rows"
