"""A star whose rows are secured in one of several ways, and the same star without security over the rows of one reader.

sales ── shop ── city (region)      rights: person, team, and a key of what is secured
  │  └── day
returns ── shop
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from tests.support.stars.documents import Documents, aggregate, dimension, level, metric, relationship

Row = tuple[Any, ...]
Tables = Mapping[str, Sequence[Row]]

COLUMNS = {
    "sales": ("sale int", "day_id int", "shop_id int", "kind text", "quantity int", "amount int"),
    "returns": ("shop_id int", "amount int"),
    "shop": ("shop_id int", "shop_name text", "city_id int"),
    "city": ("city_id int", "city_name text", "region text"),
    "day": ("day_id int", "day_name text", "month text"),
    "rights": ("person text", "team text", "key text"),
}
CREATE = tuple(
    f"CREATE TABLE {name} ({', '.join(column.replace(' text', ' VARCHAR(20)') for column in columns)})"
    for name, columns in COLUMNS.items()
)

PLACES = {
    "city key": ("city", "city_key"),
    "region": ("city", "region"),
    "city of the shop": ("shop", "city_key"),
    "kind of the sale": ("sales", "kind"),
}
"""What is secured, by name: a dataset and its column. The first two are stored in aggregates by an attribute."""

_AGGREGATES = {
    "by_city": (("City",), ("Amount", "Quantity", "Average", "Sales")),
    "by_region": (("Region",), ("Amount", "Days", "Most")),
    "by_month": (("Month",), ("Amount", "Average")),
    "by_month_and_city": (("Month", "City", "City Key"), ("Amount", "Average", "Spread", "Sales")),
    "by_month_and_region": (("Month", "Region"), ("Amount", "Quantity", "Days")),
    "by_kind": (("Kind",), ("Amount", "Sales")),
    "by_kind_and_region": (("Kind", "Region"), ("Amount", "Average", "Most")),
    "by_shop": (("Shop",), ("Amount", "Quantity", "Returned")),
    "by_everything": (
        ("Day", "Shop", "City", "City Key", "Region", "Kind"),
        ("Amount", "Quantity", "Average", "Sales", "Most"),
    ),
}
_OF = {"Month": "Calendar", "Day": "Calendar", "Kind": "Kinds"}
"""The dimensions of attributes; the others are of shops."""


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """How the star is secured.

    Attributes:
        places: of `PLACES`; all of them must be seen.
        id_type: ``user`` | ``group``.
        scope: ``all`` | ``fact``.
    """

    places: tuple[str, ...]
    id_type: str = "user"
    scope: str = "all"


def documents(rule: Rule | None) -> Documents:
    """The files of the model; without security where there is no rule."""
    names = {"object_type": "dataset", "connection_id": "w"}
    files: Documents = {
        "catalog": {"unique_name": "cat", "object_type": "catalog", "label": "c", "version": "1.6"},
        "w": {"unique_name": "w", "object_type": "connection", "label": "w", "as_connection": "house"},
    }
    for name, columns in COLUMNS.items():
        listed = [dict(zip(("name", "data_type"), column.split(), strict=True)) for column in columns]
        if name in {"shop", "city"}:
            listed.append({"name": "city_key", "data_type": "string", "sql": "CAST(city_id AS VARCHAR(20))"})
        files[f"dataset {name}"] = {"unique_name": name, "label": name, "table": name, "columns": listed, **names}
    keys = {"secondary_attributes": [level("City Key", "city", "city_key")]}
    cities = level("City", "city", "city_id", is_unique_key=True, name_column="city_name", _=keys)
    shops = [level("Region", "city", "region"), cities, _named("Shop", "shop", "shop_id", "shop_name")]
    files["shops"] = dimension("Shops", shops)
    up = {"unique_name": "in_city", "type": "snowflake", "from": {"dataset": "shop", "join_columns": ["city_id"]}}
    files["shops"]["relationships"] = [{**up, "to": {"level": "City"}}]
    files["calendar"] = dimension(
        "Calendar", [level("Month", "day", "month"), _named("Day", "day", "day_id", "day_name")]
    )
    files["kinds"] = dimension("Kinds", [level("Kind", "sales", "kind")], is_degenerate=True)
    for name, of, column, method in _METRICS:
        files[f"metric {name}"] = metric(name, of, column, method)
    files["model"] = _model()
    if rule is not None:
        _secure(files, rule)
    return files


_METRICS = (
    ("Amount", "sales", "amount", "sum"),
    ("Quantity", "sales", "quantity", "sum"),
    ("Average", "sales", "amount", "average"),
    ("Spread", "sales", "amount", "stddev_pop"),
    ("Most", "sales", "amount", "maximum"),
    ("Sales", "sales", "sale", "count non-null"),
    ("Days", "sales", "day_id", "count distinct"),
    ("Returned", "returns", "amount", "sum"),
)


def _named(name: str, of: str, key: str, column: str) -> dict[str, Any]:
    return level(name, of, key, is_unique_key=True) | {"name_column": column}


def _model() -> dict[str, Any]:
    aggregates = []
    for name, (attributes, metrics) in _AGGREGATES.items():
        listed = [{"name": attribute, "dimension": _OF.get(attribute, "Shops")} for attribute in attributes]
        aggregates.append(aggregate(name, listed, [m for m in metrics if m != "Returned"]))
    returned = [{"name": "City", "dimension": "Shops"}]
    aggregates.append(aggregate("returned", returned, ["Returned"]))
    return {
        "unique_name": "star",
        "object_type": "model",
        "label": "star",
        "relationships": [
            relationship("sold", "sales", ["day_id"], "Calendar", "Day"),
            relationship("at", "sales", ["shop_id"], "Shops", "Shop"),
            relationship("back", "returns", ["shop_id"], "Shops", "Shop"),
        ],
        "metrics": [{"unique_name": name} for name, *_ in _METRICS],
        "dimensions": ["Kinds"],
        "aggregates": aggregates,
    }


def _secure(files: Documents, rule: Rule) -> None:
    for number, place in enumerate(rule.places):
        _secure_place(files, rule, f"own_{number}", *PLACES[place])


def _secure_place(files: Documents, rule: Rule, name: str, dataset: str, column: str) -> None:
    files[name] = {
        "unique_name": name,
        "object_type": "row_security",
        "label": name,
        "dataset": "rights",
        "filter_key_column": "key",
        "ids_column": "person" if rule.id_type == "user" else "team",
        "id_type": rule.id_type,
        "scope": rule.scope,
    }
    origin = {"dataset": dataset, "join_columns": [column]}
    link = {"unique_name": f"secured_by_{name}", "from": origin, "to": {"row_security": name}}
    if dataset == "sales":
        files["model"]["relationships"].append(link)
    else:
        files["shops"]["relationships"].append({**link, "type": "embedded"})


def load(workspace: Workspace, tables: Tables) -> None:
    """Put rows in place of those of all tables."""
    with workspace.warehouse.session() as session:
        for name in COLUMNS:
            session.execute(f"DELETE FROM {name}")
            rows = tables[name]
            if rows:
                session.execute(f"INSERT INTO {name} VALUES {', '.join(map(_values, rows))}")


def _values(row: Row) -> str:
    texts = ("NULL" if v is None else "'" + v.replace("'", "''") + "'" if isinstance(v, str) else str(v) for v in row)
    return f"({', '.join(texts)})"


def create(workspace: Workspace) -> None:
    """Make the tables, without rows."""
    with workspace.warehouse.session() as session:
        for statement in CREATE:
            session.execute(statement)


def deploy_star(workspace: Workspace, folder: Path, rule: Rule | None) -> DeployReport:
    """Write the model's files and deploy them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.yml"):
        file.unlink()
    for name, value in documents(rule).items():
        (folder / f"{name}.yml").write_text(json.dumps(value))
    return deploy(workspace, folder, now=datetime.now(UTC))


def build(workspace: Workspace) -> None:
    """Build all aggregates."""
    run_batch(workspace, "star", owner="a test")


def seen_tables(tables: Tables, rule: Rule, reader: Reader) -> dict[str, list[Row]]:
    """The rows that a reader may see, found one by one: of the facts, and of the members behind them.

    A row is seen when every member that its foreign keys meet is seen, and when it meets one on each way to what is
    secured. Members of dimensions that nothing secures are seen where a fact that is seen has them, by scope ``all``.
    """
    names = {reader.user} if rule.id_type == "user" else set(reader.groups or ())
    place = 0 if rule.id_type == "user" else 1
    keys = {row[2] for row in tables["rights"] if row[place] in names and row[2] is not None}
    seen = {name: list(rows) for name, rows in tables.items()}
    seen["city"] = [
        row for row in tables["city"] if _has_keys(row, ("city key", 0), ("region", 2), rule=rule, keys=keys)
    ]
    seen["shop"] = [row for row in tables["shop"] if _has_keys(row, ("city of the shop", 2), rule=rule, keys=keys)]
    if {"city key", "region"} & set(rule.places):
        seen["shop"] = _leading(seen["shop"], 2, tables["city"], seen["city"])
    seen["sales"] = [row for row in tables["sales"] if _has_keys(row, ("kind of the sale", 3), rule=rule, keys=keys)]
    if set(rule.places) != {"kind of the sale"}:
        seen["sales"] = _leading(seen["sales"], 2, tables["shop"], seen["shop"])
        seen["returns"] = _leading(tables["returns"], 0, tables["shop"], seen["shop"])
    return seen


def _has_keys(row: Row, *columns: tuple[str, int], rule: Rule, keys: set[Any]) -> bool:
    """Whether a row has keys that are seen in all columns that are secured."""
    return all(row[at] is not None and str(row[at]) in keys for place, at in columns if place in rule.places)


def _leading(rows: Iterable[Row], place: int, members: Sequence[Row], seen: Sequence[Row]) -> list[Row]:
    """The rows whose foreign key meets members that are all seen, and one at least."""
    unseen = list(members)
    for member in seen:
        unseen.remove(member)
    hidden, shown = {member[0] for member in unseen}, {member[0] for member in seen} - {None}
    return [row for row in rows if row[place] in shown and row[place] not in hidden]


def seen_members(tables: Tables, seen: Mapping[str, list[Row]], rule: Rule) -> dict[str, list[Row]]:
    """The tables that a query without metrics is about: of open dimensions, what facts that are seen meet."""
    members = dict(seen)
    if rule.scope == "all":
        days = {row[1] for row in seen["sales"]}
        members["day"] = [row for row in tables["day"] if row[0] in days]
        if rule.places == ("kind of the sale",):
            shops = {row[2] for row in seen["sales"]} | {row[0] for row in seen["returns"]}
            members["shop"] = [row for row in tables["shop"] if row[0] in shops]
    return members
