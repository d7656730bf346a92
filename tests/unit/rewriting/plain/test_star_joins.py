"""The joins of a plain SELECT, followed along the paths of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import JoinStep
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import Path, PhysicalModel, StarJoins, without_order
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars.asked_star import AskedStar, market_model
from tests.support.stars.plain_star import PlainStar

_ON_SHOP = "f.shop_id = s.shop_id"


@pytest.fixture(scope="module")
def plain(market: AskedStar) -> PlainStar:
    """The market, asked in plain SQL."""
    return PlainStar(market)


def _path_text(path: Path) -> str:
    return " → ".join(step.to_dataset for step in path)


def _joins_text(joins: StarJoins) -> str:
    """Such as ``sales, s: shop?, where s.city = 'x'``; a question mark after a join that keeps rows."""
    tables = [
        f"{alias}: {_path_text(path)}{'' if alias in joins.inner else '?'}"
        for alias, path in joins.paths.items()
        if path
    ]
    conditions = [f"where {condition.sql(dialect='duckdb')}" for condition in joins.conditions]
    return ", ".join([joins.fact, *tables, *conditions])


@pytest.mark.parametrize(
    ("tables", "followed"),
    [
        ("sales", "sales"),
        (
            "sales WHERE channel = 'web' AND (amount > 1 OR amount < 0)",
            "sales, where channel = 'web', where (amount > 1 OR amount < 0)",
        ),
        (f"sales f JOIN shop s ON {_ON_SHOP}", "sales, s: shop"),
        (f"shop s JOIN sales f ON {_ON_SHOP}", "sales, s: shop"),
        (f"sales f LEFT JOIN shop s ON {_ON_SHOP}", "sales, s: shop?"),
        (f"sales f LEFT OUTER JOIN shop s ON ({_ON_SHOP})", "sales, s: shop?"),
        ("sales JOIN shop USING (shop_id)", "sales, shop: shop"),
        (f"sales f, shop s WHERE {_ON_SHOP} AND city = 'North'", "sales, s: shop, where city = 'North'"),
        (f"sales f CROSS JOIN shop s WHERE s.city > 'A' AND {_ON_SHOP}", "sales, s: shop, where s.city > 'A'"),
        (f"sales f JOIN shop s ON {_ON_SHOP} AND s.city > 'A'", "sales, s: shop, where s.city > 'A'"),
        (f"sales f LEFT JOIN shop s ON {_ON_SHOP} WHERE {_ON_SHOP}", f"sales, s: shop?, where {_ON_SHOP}"),
        (f"sales f JOIN shop s ON {_ON_SHOP} LEFT JOIN day d USING (day_id)", "sales, s: shop, d: day?"),
        (
            f"sales f JOIN shop s ON {_ON_SHOP} JOIN day d ON f.day_id = d.day_id AND s.city = d.month",
            "sales, s: shop, d: day, where s.city = d.month",
        ),
        (f"visits f JOIN shop s ON {_ON_SHOP}", "visits, s: shop"),
        ("shop", "shop"),
    ],
)
def test_a_join_follows_a_path_when_it_compares_the_columns_of_the_relationship(
    plain: PlainStar, tables: str, followed: str
) -> None:
    assert [_joins_text(joins) for joins in plain.joins(f"SELECT 1 FROM {tables}")] == [followed]


@pytest.mark.parametrize(
    "tables",
    [
        "sales f JOIN day d ON f.shop_id = d.day_id",
        "sales f JOIN shop s ON f.shop_id <= s.shop_id",
        "sales f CROSS JOIN shop s",
        f"sales f LEFT JOIN shop s ON {_ON_SHOP} AND f.day_id = s.shop_id",
        f"sales f JOIN shop s ON {_ON_SHOP} JOIN shop t ON f.shop_id = t.shop_id",
        "sales f JOIN visits v ON f.shop_id = v.shop_id",
        f"sales f JOIN shop s ON {_ON_SHOP} JOIN visits v ON v.shop_id = s.shop_id",
        f"shop s LEFT JOIN sales f ON {_ON_SHOP}",
    ],
    ids=[
        *("another column", "no equality", "no condition", "one condition more", "the same path twice"),
        *("two facts", "two facts by a dimension", "the fact is kept by nobody"),
    ],
)
def test_other_joins_are_not_those_of_the_model(plain: PlainStar, tables: str) -> None:
    assert plain.joins(f"SELECT 1 FROM {tables}") == []


def test_one_table_in_two_roles_is_told_apart_by_its_columns(market: AskedStar) -> None:
    role = (
        "  - {unique_name: sales_order_day, from: {dataset: sales, join_columns: [order_id]}, "
        'to: {dimension: Calendar, level: Day}, role_play: "Ordered {0}"}\nmetrics:\n'
    )
    plain = PlainStar(market.changed(market_model(("model", "metrics:\n", role))))

    sql = "SELECT 1 FROM sales f JOIN day o ON f.order_id = o.day_id LEFT JOIN day d ON f.day_id = d.day_id"
    (joins,) = plain.joins(sql)

    assert {alias: [step.from_columns for step in path] for alias, path in joins.paths.items()} == {
        "f": [],
        "o": [("order_id",)],
        "d": [("day_id",)],
    }
    assert joins.inner == {"o"}


def test_a_path_leads_over_several_tables(market: AskedStar) -> None:
    plain = PlainStar(market.changed(market_model(("orders", "m2m: true", "m2m: false"))))
    sql = "SELECT 1 FROM reason r JOIN order_reason o USING (reason_id) JOIN sales f USING (order_id)"

    (joins,) = plain.joins(sql)

    assert _joins_text(joins) == "sales, o: order_reason, r: order_reason → reason"
    assert [step.to_dataset for step in joins.steps] == ["order_reason", "reason"]


@pytest.mark.parametrize(
    ("tables", "clause", "reason"),
    [
        (f"sales f RIGHT JOIN shop s ON {_ON_SHOP}", "RIGHT JOIN shop", "only inner and left joins are followed"),
        (f"sales f FULL JOIN shop s ON {_ON_SHOP}", "FULL JOIN shop", "only inner and left joins are followed"),
        (f"sales f SEMI JOIN shop s ON {_ON_SHOP}", "SEMI JOIN shop", "only inner and left joins are followed"),
        ("sales NATURAL JOIN shop", "NATURAL JOIN shop", "only inner and left joins are followed"),
        (
            f"sales f LEFT JOIN shop s ON {_ON_SHOP} AND s.city = 'North'",
            *("LEFT JOIN shop", "a left join on more than equal columns is not followed"),
        ),
        (
            "sales JOIN visits USING (day_id) JOIN shop USING (shop_id)",
            *("JOIN shop USING (shop_id)", "`shop_id` does not stand in one table before it"),
        ),
        ("sales f JOIN shop s USING (city)", "JOIN shop", "`city` does not stand in one table before it"),
        ("sales f JOIN shop s ON shop_id = s.shop_id", "shop_id", "`f` and `s` have it"),
        ("sales f JOIN shop s ON f.shop_id = t.shop_id", "t.shop_id", "it belongs to no table of this SELECT"),
        ("sales f JOIN shop s ON f.city = s.city", "f.city", "it belongs to no table of this SELECT"),
    ],
)
def test_joins_that_no_model_has_are_refused_and_quoted(
    plain: PlainStar, tables: str, clause: str, reason: str
) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        plain.joins(f"SELECT 1 FROM {tables}")

    assert f"`{clause}" in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("column", "ignores_case", "place"),
    [
        ("f.amount", True, ("f", "amount")),
        ("f.AMOUNT", True, ("f", "amount")),
        ("Amount", True, ("f", "amount")),
        ("city", True, ("s", "city")),
        ("City", False, None),
        ("nothing", True, None),
    ],
)
def test_a_name_means_the_column_of_the_table_that_has_it(
    plain: PlainStar, column: str, ignores_case: bool, place: tuple[str, str] | None
) -> None:
    tables = plain.tables(plain.select(f"SELECT 1 FROM sales f JOIN shop s ON {_ON_SHOP}"), ignores_case=ignores_case)

    assert tables.place_of(sqlglot.parse_one(column, into=exp.Column)) == place
    assert list(tables.tables) == ["f", "s"]


@pytest.mark.parametrize(
    "column",
    [exp.column("amount", table="f", db="main"), exp.Column(this=exp.Star(), table=exp.to_identifier("f"))],
    ids=["with its schema", "all columns"],
)
def test_only_columns_by_table_and_name_are_looked_at(plain: PlainStar, column: exp.Column) -> None:
    tables = plain.tables(plain.select("SELECT 1 FROM sales f"))

    with pytest.raises(UnsupportedQueryError, match="only columns by table and name are looked at"):
        tables.place_of(column)


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        ("a + b", "b + a", True),
        ("(a) * ((b))", "b * a", True),
        ("a * (1 - b)", "(1 - b) * a", True),
        ("a - b", "b - a", False),
        ("a + b", "a * b", False),
    ],
)
def test_needless_parentheses_and_the_order_of_two_do_not_matter(left: str, right: str, is_same: bool) -> None:
    plain_left, plain_right = (without_order(sqlglot.parse_one(text)) for text in (left, right))

    assert (plain_left == plain_right) is is_same


def _step(market: AskedStar, attribute: str) -> JoinStep:
    return market.bound(attribute).steps[-1]


def test_facts_stand_before_dimensions_of_one_table(market: AskedStar) -> None:
    copy = replace(market.model.datasets["sales"], name="another")
    star = market.changed(replace(market.model, datasets={**market.model.datasets, "another": copy}))
    physical = PlainStar(star).physical
    place = physical.place_of("sales")
    assert place is not None

    assert physical.datasets_at(place) == ["sales", "another"]
    assert physical.datasets_at((None, None, "nowhere")) == ()


def test_a_dataset_without_a_table_is_at_no_place(market: AskedStar) -> None:
    """One is a query, the table of another is gone."""
    columns = market.session.columns([(None, None, "sales")])
    query = market_model(("dataset_shop", "table: shop", "sql: SELECT * FROM shop"))
    sources = Sources(query.datasets, columns, market.session.dialect)
    physical = PhysicalModel(query, market.paths, sources)
    place = physical.place_of("sales")
    assert place is not None

    assert physical.place_of("shop") is None
    assert physical.datasets_at(place) == ["sales"]


def test_names_of_attributes_stand_before_keys(plain: PlainStar) -> None:
    attributes = plain.physical.attributes("sales")
    shown = {
        f"{_path_text(path)}.{column}": [f"{bound.attribute.name} {key or ''}".strip() for bound, key in entries]
        for (path, column), entries in attributes.items()
    }

    assert shown["shop.shop_name"] == ["Shop"]
    assert shown["shop.shop_id"] == ["Shop shop_id"]
    assert shown["order_reason.order_id"] == ["Order"]
    assert "sales.amount" not in shown


def test_calculated_columns_are_those_of_no_table(market: AskedStar) -> None:
    calculated = ("dataset_shop", "- name: city\n", "- name: city\n    sql: UPPER(city)\n")
    physical = PlainStar(market.changed(market_model(calculated))).physical

    assert not any(column == "city" for _, column in physical.attributes("sales"))
    assert (physical.column("shop", "city"), physical.column("shop", "nothing")) == (None, None)
    assert physical.column("shop", "shop_id") == "shop_id"


def test_a_key_equals_the_column_that_leads_to_it_where_equal_values_are_the_same(market: AskedStar) -> None:
    plain = PlainStar(market)
    market.session.execute(
        "CREATE TABLE IF NOT EXISTS text_shop AS SELECT CAST(shop_id AS VARCHAR) AS shop_id FROM shop"
    )
    texts = market.changed(market_model(("dataset_shop", "table: shop", "table: text_shop")))

    assert plain.physical.equal_column(_step(market, "Shop"), "shop_id") == "shop_id"
    assert plain.physical.equal_column(_step(market, "Shop"), "day_id") is None
    assert PlainStar(texts).physical.equal_column(_step(market, "Shop"), "shop_id") is None


def test_paths_are_listed_with_the_paths_that_lead_there(market: AskedStar) -> None:
    paths = [_path_text(path) for path in PlainStar(market).physical.paths("sales")]

    assert paths == ["day", "shop", "order_reason", "order_reason", "order_reason → reason"]


def test_what_metrics_measure_is_known_by_its_calculation(market: AskedStar) -> None:
    price = ("dataset_sales", "- name: quantity\n", "- name: quantity\n    sql: amount * (1 + order_id)\n")
    plain = PlainStar(market.changed(market_model(price)))

    measured = {name: column.sql() for name, column in plain.physical.measured_columns("sales")}
    assert measured["amount"] == '"amount"'
    assert plain.read("SELECT SUM((1 + order_id) * amount) AS q FROM sales").query.metrics == ("Quantity",)


@pytest.mark.parametrize(
    ("metric", "changes", "name"),
    [
        ("Amount", {}, "Amount"),
        ("Amount", {"name": "", "label": ""}, "Amount"),
        ("Amount", {"calculation_method": "stddev_pop"}, ""),
        ("Last Quantity", {"semi_additive": None}, "Quantity"),
        ("Amount", {"dataset": "visits"}, ""),
    ],
)
def test_a_measure_has_the_name_of_the_metric_that_measures_the_same(
    plain: PlainStar, metric: str, changes: dict[str, Any], name: str
) -> None:
    measured = replace(plain.star.model.metrics[metric], **changes)

    assert plain.physical.metric_name(measured) == name


def test_types_of_columns_are_those_of_the_warehouse(plain: PlainStar) -> None:
    assert (plain.physical.data_type("sales", "amount"), plain.physical.data_type("sales", "channel")) == (
        "integer",
        "varchar",
    )
