"""Names for people."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.labels import Labels, column_label, role_template, with_subject


def test_each_name_is_given_once() -> None:
    labels = Labels()

    assert [labels.give("Date", ("Order Date",)) for _ in range(3)] == ["Date", "Order Date", "Date 2"]
    assert len(labels.give("x" * 100)) <= 60
    assert labels.give("x" * 100) != labels.give("x" * 100)


def test_labels_say_whose_they_are_once() -> None:
    assert with_subject("Name", "Shop") == "Shop Name"
    assert with_subject("Shop Name", "Shop") == "Shop Name"
    assert column_label("s_name", "s") == "Name"
    assert column_label("???") == "???"
    assert role_template(()) == ""
