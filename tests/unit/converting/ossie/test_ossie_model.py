"""A file of Ossie is read; what is wrong in it is a sentence with its place."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.ossie.ossie_model import read_ossie
from airflow_atscale_aggs.engine.errors import ModelFileError

_FILE = b"""\
version: 0.2.0.dev0
semantic_model:
  - name: sales
    datasets:
      - name: orders
        source: db.mart.orders
        primary_key: [id]
        unique_keys: [[number], [id]]
        fields:
          - name: state
            expression: {dialects: [{dialect: SNOWFLAKE, expression: 's::text'}, {dialect: ANSI_SQL, expression: s}]}
            dimension: {}
            datatype: String
          - {name: odd, expression: {dialects: [{dialect: MAQL, expression: x}]}}
    metrics:
      - {name: amount, expression: {dialects: [{dialect: ANSI_SQL, expression: SUM(orders.amount)}]}}
"""


_COMMA = """\
semantic_model:
- name: a
  metrics:
  - {name: m, expression: {dialects: [{dialect: ANSI_SQL, expression: f(a, 0)}]}}
"""
_UNEQUAL = """\
semantic_model:
- name: a
  relationships: [{name: r, from: x, to: y, from_columns: [a], to_columns: []}]
"""


def test_a_model_is_read() -> None:
    model = read_ossie(_FILE, "s.yaml")

    dataset = model.dataset("ORDERS")
    assert dataset is not None
    assert (dataset.keys, dataset.where) == ((("id",), ("number",)), "s.yaml:5")
    assert [(field.name, field.sql, field.is_attribute, field.data_type) for field in dataset.fields] == [
        ("state", "s", True, "string"),
        ("odd", "", False, ""),
    ]
    assert model.metrics[0].sql == "SUM(orders.amount)"
    assert dataset.field("State") is dataset.fields[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ontology: []", "s.yaml: this is no semantic model of Ossie: it has no `semantic_model`. It is an ontology"),
        ("", "s.yaml: this is no semantic model of Ossie"),
        ("semantic_model: [{name: a}, {name: b}]", "s.yaml: it has 2 semantic models (`a`, `b`); name one"),
        ("semantic_model: []", "s.yaml: it has 0 semantic models"),
        ("semantic_model: [{name: a, datasets: [{name: d}]}]", "s.yaml:1: dataset `d` has no `source`"),
        (
            "semantic_model:\n- name: a\n  datasets: [{name: d, source: d}, {name: D, source: d}]",
            "s.yaml:2: dataset `D` is defined twice",
        ),
        ("semantic_model: [{name: a, metrics: [{name: m}]}]", "s.yaml:1: `m` has no `expression`"),
        (_COMMA, "s.yaml:4: unknown key `0)` beside `dialect`"),
        (_UNEQUAL, "s.yaml:3: relationship `r` needs as many"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ModelFileError) as error:
        read_ossie(text.encode(), "s.yaml")
    assert str(error.value).startswith(message)


def test_a_model_is_found_by_its_name() -> None:
    assert read_ossie(_FILE, "s.yaml", "sales").name == "sales"
    with pytest.raises(ModelFileError, match="Did you mean `sales`"):
        read_ossie(_FILE, "s.yaml", "sale")
