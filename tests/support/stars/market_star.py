"""A market with two facts, a calendar with a gap and orders with several reasons: rows written by hand, and their SML.

Amounts are powers of two, times five, so that each total tells the rows that it was made of. Rows have NULLs, keys that
lead nowhere, shops without a city, a month without facts, and an order that has two reasons of one kind.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.stars.tiny_star import METRIC, dataset

MODEL = "market"

SETUP_SQL = """
CREATE TABLE shop (shop_id INTEGER, shop_name VARCHAR, city VARCHAR);
INSERT INTO shop VALUES
    (1, 'North 1', 'North'), (2, 'North 2', 'North'), (3, 'South', 'South'), (4, 'Closed', NULL);

CREATE TABLE day (day_id INTEGER, day_name VARCHAR, month VARCHAR, year INTEGER, weekday VARCHAR);
INSERT INTO day VALUES
    (1, '2024-01-30', '2024-01', 2024, 'Tuesday'),
    (2, '2024-01-31', '2024-01', 2024, NULL),
    (3, '2024-02-06', '2024-02', 2024, 'Tuesday'),
    (4, '2024-03-01', '2024-03', 2024, 'Friday'),
    (5, '2025-01-03', '2025-01', 2025, 'Friday'),
    (6, '2025-02-04', '2025-02', 2025, 'Tuesday');

CREATE TABLE reason (reason_id INTEGER, reason VARCHAR, kind VARCHAR);
INSERT INTO reason VALUES (1, 'Price', 'Other'), (2, 'Advert', 'Media'), (3, 'TV', 'Media');
CREATE TABLE order_reason (order_id INTEGER, reason_id INTEGER);
INSERT INTO order_reason VALUES (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 99);

CREATE TABLE sales (
    day_id INTEGER, shop_id INTEGER, order_id INTEGER, customer VARCHAR, channel VARCHAR,
    amount INTEGER, quantity INTEGER
);
INSERT INTO sales VALUES
    (1, 1, 1, 'a', 'web', 5, 1),
    (1, 2, 1, 'b', 'web', 10, 2),
    (2, 1, 2, 'a', 'till', 20, NULL),
    (3, 3, 2, 'c', 'web', 40, 1),
    (3, 1, 3, NULL, 'till', NULL, 3),
    (5, 2, 3, 'b', 'web', 80, 2),
    (6, 4, NULL, 'a', NULL, 160, 1),
    (NULL, 99, 4, 'd', 'web', 320, 1);

CREATE TABLE visits (day_id INTEGER, shop_id INTEGER, visitors INTEGER);
INSERT INTO visits VALUES (1, 1, 3), (1, 3, 5), (3, NULL, 7), (5, 4, 11), (6, 2, NULL)
"""

_DATASETS = {
    "shop": ("shop_id int", "shop_name string", "city string"),
    "day": ("day_id int", "day_name string", "month string", "year int", "weekday string"),
    "reason": ("reason_id int", "reason string", "kind string"),
    "order_reason": ("order_id int", "reason_id int"),
    "sales": (
        *("day_id int", "shop_id int", "order_id int", "customer string", "channel string"),
        *("amount int", "quantity int"),
    ),
    "visits": ("day_id int", "shop_id int", "visitors int"),
}

_METRICS = {
    "Amount": ("sum", "sales", "amount", ""),
    "Quantity": ("sum", "sales", "quantity", ""),
    "Lines": ("count non-null", "sales", "amount", ""),
    "Lowest": ("minimum", "sales", "amount", ""),
    "Highest": ("maximum", "sales", "amount", ""),
    "Mean": ("average", "sales", "amount", ""),
    "Spread": ("var_pop", "sales", "amount", ""),
    "Customers": ("count distinct", "sales", "customer", ""),
    "About Customers": ("estimated count distinct", "sales", "customer", ""),
    "Middle": ("percentile", "sales", "amount", "named_quantiles: median\n"),
    "Quarters": ("percentile", "sales", "amount", "named_quantiles: quartiles\n"),
    "Last Quantity": ("sum", "sales", "quantity", "semi_additive: {position: last, relationships: [sales_day]}\n"),
    "Visitors": ("sum", "visits", "visitors", ""),
    "Guests": ("sum", "visits", "visitors", "unrelated_dimensions_handling: repeat\n"),
    "Passers": ("sum", "visits", "visitors", "unrelated_dimensions_handling: empty\n"),
    "Most Visitors": ("maximum", "visits", "visitors", ""),
}

_MONTH = "[Calendar].[Calendar levels]"
_CALCULATIONS = {
    "Amount Before": f"({_MONTH}.CurrentMember.PrevMember, [Measures].[Amount])",
    "Amount Year Ago": f"(ParallelPeriod({_MONTH}.[Year], 1, {_MONTH}.CurrentMember), [Measures].[Amount])",
    "Amount to Date": f"Aggregate(PeriodsToDate({_MONTH}.[Year], {_MONTH}.CurrentMember), [Measures].[Amount])",
    "Mean to Date": f"Aggregate(PeriodsToDate({_MONTH}.[Year], {_MONTH}.CurrentMember), [Measures].[Mean])",
    "Moving Amount": f"Avg({_MONTH}.CurrentMember.Lag(1):{_MONTH}.CurrentMember, [Measures].[Amount])",
    "Amount of Spring": f"Sum({_MONTH}.[Month].&[2024-02]:{_MONTH}.[Month].&[2024-03], [Measures].[Amount])",
    "Amount per City": "Avg([Shops].[City].[City].Members, [Measures].[Amount])",
    "Amount of All Shops": "([Shops].[All], [Measures].[Amount])",
    "Amount in North": "([Shops].[City].&[North], [Measures].[Amount])",
    "Amount by TV": "([Reasons].[Reason].&[TV], [Measures].[Amount])",
}

_LEVEL = (
    "  - {{unique_name: {0}, label: {0}, dataset: {1}, key_columns: [{2}], name_column: {3}, is_unique_key: {4}}}\n"
)
_DIMENSION = """\
unique_name: {name}
object_type: dimension
label: {name}
type: standard
is_degenerate: {is_degenerate}
hierarchies:
  - unique_name: {name} levels
    filter_empty: 'yes'
    label: {name} levels
    levels:
{levels}level_attributes:
{attributes}"""
_WEEKDAY = """\
        secondary_attributes:
          - {unique_name: Weekday, label: Weekday, dataset: day, key_columns: [weekday], name_column: weekday}
"""
_BRIDGE = """\
relationships:
  - unique_name: to_reasons
    type: embedded
    from: {dataset: order_reason, join_columns: [reason_id], hierarchy: Orders levels, level: Order}
    to: {dimension: Reasons, level: Reason Number}
    m2m: true
"""
_MODEL = """\
unique_name: market
object_type: model
label: Market
dimensions: [Channels]
relationships:
  - {unique_name: sales_day, from: {dataset: sales, join_columns: [day_id]}, to: {dimension: Calendar, level: Day}}
  - {unique_name: sales_shop, from: {dataset: sales, join_columns: [shop_id]}, to: {dimension: Shops, level: Shop}}
  - {unique_name: sales_order, from: {dataset: sales, join_columns: [order_id]}, to: {dimension: Orders, level: Order}}
  - {unique_name: visits_day, from: {dataset: visits, join_columns: [day_id]}, to: {dimension: Calendar, level: Day}}
  - {unique_name: visits_shop, from: {dataset: visits, join_columns: [shop_id]}, to: {dimension: Shops, level: Shop}}
metrics:
"""


def _dimension(name: str, *levels: tuple[str, str, str, str], is_degenerate: bool = False, below: str = "") -> str:
    """The file of a dimension; levels as (name, dataset, key column, name column), coarse to fine."""
    attributes = "".join(
        _LEVEL.format(*level, str(level is levels[-1] and level[1] in {"shop", "day", "reason"}).lower())
        for level in levels
    )
    shown = "".join(f"      - unique_name: {level[0]}\n" for level in levels) + below
    return _DIMENSION.format(name=name, is_degenerate=str(is_degenerate).lower(), levels=shown, attributes=attributes)


def files() -> dict[str, str]:
    """The SML files, by name without the ending."""
    names = "".join(f"  - unique_name: {name}\n" for name in (*_METRICS, *_CALCULATIONS))
    texts = {
        "catalog": "unique_name: market\nobject_type: catalog\nlabel: Market\nversion: 1.6\n"
        "aggressive_agg_promotion: false\nbuild_speculative_aggs: false\n",
        "connection": "unique_name: warehouse\nobject_type: connection\nlabel: Warehouse\nas_connection: market\n",
        "model": _MODEL + names,
        "calendar": _dimension(
            "Calendar",
            *(
                ("Year", "day", "year", "year"),
                ("Month", "day", "month", "month"),
                ("Day", "day", "day_id", "day_name"),
            ),
            below=_WEEKDAY,
        ),
        "shops": _dimension("Shops", ("City", "shop", "city", "city"), ("Shop", "shop", "shop_id", "shop_name")),
        "channels": _dimension("Channels", ("Channel", "sales", "channel", "channel"), is_degenerate=True),
        "orders": _dimension("Orders", ("Order", "order_reason", "order_id", "order_id")) + _BRIDGE,
        "reasons": _dimension(
            "Reasons",
            *(("Kind", "reason", "kind", "kind"), ("Reason", "reason", "reason", "reason")),
            ("Reason Number", "reason", "reason_id", "reason_id"),
        ),
    }
    for table, columns in _DATASETS.items():
        texts[f"dataset_{table}"] = dataset(table, columns)
    for name, (method, fact, column, more) in _METRICS.items():
        text = METRIC.format(name=name, method=method, column=column).replace("dataset: sales", f"dataset: {fact}")
        texts[f"metric_{name}"] = text + more
    for name, expression in _CALCULATIONS.items():
        texts[f"calculation_{name}"] = (
            f"unique_name: {name}\nobject_type: metric_calc\nlabel: {name}\nexpression: '{expression}'\n"
        )
    return texts


def write_model(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Write the SML files; returns their folder.

    Args:
        changes: (file without its ending, text, what stands in its place).
    """
    texts = files()
    for file, old, new in changes:
        assert old in texts[file], f"{file} has no {old}"
        texts[file] = texts[file].replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder
