"""Calculated metrics: MDX arithmetic, comparisons, CASE, IIF and ISEMPTY as expressions over base metrics.

An empty value counts as 0 in a sum or difference, as in MDX, unless all terms are empty. A division yields NULL where
the divisor is 0, and is never an integer division. Tuples, sets and time functions are read by `mdx_reader`. What is
put in for a base metric knows the members at which it is measured.

Source: SML reference, ``metric_calc.expression``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, SemanticModel
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculated_types import find_type_problem
from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import (
    Coordinate,
    MdxError,
    MeasureAt,
    Over,
    nesting_at_most,
    nesting_of,
    read_mdx,
)
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import resolve
from airflow_atscale_aggs.engine.sql.statements import PARSER_ERRORS

_ALLOWED = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Paren,
    exp.Neg,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Is,
    exp.Case,
    exp.If,
    exp.Abs,
    exp.Round,
    exp.Coalesce,
    exp.Nullif,
)


_IT_IS = "it is a calculated metric and "

Coordinates = tuple[Coordinate, ...]

_NUMBERED = re.compile(r'"(\d+)"')
_MOST_LEVELS = 50
"""Levels of parentheses in MDX, and of calculated metrics on each other; more could exhaust the stack."""

_MOST_IN_A_ROW = 500
"""Operators, each of which is a level of what is parsed."""

_MOST_PARTS = 20_000
"""Each term of a sum is written twice, so a calculation doubles with each calculation that it refers to."""

MakeMetric = Callable[[str, Coordinates], exp.Expr]
"""Puts a base metric in, at the coordinates of the row or at others."""


@dataclass(slots=True)
class _Room:
    """How many parts one expansion may still have."""

    remaining: int = _MOST_PARTS


@dataclass(slots=True)
class _Translated:
    """A calculation as SQL over numbered columns. Several calculations may share one.

    Attributes:
        parts: how many the tree has.
        numbers: of the columns, as often as they stand in the tree, and in its order.
    """

    tree: exp.Expr
    parts: int
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, tree: exp.Expr) -> _Translated:
        """A tree, looked through once for all calculations that share it."""
        nodes = list(tree.walk(bfs=False))
        return cls(tree, len(nodes), tuple(int(node.name) for node in nodes if isinstance(node, exp.Column)))


class CalculatedMetrics:
    """Expands calculations of one model down to base metrics. Each is parsed once."""

    def __init__(self, model: SemanticModel) -> None:
        self._model = model
        self._parsed: dict[str, tuple[_Translated, tuple[MeasureAt, ...]]] = {}
        self._translated: dict[tuple[str, tuple[bool, ...]], _Translated] = {}
        names = (*model.metrics, *model.calculations)
        self._by_folded: Mapping[str, str] = {name.casefold(): name for name in reversed(names)}

    def expand(self, name: str, metric: MakeMetric) -> exp.Expr:
        """The calculation with every base metric put in by ``metric``.

        Raises:
            UnsupportedQueryError: it is more than arithmetic, refers to nothing, or to itself, or it is too large when
                all calculations that it refers to are written out.
        """
        return self._expand(name, metric, (), _Room())

    def check(self, name: str, metric: Callable[[str, Coordinates], object]) -> None:
        """Raise as `expand` would, without writing the calculation out.

        Args:
            metric: is called for every base metric that is put in, once for each place in the MDX.
        """
        self._check(name, metric, (), _Room())

    def _expand(self, name: str, metric: MakeMetric, above: tuple[str, ...], room: _Room) -> exp.Expr:
        calculation, parsed, measures = self._open(name, above, room)

        def value_of(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column):
                return node
            measured = measures[int(node.name)]
            if measured.measure in self._model.metrics:
                value = metric(measured.measure, measured.coordinates)
            else:
                _check_no_set(calculation, measured)
                value = self._expand(
                    measured.measure, _at_coordinates(measured.coordinates, metric), (*above, name), room
                )
            return exp.Paren(this=value) if isinstance(value, (exp.Binary, exp.Not)) else value

        return parsed.tree.copy().transform(value_of, copy=False)

    def _check(
        self, name: str, metric: Callable[[str, Coordinates], object], above: tuple[str, ...], room: _Room
    ) -> None:
        calculation, parsed, measures = self._open(name, above, room)
        checked: set[int] = set()
        for number in parsed.numbers:
            measured = measures[number]
            if measured.measure not in self._model.metrics:
                _check_no_set(calculation, measured)
                self._check(measured.measure, _at_coordinates(measured.coordinates, metric), (*above, name), room)
            elif number not in checked:
                # A term of a sum is written twice.
                checked.add(number)
                metric(measured.measure, measured.coordinates)

    def _open(
        self, name: str, above: tuple[str, ...], room: _Room
    ) -> tuple[Calculation, _Translated, tuple[MeasureAt, ...]]:
        """A calculation as `_parse_once` gives it, after what its expansion must not exceed was checked."""
        calculation = self._model.calculations[name]
        if name in above:
            raise UnsupportedQueryError(name, "the calculated metric refers to itself", "Correct the model.")
        if len(above) > _MOST_LEVELS:
            raise _refusal(calculation, f"more than {_MOST_LEVELS} calculated metrics stand on each other")
        parsed, measures = self._parse_once(calculation)
        room.remaining -= parsed.parts
        if room.remaining < 0:
            raise _refusal(calculation, f"has more than {_MOST_PARTS:,} parts with all that it stands on written out")
        return calculation, parsed, measures

    def _parse_once(self, calculation: Calculation) -> tuple[_Translated, tuple[MeasureAt, ...]]:
        """The calculation as SQL over numbered columns, and what these stand for.

        Raises:
            UnsupportedQueryError: its MDX is not translated.
        """
        if calculation.name not in self._parsed:
            self._parsed[calculation.name] = self._parse(calculation)
        return self._parsed[calculation.name]

    def _parse(self, calculation: Calculation) -> tuple[_Translated, tuple[MeasureAt, ...]]:
        text = calculation.expression
        if nesting_at_most(text) > _MOST_LEVELS and nesting_of(text) > _MOST_LEVELS:
            raise _refusal(calculation, f"its MDX is nested more than {_MOST_LEVELS} levels deep")
        measures: list[MeasureAt] = []

        def put(measured: MeasureAt) -> str:
            measures.append(MeasureAt(self._metric_name(calculation, measured.measure), measured.coordinates))
            # The spaces keep it apart from its neighbours: two names that touch would be read as one.
            return f' "{len(measures) - 1}" '

        try:
            numbered = read_mdx(calculation.expression, put)
        except MdxError as error:
            reason = f"its MDX `{_one_line(str(error))}` is a tuple, member or set that is not translated"
            raise _refusal(calculation, reason) from error
        # Many calculations of a model are alike but for what they measure: shares, differences, sums of three.
        alike = (numbered, tuple(map(self._is_number, measures)))
        if alike in self._translated:
            return self._translated[alike], tuple(measures)
        translated = _Translated.of(self._translate(calculation, numbered, measures, put))
        if len(measures) == len(alike[1]):
            self._translated[alike] = translated
        return translated, tuple(measures)

    def _translate(
        self, calculation: Calculation, numbered: str, measures: list[MeasureAt], put: Callable[[MeasureAt], str]
    ) -> exp.Expr:
        """The MDX with numbers for measures as SQL. Bare names are measures too, which are put in behind the others."""
        try:
            parsed = sqlglot.parse_one(numbered)
        except PARSER_ERRORS as error:
            raise _refusal(calculation, "its MDX cannot be read as arithmetic, CASE or IIF") from error
        if _levels_of(parsed) > _MOST_IN_A_ROW:
            raise _refusal(calculation, f"its MDX has more than {_MOST_IN_A_ROW} operators in a row")
        self._put_bare_names(parsed, calculation, put)
        return _translate(parsed, calculation, measures, self._is_number)

    def _is_number(self, measured: MeasureAt) -> bool:
        """Whether a measure is surely no text: all methods but two answer numbers."""
        metric = self._model.metrics.get(measured.measure)
        return metric is not None and metric.calculation_method not in {"minimum", "maximum"}

    def _put_bare_names(self, parsed: exp.Expr, calculation: Calculation, put: Callable[[MeasureAt], str]) -> None:
        """A name without brackets is a measure's. Quoted names are the measures that were put in already."""
        for column in list(parsed.find_all(exp.Column)):
            if len(column.parts) > 1 or not isinstance(column.this, exp.Identifier):
                raise _refusal(calculation, f"`{_one_line(column.sql())}` is not translated; write [Measures].[…]")
            if not column.this.quoted:
                number = put(MeasureAt(column.name)).strip(' "')
                column.set("this", exp.to_identifier(number, quoted=True))

    def _metric_name(self, calculation: Calculation, name: str) -> str:
        existing = name if name in self._model.metrics or name in self._model.calculations else None
        existing = existing or self._by_folded.get(name.casefold())
        if existing is None:
            near = near_names(name, (*self._model.metrics, *self._model.calculations))
            hint = f"; near names: {', '.join(f'`{near_name}`' for near_name in near)}" if near else ""
            raise _refusal(calculation, f"it refers to the metric `{name}`, which does not exist{hint}")
        return existing


def _check_no_set(calculation: Calculation, measured: MeasureAt) -> None:
    """Refuse a set's value of a measure that is itself calculated."""
    if any(isinstance(coordinate, Over) for coordinate in measured.coordinates):
        raise _refusal(calculation, f"takes a set's value of `{measured.measure}`, which is itself calculated")


_Value = TypeVar("_Value")


def _at_coordinates(
    coordinates: Coordinates, metric: Callable[[str, Coordinates], _Value]
) -> Callable[[str, Coordinates], _Value]:
    """Coordinates of a calculation hold for everything below it."""
    return lambda base, own: metric(base, (*coordinates, *own))


def find_untranslatable(model: SemanticModel, names: SurfaceNames) -> Iterator[tuple[Calculation, str]]:
    """The calculations that no query will be answered for, each with the reason, which quotes the clause.

    A calculation that refers to itself, or to a metric that does not exist, is left out: reading the model reports it.
    """
    calculations, base = CalculatedMetrics(model), BaseMetrics(model)

    def check_metric(metric: str, coordinates: Coordinates) -> None:
        resolve(metric, coordinates, names)

    for name, calculation in model.calculations.items():
        _, missing, cycles = base.of(name)
        if missing or cycles:
            continue
        try:
            calculations.check(name, check_metric)
        except UnsupportedQueryError as error:
            yield calculation, error.reason.removeprefix(_IT_IS)


def _translate(
    parsed: exp.Expr,
    calculation: Calculation,
    measures: Sequence[MeasureAt],
    is_measured: Callable[[MeasureAt], bool],
) -> exp.Expr:
    def is_number(column: exp.Column) -> bool:
        return is_measured(measures[int(column.name)])

    def node_of(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.casefold() == "isempty" and len(node.expressions) == 1:
            return exp.Paren(this=exp.Is(this=exp.Paren(this=node.expressions[0]), expression=exp.Null()))
        if isinstance(node, exp.Div):
            divisor = exp.Nullif(this=node.expression, expression=exp.Literal.number(0))
            return exp.Div(this=node.this, expression=divisor, typed=False, safe=False)
        return node

    parsed = _rebuild_bottom_up(parsed, node_of)
    for node in parsed.walk():
        reason = "which is not translated" if not isinstance(node, _ALLOWED) else find_type_problem(node, is_number)
        if reason:
            clause = _NUMBERED.sub(lambda match: f"[{measures[int(match[1])].measure}]", _one_line(node.sql()))
            raise _refusal(calculation, f"its MDX has `{clause}`, {reason}")
    return _rebuild_bottom_up(parsed, _with_empty_as_zero)


def _with_empty_as_zero(node: exp.Expr) -> exp.Expr:
    """A whole chain of sums and differences, at its top: NULL only where all terms are NULL."""
    if not isinstance(node, (exp.Add, exp.Sub)) or isinstance(node.parent, (exp.Add, exp.Sub)):
        return node
    terms = list(_terms_of(node))
    if all(isinstance(term, exp.Literal) for term in terms):
        return node
    if any(isinstance(term, exp.Literal) for term in terms):
        # A literal is never empty, so the sum is not either.
        return _put_zeros(node, terms)
    some = exp.Coalesce(this=terms[0].copy(), expressions=[term.copy() for term in terms[1:]])
    there = exp.Not(this=exp.Is(this=some, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=there, true=_put_zeros(node, terms).copy())])


def _put_zeros(node: exp.Expr, terms: Sequence[exp.Expr]) -> exp.Expr:
    """The chain with 0 for terms that are empty."""
    for term in terms:
        if not isinstance(term, exp.Literal):
            term.replace(exp.Coalesce(this=term.copy(), expressions=[exp.Literal.number(0)]))
    return node


def _terms_of(node: exp.Expr) -> Iterator[exp.Expr]:
    for side in (node.args["this"], node.args["expression"]):
        if isinstance(side, (exp.Add, exp.Sub)):
            yield from _terms_of(side)
        else:
            yield side


def _levels_of(root: exp.Expr) -> int:
    """How deep an expression is, counted without recursion."""
    deepest, pending = 0, [(root, 1)]
    while pending:
        node, level = pending.pop()
        deepest = max(deepest, level)
        pending += [(child, level + 1) for child in node.iter_expressions()]
    return deepest


def _rebuild_bottom_up(root: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Change every node, the inner ones first."""
    for node in reversed(list(root.walk())):
        replacement = change(node)
        if replacement is not node:
            if node is root:
                root = replacement
            else:
                node.replace(replacement)
    return root


def _refusal(calculation: Calculation, reason: str) -> UnsupportedQueryError:
    remedy = f"Ask for its base metrics instead, or change the calculation at {calculation.where}."
    return UnsupportedQueryError(calculation.name, f"{_IT_IS}{reason}", remedy)


def _one_line(text: str) -> str:
    return " ".join(text.split())
