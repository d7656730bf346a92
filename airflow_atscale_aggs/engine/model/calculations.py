"""Calculated metrics: which base metrics stand behind an MDX expression."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

_MEASURE = re.compile(r"\[\s*Measures\s*\]\s*\.\s*\[((?:[^\]]|\]\])+)\]", re.IGNORECASE)


def referenced_measures(expression: str) -> tuple[str, ...]:
    """Names inside ``[Measures].[…]``, in order, each once.

    >>> referenced_measures("[Measures].[Sales] / [measures].[Cost]")
    ('Sales', 'Cost')
    """
    return tuple(dict.fromkeys(match.replace("]]", "]").strip() for match in _MEASURE.findall(expression)))


_NOT_BARE = re.compile(r"\[(?:[^\]]|\]\])*\]|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_BARE = re.compile(r"[^\W\d]\w*(?!\w*\s*\()")


def bare_names(expression: str) -> tuple[str, ...]:
    """Words outside brackets and texts that are no functions, in order, each once; measures may be named so.

    >>> bare_names("Amount * 2 + IIF([Measures].[Cost] > 0, 'Amount', Measures.Price)")
    ('Amount', 'Measures', 'Price')
    """
    return tuple(dict.fromkeys(_BARE.findall(_NOT_BARE.sub(" ", expression))))


class BaseMetrics:
    """Looks up what metrics and calculations stand on, without regard to case."""

    def __init__(self, model: SemanticModel) -> None:
        self._model = model
        names = (*model.metrics, *model.calculations)
        self._by_folded: Mapping[str, str] = {name.casefold(): name for name in reversed(names)}

    def of(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """(base metrics, names that do not exist, calculations in a cycle) behind a metric or calculation."""
        found: dict[str, None] = {}
        missing: dict[str, None] = {}
        cycles: dict[str, None] = {}
        self._expand(name, (), found, missing, cycles)
        return tuple(found), tuple(missing), tuple(cycles)

    def _expand(
        self,
        name: str,
        above: tuple[str, ...],
        found: dict[str, None],
        missing: dict[str, None],
        cycles: dict[str, None],
    ) -> None:
        known = (
            name
            if name in self._model.metrics or name in self._model.calculations
            else self._by_folded.get(name.casefold())
        )
        if known is None:
            missing[name] = None
        elif known in above:
            cycles[known] = None
        elif known in self._model.metrics:
            found[known] = None
        else:
            expression = self._model.calculations[known].expression
            bare = (name for name in bare_names(expression) if name.casefold() in self._by_folded)
            for other in (*referenced_measures(expression), *bare):
                self._expand(other, (*above, known), found, missing, cycles)
