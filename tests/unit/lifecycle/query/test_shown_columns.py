"""What people are told of columns and hierarchies."""

from __future__ import annotations

from typing import Any

from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import (
    ShownAttribute,
    ShownColumn,
    ShownMetric,
    show_column,
)
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.rewriting.flat_table import Meaning
from tests.support.stars.documents import Resolved, calculation, metric, resolve_documents, star


def _shown(resolved: Resolved, meaning: Meaning) -> ShownColumn:
    return show_column(resolved.model, meaning)


def _resolve(**more: Any) -> Resolved:
    documents = star()
    documents["Day"]["hierarchies"][0]["folder"] = "Time"
    documents["Day"]["level_attributes"][0] |= {"description": "A year\n  of the calendar.", "label": "Jahr"}
    documents["Net"] = metric("Net", "sales", "amount", **more)
    documents["Twice"] = calculation("Twice", "[Measures].[Net] * 2")
    documents["model"]["metrics"] += [{"unique_name": "Net", "folder": "Money"}, {"unique_name": "Twice"}]
    return resolve_documents(documents)


def test_an_attribute_is_told_in_its_role() -> None:
    year = GrainAttribute(Role("Calendar", "Sold {0}"), "Year")

    assert _shown(_resolve(), year) == ShownColumn(
        label="Sold Jahr",
        description="A year of the calendar.",
        folder="Time",
        origin=ShownAttribute(
            kind="level", dimension="Sold Calendar", hierarchies=("Sold Calendar levels",), level="Sold Year"
        ),
    )


def test_a_metric_tells_how_it_is_brought_together() -> None:
    semi_additive = {"position": "last", "relationships": ["sales_day"]}
    resolved = _resolve(method="maximum", folder="Other", description="After taxes", semi_additive=semi_additive)

    shown = _shown(resolved, resolved.model.metrics["Net"])

    # The model's own list decides.
    assert (shown.folder, shown.description) == ("Money", "After taxes")
    assert shown.origin == ShownMetric(kind="metric", aggregation="maximum", position="last", dataset="sales")


def test_a_quantile_tells_which_it_is() -> None:
    resolved = _resolve(method="percentile", named_quantiles="quartiles")

    (median,) = (each for name, each in resolved.model.quantiles.items() if name.endswith("_0.5"))

    assert _shown(resolved, median).origin == ShownMetric(
        kind="metric", aggregation="percentile", quantile="0.5", dataset="sales"
    )


def test_a_calculation_tells_its_expression() -> None:
    resolved = _resolve()

    assert _shown(resolved, resolved.model.calculations["Twice"]).origin == ShownMetric(
        kind="calculation", expression="[Measures].[Net] * 2"
    )
