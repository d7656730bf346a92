"""SML documents as mappings, a small star made of them, and what is resolved from them without a folder on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder, folder_from_bytes
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import ModelIssue

Documents = dict[str, dict[str, Any]]
"""The content of each file by its name without suffix."""


def dataset(name: str, *columns: str, **more: Any) -> dict[str, Any]:
    """A dataset on the table of its name."""
    return {
        "unique_name": name,
        "object_type": "dataset",
        "label": name,
        "connection_id": "w",
        "table": name,
        "columns": [{"name": column, "data_type": "int"} for column in columns],
        **more,
    }


def level(name: str, of: str, *keys: str, **more: Any) -> dict[str, Any]:
    """A level attribute of a dataset; its first key column is its name as well."""
    return {
        "unique_name": name,
        "label": name,
        "dataset": of,
        "key_columns": list(keys),
        "name_column": keys[0],
        **more,
    }


def dimension(name: str, levels: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A dimension with one hierarchy over its levels, coarse to fine.

    What stands under `_` in a level goes to the hierarchy's level.
    """
    levels_of_hierarchy = [{"unique_name": item["unique_name"], **item.pop("_", {})} for item in levels]
    return {
        "unique_name": name,
        "object_type": "dimension",
        "label": name,
        "hierarchies": [{"unique_name": f"{name} levels", "label": name, "levels": levels_of_hierarchy}],
        "level_attributes": levels,
        **more,
    }


def metric(name: str, of: str, column: str, method: str = "sum", **more: Any) -> dict[str, Any]:
    """A metric on a column of a dataset."""
    return {
        "unique_name": name,
        "object_type": "metric",
        "label": name,
        "calculation_method": method,
        "dataset": of,
        "column": column,
        **more,
    }


def calculation(name: str, expression: str) -> dict[str, Any]:
    """A calculated metric."""
    return {"unique_name": name, "object_type": "metric_calc", "label": name, "expression": expression}


def relationship(
    name: str, of: str, columns: list[str], dimension_name: str, level_name: str, **more: Any
) -> dict[str, Any]:
    """A relationship from columns of a dataset to a level of a dimension."""
    return {
        "unique_name": name,
        "from": {"dataset": of, "join_columns": columns},
        "to": {"dimension": dimension_name, "level": level_name},
        **more,
    }


def embedded(
    name: str, of: str, columns: list[str], dimension_name: str, level_name: str, **more: Any
) -> dict[str, Any]:
    """An edge from one dimension to a level of another one."""
    return {**relationship(name, of, columns, dimension_name, level_name), "type": "embedded", **more}


def aggregate(name: str, attributes: list[dict[str, Any]], metrics: list[str]) -> dict[str, Any]:
    """A user-defined aggregate."""
    return {"unique_name": name, "label": name, "attributes": attributes, "metrics": metrics}


def star() -> Documents:
    """Sales by day in two roles, by shop with its city, and by kind on the fact; returns with a day of their own."""
    day_attributes = {
        "secondary_attributes": [level("Day Kind", "day", "kind")],
        "aliases": [{"unique_name": "Date", "label": "d", "dataset": "day", "name_column": "day_id"}],
    }
    days = [
        level("Year", "day", "year"),
        level("Month", "day", "month"),
        level("Day", "day", "day_id", is_unique_key=True, _=day_attributes),
    ]
    shops = [level("City", "shop", "city"), level("Shop", "shop", "shop_id", is_unique_key=True)]
    return {
        "catalog": {"unique_name": "cat", "object_type": "catalog", "label": "cat", "version": "1.6"},
        "w": {"unique_name": "w", "object_type": "connection", "label": "w", "as_connection": "house", "schema": "s"},
        "sales": dataset("sales", "sold_id", "ship_id", "shop_id", "kind", "amount"),
        "returns": dataset("returns", "day_id", "shop_id", "kind", "lost"),
        "day": dataset("day", "day_id", "month", "year"),
        "shop": dataset("shop", "shop_id", "city", "area"),
        "Day": dimension("Calendar", days),
        "Shop": dimension("Shops", shops),
        "Kind": dimension("Kind", [level("Kind", "sales", "kind")], is_degenerate=True),
        "Amount": metric("Amount", "sales", "amount"),
        "Average": metric("Average", "sales", "amount", "average"),
        "Lost": metric("Lost", "returns", "lost"),
        "Net": calculation("Net", "[Measures].[Amount] - [measures].[lost]"),
        "model": {
            "unique_name": "m",
            "object_type": "model",
            "label": "m",
            "dimensions": ["Kind"],
            "relationships": [
                relationship("sold", "sales", ["sold_id"], "Calendar", "Day", role_play="Sold {0}"),
                relationship("shipped", "sales", ["ship_id"], "Calendar", "Day", role_play="Ship"),
                relationship("sales_shop", "sales", ["shop_id"], "Shops", "Shop"),
                relationship("returned", "returns", ["day_id"], "Calendar", "Day", role_play="Sold {0}"),
                relationship("returns_shop", "returns", ["shop_id"], "Shops", "Shop"),
            ],
            "metrics": [{"unique_name": name} for name in ("Amount", "Average", "Lost", "Net")],
            "aggregates": [],
        },
    }


def read_documents(documents: Mapping[str, Mapping[str, Any]]) -> ModelFolder:
    """The documents as the files of a folder. Files are in the order of the documents."""
    texts = {f"{file}.yml": json.dumps(content, indent=1) for file, content in documents.items()}
    return folder_from_bytes(ModelFolder("small", texts, {}).to_bytes(), "small")


@dataclass(frozen=True)
class Resolved:
    """A model, its join paths, its aggregates by name, and the issues that were noted on the way."""

    names: tuple[str, ...]
    model: SemanticModel
    paths: JoinPaths
    aggregates: Mapping[str, AggregateDefinition]
    issues: tuple[ModelIssue, ...]

    @property
    def errors(self) -> list[str]:
        """The messages of the issues that stop a deployment."""
        return [issue.message for issue in self.issues if issue.is_error]

    @property
    def warnings(self) -> list[str]:
        """The messages of the other issues."""
        return [issue.message for issue in self.issues if not issue.is_error]

    def bound(self, fact: str, dimension_name: str, name: str, template: str = "{0}") -> BoundAttribute:
        """An attribute in a role as a fact reaches it."""
        return self.paths.attributes_of(fact)[GrainAttribute(Role(dimension_name, template), name)]

    def reached(self, fact: str) -> set[str]:
        """The names on the query surface of everything that a fact reaches."""
        return {attribute.query_name for attribute in self.paths.attributes_of(fact)}


def resolve_documents(documents: Mapping[str, Mapping[str, Any]], name: str = "m") -> Resolved:
    """Resolve the model of that name and define its aggregates."""
    folder = read_documents(documents)
    model = ModelResolver(folder).resolve(name)
    paths = JoinPaths(model)
    definitions = define_user_aggregates(model, paths, folder.issues)
    aggregates = {definition.name: definition for definition in definitions}
    return Resolved(model_names(folder), model, paths, aggregates, folder.issues.all())
