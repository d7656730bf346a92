"""Calculated metrics: which base metrics stand behind an MDX expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

_MEASURE = re.compile(r"\[\s*Measures\s*\]\s*\.\s*\[((?:[^\]]|\]\])+)\]", re.IGNORECASE)


def referenced_measures(expression: str) -> tuple[str, ...]:
    """The names inside ``[Measures].[…]``, in their order; each name appears once.

    >>> referenced_measures("[Measures].[Sales] / [measures].[Cost]")
    ('Sales', 'Cost')
    """
    return tuple(dict.fromkeys(match.replace("]]", "]").strip() for match in _MEASURE.findall(expression)))


_NOT_BARE = re.compile(r"\[(?:[^\]]|\]\])*\]|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_BARE = re.compile(r"(?<!\w)[^\W\d]\w*(?!\w*\s*\()")


def bare_names(expression: str) -> tuple[str, ...]:
    """The words outside brackets and texts that are no functions, in their order, each once. Measures may be named so.

    >>> bare_names("Amount * 2 + IIF([Measures].[Cost] > 0, 'Amount', Measures.Price)")
    ('Amount', 'Measures', 'Price')
    """
    return tuple(dict.fromkeys(_BARE.findall(_NOT_BARE.sub(" ", expression))))


class BaseMetrics:
    """Finds the base metrics that metrics and calculations are made of, without regard to case."""

    def __init__(self, model: SemanticModel) -> None:
        self._model = model
        self._names: dict[str, tuple[str, ...]] = {}
        names = (*model.metrics, *model.calculations)
        self._by_folded: Mapping[str, str] = {name.casefold(): name for name in reversed(names)}

    def of(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """(base metrics, names that do not exist, calculations in a cycle) behind a metric or calculation."""
        base_metrics: dict[str, None] = {}
        missing: dict[str, None] = {}
        cycles: dict[str, None] = {}
        seen: set[str] = set()
        # Walks from a calculation down to what it is made of. A stack of iterators replaces recursive calls.
        path: dict[str, Iterator[str]] = {"": iter((name,))}
        while path:
            last = next(reversed(path))
            other = next(path[last], None)
            if other is None:
                del path[last]
                continue
            full_name = self._find_name(other)
            if full_name is None:
                missing[other] = None
            elif full_name in path:
                cycles[full_name] = None
            elif full_name in self._model.metrics:
                base_metrics[full_name] = None
            elif full_name not in seen:
                seen.add(full_name)
                path[full_name] = iter(self._names_in(full_name))
        return tuple(base_metrics), tuple(missing), tuple(cycles)

    def _find_name(self, name: str) -> str | None:
        if name in self._model.metrics or name in self._model.calculations:
            return name
        return self._by_folded.get(name.casefold())

    def _names_in(self, calculation: str) -> tuple[str, ...]:
        """The names in the expression of a calculation. Each expression is parsed only once."""
        if calculation not in self._names:
            expression = self._model.calculations[calculation].expression
            bare = (name for name in bare_names(expression) if name.casefold() in self._by_folded)
            self._names[calculation] = (*referenced_measures(expression), *bare)
        return self._names[calculation]
