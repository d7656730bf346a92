"""Aggregates that are told to other tools, with names that are hostile to each of them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldAggregate, ToldColumn, ToldModel

HOSTILE = ToldAggregate(
    view="agg_größe_日本",
    aggregate="Größe: \n- }} {% raw %}",
    fact="sales facts",
    attributes=("Sold Year", "ordered_at__day", "ordered_at__month", "日本"),
    metrics=("Net Revenue", "net revenue", "Costs"),
    columns=(
        ToldColumn(name='ye"ar', title="Sold Year", description='Sold "Year": \\ {{ the name\nof the member.'),
        ToldColumn(name="sum x", title="sum", description="Sum.", rolled_up="sum", is_measure=True),
        ToldColumn(name="min;;x", title="min", description="Minimum.", rolled_up="min", is_measure=True),
        ToldColumn(name="distinct_x", title="distinct", description="Distinct.", is_measure=True),
    ),
)
PLAIN = ToldAggregate(
    view="agg_shop_by_day",
    aggregate="by_day",
    fact="sales",
    attributes=(),
    metrics=("Net Revenue",),
    columns=(ToldColumn(name="row_count", title="rows", description="Rows.", rolled_up="sum", is_measure=True),),
)
MODEL = ToldModel(name="Shop & Co", schema="aggs", aggregates=(HOSTILE, PLAIN))
NOTHING = ToldModel(name="empty", schema="", aggregates=())
