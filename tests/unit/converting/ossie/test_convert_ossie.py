"""Datasets, relationships and metrics of Ossie become SML; what does not is told."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.converted import Converted
from airflow_atscale_aggs.engine.converting.findings import Outcome
from airflow_atscale_aggs.engine.converting.ossie.convert_ossie import convert_ossie
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import read_ossie
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml
from tests.support.stars.library import FILE


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The library."""
    return convert_ossie(read_ossie(FILE.read_bytes(), "library.yaml"), name="library", connection="warehouse")


def test_what_became_of_each_construct(converted: Converted) -> None:
    outcomes = {(finding.kind, finding.name): finding.outcome for finding in converted.findings}

    assert {name for (kind, name), outcome in outcomes.items() if outcome is Outcome.LEFT_OUT} == {
        "fees_by_age",
        "mood",
        "invited_by",
        "shelf_of",
        "loans.barcode",
    }
    assert {name for (kind, name), outcome in outcomes.items() if outcome is Outcome.PARTLY} == {
        "fee_per_reader",
        "lent",
        "due",
        "loans.days_out",
        "loans.fee",
    }


def test_several_relationships_to_one_dataset_are_told_apart(converted: Converted) -> None:
    relationships = {
        made["unique_name"]: made for made in read_yaml(converted.texts["models/library.yml"])["relationships"]
    }

    assert {name: made.get("role_play") for name, made in relationships.items()} == {
        "reader_of": None,
        "home": None,
        "lent": "lent {0}",
        "due": "due {0}",
    }


def test_a_source_is_a_table_or_a_query(converted: Converted) -> None:
    loans, calendar = (read_yaml(converted.texts[f"datasets/{name}.yml"]) for name in ("loans", "calendar"))

    assert (loans["table"], "sql" in loans) == ("loans", False)
    assert calendar["sql"].startswith("SELECT day")
    assert read_yaml(converted.texts[f"connections/{loans['connection_id']}.yml"])["schema"] == "library"


def test_a_compound_key_stays_compound(converted: Converted) -> None:
    towns = read_yaml(converted.texts["dimensions/towns.yml"])

    assert towns["level_attributes"][0]["key_columns"] == ["country", "town"]


_DIAMOND = """
semantic_model:
  - name: diamond
    datasets:
      - {name: sales, source: s.sales, fields: []}
      - {name: shops, source: s.shops, primary_key: [id], fields: []}
      - {name: goods, source: s.goods, primary_key: [id], fields: []}
      - name: places
        source: s.places
        primary_key: [id]
        fields: [{name: place, expression: {dialects: [{dialect: ANSI_SQL, expression: place}]}}]
    relationships:
      - {name: sold_in, from: sales, to: shops, from_columns: [shop], to_columns: [id]}
      - {name: sold, from: sales, to: goods, from_columns: [good], to_columns: [id]}
      - {name: shop_at, from: shops, to: places, from_columns: [place], to_columns: [id]}
      - {name: made_at, from: goods, to: places, from_columns: [place], to_columns: [id]}
    metrics:
      - {name: rows, expression: {dialects: [{dialect: ANSI_SQL, expression: COUNT(*)}]}}
"""


def test_two_ways_over_other_datasets_are_told_apart() -> None:
    """One name for the place of a shop and the place of a good would be one of them, by chance."""
    made = convert_ossie(read_ossie(_DIAMOND.encode(), "d.yaml"), name="diamond", connection="warehouse")
    roles = {
        edge["unique_name"]: edge.get("role_play")
        for file in ("models/diamond.yml", "dimensions/shops.yml", "dimensions/goods.yml")
        for edge in read_yaml(made.texts[file])["relationships"]
    }

    assert roles == {"sold_in": None, "sold": None, "shop_at": "shop_at {0}", "made_at": "made_at {0}"}
    told = {finding.name: finding.why for finding in made.findings if finding.outcome is Outcome.PARTLY}
    assert told["rows"] == "it counts rows of `sales`, the only dataset that no relationship leads to"
    assert set(told) == {"rows", "shop_at", "made_at"}
