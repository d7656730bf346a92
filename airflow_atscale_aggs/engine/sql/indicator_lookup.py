"""Incremental indicators in SQL.

Which column types may be one, conditions on ranges, the one lookup per fact and batch.

Bounds are typed literals on the fact's own column, since only those prune partitions, and the very same expression
wherever a range is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.indicator import (
    IndicatorKind,
    RowRange,
    parse_indicator_value,
    render_bound,
)
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.column_types import has_more_digits
from airflow_atscale_aggs.engine.sql.quoting import alias_as
from airflow_atscale_aggs.engine.sql.sources import DatasetSource

SUPPORTED_TYPES = "Long, Integer, Decimal(38,0) on Snowflake, Timestamp, DateTime"

_INTEGERS = frozenset({"int", "integer", "long", "bigint", "int2", "int4", "int8", "int32", "int64", "smallint"})
_WHOLE_DECIMALS = re.compile(r"number|fixed|(number|decimal|numeric)\([0-9]+,0\)")
_INSTANTS = ("timestamptz", "timestamp_tz", "timestamp_ltz", "timestamp with time zone", "datetimeoffset")
_TIMESTAMPS = ("timestamp", "datetime")
_PRECISION = re.compile(r"\(\s*([0-9]+)\s*\)")
_MICROSECONDS = 6

_GREATEST, _NULLS, _ABOVE, _UP_TO, _NEWEST, _LEAST, _WITHIN = range(7)
_TO = ".."
_TABLE = "f"


def indicator_kind(data_type: str, dialect: Dialect) -> IndicatorKind | None:
    """The family of a column type in lower case; None when a column of it cannot be an indicator."""
    kind = " ".join(data_type.split())
    bare = _PRECISION.sub("", kind).strip()
    if bare in _INTEGERS:
        return IndicatorKind.INTEGER
    if dialect.has_whole_decimals and _WHOLE_DECIMALS.fullmatch(kind.replace(" ", "")):
        return IndicatorKind.INTEGER
    if dialect.timestamps_are_instants and bare == "timestamp":
        return IndicatorKind.INSTANT
    bare = " ".join(bare.split())
    if bare.startswith(_INSTANTS):
        return IndicatorKind.INSTANT
    return IndicatorKind.TIMESTAMP if bare.startswith(_TIMESTAMPS) else None


def is_finer_than_kept(data_type: str) -> bool:
    """True for timestamps with digits beyond microseconds, which drivers cut off."""
    return has_more_digits(data_type, _MICROSECONDS)


def range_condition(rows: RowRange, source: DatasetSource, alias: str) -> exp.Expr | None:
    """The condition that a fact row is in a range; None when it has no bounds."""
    tests: list[exp.Expr] = []
    for bound, compare in ((rows.after, exp.GT), (rows.through, exp.LTE)):
        if bound is not None:
            tests.append(
                compare(this=source.column(rows.column, alias), expression=literal(rows.kind, bound, source.dialect))
            )
    return exp.and_(*tests, copy=False) if tests else None


def any_range_condition(ranges: Sequence[RowRange], source: DatasetSource, alias: str) -> exp.Expr | None:
    """The condition that a fact row is in one of some ranges; None when one of them has no bounds, or there is none."""
    conditions = [range_condition(rows, source, alias) for rows in ranges]
    if not conditions or None in conditions:
        return None
    known = [condition for condition in conditions if condition is not None]
    return known[0] if len(known) == 1 else exp.or_(*known, copy=False)


def literal(kind: IndicatorKind, bound: int, dialect: Dialect) -> exp.Expr:
    """A bound as a typed literal."""
    shown = render_bound(kind, bound)
    if kind is IndicatorKind.INTEGER:
        return exp.Literal.number(shown) if bound >= 0 else exp.Neg(this=exp.Literal.number(shown.lstrip("-")))
    return exp.cast(
        exp.Literal.string(shown), "timestamptz" if kind is IndicatorKind.INSTANT else dialect.civil_timestamp
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorFacts:
    """What one lookup has found in a fact.

    Attributes:
        greatest: greatest indicator above the least bound that was asked for, or of all when none was; None: there is
            none.
        is_readable: False when the greatest indicator is no number and no time, such as ``infinity``.
        nulls: rows without an indicator.
        least: least indicator of all, where it was asked for; None: nobody asked, or there is none.
        above: rows above each bound.
        up_to: rows up to each bound, where it was asked for.
        within: rows of each range that was asked for, by its bounds.
        newest: greatest indicator up to each moment that was asked for, within the same bound as ``greatest``; a moment
            that no row has reached is not there.
        checksums: of the rows of some ranges together, by the ranges and the columns that are hashed.
    """

    greatest: int | None = None
    is_readable: bool = True
    nulls: int = 0
    least: int | None = None
    above: Mapping[int, int] = field(default_factory=dict)
    up_to: Mapping[int, int] = field(default_factory=dict)
    within: Mapping[tuple[int | None, int | None], int] = field(default_factory=dict)
    newest: Mapping[int, int] = field(default_factory=dict)
    checksums: Mapping[tuple[tuple[RowRange, ...], tuple[str, ...]], Checksum] = field(default_factory=dict)


def lookup_statement(
    rows: RowRange,
    source: DatasetSource,
    *,
    above: Sequence[int] = (),
    up_to: Sequence[int] = (),
    moments: Sequence[int] = (),
    within: Sequence[RowRange] = (),
    with_least: bool = False,
) -> exp.Expr:
    """One query for everything that a batch must know of a fact's indicator; read it with `read_lookup`.

    Args:
        rows: names the indicator; its bounds do not matter.
        above: count the rows above each of these bounds; the greatest indicator is looked for above the least of them.
        up_to: count the rows up to each of these bounds.
        moments: look for the greatest indicator up to each of these as well.
        within: count the rows of each of these ranges.
        with_least: look for the least indicator of all.
    """

    def lookup_select(kind: int, bound: int | str | None, where: exp.Expr | None, value: exp.Expr) -> exp.Select:
        shown = exp.Null() if bound is None else exp.Literal.string(str(bound))
        select = exp.select(
            alias_as(exp.Literal.number(kind), "kind"),
            alias_as(exp.cast(shown, "text"), "bound"),
            alias_as(exp.cast(value, "text"), "value"),
        ).from_(source.relation(_TABLE), copy=False)
        return select if where is None else select.where(where, copy=False)

    def rows_between(after: int | None, through: int | None) -> exp.Expr | None:
        return range_condition(
            RowRange(column=rows.column, kind=rows.kind, after=after, through=through), source, _TABLE
        )

    column = source.column(rows.column, _TABLE)
    greatest = _readable(exp.Max(this=column.copy()), rows.kind, source.dialect)
    count = exp.Count(this=exp.Star(), big_int=True)
    selects = [
        lookup_select(_GREATEST, None, rows_between(min(above), None) if above else None, greatest),
        lookup_select(_NULLS, None, exp.Is(this=column.copy(), expression=exp.Null()), count),
        *(lookup_select(_ABOVE, bound, rows_between(bound, None), count.copy()) for bound in above),
        *(lookup_select(_UP_TO, bound, rows_between(None, bound), count.copy()) for bound in up_to),
        *(
            lookup_select(_NEWEST, moment, rows_between(min(above) if above else None, moment), greatest.copy())
            for moment in moments
        ),
    ]
    for counted in within:
        bounds = f"{counted.after}{_TO}{counted.through}"
        selects.append(lookup_select(_WITHIN, bounds, range_condition(counted, source, _TABLE), count.copy()))
    if with_least:
        least = _readable(exp.Min(this=column.copy()), rows.kind, source.dialect)
        selects.append(lookup_select(_LEAST, None, None, least))
    union: exp.Expr = selects[0]
    for other in selects[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    return union


def _readable(value: exp.Expr, kind: IndicatorKind, dialect: Dialect) -> exp.Expr:
    """A value whose text `parse_indicator_value` understands, with all digits."""
    if kind is IndicatorKind.INSTANT and dialect.epoch_micros is not None:
        return exp.Anonymous(this=dialect.epoch_micros, expressions=[value])
    if kind is IndicatorKind.INTEGER or dialect.timestamp_format is None:
        return value
    zone = " TZH:TZM" if kind is IndicatorKind.INSTANT else ""
    return exp.Anonymous(this="TO_CHAR", expressions=[value, exp.Literal.string(dialect.timestamp_format + zone)])


def read_lookup(kind: IndicatorKind, rows: Iterable[Sequence[object]]) -> IndicatorFacts:
    """The answer of `lookup_statement`."""
    greatest, is_readable, nulls, least = None, True, 0, None
    counts: dict[int, dict[int, int]] = {_ABOVE: {}, _UP_TO: {}, _NEWEST: {}}
    within: dict[tuple[int | None, int | None], int] = {}
    for what, bound, value in rows:
        number = nearest_whole(what)
        if number == _GREATEST:
            greatest = None if value is None else parse_indicator_value(kind, str(value))
            is_readable = value is None or greatest is not None
        elif number == _NULLS:
            nulls = nearest_whole(value)
        elif number == _LEAST:
            least = None if value is None else parse_indicator_value(kind, str(value))
        elif number == _WITHIN:
            after, through = (None if end == "None" else int(end) for end in str(bound).split(_TO))
            within[after, through] = nearest_whole(value)
        elif number == _NEWEST:
            newest = None if value is None else parse_indicator_value(kind, str(value))
            if newest is not None:
                counts[_NEWEST][int(str(bound))] = newest
        else:
            counts[number][int(str(bound))] = nearest_whole(value)
    return IndicatorFacts(
        greatest=greatest,
        is_readable=is_readable,
        nulls=nulls,
        least=least,
        above=counts[_ABOVE],
        up_to=counts[_UP_TO],
        within=within,
        newest=counts[_NEWEST],
    )


def unsupported_reason(dataset: str, column: str, data_type: str) -> str:
    """Why a column cannot be an indicator, and what can be done."""
    type_words = (
        f"has type {data_type.upper()}" if data_type else "has a type that neither the warehouse nor the model tells"
    )
    return (
        f"the incremental indicator `{column}` of dataset `{dataset}` {type_words}; supported are {SUPPORTED_TYPES}. "
        "Name another column, or add a calculated one with a data_type"
    )


def indicator_type(source: DatasetSource, column: str) -> str:
    """The indicator's column type in lower case; empty when nobody tells.

    Raises DefinitionError when it is not there.
    """
    source.column(column, _TABLE)
    return source.data_type(column)


def type_problem(source: DatasetSource, column: str) -> str:
    """Why a column of a dataset cannot be an indicator; empty when it can."""
    try:
        data_type = indicator_type(source, column)
    except DefinitionError as error:
        return error.explanation
    if indicator_kind(data_type, source.dialect) is None:
        return unsupported_reason(source.dataset.name, column, data_type)
    return ""
