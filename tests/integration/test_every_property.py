"""Every property of SML is honoured, refused by name, or harmless for a stated reason.

Of each honoured one a change is made to a model that has nearly everything. What comes of the model is compared: the
SQL of some queries, messages, names, definitions, and what later stages are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import check_support
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings, settings_of
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.honoured import PROPERTY_TREATMENTS, Treatment
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.sml import SHAPES
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import split_by_fact
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.rows import FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources

_FILES = {
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

_QUERIES = (
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
    'SELECT "Sold A Month", "Sold A Day", "Sold Day of Week", "Sold A Date", "A Group", "An Item", "One before" FROM shop',
    'SELECT "An Order", "The Amount", "The Share" FROM shop',
    'SELECT "Group", "Back" FROM shop',
    'SELECT "Group", "Share" FROM shop',
    'SELECT "Tags", "Money" FROM shop',
    'SELECT "Group", "Money", "Hours" FROM shop',
    'SELECT "Group", "Money", "Back" FROM shop',
    'SELECT "Month", "All Hours", COUNT(*) FROM shop',
)


@pytest.fixture(autouse=True)
def _in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What comes of the model as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        return set(_outcome(_FILES))


def _outcome(files: Mapping[str, str]) -> list[str]:
    """Everything that a model leads to, as texts."""
    folder = Path("model")
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    found = read_model_folder(folder)
    resolver = ModelResolver(found)
    told: list[str] = []
    models: list[SemanticModel] = []
    for name in model_names(found):
        model = resolver.resolve(name)
        told += _told(model)
        told.append(repr(define_user_aggregates(model, JoinPaths(model), found.issues)))
        told.append(repr(settings_of(name, found)))
        told += [sql for query in _QUERIES if f"FROM {name}" in query for sql in _answer(model, query)]
        models.append(model)
    checked = CheckInput(
        folder=found, names=model_names(found), models=models, physical={}, dialect=find_dialect("postgres")
    )
    found.issues.add((*check_support(checked), *check_settings(checked)))
    return [*told, *map(str, found.issues.all())]


def _told(model: SemanticModel) -> list[str]:
    """What later stages are told: how each dataset is built and read, what is kept out of which aggregates, names."""
    told = [f"{model.catalog} {model.name} {model.connection} {model.build_speculative_aggs} {model.listed}"]
    for one in model.datasets.values():
        told.append(f"{one.name} {one.connection} {one.incremental} {one.immutable} {one.allow_aggregates}")
        told.append(f"{one.name} {[(column.name, column.data_type) for column in one.columns.values()]}")
    for dimension in model.dimensions.values():
        told += [
            f"{one.name} {one.exclude_from_dim_agg} {one.exclude_from_fact_agg}"
            for one in dimension.attributes.values()
        ]
    paths = JoinPaths(model)
    told.append(repr([name for name, _ in SurfaceNames(model, paths).unique()]))
    for perspective in model.perspectives.values():
        names = [name for name, _ in SurfaceNames(model, paths, perspective).unique()]
        told.append(f"{perspective.name} {names}")
    return told


def _answer(model: SemanticModel, sql: str) -> list[str]:
    paths = JoinPaths(model)
    physical = {
        (one.database, one.schema, one.table): {
            c.name: c.data_type or "" for c in one.columns.values() if not c.variants
        }
        for one in model.datasets.values()
        if one.table
    }
    dialect = find_dialect("postgres")
    sources, facts = Sources(model.datasets, physical, dialect), _Everything()
    try:
        select = sqlglot.parse_one(sql, dialect="postgres")
        assert isinstance(select, exp.Select)
        names = SurfaceNames(model, paths)
        query = read_select(select, names, CalculatedMetrics(model), dialect="postgres")
        parts = split_by_fact(query, model, paths)
        rows = [(part, FactRows(part.needed, sources, facts)) for part in parts]
        members = empty_member_queries(query, parts, model, paths)
        made = compose(query, rows, lambda part: FactRows(part, sources, facts), members)
        return [made.sql(dialect="postgres")]
    except AtScaleAggsError as error:
        return [str(error)]


class _Any(frozenset):  # type: ignore[type-arg]
    def __contains__(self, one: object) -> bool:
        return True


class _Everything(ProvenConstraints):
    """All keys are unique, and all hierarchies functional."""

    def __init__(self) -> None:
        super().__init__(unique_keys=_Any(), functional=_Any())


def test_every_property_has_a_treatment() -> None:
    """No property that is read, and none besides."""
    assert {shape: set(table) for shape, table in SHAPES.items()} == {
        shape: set(found) for shape, found in PROPERTY_TREATMENTS.items()
    }
    unexplained = [
        (shape, name)
        for shape, found in PROPERTY_TREATMENTS.items()
        for name, fact in found.items()
        if not fact.reason and fact.treatment is not Treatment.HONOURED
    ]
    assert unexplained == []


def test_the_model_that_has_nearly_everything_is_sound() -> None:
    """Nothing is told of it, and its queries are answered."""
    found = _outcome(_FILES)

    refused = [one for one in found if "is not answered" in one or "has no attribute" in one]
    assert len(refused) == 2, refused
    assert not [one for one in found if one.startswith(tuple(f"{name}.yml:" for name in _FILES))]


_CHANGES = r"""
catalog.unique_name            catalog    unique_name: all > unique_name: some
catalog.object_type            catalog    object_type: catalog > object_type: catalogue
catalog.build_speculative_aggs catalog    aggs: false > aggs: true
catalog.hidden_models          catalog    hidden_models: [] > hidden_models: [both]
catalog.dataset_properties     catalog    dataset_properties: > description: x\nother:
dataset_properties.allow_aggregates catalog allow_aggregates: true > allow_aggregates: false
dataset_properties.allow_local_aggs catalog allow_local_aggs: true > allow_local_aggs: false
connection.unique_name         wh         unique_name: wh > unique_name: hw
connection.object_type         wh         object_type: connection > object_type: connexion
connection.as_connection       wh         as_connection: house > as_connection: home
connection.database            wh         database: base > database: basis
connection.schema              wh         schema: shop > schema: ship
dataset.unique_name            groups     unique_name: groups > unique_name: group
dataset.object_type            groups     object_type: dataset > object_type: data
dataset.connection_id          groups     connection_id: wh > connection_id: hw
dataset.table                  groups     table: groups > table: grouped
dataset.sql                    returns    dialects: > description: x\nother:
dataset.dialects               returns    Postgresql > BigQuery
dataset.columns                orders     - {name: net, data_type: int, sql: amount - 1, dialects: [{dialect: Postgresql, sql: amount - 2}]} > - {name: nett}
dataset.incremental            orders     incremental: > other:
dataset.immutable              days       immutable: true > immutable: false
dialect_sql.dialect            orders     Postgresql > Snowflake
dialect_sql.sql                orders     sql: amount - 2 > sql: amount - 3
dataset_column.name            groups     name: title > name: titel
dataset_column.data_type       groups     data_type: string > data_type: int
dataset_column.sql             orders     sql: amount - 1, dialects: [{dialect: Postgresql, sql: amount - 2}] > sql: amount - 4
dataset_column.dialects        orders     , dialects: [{dialect: Postgresql, sql: amount - 2}] > ,
column_name.name               calendar   {name: before} > {name: after}
incremental.column             orders     column: number > column: day
incremental.grace_period       orders     7d > 8d
dimension.unique_name          town       unique_name: Town\n > unique_name: Village\n
dimension.object_type          town       object_type: dimension > object_type: dim
dimension.label                product    label: A Product > label: Ware
dimension.hierarchies          town       hierarchies: > other:
dimension.level_attributes     town       level_attributes: > other:
dimension.relationships        product    relationships: > other:
hierarchy.unique_name          product    unique_name: Products > unique_name: Wares
hierarchy.filter_empty         calendar   filter_empty: 'yes' > filter_empty: 'no'
hierarchy.default_member       product    default_member: > other:
hierarchy.is_hidden            town       label: T, levels > label: T, is_hidden: true, levels
hierarchy.levels               town       [{unique_name: Land}, {unique_name: Town}] > [{unique_name: Town}]
default_member.expression      product    Group].&[none] > Item].&[1]
default_member.apply_only_when_in_query product query: true > query: false
level.unique_name              town       {unique_name: Land} > {unique_name: Lands}
level.secondary_attributes     calendar   secondary_attributes: > other:
level.aliases                  calendar   aliases: > other:
level.metrics                  calendar   metrics: > other:
level.parallel_periods         calendar   parallel_periods: > other:
level.is_hidden                town       {unique_name: Land} > {unique_name: Land, is_hidden: true}
parallel_period.level          calendar   {level: Year > {level: Day
parallel_period.key_columns    calendar   name: before > name: weekday
level_attribute.unique_name    town       - {unique_name: Land > - {unique_name: Lands
level_attribute.label          product    label: A Group > label: The Group
level_attribute.is_hidden      town       label: Land > label: Land, is_hidden: true
level_attribute.exclude_from_dim_agg town label: Land > label: Land, exclude_from_dim_agg: true
level_attribute.exclude_from_fact_agg town label: Land > label: Land, exclude_from_fact_agg: true
level_attribute.is_aggregatable town      label: Land > label: Land, is_aggregatable: false
level_attribute.custom_empty_member product custom_empty_member: > other:
level_attribute.dataset        town       label: Land, dataset: towns > label: Land, dataset: groups
level_attribute.name_column    product    name_column: title > name_column: group
level_attribute.key_columns    product    key_columns: [product] > key_columns: [name]
level_attribute.shared_degenerate_columns number shared_degenerate_columns: > other:
shared_degenerate.dataset      number     dataset: returns > dataset: days
shared_degenerate.name_column  number     orders, name_column: number > orders, name_column: day
shared_degenerate.key_columns  number     key_columns: [number]}\n  - > key_columns: [day]}\n  -
custom_empty_member.key        product    key: [none] > key: [nix]
custom_empty_member.name       product    name: No group > name: Nobody
secondary_attribute.unique_name calendar  unique_name: Weekday > unique_name: Wkday
secondary_attribute.label      calendar   Day of Week > Week Day
secondary_attribute.is_hidden  calendar   label: Day of Week > label: Day of Week, is_hidden: true
secondary_attribute.exclude_from_dim_agg calendar label: Day of Week > label: Day of Week, exclude_from_dim_agg: true
secondary_attribute.exclude_from_fact_agg calendar label: Day of Week > label: Day of Week, exclude_from_fact_agg: true
secondary_attribute.is_aggregatable calendar label: Day of Week > label: Day of Week, is_aggregatable: false
secondary_attribute.custom_empty_member calendar label: Day of Week > label: Day of Week, custom_empty_member: {key: [x], name: x}
secondary_attribute.dataset    calendar   Day of Week, dataset: days > Day of Week, dataset: towns
secondary_attribute.name_column calendar  name_column: weekday > name_column: month
secondary_attribute.key_columns calendar  key_columns: [weekday] > key_columns: [weekday, day]
alias.unique_name              calendar   unique_name: Date, > unique_name: Dates,
alias.label                    calendar   A Date > The Date
alias.is_hidden                calendar   label: A Date > label: A Date, is_hidden: true
alias.exclude_from_dim_agg     calendar   label: A Date > label: A Date, exclude_from_dim_agg: true
alias.exclude_from_fact_agg    calendar   label: A Date > label: A Date, exclude_from_fact_agg: true
alias.is_aggregatable          calendar   label: A Date > label: A Date, is_aggregatable: false
alias.custom_empty_member      calendar   label: A Date > label: A Date, custom_empty_member: {key: [x], name: x}
alias.dataset                  calendar   A Date, dataset: days > A Date, dataset: towns
alias.name_column              calendar   A Date, dataset: days, name_column: day > A Date, dataset: days, name_column: month
alias.key_columns              calendar   A Date, dataset: days, name_column: day, key_columns: [day] > A Date, dataset: days, name_column: day, key_columns: [month]
metrical_attribute.unique_name calendar   unique_name: Hours > unique_name: Hour
metrical_attribute.label       calendar   label: All Hours > label: Hours of all
metrical_attribute.dataset     calendar   dataset: days\n      column: hours > dataset: towns\n      column: hours
metrical_attribute.column      calendar   column: hours > column: weekday
metrical_attribute.calculation_method calendar calculation_method: sum > calculation_method: maximum
metrical_attribute.is_hidden   calendar   label: All Hours > label: All Hours\n      is_hidden: true
metrical_attribute.unrelated_dimensions_handling calendar handling: error > handling: empty
dimension_relationship.unique_name product unique_name: of_town > unique_name: the_town
dimension_relationship.type    product    type: snowflake > type: other
dimension_relationship.from    product    from: {dataset: products, join_columns: [group]} > from: {dataset: products, join_columns: [name]}
dimension_relationship.to      product    to: {dimension: Town, level: Town} > to: {dimension: Town, level: Land}
dimension_relationship.role_play product  Made in {0} > Made at {0}
dimension_relationship.m2m     product    m2m: false > m2m: true
relationship.unique_name       model      unique_name: orders_day > unique_name: day_of_order
relationship.from              model      join_columns: [product] > join_columns: [amount]
relationship.to                model      level: Item > level: Group
relationship.role_play         model      Sold {0} > Bought {0}
relationship_from.dataset      model      {dataset: orders, join_columns: [product]} > {dataset: returns, join_columns: [product]}
relationship_from.join_columns model      join_columns: [day] > join_columns: [number]
relationship_from.columns      model      columns: [{name: day}] > columns: [{name: number}]
relationship_from.level        product    hierarchy: Products, level: Item > level: Else
relationship_to.dimension      model      to: {dimension: Product, level: Item} > to: {dimension: Town, level: Town}
relationship_to.level          model      {dimension: Product, level: Item} > {dimension: Product, level: Group}
relationship_to.row_security   model      {dimension: Product, level: Item} > {row_security: x}
metric.unique_name             amount     unique_name: Amount > unique_name: Amounts
metric.object_type             amount     object_type: metric > object_type: metrik
metric.label                   amount     label: The Amount > label: All Amount
metric.calculation_method      amount     calculation_method: sum > calculation_method: minimum
metric.dataset                 amount     dataset: orders > dataset: returns
metric.column                  amount     column: net > column: amount
metric.semi_additive           last       semi_additive: > other:
metric.named_quantiles         middle     named_quantiles: median > named_quantiles: deciles
metric.custom_quantiles        middle     [0.9] > [0.8]
metric.unrelated_dimensions_handling back handling: empty > handling: repeat
metric.is_hidden               amount     label: The Amount > label: The Amount\nis_hidden: true
metric.visible                 amount     label: The Amount > label: The Amount\nvisible: false
semi_additive.position         last       position: last > position: first
semi_additive.relationships    last       [orders_day] > [orders_product]
metric_calc.unique_name        share      unique_name: Share > unique_name: Shares
metric_calc.object_type        share      object_type: metric_calc > object_type: metric_calk
metric_calc.label              share      The Share > A Share
metric_calc.expression         share      '[Measures].[Amount] / > '2 * [Measures].[Amount] /
metric_calc.is_hidden          share      label: The Share > label: The Share\nis_hidden: true
metric_calc.visible            share      label: The Share > label: The Share\nvisible: false
model.unique_name              model      unique_name: shop > unique_name: ship
model.object_type              model      object_type: model > object_type: modell
model.relationships            model      relationships: > other:
model.metrics                  model      metrics: [{unique_name: Amount}, {unique_name: Last} > metrics: [{unique_name: Amount}
model.dimensions               model      dimensions: [Number] > dimensions: []
model.aggregates               model      aggregates: > other:
model.dataset_properties       model      returns: {allow_aggregates: true > orders: {allow_aggregates: false
model.overrides                model      overrides: > other:
model.perspectives             model      perspectives: > other:
metric_reference.unique_name   model      {unique_name: Back} > {unique_name: Bak}
aggregate.unique_name          model      unique_name: by_day > unique_name: by_days
aggregate.label                model      label: By day > label: By date
aggregate.metrics              model      metrics: [Amount]\n > metrics: [Amount, Middle]\n
aggregate.attributes           model      - {name: Group, dimension: Product}\n > \n
aggregate_attribute.name       model      {name: Group, > {name: Item,
aggregate_attribute.dimension  model      {name: Group, dimension: Product} > {name: Group, dimension: Town}
aggregate_attribute.relationships_path model relationships_path: [orders_day]}\n  - {name: Group > relationships_path: [orders_sent]}\n  - {name: Group
override.query_name            model      query_name: Money > query_name: Cash
perspective.unique_name        model      unique_name: part > unique_name: some
perspective.metrics            model      metrics: [Back] > metrics: [Last]
perspective.dimensions         model      - {name: Town, hierarchies: [{name: Towns, levels: [Town]}]} > \n
perspective_dimension.name     model      {name: Town, > {name: Village,
perspective_dimension.hierarchies model   {name: Town, hierarchies: [{name: Towns, levels: [Town]}]} > {name: Town}
perspective_dimension.secondary_attributes model secondary_attributes: [Order No] > secondary_attributes: [Order]
perspective_dimension.secondaryattributes model secondary_attributes: [Order No] > secondaryattributes: [No]
perspective_dimension.relationships_path model , relationships_path: [orders_day]}\n  - {name: Town > }\n  - {name: Town
perspective_dimension.visible  model      {name: Town, hier > {name: Town, visible: true, hier
perspective_hierarchy.name     model      {name: Towns, > {name: Villages,
perspective_hierarchy.level    model      level: Month > level: Day
perspective_hierarchy.levels   model      levels: [Town] > levels: [Land]
composite_model.unique_name    both       unique_name: both > unique_name: bothe
composite_model.object_type    both       composite_model > composed_model
composite_model.models         both       models: [shop] > models: [ship]
composite_model.metrics        both       metrics: [{unique_name: Share}] > metrics: [{unique_name: Before}]
composite_model.aggregates     both       aggregates: > other:
aggregate_settings.object_type ours       aggregate_settings > aggregate_setting
aggregate_settings.model       ours       model: shop > model: both
aggregate_settings.settings    ours       failures: 1 > failures: 2
model_settings.object_type     theirs     model_settings > models_settings
model_settings.overrides       theirs     PerAggregate: 2 > PerAggregate: 4
model_settings.settings        theirs     PerBatch: 7 > PerBatch: 8
global_settings.object_type    everybody  global_settings > globals_settings
global_settings.settings       everybody  maxAttemptsPerBatch: 6 > maxAttempts: 5
"""
"""shape.property, file, old text > new text."""

_ELSEWHERE = {
    ("package_file", "packages"),
    *(("package", name) for name in ("name", "url", "branch", "version")),
}
"""In `test_hostile_files`."""


def _changes() -> list[tuple[str, str, str, str, str]]:
    found = []
    for line in _CHANGES.strip().splitlines():
        place, file, change = line.split(None, 2)
        old, _, new = change.replace(r"\n", "\n").partition(" > ")
        found.append((*place.split("."), file, old, new))
    return found


@pytest.mark.parametrize(
    ("shape", "name", "file", "old", "new"), _changes(), ids=lambda value: value if value.isidentifier() else ""
)
def test_what_is_honoured_makes_a_difference(
    plain: set[str], shape: str, name: str, file: str, old: str, new: str
) -> None:
    """Another value, and something is said, asked or built differently."""
    assert old in _FILES[file], f"{shape}.{name}: {file} has no {old!r}"
    changed = {**_FILES, file: _FILES[file].replace(old, new, 1)}

    assert set(_outcome(changed)) != plain, f"{shape}.{name}"


def test_every_honoured_property_is_changed() -> None:
    """None is only said to be honoured."""
    honoured = {
        (shape, name)
        for shape, found in PROPERTY_TREATMENTS.items()
        for name, fact in found.items()
        if fact.treatment is Treatment.HONOURED
    }

    assert honoured == {(shape, name) for shape, name, *_ in _changes()} | _ELSEWHERE
