"""Describes what segments were made from: columns and tables as the catalog describes them, and checksums of the rows.

An increment adds to the segments of older increments. That is right only while the older rows and their types have not
changed, since the increment does not read these rows.

    what differs                                  how it is seen
    type, scale, collation, NOT NULL of a column  the catalog's description of each column that is read
    the table itself, or one under its views      the catalog's identities, where it has such
    rows that increments do not read              checksums: counts and sums of hashes, in buckets
    rows of segments that stay                    rows, fact rows and a mark of each table
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.whole_numbers import exact_whole, nearest_whole
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_MODULUS = 2**61
_NUMBER = re.compile(r" #[0-9]+")
"""The number of a column in its table, which is left out of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """The sources of an aggregate as the catalog describes them.

    Attributes:
        columns: description by ``dataset.column``, and what kind of relation it is by ``dataset``.
        tables: identities of the tables that the fact's rows come from, by their names; None where the catalog has no
            identities of all of them.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """Counts and sums of hashes of fact rows, by bucket.

    A row stands in the bucket that its indicator hashes to, so that a row that comes late leaves the other buckets
    alone.

    Attributes:
        columns: that are hashed, as the model spells them; empty: versions of rows in the first pages of the table.
        buckets: bucket, a whole number as text, to rows and sum.
    """

    columns: tuple[str, ...]
    buckets: Mapping[str, tuple[int, int]]


def add_checksums(checksums: Iterable[Checksum | None]) -> Checksum | None:
    """The checksum of all rows of ranges that do not overlap; None where one is not known, or of other columns."""
    columns: tuple[str, ...] | None = None
    buckets: dict[str, tuple[int, int]] = {}
    for checksum in checksums:
        if checksum is None or columns not in {None, checksum.columns}:
            return None
        columns = checksum.columns
        for bucket, (rows, total) in checksum.buckets.items():
            before = buckets.get(bucket, (0, 0))
            buckets[bucket] = before[0] + rows, (before[1] + total) % _MODULUS
    return None if columns is None else Checksum(columns=columns, buckets=buckets)


def read_checksum(columns: tuple[str, ...], rows: Iterable[tuple[object, object, object]]) -> Checksum | None:
    """A checksum from rows of bucket, rows and sum; None where a sum has lost digits, and so says nothing."""
    buckets: dict[str, tuple[int, int]] = {}
    for bucket, count, total in rows:
        whole = exact_whole(total)
        if whole is None:
            return None
        buckets[str(bucket)] = (nearest_whole(count), whole % _MODULUS)
    return Checksum(columns=columns, buckets=buckets)


def changed_rows(before: Checksum, now: Checksum) -> str:
    """The reason to believe that rows have changed, as the end of a sentence; empty when there is none.

    Late rows are no change, so a bucket with more rows proves nothing. If all buckets have more rows, nothing proves
    that the other rows are the same.
    """
    if before.columns != now.columns or not before.buckets:
        return ""
    differing = grown = 0
    for bucket, (rows, total) in before.buckets.items():
        rows_now, total_now = now.buckets.get(bucket, (0, 0))
        grown += rows_now > rows
        differing += rows_now < rows or (rows_now == rows and total != total_now)
    if differing:
        return "are not what they were: it was reloaded, or rows older than the grace period were changed"
    if grown == len(before.buckets) and before.columns:
        return "have become so many more that nobody can tell whether the others are what they were"
    return ""


def changed_columns(before: SourceState, now: SourceState) -> str:
    """The first column or relation that is not what it was, as a sentence's beginning; empty when there is none."""
    for name, was in before.columns.items():
        described = now.columns.get(name)
        if described is None:
            return f"`{name}` was {_NUMBER.sub('', was)} and is no longer known"
        if described != was:
            before_shown, shown = _NUMBER.sub("", was), _NUMBER.sub("", described)
            if before_shown == shown:
                return f"`{name}` is another column than it was: it was dropped and added again"
            return f"`{name}` was {before_shown} and is now {shown}"
    added_names = sorted(set(now.columns) - set(before.columns))
    return f"`{added_names[0]}` was not noted when it was built" if added_names else ""


def replaced_table(before: SourceState, now: SourceState) -> str:
    """The first table that is another one than it was; empty when there is none, or nobody knows.

    Tables that have come, such as partitions, are no reason: their rows are counted like all others.
    """
    if before.tables is None or now.tables is None:
        return ""
    return next((name for name, identity in before.tables.items() if now.tables.get(name) != identity), "")


def read_identities(rows: Iterable[Sequence[object]]) -> Mapping[str, Mapping[str, str] | None]:
    """By fact: identity by table that its rows come from; None where one of them has none."""
    tables_by_fact: dict[str, dict[str, str] | None] = {}
    for fact, table, identity in rows:
        tables = tables_by_fact.setdefault(str(fact), {})
        if identity is None or tables is None:
            tables_by_fact[str(fact)] = None
        else:
            tables[str(table)] = str(identity)
    return tables_by_fact
