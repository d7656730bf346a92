"""Composes the segments of one step: their statements, the view over them, and their comparison with the facts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import SOURCE_ATTEMPT, TARGET_ATTEMPT
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.lattice import Derivation
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES, row_count
from airflow_atscale_aggs.engine.aggregates.provenance import add_checksums
from airflow_atscale_aggs.engine.aggregates.segment import Increment, NewSegment, RemadeRange, Segment
from airflow_atscale_aggs.engine.aggregates.verification import GroupsQuery, Verification
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import JoinStep
from airflow_atscale_aggs.engine.planning.decisions import Segmented
from airflow_atscale_aggs.engine.planning.slices import is_within
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.derivations import combine_segments, select_from_instance, unite_segments
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.indicator_lookup import range_condition
from airflow_atscale_aggs.engine.sql.member_codes import select_by_codes
from airflow_atscale_aggs.engine.sql.physical_names import segment_table, stored_columns
from airflow_atscale_aggs.engine.sql.source_descriptions import identities_query, table_mark
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import (
    analyze_table,
    create_table_as,
    create_view,
    drop_table,
    render,
    table,
)

_FACT = "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentContext:
    """What all steps of a plan share."""

    sources: Sources
    constraints: ProvenConstraints
    schema: str
    verifications: VerificationComposer
    level: VerificationLevel


class SegmentComposer:
    """Composes the segments of one aggregate.

    Args:
        relation: name of the instance's view, with the attempt token.
        coded: joins of dimensions that facts are grouped by codes of.
    """

    def __init__(
        self,
        part: FactPart,
        decision: Segmented,
        relation: str,
        context: SegmentContext,
        coded: Sequence[JoinStep] = (),
    ) -> None:
        self._part, self._decision, self._relation, self._context = part, decision, relation, context
        self._coded = coded
        first = 2 if decision.merged else 1
        self._numbered = list(enumerate(decision.made, first))

    def from_facts(self) -> tuple[str, ...]:
        """The statements that make the new segments from the facts."""
        part, context, coded = self._part, self._context, self._coded
        return tuple(
            self._create(number, select_by_codes(part, context.sources, context.constraints, coded, (rows,)))
            for number, rows in self._numbered
        )

    def from_segments(self, parent: SegmentComposer, way: Derivation) -> tuple[str, ...]:
        """The statements that make the new segments from those of another aggregate with the same ranges."""
        context, name = self._context, parent._relation.replace(TARGET_ATTEMPT, SOURCE_ATTEMPT)
        statements = []
        for (number, _), (place, _) in zip(self._numbered, parent._numbered, strict=True):
            source = table(segment_table(name, place), context.schema)
            select = select_from_instance(self._part, parent._part, way, source, context.sources, context.constraints)
            statements.append(self._create(number, select))
        return tuple(statements)

    def increment(self) -> Increment:
        """What the step does to the segments of its aggregate."""
        decision = self._decision
        new = ([self._merging()] if decision.merged else []) + [
            self._new(number, rows) for number, rows in self._numbered
        ]
        tables = [*self._tables_of(decision.kept), *(table(segment.table, self._context.schema) for segment in new)]
        unchanged = self._unsettled_differences() if decision.may_be_unchanged else None
        last = decision.last if unchanged is not None else ()
        return Increment(
            indicator=decision.indicator,
            grace_period=str(decision.grace),
            full_reason=decision.full_reason,
            full_at=decision.full_at,
            kept=tuple(segment.key for segment in decision.kept),
            kept_rows=sum(segment.rows for segment in decision.kept),
            new=tuple(new),
            create_view_sql=self._view(tables),
            unchanged=unchanged,
            last=tuple(segment.key for segment in last),
            last_rows=sum(segment.rows for segment in last),
            unchanged_view_sql=self._view(self._tables_of(last)) if last else "",
            newest=decision.newest,
            sources=decision.sources,
            identities_sql=identities_query([self._part.fact], self._context.sources) or "" if decision.sources else "",
            late=None if decision.late is None else max(decision.late, 0),
            remade=tuple(self._remade(rows) for rows in decision.remade),
        )

    def verification(self) -> Verification:
        """How the new segments together are compared with the facts of their range."""
        context, only = self._context, self._decision.covered
        tables = [self._target(number) for number, _ in self._numbered]
        target = exp.Subquery(this=unite_segments(self._part, tables))
        groups = None
        if context.level in {VerificationLevel.SAMPLE, VerificationLevel.FULL}:
            groups = context.verifications.groups_query(
                self._part,
                exp.Subquery(this=combine_segments(self._part, tables, context.sources)),
                is_sample=context.level is VerificationLevel.SAMPLE,
                only=only,
            )
        return context.verifications.verification(self._part, target, groups, only)

    def shown(self) -> exp.Query:
        """What the stable view selects: rows of the segments, combined."""
        return combine_segments(self._part, [table(self._relation, self._context.schema)], self._context.sources)

    def _new(self, number: int, rows: RowRange) -> NewSegment:
        dialect = self._context.sources.dialect
        target = self._target(number)
        return NewSegment(
            number=number,
            table=segment_table(self._relation, number),
            rows=rows,
            is_settled=rows not in self._decision.ranges[-1:],
            drop_sql=render(drop_table(target), dialect),
            count_sql=self._count_sql(target, self._fact_rows_sum()),
            fact_rows_sql=render(self._fact_rows(rows), dialect) if self._is_fanning else "",
            analyze_sql=render(analyze_table(target), dialect) if dialect.needs_analyze else "",
            checksum=dict(zip(self._decision.made, self._decision.checksums, strict=False)).get(rows),
        )

    def _merging(self) -> NewSegment:
        """The settled segments that become one."""
        context, merged = self._context, self._decision.merged
        tables = self._tables_of(merged)
        rows = RowRange(
            column=self._decision.indicator.column,
            kind=self._decision.indicator.kind,
            after=merged[0].after,
            through=merged[-1].through,
        )
        settled = self._new(1, rows)
        fact_rows = _number(merged) if self._is_fanning else self._fact_rows_sum()
        return NewSegment(
            number=settled.number,
            table=settled.table,
            rows=rows,
            is_settled=True,
            drop_sql=settled.drop_sql,
            count_sql=self._count_sql(self._target(1), fact_rows),
            analyze_sql=settled.analyze_sql,
            merges=tuple(segment.key for segment in merged),
            checksum=add_checksums(segment.checksum for segment in merged),
            create_sql=self._create(1, combine_segments(self._part, tables, context.sources)),
            verification=context.verifications.merging(
                self._part, self._target(1), exp.Subquery(this=unite_segments(self._part, tables))
            ),
        )

    def _remade(self, rows: RowRange) -> RemadeRange:
        """A range that is made anew, with the comparison of its totals with those of before."""
        before = [segment for segment in self._decision.replaced if is_within(segment, rows)]
        new = [self._target(number) for number, piece in self._numbered if is_within(piece, rows)]
        old = exp.Subquery(this=unite_segments(self._part, self._tables_of(before)))
        target = exp.Subquery(this=unite_segments(self._part, new))
        return RemadeRange(rows=rows, comparison=self._context.verifications.merging(self._part, target, old))

    def _unsettled_differences(self) -> GroupsQuery | None:
        """A query for the groups in which the last unsettled segment differs from the facts.

        None where that is impossible.
        """
        if any(measure.function in SKETCHES for measure in self._part.measures):
            return None
        newest = self._tables_of(self._decision.last[-1:])[0]
        return self._context.verifications.groups_query(
            self._part, newest, is_sample=False, only=self._decision.covered
        )

    @property
    def _is_fanning(self) -> bool:
        """True where one fact row may stand in several groups."""
        return any(bound.is_many_to_many for bound in self._part.attributes)

    def _count_sql(self, target: exp.Table, fact_rows: exp.Expr) -> str:
        """Rows of a segment, fact rows behind it, and its mark."""
        dialect = self._context.sources.dialect
        mark = exp.cast(table_mark(target, stored_columns(self._part).names, dialect), "text")
        return render(
            exp.select(exp.Count(this=exp.Star(), big_int=True), fact_rows, mark).from_(target.copy()), dialect
        )

    def _fact_rows_sum(self) -> exp.Expr:
        """The fact rows that the groups of a segment stand for; NULL where they overlap."""
        if self._is_fanning:
            return exp.Null()
        column = exp.column(
            exp.to_identifier(stored_columns(self._part).measures[row_count(self._part.fact)], quoted=True)
        )
        return exp.Coalesce(this=exp.Sum(this=column), expressions=[exp.Literal.number(0)])

    def _fact_rows(self, rows: RowRange) -> exp.Expr:
        source = self._context.sources[self._part.fact]
        counted = exp.select(exp.Count(this=exp.Star(), big_int=True)).from_(source.relation(_FACT), copy=False)
        condition = range_condition(rows, source, _FACT)
        return counted if condition is None else counted.where(condition, copy=False)

    def _create(self, number: int, select: exp.Expr) -> str:
        dialect = self._context.sources.dialect
        return render(create_table_as(self._target(number), select, dialect), dialect, pretty=True)

    def _view(self, tables: Sequence[exp.Table]) -> str:
        """The view of some segments. What it reads of each is the same, and is rendered once: there may be hundreds."""
        dialect, view = self._context.sources.dialect, table(self._relation, self._context.schema)
        first, *others = (render(segment, dialect) for segment in tables)
        united = render(create_view(view, unite_segments(self._part, tables[:1])), dialect, pretty=True)
        select = render(unite_segments(self._part, tables[:1]), dialect, pretty=True).removesuffix(first)
        return "\nUNION ALL\n".join([united, *(f"{select}{other}" for other in others)])

    def _target(self, number: int) -> exp.Table:
        return table(segment_table(self._relation, number), self._context.schema)

    def _tables_of(self, segments: Sequence[Segment]) -> list[exp.Table]:
        return [table(segment.table, self._context.schema) for segment in segments]


def _number(segments: Sequence[Segment]) -> exp.Expr:
    """The fact rows of some segments together, as a literal."""
    counts = [segment.fact_rows for segment in segments if segment.fact_rows is not None]
    return exp.Literal.number(sum(counts)) if len(counts) == len(segments) else exp.Null()
