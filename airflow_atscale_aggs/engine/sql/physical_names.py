"""Names of physical tables, stable views and stored columns: readable, within the dialect's limit, never colliding."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from airflow_atscale_aggs.engine.aggregates.definition import FactPart, name_word
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinStep
from airflow_atscale_aggs.engine.sql.capabilities import Dialect

_COLUMN_LIMIT = 60
"""Stored column names fit every dialect, so that a table's layout does not depend on where it is built."""

_INSTANCE_TABLE = re.compile(r"as_agg_[0-9a-f]{8}_.*_a[0-9]+(_s[0-9]+)?", re.IGNORECASE | re.DOTALL)

_MEASURE_PREFIX: dict[StoredFunction, str] = {
    StoredFunction.SUM: "sum",
    StoredFunction.COUNT: "count",
    StoredFunction.MINIMUM: "min",
    StoredFunction.MAXIMUM: "max",
    StoredFunction.CENTERED_SQUARES: "squares",
    StoredFunction.COUNT_DISTINCT: "distinct",
    StoredFunction.SUM_DISTINCT: "sum_distinct",
    StoredFunction.DISTINCT_SKETCH: "sketch",
    StoredFunction.PERCENTILE_SKETCH: "percentiles",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttribute:
    """Where an attribute's values stand in an aggregate's table.

    ``name`` is one of ``keys`` when key and name are one.
    """

    keys: tuple[str, ...]
    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys, then the name unless it is one of them."""
        return self.keys if self.name in self.keys else (*self.keys, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumns:
    """The layout of an aggregate's table: a pure function of its part.

    Attributes:
        attributes: by grain attribute, in the part's order.
        matched: 0/1 flags by join path; tells "matched, NULL name" from "unmatched".
        measures: by stored measure, in the part's order.
    """

    attributes: Mapping[GrainAttribute, StoredAttribute]
    matched: Mapping[tuple[JoinStep, ...], str]
    measures: Mapping[StoredMeasure, str]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns in table order."""
        attributes = (column for stored in self.attributes.values() for column in stored.columns)
        return (*attributes, *self.matched.values(), *self.measures.values())


@lru_cache(maxsize=4096)
def stored_columns(part: FactPart) -> StoredColumns:
    """The layout of a part's table: attributes, matched flags, measures."""
    taken: set[str] = set()
    attributes = {bound.attribute: _attribute_columns(bound, taken) for bound in part.attributes}
    matched: dict[tuple[JoinStep, ...], str] = {}
    for bound in part.attributes:
        if bound.steps and bound.steps not in matched:
            role_name = bound.attribute.role.query_name(bound.dataset)
            matched[bound.steps] = _unique(f"{name_word(role_name)}_matched", taken, _COLUMN_LIMIT)
    measures = {measure: _unique(_measure_name(measure), taken, _COLUMN_LIMIT) for measure in part.measures}
    return StoredColumns(attributes=attributes, matched=matched, measures=measures)


def instance_table(instance_id: str, aggregate: str, dialect: Dialect, attempt_token: str) -> str:
    """The physical table of an attempt: ``as_agg_e0bc4492_uda_color_a1``.

    The first eight hexadecimal digits of the instance id and the first 14 characters of the aggregate's name, as the
    product names its tables, then the attempt: a late zombie and a newer attempt write different tables.
    """
    name = _spelled(name_word(aggregate), dialect)[:14].strip("_")
    fixed = f"as_agg_{instance_id.replace('-', '')[:8]}_"
    room = dialect.max_identifier - len(fixed) - len("_a9999_s9")
    return f"{fixed}{_cut(name, room)}_a{attempt_token}"


def is_instance_table(name: str) -> bool:
    """Whether a name looks like one that `instance_table` or `segment_table` gives.

    >>> table, segment = "as_agg_e0bc4492_uda_color_a1", "as_agg_e0bc4492_uda_color_a1_s2"
    >>> is_instance_table(table), is_instance_table(segment), is_instance_table("as_agg")
    (True, True, False)
    """
    return _INSTANCE_TABLE.fullmatch(name) is not None


def segment_table(instance_table: str, number: int) -> str:
    """The physical table of a segment that an attempt makes: ``as_agg_e0bc4492_uda_color_a1_s2``."""
    return f"{instance_table}_s{number}"


def view_names(model: str, aggregates: Sequence[str], dialect: Dialect) -> list[str]:
    """Stable view names ``agg_<model>_<aggregate>``, one per aggregate, unique without regard to case.

    A name that is too long, meets another, or lost letters that the warehouse does not take ends in a hash of the
    whole, so that it stays the same from batch to batch whatever else the batch holds.
    """
    whole = [f"agg_{name_word(model)}_{name_word(aggregate)}" for aggregate in aggregates]
    plain = [_spelled(name, dialect) for name in whole]
    limit = dialect.max_identifier
    return [
        name
        if plain.count(name) == 1 and name == asked and len(name.encode()) <= limit
        else _append_hash(name, f"{model}\x00{aggregate}", limit)
        for name, asked, aggregate in zip(plain, whole, aggregates, strict=True)
    ]


def is_view_name(name: str) -> bool:
    """Whether a name looks like one that `view_names` gives."""
    return name.casefold().startswith("agg_")


def _attribute_columns(bound: BoundAttribute, taken: set[str]) -> StoredAttribute:
    base = name_word(bound.attribute.query_name)
    if bound.key_columns == (bound.name_column,):
        column = _unique(base, taken, _COLUMN_LIMIT)
        return StoredAttribute(keys=(column,), name=column)
    keys = tuple(
        _unique(f"{base}_key{number or ''}", taken, _COLUMN_LIMIT)
        for number in (range(1, 1 + len(bound.key_columns)) if len(bound.key_columns) > 1 else (0,))
    )
    if bound.name_column in bound.key_columns:
        return StoredAttribute(keys=keys, name=keys[bound.key_columns.index(bound.name_column)])
    return StoredAttribute(keys=keys, name=_unique(base, taken, _COLUMN_LIMIT))


def _measure_name(measure: StoredMeasure) -> str:
    if measure.function is StoredFunction.COUNT_ROWS:
        return "row_count"
    return f"{_MEASURE_PREFIX[measure.function]}_{name_word(measure.column)}"


def _unique(name: str, taken: set[str], limit: int) -> str:
    """The name within the limit, numbered when it is taken; remembers it."""
    chosen = _append_hash(name, name, limit) if len(name.encode()) > limit else name
    number = 2
    while chosen in taken:
        suffix = f"_{number}"
        chosen = _cut(name, limit - len(suffix)) + suffix
        number += 1
    taken.add(chosen)
    return chosen


def _spelled(name: str, dialect: Dialect) -> str:
    """A word as the warehouse takes it in names of tables."""
    if not dialect.ascii_names or name.isascii():
        return name
    letters = unicodedata.normalize("NFKD", name).encode("ascii", errors="ignore").decode()
    return name_word(letters)


def _append_hash(name: str, whole: str, limit: int) -> str:
    suffix = "_" + hashlib.sha256(whole.encode()).hexdigest()[:6]
    return _cut(name, limit - len(suffix)) + suffix


def _cut(name: str, room: int) -> str:
    """The longest start of a name that fits into ``room`` bytes of UTF-8."""
    return name.encode()[: max(room, 0)].decode(errors="ignore")
