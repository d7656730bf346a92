"""Calculated metrics: MDX arithmetic, comparisons, CASE, IIF and ISEMPTY as expressions over base metrics.

An empty value counts as 0 in a sum or difference, as in MDX, unless all terms are empty; division yields NULL where the
divisor is 0, and is never an integer division. A tuple of a measure and members by key, ``([Measures].[Sales],
[Promotions].[By Mail].&[Y])``, is the measure of these members; other tuples, sets and time functions are refused by name.

Source: SML reference, ``metric_calc.expression``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError, near_names
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, SemanticModel

_MEASURE = re.compile(r"\[\s*Measures\s*\]\s*\.\s*\[((?:[^\]]|\]\])+)\]", re.IGNORECASE)
_ITEM = r"(?:\[[^\]]+\]\s*\.\s*)+&?\[(?:[^\]]|\]\])+\]"
_TUPLE = re.compile(rf"\(\s*({_ITEM}(?:\s*,\s*{_ITEM})+)\s*\)")
_MEMBER = re.compile(r"^(?:\[[^\]]+\]\s*\.\s*)*\[([^\]]+)\]\s*\.\s*&\[((?:[^\]]|\]\])+)\]$")
_STRANGE = re.compile(r"\[[^\]]*\](?:\s*\.\s*&?\[[^\]]*\])*(?:\s*\.\s*\w+)?|\b[A-Za-z]+\s*\((?=[^()]*\[)")
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


Member = tuple[str, str]
"""(attribute as queries name it, key) of a tuple."""

MakeMetric = Callable[[str, tuple[Member, ...]], exp.Expression]
"""Puts a base metric in, for some members or for all."""


class CalculatedMetrics:
    """Expands calculations of one model down to base metrics. Each is parsed once."""

    def __init__(self, model: SemanticModel) -> None:
        self._model = model
        self._parsed: dict[str, tuple[exp.Expression, tuple[tuple[str, tuple[Member, ...]], ...]]] = {}
        names = (*model.metrics, *model.calculations)
        self._by_folded: Mapping[str, str] = {name.casefold(): name for name in reversed(names)}

    def expand(self, name: str, metric: MakeMetric, above: tuple[str, ...] = ()) -> exp.Expression:
        """The calculation with every base metric put in by ``metric``.

        Raises:
            UnsupportedQueryError: it is more than arithmetic, refers to nothing, or to itself.
        """
        calculation = self._model.calculations[name]
        if name in above:
            raise UnsupportedQueryError(name, "the calculated metric refers to itself", "Correct the model.")
        if name not in self._parsed:
            self._parsed[name] = self._read(calculation)
        parsed, measures = self._parsed[name]

        def value_of(node: exp.Expression) -> exp.Expression:
            if not isinstance(node, exp.Column):
                return node
            other, members = measures[int(node.name)]
            if other in self._model.metrics:
                value = metric(other, members)
            else:
                # The members hold for everything below.
                value = self.expand(other, lambda base, own: metric(base, (*members, *own)), (*above, name))
            return exp.Paren(this=value) if isinstance(value, (exp.Binary, exp.Not)) else value

        return parsed.copy().transform(value_of, copy=False)

    def _read(self, calculation: Calculation) -> tuple[exp.Expression, tuple[tuple[str, tuple[Member, ...]], ...]]:
        measures: list[tuple[str, tuple[Member, ...]]] = []

        def put(measure: str, members: tuple[Member, ...]) -> str:
            measures.append((self._known(calculation, measure.replace("]]", "]").strip()), members))
            return f'"{len(measures) - 1}"'

        def from_tuple(match: re.Match[str]) -> str:
            items = [item.strip() for item in re.findall(_ITEM, match.group(1))]
            wanted = [found.group(1) for item in items if (found := _MEASURE.fullmatch(item))]
            members = [found for item in items if (found := _MEMBER.match(item))]
            if len(wanted) != 1 or len(members) != len(items) - 1:
                return match.group(0)
            return put(wanted[0], tuple((found.group(1), found.group(2).replace("]]", "]")) for found in members))

        text = _TUPLE.sub(from_tuple, calculation.expression)
        text = _MEASURE.sub(lambda match: put(match.group(1), ()), text)
        strange = _STRANGE.search(text)
        if strange is not None:
            reason = f"its MDX `{_one_line(strange.group(0))}` is a tuple, member or set, which is not translated"
            raise _refused(calculation, reason)
        try:
            parsed = sqlglot.parse_one(text)
        except sqlglot.ParseError as error:
            raise _refused(calculation, "its MDX cannot be read as arithmetic, CASE or IIF") from error
        return _translated(parsed, calculation), tuple(measures)

    def _known(self, calculation: Calculation, name: str) -> str:
        known = name if name in self._model.metrics or name in self._model.calculations else None
        known = known or self._by_folded.get(name.casefold())
        if known is None:
            near = near_names(name, (*self._model.metrics, *self._model.calculations))
            hint = f"; near names: {', '.join(f'`{one}`' for one in near)}" if near else ""
            raise _refused(calculation, f"it refers to the metric `{name}`, which does not exist{hint}")
        return known


def _translated(parsed: exp.Expression, calculation: Calculation) -> exp.Expression:
    def node_of(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Anonymous) and node.name.casefold() == "isempty" and len(node.expressions) == 1:
            return exp.Paren(this=exp.Is(this=exp.Paren(this=node.expressions[0]), expression=exp.Null()))
        if isinstance(node, exp.Div):
            divisor = exp.Nullif(this=node.expression, expression=exp.Literal.number(0))
            return exp.Div(this=node.this, expression=divisor, typed=False, safe=False)
        return node

    parsed = _bottom_up(parsed, node_of)
    for node in parsed.walk():
        if not isinstance(node, _ALLOWED):
            raise _refused(calculation, f"its MDX has `{_one_line(node.sql())}`, which is not translated")
    return _bottom_up(parsed, _with_empty_as_zero)


def _with_empty_as_zero(node: exp.Expression) -> exp.Expression:
    """A whole chain of sums and differences, at its top: NULL only where all terms are NULL."""
    if not isinstance(node, (exp.Add, exp.Sub)) or isinstance(node.parent, (exp.Add, exp.Sub)):
        return node
    terms = list(_terms(node))
    if all(isinstance(term, exp.Literal) for term in terms):
        return node
    some = exp.Coalesce(this=terms[0].copy(), expressions=[term.copy() for term in terms[1:]])
    for term in terms:
        zero = exp.Coalesce(this=term.copy(), expressions=[exp.Literal.number(0)])
        if not isinstance(term, exp.Literal):
            term.replace(zero)
    there = exp.Not(this=exp.Is(this=some, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=there, true=node.copy())])


def _terms(node: exp.Expression) -> Iterator[exp.Expression]:
    for side in (node.args["this"], node.args["expression"]):
        if isinstance(side, (exp.Add, exp.Sub)):
            yield from _terms(side)
        else:
            yield side


def _bottom_up(root: exp.Expression, change: Callable[[exp.Expression], exp.Expression]) -> exp.Expression:
    """What a replacement contains has been changed before."""
    for node in reversed(list(root.walk())):
        made = change(node)
        if made is not node:
            if node is root:
                root = made
            else:
                node.replace(made)
    return root


def _refused(calculation: Calculation, reason: str) -> UnsupportedQueryError:
    remedy = f"Ask for its base metrics instead, or change the calculation at {calculation.where}."
    return UnsupportedQueryError(calculation.name, f"it is a calculated metric and {reason}", remedy)


def _one_line(text: str) -> str:
    return " ".join(text.split())
