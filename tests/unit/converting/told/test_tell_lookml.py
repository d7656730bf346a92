"""Looker learns of aggregates by the explore of their fact."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.told.tell_lookml import tell_lookml
from tests.support.told_cases import MODEL, NOTHING


def test_explores_are_refined_under_their_names() -> None:
    texts = tell_lookml(MODEL, explores={"sales": "orders"}, datagroup="nightly")
    aggregates = texts["shop_co_aggregates.lkml"]

    assert "explore: +orders {" in aggregates
    assert "explore: +sales_facts {" in aggregates
    assert "dimensions: [sold_year, ordered_at__day, ordered_at__month, x]" in aggregates
    assert "measures: [net_revenue, costs]" in aggregates
    assert aggregates.count("datagroup_trigger: nightly") == 2


def test_a_view_has_no_measure_that_cannot_be_combined() -> None:
    texts = tell_lookml(MODEL, explores={}, datagroup="d")
    (view,) = [text for path, text in texts.items() if path.startswith("views/") and "by_day" not in path]

    assert "distinct_x" not in view
    assert "type: min" in view
    assert 'sql: ${TABLE}."min; ;x" ;;' in view


def test_nothing_is_told_of_nothing() -> None:
    assert tell_lookml(NOTHING, explores={}, datagroup="d") == {"empty_aggregates.lkml": ""}
