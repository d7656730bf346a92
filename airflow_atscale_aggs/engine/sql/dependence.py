"""Which settings of a session decide what an aggregate stores.

A number, a date or a text of a table is the same for everybody. What a calculation, a query or a view makes of it may
depend on the session, and is taken to do so unless it is plain enough to be understood here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.sql.session_settings import Reach
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources

_PLAIN = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Var, exp.Neg),
    *(exp.Add, exp.Sub, exp.Mul, exp.And, exp.Or, exp.Not, exp.Is, exp.Case, exp.If, exp.Coalesce, exp.Nullif),
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In, exp.Abs),
    *(exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Concat, exp.DPipe),
    *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.Extract, exp.Year, exp.Month, exp.Quarter, exp.Day),
)
"""Nodes whose value is the same in every session, for columns of families that do not mix.

See `_is_session_dependent`.
"""


class _Family(StrEnum):
    EXACT = "whole and decimal numbers, booleans"
    FLOAT = "floating numbers"
    TIME = "dates and timestamps without a zone"
    TEXT = "texts"
    OTHER = "anything else, and timestamps with a zone"


_NAMES = {
    _Family.EXACT: [
        "tinyint",
        "smallint",
        "integer",
        "int",
        "bigint",
        "hugeint",
        "utinyint",
        "usmallint",
        "uinteger",
        "ubigint",
        "numeric",
        "decimal",
        "number",
        "boolean",
        "bool",
        "long",
        "int2",
        "int4",
        "int8",
        "int64",
    ],
    _Family.FLOAT: ("real", "float", "float4", "float8", "float64", "double", "double precision"),
    _Family.TIME: ("date", "timestamp", "timestamp without time zone", "datetime"),
    _Family.TEXT: ("text", "varchar", "character varying", "string"),
}
_FAMILIES = {name: family for family, names in _NAMES.items() for name in names}


def find_needed_settings(part: FactPart, sources: Sources) -> tuple[str, ...]:
    """Names of the settings that an aggregate's stored values may depend on, sorted.

    Raises:
        DefinitionError: a table or column is not there.
    """
    session_settings = sources.dialect.session_settings
    if session_settings is None:
        return ()
    reached = set(_find_reaches(part, sources))
    if Reach.CALCULATIONS in reached:
        # A calculation may compare texts inside, which cannot be seen here.
        reached.add(Reach.TEXTS)
    return tuple(sorted(name for name, reach in session_settings.reach.items() if reach in reached))


def can_fail(expression: exp.Expr) -> bool:
    """Whether a calculation may be refused for some value.

    By a cast, a division, or a function that is not known here.
    """
    risky = (exp.Cast, exp.Div, exp.Mod)
    return any(isinstance(node, risky) or not isinstance(node, _PLAIN) for node in expression.walk())


def _find_reaches(part: FactPart, sources: Sources) -> Iterator[Reach]:
    for dataset in _datasets(part):
        table = sources[dataset].table
        if table is None or table.kind != "table":
            yield Reach.CALCULATIONS
        if table is None or table.kind != "table" or table.has_row_security:
            yield Reach.ROWS
    for dataset, column in _columns(part):
        yield from _reaches_of_column(column, sources[dataset])
    steps = dict.fromkeys(step for bound in part.attributes for step in bound.steps)
    pairs = (
        (sources[step.from_dataset], left, sources[step.to_dataset], right)
        for step in steps
        for left, right in zip(step.from_columns, step.to_columns, strict=True)
    )
    if not all(_compare_alike(*pair) for pair in pairs):
        yield Reach.CALCULATIONS


def _reaches_of_column(column: str, source: DatasetSource) -> Iterator[Reach]:
    """What a session's settings can change in the values of a column, or of a calculation."""
    if source.is_physical(column):
        if _family(source.data_type(column), source) in {_Family.TEXT, _Family.OTHER}:
            yield Reach.TEXTS
        return
    expression = source.column(column, "")
    if _is_session_dependent(expression, source):
        yield Reach.CALCULATIONS
    if _Family.TEXT in _families(expression, source):
        yield Reach.TEXTS


def _datasets(part: FactPart) -> Iterable[str]:
    steps = (step for bound in part.attributes for step in bound.steps)
    return dict.fromkeys(
        [part.fact, *(bound.dataset for bound in part.attributes)]
        + [name for step in steps for name in (step.from_dataset, step.to_dataset)]
    )


def _columns(part: FactPart) -> Iterable[tuple[str, str]]:
    """(dataset, column) of all that is stored or joined on."""
    columns = {(measure.dataset, measure.column): None for measure in part.measures if measure.column}
    for bound in part.attributes:
        columns |= {(bound.dataset, column): None for column in bound.columns}
        for step in bound.steps:
            columns |= {(step.from_dataset, column): None for column in step.from_columns}
            columns |= {(step.to_dataset, column): None for column in step.to_columns}
    return columns


def _compare_alike(
    left_source: DatasetSource, left_column: str, right_source: DatasetSource, right_column: str
) -> bool:
    """Whether ``=`` between two columns needs no cast that a session decides."""
    if not (left_source.is_physical(left_column) and right_source.is_physical(right_column)):
        # A calculation's own type is not known; a date against an instant would be cast.
        return not _is_zoned(left_source, left_column) and not _is_zoned(right_source, right_column)
    types = left_source.data_type(left_column), right_source.data_type(right_column)
    families = {_family(types[0], left_source), _family(types[1], right_source)}
    return types[0] == types[1] or families <= {_Family.EXACT, _Family.FLOAT} or families == {_Family.TIME}


def _is_zoned(source: DatasetSource, column: str) -> bool:
    return source.is_physical(column) and _family(source.data_type(column), source) is _Family.OTHER


def _is_session_dependent(expression: exp.Expr, source: DatasetSource) -> bool:
    """Whether a session may decide what a calculation yields.

    Texts beside dates or floating numbers are casts from or to text, which settings decide.
    """
    if not all(isinstance(node, _PLAIN) for node in expression.walk()):
        return True
    families = _families(expression, source)
    if _Family.OTHER in families:
        return True
    return _Family.TEXT in families and bool(families & {_Family.TIME, _Family.FLOAT})


def _families(expression: exp.Expr, source: DatasetSource) -> set[_Family]:
    types: Mapping[str, str] = source.table or {}
    families = {_family(types.get(node.name, ""), source) for node in expression.find_all(exp.Column)}
    families |= {_Family.TEXT for node in expression.find_all(exp.Literal) if node.is_string}
    families |= {
        _family(node.sql(dialect=source.dialect.sqlglot_name).casefold(), source)
        for node in expression.find_all(exp.DataType)
    }
    return families


def _family(data_type: str, source: DatasetSource) -> _Family:
    name = data_type.casefold().partition("(")[0].strip()
    if name == "timestamp" and source.dialect.timestamps_are_instants:
        return _Family.OTHER
    return _FAMILIES.get(name, _Family.OTHER)
