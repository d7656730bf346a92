"""Comments tell in one sentence what a column is."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelColumn
from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownAttribute, ShownColumn, ShownMetric
from airflow_atscale_aggs.server.comments import column_comment


def _attribute(kind: str, level: str, *hierarchies: str) -> ShownAttribute:
    return ShownAttribute(kind=kind, dimension="Date", hierarchies=hierarchies, level=level)


@pytest.mark.parametrize(
    ("origin", "sentence"),
    [
        (_attribute("level", "x", "Years", "Weeks"), "Attribute: a level of Years and Weeks in Date."),
        (_attribute("level", "x"), "Attribute: a level in Date."),
        (_attribute("secondary", "Day", "Years"), "Attribute of Day in Date."),
        (_attribute("alias", "x"), "Attribute in Date."),
        (ShownMetric(kind="metric", aggregation="count distinct"), "Metric: a count of distinct values."),
        (
            ShownMetric(kind="metric", aggregation="sum", position="last"),
            "Metric: a sum, at the last member of a dimension.",
        ),
        (ShownMetric(kind="metric", aggregation="percentile", quantile="0.5"), "Metric: the 0.5 quantile."),
        (ShownMetric(kind="metric", aggregation="of a later version"), "Metric: of a later version."),
        (ShownMetric(kind="calculation", expression="1"), "Metric: calculated from other metrics."),
    ],
)
def test_a_column_is_an_attribute_or_a_metric(origin: ShownAttribute | ShownMetric, sentence: str) -> None:
    shown = ShownColumn(label="x", description="", folder="", origin=origin)

    assert column_comment(ModelColumn(name="x", type_name="TEXT", shown=shown)) == sentence


def test_a_description_comes_first_and_the_folder_last() -> None:
    origin = ShownMetric(kind="metric", aggregation="average")
    shown = ShownColumn(label="Mean price", description="What one costs", folder="Sales Metrics", origin=origin)

    comment = column_comment(ModelColumn(name="x", type_name="TEXT", shown=shown))

    assert comment == "What one costs. Metric: an average. Shown as Mean price. Folder: Sales Metrics."
