"""Row estimates from sketches in the warehouse: how many groups each grain has, from one scan of the fact.

Where the dialect has an approximate distinct count, it counts hashes of the grain's columns. PostgreSQL has none: there a
HyperLogLog is computed in SQL, its registers come back (a few thousand small rows) and the estimate is made here.

Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog" (2007): standard error 1.04 / sqrt(registers), here 1.6 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.sql.dialects import Dialect
from airflow_atscale_aggs.engine.sql.joins import DataFacts, JoinComposer, join_tree
from airflow_atscale_aggs.engine.sql.sources import Sources

_PRECISION = 12
REGISTERS = 1 << _PRECISION
"""Registers per sketch."""

_HASH_BITS = 64

_NATIVE_ERROR = 0.06
"""Nine of ten estimates of DuckDB's own sketch lie within this (`benchmarks/advising.py counts`); others say less."""


def sketch_error(dialect: Dialect) -> float:
    """How far an estimate may be off, as a share: two standard errors of ours, what was measured for a warehouse's own."""
    return _NATIVE_ERROR if dialect.approx_count_distinct is not None else 2 * 1.04 / math.sqrt(REGISTERS)


def estimate_statement(parts: Sequence[FactPart], sources: Sources, facts: DataFacts) -> exp.Expression:
    """One query that scans a fact once and sketches the number of groups of every part.

    Returns:
        With an approximate distinct count: one row, a column per part. Otherwise rows (part number, register, rank).

    Args:
        parts: of one fact dataset, each with at least one attribute.
    """
    attributes = {bound.attribute: bound for part in parts for bound in part.attributes}
    tree = join_tree(parts[0].fact, attributes.values())
    select = exp.Select()
    _, joined = JoinComposer(sources, facts).root(tree, select)
    keys = [
        [joined.column[bound.steps, column] for bound in part.attributes for column in bound.columns] for part in parts
    ]
    function = sources.dialect.approx_count_distinct
    if function is None:
        return _registers(select, keys)
    for number, columns in enumerate(keys):
        counted = exp.Anonymous(this=function, expressions=[_composite(columns)])
        select.select(exp.Alias(this=counted, alias=exp.to_identifier(f"g{number}", quoted=True)), copy=False)
    return select


def read_estimates(rows: Iterable[Sequence[object]], number_of_parts: int, *, are_registers: bool) -> list[int]:
    """The number of groups of each part from the result of `estimate_statement`; at least 1 where there are rows."""
    if not are_registers:
        row = next(iter(rows))
        return [int(str(value or 0)) for value in row]
    ranks: list[dict[int, int]] = [{} for _ in range(number_of_parts)]
    for part, register, rank in rows:
        ranks[int(str(part))][int(str(register))] = int(str(rank))
    return [round(estimate_from_registers(one)) for one in ranks]


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


def _composite(columns: Sequence[exp.Expression]) -> exp.Expression:
    """Columns as one text in which NULL differs from every value and no two tuples look alike."""
    pieces: list[exp.Expression] = []
    for column in columns:
        text = exp.cast(column.copy(), "text")
        marked = exp.Concat(expressions=[exp.cast(exp.Length(this=text), "text"), exp.Literal.string(":"), text.copy()])
        pieces.append(exp.Coalesce(this=marked, expressions=[exp.Literal.string("-")]))
    return pieces[0] if len(pieces) == 1 else exp.Concat(expressions=pieces)


def _registers(select: exp.Select, keys: Sequence[Sequence[exp.Expression]]) -> exp.Expression:
    """Greatest rank per (part, register) over 64-bit hashes; the low bits choose the register, the others the rank."""
    hashes = [exp.func("HASHTEXTEXTENDED", _composite(columns), exp.Literal.number(0)) for columns in keys]
    for number, value in enumerate(hashes):
        select.select(exp.Alias(this=value, alias=exp.to_identifier(f"h{number}", quoted=True)), copy=False)
    union: exp.Expression | None = None
    for number in range(len(keys)):
        column = exp.column(exp.to_identifier(f"h{number}", quoted=True))
        one = exp.select(
            exp.Alias(this=exp.Literal.number(number), alias=exp.to_identifier("part", quoted=True)),
            exp.Alias(this=_register(column), alias=exp.to_identifier("register", quoted=True)),
            exp.Alias(this=exp.Max(this=_rank(column)), alias=exp.to_identifier("rank", quoted=True)),
        ).from_(exp.to_identifier("hashes", quoted=True))
        one.group_by(_register(column), copy=False)
        union = one if union is None else exp.Union(this=union, expression=one, distinct=False)
    if not isinstance(union, exp.Query):
        message = "There is nothing to estimate."
        raise AssertionError(message)  # noqa: TRY004 - a mistake of ours, not of a type
    return union.with_(exp.to_identifier("hashes", quoted=True), as_=select)


def _register(column: exp.Expression) -> exp.Expression:
    return exp.BitwiseAnd(this=column.copy(), expression=exp.Literal.number(REGISTERS - 1))


def _rank(column: exp.Expression) -> exp.Expression:
    """1 + number of leading zeros of the hash's upper 52 bits: 52 - floor(log2(w)), or 53 for w = 0."""
    width = _HASH_BITS - _PRECISION
    shifted = exp.BitwiseRightShift(this=column.copy(), expression=exp.Literal.number(_PRECISION))
    word = exp.Paren(this=exp.BitwiseAnd(this=exp.Paren(this=shifted), expression=exp.Literal.number((1 << width) - 1)))
    log = exp.Floor(this=exp.func("LOG", exp.Literal.number(2), exp.cast(word, "decimal")))
    found = exp.Sub(this=exp.Literal.number(width), expression=exp.cast(log, "int"))
    is_zero = exp.EQ(this=word.copy(), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=is_zero, true=exp.Literal.number(width + 1))], default=found)
