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
