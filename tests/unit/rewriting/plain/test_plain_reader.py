"""A plain SELECT on a star's tables as the equal query on its model, or the reason why it equals none."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.datasets import TableColumns, TableKey
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.model_query import Ref, substitute
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import PhysicalModel
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.part_text import part_text
from tests.support.stars.asked_star import AskedStar, market_model
from tests.support.stars.plain_star import PlainStar

_SHOP = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
_LEFT_SHOP = "FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id"
_SHOP_AND_DAY = f"{_SHOP} JOIN day d ON d.day_id = f.day_id"


@pytest.fixture(scope="module")
def plain(market: AskedStar) -> PlainStar:
    """The market, asked in plain SQL."""
    return PlainStar(market)


@pytest.fixture(scope="module")
def instances(market: AskedStar) -> list[ServingInstance]:
    """Aggregates with their tables."""
    return [
        market.build(["Day", "Shop", "Channel"], ["Amount", "Quantity", "Mean", "Spread", "Lowest", "Highest"]),
        market.build(["City"], ["Amount"]),
    ]


def _check_equal(plain: PlainStar, instances: list[ServingInstance], sql: str, part: str) -> None:
    """The SELECT means the part, and has the rows of the SELECT as it stands, on the facts and on aggregates."""
    read, rows = plain.read(sql), plain.rows(sql)

    assert part_text(read.query, read.fact_query) == part
    assert plain.answer(sql) == rows
    assert plain.answer(sql, instances) == rows


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        (f"SELECT s.city, SUM(f.amount) AS a {_SHOP} GROUP BY s.city", "sales by City: Amount"),
        (f"SELECT city AS c, SUM(amount) AS a {_LEFT_SHOP} GROUP BY c ORDER BY a DESC", "sales by City: Amount"),
        (f'SELECT S.City AS "The City", SUM(Amount) AS A {_SHOP} GROUP BY 1 ORDER BY 2', "sales by City: Amount"),
        (f"SELECT SUM(f.amount) AS a {_SHOP}", "sales: Amount"),
        (f"SELECT SUM(f.amount) AS a {_LEFT_SHOP}", "sales: Amount"),
        ("SELECT COUNT(*) AS a, COUNT(1) AS b FROM sales", "sales: rows"),
        (f"SELECT DISTINCT s.city {_SHOP}", "sales by City"),
        (f"SELECT city, city, SUM(amount) AS a {_SHOP} GROUP BY city", "sales by City: Amount"),
        (f"SELECT UPPER(city) AS c, MIN(city) AS m {_SHOP} GROUP BY UPPER(city)", "sales by c"),
        (
            f"SELECT COUNT(DISTINCT s.city) AS c, MAX(DISTINCT s.city) AS m, SUM(f.amount) AS a {_SHOP}",
            "sales: Amount",
        ),
        (
            "SELECT channel, MIN(amount) AS a, MAX(quantity) AS b, COUNT(amount) AS c FROM sales GROUP BY channel",
            "sales by Channel: Lowest, maximum of quantity, Lines",
        ),
        (
            "SELECT channel, VAR_POP(amount) AS v, STDDEV_SAMP(amount) AS s FROM sales GROUP BY 1",
            "sales by Channel: Spread, stddev_samp of amount",
        ),
        (
            "SELECT channel, COUNT(DISTINCT customer) AS c, SUM(DISTINCT amount) AS s FROM sales GROUP BY channel",
            "sales by Channel: Customers, sum distinct of amount",
        ),
        (f"SELECT city, AVG(amount) AS m {_SHOP} GROUP BY 1", "sales by City: Amount, Lines"),
        (f"SELECT city, SUM(amount) / COUNT(*) AS q {_SHOP} GROUP BY 1", "sales by City: Amount, rows"),
        ("SELECT SUM((amount)) AS a, SUM(f.quantity) AS q FROM sales AS f", "sales: Amount, Quantity"),
    ],
)
def test_columns_become_attributes_and_aggregates_become_measures(
    plain: PlainStar, instances: list[ServingInstance], sql: str, part: str
) -> None:
    _check_equal(plain, instances, sql, part)


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        (
            f"SELECT d.month, COUNT(*) AS n {_SHOP_AND_DAY} WHERE s.city = 'North' GROUP BY 1",
            """sales by Month: rows where "City" = 'North'""",
        ),
        (
            f"SELECT d.day_name, SUM(quantity) AS q {_SHOP_AND_DAY} AND s.shop_name LIKE 'N%' GROUP BY 1",
            """sales by Day: Quantity where "Shop" LIKE 'N%'""",
        ),
        (
            (
                "SELECT month, SUM(quantity) AS q FROM day d, sales f, shop s WHERE f.shop_id = s.shop_id "
                "AND d.day_id = f.day_id AND (city IS NULL OR city <> 'South') GROUP BY month"
            ),
            """sales by Month: Quantity where ("City" IS NULL OR "City" <> 'South')""",
        ),
        (
            (
                f"SELECT city, SUM(amount) AS a {_SHOP} GROUP BY city "
                "HAVING SUM(quantity) > 1 AND city > 'A' ORDER BY MAX(city)"
            ),
            "sales by City: Amount, Quantity",
        ),
        ("SELECT channel FROM sales GROUP BY channel HAVING COUNT(*) > 1", "sales by Channel: rows"),
    ],
)
def test_conditions_of_joins_and_of_where_are_those_of_the_query(
    plain: PlainStar, instances: list[ServingInstance], sql: str, part: str
) -> None:
    _check_equal(plain, instances, sql, part)


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        (f"SELECT s.shop_id, SUM(amount) AS a {_SHOP} GROUP BY s.shop_id", "sales by Shop: Amount"),
        (f"SELECT f.shop_id AS i, s.city, SUM(quantity) AS q {_SHOP} GROUP BY 1, 2", "sales by Shop, City: Quantity"),
        (f"SELECT s.shop_id, COUNT(*) AS n {_LEFT_SHOP} GROUP BY 1", "sales by Shop: rows"),
        (
            f"SELECT COUNT(DISTINCT f.shop_id) AS n, MAX(f.shop_id) AS m {_SHOP} WHERE f.shop_id < 3",
            'sales where "Shop.shop_id" < 3',
        ),
    ],
)
def test_a_key_column_is_one_of_an_attribute_where_an_inner_join_says_so(
    plain: PlainStar, instances: list[ServingInstance], sql: str, part: str
) -> None:
    _check_equal(plain, instances, sql, part)


@pytest.mark.parametrize(
    ("measure", "part"),
    [
        ("SUM(amount) FILTER (WHERE s.city = 'North')", """Amount if "City" = 'North'"""),
        ("COUNT(*) FILTER (WHERE s.city = 'North')", """rows if "City" = 'North'"""),
        ("SUM(CASE WHEN s.city = 'North' THEN amount END)", """Amount if "City" = 'North'"""),
        ("MAX(CASE WHEN s.city = 'North' THEN amount ELSE NULL END)", """Highest if "City" = 'North'"""),
        (
            "AVG(CASE WHEN s.city = 'North' THEN amount END)",
            """Amount if "City" = 'North', Lines if "City" = 'North'""",
        ),
        (
            "SUM(CASE WHEN s.city = 'North' THEN amount ELSE 0 END)",
            """rows, rows if "City" = 'North', Lines if "City" = 'North', Amount if "City" = 'North'""",
        ),
        ("SUM(CASE WHEN s.city = 'North' THEN 1 ELSE 0 END)", """rows, rows if "City" = 'North'"""),
        ("SUM(CASE WHEN s.city = 'North' THEN 1 END)", """rows if "City" = 'North'"""),
        ("COUNT(CASE WHEN s.city = 'North' THEN 1 END)", """rows if "City" = 'North'"""),
    ],
)
@pytest.mark.parametrize("where", ["", "WHERE s.shop_name = 'Nowhere'"], ids=["some rows", "no rows"])
def test_an_aggregate_of_some_rows_is_a_measure_under_a_condition(
    plain: PlainStar, instances: list[ServingInstance], measure: str, part: str, where: str
) -> None:
    """``ELSE 0`` is 0 where there are other rows, and NULL where there are none."""
    condition = """ where "Shop" = 'Nowhere'""" if where else ""

    _check_equal(plain, instances, f"SELECT {measure} AS a {_LEFT_SHOP} {where}", f"sales: {part}{condition}")
    if not where:
        by_shop = f"SELECT s.shop_name, {measure} AS a {_LEFT_SHOP} GROUP BY 1"
        assert plain.answer(by_shop, instances) == plain.rows(by_shop)


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        (f"SELECT city {_SHOP}", "SELECT city FROM", "it shows rows, not groups of rows"),
        (
            f"SELECT SUM(amount) AS a {_SHOP} GROUP BY ROLLUP (city)",
            "GROUP BY ROLLUP (city)",
            "several levels of totals",
        ),
        (
            "SELECT ROW_NUMBER() OVER () AS n, SUM(amount) AS a FROM sales GROUP BY channel",
            *("ROW_NUMBER()", "it depends on more than the values of one row"),
        ),
        (f"SELECT city, SUM(amount) {_SHOP} GROUP BY city", "SUM(amount)", "its column has no name of its own"),
        (f'SELECT city AS "s.city", SUM(amount) AS a {_SHOP} GROUP BY 1', "city", "its column has no name of its own"),
        ("SELECT nothing, COUNT(*) AS n FROM sales GROUP BY 1", "nothing", "no table of this SELECT has this column"),
        (
            f"SELECT city, quantity, SUM(amount) AS a {_SHOP} GROUP BY 1, 2",
            "quantity",
            "no attribute of the model shows",
        ),
        (f"SELECT SUM(amount) AS a {_SHOP} WHERE f.quantity > 2", "f.quantity", "no attribute of the model shows"),
        ("SELECT shop_id, SUM(amount) AS a FROM sales GROUP BY 1", "shop_id", "join `shop` by it, inner, so that only"),
        (f"SELECT f.shop_id, COUNT(*) AS n {_LEFT_SHOP} GROUP BY 1", "f.shop_id", "join `shop` by it, inner"),
        (
            f"SELECT shop_name, SUM(amount) AS a {_SHOP} GROUP BY city",
            "s.shop_name",
            "neither grouped by nor aggregated",
        ),
        (f"SELECT SUM(amount) AS a {_SHOP} HAVING city > 'A'", "s.city", "it is neither grouped by nor aggregated"),
        (f"SELECT SUM(amount) AS a {_SHOP} ORDER BY s.city", "s.city", "it is neither grouped by nor aggregated"),
        (f"SELECT SUM(amount) AS a {_SHOP} GROUP BY UPPER('a')", "UPPER('a')", "it groups by a constant"),
        (f"SELECT 1 AS one, SUM(amount) AS a {_SHOP} GROUP BY 1", "1", "it groups by a constant"),
        (
            f"SELECT month AS city, SUM(amount) AS a {_SHOP_AND_DAY} GROUP BY city, month",
            *("city", "it names a column of a table and another one of the answer"),
        ),
        ("SELECT COUNT() AS n FROM sales", "COUNT()", "it does not say what it aggregates"),
        ("SELECT MEDIAN(amount) AS m FROM sales", "MEDIAN(amount)", "this aggregate is not one that aggregates store"),
        ("SELECT AVG(DISTINCT amount) AS m FROM sales", "AVG(DISTINCT amount)", "is not one that aggregates store"),
        ("SELECT SUM(amount * 2) AS a FROM sales", "SUM(amount * 2)", "it does not aggregate one column of the fact"),
        ("SELECT MAX(LENGTH(channel)) AS m FROM sales", "MAX(LENGTH(channel))", "it does not aggregate one column"),
        (f"SELECT SUM(s.shop_id) AS a {_SHOP}", "SUM(s.shop_id)", "it does not aggregate one column of the fact table"),
        ("SELECT MAX(order_id) AS m FROM sales", "MAX(order_id)", "no metric of the model measures this column"),
        (
            f"SELECT COUNT(DISTINCT amount) FILTER (WHERE city = 'North') AS n {_SHOP}",
            *("COUNT(DISTINCT amount)", "of some rows it is not one that aggregates store"),
        ),
        (
            f"SELECT STDDEV(CASE WHEN city = 'North' THEN amount END) AS s {_SHOP}",
            *("STDDEV(", "of some rows it is not one that aggregates store"),
        ),
        (
            f"SELECT SUM(CASE WHEN city = 'a' THEN amount WHEN city = 'b' THEN 1 END) AS a {_SHOP}",
            *("SUM(CASE", "it does not aggregate one column of the fact table"),
        ),
        (
            f"SELECT SUM(CASE city WHEN 'a' THEN amount END) AS a {_SHOP}",
            *("SUM(CASE city", "it does not aggregate one column of the fact table"),
        ),
        (
            f"SELECT MAX(CASE WHEN city = 'a' THEN amount ELSE 0 END) AS a {_SHOP}",
            *("MAX(CASE", "it does not aggregate one column of the fact table"),
        ),
        (
            "SELECT AVG(customer) AS m FROM sales",
            "AVG(customer)",
            "of a column of type `varchar` its type cannot be said",
        ),
    ],
)
def test_other_selects_are_refused_and_the_clause_is_quoted(
    plain: PlainStar, sql: str, clause: str, reason: str
) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        plain.read(sql)

    assert f"`{clause}" in str(error.value)
    assert reason in str(error.value)


def _output(plain: PlainStar, sql: str, dialect: str) -> str:
    """The last column of the answer, over the names of metrics."""
    query = plain.read(sql, find_dialect(dialect)).query
    names = {Ref.METRIC: lambda place: column_of(query.metrics[place])}
    return substitute(query.outputs[-1].expression, names).sql(dialect=find_dialect(dialect).sqlglot_name)


@pytest.mark.parametrize(
    ("dialect", "mean"),
    [
        ("duckdb", 'CAST("Amount" AS DOUBLE) / NULLIF("Lines", 0)'),
        ("postgres", 'CAST("Amount" AS DECIMAL) / NULLIF("Lines", 0)'),
        ("databricks", "CAST(`Amount` AS DOUBLE) / NULLIF(`Lines`, 0)"),
    ],
)
def test_a_mean_has_the_type_that_the_warehouse_gives_it(plain: PlainStar, dialect: str, mean: str) -> None:
    assert _output(plain, "SELECT AVG(amount) AS m FROM sales", dialect) == mean


def test_a_deviation_is_refused_where_the_warehouse_computes_it_exactly(plain: PlainStar) -> None:
    with pytest.raises(UnsupportedQueryError, match="of a column of type `integer` its type cannot be said"):
        _output(plain, "SELECT STDDEV(amount) AS s FROM sales", "postgres")


def test_sums_in_single_precision_are_left_to_the_warehouse(market: AskedStar) -> None:
    """They depend on the order of the rows. Other types of the same table are added up exactly."""
    plain, postgres = PlainStar(market), find_dialect("postgres")
    columns = {"quantity": "real", "amount": "double precision", "channel": "text"}
    table = TableColumns(columns, ("memory", "main", "sales"))
    physical: dict[TableKey, TableColumns] = {(None, None, "sales"): table}
    sources = Sources(market.model.datasets, physical, postgres)
    plain.physical = PhysicalModel(market.model, market.paths, sources)

    assert _output(plain, "SELECT SUM(amount) AS a FROM sales", "postgres") == '"Amount"'
    with pytest.raises(UnsupportedQueryError, match="of a column of type `real` is added up in single precision"):
        _output(plain, "SELECT SUM(quantity) AS q FROM sales", "postgres")


def test_of_attributes_that_show_one_column_the_one_that_most_aggregates_have_is_meant(market: AskedStar) -> None:
    city = "  - {unique_name: City, label: City, dataset: shop"
    town = city.replace("City", "Town").removeprefix("  - ")
    levels = "      - unique_name: City\n"
    secondary = f"{levels}        secondary_attributes:\n          - {town}, key_columns: [city], name_column: city}}\n"
    star = market.changed(market_model(("shops", levels, secondary)))
    read = {}
    for favourite in ("City", "Town"):

        def popularity(_: str, attribute: GrainAttribute, favourite: str = favourite) -> int:
            return int(attribute.name == favourite)

        query = PlainStar(star, popularity).read(f"SELECT s.city, SUM(f.amount) AS a {_SHOP} GROUP BY 1").query
        read[favourite] = query.name_of_key(0)

    assert read == {"City": "City", "Town": "Town"}


def test_rows_without_a_member_stay_where_the_join_keeps_them_whatever_the_model_says(plain: PlainStar) -> None:
    """The join rule is that of the SELECT."""
    rules = {
        sql: plain.read(f"SELECT s.city, COUNT(*) AS n {sql} GROUP BY 1").fact_query.attributes[0].filter_empty
        for sql in (_SHOP, _LEFT_SHOP)
    }

    assert rules == {_SHOP: "yes", _LEFT_SHOP: "no"}


def test_the_log_gets_names_that_users_know(plain: PlainStar) -> None:
    """Without the values of conditions."""
    sql = "SELECT COUNT(*) AS n, SUM(amount) AS a, SUM(CASE WHEN channel = 'web' THEN quantity END) AS q FROM sales"

    assert plain.read(sql).query.metrics == ("", "Amount", "Quantity")
