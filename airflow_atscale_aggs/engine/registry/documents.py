"""Encodes values of the engine as JSON, and decodes them. msgspec does both from the types of the dataclasses."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    FactPart,
    PartitionHint,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, QueryRecord, StepOutline

_T = TypeVar("_T")


class _PartDocument(msgspec.Struct, gc=False):
    """Fields as in `FactPart`; attributes as they are, or references to them; measures as they are, or in short."""

    fact: str
    attributes: list[str | BoundAttribute]
    measures: list[str | StoredMeasure]


class _DefinitionDocument(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Fields as in `AggregateDefinition`; without a label, it is the name."""

    model_id: str
    name: str
    label: str = ""
    origin: DefinitionOrigin
    metrics: tuple[str, ...]
    parts: list[_PartDocument]
    partitions: tuple[PartitionHint, ...] = ()
    composite: bool = False
    where: str = ""


class _SourceOutline(msgspec.Struct, gc=False):
    name: str


class _IncrementOutline(msgspec.Struct, gc=False):
    full_reason: str


class _StepOutline(msgspec.Struct, gc=False):
    """The short fields of `BuildStep`; what is not named here is passed over when a step is read."""

    aggregate: str
    sources: list[_SourceOutline]
    view: str
    estimated_rows: int | None = None
    reason: str = ""
    full_reason: str = ""
    increment: _IncrementOutline | None = None


class _ViewOutline(msgspec.Struct, gc=False):
    view: str
    drop_view_sql: str = ""


class _ChecksumDocument(msgspec.Struct, gc=False):
    columns: tuple[str, ...]
    buckets: msgspec.Raw


class _StoredBuckets(Mapping[str, tuple[int, int]]):
    """Buckets of a checksum that are read when somebody looks at them: most segments are only listed."""

    __slots__ = ("_buckets", "_document")

    def __init__(self, document: msgspec.Raw) -> None:
        """Keep the part of the document in which they stand."""
        self._document = document
        self._buckets: dict[str, tuple[int, int]] | None = None

    def __getitem__(self, bucket: str) -> tuple[int, int]:
        """Rows and sum of a bucket."""
        return self._all()[bucket]

    def __iter__(self) -> Iterator[str]:
        """The buckets."""
        return iter(self._all())

    def __len__(self) -> int:
        """How many buckets have rows."""
        return len(self._all())

    def stored(self) -> msgspec.Raw:
        """The part of the document, as it was stored."""
        return self._document

    def _all(self) -> dict[str, tuple[int, int]]:
        if self._buckets is None:
            self._buckets = _decode(bytes(self._document), dict[str, tuple[int, int]])
        return self._buckets


def _encode_other(value: object) -> msgspec.Raw:
    """What msgspec does not know: buckets that were read go back as they are."""
    if isinstance(value, _StoredBuckets):
        return value.stored()
    message = f"{type(value).__name__} is not part of a document"
    raise TypeError(message)


_encode = msgspec.json.Encoder(order="deterministic", enc_hook=_encode_other).encode
_decoders: dict[object, msgspec.json.Decoder[Any]] = {}


def _decode(document: bytes, kind: type[_T]) -> _T:
    # A decoder is made when it is first needed, since it looks at every class that its documents may hold.
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    decoded: _T = decoder.decode(document)
    return decoded


def encode_step(step: BuildStep) -> bytes:
    """A build step as JSON."""
    return _encode(step)


def decode_step(document: bytes) -> BuildStep:
    """The build step of a document."""
    return _decode(document, BuildStep)


def decode_outline(document: bytes) -> StepOutline:
    """The outline of a build step. Most of a step is SQL, which is passed over."""
    step = _decode(document, _StepOutline)
    is_increment = step.increment is not None and not step.increment.full_reason
    return StepOutline(
        aggregate=step.aggregate,
        source=step.sources[0].name if step.sources else "",
        kind="increment" if is_increment else "full",
        view=step.view,
        estimated_rows=step.estimated_rows,
        reason=step.reason,
        full_reason=step.full_reason,
    )


def decode_view(document: bytes) -> tuple[str, str]:
    """The stable view of a build step, and the statement that drops it. The rest is passed over."""
    step = _decode(document, _ViewOutline)
    return step.view, step.drop_view_sql


def encode_definition(definition: AggregateDefinition) -> bytes:
    """A definition as JSON."""
    return _encode(definition)


class DefinitionEncoder:
    """Encodes many definitions that share attributes: each attribute once, by reference from all documents.

    A join path takes a thousand characters, and a model has some hundred of them, whatever the number of definitions. A
    measure of the part's own fact is its function and its column.
    """

    def __init__(self) -> None:
        # By identity: comparing attributes costs more than encoding them. The attributes are kept, so that no id is
        # given to another one meanwhile.
        self._references: dict[int, tuple[BoundAttribute, str]] = {}
        self._short: dict[int, tuple[FactPart, list[str | StoredMeasure]]] = {}
        self.attributes: dict[str, bytes] = {}
        """Documents of the attributes, by reference."""

    def encode(self, definition: AggregateDefinition) -> bytes:
        """A document with references, for `DefinitionDecoder`."""
        known = self._references
        parts = [
            _PartDocument(
                part.fact,
                [(known.get(id(bound)) or self._refer(bound))[1] for bound in part.attributes],
                self._in_short(part),
            )
            for part in definition.parts
        ]
        return _encode(
            _DefinitionDocument(
                model_id=definition.model_id,
                name=definition.name,
                label="" if definition.label == definition.name else definition.label,
                origin=definition.origin,
                metrics=definition.metrics,
                parts=parts,
                partitions=definition.partitions,
                composite=definition.composite,
                where=definition.where,
            )
        )

    def _refer(self, bound: BoundAttribute) -> tuple[BoundAttribute, str]:
        document = _encode(bound)
        reference = hashlib.sha256(document).hexdigest()[:32]
        self.attributes[reference] = document
        entry = self._references[id(bound)] = (bound, reference)
        return entry

    def _in_short(self, part: FactPart) -> list[str | StoredMeasure]:
        entry = self._short.get(id(part.measures))
        if entry is None or entry[0].fact != part.fact:
            fact = part.fact
            short = [
                f"{measure.function.value}:{measure.column}" if measure.dataset == fact else measure
                for measure in part.measures
            ]
            entry = self._short[id(part.measures)] = (part, short)
        return entry[1]


def referred_attributes(documents: Iterable[bytes]) -> set[str]:
    """The references to attributes that documents of definitions have."""
    return {
        attribute
        for document in documents
        for part in _decode(document, _DefinitionDocument).parts
        for attribute in part.attributes
        if isinstance(attribute, str)
    }


class DefinitionDecoder:
    """Decodes documents with references and without.

    Args:
        read: gives the documents of all attributes by reference; asked once, when the first reference is met.
    """

    def __init__(self, read: Callable[[], Mapping[str, bytes]]) -> None:
        self._read = read
        self._attributes: dict[str, BoundAttribute] | None = None
        self._measures: dict[tuple[str, str], StoredMeasure] = {}

    def decode(self, document: bytes) -> AggregateDefinition:
        """The definition of a document."""
        fields = _decode(document, _DefinitionDocument)
        return AggregateDefinition(
            model_id=fields.model_id,
            name=fields.name,
            label=fields.label or fields.name,
            origin=fields.origin,
            metrics=fields.metrics,
            parts=tuple(
                FactPart(
                    fact=part.fact,
                    attributes=tuple(map(self._attribute, part.attributes)),
                    measures=tuple([self._measure(part.fact, measure) for measure in part.measures]),
                )
                for part in fields.parts
            ),
            partitions=fields.partitions,
            composite=fields.composite,
            where=fields.where,
        )

    def _attribute(self, attribute: str | BoundAttribute) -> BoundAttribute:
        if not isinstance(attribute, str):
            return attribute
        if self._attributes is None:
            self._attributes = {key: _decode(document, BoundAttribute) for key, document in self._read().items()}
        return self._attributes[attribute]

    def _measure(self, fact: str, measure: str | StoredMeasure) -> StoredMeasure:
        if not isinstance(measure, str):
            return measure
        decoded = self._measures.get((fact, measure))
        if decoded is None:
            function, _, column = measure.partition(":")
            decoded = self._measures[fact, measure] = StoredMeasure(StoredFunction(function), fact, column)
        return decoded


def encode_evidence(evidence: Mapping[str, float]) -> bytes:
    """The figures that spoke for a definition, as JSON. Infinite ones are left out, since JSON cannot say them."""
    return _encode({name: figure for name, figure in evidence.items() if math.isfinite(figure)})


def decode_evidence(document: bytes) -> dict[str, float]:
    """The figures that spoke for a definition."""
    return _decode(document, dict[str, float])


def encode_datasets(datasets: Mapping[str, Dataset]) -> bytes:
    """Datasets by name as JSON."""
    return _encode(dict(datasets))


def decode_datasets(document: bytes) -> dict[str, Dataset]:
    """The datasets of a document."""
    return _decode(document, dict[str, Dataset])


def encode_notes(notes: tuple[str, ...]) -> bytes:
    """A batch's notes as JSON."""
    return _encode(notes)


def decode_notes(document: bytes) -> tuple[str, ...]:
    """The notes of a document."""
    return _decode(document, tuple[str, ...])


def encode_surroundings(surroundings: Surroundings) -> bytes:
    """What a batch was planned in, as JSON."""
    return _encode(surroundings)


def decode_surroundings(document: bytes) -> Surroundings:
    """What a batch was planned in."""
    return _decode(document, Surroundings)


def encode_grace_periods(periods: Mapping[str, str]) -> bytes:
    """Durations by dataset, as JSON."""
    return _encode(dict(periods))


def decode_grace_periods(document: bytes) -> dict[str, str]:
    """Durations by dataset."""
    return _decode(document, dict[str, str])


def encode_sources(marks: tuple[SourceMark, ...]) -> bytes:
    """The state of datasets, as JSON."""
    return _encode(marks)


def decode_sources(document: bytes) -> tuple[SourceMark, ...]:
    """The state of datasets."""
    return _decode(document, tuple[SourceMark, ...])


def encode_verification(verified: Verified) -> bytes:
    """How an attempt was verified, as JSON."""
    return _encode(verified)


def decode_verification(document: bytes) -> Verified:
    """How an attempt was verified."""
    return _decode(document, Verified)


def encode_checksum(checksum: Checksum) -> bytes:
    """A checksum of fact rows as JSON."""
    return _encode(checksum)


def decode_checksum(document: bytes) -> Checksum:
    """The checksum of a document."""
    stored = _decode(document, _ChecksumDocument)
    return Checksum(columns=stored.columns, buckets=_StoredBuckets(stored.buckets))


def encode_query(record: QueryRecord) -> bytes:
    """A query of the log as JSON."""
    return _encode(record)


def decode_query(document: bytes) -> QueryRecord:
    """The query of a document."""
    return _decode(document, QueryRecord)


def encode_evaluation(record: EvaluationRecord) -> bytes:
    """A judgement of a definition as JSON."""
    return _encode(record)


def decode_evaluation(document: bytes) -> EvaluationRecord:
    """The judgement of a document."""
    return _decode(document, EvaluationRecord)
