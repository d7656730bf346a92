"""The resolved model: immutable values whose references are resolved. `resolving.ModelResolver` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.paths import EmptyMember, GrainAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class DegenerateColumns:
    """Columns of one fact dataset behind a shared degenerate attribute."""

    dataset: str
    key_columns: tuple[str, ...]
    name_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A level attribute, secondary attribute or alias of a dimension.

    Attributes:
        kind: ``level`` | ``secondary`` | ``alias``.
        level: the level it hangs on; its own name for a level attribute.
        is_unique_key: SML's claim that a key stands in one row only.
        shared: one entry per fact for shared degenerate attributes; dataset and columns are then empty.
        empty: the member of facts that have none; None: they have none.
        is_aggregatable: False: there is no member that stands for all others, so they are never added up.
        is_hidden: not among the columns that tools list; it can be asked for by name.
        description, folder: for people; empty: none.
    """

    name: str
    label: str
    kind: str
    level: str
    dataset: str = ""
    key_columns: tuple[str, ...] = ()
    name_column: str = ""
    is_unique_key: bool = False
    shared: tuple[DegenerateColumns, ...] = ()
    exclude_from_dim_agg: bool = False
    exclude_from_fact_agg: bool = False
    empty: EmptyMember | None = None
    is_aggregatable: bool = True
    is_hidden: bool = False
    description: str = ""
    folder: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultMember:
    """The member that a query on a hierarchy's facts is about when it names no level of the hierarchy.

    Attributes:
        expression: MDX, such as ``[Product].[Products].[Group].&[1]``.
        only_when_in_query: it counts in queries that use the dimension otherwise.
    """

    expression: str
    only_when_in_query: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Levels from coarse to fine.

    Attributes:
        filter_empty: ``yes`` | ``no`` | ``always``.
        parallel_periods: by (level, ancestor level): columns with the key of the member one ancestor earlier.
        label: for people; empty: as the name.
        description, folder: for people; empty: none.
    """

    name: str
    levels: tuple[str, ...]
    label: str = ""
    description: str = ""
    folder: str = ""
    filter_empty: str = "yes"
    parallel_periods: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    default_member: DefaultMember | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRelationship:
    """An edge inside a dimension (``snowflake``) or to another one (``embedded``).

    Attributes:
        from_level: the level whose rows carry the foreign key; empty when SML does not say.
        dimension: the target of an embedded edge; the dimension itself for a snowflake edge.
        template: role-play template, ``{0}`` when none.
    """

    name: str
    kind: str
    from_dataset: str
    from_columns: tuple[str, ...]
    from_level: str
    dimension: str
    level: str
    template: str
    is_many_to_many: bool
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A dimension with all its attributes by name."""

    name: str
    label: str
    is_degenerate: bool
    hierarchies: tuple[Hierarchy, ...]
    attributes: Mapping[str, Attribute]
    relationships: tuple[DimensionRelationship, ...]
    where: str = ""

    def hierarchies_of(self, level: str) -> tuple[Hierarchy, ...]:
        """The hierarchies that contain a level."""
        return tuple(hierarchy for hierarchy in self.hierarchies if level in hierarchy.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiAdditive:
    """A metric that is taken from one member of a dimension, such as the last day of a period.

    Attributes:
        position: ``first`` | ``last`` | ``first_child`` | ``last_child``.
        relationships: by unique name; paths through embedded dimensions are several names.
        degenerate_dimensions: dimensions on fact columns.
    """

    position: str
    relationships: tuple[tuple[str, ...], ...] = ()
    degenerate_dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, or a metrical attribute of a dimension (``dimension`` is then set).

    Attributes:
        quantiles: of a ``percentile``, as decimal numbers from 0 to 1, lowest first: ``("0.25", "0.5", "0.75")``.
        description, folder: for people; empty: none.
    """

    name: str
    label: str
    calculation_method: str
    dataset: str
    column: str
    semi_additive: SemiAdditive | None = None
    dimension: str = ""
    unrelated_dimensions_handling: str = ""
    compression: int | None = None
    quantiles: tuple[str, ...] = ()
    is_hidden: bool = False
    description: str = ""
    folder: str = ""
    where: str = ""

    @property
    def is_semi_additive(self) -> bool:
        """Whether it does not add up over some dimension."""
        return self.semi_additive is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """A calculated metric: never stored; its base metrics are.

    Attributes:
        aggregate_function: how MDX's ``Aggregate`` brings its values together, in lower case; empty when SML does not
            say.
        description, folder: for people; empty: none.
    """

    name: str
    label: str
    expression: str
    aggregate_function: str = ""
    is_hidden: bool = False
    description: str = ""
    folder: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationGroup:
    """Calculations as members of a dimension. Queries cannot use them yet; the names serve to refuse them by name."""

    name: str
    label: str
    dimension: str
    members: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perspective:
    """A model of which a part is hidden.

    Attributes:
        metrics: hidden metrics and calculations.
        attributes: hidden attributes, as (dimension, attribute).
        roles: by dimension: role-play templates in which alone it is hidden; all when it is not there.
    """

    name: str
    metrics: frozenset[str]
    attributes: frozenset[tuple[str, str]]
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    where: str = ""

    def hides(self, attribute: GrainAttribute) -> bool:
        """Whether an attribute, in its role, is no part of what it shows."""
        role = attribute.role
        is_meant = role.template in self.roles.get(role.dimension, {role.template})
        return is_meant and (role.dimension, attribute.name) in self.attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """From a fact dataset to a level of a dimension, in a role."""

    name: str
    from_dataset: str
    from_columns: tuple[str, ...]
    dimension: str
    level: str
    template: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAttribute:
    """An attribute as a user-defined aggregate names it."""

    name: str
    dimension: str
    path: tuple[str, ...]
    partition: str
    row_security: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAggregate:
    """A user-defined aggregate as written in the model."""

    name: str
    label: str
    metrics: tuple[str, ...]
    attributes: tuple[DeclaredAttribute, ...]
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSecurity:
    """A row security object: a dataset that says who sees which keys.

    Attributes:
        dataset: a row for each user or group and each key that is seen.
        ids_column: its users or groups.
        id_type: ``user`` | ``group``.
        scope: ``all`` | ``fact`` | ``related`` | ``fact-only``: the queries that it is applied to.
        secure_totals: it restricts totals also where the query does not name what is secured.
    """

    name: str
    dataset: str
    filter_key_column: str
    ids_column: str
    id_type: str
    scope: str
    secure_totals: bool = True
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityLink:
    """A relationship to row security: rows of a dataset are seen by whoever sees the key in a column.

    Attributes:
        dimension: whose relationship it is; empty for one of the model.
    """

    name: str
    dataset: str
    column: str
    row_security: str
    dimension: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticModel:
    """One model, or composite model, with everything it refers to.

    Attributes:
        connection: ``as_connection`` of the SML connection that most of its facts use: the warehouse connection's name.
        metrics: all of the folder, since calculations may stand on any, and metrical attributes of its dimensions.
        quantiles: each quantile of each percentile metric as a metric of its own, by the name that queries use.
        listed: names of the metrics and calculations that the model lists.
        degenerate_dimensions: dimensions on fact columns, listed in the model.
        query_names: SML ``overrides``: unique name to the name on the query surface.
        calculation_groups: of the dimensions that it reaches.
        perspectives: by name.
        row_securities: by name: those that a link leads to, and those that no link of the whole folder leads to.
        security_links: of the model itself and of the dimensions that it reaches.
        defaulted: dimensions with a default member.
        not_added_up: (dimension, attribute) of attributes without a member that stands for all others.
        description: for people; empty: none.
        folder: where its file is, such as ``sales/europe``, see `model_folders.folder_of`.
    """

    catalog: str
    name: str
    label: str
    connection: str | None
    datasets: Mapping[str, Dataset]
    dimensions: Mapping[str, Dimension]
    metrics: Mapping[str, Metric]
    calculations: Mapping[str, Calculation]
    relationships: tuple[Relationship, ...]
    degenerate_dimensions: tuple[str, ...]
    aggregates: tuple[DeclaredAggregate, ...]
    row_securities: Mapping[str, RowSecurity] = field(default_factory=dict)
    security_links: tuple[SecurityLink, ...] = ()
    query_names: Mapping[str, str] = field(default_factory=dict)
    is_composite: bool = False
    build_speculative_aggs: bool = False
    listed: tuple[str, ...] = ()
    quantiles: Mapping[str, Metric] = field(default_factory=dict)
    calculation_groups: tuple[CalculationGroup, ...] = ()
    perspectives: Mapping[str, Perspective] = field(default_factory=dict)
    defaulted: frozenset[str] = frozenset()
    not_added_up: frozenset[tuple[str, str]] = frozenset()
    description: str = ""
    folder: str = ""
    where: str = ""

    def metric(self, name: str) -> Metric | None:
        """A metric, or one quantile of one, as queries name it; None when there is none of that name."""
        return self.metrics.get(name) or self.quantiles.get(name)

    @property
    def is_secured(self) -> bool:
        """Whether it depends on who asks which rows there are."""
        return bool(self.row_securities or self.security_links)

    @property
    def fact_datasets(self) -> tuple[str, ...]:
        """Datasets that relationships start from or that metrics live on, sorted."""
        own = {metric.dataset for metric in self.metrics.values() if not metric.dimension}
        return tuple(sorted({relationship.from_dataset for relationship in self.relationships} | own))
