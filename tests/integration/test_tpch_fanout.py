"""Facts that join above a dimension's leaf, or that are dimensions themselves, are not multiplied: TPC-H sample model.

Orders reach the line item dimension at its order key, where several items wait for each of them: joined naively, order
revenue grows about four-fold. The sample has no aggregates of its own; the test adds some to a copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner, utc_now
from tests.support.oracles.hand_written import BuiltModel, Case
from tests.support.oracles.query_cases import QueryCase
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres

SCALE = "0.01"
SCHEMA = "tpch"
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")

CALENDAR = (
    "CREATE TABLE datecustom AS "
    "SELECT d AS pk_date, DATE_TRUNC('month', d) AS month, DATE_TRUNC('year', d) AS year, "
    "'Calendar ' || EXTRACT(YEAR FROM d) AS year_name "
    "FROM generate_series(TIMESTAMP '1992-01-01', TIMESTAMP '1998-06-30', INTERVAL '1 day') AS t (d)"
)
"""The last half year of orders has no date, so that unmatched rows are there."""

CONNECTION = """\
unique_name: {name}
object_type: connection
label: {name}
as_connection: tpch_warehouse
database: {database}
schema: tpch
"""

AGGREGATES = """
aggregates:
  - unique_name: orders by year
    label: Orders by year
    attributes:
      - {name: Year, dimension: Date Dimension, relationships_path: [Orders-TPCH_DateDimension_Order]}
    metrics: [m_order_revenue, m_o_orderkey_count]
  - unique_name: orders by item key
    label: Orders by the order key of the line item dimension
    attributes:
      - {name: L_ORDERKEY, dimension: LineItem - TPCH}
    metrics: [m_order_revenue]
  - unique_name: orders by line number
    label: Orders by a level that an order has several members of
    attributes:
      - {name: LineItem Level, dimension: LineItem - TPCH}
    metrics: [m_order_revenue]
  - unique_name: items by status and year
    label: Two hops from the line item, through its order to the order's date
    attributes:
      - {name: d_o_orderstatus, dimension: "Orders  - TPCH"}
      - {name: Year, dimension: Date Dimension, relationships_path: [Orders-TPCH_DateDimension_Order]}
    metrics: [m_Revenue_sum, m_l_quantity_sum]
  - unique_name: items by status
    label: Can be derived from the one before
    attributes:
      - {name: d_o_orderstatus, dimension: "Orders  - TPCH"}
    metrics: [m_Revenue_sum]
  - unique_name: both by priority
    label: Two facts, one of them the dimension itself
    attributes:
      - {name: d_o_orderpriority, dimension: "Orders  - TPCH"}
    metrics: [m_order_revenue, m_l_tax_sum]
  - unique_name: orders by country
    label: A snowflake behind an embedded dimension
    attributes:
      - {name: Country, dimension: Location - TPCH, relationships_path: [Customer-TPCH_Location-TPCH_Customer]}
      - {name: Region, dimension: Location - TPCH, relationships_path: [Customer-TPCH_Location-TPCH_Customer]}
    metrics: [m_order_revenue]
  - unique_name: customers by region
    label: A fact that is its own dimension
    attributes:
      - {name: Region, dimension: Location - TPCH, relationships_path: [Customer-TPCH_Location-TPCH_Customer]}
    metrics: [m_c_custkey_count]
"""

CASES = [
    Case.parse(text)
    for text in (
        """
        -- aggregate: orders by year
        -- fact: orders
        -- grain: Order Year = year, year_name
        -- matched: Order Year = date_matched
        -- measure: sum(O_TOTALPRICE) = revenue
        -- measure: count(O_ORDERKEY) = orders_counted
        -- measure: count_rows = row_count
        SELECT d.year, d.year_name, CASE WHEN d.pk_date IS NULL THEN 0 ELSE 1 END AS date_matched,
               SUM(o.o_totalprice) AS revenue, COUNT(o.o_orderkey) AS orders_counted, COUNT(*) AS row_count
        FROM orders AS o LEFT JOIN datecustom AS d ON CAST(d.pk_date AS DATE) = o.o_orderdate
        GROUP BY 1, 2, 3
        """,
        """
        -- aggregate: orders by item key
        -- fact: orders
        -- grain: L_ORDERKEY = item_order
        -- matched: L_ORDERKEY = item_matched
        -- measure: sum(O_TOTALPRICE) = revenue
        -- measure: count_rows = row_count
        SELECT CASE WHEN has_items THEN o_orderkey END AS item_order,
               CASE WHEN has_items THEN 1 ELSE 0 END AS item_matched,
               SUM(o_totalprice) AS revenue, COUNT(*) AS row_count
        FROM (
            SELECT o.*, EXISTS (SELECT 1 FROM lineitem AS l WHERE l.l_orderkey = o.o_orderkey) AS has_items
            FROM orders AS o
        ) AS o
        GROUP BY 1, 2
        """,
        """
        -- aggregate: items by status and year
        -- fact: lineitem
        -- grain: d_o_orderstatus = status
        -- grain: Order Year = year, year_name
        -- matched: d_o_orderstatus = order_matched
        -- matched: Order Year = date_matched
        -- measure: sum(Item Revenue) = revenue
        -- measure: sum(L_QUANTITY) = quantity
        -- measure: count_rows = row_count
        SELECT o.o_orderstatus AS status, d.year, d.year_name,
               CASE WHEN o.o_orderkey IS NULL THEN 0 ELSE 1 END AS order_matched,
               CASE WHEN d.pk_date IS NULL THEN 0 ELSE 1 END AS date_matched,
               SUM(l.l_extendedprice - l.l_extendedprice * l.l_discount) AS revenue, SUM(l.l_quantity) AS quantity,
               COUNT(*) AS row_count
        FROM lineitem AS l
        LEFT JOIN orders AS o ON o.o_orderkey = l.l_orderkey
        LEFT JOIN datecustom AS d ON CAST(d.pk_date AS DATE) = o.o_orderdate
        GROUP BY 1, 2, 3, 4, 5
        """,
        """
        -- aggregate: items by status
        -- fact: lineitem
        -- grain: d_o_orderstatus = status
        -- matched: d_o_orderstatus = order_matched
        -- measure: sum(Item Revenue) = revenue
        -- measure: count_rows = row_count
        SELECT o.o_orderstatus AS status, CASE WHEN o.o_orderkey IS NULL THEN 0 ELSE 1 END AS order_matched,
               SUM(l.l_extendedprice - l.l_extendedprice * l.l_discount) AS revenue, COUNT(*) AS row_count
        FROM lineitem AS l LEFT JOIN orders AS o ON o.o_orderkey = l.l_orderkey
        GROUP BY 1, 2
        """,
        """
        -- aggregate: both by priority
        -- fact: orders
        -- grain: d_o_orderpriority = priority
        -- measure: sum(O_TOTALPRICE) = revenue
        -- measure: count_rows = row_count
        SELECT o_orderpriority AS priority, SUM(o_totalprice) AS revenue, COUNT(*) AS row_count FROM orders GROUP BY 1
        """,
        """
        -- aggregate: both by priority
        -- fact: lineitem
        -- grain: d_o_orderpriority = priority
        -- matched: d_o_orderpriority = order_matched
        -- measure: sum(L_TAX) = tax
        -- measure: count_rows = row_count
        SELECT o.o_orderpriority AS priority, CASE WHEN o.o_orderkey IS NULL THEN 0 ELSE 1 END AS order_matched,
               SUM(l.l_tax) AS tax, COUNT(*) AS row_count
        FROM lineitem AS l LEFT JOIN orders AS o ON o.o_orderkey = l.l_orderkey
        GROUP BY 1, 2
        """,
        """
        -- aggregate: orders by country
        -- fact: orders
        -- grain: Customer Country = country, country_name
        -- grain: Customer Region = region
        -- matched: Customer Country = country_matched
        -- matched: Customer Region = region_matched
        -- measure: sum(O_TOTALPRICE) = revenue
        -- measure: count_rows = row_count
        SELECT n.n_nationkey AS country, n.n_name AS country_name, r.r_regionkey AS region,
               CASE WHEN n.n_nationkey IS NULL THEN 0 ELSE 1 END AS country_matched,
               CASE WHEN r.r_regionkey IS NULL THEN 0 ELSE 1 END AS region_matched,
               SUM(o.o_totalprice) AS revenue, COUNT(*) AS row_count
        FROM orders AS o
        LEFT JOIN customer AS c ON c.c_custkey = o.o_custkey
        LEFT JOIN nation AS n ON n.n_nationkey = c.c_nationkey
        LEFT JOIN region AS r ON r.r_regionkey = n.n_regionkey
        GROUP BY 1, 2, 3, 4, 5
        """,
        """
        -- aggregate: customers by region
        -- fact: customer
        -- grain: Customer Region = region
        -- matched: Customer Region = region_matched
        -- measure: count(C_CUSTKEY) = customers
        -- measure: count_rows = row_count
        SELECT r.r_regionkey AS region, CASE WHEN r.r_regionkey IS NULL THEN 0 ELSE 1 END AS region_matched,
               COUNT(c.c_custkey) AS customers, COUNT(*) AS row_count
        FROM customer AS c
        LEFT JOIN nation AS n ON n.n_nationkey = c.c_nationkey
        LEFT JOIN region AS r ON r.r_regionkey = n.n_regionkey
        GROUP BY 1, 2
        """,
    )
]

DIRT = (
    "DELETE FROM lineitem WHERE l_orderkey IN (SELECT MIN(o_orderkey) FROM orders)",
    "INSERT INTO lineitem SELECT * FROM lineitem WHERE l_orderkey = (SELECT MAX(o_orderkey) FROM orders)",
    "DELETE FROM orders WHERE o_orderkey IN (SELECT MAX(o_orderkey) FROM orders)",
    "UPDATE customer SET c_nationkey = NULL WHERE c_custkey % 50 = 0",
)
"""Orders without items, items without an order, the same line twice, customers without a country."""


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def built_model(
    request: pytest.FixtureRequest, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltModel]:
    """The sample with aggregates added, deployed and built."""
    folder = tmp_path_factory.mktemp("tpch")
    parquet = generate("tpch", SCALE, folder)
    if request.param == "duckdb":
        load_duckdb(parquet, folder / "tpch_data.duckdb", SCHEMA, (CALENDAR, *DIRT))
        yield from _build(f"duckdb:///{folder / 'tpch_data.duckdb'}", sample_models, folder)
        return
    with request.getfixturevalue("postgres_database")("tpch_data") as url:
        load_postgres(parquet, url, SCHEMA, TABLES, folder, (CALENDAR, *DIRT))
        yield from _build(url, sample_models, folder)


def _build(warehouse: str, sample_models: Path, folder: Path) -> Iterator[BuiltModel]:
    model = folder / "model"
    shutil.copytree(sample_models / "tpch", model)
    with (model / "models" / "Retail TPCH.yml").open("a", encoding="utf-8") as text:
        text.write(AGGREGATES)
    for connection in (model / "connections").iterdir():
        connection.write_text(CONNECTION.format(name=connection.stem, database="tpch_data"), encoding="utf-8")
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        report = deploy(workspace, model, now=utc_now())
        (deployed,) = report.models
        assert "refused-join" not in {issue.code for issue in report.issues}
        done = run_batch(workspace, deployed.model, owner=process_owner())
        assert any(note.startswith("orders by line number is not built: ") for note in done.batch.notes)
        yield BuiltModel.of(workspace, done)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.aggregate}-{case.fact}")
def test_no_order_or_item_is_counted_twice(built_model: BuiltModel, case: Case) -> None:
    """Totals and groups equal the SELECT written by hand."""
    built_model.check(case, search_path=SCHEMA)


@pytest.mark.parametrize("aggregate", ["orders by year", "orders by item key", "both by priority", "orders by country"])
def test_order_revenue_does_not_grow(built_model: BuiltModel, aggregate: str) -> None:
    """The total over all groups is that of the orders themselves."""
    table = built_model.instances[aggregate, "orders"].table
    with built_model.workspace.warehouse.session() as session:
        (total,) = session.fetch_all(f'SELECT SUM(sum_o_totalprice), SUM(row_count) FROM aggs."{table}"')

        assert session.fetch_all(f"SELECT SUM(o_totalprice), COUNT(*) FROM {SCHEMA}.orders") == [total]


def test_an_attribute_with_several_values_per_order_is_refused_by_name(built_model: BuiltModel) -> None:
    """An order has several line numbers; picking one or counting it several times would both be wrong."""
    assert ("orders by line number", "orders") not in built_model.instances
    assert [
        note for note in built_model.report.batch.notes if "orders by line number" in note and "L_LINENUMBER" in note
    ]


def test_an_aggregate_of_the_same_fact_is_derived(built_model: BuiltModel) -> None:
    """The coarser one of two comes from the finer one."""
    assert built_model.instances["items by status", "lineitem"].source == "items by status and year"


@pytest.mark.parametrize("case", QueryCase.read("tpch_sample"), ids=lambda case: case.name)
def test_a_query_equals_the_select_written_by_hand(built_model: BuiltModel, case: QueryCase) -> None:
    """The answer is the same from the facts and routed."""
    model = built_model.report.batch.model_id

    case.check(QueryRouter(built_model.workspace), built_model.workspace, SCHEMA, model)
