"""From documents to join paths and user-defined aggregates: each rule on a small model of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, Role
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import ModelIssue

Documents = dict[str, dict[str, Any]]


def _dataset(name: str, *columns: str, **more: Any) -> dict[str, Any]:
    return {
        "unique_name": name,
        "object_type": "dataset",
        "label": name,
        "connection_id": "w",
        "table": name,
        "columns": [{"name": column, "data_type": "int"} for column in columns],
        **more,
    }


def _level(name: str, dataset: str, *keys: str, **more: Any) -> dict[str, Any]:
    return {
        "unique_name": name,
        "label": name,
        "dataset": dataset,
        "key_columns": list(keys),
        "name_column": keys[0],
        **more,
    }


def _dimension(name: str, levels: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A dimension with one hierarchy over its levels, coarse to fine; `_` keys of a level go to the hierarchy's level."""
    hierarchy_levels = []
    for level in levels:
        extra = level.pop("_", {})
        hierarchy_levels.append({"unique_name": level["unique_name"], **extra})
    return {
        "unique_name": name,
        "object_type": "dimension",
        "label": name,
        "hierarchies": [{"unique_name": f"{name} levels", "label": name, "levels": hierarchy_levels}],
        "level_attributes": levels,
        **more,
    }


def _metric(name: str, dataset: str, column: str, method: str = "sum", **more: Any) -> dict[str, Any]:
    return {
        "unique_name": name,
        "object_type": "metric",
        "label": name,
        "calculation_method": method,
        "dataset": dataset,
        "column": column,
        **more,
    }


def _relationship(
    name: str, dataset: str, columns: list[str], dimension: str, level: str, **more: Any
) -> dict[str, Any]:
    return {
        "unique_name": name,
        "from": {"dataset": dataset, "join_columns": columns},
        "to": {"dimension": dimension, "level": level},
        **more,
    }


def _star() -> Documents:
    """Sales by day (two roles), shop (city above it), order type (degenerate); returns with a day of their own."""
    return {
        "catalog": {
            "unique_name": "cat",
            "object_type": "catalog",
            "label": "cat",
            "version": "1.6",
        },
        "w": {"unique_name": "w", "object_type": "connection", "label": "w", "as_connection": "house", "schema": "s"},
        "sales": _dataset("sales", "sold_id", "ship_id", "shop_id", "kind", "amount"),
        "returns": _dataset("returns", "day_id", "shop_id", "kind", "lost"),
        "day": _dataset("day", "day_id", "month", "year"),
        "shop": _dataset("shop", "shop_id", "city", "area"),
        "Day": _dimension(
            "Calendar",
            [
                _level("Year", "day", "year"),
                _level("Month", "day", "month"),
                _level(
                    "Day",
                    "day",
                    "day_id",
                    is_unique_key=True,
                    _={
                        "secondary_attributes": [_level("Day Kind", "day", "kind")],
                        "aliases": [{"unique_name": "Date", "label": "d", "dataset": "day", "name_column": "day_id"}],
                    },
                ),
            ],
        ),
        "Shop": _dimension(
            "Shops", [_level("City", "shop", "city"), _level("Shop", "shop", "shop_id", is_unique_key=True)]
        ),
        "Kind": _dimension("Kind", [_level("Kind", "sales", "kind")], is_degenerate=True),
        "Amount": _metric("Amount", "sales", "amount"),
        "Average": _metric("Average", "sales", "amount", "average"),
        "Lost": _metric("Lost", "returns", "lost"),
        "Net": {
            "unique_name": "Net",
            "object_type": "metric_calc",
            "label": "Net",
            "expression": "[Measures].[Amount] - [measures].[lost]",
        },
        "model": {
            "unique_name": "m",
            "object_type": "model",
            "label": "m",
            "dimensions": ["Kind"],
            "relationships": [
                _relationship("sold", "sales", ["sold_id"], "Calendar", "Day", role_play="Sold {0}"),
                _relationship("shipped", "sales", ["ship_id"], "Calendar", "Day", role_play="Ship"),
                _relationship("sales_shop", "sales", ["shop_id"], "Shops", "Shop"),
                _relationship("returned", "returns", ["day_id"], "Calendar", "Day", role_play="Sold {0}"),
                _relationship("returns_shop", "returns", ["shop_id"], "Shops", "Shop"),
            ],
            "metrics": [{"unique_name": name} for name in ("Amount", "Average", "Lost", "Net")],
            "aggregates": [],
        },
    }


class _Resolved:
    """A model read from documents, its paths, its aggregates, and what was said about it."""

    def __init__(self, folder: Path, documents: Documents, name: str = "m") -> None:
        for file, value in documents.items():
            (folder / f"{file}.yml").write_text(json.dumps(value), encoding="utf-8")
        read = read_model_folder(folder)
        self.names = model_names(read)
        self.model: SemanticModel = ModelResolver(read).resolve(name)
        self.paths = JoinPaths(self.model)
        self.aggregates: dict[str, AggregateDefinition] = {
            one.name: one for one in define_user_aggregates(self.model, self.paths, read.issues)
        }
        self.issues: tuple[ModelIssue, ...] = read.issues.all()

    @property
    def errors(self) -> list[str]:
        return [issue.message for issue in self.issues if issue.is_error]

    def bound(self, fact: str, dimension: str, name: str, template: str = "{0}") -> BoundAttribute | None:
        return self.paths.attributes_of(fact).get(GrainAttribute(Role(dimension, template), name))


def _aggregate(name: str, attributes: list[dict[str, Any]], metrics: list[str]) -> dict[str, Any]:
    return {"unique_name": name, "label": name, "attributes": attributes, "metrics": metrics}


def test_roles_are_templates_and_text_without_a_place_is_a_prefix(tmp_path: Path) -> None:
    """Each role has its own join; query names carry the role."""
    found = _Resolved(tmp_path, _star())

    sold, shipped = (
        found.bound("sales", "Calendar", "Month", "Sold {0}"),
        found.bound("sales", "Calendar", "Month", "Ship {0}"),
    )
    assert sold is not None
    assert shipped is not None
    assert (sold.attribute.query_name, shipped.attribute.query_name) == ("Sold Month", "Ship Month")
    assert sold.steps[0].from_columns == ("sold_id",)
    assert shipped.steps[0].from_columns == ("ship_id",)
    assert found.errors == []


def test_two_relationships_of_one_role_are_one_join(tmp_path: Path) -> None:
    """A relationship per hierarchy on one foreign key leads to the same steps."""
    documents = _star()
    documents["Day"]["level_attributes"].append(_level("Week", "day", "week"))
    documents["Day"]["hierarchies"].append(
        {"unique_name": "weeks", "label": "w", "levels": [{"unique_name": "Week"}, {"unique_name": "Day"}]}
    )
    documents["model"]["relationships"].append(
        _relationship("sold_again", "sales", ["sold_id"], "Calendar", "Day", role_play="Sold {0}")
    )
    found = _Resolved(tmp_path, documents)

    month, week = (
        found.bound("sales", "Calendar", "Month", "Sold {0}"),
        found.bound("sales", "Calendar", "Week", "Sold {0}"),
    )
    assert month is not None
    assert week is not None
    assert month.steps == week.steps


def test_what_a_level_determines(tmp_path: Path) -> None:
    """Coarser levels, and what hangs on its own level; a secondary attribute determines nothing."""
    found = _Resolved(tmp_path, _star())

    day, month = (
        found.bound("sales", "Calendar", "Day", "Sold {0}"),
        found.bound("sales", "Calendar", "Month", "Sold {0}"),
    )
    kind = found.bound("sales", "Calendar", "Day Kind", "Sold {0}")
    assert day is not None
    assert month is not None
    assert kind is not None
    assert day.determines == {"Year", "Month", "Day Kind", "Date"}
    assert month.determines == {"Year"}
    assert kind.determines == frozenset()


def test_a_fact_above_the_leaf_reaches_coarser_attributes_only(tmp_path: Path) -> None:
    """The join is to a coarse key; days are not available."""
    documents = _star()
    documents["model"]["relationships"][3] = _relationship("returned", "returns", ["day_id"], "Calendar", "Month")
    found = _Resolved(tmp_path, documents)

    month = found.bound("returns", "Calendar", "Month")
    assert month is not None
    assert [step.kind for step in month.steps] == [JoinKind.COARSE_KEY]
    assert found.bound("returns", "Calendar", "Year") is not None
    assert found.bound("returns", "Calendar", "Day") is None
    assert found.bound("returns", "Calendar", "Day Kind") is None


def test_snowflaked_and_embedded_dimensions(tmp_path: Path) -> None:
    """Another dataset of the dimension; another dimension, roles nested inner first."""
    documents = _star()
    documents["area"] = _dataset("area", "area_id", "area_name")
    documents["Area"] = _dimension("Areas", [_level("Area", "area", "area_id", is_unique_key=True)])
    documents["town"] = _dataset("town", "city", "mayor")
    documents["Shop"]["level_attributes"][0] = _level("City", "town", "city", is_unique_key=True)
    documents["Shop"]["relationships"] = [
        {"type": "snowflake", "from": {"dataset": "shop", "join_columns": ["city"]}, "to": {"level": "City"}},
        {
            "unique_name": "in_area",
            "type": "embedded",
            "role_play": "Home {0}",
            "from": {"dataset": "shop", "join_columns": ["area"], "hierarchy": "Shops levels", "level": "Shop"},
            "to": {"dimension": "Areas", "level": "Area"},
        },
    ]
    documents["model"]["relationships"][2]["role_play"] = "Selling {0}"
    found = _Resolved(tmp_path, documents)

    city = found.bound("sales", "Shops", "City", "Selling {0}")
    area = found.bound("sales", "Areas", "Area", "Selling Home {0}")
    assert city is not None
    assert area is not None
    assert [step.to_dataset for step in city.steps] == ["shop", "town"]
    assert [step.to_dataset for step in area.steps] == ["shop", "area"]
    assert area.attribute.query_name == "Selling Home Area"


def test_a_bridge_is_joined_many_to_many(tmp_path: Path) -> None:
    """The step into the bridge is a BRIDGE for what lies behind an m2m edge, and only for that."""
    documents = _star()
    documents["bridge"] = _dataset("bridge", "shop_id", "tag_id")
    documents["tag"] = _dataset("tag", "tag_id", "tag_name")
    documents["Tag"] = _dimension("Tags", [_level("Tag", "tag", "tag_id", is_unique_key=True)])
    documents["Bridge"] = _dimension(
        "Bridge",
        [_level("Bridge Key", "bridge", "shop_id")],
        relationships=[
            {
                "unique_name": "to_tag",
                "type": "embedded",
                "m2m": True,
                "from": {"dataset": "bridge", "join_columns": ["tag_id"], "level": "Bridge Key"},
                "to": {"dimension": "Tags", "level": "Tag"},
            }
        ],
    )
    documents["model"]["relationships"].append(_relationship("tags", "sales", ["shop_id"], "Bridge", "Bridge Key"))
    found = _Resolved(tmp_path, documents)

    tag, key = found.bound("sales", "Tags", "Tag"), found.bound("sales", "Bridge", "Bridge Key")
    assert tag is not None
    assert key is not None
    assert [step.kind for step in tag.steps] == [JoinKind.BRIDGE, JoinKind.UNIQUE_KEY]
    assert tag.is_many_to_many
    assert not key.is_many_to_many


def test_degenerate_dimensions_and_shared_ones(tmp_path: Path) -> None:
    """No join; a shared one has columns per fact."""
    documents = _star()
    documents["Kind"]["level_attributes"] = [
        {
            "unique_name": "Kind",
            "label": "Kind",
            "shared_degenerate_columns": [
                {"dataset": "sales", "name_column": "kind", "key_columns": ["kind"]},
                {"dataset": "returns", "name_column": "kind", "key_columns": ["kind"]},
            ],
        }
    ]
    documents["model"]["aggregates"] = [_aggregate("k", [{"name": "Kind", "dimension": "Kind"}], ["Amount", "Lost"])]
    found = _Resolved(tmp_path, documents)

    for fact in ("sales", "returns"):
        kind = found.bound(fact, "Kind", "Kind")
        assert kind is not None
        assert (kind.steps, kind.dataset) == ((), fact)
    assert [part.fact for part in found.aggregates["k"].parts] == ["returns", "sales"]


def test_a_dataset_that_is_fact_and_dimension_joins_itself_to_nothing(tmp_path: Path) -> None:
    """The same dataset and columns on both sides: no join."""
    documents = _star()
    documents["shop"]["columns"].append({"name": "size", "data_type": "int"})
    documents["Size"] = _metric("Size", "shop", "size")
    documents["model"]["metrics"].append({"unique_name": "Size"})
    documents["model"]["relationships"].append(_relationship("self", "shop", ["shop_id"], "Shops", "Shop"))
    documents["model"]["aggregates"] = [_aggregate("s", [{"name": "City", "dimension": "Shops"}], ["Size"])]
    found = _Resolved(tmp_path, documents)

    (part,) = found.aggregates["s"].parts
    assert (part.fact, part.attributes[0].steps) == ("shop", ())


def test_calculations_expand_to_base_metrics_without_regard_to_case(tmp_path: Path) -> None:
    """A calculation over two facts makes two parts with the whole grain each."""
    documents = _star()
    documents["model"]["aggregates"] = [
        _aggregate("net", [{"name": "Month", "dimension": "Calendar", "relationships_path": ["sold"]}], ["Net"])
    ]
    found = _Resolved(tmp_path, documents)

    parts = {part.fact: part for part in found.aggregates["net"].parts}
    assert set(parts) == {"sales", "returns"}
    assert [str(measure) for measure in parts["returns"].measures] == ["count_rows(returns)", "sum(returns.lost)"]
    assert {part.attributes[0].attribute.query_name for part in parts.values()} == {"Sold Month"}


def test_a_path_of_another_fact_names_the_role(tmp_path: Path) -> None:
    """Role identity is dimension and template, not the relationship: each fact uses its own foreign key."""
    documents = _star()
    documents["model"]["aggregates"] = [
        _aggregate("r", [{"name": "Month", "dimension": "Calendar", "relationships_path": ["sold"]}], ["Lost"])
    ]
    found = _Resolved(tmp_path, documents)

    (part,) = found.aggregates["r"].parts
    assert part.attributes[0].steps[0].from_dataset == "returns"
    assert found.errors == []


def test_an_attribute_in_several_roles_must_name_one(tmp_path: Path) -> None:
    """The error lists the roles."""
    documents = _star()
    documents["model"]["aggregates"] = [_aggregate("a", [{"name": "Month", "dimension": "Calendar"}], ["Amount"])]
    found = _Resolved(tmp_path, documents)

    (message,) = found.errors
    assert "does not say in which role" in message
    assert "`Ship Month`, `Sold Month`" in message


def test_an_attribute_that_a_fact_cannot_reach(tmp_path: Path) -> None:
    """The error names attribute, dimension and fact."""
    documents = _star()
    documents["model"]["aggregates"] = [_aggregate("a", [{"name": "Kind", "dimension": "Kind"}], ["Lost"])]
    found = _Resolved(tmp_path, documents)

    (message,) = found.errors
    assert "wants `Kind` of dimension `Kind` with metrics of `returns`" in message


@pytest.mark.parametrize(
    ("attributes", "metrics", "part_of_message"),
    [
        ([{"name": "Mont", "dimension": "Calendar"}], ["Amount"], "Did you mean `Month`"),
        ([{"name": "Month", "dimension": "Calender"}], ["Amount"], "Did you mean `Calendar`"),
        ([{"name": "City", "dimension": "Shops"}], ["Amuont"], "Did you mean `Amount`"),
        (
            [{"name": "City", "dimension": "Shops"}, {"name": "Kind", "dimension": "Kind"}],
            [],
            "has no metrics and attributes of 2",
        ),
    ],
)
def test_references_to_nothing_have_near_names(
    tmp_path: Path, attributes: list[dict[str, Any]], metrics: list[str], part_of_message: str
) -> None:
    """Attribute, dimension, metric; no metrics at all."""
    documents = _star()
    documents["model"]["aggregates"] = [_aggregate("a", attributes, metrics)]
    found = _Resolved(tmp_path, documents)

    (message,) = found.errors
    assert part_of_message in message
    assert found.aggregates == {}


def test_a_missing_measure_stops_only_aggregates_that_need_it(tmp_path: Path) -> None:
    """A broken calculation is a warning; an aggregate over it is an error."""
    documents = _star()
    documents["Net"]["expression"] = "[Measures].[Amount] / [Measures].[Nothing]"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    calm = _Resolved(tmp_path / "a", documents)
    documents["model"]["aggregates"] = [_aggregate("n", [{"name": "City", "dimension": "Shops"}], ["Net"])]
    broken = _Resolved(tmp_path / "b", documents)

    assert calm.errors == []
    assert any("`Nothing`" in issue.message for issue in calm.issues)
    assert any("through `Net`" in message for message in broken.errors)


def test_semi_additive_metrics_are_refused(tmp_path: Path) -> None:
    """User-defined aggregates cannot store them."""
    documents = _star()
    documents["Lost"]["semi_additive"] = {"position": "last", "relationships": ["returned"]}
    documents["model"]["aggregates"] = [_aggregate("l", [{"name": "City", "dimension": "Shops"}], ["Lost"])]
    found = _Resolved(tmp_path, documents)

    assert ["semi-additive" in message for message in found.errors] == [True]


def test_dimension_only_and_metrical_attributes(tmp_path: Path) -> None:
    """Without metrics the dimension's rows are counted; a metric on a dimension uses the dimension's dataset as its
    fact.
    """
    documents = _star()
    documents["Shop"]["hierarchies"][0]["levels"][1]["metrics"] = [
        {"unique_name": "Area Sum", "label": "a", "dataset": "shop", "column": "area", "calculation_method": "sum"}
    ]
    documents["model"]["aggregates"] = [
        _aggregate("list", [{"name": "City", "dimension": "Shops"}], []),
        _aggregate("area", [{"name": "City", "dimension": "Shops"}], ["Area Sum"]),
        _aggregate("all", [], ["Amount"]),
    ]
    found = _Resolved(tmp_path, documents)

    assert found.errors == []
    assert [part.fact for part in found.aggregates["list"].parts] == ["shop"]
    assert {measure.function for part in found.aggregates["list"].parts for measure in part.measures} == {
        StoredFunction.COUNT_ROWS
    }
    assert [part.fact for part in found.aggregates["area"].parts] == ["shop"]
    assert found.aggregates["all"].grain == frozenset()


def test_two_aggregates_of_one_meaning(tmp_path: Path) -> None:
    """The first is kept, the second told; names do not make a difference, metrics do."""
    documents = _star()
    city = [{"name": "City", "dimension": "Shops"}]
    documents["model"]["aggregates"] = [
        _aggregate("one", city, ["Amount"]),
        _aggregate("two", city, ["Amount"]),
        _aggregate("three", city, ["Average"]),
    ]
    found = _Resolved(tmp_path, documents)

    assert set(found.aggregates) == {"one", "three"}
    assert [issue.code for issue in found.issues] == ["duplicate-meaning"]


def test_allow_aggregates_keeps_a_dataset_out(tmp_path: Path) -> None:
    """The model's own properties win over the catalog's."""
    documents = _star()
    documents["catalog"]["dataset_properties"] = {
        "sales": {"allow_aggregates": False},
        "returns": {"allow_aggregates": False},
    }
    documents["model"]["dataset_properties"] = {"returns": {"allow_aggregates": True}}
    city = [{"name": "City", "dimension": "Shops"}]
    documents["model"]["aggregates"] = [_aggregate("a", city, ["Amount"]), _aggregate("b", city, ["Lost"])]
    found = _Resolved(tmp_path, documents)

    assert set(found.aggregates) == {"b"}
    assert [issue.code for issue in found.issues] == ["aggregates-not-allowed"]


def test_composite_models_have_their_own_aggregates_only(tmp_path: Path) -> None:
    """Relationships and metrics of the members, aggregates of the composite."""
    documents = _star()
    city = [{"name": "City", "dimension": "Shops"}]
    documents["model"]["aggregates"] = [_aggregate("members_own", city, ["Amount"])]
    documents["composite"] = {
        "unique_name": "c",
        "object_type": "composite_model",
        "label": "c",
        "models": ["m"],
        "aggregates": [_aggregate("composites_own", city, ["Net"])],
    }
    found = _Resolved(tmp_path, documents, "c")

    assert found.names == ("c", "m")
    assert set(found.aggregates) == {"composites_own"}
    assert found.aggregates["composites_own"].composite
    assert len(found.aggregates["composites_own"].parts) == 2


def test_hidden_models_are_not_deployed(tmp_path: Path) -> None:
    """`hidden_models` of the catalog."""
    documents = _star()
    documents["catalog"]["hidden_models"] = ["m"]

    assert _Resolved(tmp_path, documents).names == ()


@pytest.mark.parametrize(
    ("file", "change", "part_of_message"),
    [
        ("model", lambda m: m["relationships"][0]["to"].update(level="Dya"), "Did you mean `Day`"),
        ("model", lambda m: m["relationships"][0]["to"].update(dimension="Calender"), "Did you mean `Calendar`"),
        ("model", lambda m: m["relationships"][0]["from"].update(dataset="sale"), "Did you mean `sales`"),
        (
            "model",
            lambda m: m["relationships"][0]["from"].update(join_columns=["a", "b"]),
            "joins 2 column(s) to level `Day`",
        ),
        ("model", lambda m: m["dimensions"].append("Knid"), "Did you mean `Kind`"),
        ("model", lambda m: m["metrics"].append({"unique_name": "Amonut"}), "Did you mean `Amount`"),
        ("Amount", lambda m: m.update(dataset="salse"), "Did you mean `sales`"),
        ("Amount", lambda m: m.update(calculation_method="total"), "unknown calculation method `total`"),
        ("sales", lambda m: m.update(connection_id="x"), "connection `x`"),
        ("sales", lambda m: m.pop("table"), "neither `table` nor `sql`"),
        ("Day", lambda m: m["hierarchies"][0]["levels"].append({"unique_name": "Hour"}), "level attribute `Hour`"),
        ("Day", lambda m: m["level_attributes"][0].update(dataset="dya"), "Did you mean `day`"),
    ],
)
def test_unresolved_references_are_errors(tmp_path: Path, file: str, change: Any, part_of_message: str) -> None:
    """Whatever a build would stumble over is an error with file, line and near names."""
    documents = _star()
    change(documents[file])
    found = _Resolved(tmp_path, documents)

    assert any(part_of_message in message for message in found.errors), found.errors
    assert all(issue.file for issue in found.issues)


def test_dimensions_that_embed_each_other_are_an_error(tmp_path: Path) -> None:
    """The cycle is spelled out; nothing hangs."""
    documents = _star()
    for name, other, level in (("Day", "Shops", "Shop"), ("Shop", "Calendar", "Day")):
        documents[name]["relationships"] = [
            {
                "unique_name": f"{name}_edge",
                "type": "embedded",
                "from": {"dataset": name.lower(), "join_columns": ["x"], "level": name},
                "to": {"dimension": other, "level": level},
            }
        ]
    found = _Resolved(tmp_path, documents)

    assert any("Calendar → Shops → Calendar" in message for message in found.errors)


def test_a_calculation_in_a_cycle_is_an_error(tmp_path: Path) -> None:
    """It could never be computed."""
    documents = _star()
    documents["Net"]["expression"] = "[Measures].[Net] + 1"

    assert any("refers to itself" in message for message in _Resolved(tmp_path, documents).errors)


def test_the_rest_of_the_language_is_kept(tmp_path: Path) -> None:
    """incremental, immutable, row security, overrides, sql datasets with dialects, the connection's name."""
    documents = _star()
    documents["sales"] |= {"incremental": {"column": "sold_id", "grace_period": "7d"}}
    documents["day"] |= {"immutable": True}
    del documents["shop"]["table"]
    documents["shop"] |= {"sql": "SELECT 1", "dialects": [{"dialect": "Snowflake", "sql": "SELECT 2"}]}
    documents["model"]["overrides"] = {"Amount": {"query_name": "amount"}}
    documents["secure"] = {
        "unique_name": "secure",
        "object_type": "row_security",
        "label": "s",
        "dataset": "shop",
        "filter_key_column": "shop_id",
        "ids_column": "user",
        "id_type": "user",
        "scope": "all",
    }
    documents["model"]["relationships"].append(
        {
            "unique_name": "sec",
            "from": {"dataset": "sales", "join_columns": ["shop_id"]},
            "to": {"row_security": "secure"},
        }
    )
    found = _Resolved(tmp_path, documents)

    assert found.errors == []
    assert found.model.connection == "house"
    assert found.model.datasets["sales"].incremental is not None
    assert found.model.datasets["sales"].incremental.grace_period == "7d"
    assert found.model.datasets["day"].immutable
    assert [variant.dialect for variant in found.model.datasets["shop"].variants] == [None, "Snowflake"]
    assert found.model.query_names == {"Amount": "amount"}
    assert found.model.row_securities["secure"].secure_totals


def test_a_partition_over_no_relationship_is_a_warning(tmp_path: Path) -> None:
    """Nothing is built from it, so the model is deployed all the same."""
    documents = _star()
    partition = {"unique_name": "p", "dimension": "Calendar", "attribute": "Day", "type": "key"}
    documents["model"]["partitions"] = [
        {**partition, "relationships_path": ["sold"]},
        {**partition, "relationships_path": ["solt"]},
    ]
    found = _Resolved(tmp_path, documents)

    assert found.errors == []
    assert [one.message for one in found.issues if "partition" in one.message] == [
        "partition `p` refers to relationship `solt`, which does not exist. Did you mean `sold`?"
    ]
