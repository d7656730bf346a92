"""The flat table's columns: which name means which attribute, metric or calculation of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from airflow_atscale_aggs.engine.errors import (
    AmbiguousColumnError,
    UnknownColumnError,
    UnsupportedQueryError,
    near_names,
)
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, Metric, Perspective, SemanticModel

Meaning = GrainAttribute | Metric | Calculation


class FlatNames(Protocol):
    """The columns of a flat table."""

    def find(self, name: str, clause: Callable[[], str] = str) -> Meaning:
        """What a column name means. Raises as `SurfaceNames.find`."""

    def has(self, name: str) -> bool:
        """True when it means something, or several things."""

    def spells(self, name: str) -> bool:
        """True when it means something as it is written, in this very case."""


class SurfaceNames:
    """Looks names up: unique names first, then labels, then both without regard to case.

    Role-play templates and SML's overrides are applied. A hidden attribute or metric is not listed, but a query may
    name it. What a perspective hides has no name in that perspective.

    Attributes:
        everything: the names of the whole model, which calculations know also in a perspective.
    """

    def __init__(self, model: SemanticModel, paths: JoinPaths, perspective: Perspective | None = None) -> None:
        self.model = model
        self.everything = self if perspective is None else SurfaceNames(model, paths)
        # Dictionaries as ordered sets: two facts reach one attribute, which is one meaning.
        self._unique: dict[str, dict[Meaning, None]] = {}
        self._labels: dict[str, dict[Meaning, None]] = {}
        roles: set[Role] = set()
        seen: set[GrainAttribute] = set()
        for fact in model.fact_datasets:
            for attribute, bound in paths.attributes_of(fact).items():
                if attribute in seen:
                    # Another fact has it under the same names.
                    continue
                seen.add(attribute)
                roles.add(attribute.role)
                if perspective is not None and perspective.hides(attribute):
                    continue
                shown = model.query_names.get(attribute.name, attribute.name)
                self._unique.setdefault(attribute.role.query_name(shown), {})[attribute] = None
                self._labels.setdefault(bound.label, {})[attribute] = None
        measures: list[Metric | Calculation] = [*model.metrics.values(), *model.calculations.values()]
        measures += model.quantiles.values()
        for metric in measures:
            if perspective is not None and metric.name in perspective.metrics:
                continue
            self._unique.setdefault(model.query_names.get(metric.name, metric.name), {})[metric] = None
            self._labels.setdefault(metric.label, {})[metric] = None
        self.roles = tuple(sorted(roles))
        self._roles_by_name: dict[str, list[Role]] | None = None
        self._folded: tuple[dict[str, dict[Meaning, None]], ...] = ()

    def find(self, name: str, clause: Callable[[], str] = str) -> Meaning:
        """What a column name means.

        Args:
            clause: gives the clause in which it stands, for the message.

        Raises:
            UnknownColumnError: nothing has that name; carries near names.
            UnsupportedQueryError: it is a calculation group.
            AmbiguousColumnError: several things have it.
        """
        for meanings in self._stages(name):
            if meanings:
                if len(meanings) > 1:
                    raise AmbiguousColumnError(self.model.name, name, [_describe(meaning) for meaning in meanings])
                return next(iter(meanings))
        self._check_groups(name)
        near = near_names(name, self._shown_names())
        raise UnknownColumnError(self.model.name, name, clause(), near)

    def _check_groups(self, name: str) -> None:
        """Refuse a calculation group, or a member of one, by name."""
        folded = name.casefold()
        for group in self.model.calculation_groups:
            if folded in {group_name.casefold() for group_name in (group.name, group.label, *group.members)}:
                what = f"the calculation group `{group.name}` ({group.where})"
                reason = f"it is {what}, or a member of it, which is not applied"
                raise UnsupportedQueryError(name, reason, "Ask for a calculated metric that says the same.")

    def has(self, name: str) -> bool:
        """True when the name has one meaning or several."""
        return any(self._stages(name))

    def spells(self, name: str) -> bool:
        """True when it is a unique name or a label, in this very case."""
        return name in self._unique or name in self._labels

    def roles_named(self, name: str) -> Sequence[Role]:
        """The roles whose dimension has this name or label in them, without regard to case."""
        if self._roles_by_name is None:
            # Only calculations ask for roles, and then many of them do.
            self._roles_by_name = {}
            for role in self.roles:
                dimension = self.model.dimensions[role.dimension]
                for shown in {role.query_name(each).casefold() for each in (dimension.name, dimension.label)}:
                    self._roles_by_name.setdefault(shown, []).append(role)
        return self._roles_by_name.get(name.casefold(), ())

    def _stages(self, name: str) -> Iterator[dict[Meaning, None] | None]:
        """Meanings of a name, by ever looser ways to compare it."""
        yield self._unique.get(name)
        yield self._labels.get(name)
        folded = name.casefold()
        if not self._folded:
            # Most names are spelled as the model spells them. Threads that plan queries see none or both.
            self._folded = (_fold_names(self._unique), _fold_names(self._labels))
        for stage in self._folded:
            yield stage.get(folded)

    def unique(self) -> Iterator[tuple[str, Meaning]]:
        """Unique names that mean one thing and are not hidden, attributes first."""
        for name, meanings in self._unique.items():
            meaning = next(iter(meanings))
            if len(meanings) == 1 and not self._is_hidden(meaning):
                yield name, meaning

    def _is_hidden(self, meaning: Meaning) -> bool:
        if isinstance(meaning, GrainAttribute):
            return self.model.dimensions[meaning.role.dimension].attributes[meaning.name].is_hidden
        return meaning.is_hidden

    def _shown_names(self) -> Iterator[str]:
        """Unique names and labels of what is not hidden: nobody is told of the rest."""
        for names in (self._unique, self._labels):
            yield from (name for name, meanings in names.items() if not all(map(self._is_hidden, meanings)))


def _fold_names(names: dict[str, dict[Meaning, None]]) -> dict[str, dict[Meaning, None]]:
    folded: dict[str, dict[Meaning, None]] = {}
    for name, meanings in names.items():
        folded.setdefault(name.casefold(), {}).update(meanings)
    return folded


def _describe(meaning: Meaning) -> str:
    if isinstance(meaning, GrainAttribute):
        return f"attribute `{meaning.query_name}` of dimension `{meaning.role.dimension}`"
    return f"{'metric' if isinstance(meaning, Metric) else 'calculated metric'} `{meaning.name}`"
