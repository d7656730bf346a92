"""Defines aggregate definitions: what is aggregated, who defined it, and its identity.

A definition whose metrics live on several facts has one part per fact, and becomes one physical table per part.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "airflow_atscale_aggs")
_NOT_WORD = re.compile(r"\W+")
_PREFIX = _NAMESPACE.bytes + b"definition\x00"


class DefinitionStatus(StrEnum):
    """Where a definition stands. Only defined ones are built."""

    DEFINED = "defined"
    RETIRED = "retired"
    """It left the model, or the engine needs it no more."""

    BLOCKED = "blocked"
    """A person wants it neither used nor built."""


class DefinitionOrigin(StrEnum):
    """Who defined an aggregate (AtScale, "Life Cycle of Aggregate Tables": Defined)."""

    USER_DEFINED = "user_defined"
    DEMAND_DEFINED = "demand_defined"
    PREDICTION_DEFINED = "prediction_defined"

    @property
    def is_system_defined(self) -> bool:
        """Everything that the engine may supersede and prune by itself."""
        return self is not DefinitionOrigin.USER_DEFINED


def model_id(catalog: str, model: str) -> str:
    """The ModelID: equal wherever the same SML is deployed, which makes definitions portable.

    >>> model_id("retail", "sales") == model_id("retail", "sales")
    True
    """
    return str(uuid.uuid5(_NAMESPACE, f"model\x00{catalog}\x00{model}"))


def catalog_id(catalog: str) -> str:
    """The id of a catalog: equal wherever the same SML is deployed, as `model_id`.

    >>> catalog_id("retail") == catalog_id("retail")
    True
    """
    return str(uuid.uuid5(_NAMESPACE, f"catalog\x00{catalog}"))


def name_word(text: str) -> str:
    """Lower case, runs of anything but letters and digits become one underscore; letters of any script stay.

    >>> name_word("Sold Calendar Year - (Größe)")
    'sold_calendar_year_größe'
    """
    is_word = text.isascii() and text.isidentifier()
    return (text if is_word else _NOT_WORD.sub("_", text)).strip("_").lower() or "x"


def grain_key(attribute: GrainAttribute) -> str:
    """An attribute of a grain as a fingerprint knows it."""
    return f"{attribute.role.dimension}\x00{attribute.role.template}\x00{attribute.name}"


def fingerprint_of(model: str, grain: Iterable[str], measures: Iterable[str]) -> str:
    """The fingerprint of a meaning, see `AggregateDefinition.fingerprint`.

    Args:
        model: ModelID.
        grain: `grain_key` of each attribute, in any order, each once.
        measures: text of each stored measure, in any order, each once.
    """
    return fingerprint_with(model, grain, measures_text(measures))


def fingerprint_with(model: str, grain: Iterable[str], measures: str) -> str:
    """`fingerprint_of` with the `measures_text` of the measures."""
    text = "\x02".join((model, "\x01".join(sorted(grain)), measures))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def measures_text(measures: Iterable[str]) -> str:
    """The share of stored measures in a fingerprint."""
    return "\x01".join(sorted(measures))


def definition_id(fingerprint: str) -> str:
    """The id of definitions with a fingerprint, the same in every registry.

    A UUID of version 5 in this project's namespace.
    """
    # The same UUID as the standard library's, in a third of the time. Imports make a hundred thousand of them.
    number = int.from_bytes(hashlib.sha1(_PREFIX + fingerprint.encode(), usedforsecurity=False).digest()[:16])
    number = number & ~(0xF000 << 64) & ~(0xC000 << 48) | 5 << 76 | 0x8000 << 48
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHint:
    """SML ``partition`` on a user-defined aggregate's attribute: ``name`` | ``key`` | ``name+key``."""

    attribute: GrainAttribute
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactPart:
    """The share of a definition that one fact dataset can compute.

    Attributes:
        fact: the dataset whose rows are aggregated; for a dimension-only aggregate the dimension's own dataset.
        attributes: the grain as this fact reaches it, in the order of the definition.
        measures: sorted; the row count is always among them.
    """

    fact: str
    attributes: tuple[BoundAttribute, ...]
    measures: tuple[StoredMeasure, ...]

    def has_only_rollups(self) -> bool:
        """True when every measure can be combined upward."""
        return all(measure.rolls_up for measure in self.measures)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateDefinition:
    """What should be aggregated, at which grain.

    Attributes:
        model_id: see `model_id`.
        name: ``unique_name`` in SML, or given by the engine.
        label: for people.
        origin: who defined it.
        metrics: metrics and calculations asked for, as named in the model, in order.
        parts: one per fact dataset, sorted by fact.
        partitions: hints, in order of rank.
        composite: True for an aggregate of a composite model.
        where: ``file:line`` for user-defined ones.
    """

    model_id: str
    name: str
    label: str
    origin: DefinitionOrigin
    metrics: tuple[str, ...]
    parts: tuple[FactPart, ...]
    partitions: tuple[PartitionHint, ...] = ()
    composite: bool = False
    where: str = ""

    @property
    def grain(self) -> frozenset[GrainAttribute]:
        """The attributes that rows are grouped by, by meaning."""
        return frozenset(bound.attribute for part in self.parts for bound in part.attributes)

    @property
    def fingerprint(self) -> str:
        """Identity by meaning: model, stored measures, grain by role and level. Names, labels and ids do not count.

        32 hexadecimal digits. The duplicate test of import, and the reason why a renamed aggregate is not rebuilt.
        """
        measures = (str(measure) for part in self.parts for measure in part.measures)
        return fingerprint_of(self.model_id, map(grain_key, self.grain), measures)

    @property
    def id(self) -> str:
        """A UUID made of the fingerprint: the same meaning has the same id in every registry."""
        return definition_id(self.fingerprint)

    def part_name(self, part: FactPart) -> str:
        """``Q2``, or ``Q2 (web_sales)`` when there are several parts."""
        return self.name if len(self.parts) == 1 else f"{self.name} ({part.fact})"
