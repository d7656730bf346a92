"""What the checks of a deployment are given: SML documents, and the tables that a warehouse is said to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from tests.support.stars.documents import Documents, dataset, dimension, embedded, level, read_documents, star

TABLES = {
    "sales": "sold_id integer, ship_id integer, shop_id integer, kind varchar, amount decimal(9,2)",
    "returns": "day_id integer, shop_id integer, kind varchar, lost decimal(9,2)",
    "day": "day_id integer, month varchar, year integer, kind varchar",
    "shop": "shop_id integer, city varchar, area varchar",
}
"""The tables of the star of documents, with all that its model uses."""


def star_with_areas(column: str, relationship: str) -> Documents:
    """The star of documents, whose shops are joined to areas.

    Args:
        column: of the shop.
        relationship: its name; empty for one without a name.
    """
    documents = star()
    documents["area"] = dataset("area", "area_id")
    documents["Area"] = dimension("Areas", [level("Area", "area", "area_id", is_unique_key=True)])
    edge = embedded(relationship, "shop", [column], "Areas", "Area")
    edge["from"]["level"] = "Shop"
    if not relationship:
        del edge["unique_name"]
    documents["Shop"]["relationships"] = [edge]
    return documents


def check_input(
    documents: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, str] = TABLES,
    *,
    dialect: str = "duckdb",
) -> CheckInput:
    """The documents as a folder whose models are all deployed.

    Args:
        tables: columns and types of each table that exists, as in ``"shop_id integer, city varchar"``.
    """
    folder = read_documents(documents)
    names = model_names(folder)
    resolver = ModelResolver(folder)
    physical: dict[TableKey, dict[str, str]] = {
        (None, "s", name): dict(_name_and_type(column) for column in text.split(", ")) for name, text in tables.items()
    }
    return CheckInput(
        folder=folder,
        names=names,
        models=[resolver.resolve(name) for name in names],
        physical=physical,
        dialect=find_dialect(dialect),
    )


def _name_and_type(text: str) -> tuple[str, str]:
    name, _, kind = text.partition(" ")
    return name, kind


def lines_of(issues: Iterable[ModelIssue]) -> list[str]:
    """Each issue as one line: its severity, file and code, and the message."""
    return [
        f"{'error' if issue.is_error else 'warning'} in {issue.file}, {issue.code}: {issue.message}" for issue in issues
    ]
