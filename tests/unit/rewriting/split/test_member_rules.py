"""Default members, and members that are never added up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.semantic_model import DefaultMember
from airflow_atscale_aggs.engine.rewriting.split.member_rules import DefaultMembers, check_aggregatable, read_default
from tests.support.stars.asked_star import AskedStar, market_model

_NORTH = "[Shops].[Shops levels].[City].&[North]"


def _with_default(market: AskedStar, expression: str, *, only_when_in_query: bool = False) -> AskedStar:
    """The market, whose shops have a default member."""
    default = (
        f"default_member: {{expression: '{expression}', apply_only_when_in_query: {str(only_when_in_query).lower()}}}"
    )
    rule = "    filter_empty: 'yes'\n"
    return market.changed(market_model(("shops", rule, f"{rule}    {default}\n")))


def _filters(star: AskedStar, sql: str) -> list[str]:
    filters = DefaultMembers(star.read(sql), star.model).filters(star.paths.attributes_of("sales"))
    return [
        f"{default.attribute.name}.{column or 'name'} = {text}" for default in filters for column, text in default.tests
    ]


@pytest.mark.parametrize(
    ("expression", "attribute", "tests"),
    [
        (_NORTH, "City", [("city", "North")]),
        ("[Shops].[Shops levels].[City].[North]", "City", [(None, "North")]),
        ("[shops].[SHOPS LEVELS] . [city].& [North]", "City", [("city", "North")]),
        ("[Shops].[Shops levels].&[North]", "City", [("city", "North")]),
        ("[Shops].[Shop].&[3]", "Shop", [("shop_id", "3")]),
        ("[Shops].[Shops levels].[Shop].[a ]] b]", "Shop", [(None, "a ] b")]),
        ("[Shops].[Shops levels].[All]", "City", []),
        ("[Shops].[all]", "City", []),
    ],
)
def test_one_member_by_key_or_name_is_read(
    market: AskedStar, expression: str, attribute: str, tests: list[tuple[str | None, str]]
) -> None:
    shops = market.model.dimensions["Shops"]

    default = DefaultMember(expression=expression)
    assert read_default(shops, shops.hierarchies[0], default) == (attribute, tuple(tests))


@pytest.mark.parametrize(
    "expression",
    [
        "Tail([Shops].[Shops levels].[City].Members, 1).Item(0)",
        "[Shops].[Shops levels].[City].&[North].&[1]",
        "[Shops].[Shops levels].[Street].&[1]",
        "[Shops].[Shops levels].[City].&[a]&[b]",
        "North",
        "",
    ],
)
def test_anything_else_is_refused_and_quoted(market: AskedStar, expression: str) -> None:
    shops = market.model.dimensions["Shops"]
    default = DefaultMember(expression=expression, where="shops.yml:9")

    with pytest.raises(UnsupportedQueryError) as error:
        read_default(shops, shops.hierarchies[0], default)

    assert f"the default member of hierarchy `Shops levels`, `{expression}`, is not one member" in str(error.value)
    assert "correct shops.yml:9" in str(error.value)


def test_a_compound_key_is_read_column_by_column(market: AskedStar) -> None:
    shops = market.model.dimensions["Shops"]
    shop = replace(shops.attributes["Shop"], key_columns=("shop_id", "city"))
    compound = replace(shops, attributes={**shops.attributes, "Shop": shop})
    default = DefaultMember(expression="[Shops].[Shop].&[3]&[South]")

    assert read_default(compound, shops.hierarchies[0], default) == ("Shop", (("shop_id", "3"), ("city", "South")))


@pytest.mark.parametrize(
    ("sql", "filters"),
    [
        ('SELECT "Amount" FROM market', ["City.city = North"]),
        ("""SELECT "Month", "Amount" FROM market WHERE "Channel" = 'web'""", ["City.city = North"]),
        ('SELECT "City", "Amount" FROM market', []),
        ("""SELECT "Amount" FROM market WHERE "Shop" = 'South'""", []),
        ("""SELECT SUM("Amount") FILTER (WHERE "City" = 'South') AS a FROM market""", []),
    ],
)
def test_a_query_that_names_no_level_is_about_the_default_member(
    market: AskedStar, sql: str, filters: list[str]
) -> None:
    assert _filters(_with_default(market, _NORTH), sql) == filters


@pytest.mark.parametrize(
    ("sql", "filters"),
    [
        ('SELECT "Amount" FROM market', []),
        ('SELECT "City", "Amount" FROM market', []),
        ('SELECT "Manager", "Amount" FROM market', ["City.city = North"]),
    ],
)
def test_some_default_members_count_only_in_queries_on_their_dimension(
    market: AskedStar, sql: str, filters: list[str]
) -> None:
    """A secondary attribute is of the dimension, and no level."""
    star = _with_default(market, _NORTH, only_when_in_query=True)
    shops = star.model.dimensions["Shops"]
    manager = replace(shops.attributes["City"], name="Manager", label="Manager", kind="secondary", level="Shop")
    with_manager = replace(shops, attributes={**shops.attributes, "Manager": manager})
    dimensions = {**star.model.dimensions, "Shops": with_manager}

    assert _filters(star.changed(replace(star.model, dimensions=dimensions)), sql) == filters


def test_the_all_member_is_no_filter(market: AskedStar) -> None:
    assert _filters(_with_default(market, "[Shops].[All]"), 'SELECT "Amount" FROM market') == []


def test_a_model_without_default_members_filters_nothing(market: AskedStar) -> None:
    assert _filters(market, 'SELECT "Amount" FROM market') == []


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "Amount in North" FROM market',
        'SELECT "Amount of All Shops" FROM market',
        'SELECT "Amount per City" FROM market',
    ],
)
def test_a_calculation_that_names_members_of_the_dimension_is_refused(market: AskedStar, sql: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        _filters(_with_default(market, _NORTH), sql)

    assert "`Amount` is not answered: a calculated metric names members of `Shops`" in str(error.value)
    assert "Group by a level of `Shops levels`, or filter by one" in str(error.value)


def test_a_calculation_that_moves_in_the_dimension_is_refused_as_well(market: AskedStar) -> None:
    rule = "    filter_empty: 'yes'\n"
    default = f"{rule}    default_member: {{expression: '[Calendar].[Year].&[2024]'}}\n"
    star = market.changed(market_model(("calendar", rule, default)))

    with pytest.raises(UnsupportedQueryError, match="names members of `Calendar`"):
        _filters(star, 'SELECT "City", "Amount Before" FROM market')
    assert _filters(star, 'SELECT "City", "Amount of All Shops" FROM market') == ["Year.year = 2024"]


@pytest.mark.parametrize(
    ("sql", "fixed", "is_refused"),
    [
        ('SELECT "Amount" FROM market', [], True),
        ('SELECT "City", "Amount" FROM market', ["City"], False),
        ('SELECT "Amount", COUNT(*) FROM market', ["Year"], True),
        ("""SELECT SUM("Amount") FILTER (WHERE "City" = 'North') AS a FROM market""", [], False),
        ('SELECT "Amount in North" FROM market', [], False),
        ('SELECT "Amount in North", "Amount" FROM market', [], True),
    ],
)
def test_members_are_not_added_up_unless_they_are_fixed(
    market: AskedStar, sql: str, fixed: list[str], is_refused: bool
) -> None:
    city = "name_column: city, is_unique_key: false"
    star = market.changed(market_model(("shops", city, f"{city}, is_aggregatable: false")))
    query, reached = star.read(sql), star.paths.attributes_of("sales")
    attributes = {star.attribute(name) for name in fixed}

    def check() -> None:
        check_aggregatable(query, range(len(query.metrics)), reached, star.model, attributes)

    if not is_refused:
        check()
        return
    with pytest.raises(UnsupportedQueryError) as error:
        check()
    assert "members of `City` are not added up (`is_aggregatable: false`, shops.yml:" in str(error.value)
    assert "Group by `City`, or filter it to one value" in str(error.value)
