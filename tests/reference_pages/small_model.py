"""The small complete model that the first page of SML by example shows. A test deploys, builds and asks exactly it."""

from __future__ import annotations

from collections.abc import Mapping

DATA = """\
CREATE TABLE shops (shop INTEGER, name VARCHAR, city VARCHAR);
INSERT INTO shops VALUES (1, 'Harbour', 'Oslo'), (2, 'Station', 'Oslo'), (3, 'Market', 'Bergen');
CREATE TABLE sales (sold_on DATE, shop INTEGER, amount INTEGER);
INSERT INTO sales VALUES
  ('2026-01-02', 1, 10), ('2026-01-02', 2, 20), ('2026-01-03', 1, 30), ('2026-01-03', 3, 40), ('2026-01-04', NULL, 5);
"""

FILES = {
    "catalog.yml": """\
unique_name: shopping
object_type: catalog
label: Shopping
version: 1.6
""",
    "connection.yml": """\
unique_name: warehouse
object_type: connection
label: Our warehouse
as_connection: warehouse
schema: main
""",
    "sales.yml": """\
unique_name: sales
object_type: dataset
label: Sales
connection_id: warehouse
table: sales
columns:
  - {name: sold_on, data_type: date}
  - {name: shop, data_type: int}
  - {name: amount, data_type: int}
""",
    "shops.yml": """\
unique_name: shops
object_type: dataset
label: Shops
connection_id: warehouse
table: shops
columns:
  - {name: shop, data_type: int}
  - {name: name, data_type: string}
  - {name: city, data_type: string}
""",
    "shop.yml": """\
unique_name: Shop
object_type: dimension
label: Shop
hierarchies:
  - unique_name: Shops by city
    label: Shops by city
    levels:
      - unique_name: City
      - unique_name: Shop Name
level_attributes:
  - unique_name: City
    label: City
    dataset: shops
    name_column: city
    key_columns: [city]
    custom_empty_member: {key: [none], name: No city}
  - {unique_name: Shop Name, label: Shop Name, dataset: shops, name_column: name, key_columns: [shop]}
""",
    "day.yml": """\
unique_name: Day
object_type: dimension
label: Day
is_degenerate: true
hierarchies:
  - unique_name: Days
    label: Days
    levels:
      - unique_name: Sold On
level_attributes:
  - {unique_name: Sold On, label: Sold On, dataset: sales, name_column: sold_on, key_columns: [sold_on]}
""",
    "revenue.yml": """\
unique_name: Revenue
object_type: metric
label: Revenue
calculation_method: sum
dataset: sales
column: amount
""",
    "model.yml": """\
unique_name: shop_sales
object_type: model
label: Shop sales
relationships:
  - unique_name: sales_shop
    from: {dataset: sales, join_columns: [shop]}
    to: {dimension: Shop, level: Shop Name}
dimensions: [Day]
metrics:
  - unique_name: Revenue
aggregates:
  - unique_name: by_city
    label: By city
    metrics: [Revenue]
    attributes:
      - {name: City, dimension: Shop}
""",
}
"""The files of the model by name."""

WHAT = {
    "catalog.yml": "The catalog is the folder as a whole. Queries write its name before that of a model.",
    "connection.yml": "The connection tells in which schema the tables are. Which warehouse it is stands outside of SML.",
    "sales.yml": "A dataset is a table, or a query, with the columns that the model may use. This one holds the facts.",
    "shops.yml": "This one holds the members of a dimension.",
    "shop.yml": "A dimension has attributes, and hierarchies that say in which order they are added up. "
    "Sales without a known shop are shown under the name of `custom_empty_member`.",
    "day.yml": "A degenerate dimension stands on a column of the fact itself, and needs no table.",
    "revenue.yml": "A metric is a column of a fact, and how it is brought together.",
    "model.yml": "The model says which fact leads to which dimension, which metrics there are, and which aggregates are made.",
}

ASKED: Mapping[str, tuple[str, str]] = {
    'SELECT "City", "Revenue" FROM shopping.shop_sales ORDER BY 1': (
        """\
City     Revenue
Bergen        40
No city        5
Oslo          60
""",
        "3 rows from aggregate `by_city`",
    ),
    'SELECT "Sold On", "Shop Name", "Revenue" FROM shopping.shop_sales WHERE "City" = \'Oslo\' ORDER BY 1, 2': (
        """\
Sold On     Shop Name  Revenue
2026-01-02  Harbour         10
2026-01-02  Station         20
2026-01-03  Harbour         30
""",
        "3 rows from the facts `sales`",
    ),
}
"""Queries, each with the rows that answer it, and where they come from. The test compares both."""

BUILD_SQL = """\
SELECT
  "shops"."city" AS "city",
  CASE WHEN NOT "shops"."shop" IS NULL THEN 1 ELSE 0 END AS "shops_matched",
  COUNT(*) AS "row_count",
  SUM("sales"."amount") AS "sum_amount"
FROM "main"."sales" AS "sales"
LEFT JOIN "main"."shops" AS "shops"
  ON "sales"."shop" = "shops"."shop"
GROUP BY
  "shops"."city",
  CASE WHEN NOT "shops"."shop" IS NULL THEN 1 ELSE 0 END;
"""
"""What `plan --sql` shows of the aggregate, behind CREATE TABLE. The test compares it."""
