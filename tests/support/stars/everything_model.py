"""A model that has nearly every property of SML, as texts of files, and queries on it."""

from __future__ import annotations

FILES = {
    "catalog": """
unique_name: all
object_type: catalog
label: All
version: 1.6
build_speculative_aggs: false
hidden_models: []
dataset_properties: {orders: {allow_aggregates: true, allow_local_aggs: true}}
""",
    "wh": """
unique_name: wh
object_type: connection
label: W
as_connection: house
database: base
schema: shop
""",
    "orders": """
unique_name: orders
object_type: dataset
label: o
connection_id: wh
table: orders
columns:
- {name: product, data_type: int}
- {name: day, data_type: int}
- {name: number, data_type: int}
- {name: amount, data_type: int}
- {name: net, data_type: int, sql: amount - 1, dialects: [{dialect: Postgresql, sql: amount - 2}]}
incremental: {column: number, grace_period: 7d}
""",
    "returns": """
unique_name: returns
object_type: dataset
label: r
connection_id: wh
sql: SELECT day, number, amount FROM back
dialects: [{dialect: Postgresql, sql: 'SELECT day, number, amount FROM back_pg'}]
columns: [{name: day, data_type: int}, {name: number, data_type: int}, {name: amount, data_type: int}]
""",
    "days": """
unique_name: days
object_type: dataset
label: d
connection_id: wh
table: days
immutable: true
columns: [{name: day}, {name: year}, {name: month}, {name: month_name}, {name: before}, {name: weekday}, {name: hours}]
""",
    "products": """
unique_name: products
object_type: dataset
label: p
connection_id: wh
table: products
columns: [{name: product}, {name: name}, {name: group}, {name: tags}, {name: town}]
""",
    "groups": """
unique_name: groups
object_type: dataset
label: g
connection_id: wh
table: groups
columns: [{name: group}, {name: title, data_type: string}]
""",
    "towns": """
unique_name: towns
object_type: dataset
label: t
connection_id: wh
table: towns
columns: [{name: town}, {name: land}]
""",
    "calendar": """
unique_name: Calendar
object_type: dimension
label: The Calendar
hierarchies:
- unique_name: Dates
  label: D
  filter_empty: 'yes'
  levels:
  - unique_name: Year
  - unique_name: Month
    parallel_periods: [{level: Year, key_columns: [{name: before}]}]
  - unique_name: Day
    secondary_attributes:
    - {unique_name: Weekday, label: Day of Week, dataset: days, name_column: weekday, key_columns: [weekday]}
    aliases:
    - {unique_name: Date, label: A Date, dataset: days, name_column: day, key_columns: [day]}
    metrics:
    - unique_name: Hours
      label: All Hours
      dataset: days
      column: hours
      calculation_method: sum
      unrelated_dimensions_handling: error
- unique_name: Plain
  label: P
  levels: [{unique_name: Day}]
level_attributes:
- {unique_name: Year, label: A Year, dataset: days, name_column: year, key_columns: [year]}
- {unique_name: Month, label: A Month, dataset: days, name_column: month_name, key_columns: [month]}
- {unique_name: Day, label: A Day, dataset: days, name_column: day, key_columns: [day]}
""",
    "product": """
unique_name: Product
object_type: dimension
label: A Product
hierarchies:
- unique_name: Products
  label: P
  levels:
  - unique_name: Group
  - unique_name: Item
    secondary_attributes:
    - {unique_name: Tags, label: Tags, dataset: products, name_column: tags, key_columns: [tags]}
  default_member: {expression: '[Product].[Products].[Group].&[none]', apply_only_when_in_query: true}
level_attributes:
- unique_name: Group
  label: A Group
  dataset: groups
  name_column: title
  key_columns: [group]
  custom_empty_member: {key: [none], name: No group}
- {unique_name: Item, label: An Item, dataset: products, name_column: name, key_columns: [product]}
relationships:
- {unique_name: of_group, type: snowflake, from: {dataset: products, join_columns: [group]}, to: {level: Group}}
- unique_name: of_town
  type: embedded
  from: {dataset: products, join_columns: [town], hierarchy: Products, level: Item}
  to: {dimension: Town, level: Town}
  role_play: 'Made in {0}'
  m2m: false
""",
    "town": """
unique_name: Town
object_type: dimension
label: T
hierarchies: [{unique_name: Towns, label: T, levels: [{unique_name: Land}, {unique_name: Town}]}]
level_attributes:
- {unique_name: Land, label: Land, dataset: towns, name_column: land, key_columns: [land]}
- {unique_name: Town, label: Town, dataset: towns, name_column: town, key_columns: [town]}
""",
    "rights": """
unique_name: rights
object_type: dataset
label: R
connection_id: wh
table: rights
columns: [{name: person}, {name: team}, {name: town}, {name: land}]
""",
    "own": """
unique_name: own
object_type: row_security
label: Own
dataset: rights
filter_key_column: town
ids_column: person
id_type: user
scope: all
use_filter_key: true
secure_totals: true
""",
    "guarded": """
unique_name: guarded
object_type: model
label: Guarded
relationships:
- {unique_name: own_orders, from: {dataset: orders, join_columns: [number]}, to: {row_security: own}}
metrics: [{unique_name: Amount}]
""",
    "number": """
unique_name: Number
object_type: dimension
label: N
is_degenerate: true
hierarchies: [{unique_name: Numbers, label: N, levels: [{unique_name: Order No}]}]
level_attributes:
- unique_name: Order No
  label: An Order
  shared_degenerate_columns:
  - {dataset: orders, name_column: number, key_columns: [number]}
  - {dataset: returns, name_column: number, key_columns: [number]}
""",
    "amount": """
unique_name: Amount
object_type: metric
label: The Amount
calculation_method: sum
dataset: orders
column: net
""",
    "last": """
unique_name: Last
object_type: metric
label: L
calculation_method: sum
dataset: orders
column: amount
semi_additive: {position: last, relationships: [orders_day]}
""",
    "middle": """
unique_name: Middle
object_type: metric
label: M
calculation_method: percentile
dataset: orders
column: amount
named_quantiles: median
custom_quantiles: [0.9]
""",
    "back": """
unique_name: Back
object_type: metric
label: B
calculation_method: sum
dataset: returns
column: amount
unrelated_dimensions_handling: empty
""",
    "before": """
unique_name: Before
object_type: metric_calc
label: One before
expression: '([Measures].[Amount], ParallelPeriod([Sold Calendar].[Sold Dates].[Sold Year], 1))'
""",
    "share": """
unique_name: Share
object_type: metric_calc
label: The Share
expression: '[Measures].[Amount] / ([Measures].[Amount], [A Product].[Products].[All])'
""",
    "model": """
unique_name: shop
object_type: model
label: Shop
relationships:
- unique_name: orders_day
  from: {dataset: orders, join_columns: [day]}
  to: {dimension: Calendar, level: Day}
  role_play: 'Sold {0}'
- unique_name: orders_sent
  from: {dataset: orders, join_columns: [number]}
  to: {dimension: Calendar, level: Day}
  role_play: 'Sent {0}'
- {unique_name: returns_day, from: {dataset: returns, columns: [{name: day}]}, to: {dimension: Calendar, level: Day}}
- {unique_name: orders_product, from: {dataset: orders, join_columns: [product]}, to: {dimension: Product, level: Item}}
metrics: [{unique_name: Amount}, {unique_name: Last}, {unique_name: Back}, {unique_name: Share}]
dimensions: [Number]
dataset_properties: {returns: {allow_aggregates: true}}
overrides: {Amount: {query_name: Money}}
aggregates:
- unique_name: by_day
  label: By day
  metrics: [Amount]
  attributes:
  - {name: Day, dimension: Calendar, relationships_path: [orders_day]}
  - {name: Group, dimension: Product}
  - {name: Order No, dimension: Number}
  - {name: Weekday, dimension: Calendar, relationships_path: [orders_day]}
  - {name: Date, dimension: Calendar, relationships_path: [orders_day]}
  - {name: Town, dimension: Town, relationships_path: [orders_product, of_town]}
perspectives:
- unique_name: part
  metrics: [Back]
  dimensions:
  - {name: Calendar, hierarchies: [{name: Dates, level: Month}], relationships_path: [orders_day]}
  - {name: Town, hierarchies: [{name: Towns, levels: [Town]}]}
  - {name: Number, secondary_attributes: [Order No]}
""",
    "both": """
unique_name: both
object_type: composite_model
label: Both
models: [shop]
metrics: [{unique_name: Share}]
aggregates: [{unique_name: all_of_it, label: All, metrics: [Amount]}]
""",
    "ours": """
unique_name: ours
object_type: aggregate_settings
model: shop
settings: {aggregates.batch.max.failures: 1}
""",
    "theirs": """
object_type: model_settings
settings: {aggregates.batch.retry.maxAttemptsPerBatch: 7}
overrides: {shop: {aggregates.batch.retry.maxAttemptsPerAggregate: 2}}
""",
    "everybody": """
object_type: global_settings
settings: {aggregates.batch.retry.maxAttemptsPerBatch: 6}
""",
}

QUERIES = (
    'SELECT "Money" FROM shop',
    'SELECT "Amount", "Share" FROM both',
    'SELECT "Group", "Item", "Money" FROM shop',
    'SELECT "Made in Town", "Made in Land", "Money" FROM shop',
    'SELECT "Made in Land", "The Amount" FROM shop',
    'SELECT "Sold Month", "Money", "Before" FROM shop',
    'SELECT "Sold Weekday", "Last", "Middle_instance_0.5", "Middle_instance_0.9" FROM shop',
    'SELECT "Sold Day", "Sold Date", "Money" FROM shop',
    'SELECT "Day", "Back", "Hours" FROM shop',
    'SELECT "Order No", "Money", "Back" FROM shop',
    (
        'SELECT "Sold A Month", "Sold A Day", "Sold Day of Week", "Sold A Date", "A Group", "An Item", "One before" '
        "FROM shop"
    ),
    'SELECT "An Order", "The Amount", "The Share" FROM shop',
    'SELECT "Group", "Back" FROM shop',
    'SELECT "Group", "Share" FROM shop',
    'SELECT "Tags", "Money" FROM shop',
    'SELECT "Group", "Money", "Hours" FROM shop',
    'SELECT "Group", "Money", "Back" FROM shop',
    'SELECT "Month", "All Hours", COUNT(*) FROM shop',
)
