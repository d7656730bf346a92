"""A first model of a warehouse as a value: what is proposed, each with its reason, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.discovery.references import LeftOut, Question, Reference
from airflow_atscale_aggs.engine.discovery.table_profiles import TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class CalculatedColumn:
    """A column that the model calculates.

    Attributes:
        sql: in PostgreSQL's words, as SML's default text is read.
    """

    name: str
    data_type: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedAttribute:
    """A level or a secondary attribute of a dimension.

    Attributes:
        keys: columns that identify a member.
        time_unit: SML's; empty: no time.
        is_unique_key: it is the dimension's own key.
        reason: may be empty for what needs none.
    """

    name: str
    keys: tuple[str, ...]
    name_column: str
    time_unit: str = ""
    is_unique_key: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProposedHierarchy:
    """Names of levels, coarse to fine."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedDimension:
    """A dimension on one table.

    Attributes:
        leaves: the level that a relationship leads to, by the columns of the key.
        is_degenerate: it is made of columns of a fact.
    """

    name: str
    table: str
    reason: str
    hierarchies: tuple[ProposedHierarchy, ...]
    levels: tuple[ProposedAttribute, ...]
    secondary: tuple[ProposedAttribute, ...] = ()
    leaves: Mapping[tuple[str, ...], str]
    is_time: bool = False
    is_degenerate: bool = False
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedRelationship:
    """A reference as a relationship of the model (from a fact), or of a dimension (from its table)."""

    name: str
    reference: Reference
    dimension: str
    level: str
    role_play: str


@dataclass(frozen=True, slots=True)
class ProposedMetric:
    """A metric of a fact."""

    name: str
    table: str
    column: str
    method: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Everything that is written.

    Attributes:
        model: its name.
        database, schema: where the tables are; empty: not said.
        tables: those that become datasets.
        calculated: columns that the model calculates, by table.
        references: all that were found; those between dimensions and calendars are not used.
        questions: columns that may lead to several tables, and that nobody decided.
    """

    model: str
    database: str
    schema: str
    tables: Mapping[str, TableProfile]
    facts: Mapping[str, str]
    dimensions: tuple[ProposedDimension, ...]
    relationships: tuple[ProposedRelationship, ...]
    embedded: Mapping[str, tuple[ProposedRelationship, ...]]
    metrics: tuple[ProposedMetric, ...]
    calculated: Mapping[str, tuple[CalculatedColumn, ...]]
    references: tuple[Reference, ...]
    questions: tuple[Question, ...]
    left_out: tuple[LeftOut, ...]
