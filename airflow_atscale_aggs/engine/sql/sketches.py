"""Row estimates from sketches in the warehouse: how many groups each grain has, from one scan of the fact.

Where the dialect has an approximate distinct count, it counts hashes of the grain's columns. PostgreSQL has none: there
a HyperLogLog is computed in SQL, what its registers saw comes back (a few thousand small rows) and the estimate is made
here.

Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog" (2007): standard error 1.04 / sqrt(registers), here 1.6 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.fact_joins import JoinComposer, ProvenConstraints, join_tree
from airflow_atscale_aggs.engine.sql.row_hashes import hash_columns
from airflow_atscale_aggs.engine.sql.sources import Sources

_PRECISION = 12
REGISTERS = 1 << _PRECISION
"""Registers per sketch."""

_WORD_BITS = 64 - _PRECISION

_NATIVE_ERROR = 0.06
"""Nine of ten estimates of DuckDB's own sketch lie within this (`benchmarks/advising.py counts`); others say less."""


def sketch_error(dialect: Dialect) -> float:
    """How far an estimate may be off, as a share.

    Two standard errors of ours, what was measured for a warehouse's own.
    """
    return _NATIVE_ERROR if dialect.approx_count_distinct is not None else 2 * 1.04 / math.sqrt(REGISTERS)


def estimate_statement(parts: Sequence[FactPart], sources: Sources, constraints: ProvenConstraints) -> exp.Expr:
    """One query that scans a fact once and sketches the number of groups of every part.

    Each attribute is hashed once; parts combine the hashes of theirs.

    Returns:
        With an approximate distinct count: one row, a column per part. Otherwise rows (part number, register, least
        hash among those that the register saw).

    Args:
        parts: of one fact dataset, each with at least one attribute.
    """
    attributes = {bound.attribute: bound for part in parts for bound in part.attributes}
    tree = join_tree(parts[0].fact, attributes.values())
    hashed = exp.Select()
    _, joined = JoinComposer(sources, constraints).root(tree, hashed)
    names = {attribute: f"h{number}" for number, attribute in enumerate(attributes)}
    for attribute, bound in attributes.items():
        columns = [joined.column[bound.steps, column] for column in bound.columns]
        hashed.select(_alias_as(_hash(columns, sources.dialect), names[attribute]), copy=False)
    keys = [[_column(names[bound.attribute]) for bound in part.attributes] for part in parts]
    function = sources.dialect.approx_count_distinct
    if function is None:
        return _registers(hashed, keys)
    select = exp.Select()
    for number, columns in enumerate(keys):
        estimate = exp.Anonymous(this=function, expressions=[_combine_hashes(columns, sources.dialect)])
        select.select(_alias_as(estimate, f"g{number}"), copy=False)
    return select.from_(_subquery(hashed, "hashes"), copy=False)


def read_estimates(rows: Iterable[Sequence[object]], number_of_parts: int, dialect: Dialect) -> list[int]:
    """The number of groups of each part from the result of `estimate_statement`; at least 1 where there are rows."""
    if dialect.approx_count_distinct is not None:
        row = next(iter(rows))
        return [nearest_whole(value or 0) for value in row]
    ranks: list[dict[int, int]] = [{} for _ in range(number_of_parts)]
    for part, register, least in rows:
        # 1 + number of leading zeros; the least hash has most of them.
        ranks[nearest_whole(part)][nearest_whole(register)] = _WORD_BITS + 1 - nearest_whole(least).bit_length()
    return [round(estimate_from_registers(ranks_of_part)) for ranks_of_part in ranks]


def estimate_from_registers(ranks: dict[int, int]) -> float:
    """The HyperLogLog estimate from the greatest rank per register; registers that saw nothing are absent.

    >>> estimate_from_registers({})
    0.0
    """
    empty = REGISTERS - len(ranks)
    alpha = 0.7213 / (1 + 1.079 / REGISTERS)
    raw = alpha * REGISTERS**2 / (empty + sum(2.0**-rank for rank in ranks.values()))
    if raw <= 2.5 * REGISTERS and empty:
        return REGISTERS * math.log(REGISTERS / empty)
    return raw


def _hash(columns: Sequence[exp.Expr], dialect: Dialect) -> exp.Expr:
    """One value for a tuple of columns in which NULL differs from every value."""
    hashed = hash_columns(columns, dialect)
    if hashed is not None:
        return hashed
    text = _composite(columns)
    return text if dialect.approx_count_distinct is not None else _own_hash("HASHTEXTEXTENDED", text, _zero())


def _combine_hashes(hashes: Sequence[exp.Expr], dialect: Dialect) -> exp.Expr:
    """One value for the hashes of several attributes."""
    if len(hashes) == 1:
        return hashes[0].copy()
    return hash_columns(hashes, dialect) or _composite(hashes)


def _composite(columns: Sequence[exp.Expr]) -> exp.Expr:
    """Columns as one text in which NULL differs from every value and no two tuples look alike."""
    pieces: list[exp.Expr] = []
    for column in columns:
        text = exp.cast(column.copy(), "text")
        marked = exp.Concat(expressions=[exp.cast(exp.Length(this=text), "text"), exp.Literal.string(":"), text.copy()])
        pieces.append(exp.Coalesce(this=marked, expressions=[exp.Literal.string("-")]))
    return pieces[0] if len(pieces) == 1 else exp.Concat(expressions=pieces)


def _registers(hashed: exp.Select, keys: Sequence[Sequence[exp.Expr]]) -> exp.Expr:
    """Least hash per (part, register): the low bits choose the register, the others are the hash.

    A row becomes one per part, by two functions that yield rows in step.
    """
    words = []
    for columns in keys:
        word = columns[0].copy()
        for column in columns[1:]:
            # The hash so far is the next one's seed.
            word = _own_hash("HASHINT8EXTENDED", column.copy(), word)
        words.append(word)
    rows = exp.select(
        _alias_as(exp.Anonymous(this="UNNEST", expressions=[exp.Array(expressions=words)]), "hash"),
        _alias_as(
            exp.Anonymous(this="GENERATE_SERIES", expressions=[_zero(), exp.Literal.number(len(words) - 1)]), "part"
        ),
    ).from_(_subquery(hashed, "hashes"), copy=False)
    register = exp.BitwiseAnd(this=_column("hash"), expression=exp.Literal.number(REGISTERS - 1))
    shifted = exp.BitwiseRightShift(this=_column("hash"), expression=exp.Literal.number(_PRECISION))
    word = exp.BitwiseAnd(this=exp.Paren(this=shifted), expression=exp.Literal.number((1 << _WORD_BITS) - 1))
    select = exp.select(_column("part"), _alias_as(register, "register"), _alias_as(exp.Min(this=word), "least"))
    return select.from_(_subquery(rows, "words"), copy=False).group_by(_column("part"), register.copy(), copy=False)


def _own_hash(function: str, value: exp.Expr, seed: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=[value, seed])


def _zero() -> exp.Expr:
    return exp.Literal.number(0)


def _column(name: str) -> exp.Expr:
    return exp.column(exp.to_identifier(name, quoted=True))


def _alias_as(expression: exp.Expr, name: str) -> exp.Expr:
    return exp.Alias(this=expression, alias=exp.to_identifier(name, quoted=True))


def _subquery(select: exp.Select, name: str) -> exp.Expr:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
