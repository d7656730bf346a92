"""Documents: what is encoded as JSON is read as the same value again, in full and in short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.documents import (
    DefinitionDecoder,
    DefinitionEncoder,
    encode_definition,
    referred_attributes,
)
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.registry_content import MODEL, NOW, REVENUE, make_aggregate, make_step
from tests.support.stars.small_star import CITY

_CITY = replace(
    CITY, attribute=GrainAttribute(Role("Shops", "Sold {0}"), "City"), determines=frozenset({"Area", "Land"})
)
_SOURCE = QuerySource(fact="sales", aggregate="revenue", definition_id="d", rows=3)


def _by_city(aggregate: AggregateDefinition) -> AggregateDefinition:
    return replace(aggregate, parts=tuple(replace(part, attributes=(_CITY,)) for part in aggregate.parts))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("step", make_step(REVENUE)),
        ("evidence", {"rows": 5.0}),
        (
            "datasets",
            {
                "sales": Dataset(name="sales", table="größe", columns={}, where="a.yml:1"),
                "shop": Dataset(
                    name="shop",
                    columns={"city": Column(name="city", variants=(SqlVariant(dialect=None, sql="UPPER(c)"),))},
                    variants=(SqlVariant(dialect="Postgresql", sql="SELECT 1"),),
                ),
            },
        ),
        ("notes", ("first", "zweiter Satz, größer")),
        (
            "surroundings",
            Surroundings(
                settings={"TimeZone": "UTC"},
                tables={"sales": SeenTable(place=("db", "main", "sales"), columns={"a": "int"}, kind="view")},
                unique_keys=(("shop", ("shop_id",)),),
            ),
        ),
        ("grace_periods", {"sales": "12h"}),
        ("sources", (SourceMark(dataset="sales", sql="SELECT 1", mark=None),)),
        ("verification", Verified(level="full", facts_key="k", totals={"rows": "3", "sum": None})),
        ("checksum", Checksum(columns=("a",), buckets={"0": (3, 2**60)})),
        ("query", make_query_record(_SOURCE, asked_at=NOW, seconds=0.25, weight=4)),
        (
            "evaluation",
            EvaluationRecord(model_id=MODEL, definition_id="d", evaluated_at=NOW, score=0.5, parts={"use": 0.5}),
        ),
    ],
)
def test_what_is_encoded_is_decoded(kind: str, value: object) -> None:
    """Every field, and texts that are not ASCII; also what was read before, and is written again."""
    encode: Callable[[Any], bytes] = getattr(documents, f"encode_{kind}")
    decode: Callable[[bytes], Any] = getattr(documents, f"decode_{kind}")

    document = encode(value)
    assert decode(document) == value
    assert encode(decode(document)) == document


def test_documents_survive_the_round_trip() -> None:
    """A definition has its fingerprint again."""
    definition = _by_city(make_aggregate("größe"))

    decoded = DefinitionDecoder(dict).decode(encode_definition(definition))

    assert decoded == definition
    assert decoded.fingerprint == definition.fingerprint


def test_equal_values_have_equal_documents() -> None:
    """Deployments see by them what has changed; so the order of a set or a mapping is none of it."""
    orders = [("Area", "Land", "Street", "House"), ("House", "Street", "Land", "Area")]
    attributes = [replace(_CITY, determines=frozenset(order)) for order in orders]
    encoded = {
        encode_definition(replace(REVENUE, parts=(replace(REVENUE.parts[0], attributes=(item,)),)))
        for item in attributes
    }

    assert len(encoded) == 1
    assert documents.encode_evidence({"a": 1.0, "b": 2.0}) == documents.encode_evidence({"b": 2.0, "a": 1.0})


def test_figures_that_json_cannot_say_are_left_out() -> None:
    evidence = {"rows": 5.0, "gain": float("inf"), "loss": float("-inf"), "share": float("nan")}

    assert documents.decode_evidence(documents.encode_evidence(evidence)) == {"rows": 5.0}


@pytest.mark.parametrize("label", ["größe", "Größe"])
def test_short_documents_survive_the_round_trip(label: str) -> None:
    """Whatever the label, whosever the measures; and so do documents in full."""
    definition = _by_city(make_aggregate("größe"))
    elsewhere = StoredMeasure(StoredFunction.COUNT, "returns", "a:b")
    part = replace(definition.parts[0], measures=(*definition.parts[0].measures, elsewhere))
    same_measures = replace(part, fact="returns")
    definition = replace(definition, label=label, parts=(part, same_measures))
    encoder = DefinitionEncoder()
    short = encoder.encode(definition)
    decoder = DefinitionDecoder(lambda: encoder.attributes)

    assert len(short) < len(encode_definition(definition)) / 2
    assert decoder.decode(short) == decoder.decode(encode_definition(definition)) == definition


def test_an_attribute_is_encoded_once_whatever_refers_to_it() -> None:
    """Equal attributes have one document, also where they are two objects."""
    encoder = DefinitionEncoder()
    first = encoder.encode(_by_city(REVENUE))
    second = encoder.encode(
        replace(REVENUE, name="again", parts=(replace(REVENUE.parts[0], attributes=(replace(_CITY),)),))
    )

    (reference,) = encoder.attributes
    assert reference.encode() in first
    assert reference.encode() in second


def test_documents_tell_which_attributes_they_refer_to() -> None:
    """Those that hold their attributes themselves refer to none."""
    encoder = DefinitionEncoder()
    short = encoder.encode(_by_city(REVENUE))

    assert referred_attributes([short, encode_definition(_by_city(REVENUE))]) == set(encoder.attributes)
    assert referred_attributes([]) == set()


def test_measures_of_their_own_fact_are_written_in_short() -> None:
    """Those of another dataset in full: here the same tuple of measures stands in the parts of two facts."""
    part = FactPart(fact="sales", attributes=(), measures=REVENUE.parts[0].measures)
    definition = replace(REVENUE, parts=(part, replace(part, fact="returns")))

    document = DefinitionEncoder().encode(definition)

    assert document.count(b'"sum:amount"') == 1
    assert document.count(b'"dataset":"sales"') == len(part.measures)


def test_attributes_are_read_when_the_first_reference_is_met() -> None:
    encoder = DefinitionEncoder()
    short, plain = encoder.encode(_by_city(REVENUE)), encoder.encode(REVENUE)
    reads: list[str] = []

    def read() -> dict[str, bytes]:
        reads.append("read")
        return encoder.attributes

    decoder = DefinitionDecoder(read)
    assert decoder.decode(plain) == REVENUE
    assert reads == []
    assert [decoder.decode(short), decoder.decode(short)] == [_by_city(REVENUE)] * 2
    assert reads == ["read"]
