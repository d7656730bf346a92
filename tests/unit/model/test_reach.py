"""Which files a model needs: its own, those of all that it names, and those of all that these name."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.reach import files_behind
from tests.support.stars.documents import Documents, calculation, dataset, metric, read_documents, star

_OF_SALES = {"w", "sales", "day", "shop", "returns", "Day", "Shop", "Kind", "Amount", "Average", "Lost", "Net", "model"}
_ALWAYS = {"catalog"}


def _files(documents: Documents, name: str = "m") -> set[str]:
    return {file.removesuffix(".yml") for file in files_behind(name, read_documents(documents))}


def _model(name: str, *metrics: str) -> dict[str, object]:
    return {
        "unique_name": name,
        "object_type": "model",
        "label": name,
        "relationships": [],
        "metrics": [{"unique_name": metric_name} for metric_name in metrics],
    }


def test_what_is_named_is_needed_and_nothing_else() -> None:
    documents = star() | {
        "other": _model("other", "Amount"),
        "lone": dataset("lone", "a"),
        "Odd": metric("Odd", "lone", "a"),
    }

    assert _files(documents) == _OF_SALES | _ALWAYS
    assert _files(documents, "other") == {"other", "Amount", "sales", "w"} | _ALWAYS


def test_what_a_calculation_measures_is_needed() -> None:
    documents = star() | {
        "other": _model("other", "Deep"),
        "Deep": calculation("Deep", "[Measures].[Net] * 2"),
    }

    assert _files(documents, "other") == {"other", "Deep", "Net", "Amount", "sales", "w"} | _ALWAYS


def test_a_composite_model_needs_its_members_and_their_files() -> None:
    """The name of a model in a plain model is some other text."""
    composite = {"unique_name": "c", "object_type": "composite_model", "label": "c", "models": ["other"]}
    documents = star() | {"other": _model("other", "Amount"), "comp": composite, "m2": _model("m2", "other")}

    assert _files(documents, "c") == {"comp", "other", "Amount", "sales", "w"} | _ALWAYS
    assert _files(documents, "m2") == {"m2"} | _ALWAYS


@pytest.mark.parametrize(
    ("model", "is_needed"),
    [("m", True), ("other", False)],
)
def test_settings_of_the_model_are_needed(model: str, *, is_needed: bool) -> None:
    settings = {"unique_name": "some settings", "object_type": "aggregate_settings", "model": model, "settings": {}}
    documents = star() | {
        "own": settings,
        "of_all": {"object_type": "global_settings", "settings": {}},
        "of_models": {"object_type": "model_settings", "settings": {}},
    }

    files = _files(documents)

    assert ("own" in files) is is_needed
    assert {"of_all", "of_models"} <= files


def test_the_file_of_a_broken_object_is_needed_when_its_name_is_said() -> None:
    documents = star()
    del documents["Amount"]["column"]
    documents["Odd"] = metric("Odd", "sales", "kind")
    del documents["Odd"]["dataset"]

    files = _files(documents)

    assert "Amount" in files
    assert "Odd" not in files


def test_nothing_is_behind_a_model_that_is_not_there_but_what_all_models_share() -> None:
    assert _files(star(), "nobody") == _ALWAYS
