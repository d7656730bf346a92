"""Join paths: how the rows of a fact dataset reach an attribute of a dimension, in a role.

A role is (dimension, role-play template), never a relationship name. One role is joined once, even if several
relationships lead to it. These values are complete: SQL is composed from them without the SML.
"""

from __future__ import annotations

from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


class JoinKind(StrEnum):
    """What one row of the left side meets on the right side of a join."""

    UNIQUE_KEY = "unique_key"
    """The target columns are meant to be a key of the target dataset. The data must prove it."""

    COARSE_KEY = "coarse_key"
    """The target dataset is finer than the level joined at (a fact at quarter grain on a calendar of days):
    one row per key is made first, so that no measure is multiplied."""

    BRIDGE = "bridge"
    """Many-to-many: a fact row counts once for each distinct member that its bridge key leads to."""


@dataclass(frozen=True, slots=True, order=True)
class Role:
    """A dimension in one of its uses, e.g. (Date Dimension, ``Sold {0}``)."""

    dimension: str
    template: str = "{0}"

    def query_name(self, name: str) -> str:
        """The name an attribute has in this role.

        >>> Role("Date", "Sold {0}").query_name("Calendar Year")
        'Sold Calendar Year'
        """
        return self.template.replace("{0}", name)

    def embed(self, dimension: str, template: str) -> Role:
        """The role of a dimension embedded in this one: inner template first, outer last.

        >>> Role("Orders", "Web {0}").embed("Date", "Order {0}")
        Role(dimension='Date', template='Web Order {0}')
        """
        return Role(dimension, self.template.replace("{0}", template))


@dataclass(frozen=True, slots=True, order=True)
class JoinStep:
    """One join: rows of ``from_dataset`` meet rows of ``to_dataset`` where the columns are equal, pairwise.

    Attributes:
        kind: what one left row meets on the right.
        from_dataset: the fact dataset, or the target of the step before.
        from_columns: foreign key columns, in the order of ``to_columns``.
        to_dataset: the dataset joined.
        to_columns: key columns of the level joined at.
    """

    kind: JoinKind
    from_dataset: str
    from_columns: tuple[str, ...]
    to_dataset: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class GrainAttribute:
    """An attribute of a grain by meaning: role and unique name. Equal wherever the same SML is deployed."""

    role: Role
    name: str

    @property
    def query_name(self) -> str:
        """The name on the SQL surface, role-play template applied."""
        return self.role.query_name(self.name)


@dataclass(frozen=True, slots=True, order=True)
class EmptyMember:
    """The member of a dimension that facts without one are shown under: SML ``custom_empty_member``.

    Attributes:
        name: its name, as SML writes it; None: NULL, so that rows without a member are there and have no name.
        key: a value for each key column.
    """

    name: str | None
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundAttribute:
    """An attribute as one fact dataset reaches it.

    Attributes:
        attribute: what it is.
        label: for people.
        dataset: where key and name columns live: ``steps[-1].to_dataset``, or the fact itself when there are no steps
            (degenerate attribute, or a dataset that is fact and dimension at once).
        key_columns: the identity; compound keys have several.
        name_column: the display value; may be one of the key columns.
        steps: joins from the fact, in order; empty when the columns are on the fact.
        determines: unique names of attributes of the same role that the model says this one's key determines (coarser
            levels of its hierarchies and what hangs on them; its own level's secondary attributes). A claim: the data
            must prove it before it is relied upon.
        filter_empty: the hierarchy's join rule at query time: ``yes`` | ``no`` | ``always``.
        empty: the member under which rows without one are shown; None: they have none. Nothing of it is stored.
    """

    attribute: GrainAttribute
    label: str
    dataset: str
    key_columns: tuple[str, ...]
    name_column: str
    steps: tuple[JoinStep, ...] = ()
    determines: frozenset[str] = frozenset()
    filter_empty: str = "yes"
    empty: EmptyMember | None = None

    @property
    def keeps_rows(self) -> bool:
        """Whether rows without a member are part of answers that use it."""
        return self.filter_empty == "no" or self.empty is not None

    @property
    def is_many_to_many(self) -> bool:
        """True when a fact row may have several members of this attribute."""
        return any(step.kind is JoinKind.BRIDGE for step in self.steps)

    @property
    def columns(self) -> tuple[str, ...]:
        """Key columns, then the name column unless it is one of them."""
        return self.key_columns if self.name_column in self.key_columns else (*self.key_columns, self.name_column)
