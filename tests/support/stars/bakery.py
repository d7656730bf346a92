"""A bakery as a dbt project, with customers that are not there, NULLs, rows that are twice the same and ties in time.

Its models are plain SQL, so that its tables can be made without dbt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_dbt_project
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now

PROJECT = Path(__file__).parents[2] / "cases" / "dbt" / "bakery"

MODELS = tuple(sorted(file.stem for file in (PROJECT / "models").glob("*.sql")))


@dataclass(frozen=True, slots=True)
class Question:
    """One question to MetricFlow, and to the model that it was converted to.

    Attributes:
        where: a condition as MetricFlow writes it, and as SQL on the model.
        has_empty_groups: the model shows groups as well in which all metrics are empty, as it tells.
    """

    metrics: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    where: tuple[str, str] | None = None
    has_empty_groups: bool = False

    @property
    def sql(self) -> str:
        """The question to the model."""
        columns = ", ".join(f'"{name}"' for name in (*self.group_by, *self.metrics))
        condition = f" WHERE {self.where[1]}" if self.where else ""
        keys = ", ".join(str(place + 1) for place in range(len(self.group_by)))
        return f"SELECT {columns} FROM bakery{condition}{f' GROUP BY {keys}' if keys else ''}"

    @property
    def to_metricflow(self) -> Mapping[str, object]:
        """The question to MetricFlow."""
        return {
            "metrics": self.metrics,
            "group_by": self.group_by,
            "where": [self.where[0]] if self.where else [],
        }

    def __str__(self) -> str:
        condition = f" where {self.where[1]}" if self.where else ""
        return f"{','.join(self.metrics)} by {','.join(self.group_by) or 'nothing'}{condition}"


_BASKETS = (
    "revenue", "mean_amount", "lowest_amount", "highest_amount", "median_amount", "costs", "priced_baskets",
    "paid_by_card", "buyers", "basket_rows",
)  # fmt: skip
_DERIVED = ("margin", "margin_rate", "amount_per_buyer", "revenue_or_zero")
_GROUPS = (
    (),
    ("metric_time__day",),
    ("metric_time__week",),
    ("metric_time__month",),
    ("metric_time__quarter",),
    ("metric_time__year",),
    ("customer__country",),
    ("customer__customer_name",),
    ("customer__city", "metric_time__month"),
    ("customer__joined_on__month",),
    ("branch__area",),
    ("branch",),
    ("customer",),
    ("basket",),
    ("basket__state",),
    ("basket__is_large",),
    ("basket__delivered_at__month", "basket__state"),
    ("basket__ordered_at__week",),
    ("basket__state", "customer__country", "branch__branch_name"),
)

_BY_DAY_AND_MONTH = (
    ("metric_time__day",),
    ("metric_time__month",),
    ("metric_time__month", "customer__country"),
)

QUESTIONS = (
    *(Question((*_BASKETS, *_DERIVED), group) for group in _GROUPS),
    *(Question(("paid_revenue",), group, has_empty_groups=True) for group in _GROUPS),
    *(Question(("paid_share", "paid_margin", "revenue"), group) for group in _GROUPS),
    Question(("january_buyers",)),
    *(
        Question((metric,), group, has_empty_groups=True)
        for metric in ("norwegian_revenue", "revenue_of_nowhere", "revenue_of_new_customers")
        for group in _GROUPS
    ),
    *(
        Question(("norwegian_lines",), group, has_empty_groups=True)
        for group in ((), ("basket__customer__country",), ("line__product",), ("metric_time__month",))
    ),
    *(Question(("norwegian_share", "revenue"), group) for group in ((), ("customer__city",), ("basket__state",))),
    Question(("delivered_revenue",), ("metric_time__month",)),
    Question(("delivered_revenue", "revenue"), ("metric_time__month",)),
    Question(("delivered_revenue", "revenue"), ("basket__state",)),
    Question(("line_value",), ("basket__customer__country",)),
    Question(("line_value",), ("basket__branch__area", "line__product")),
    Question(("line_value", "revenue", "lines_per_revenue"), ("basket__state",)),
    Question(("line_value", "revenue"), ("basket",)),
    Question(("line_value",), ("basket__ordered_at__month",)),
    Question(("line_value",), ("basket__customer",)),
    Question(("customers_joined",), ("metric_time__month",)),
    Question(("customers_joined", "revenue"), ("metric_time__month",)),
    Question(("customers_joined", "revenue"), ("customer__country",)),
    Question(("customers_joined",), ("customer__joined_on__day",)),
    Question(("till_balance",)),
    Question(("till_balance",), ("metric_time__month",)),
    *(
        Question((metric,), ("metric_time__day",), has_empty_groups=True)
        for metric in ("revenue_of_week", "revenue_to_date", "revenue_so_far")
    ),
    *(
        Question((metric,), group, has_empty_groups=True)
        for metric, groups in {
            "revenue_to_date": (("metric_time__month",), ("metric_time__year",)),
            "revenue_to_the_end": (("metric_time__day",), ("metric_time__month",), ("metric_time__quarter",)),
            "revenue_so_far_at_the_end": (("metric_time__day",), ("metric_time__month",), ("metric_time__year",)),
        }.items()
        for group in groups
    ),
    Question(("growth_of_week",), ("metric_time__day",), has_empty_groups=True),
    *(
        Question((metric,), group, has_empty_groups=True)
        for metric, groups in {
            "growth_of_month": _BY_DAY_AND_MONTH,
            "revenue_two_months_before": (("metric_time__month",),),
            "revenue_quarter_before": (("metric_time__day",), ("metric_time__month",), ("metric_time__quarter",)),
            "buyers_year_before": (*_BY_DAY_AND_MONTH[:2], ("metric_time__quarter",), ("metric_time__year",)),
            "growth_in_the_month": _BY_DAY_AND_MONTH,
            "buyers_at_first_of_year": (("metric_time__day",), ("metric_time__year",)),
        }.items()
        for group in groups
    ),
    Question(
        ("revenue", "buyers"),
        ("basket__state",),
        ("{{ Dimension('customer__country') }} = 'NO'", "\"customer__country\" = 'NO'"),
    ),
    Question(
        ("revenue",),
        ("customer__city",),
        ("{{ Dimension('customer__country') }} is null", '"customer__country" IS NULL'),
    ),
    Question(
        ("revenue", "costs"),
        ("customer__country",),
        ("{{ TimeDimension('metric_time', 'month') }} = '2024-02-01'", "\"metric_time__month\" = DATE '2024-02-01'"),
    ),
    Question(
        ("revenue_of_week",),
        ("metric_time__day",),
        (
            "{{ TimeDimension('metric_time', 'day') }} >= '2024-02-01'",
            "\"metric_time__day\" >= DATE '2024-02-01'",
        ),
        has_empty_groups=True,
    ),
)


@contextlib.contextmanager
def deployed_bakery(scratch: Path, aggregates: str) -> Iterator[Workspace]:
    """The project converted and deployed, with more SML at the end of its model, for the length of a ``with`` block."""
    url = make_bakery(scratch / "warehouse.duckdb")
    convert_dbt_project(PROJECT, scratch / "sml", ConversionWish(schema="bakery"))
    with (scratch / "sml" / "models" / "bakery.yml").open("a") as model:
        model.write(aggregates)
    with open_workspace(registry=f"sqlite:///{scratch / 'r.sqlite'}", warehouse=url, aggregate_schema="aggs") as place:
        deploy(place, scratch / "sml", now=utc_now())
        yield place


def make_bakery(database: Path) -> str:
    """Make the tables of the project in a DuckDB file, as `dbt build` would; the URL of the file."""
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE SCHEMA bakery")
        for name in MODELS:
            sql = (PROJECT / "models" / f"{name}.sql").read_text(encoding="utf-8")
            connection.execute(f"CREATE TABLE bakery.{name} AS {sql}")
    return f"duckdb:///{database}"
