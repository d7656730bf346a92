"""Documents of datasets, dimensions and metrics as values: each key of SML and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.datasets import Column, Incremental, SqlVariant
from airflow_atscale_aggs.engine.model.dimensions import (
    calculation_groups,
    column_names,
    dataset_of,
    dimension_of,
    metric_of,
    metrical_attributes,
    template_of,
)
from airflow_atscale_aggs.engine.model.folder_reader import Document
from airflow_atscale_aggs.engine.model.paths import EmptyMember
from airflow_atscale_aggs.engine.model.semantic_model import (
    Attribute,
    CalculationGroup,
    DefaultMember,
    DegenerateColumns,
    Dimension,
    DimensionRelationship,
    Metric,
    SemiAdditive,
)
from airflow_atscale_aggs.engine.model.validation import IssueList
from tests.support.stars.documents import dataset, dimension, embedded, level, metric, read_documents

_CONNECTION = {
    "unique_name": "w",
    "object_type": "connection",
    "label": "w",
    "as_connection": "house",
    "database": "db",
    "schema": "public",
}


def _read(content: dict[str, Any]) -> Document:
    """The one document of a folder that holds it alone."""
    (document,) = read_documents({"d": content}).of_type(content["object_type"]).values()
    return document


def _dimension(*levels: dict[str, Any], **more: Any) -> Dimension:
    return dimension_of(_read(dimension("D", list(levels), **more)))


def _attribute(**more: Any) -> Attribute:
    return _dimension(level("L", "shop", "a", "b", **more)).attributes["L"]


def _metric(**more: Any) -> Metric:
    document = _read(metric("X", "sales", "amount", **more))
    return metric_of(document.value, document.file)


@pytest.mark.parametrize(
    ("written", "template"),
    [(None, "{0}"), ("", "{0}"), ("Sold", "Sold {0}"), ("{0} sold", "{0} sold"), (12, "12 {0}")],
)
def test_a_role_play_without_a_place_is_a_prefix(written: object, template: str) -> None:
    assert template_of(written) == template


@pytest.mark.parametrize(
    ("written", "names"),
    [(["a", "b"], ("a", "b")), ([{"name": "a", "data_type": "int"}, "b"], ("a", "b")), ([1], ("1",)), (None, ())],
)
def test_columns_may_be_mappings_as_older_repositories_have_them(written: object, names: tuple[str, ...]) -> None:
    assert column_names({"key_columns": written}, "key_columns") == names


def test_a_dataset_lives_where_its_connection_says() -> None:
    folder = read_documents(
        {
            "w": _CONNECTION,
            "s": dataset(
                "sales",
                "amount",
                incremental={"column": "at", "grace_period": 100},
                immutable=True,
                columns=[
                    {"name": "amount", "data_type": "long"},
                    {
                        "name": "double",
                        "sql": "2 * amount",
                        "dialects": [{"dialect": "Snowflake", "sql": "amount * 2"}],
                    },
                    {"name": "colour", "parent_column": "properties"},
                ],
            ),
        }
    )
    issues = IssueList()

    value = dataset_of(folder.of_type("dataset")["sales"], folder.of_type("connection"), issues, allowed=False)

    assert (value.connection, value.database, value.schema, value.table) == ("house", "db", "public", "sales")
    assert value.incremental == Incremental(column="at", grace_period="100")
    assert (value.immutable, value.allow_aggregates, value.where) == (True, False, "s.yml:1")
    assert value.columns == {
        "amount": Column(name="amount", data_type="long"),
        "double": Column(
            name="double",
            variants=(
                SqlVariant(dialect=None, sql="2 * amount"),
                SqlVariant(dialect="Snowflake", sql="amount * 2"),
            ),
        ),
        "colour": Column(name="colour", parent_column="properties"),
    }
    assert issues.all() == ()


@pytest.mark.parametrize(
    ("more", "issue"),
    [
        (
            {"connection_id": "v"},
            "error unresolved-reference: dataset `s` refers to connection `v`, which does not exist.",
        ),
        ({"table": None}, "error no-source: dataset `s` has neither `table` nor `sql`"),
        ({"table": None, "sql": "SELECT 1"}, ""),
        ({"table": None, "dialects": [{"dialect": "Snowflake", "sql": "SELECT 1"}]}, ""),
        ({"alternate": {"table": "t"}}, "warning not-honoured: dataset `s` has an `alternate`, which is not read"),
    ],
)
def test_what_is_wrong_with_a_dataset(more: dict[str, Any], issue: str) -> None:
    folder = read_documents({"w": _CONNECTION, "s": dataset("s", "a", **more)})
    issues = IssueList()

    dataset_of(folder.of_type("dataset")["s"], folder.of_type("connection"), issues, allowed=True)

    (shown,) = [f"{item.severity} {item.code}: {item.message}" for item in issues.all()] or [""]
    assert shown.startswith(issue)
    assert bool(shown) is bool(issue)


def test_a_level_attribute_with_its_columns_and_flags() -> None:
    attribute = _attribute(
        label="The level",
        is_unique_key=True,
        exclude_from_dim_agg=True,
        exclude_from_fact_agg=True,
        is_aggregatable=False,
        is_hidden=True,
        name_column="n",
    )

    assert attribute == Attribute(
        name="L",
        label="The level",
        kind="level",
        level="L",
        dataset="shop",
        key_columns=("a", "b"),
        name_column="n",
        is_unique_key=True,
        exclude_from_dim_agg=True,
        exclude_from_fact_agg=True,
        is_aggregatable=False,
        is_hidden=True,
        where=attribute.where,
    )


@pytest.mark.parametrize(
    ("written", "empty"),
    [
        (None, None),
        ({"key": "0"}, None),
        ({"name": "none"}, EmptyMember("none", ("none", "none"))),
        ({"name": "none", "key": 0}, EmptyMember("none", ("0", "0"))),
        ({"name": "none", "key": [1, 2]}, EmptyMember("none", ("1", "2"))),
        ({"name": "none", "key": [1, 2, 3]}, EmptyMember("none", ("1", "2"))),
        ({"name": "none", "key": [None]}, EmptyMember("none", ("none", "none"))),
        ({"name": None}, EmptyMember(None, ())),
        ({"name": None, "key": [1, 2]}, EmptyMember(None, ())),
    ],
)
def test_an_empty_member_has_a_value_for_each_key_column(
    written: dict[str, Any] | None, empty: EmptyMember | None
) -> None:
    assert _attribute(custom_empty_member=written).empty == empty


def test_secondary_attributes_and_aliases_hang_on_their_level() -> None:
    """An alias without a key has its name for one. What stands in two hierarchies is one attribute."""
    hanging = {
        "secondary_attributes": [level("Colour", "shop", "c", "d")],
        "aliases": [{"unique_name": "Title", "label": "t", "dataset": "shop", "name_column": "t"}],
    }
    again = {"unique_name": "H2", "label": "h", "levels": [{"unique_name": "L", **hanging}]}
    document = dimension("D", [level("L", "shop", "a", _=hanging)])
    document["hierarchies"].append(again)

    attributes = dimension_of(_read(document)).attributes

    shown = {a.name: (a.kind, a.level, a.key_columns, a.name_column) for a in attributes.values()}
    assert shown == {
        "L": ("level", "L", ("a",), "a"),
        "Colour": ("secondary", "L", ("c", "d"), "c"),
        "Title": ("alias", "L", ("t",), "t"),
    }


def test_a_shared_degenerate_attribute_has_columns_of_each_fact() -> None:
    shared = [
        {"dataset": "sales", "name_column": "kind", "key_columns": ["kind_id"]},
        {"dataset": "returns", "key_columns": [{"name": "kind"}]},
    ]
    value = {"unique_name": "Kind", "label": "Kind", "shared_degenerate_columns": shared}
    kind = _dimension(value, is_degenerate=True).attributes["Kind"]

    assert kind.shared == (
        DegenerateColumns(dataset="sales", key_columns=("kind_id",), name_column="kind"),
        DegenerateColumns(dataset="returns", key_columns=("kind",), name_column="kind"),
    )
    assert (kind.dataset, kind.key_columns) == ("", ())


@pytest.mark.parametrize(
    ("hierarchies", "is_hidden"),
    [
        ([{"level_hidden": True}], True),
        ([{"hidden": True}], True),
        ([{"level_hidden": True}, {}], False),
        ([{"hidden": True}, {"level_hidden": True}], True),
        ([{}], False),
    ],
    ids=["the level", "its hierarchy", "in one of two hierarchies", "in both, in two ways", "not at all"],
)
def test_a_level_is_hidden_when_each_of_its_hierarchies_hides_it(
    hierarchies: list[dict[str, bool]], *, is_hidden: bool
) -> None:
    document = dimension("D", [level("L", "shop", "a")])
    document["hierarchies"] = [
        {
            "unique_name": f"H{number}",
            "label": "h",
            "is_hidden": flags.get("hidden", False),
            "levels": [{"unique_name": "L", "is_hidden": flags.get("level_hidden", False)}],
        }
        for number, flags in enumerate(hierarchies)
    ]

    assert dimension_of(_read(document)).attributes["L"].is_hidden is is_hidden


@pytest.mark.parametrize(
    ("written", "rule"),
    [(None, "yes"), ("Always ", "always"), ("no", "no"), (True, "yes"), (False, "no")],
)
def test_the_join_rule_of_a_hierarchy_may_be_a_boolean(written: object, rule: str) -> None:
    """Some writers of YAML leave the quotes out."""
    document = dimension("D", [level("L", "shop", "a")])
    document["hierarchies"][0]["filter_empty"] = written

    assert dimension_of(_read(document)).hierarchies[0].filter_empty == rule


def test_parallel_periods_and_the_default_member_of_a_hierarchy() -> None:
    periods = {"parallel_periods": [{"level": "Y", "key_columns": [{"name": "before"}]}]}
    document = dimension("D", [level("Y", "day", "y"), level("M", "day", "m", _=periods)])
    document["hierarchies"][0]["default_member"] = {"expression": "[D].[Y].&[1]", "apply_only_when_in_query": True}
    lines = json.dumps(document, indent=1).splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "default_member" in text)

    (hierarchy,) = dimension_of(_read(document)).hierarchies

    assert hierarchy.levels == ("Y", "M")
    assert hierarchy.parallel_periods == {("M", "Y"): ("before",)}
    assert hierarchy.default_member == DefaultMember(
        expression="[D].[Y].&[1]", only_when_in_query=True, where=f"d.yml:{line}"
    )


def test_a_hierarchy_has_a_label_or_its_name_serves() -> None:
    document = dimension("D", [level("L", "shop", "a")])
    (labelled,) = dimension_of(_read(document)).hierarchies
    document["hierarchies"][0].pop("label")
    (bare,) = dimension_of(_read(document)).hierarchies

    assert (labelled.label, bare.label) == ("D", "")


def test_relationships_inside_a_dimension_and_to_another_one() -> None:
    """An edge to row security is none."""
    snowflake = {"type": "snowflake", "from": {"dataset": "shop", "columns": ["city"]}, "to": {"level": "City"}}
    home = embedded("home", "shop", ["area"], "Areas", "Area", role_play="Home", m2m=True)
    home["from"]["level"] = "Shop"
    secured = {"type": "embedded", "from": {"dataset": "shop"}, "to": {"row_security": "r"}}

    edges = _dimension(level("Shop", "shop", "id"), relationships=[snowflake, home, secured]).relationships

    assert edges == (
        DimensionRelationship(
            name="",
            kind="snowflake",
            from_dataset="shop",
            from_columns=("city",),
            from_level="",
            dimension="D",
            level="City",
            template="{0}",
            is_many_to_many=False,
            where=edges[0].where,
        ),
        DimensionRelationship(
            name="home",
            kind="embedded",
            from_dataset="shop",
            from_columns=("area",),
            from_level="Shop",
            dimension="Areas",
            level="Area",
            template="Home {0}",
            is_many_to_many=True,
            where=edges[1].where,
        ),
    )


def test_calculation_groups_are_kept_as_names() -> None:
    group = {"unique_name": "G", "calculated_members": [{"unique_name": "A"}, {"unique_name": "B"}]}
    document = dimension("D", [level("L", "shop", "a")], calculation_groups=[group])

    (kept,) = calculation_groups(_read(document))

    assert kept == CalculationGroup(name="G", label="G", dimension="D", members=("A", "B"), where=kept.where)


def test_metrics_on_levels_belong_to_their_dimension() -> None:
    document = dimension("D", [level("L", "shop", "a", _={"metrics": [metric("Area", "shop", "area", "Maximum")]})])

    (area,) = metrical_attributes(_read(document))

    assert (area.name, area.dimension, area.calculation_method) == ("Area", "D", "maximum")


def test_a_metric_with_everything() -> None:
    value = _metric(
        label="The metric",
        method="  Count   DISTINCT ",
        unrelated_dimensions_handling="error",
        compression=200,
        named_quantiles="median",
        visible=False,
    )

    assert value == Metric(
        name="X",
        label="The metric",
        calculation_method="count distinct",
        dataset="sales",
        column="amount",
        unrelated_dimensions_handling="error",
        compression=200,
        is_hidden=True,
        where="d.yml:1",
    )


@pytest.mark.parametrize(
    ("more", "quantiles", "compression"),
    [
        ({"method": "percentile", "named_quantiles": "median", "compression": "high"}, ("0.5",), None),
        ({"method": "sum", "named_quantiles": "median", "compression": 100}, (), 100),
    ],
)
def test_only_a_percentile_has_quantiles_and_only_a_number_is_a_compression(
    more: dict[str, Any], quantiles: tuple[str, ...], compression: int | None
) -> None:
    assert (_metric(**more).quantiles, _metric(**more).compression) == (quantiles, compression)


@pytest.mark.parametrize(
    ("written", "semi_additive"),
    [
        (None, None),
        ({"position": "LAST"}, SemiAdditive(position="last")),
        (
            {"position": "first_child", "relationships": ["sold", ["web", "order"]]},
            SemiAdditive(position="first_child", relationships=(("sold",), ("web", "order"))),
        ),
        (
            {"position": "last", "degenerate_dimensions": [{"name": "Kind", "level": "Kind"}]},
            SemiAdditive(position="last", degenerate_dimensions=("Kind",)),
        ),
    ],
)
def test_a_semi_additive_metric_names_a_position_and_where_it_does_not_add_up(
    written: dict[str, Any] | None, semi_additive: SemiAdditive | None
) -> None:
    assert _metric(semi_additive=written).semi_additive == semi_additive
