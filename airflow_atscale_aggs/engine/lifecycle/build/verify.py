"""Verify on demand whether the aggregates that serve now agree with their facts.

A build compares its table with the facts of its own snapshot (`compare`). This module compares the tables that serve
with the facts of today. A table may be right and yet behind, when the facts have changed since the build.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
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
    """It may not be read, or a table or column of its facts is missing or may not be read.

    There is nothing to compare.
    """


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
    """All compared instances, in build order."""

    model: str
    level: VerificationLevel
    instances: tuple[VerifiedInstance, ...]

    @property
    def has_mismatch(self) -> bool:
        """True when an aggregate answers otherwise than the facts do now, or one of the two cannot be asked."""
        return any(result.finding in _FAILURES for result in self.instances)


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
    record = workspace.read.models.get(model)
    active = workspace.read.instances.serving(record.id)
    chosen = [
        instance
        for instance in active
        if aggregate in {None, instance.step.aggregate, _definition_name(workspace, instance)}
    ]
    if aggregate is not None and not chosen:
        names = [instance.step.aggregate for instance in active]
        raise NotRegisteredError("active instance of aggregate", aggregate, near_names(aggregate, names))
    with workspace.warehouse.session() as session:
        run = _Run(workspace, session, level, record.deployment_id, chosen)
        instances = tuple(run.verify_instance(instance) for instance in chosen)
    return VerifyReport(model=record.name, level=level, instances=instances)


def _definition_name(workspace: Workspace, instance: InstanceRecord) -> str:
    return workspace.read.definitions.get(instance.step.definition_id).definition.name


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
        self._gone = missing_tables(workspace.read, session, instances)
        self._parts = {instance.id: self._part(instance) for instance in instances}
        parts = list(self._parts.values())
        datasets = workspace.read.models.datasets(deployment_id)
        physical = read_physical_tables(session, datasets, parts)
        sources = self._sources = Sources(datasets, physical, workspace.warehouse.dialect)
        self._composer = VerificationComposer(parts, sources, prove(session, parts, sources))
        self._totals_by_query: dict[str, Totals] = {}

    def verify_instance(self, instance: InstanceRecord) -> VerifiedInstance:
        """One instance, compared in one snapshot."""
        missing = self._gone.get(instance.id)
        if missing is not None:
            return _make_result(instance, Finding.GONE, undecided=(describe_missing_tables(missing),))
        undecided: list[str] = []
        try:
            verification = self._verification(instance, undecided)
        except UnsupportedMetricError as error:
            return _make_result(instance, Finding.UNDECIDED, undecided=(error.explanation,))
        except DefinitionError as error:
            return _make_result(instance, Finding.UNREADABLE, undecided=(error.explanation,))
        not_compared = _uncompared_measures(self._parts[instance.id], verification)
        try:
            outcome = self._compare(instance, verification)
        except UndecidedError as error:
            undecided.append(str(error))
            finding = Finding.UNDECIDED if self._can_read(instance) else Finding.UNREADABLE
            return _make_result(instance, finding, undecided=tuple(undecided), not_compared=not_compared)
        except VerificationError as error:
            found_differences = tuple(Difference(*difference) for difference in error.differences)
            finding = Finding.BEHIND if self._is_behind(instance, verification) else Finding.DIFFERS
            return _make_result(instance, finding, differences=found_differences, not_compared=not_compared)
        if outcome.totals is not None:
            self._totals_by_query[verification.facts.sql] = outcome.totals
        undecided += outcome.undecided
        finding = Finding.UNDECIDED if undecided else Finding.AGREES
        return _make_result(instance, finding, undecided=tuple(undecided), not_compared=not_compared)

    def _compare(self, instance: InstanceRecord, verification: Verification) -> Verified:
        """Compare in one snapshot, under the settings of the build.

        Under other settings the facts may have other values.
        """
        surroundings = self._workspace.read.batches.surroundings(instance.batch_id)
        needed = instance.step.settings_needed or ()
        settings = (
            {} if surroundings is None else {setting: surroundings.settings.get(setting, "") for setting in needed}
        )
        reading = (*instance.step.of_attempt(instance.attempt).reads_of_facts, verification.facts.sql)
        with self._session.apply_settings(settings), self._session.snapshot(reading) as is_snapshot:
            return compare(self._session, self._comparison(instance, verification, is_snapshot=is_snapshot))

    def _comparison(self, instance: InstanceRecord, verification: Verification, *, is_snapshot: bool) -> Comparison:
        totals = self._totals_by_query.get(verification.facts.sql)
        if totals is None and not is_snapshot:
            totals = take_totals(self._session, verification.facts)
        is_groups = verification.groups is not None
        return Comparison(
            aggregate=instance.step.aggregate,
            verification=verification,
            level=self._level if is_groups else VerificationLevel.TOTALS,
            earlier_totals=totals,
            is_derived=False,
            is_snapshot=is_snapshot,
        )

    def _verification(self, instance: InstanceRecord, undecided: list[str]) -> Verification:
        """With the comparison by group when the level asks for it; why not goes to ``undecided``."""
        return self._of_tables(instance, self._tables(instance), _up_to(instance, self._segments(instance)), undecided)

    def _tables(self, instance: InstanceRecord) -> list[exp.Table]:
        """The tables that hold its rows."""
        schema = self._workspace.read.batches.get(instance.batch_id).schema
        names = [segment.table for segment in self._segments(instance)] or [instance.table or ""]
        return [table(table_name, schema) for table_name in names]

    def _can_read(self, instance: InstanceRecord) -> bool:
        try:
            for relation in self._tables(instance):
                probe = exp.select("1").from_(relation).where(exp.false())
                self._session.fetch_all(render(probe, self._workspace.warehouse.dialect))
        except PermanentWarehouseError:
            return False
        return True

    def _of_tables(
        self, instance: InstanceRecord, tables: Sequence[exp.Table], only: tuple[RowRange, ...], undecided: list[str]
    ) -> Verification:
        """Of one table, or of segments together, with the fact rows that they hold."""
        part = self._parts[instance.id]
        is_one = not only
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
        return self._workspace.read.instances.segments(instance.id) if instance.step.increment is not None else ()

    def _is_behind(self, instance: InstanceRecord, verification: Verification) -> bool:
        """True when the table still agrees with the totals that it was verified against.

        Segments are behind when the settled ones agree with the facts: the others are read again by the next increment.
        """
        settled = [segment for segment in self._segments(instance) if segment.is_settled]
        if settled:
            schema = self._workspace.read.batches.get(instance.batch_id).schema
            tables = [table(segment.table, schema) for segment in settled]
            of_settled = self._of_tables(instance, tables, _up_to(instance, settled), [])
            try:
                self._compare(instance, of_settled)
            except (VerificationError, UndecidedError):
                return False
            return True
        recorded = self._workspace.read.attempts.verification(instance.id, instance.attempt)
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
        definition = self._workspace.read.definitions.get(instance.step.definition_id).definition
        return next(part for part in definition.parts if part.fact == instance.step.fact)


def _up_to(instance: InstanceRecord, segments: Sequence[Segment]) -> tuple[RowRange, ...]:
    """The fact rows that segments were made from; none for one table, which holds all."""
    if instance.step.increment is None or not segments:
        return ()
    indicator = instance.step.increment.indicator
    return (RowRange(column=indicator.column, kind=indicator.kind, through=segments[-1].through),)


def _uncompared_measures(part: FactPart, verification: Verification) -> tuple[str, ...]:
    compared = {*verification.table.names, *(verification.groups.measures if verification.groups else ())}
    return tuple(str(measure) for measure in part.measures if str(measure) not in compared)


def _make_result(
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
