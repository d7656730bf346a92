"""Values of the engine as JSON bytes, and back. msgspec knows the dataclasses' types; nothing is written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.registry.records import QueryRecord

_encode = msgspec.json.Encoder(order="deterministic").encode
_step_decoder = msgspec.json.Decoder(BuildStep)
_definition_decoder = msgspec.json.Decoder(AggregateDefinition)
_datasets_decoder = msgspec.json.Decoder(dict[str, Dataset])
_verified_decoder = msgspec.json.Decoder(Verified)
_query_decoder = msgspec.json.Decoder(QueryRecord)
_evidence_decoder = msgspec.json.Decoder(dict[str, float])
_notes_decoder = msgspec.json.Decoder(tuple[str, ...])


def encode_step(step: BuildStep) -> bytes:
    """A build step as JSON."""
    return _encode(step)


def decode_step(document: bytes) -> BuildStep:
    """The build step of a document."""
    return _step_decoder.decode(document)


def encode_definition(definition: AggregateDefinition) -> bytes:
    """A definition as JSON."""
    return _encode(definition)


def decode_definition(document: bytes) -> AggregateDefinition:
    """The definition of a document."""
    return _definition_decoder.decode(document)


def encode_evidence(evidence: Mapping[str, float]) -> bytes:
    """The figures that spoke for a definition, as JSON."""
    return _encode(dict(evidence))


def decode_evidence(document: bytes) -> dict[str, float]:
    """The figures that spoke for a definition."""
    return _evidence_decoder.decode(document)


def encode_datasets(datasets: Mapping[str, Dataset]) -> bytes:
    """Datasets by name as JSON."""
    return _encode(dict(datasets))


def decode_datasets(document: bytes) -> dict[str, Dataset]:
    """The datasets of a document."""
    return _datasets_decoder.decode(document)


def encode_notes(notes: tuple[str, ...]) -> bytes:
    """A batch's notes as JSON."""
    return _encode(notes)


def decode_notes(document: bytes) -> tuple[str, ...]:
    """The notes of a document."""
    return _notes_decoder.decode(document)


def encode_verified(verified: Verified) -> bytes:
    """How an attempt was verified, as JSON."""
    return _encode(verified)


def decode_verified(document: bytes) -> Verified:
    """How an attempt was verified."""
    return _verified_decoder.decode(document)


def encode_query(record: QueryRecord) -> bytes:
    """A query of the log as JSON."""
    return _encode(record)


def decode_query(document: bytes) -> QueryRecord:
    """The query of a document."""
    return _query_decoder.decode(document)
