"""Aggregates over CASE: each branch is a metric under the branch's condition, or a number of times its rows.

    SUM(CASE WHEN c THEN "Revenue" ELSE 0 END)     COALESCE(Revenue where c, 0 * rows where not c)
    COUNT(CASE WHEN c THEN 1 END)                  rows where c
    AVG(CASE WHEN c THEN "Revenue" ELSE 0 END)     sum of the branches / count of the branches
    AVG(COALESCE("Revenue", 0))                    Revenue / rows

Source: decision 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, Metric
from airflow_atscale_aggs.engine.rewriting.flat_table import Meaning
from airflow_atscale_aggs.engine.rewriting.model_query import ROW_COUNT
from airflow_atscale_aggs.engine.rewriting.parse.aggregate_calls import (
    AS_DEFINED,
    Branch,
    branches_of,
    is_zero,
    number_of,
    split_factor,
)
from airflow_atscale_aggs.engine.sql.statements import all_of, any_of

_OF_NUMBERS = (exp.Sum, exp.Count, exp.Min, exp.Max)
_OF_ROWS = frozenset({"sum", "average", "minimum", "maximum"})
"""Calculation methods of metrics whose column has a value in each row, which functions are of."""
_REMEDY = "Write one aggregate for each condition, and calculate with them."


class Expressions(Protocol):
    """What conditions and values are converted by; see `FlatExpressions`."""

    def meaning_of(self, value: exp.Expr, clause: exp.Expr) -> Meaning | None:
        """What a column means."""

    def row_condition(self, condition: exp.Expr, clause: exp.Expr) -> exp.Expr:
        """A condition over A."""

    def measure(
        self, function: exp.Expr, meaning: Metric | Calculation, *, is_distinct: bool, only: exp.Expr | None
    ) -> exp.Expr:
        """A metric in a function."""

    def metric(self, name: str, *, method: str = AS_DEFINED, only: exp.Expr | None = None, fact: str = "") -> exp.Expr:
        """A metric."""

    def refuse(self, clause: exp.Expr, reason: str, remedy: str = "") -> None:
        """Refuse a clause by name."""


@dataclass(frozen=True, slots=True)
class _Term:
    """What an aggregate is of where a condition holds: a metric, or else a number.

    Attributes:
        factor: what the metric is multiplied by; None: nothing.
        fills_nulls: the number stands for a NULL of the other terms.
    """

    condition: exp.Expr | None
    metric: Metric | Calculation | None
    number: exp.Expr
    factor: exp.Expr | None = None
    fills_nulls: bool = False


def read_conditional(
    function: exp.Expr,
    value: exp.Expr,
    expressions: Expressions,
    clause: exp.Expr,
    *,
    only: exp.Expr | None,
) -> exp.Expr | None:
    """The aggregate over references; None where its branches name no metric, so that it may be one of attributes.

    Args:
        value: the CASE, perhaps within COALESCE.
        only: a further condition over A, of FILTER.
    """
    branches, fills_nulls = _branches(value)
    terms: list[_Term] = []
    for branch in branches:
        term = _term(branch, expressions, clause, only)
        if term is not None:
            terms.append(term)
        elif not isinstance(branch.value, exp.Null):
            return None
    if fills_nulls:
        terms[-1] = replace(terms[-1], fills_nulls=True)
    is_distinct = isinstance(function.this, exp.Distinct)
    has_metric = any(term.metric is not None for term in terms)
    kinds = (exp.Sum, exp.Count) if any(term.condition is not None for term in terms) else _OF_NUMBERS
    if not has_metric and (is_distinct or not isinstance(function, kinds) or not terms):
        return None
    return _Aggregate(function, terms, expressions, is_distinct=is_distinct).to_expression()


def _branches(value: exp.Expr) -> tuple[list[Branch], bool]:
    """Those of a CASE, and whether the last one is the 0 of COALESCE(x, 0), which stands for NULLs of the others."""
    if not isinstance(value, exp.Coalesce):
        return list(branches_of(value)), False
    zeros = [number_of(constant) for constant in value.expressions]
    if len(zeros) != 1 or zeros[0] is None or not is_zero(zeros[0]):
        return [Branch(None, value)], False
    return [*branches_of(value.this), Branch(None, zeros[0])], True


def _term(branch: Branch, expressions: Expressions, clause: exp.Expr, only: exp.Expr | None) -> _Term | None:
    value, factor = split_factor(branch.value)
    value = value.this.unnest() if isinstance(value, exp.Cast) else value
    number = number_of(branch.value)
    meaning = expressions.meaning_of(value, clause) if number is None else None
    if number is None and not isinstance(meaning, Metric | Calculation):
        return None
    own = expressions.row_condition(branch.condition, clause) if branch.condition is not None else None
    both = [operand for operand in (only, own) if operand is not None]
    condition = all_of(operand.copy() for operand in both) if both else None
    metric = meaning if isinstance(meaning, Metric | Calculation) else None
    return _Term(condition, metric, number if number is not None else exp.Null(), factor)


class _Aggregate:
    """Puts the branches of one aggregate together."""

    def __init__(
        self, function: exp.Expr, terms: Sequence[_Term], expressions: Expressions, *, is_distinct: bool
    ) -> None:
        self._function, self._expressions, self._is_distinct = function, expressions, is_distinct
        metrics = [term for term in terms if term.metric is not None]
        self._terms = [*_merge_terms(metrics), *(term for term in terms if term.metric is None)]
        facts = {term.metric.dataset for term in metrics if isinstance(term.metric, Metric)}
        self._fact = facts.pop() if len(facts) == 1 else ""
        self._filler = next((term for term in terms if term.fills_nulls), None)

    def to_expression(self) -> exp.Expr:
        """The aggregate over references."""
        self._check_factors()
        if len(self._terms) == 1 and self._terms[0].metric is not None:
            return self._measure(self._terms[0])
        if self._is_distinct:
            self._refuse("distinct values of several branches are not those of their metrics")
        if isinstance(self._function, exp.Sum):
            return self._sum()
        if self._filler is not None:
            self._check_values()
        if isinstance(self._function, exp.Count):
            terms = self._terms if self._filler is None else [self._filler]
            return _fold([self._count(term) for term in terms], _add)
        if isinstance(self._function, (exp.Min, exp.Max)):
            return _fold([self._extreme(term) for term in self._terms], self._farther)
        if isinstance(self._function, exp.Avg):
            return self._average()
        self._refuse("only SUM, COUNT, MIN, MAX and AVG are answered over several branches")
        raise AssertionError

    def _check_factors(self) -> None:
        """A sum is multiplied as its terms are; other functions are not asked."""
        scaled_terms = [term for term in self._terms if term.factor is not None]
        if scaled_terms and not (isinstance(self._function, exp.Sum) and all(map(self._is_sum, scaled_terms))):
            self._refuse("a metric that is no sum is multiplied by a number inside the function")

    def _check_values(self) -> None:
        """Whether a value is NULL is known of single rows, so it must be rows' values that are aggregated."""
        metrics = [term.metric for term in self._terms if term.metric is not None]
        if not all(isinstance(metric, Metric) and metric.calculation_method in _OF_ROWS for metric in metrics):
            self._refuse("a number takes the place of NULL in a metric that is no value of single rows")

    def _sum(self) -> exp.Expr:
        """NULL where every branch is; zeros need no adding."""
        metrics = [term for term in self._terms if term.metric is not None]
        numbers = [term for term in self._terms if term.metric is None]
        is_added = len(metrics) > 1 or any(not is_zero(term.number) for term in numbers)
        if is_added and not all(self._is_sum(term) for term in metrics):
            self._refuse("a metric that is no sum cannot be added to other branches")
        zeros = [self._times_rows(term) for term in numbers if is_zero(term.number)]
        values = [self._measure(term) for term in metrics]
        values += [self._times_rows(term) for term in numbers if not is_zero(term.number)]
        total = _null_skipping_sum(values) if values else zeros.pop(0)
        return exp.Coalesce(this=total, expressions=zeros) if zeros else total

    def _is_sum(self, term: _Term) -> bool:
        metric = term.metric
        return isinstance(metric, Metric) and metric.calculation_method in {"sum", "count non-null"}

    def _count(self, term: _Term) -> exp.Expr:
        return self._rows(term) if term.metric is None else self._measure(term)

    def _non_nulls(self, term: _Term) -> exp.Expr:
        """How many rows have a value."""
        if term.metric is None:
            return self._rows(term)
        return self._expressions.metric(term.metric.name, method="count non-null", only=term.condition)

    def _extreme(self, term: _Term) -> exp.Expr:
        if term.metric is not None:
            return self._measure(term)
        rows = self._rows(term)
        others = [other for other in self._terms if other is not term]
        if term.fills_nulls and others:
            rows = exp.Sub(this=rows, expression=exp.Paren(this=_fold(list(map(self._non_nulls, others)), _add)))
        there = exp.GT(this=rows, expression=exp.Literal.number(0))
        return exp.Case(ifs=[exp.If(this=there, true=term.number.copy())])

    def _farther(self, first: exp.Expr, second: exp.Expr) -> exp.Expr:
        """The lesser or greater of two that may be NULL."""
        kind = exp.LTE if isinstance(self._function, exp.Min) else exp.GTE
        is_first = exp.Or(
            this=kind(this=first, expression=second), expression=exp.Is(this=second.copy(), expression=exp.Null())
        )
        return exp.Case(ifs=[exp.If(this=is_first, true=first.copy())], default=second.copy())

    def _average(self) -> exp.Expr:
        """The sum of all branches by the count of all."""
        sums, counts = [], []
        for term in self._terms:
            metric = term.metric
            if metric is None:
                sums.append(self._times_rows(term))
                counts.append(self._rows(term))
                continue
            if not isinstance(metric, Metric) or metric.calculation_method not in {"sum", "average"}:
                self._refuse("the average of a metric and other branches is not answered")
            assert isinstance(metric, Metric)  # noqa: S101 - others are refused
            method = AS_DEFINED if metric.calculation_method == "sum" else "sum"
            sums.append(self._expressions.metric(metric.name, method=method, only=term.condition))
            counts.append(self._expressions.metric(metric.name, method="count non-null", only=term.condition))
        total = exp.cast(exp.Paren(this=_null_skipping_sum(sums)), "double")
        rows = _fold(counts, _add) if self._filler is None else self._rows(self._filler)
        number = exp.Nullif(this=rows, expression=exp.Literal.number(0))
        return exp.Div(this=total, expression=number, typed=False, safe=False)

    def _measure(self, term: _Term) -> exp.Expr:
        assert term.metric is not None  # noqa: S101 - asked of metrics alone
        measured = self._expressions.measure(
            self._function, term.metric, is_distinct=self._is_distinct, only=term.condition
        )
        return measured if term.factor is None else exp.Mul(this=measured, expression=term.factor.copy())

    def _rows(self, term: _Term) -> exp.Expr:
        return self._expressions.metric(ROW_COUNT, only=term.condition, fact=self._fact)

    def _times_rows(self, term: _Term) -> exp.Expr:
        """A number for each row; NULL where there is none."""
        rows = exp.Nullif(this=self._rows(term), expression=exp.Literal.number(0))
        return rows if term.number == exp.Literal.number(1) else exp.Mul(this=rows, expression=term.number.copy())

    def _refuse(self, reason: str) -> None:
        self._expressions.refuse(self._function, reason, _REMEDY)


def _merge_terms(terms: Sequence[_Term]) -> list[_Term]:
    """Merge the branches that measure one metric into one, under either condition."""
    merged: dict[tuple[Metric | Calculation | None, exp.Expr | None], _Term] = {}
    for term in terms:
        key = (term.metric, term.factor)
        before = merged.get(key)
        if before is None:
            merged[key] = term
        else:
            both = [operand.condition for operand in (before, term) if operand.condition is not None]
            merged[key] = replace(term, condition=any_of(operand.copy() for operand in both) if len(both) > 1 else None)
    return list(merged.values())


def _null_skipping_sum(values: Sequence[exp.Expr]) -> exp.Expr:
    if len(values) == 1:
        return values[0]
    some = exp.Coalesce(this=values[0].copy(), expressions=[value.copy() for value in values[1:]])
    zeros = [exp.Coalesce(this=value, expressions=[exp.Literal.number(0)]) for value in values]
    there = exp.Not(this=exp.Is(this=some, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=there, true=_fold(zeros, _add))])


def _fold(values: Sequence[exp.Expr], combine: object) -> exp.Expr:
    assert callable(combine)  # noqa: S101 - for the type checker
    total = values[0]
    for value in values[1:]:
        total = combine(total, value)
    return total


def _add(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.Add(this=left, expression=right)
