"""Stars that nobody has modelled, without declared keys, and the relationships that they have."""

from __future__ import annotations

from collections.abc import Iterable

Truth = frozenset[tuple[str, str, str]]
"""(table, column, table referred to), in lower case; a compound key's columns are separated by commas."""

SSB = (
    """CREATE TABLE dates AS SELECT CAST(strftime(d, '%Y%m%d') AS INTEGER) AS d_datekey,
       CAST(year(d) AS INTEGER) AS d_year, CAST(year(d) * 100 + month(d) AS INTEGER) AS d_yearmonthnum,
       strftime(d, '%b%Y') AS d_yearmonth
       FROM range(TIMESTAMP '1992-01-01', TIMESTAMP '1996-01-01', INTERVAL 1 DAY) t(d)""",
    """CREATE TABLE customer AS SELECT CAST(i + 1 AS INTEGER) AS c_custkey, 'CITY ' || (i % 250) AS c_city,
       'NATION ' || (i % 25) AS c_nation, 'REGION ' || (i % 5) AS c_region FROM range(3000) t(i)""",
    """CREATE TABLE supplier AS SELECT CAST(i + 1 AS INTEGER) AS s_suppkey, 'CITY ' || (i % 250) AS s_city,
       'NATION ' || (i % 25) AS s_nation, 'REGION ' || (i % 5) AS s_region FROM range(500) t(i)""",
    """CREATE TABLE part AS SELECT CAST(i + 1 AS INTEGER) AS p_partkey, 'MFGR#' || (1 + i % 5) AS p_mfgr,
       'MFGR#' || (1 + i % 25) AS p_category, 'BRAND#' || (1 + i % 1000) AS p_brand1 FROM range(4000) t(i)""",
    """CREATE TABLE lineorder AS SELECT CAST(1 + i // 4 AS INTEGER) AS lo_orderkey,
       CAST(1 + i % 4 AS INTEGER) AS lo_linenumber,
       CAST(strftime(TIMESTAMP '1992-01-01' + to_days(CAST(hash(i) % 1400 AS INTEGER)), '%Y%m%d') AS INTEGER)
         AS lo_orderdate,
       CAST(strftime(TIMESTAMP '1992-02-01' + to_days(CAST(hash(i) % 1400 AS INTEGER)), '%Y%m%d') AS INTEGER)
         AS lo_commitdate,
       CAST(1 + hash(i, 1) % 3000 AS INTEGER) AS lo_custkey, CAST(1 + hash(i, 2) % 500 AS INTEGER) AS lo_suppkey,
       CAST(1 + hash(i, 3) % 4000 AS INTEGER) AS lo_partkey, CAST(1 + hash(i, 4) % 50 AS INTEGER) AS lo_quantity,
       CAST(hash(i, 5) % 11 AS INTEGER) AS lo_discount,
       CAST(90000 + hash(i, 6) % 9000000 AS BIGINT) AS lo_extendedprice,
       CAST(80000 + hash(i, 7) % 8000000 AS BIGINT) AS lo_revenue FROM range(30000) t(i)""",
)
"""Statements for DuckDB: a star like that of the Star Schema Benchmark (O'Neil et al., 2009)."""

SSB_TRUTH: Truth = frozenset(
    {
        ("lineorder", "lo_orderdate", "dates"),
        ("lineorder", "lo_commitdate", "dates"),
        ("lineorder", "lo_custkey", "customer"),
        ("lineorder", "lo_suppkey", "supplier"),
        ("lineorder", "lo_partkey", "part"),
    }
)

TPCH_CALENDAR = """CREATE TABLE calendar AS SELECT CAST(d AS DATE) AS calendar_date, year(d) AS calendar_year,
  year(d) * 100 + month(d) AS calendar_month
  FROM range(TIMESTAMP '1992-01-01', TIMESTAMP '1999-01-01', INTERVAL 1 DAY) t(d)"""

TPCH_TRUTH: Truth = frozenset(
    {
        ("nation", "n_regionkey", "region"),
        ("customer", "c_nationkey", "nation"),
        ("supplier", "s_nationkey", "nation"),
        ("partsupp", "ps_partkey", "part"),
        ("partsupp", "ps_suppkey", "supplier"),
        ("orders", "o_custkey", "customer"),
        ("lineitem", "l_orderkey", "orders"),
        ("lineitem", "l_partkey", "part"),
        ("lineitem", "l_suppkey", "supplier"),
        ("lineitem", "l_partkey, l_suppkey", "partsupp"),
        ("orders", "o_orderdate", "calendar"),
        ("lineitem", "l_shipdate", "calendar"),
        ("lineitem", "l_commitdate", "calendar"),
        ("lineitem", "l_receiptdate", "calendar"),
    }
)

_TPCDS_KEYS = {
    "date_sk": "date_dim",
    "time_sk": "time_dim",
    "item_sk": "item",
    "customer_sk": "customer",
    "cdemo_sk": "customer_demographics",
    "hdemo_sk": "household_demographics",
    "addr_sk": "customer_address",
    "store_sk": "store",
    "promo_sk": "promotion",
    "reason_sk": "reason",
    "warehouse_sk": "warehouse",
    "ship_mode_sk": "ship_mode",
    "call_center_sk": "call_center",
    "catalog_page_sk": "catalog_page",
    "web_page_sk": "web_page",
    "web_site_sk": "web_site",
    "income_band_sk": "income_band",
}


def tpcds_truth(columns: Iterable[tuple[str, str]]) -> Truth:
    """The foreign keys of TPC-DS, which its specification names by their ends.

    Args:
        columns: (table, column) that have values.
    """
    return frozenset(
        (table, column, target)
        for table, column in columns
        for end, target in _TPCDS_KEYS.items()
        if column.endswith(f"_{end}") and table != target
    )
