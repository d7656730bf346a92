"""Calculated metrics: which base metrics stand behind an MDX expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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
        self._named: dict[str, tuple[str, ...]] = {}
        names = (*model.metrics, *model.calculations)
        self._by_folded: Mapping[str, str] = {name.casefold(): name for name in reversed(names)}

    def of(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """(base metrics, names that do not exist, calculations in a cycle) behind a metric or calculation."""
        found: dict[str, None] = {}
        missing: dict[str, None] = {}
        cycles: dict[str, None] = {}
        seen: set[str] = set()
        # From a calculation down to what it stands on, without calls that call themselves.
        path: dict[str, Iterator[str]] = {"": iter((name,))}
        while path:
            last = next(reversed(path))
            other = next(path[last], None)
            if other is None:
                del path[last]
                continue
            known = self._known(other)
            if known is None:
                missing[other] = None
            elif known in path:
                cycles[known] = None
            elif known in self._model.metrics:
                found[known] = None
            elif known not in seen:
                seen.add(known)
                path[known] = iter(self._named_in(known))
        return tuple(found), tuple(missing), tuple(cycles)

    def _known(self, name: str) -> str | None:
        if name in self._model.metrics or name in self._model.calculations:
            return name
        return self._by_folded.get(name.casefold())

    def _named_in(self, calculation: str) -> tuple[str, ...]:
        """What the expression of a calculation names, once parsed."""
        if calculation not in self._named:
            expression = self._model.calculations[calculation].expression
            bare = (name for name in bare_names(expression) if name.casefold() in self._by_folded)
            self._named[calculation] = (*referenced_measures(expression), *bare)
        return self._named[calculation]
