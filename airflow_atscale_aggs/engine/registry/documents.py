"""Values of the engine as JSON bytes, and back. msgspec knows the dataclasses' types; nothing is written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, PartitionHint
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QueryRecord

_encode = msgspec.json.Encoder(order="deterministic").encode
_step_decoder = msgspec.json.Decoder(BuildStep)
_definition_decoder = msgspec.json.Decoder(AggregateDefinition)
_datasets_decoder = msgspec.json.Decoder(dict[str, Dataset])
_verified_decoder = msgspec.json.Decoder(Verified)
_query_decoder = msgspec.json.Decoder(QueryRecord)
_evidence_decoder = msgspec.json.Decoder(dict[str, float])
_evaluation_decoder = msgspec.json.Decoder(EvaluationRecord)
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


class DefinitionEncoder:
    """Encodes many definitions that share attributes: each attribute once."""

    def __init__(self) -> None:
        # By identity: comparing attributes costs more than encoding them. The attributes are kept, so that no id is
        # given to another one meanwhile.
        self._encoded: dict[int, tuple[BoundAttribute, msgspec.Raw]] = {}

    def encode(self, definition: AggregateDefinition) -> bytes:
        """The same document as `encode_definition` makes."""
        parts = [
            _PartDocument(part.fact, [self._attribute(bound) for bound in part.attributes], part.measures)
            for part in definition.parts
        ]
        return _encode(
            _DefinitionDocument(
                definition.model_id,
                definition.name,
                definition.label,
                definition.origin,
                definition.metrics,
                parts,
                definition.partitions,
                definition.composite,
                definition.where,
            )
        )

    def _attribute(self, bound: BoundAttribute) -> msgspec.Raw:
        known = self._encoded.get(id(bound))
        if known is None:
            known = self._encoded[id(bound)] = (bound, msgspec.Raw(_encode(bound)))
        return known[1]


class _PartDocument(msgspec.Struct):
    """Fields as in `FactPart`."""

    fact: str
    attributes: list[msgspec.Raw]
    measures: tuple[StoredMeasure, ...]


class _DefinitionDocument(msgspec.Struct):
    """Fields as in `AggregateDefinition`."""

    model_id: str
    name: str
    label: str
    origin: str
    metrics: tuple[str, ...]
    parts: list[_PartDocument]
    partitions: tuple[PartitionHint, ...]
    composite: bool
    where: str


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


def encode_evaluation(record: EvaluationRecord) -> bytes:
    """A judgement of a definition as JSON."""
    return _encode(record)


def decode_evaluation(document: bytes) -> EvaluationRecord:
    """The judgement of a document."""
    return _evaluation_decoder.decode(document)
