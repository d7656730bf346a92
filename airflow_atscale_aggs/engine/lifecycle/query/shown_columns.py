"""What people are told of a model's columns: where an attribute stands, and what a metric measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Attribute, Calculation, Dimension, Metric, SemanticModel
from airflow_atscale_aggs.engine.rewriting.flat_table import Meaning, SurfaceNames


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAttribute:
    """Where an attribute stands; names are those of its role, such as ``Sold Date``.

    Attributes:
        kind: ``level`` | ``secondary`` | ``alias``.
        hierarchies: those with its level.
        level: the level it hangs on; its own name for a level.
    """

    kind: str
    dimension: str
    hierarchies: tuple[str, ...]
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMetric:
    """What a metric measures.

    Attributes:
        kind: ``metric`` | ``calculation``.
        aggregation: how its values are brought together: SML's calculation method; empty: it is calculated.
        quantile: of a percentile, such as ``0.5``.
        position: of a semi-additive metric: ``first`` | ``last`` | ``first_child`` | ``last_child``; else empty.
        dataset: whose rows it measures; empty: it is calculated.
        expression: MDX of a calculated metric.
    """

    kind: str
    aggregation: str = ""
    quantile: str = ""
    position: str = ""
    dataset: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownColumn:
    """A column as people know it. ``description`` and ``folder``: empty: none."""

    label: str
    description: str
    folder: str
    origin: ShownAttribute | ShownMetric


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHierarchy:
    """A hierarchy in a role. ``levels``: names of columns, from coarse to fine; hidden ones are left out."""

    name: str
    dimension: str
    label: str
    description: str
    folder: str
    levels: tuple[str, ...]


def show_column(model: SemanticModel, meaning: Meaning) -> ShownColumn:
    """What is told of a column."""
    if isinstance(meaning, GrainAttribute):
        dimension = model.dimensions[meaning.role.dimension]
        return _show_attribute(meaning.role, dimension, dimension.attributes[meaning.name])
    origin = _origin_of_calculation(meaning) if isinstance(meaning, Calculation) else _origin_of_metric(meaning)
    return ShownColumn(label=meaning.label, description=meaning.description, folder=meaning.folder, origin=origin)


def show_columns(model: SemanticModel, perspective: str = "") -> Mapping[str, ShownColumn]:
    """The columns that a model shows, by the names that queries use; hidden ones are left out.

    The warehouse is not asked.

    Args:
        perspective: only what it shows; empty: the whole model.
    """
    names = SurfaceNames(model, JoinPaths(model), model.perspectives[perspective] if perspective else None)
    return {name: show_column(model, meaning) for name, meaning in names.unique()}


def show_hierarchies(snapshot: ModelSnapshot) -> tuple[ShownHierarchy, ...]:
    """The hierarchies of which a level is shown, by role and in the order of the model."""
    shown = {meaning: name for name, meaning in snapshot.names.unique()}
    return tuple(
        hierarchy for role in snapshot.names.roles for hierarchy in _hierarchies_of(snapshot.model, role, shown)
    )


def _hierarchies_of(model: SemanticModel, role: Role, shown: dict[Meaning, str]) -> Iterator[ShownHierarchy]:
    dimension = model.dimensions[role.dimension]
    for hierarchy in dimension.hierarchies:
        names = (shown.get(GrainAttribute(role, level)) for level in hierarchy.levels)
        levels = tuple(name for name in names if name is not None)
        if levels:
            yield ShownHierarchy(
                name=role.query_name(hierarchy.name),
                dimension=role.query_name(dimension.name),
                label=role.query_name(hierarchy.label or hierarchy.name),
                description=hierarchy.description,
                folder=hierarchy.folder,
                levels=levels,
            )


def _show_attribute(role: Role, dimension: Dimension, attribute: Attribute) -> ShownColumn:
    hierarchies = dimension.hierarchies_of(attribute.level)
    folder = attribute.folder or next((hierarchy.folder for hierarchy in hierarchies if hierarchy.folder), "")
    return ShownColumn(
        label=role.query_name(attribute.label),
        description=attribute.description,
        folder=folder,
        origin=ShownAttribute(
            kind=attribute.kind,
            dimension=role.query_name(dimension.name),
            hierarchies=tuple(role.query_name(hierarchy.name) for hierarchy in hierarchies),
            level=role.query_name(attribute.level),
        ),
    )


def _origin_of_metric(metric: Metric) -> ShownMetric:
    return ShownMetric(
        kind="metric",
        aggregation=metric.calculation_method,
        quantile=metric.quantiles[0] if len(metric.quantiles) == 1 else "",
        position=metric.semi_additive.position if metric.semi_additive is not None else "",
        dataset=metric.dataset,
    )


def _origin_of_calculation(calculation: Calculation) -> ShownMetric:
    return ShownMetric(kind="calculation", expression=calculation.expression)
