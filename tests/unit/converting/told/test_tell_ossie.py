"""Stable views are datasets of Ossie; what can be combined is a metric."""

from __future__ import annotations

import json
import os
from pathlib import Path
from subprocess import run

import jsonschema
import pytest

from airflow_atscale_aggs.engine.converting.ossie.convert_ossie import convert_ossie
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import read_ossie
from airflow_atscale_aggs.engine.converting.told.tell_ossie import tell_ossie
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml
from tests.support.told_cases import MODEL, NOTHING


def test_views_are_datasets_and_combined_columns_are_metrics() -> None:
    (text,) = tell_ossie(MODEL).values()
    (model,) = read_yaml(text)["semantic_model"]

    assert [dataset["source"] for dataset in model["datasets"]][1] == '"aggs"."agg_shop_by_day"'
    expressions = [metric["expression"]["dialects"][0]["expression"] for metric in model["metrics"]]
    assert expressions[-1] == 'SUM(agg_shop_by_day."row_count")'
    assert len(expressions) == 3


def test_what_is_told_can_be_converted_back() -> None:
    (text,) = tell_ossie(MODEL).values()

    converted = convert_ossie(read_ossie(text.encode(), "told.yaml"), name="told", connection="warehouse")
    assert "metrics/agg_shop_by_day_row_count.yml" in converted.texts


@pytest.mark.skipif("ATSCALE_AGGS_OSSIE" not in os.environ, reason="ATSCALE_AGGS_OSSIE names no clone of apache/ossie")
def test_what_is_told_follows_the_published_schema() -> None:
    folder = Path(os.environ["ATSCALE_AGGS_OSSIE"])
    shown = run(
        ["git", "-C", folder, "show", "HEAD:core-spec/osi-schema.json"], check=True, capture_output=True, text=True
    )
    (text,) = tell_ossie(MODEL).values()

    jsonschema.validate(read_yaml(text), json.loads(shown.stdout))


def test_nothing_is_told_of_nothing() -> None:
    assert tell_ossie(NOTHING) == {}
