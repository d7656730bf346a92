"""Each property of SML is honoured, refused by name, or harmless for a reason."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.sml import SHAPES
from tests.support.property_treatments import PROPERTY_TREATMENTS, PropertyTreatment, Treatment


def test_every_property_of_the_table_has_a_treatment_and_no_other_has_one() -> None:
    assert {shape: set(properties) for shape, properties in PROPERTY_TREATMENTS.items()} == {
        shape: set(properties) for shape, properties in SHAPES.items()
    }


@pytest.mark.parametrize(
    ("shape", "name", "treatment", "reason"),
    [
        ("metric", "column", Treatment.HONOURED, ""),
        ("metric", "format", Treatment.HARMLESS, "it tells people or tools how something is named"),
        ("dataset", "alternate", Treatment.REFUSED, "the dataset's own table or query is read"),
        ("row_security", "use_filter_key", Treatment.HARMLESS, "the same rows are seen"),
        ("aggregate", "target_connection", Treatment.REFUSED, "the product itself ignores it"),
        ("model", "partitions", Treatment.HARMLESS, "how a table is laid out on disk"),
    ],
)
def test_a_treatment_and_its_reason(shape: str, name: str, treatment: Treatment, reason: str) -> None:
    property_treatment = PROPERTY_TREATMENTS[shape][name]

    assert property_treatment.treatment is treatment
    assert reason in property_treatment.reason


def test_what_is_not_honoured_has_a_reason_and_what_is_honoured_needs_none() -> None:
    treatments = [treatment for properties in PROPERTY_TREATMENTS.values() for treatment in properties.values()]

    assert [
        treatment for treatment in treatments if bool(treatment.reason) is (treatment.treatment is Treatment.HONOURED)
    ] == []
    assert PropertyTreatment(Treatment.HONOURED) in treatments
