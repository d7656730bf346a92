"""Verified on demand: do the aggregates that serve now agree with their facts?

A build compares what it made with the facts of its own snapshot (`compare`). Here the tables that serve are compared with
the facts of today: they may be right and behind, when the facts have changed since the build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.aggregates.verification import (
    TABLE_ROWS,
    Difference,
    GroupsQuery,
    Totals,
    Verification,
    Verified,
    differences,
)
from airflow_atscale_aggs.engine.errors import (
    DefinitionError,
    NotRegisteredError,
    PermanentWarehouseError,
    UnsupportedMetricError,
    VerificationError,
    near_names,
)
from airflow_atscale_aggs.engine.lifecycle.build.compare import Comparison, UndecidedError, compare, take_totals
from airflow_atscale_aggs.engine.lifecycle.build.plan import read_physical_tables
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.lifecycle.table_presence import describe_missing_tables, missing_tables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.derivations import combine_segments, unite_segments
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render, table
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


class Finding(StrEnum):
    """What became of one comparison."""

    AGREES = "agrees"
    BEHIND = "behind"
    """The table is as it was when it was built and verified; the facts have changed since."""

    DIFFERS = "differs"
    UNDECIDED = "undecided"
    GONE = "gone"
    """Its table, or one of its segments, is not in the warehouse."""

    UNREADABLE = "unreadable"
    """It may not be read, or a table or column of its facts is missing or may not be read: there is nothing to compare."""


_FAILURES = frozenset({Finding.BEHIND, Finding.DIFFERS, Finding.GONE, Finding.UNREADABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedInstance:
    """One aggregate that serves, compared.

    Attributes:
        differences: the measures that differ; empty unless it is ``behind`` or ``differs``.
        undecided: what could not be told, and why; also what is gone.
        not_compared: stored measures that the level does not compare.
    """

    aggregate: str
    instance_id: str
    table: str
    finding: Finding
    differences: tuple[Difference, ...] = ()
    undecided: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """All that were compared, in build order."""

    model: str
    level: VerificationLevel
    instances: tuple[VerifiedInstance, ...]

    @property
    def has_mismatch(self) -> bool:
        """True when an aggregate answers otherwise than the facts do now, or one of the two is not there to be asked."""
        return any(one.finding in _FAILURES for one in self.instances)


def verify(workspace: Workspace, model: str, *, aggregate: str | None = None, level: VerificationLevel) -> VerifyReport:
    """Compare the active instances of a model with their facts as they are now. Changes nothing.

    Table and facts are seen as of one moment where the warehouse has snapshots. The totals of a fact are taken once and
    again only when a table does not agree with them.

    Args:
        model: name or id.
        aggregate: only this one; all its parts when it has several.
        level: how far; ``off`` is taken for ``totals``.

    Raises:
        NotRegisteredError: no such model, or no active instance of that aggregate; carries near names.
        TransientWarehouseError: the warehouse could not be asked.
    """
    record = workspace.registry.model(model)
    active = workspace.registry.active_instances(record.id)
    chosen = [one for one in active if aggregate in {None, one.step.aggregate, _definition_name(workspace, one)}]
    if aggregate is not None and not chosen:
        names = [one.step.aggregate for one in active]
        raise NotRegisteredError("active instance of aggregate", aggregate, near_names(aggregate, names))
    with workspace.warehouse.session() as session:
        run = _Run(workspace, session, level, record.deployment_id, chosen)
        found = tuple(run.verified(one) for one in chosen)
    return VerifyReport(model=record.name, level=level, instances=found)


def _definition_name(workspace: Workspace, instance: InstanceRecord) -> str:
    return workspace.registry.definition(instance.step.definition_id).definition.name


class _Run:
    """Compares instances with what the newest deployment says that they are."""

    def __init__(
        self,
        workspace: Workspace,
        session: WarehouseSession,
        level: VerificationLevel,
        deployment_id: str,
        instances: Sequence[InstanceRecord],
    ) -> None:
        self._workspace, self._session, self._level = workspace, session, level
        self._gone = missing_tables(workspace.registry, session, instances)
        self._parts = {one.id: self._part(one) for one in instances}
        parts = list(self._parts.values())
        datasets = workspace.registry.datasets(deployment_id)
        physical = read_physical_tables(session, datasets, parts)
        sources = self._sources = Sources(datasets, physical, workspace.warehouse.dialect)
        self._composer = VerificationComposer(parts, sources, prove(session, parts, sources))
        self._known: dict[str, Totals] = {}

    def verified(self, instance: InstanceRecord) -> VerifiedInstance:
        """One instance, compared in one snapshot."""
        gone = self._gone.get(instance.id)
        if gone is not None:
            return _told(instance, Finding.GONE, undecided=(describe_missing_tables(gone),))
        undecided: list[str] = []
        try:
            verification = self._verification(instance, undecided)
        except UnsupportedMetricError as error:
            return _told(instance, Finding.UNDECIDED, undecided=(error.explanation,))
        except DefinitionError as error:
            return _told(instance, Finding.UNREADABLE, undecided=(error.explanation,))
        not_compared = _not_compared(self._parts[instance.id], verification)
        try:
            outcome = self._compared(instance, verification)
        except UndecidedError as error:
            undecided.append(str(error))
            finding = Finding.UNDECIDED if self._may_read(instance) else Finding.UNREADABLE
            return _told(instance, finding, undecided=tuple(undecided), not_compared=not_compared)
        except VerificationError as error:
            found = tuple(Difference(*one) for one in error.differences)
            finding = Finding.BEHIND if self._is_behind(instance, verification) else Finding.DIFFERS
            return _told(instance, finding, differences=found, not_compared=not_compared)
        if outcome.totals is not None:
            self._known[verification.facts.sql] = outcome.totals
        undecided += outcome.undecided
        finding = Finding.UNDECIDED if undecided else Finding.AGREES
        return _told(instance, finding, undecided=tuple(undecided), not_compared=not_compared)

    def _compared(self, instance: InstanceRecord, verification: Verification) -> Verified:
        """In one snapshot, under the settings that it was built under: under others the facts have other values."""
        surroundings = self._workspace.registry.surroundings(instance.batch_id)
        needed = instance.step.settings_needed or ()
        settings = {} if surroundings is None else {name: surroundings.settings.get(name, "") for name in needed}
        with self._session.apply_settings(settings), self._session.snapshot() as is_snapshot:
            return compare(self._session, self._comparison(instance, verification, is_snapshot=is_snapshot))

    def _comparison(self, instance: InstanceRecord, verification: Verification, *, is_snapshot: bool) -> Comparison:
        known = self._known.get(verification.facts.sql)
        if known is None and not is_snapshot:
            known = take_totals(self._session, verification.facts)
        is_groups = verification.groups is not None
        return Comparison(
            aggregate=instance.step.aggregate,
            verification=verification,
            level=self._level if is_groups else VerificationLevel.TOTALS,
            known=known,
            is_derived=False,
            is_snapshot=is_snapshot,
        )

    def _verification(self, instance: InstanceRecord, undecided: list[str]) -> Verification:
        """With the comparison by group when the level asks for it; why not goes to ``undecided``."""
        return self._of_tables(instance, self._tables(instance), _up_to(instance, self._segments(instance)), undecided)

    def _tables(self, instance: InstanceRecord) -> list[exp.Table]:
        """Where its rows are."""
        schema = self._workspace.registry.batch(instance.batch_id).schema
        names = [segment.table for segment in self._segments(instance)] or [instance.table or ""]
        return [table(name, schema) for name in names]

    def _may_read(self, instance: InstanceRecord) -> bool:
        try:
            for relation in self._tables(instance):
                probe = exp.select("1").from_(relation).where(exp.false())
                self._session.fetch_all(render(probe, self._workspace.warehouse.dialect))
        except PermanentWarehouseError:
            return False
        return True

    def _of_tables(
        self, instance: InstanceRecord, tables: Sequence[exp.Table], only: RowRange | None, undecided: list[str]
    ) -> Verification:
        """Of one table, or of segments together, with the fact rows that they hold."""
        part = self._parts[instance.id]
        is_one = only is None
        groups: GroupsQuery | None = None
        if self._level in {VerificationLevel.SAMPLE, VerificationLevel.FULL}:
            try:
                grouped = tables[0] if is_one else exp.Subquery(this=combine_segments(part, tables, self._sources))
                is_sample = self._level is VerificationLevel.SAMPLE
                groups = self._composer.groups_query(part, grouped, is_sample=is_sample, only=only)
            except (DefinitionError, UnsupportedMetricError) as error:
                undecided.append(f"groups were not compared: {error.explanation}")
        target = tables[0] if is_one else exp.Subquery(this=unite_segments(part, tables))
        return self._composer.verification(part, target, groups, only)

    def _segments(self, instance: InstanceRecord) -> tuple[Segment, ...]:
        return self._workspace.registry.segments_of(instance.id) if instance.step.increment is not None else ()

    def _is_behind(self, instance: InstanceRecord, verification: Verification) -> bool:
        """True when the table still agrees with the totals that it was verified against.

        Segments are behind when the settled ones agree with the facts: the others are read again by the next increment.
        """
        settled = [one for one in self._segments(instance) if one.is_settled]
        if settled:
            schema = self._workspace.registry.batch(instance.batch_id).schema
            tables = [table(one.table, schema) for one in settled]
            of_settled = self._of_tables(instance, tables, _up_to(instance, settled), [])
            try:
                self._compared(instance, of_settled)
            except (VerificationError, UndecidedError):
                return False
            return True
        recorded = self._workspace.registry.verification_of(instance.id, instance.attempt)
        names = set(verification.table.names) - {TABLE_ROWS}
        if recorded is None or recorded.totals is None or not names <= recorded.totals.keys():
            return False
        try:
            now = take_totals(self._session, verification.facts)
        except UndecidedError:
            return False
        of_table = take_totals(self._session, verification.table)
        is_as_built = not differences(verification, recorded.totals, of_table)
        return is_as_built and bool(differences(verification, now, of_table))

    def _part(self, instance: InstanceRecord) -> FactPart:
        definition = self._workspace.registry.definition(instance.step.definition_id).definition
        return next(part for part in definition.parts if part.fact == instance.step.fact)


def _up_to(instance: InstanceRecord, segments: Sequence[Segment]) -> RowRange | None:
    """The fact rows that segments were made from; None for one table, which holds all."""
    if instance.step.increment is None or not segments:
        return None
    indicator = instance.step.increment.indicator
    return RowRange(column=indicator.column, kind=indicator.kind, through=segments[-1].through)


def _not_compared(part: FactPart, verification: Verification) -> tuple[str, ...]:
    compared = {*verification.table.names, *(verification.groups.measures if verification.groups else ())}
    return tuple(str(measure) for measure in part.measures if str(measure) not in compared)


def _told(
    instance: InstanceRecord,
    finding: Finding,
    *,
    differences: tuple[Difference, ...] = (),
    undecided: tuple[str, ...] = (),
    not_compared: tuple[str, ...] = (),
) -> VerifiedInstance:
    return VerifiedInstance(
        aggregate=instance.step.aggregate,
        instance_id=instance.id,
        table=instance.table or "",
        finding=finding,
        differences=differences,
        undecided=undecided,
        not_compared=not_compared,
    )
