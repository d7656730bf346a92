"""Turns definitions into the ordered and rendered steps of a batch.

The lattice decides which aggregates can be derived from which others. The build chooses among the possible sources,
because it knows real row counts. Sources that are expected to be dearer than the facts are left out. A part that cannot
be built here is refused by name; the other parts are built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TypeGuard

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import (
    SOURCE_ATTEMPT,
    TARGET_ATTEMPT,
    BuildStep,
    RowsBetween,
    SourceOption,
)
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Derivation, derivation
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.aggregates.verification import Verification
from airflow_atscale_aggs.engine.errors import DefinitionError, NotMeasurableError, UnsupportedMetricError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan, RefusedPart
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.planning.increments import refusal
from airflow_atscale_aggs.engine.planning.ordering import (
    Waiting,
    derivability_order,
    nearest_sources,
    priority,
    without_cycles,
)
from airflow_atscale_aggs.engine.planning.root_forms import FormInput, RootForm, choose_form
from airflow_atscale_aggs.engine.planning.segment_steps import SegmentComposer, SegmentContext
from airflow_atscale_aggs.engine.planning.source_limits import dearer_rows
from airflow_atscale_aggs.engine.settings import Settings, VerificationLevel
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.dependence import find_needed_settings
from airflow_atscale_aggs.engine.sql.derivations import select_from_instance
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.member_codes import select_by_codes
from airflow_atscale_aggs.engine.sql.physical_names import instance_table, view_names
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import (
    RenderedOnce,
    analyze_table,
    count_rows,
    create_table_as,
    drop_table,
    drop_view,
    render,
    render_last,
    table,
    view_statements,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A part of a definition that the batch may build.

    Attributes:
        defined_at: when the definition appeared.
        last_rows: rows of its newest built instance; None before the first.
    """

    definition: AggregateDefinition
    part: FactPart
    defined_at: datetime
    last_rows: int | None = None

    @property
    def name(self) -> str:
        """The aggregate for people, with the fact when it has several."""
        return self.definition.part_name(self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningInput:
    """Everything a plan depends on.

    Attributes:
        constraints: what the data has proven: unique keys and functional dependencies.
        estimates: rows by (definition id, fact), from sketches; empty when none were asked for.
        decisions: how aggregates of facts with an indicator are built, by (definition id, fact); others are one table.
        new_id: gives instance ids.
        surroundings: kept with the batch.
        rows: of tables by dataset, as the catalog estimates them; none where nobody asked.
        refusals: why the warehouse cannot compute a part, by (definition id, fact).
        slices_through: number of the last slice that had been named before anything was read.
    """

    model: str
    model_id: str
    deployment_id: str
    batch_id: str
    build_type: str
    schema: str
    candidates: Sequence[Candidate]
    sources: Sources
    constraints: ProvenConstraints
    settings: Settings
    new_id: Callable[[], str]
    estimates: Mapping[tuple[str, str], int] = field(default_factory=dict)
    decisions: Mapping[tuple[str, str], Decision] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    rows: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], str] = field(default_factory=dict)
    slices_through: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A candidate whose SQL from the facts could be composed. ``segments``: None where it is one table."""

    candidate: Candidate
    instance_id: str
    select: exp.Expr
    form: RootForm
    segments: Segmented | None = None
    full_reason: str = ""


_FULL_TABLE = FullTable(reason="")


def _is_refused(decision: Decision) -> TypeGuard[FullTable]:
    return isinstance(decision, FullTable) and decision.is_refused


def make_batch_plan(given: PlanningInput) -> BatchPlan:
    """The plan of one batch: steps in build order, each with its sources and rendered SQL.

    Same input, same plan (``new_id`` aside). Sources stand before what derives from them; among free steps the queue
    settings decide. Build-from-existing is used when ``aggregates.batch.buildFromExisting.enabled`` is on and the batch
    is below the two thresholds of that setting's family.
    """
    prepared, refused = _prepare(given)
    off = _why_no_derivation(given, prepared)
    derivations = {} if off else _derivations(prepared, given)
    parents = without_cycles(
        [
            frozenset(source for source in range(len(prepared)) if (step, source) in derivations)
            for step in range(len(prepared))
        ]
    )
    keys = {
        number: priority(_waiting(step_part.candidate), given.settings) for number, step_part in enumerate(prepared)
    }
    order = derivability_order(parents, keys)
    composer = _StepComposer(given, prepared, derivations, nearest_sources(parents), parents)
    steps = tuple(composer.step(number, position) for position, number in enumerate(order))
    return BatchPlan(
        model_id=given.model_id,
        deployment_id=given.deployment_id,
        batch_id=given.batch_id,
        build_type=given.build_type,
        dialect=given.sources.dialect.name,
        schema=given.schema,
        steps=steps,
        refused=tuple(refused),
        ordering=off or "derivability",
        notes=given.notes,
        surroundings=given.surroundings,
        slices_through=given.slices_through,
    )


def _is_never_stored(error: DefinitionError) -> bool:
    """Whether the warehouse can never store it, so that nothing is wrong with the data or the model."""
    return isinstance(error, UnsupportedMetricError) and not isinstance(error, NotMeasurableError)


def _prepare(given: PlanningInput) -> tuple[list[_Prepared], list[RefusedPart]]:
    prepared: list[_Prepared] = []
    refused: list[RefusedPart] = []
    forms = FormInput(sources=given.sources, constraints=given.constraints, settings=given.settings, rows=given.rows)
    for candidate in given.candidates:
        key = candidate.definition.id, candidate.part.fact
        decision = given.decisions.get(key, _FULL_TABLE)
        try:
            if _is_refused(decision):
                raise refusal(decision)
            _check_computable(given.refusals.get(key, ""))
            form = choose_form(candidate.part, decision, forms)
            select = select_by_codes(candidate.part, given.sources, given.constraints, form.coded)
        except DefinitionError as error:
            refused.append(
                RefusedPart(
                    aggregate=candidate.name,
                    definition_id=candidate.definition.id,
                    reason=error.explanation,
                    is_failure=not (_is_never_stored(error) or _is_refused(decision)),
                )
            )
        else:
            segments = decision if isinstance(decision, Segmented) else None
            reason = decision.full_reason if isinstance(decision, Segmented) else decision.reason
            prepared.append(
                _Prepared(
                    candidate=candidate,
                    instance_id=given.new_id(),
                    select=select,
                    form=form,
                    segments=segments,
                    full_reason=reason,
                )
            )
    return prepared, refused


def _check_computable(reason: str) -> None:
    """Refuse a part that the warehouse cannot compute. ``reason`` is empty when it can."""
    if reason:
        raise DefinitionError("", reason, "Mend the table, view or calculation, then build again.")


def _why_no_derivation(given: PlanningInput, prepared: Sequence[_Prepared]) -> str:
    """Empty when aggregates may be derived from each other, else the reason."""
    settings = given.settings
    if not settings.build_from_existing:
        return "queue order: aggregates.batch.buildFromExisting.enabled is off"
    if len(prepared) >= settings.build_from_existing_threshold:
        return (
            f"queue order: {len(prepared)} aggregates, aggregates.batch.buildFromExisting.threshold is "
            f"{settings.build_from_existing_threshold}"
        )
    attributes = {bound.attribute for step_part in prepared for bound in step_part.candidate.part.attributes}
    if len(attributes) >= settings.attributes_threshold:
        return (
            f"queue order: {len(attributes)} attributes, aggregates.batch.cube.attributes.threshold is "
            f"{settings.attributes_threshold}"
        )
    return ""


def _derivations(prepared: Sequence[_Prepared], given: PlanningInput) -> dict[tuple[int, int], Derivation]:
    """(step, source) to how the step is derived from the source, for all pairs that the lattice and the data allow."""
    constraints, settings = given.constraints, given.settings
    derivations: dict[tuple[int, int], Derivation] = {}
    for step, child in enumerate(prepared):
        for source, parent in enumerate(prepared):
            if step == source or child.candidate.part.fact != parent.candidate.part.fact:
                continue
            if not _is_like(child.segments, parent.segments, settings):
                continue
            way = derivation(child.candidate.part, parent.candidate.part, constraints.functional)
            if way is not None:
                derivations[step, source] = way
    return derivations


def _is_like(child: Segmented | None, parent: Segmented | None, settings: Settings) -> bool:
    """Whether the two are built alike: both as one table, or both in segments of the same ranges.

    Segments are derived for a first build only; rebuilds and increments read the facts unless a setting says otherwise.
    A parent that may keep its last segment is no source, because its new segments may lack rows.
    """
    if child is None or parent is None:
        return child is parent
    if not (child.is_first or settings.derive_increments):
        return False
    return child.made == parent.made and not parent.may_be_unchanged


def _waiting(candidate: Candidate) -> Waiting:
    return Waiting(
        name=candidate.name,
        is_new=candidate.last_rows is None,
        is_user_defined=not candidate.definition.origin.is_system_defined,
        defined_at=candidate.defined_at,
    )


def _itself(relation: exp.Table) -> exp.Expr:
    return relation


class _StepComposer:
    """Renders the steps of one plan."""

    def __init__(
        self,
        given: PlanningInput,
        prepared: Sequence[_Prepared],
        derivations: Mapping[tuple[int, int], Derivation],
        nearest: Sequence[tuple[int, ...]],
        parents: Sequence[frozenset[int]],
    ) -> None:
        self._given, self._prepared, self._derivations, self._nearest = given, prepared, derivations, nearest
        self._cheap = [
            tuple(source for source in sources if not self._is_dearer(number, source))
            for number, sources in enumerate(nearest)
        ]
        self._rendered = RenderedOnce(given.schema, given.sources.dialect)
        self._derives = Counter(source for sources in parents for source in sources)
        self._verifications = VerificationComposer(
            [step_part.candidate.part for step_part in prepared], given.sources, given.constraints
        )
        context = SegmentContext(
            sources=given.sources,
            constraints=given.constraints,
            schema=given.schema,
            verifications=self._verifications,
            level=given.settings.verify,
        )
        self._segments = [
            None
            if step_part.segments is None
            else SegmentComposer(
                step_part.candidate.part,
                step_part.segments,
                self._table_name(step_part),
                context,
                step_part.form.coded,
            )
            for step_part in prepared
        ]
        self._views = view_names(
            given.model, [step_part.candidate.name for step_part in prepared], given.sources.dialect
        )

    def step(self, number: int, position: int) -> BuildStep:
        """The step of one prepared candidate."""
        step_part, dialect = self._prepared[number], self._given.sources.dialect
        candidate, segments, view = step_part.candidate, self._segments[number], self._views[number]
        name = self._table_name(step_part)
        target = table(name, self._given.schema)
        rows, estimate_source = self._estimate(candidate)
        shown = segments.shown() if segments is not None else None
        return BuildStep(
            instance_id=step_part.instance_id,
            definition_id=candidate.definition.id,
            aggregate=candidate.name,
            fact=candidate.part.fact,
            position=position,
            sources=self._sources(number, target),
            table=name,
            target_sql=self._say(_itself, name),
            drop_sql=self._say(drop_table if segments is None else drop_view, name),
            count_sql=self._say(count_rows, name),
            analyze_sql=self._say(analyze_table, name) if dialect.needs_analyze and segments is None else "",
            drop_view_sql=self._say(drop_view, view),
            view_statements=tuple(
                render(statement, dialect)
                for statement in view_statements(
                    table(view, self._given.schema), target, candidate.part, dialect, shown
                )
            ),
            view=view,
            estimated_rows=rows,
            estimate_source=estimate_source,
            reason=self._reason(number),
            verification=self._verification(candidate.part, target) if segments is None else segments.verification(),
            increment=None if segments is None else segments.increment(),
            full_reason=step_part.full_reason,
            settings_needed=find_needed_settings(candidate.part, self._given.sources),
            grouping=step_part.form.reason,
        )

    def _say(self, statement: Callable[[exp.Table], exp.Expr], name: str) -> str:
        """A statement about a relation."""
        return self._rendered.say(statement, name, statement)

    def _table_name(self, step_part: _Prepared) -> str:
        return instance_table(
            step_part.instance_id, step_part.candidate.name, self._given.sources.dialect, TARGET_ATTEMPT
        )

    def _sources(self, number: int, target: exp.Table) -> tuple[SourceOption, ...]:
        """The sources of a step: other aggregates first, the fact dataset last."""
        step_part, dialect, segments = self._prepared[number], self._given.sources.dialect, self._segments[number]
        others = [self._from_instance(number, source, target) for source in self._cheap[number]]
        if segments is not None:
            fact_option = SourceOption(
                instance_id=None, name=step_part.candidate.part.fact, create_sql="", segment_sqls=segments.from_facts()
            )
        else:
            # The SELECT is used here alone.
            sql = render_last(create_table_as(target.copy(), step_part.select, dialect), dialect, pretty=True)
            fact_option = SourceOption(instance_id=None, name=step_part.candidate.part.fact, create_sql=sql)
        return (*others, fact_option)

    def _dearer_rows(self, number: int, source: int) -> RowsBetween | None:
        """The rows with which a source of a step is dearer than the facts. Segments were not measured."""
        step_part = self._prepared[number]
        if step_part.segments is not None:
            return None
        way, given = self._derivations[number, source], self._given
        return dearer_rows(step_part.candidate.part, way, step_part.form.coded, given.sources, given.rows)

    def _is_dearer(self, number: int, source: int) -> bool:
        """Whether a source is expected to have so many rows that the facts are cheaper."""
        rows, _ = self._estimate(self._prepared[source].candidate)
        dearer = None if rows is None else self._dearer_rows(number, source)
        return dearer is not None and rows is not None and dearer.holds(rows)

    def _verification(self, part: FactPart, target: exp.Table) -> Verification:
        """How a table is compared with its facts.

        Totals are always planned, since the level may change before the build. Groups cost more and are planned only
        where the setting asks for them.
        """
        level, composer = self._given.settings.verify, self._verifications
        if level not in {VerificationLevel.SAMPLE, VerificationLevel.FULL}:
            return composer.verification(part, target)
        groups = composer.groups_query(part, target, is_sample=level is VerificationLevel.SAMPLE)
        return composer.verification(part, target, groups)

    def _from_instance(self, number: int, source: int, target: exp.Table) -> SourceOption:
        given, child, parent = self._given, self._prepared[number], self._prepared[source]
        own, other = self._segments[number], self._segments[source]
        if own is not None and other is not None:
            sqls = own.from_segments(other, self._derivations[number, source])
            return SourceOption(
                instance_id=parent.instance_id, name=parent.candidate.name, create_sql="", segment_sqls=sqls
            )
        name = instance_table(parent.instance_id, parent.candidate.name, given.sources.dialect, SOURCE_ATTEMPT)
        select = select_from_instance(
            child.candidate.part,
            parent.candidate.part,
            self._derivations[number, source],
            table(name, given.schema),
            given.sources,
            given.constraints,
        )
        dialect = given.sources.dialect
        sql = render_last(create_table_as(target.copy(), select, dialect), dialect, pretty=True)
        return SourceOption(
            instance_id=parent.instance_id,
            name=parent.candidate.name,
            create_sql=sql,
            dearer_rows=self._dearer_rows(number, source),
        )

    def _estimate(self, candidate: Candidate) -> tuple[int | None, str]:
        sketched = self._given.estimates.get((candidate.definition.id, candidate.part.fact))
        if sketched is not None:
            return sketched, "sketch"
        return (None, "") if candidate.last_rows is None else (candidate.last_rows, "last build")

    def _reason(self, number: int) -> str:
        above, below = self._cheap[number], self._derives[number]
        reasons = [f"derives from {self._names(above)}"] if above else []
        if below:
            reasons.append(f"{below} more can be derived from it" + ("" if above else ", so it goes first"))
        if dear := [source for source in self._nearest[number] if source not in above]:
            reasons.append(f"the facts are cheaper than {self._names(dear)}, which has nearly as many rows")
        return "; ".join(reasons) or "by queue order: nothing derives from it, it derives from nothing"

    def _names(self, sources: Sequence[int]) -> str:
        return " or ".join(f"`{self._prepared[source].candidate.name}`" for source in sources)
