"""Describes one step of a batch as data: how an instance is built, with its sources and rendered SQL.

``plan`` prints a step, the registry keeps it, and ``build`` runs it. Its SQL is rendered already, so a build needs
neither the model nor an SQL library. Only the numbers of attempts are unknown when a plan is made. Tokens inside quoted
names stand for them. `BuildStep.of_attempt` puts in the number of the attempt when it is claimed.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.segment import Increment
from airflow_atscale_aggs.engine.aggregates.verification import Verification
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

TARGET_ATTEMPT = "__target_attempt__"
"""Stands for the number of the attempt that builds the table."""

SOURCE_ATTEMPT = "__source_attempt__"
"""Stands for the number of the attempt that won the source instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsBetween:
    """Numbers of rows, both ends included."""

    least: int
    most: int

    def holds(self, rows: int) -> bool:
        """Whether so many rows are among them."""
        return self.least <= rows <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOption:
    """One way to fill a table.

    Attributes:
        instance_id: the instance of the same batch to derive from; None for the fact dataset and its dimensions.
        name: the source for people: an aggregate's name, or the fact dataset's.
        create_sql: the whole CREATE TABLE … AS statement with attempt tokens; empty where segments are made.
        segment_sqls: the same for each new segment that is made from the source, in order.
        dearer_rows: with which the facts are the cheaper source; None where they never are.
    """

    instance_id: str | None
    name: str
    create_sql: str
    segment_sqls: tuple[str, ...] = ()
    dearer_rows: RowsBetween | None = None

    def is_dearer_with(self, rows: int | None) -> bool:
        """Whether the facts are cheaper than this source with so many rows. None: nobody knows how many it has."""
        return self.dearer_rows is not None and rows is not None and self.dearer_rows.holds(rows)

    def replace_text(self, token: str, text: str) -> SourceOption:
        """The same with a token of the tables' names put in."""
        segment_sqls = tuple(sql.replace(token, text) for sql in self.segment_sqls)
        return replace(self, create_sql=self.create_sql.replace(token, text), segment_sqls=segment_sqls)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """How one instance is built.

    Attributes:
        instance_id: the instance, status NEW when the plan is recorded.
        definition_id: what it is an instance of.
        aggregate: name for people, unique in the plan: ``Q2 (web_sales)``.
        fact: the fact dataset.
        position: 0-based place in the order; sources come before what derives from them.
        sources: in order of preference as known when planning; the facts are always the last one.
        table: the physical table's name with the target token, unquoted; a view of the same name where there are
            segments.
        target_sql: the same, qualified and quoted for the dialect.
        drop_sql: drops the target of an attempt; does nothing when it is not there.
        count_sql: counts the target's rows.
        view_statements: make the aggregate's stable view show the target; run inside one transaction where the dialect
            has transactional DDL.
        view: the stable view's name, unquoted.
        analyze_sql: gathers statistics of the target; empty where the warehouse does so by itself.
        drop_view_sql: drops the stable view if it is there, for when the aggregate has left the model.
        estimated_rows: None when nothing is known; see ``estimate_source``.
        estimate_source: ``sketch``, ``last build``, or empty.
        verification: how the table, or what is made from the source of it, is compared with the facts; None in steps of
            versions that did not compare.
        increment: the segments that it makes; None where the aggregate is one table.
        full_reason: why an incremental batch builds it in full; empty where it does not, or nobody asked.
        grouping: how the facts are grouped where it is built from them, ``codes`` or ``names``, and why; empty in steps
            of versions that grouped by names alone.
        settings_needed: names of the session's settings that decide what it stores; None in steps of versions that did
            not look. Their values are the batch's `Surroundings`.
        reason: why the step stands where it stands, one sentence for people.
    """

    instance_id: str
    definition_id: str
    aggregate: str
    fact: str
    position: int
    sources: tuple[SourceOption, ...]
    table: str
    target_sql: str
    drop_sql: str
    count_sql: str
    view_statements: tuple[str, ...]
    view: str
    analyze_sql: str = ""
    drop_view_sql: str = ""
    estimated_rows: int | None = None
    estimate_source: str = ""
    reason: str = ""
    verification: Verification | None = None
    increment: Increment | None = None
    full_reason: str = ""
    settings_needed: tuple[str, ...] | None = None
    grouping: str = ""

    @property
    def kind(self) -> str:
        """``increment``; or ``full``, in segments or as one table."""
        return "increment" if self.increment is not None and not self.increment.full_reason else "full"

    def of_attempt(self, attempt: int) -> BuildStep:
        """The step of one attempt: its number stands wherever the target token stood."""
        token, number = TARGET_ATTEMPT, str(attempt)
        return replace(
            self,
            sources=tuple(source.replace_text(token, number) for source in self.sources),
            table=self.table.replace(token, number),
            target_sql=self.target_sql.replace(token, number),
            drop_sql=self.drop_sql.replace(token, number),
            count_sql=self.count_sql.replace(token, number),
            view_statements=tuple(sql.replace(token, number) for sql in self.view_statements),
            analyze_sql=self.analyze_sql.replace(token, number),
            verification=self.verification and self.verification.replace_text(token, number),
            increment=self.increment and self.increment.replace_text(token, number),
        )

    def create_statements(self, source: SourceOption, source_attempt: int | None) -> tuple[str, ...]:
        """The statements that fill the table, or its new segments, from a source, in order. Both are of one attempt."""
        sqls: tuple[str, ...] = (source.create_sql,)
        if self.increment is not None:
            from_source = iter(source.segment_sqls)
            sqls = tuple(segment.create_sql or next(from_source) for segment in self.increment.new)
            sqls = (*sqls, self.increment.create_view_sql)
        return tuple(
            sql if source_attempt is None else sql.replace(SOURCE_ATTEMPT, str(source_attempt)) for sql in sqls
        )

    @property
    def reads_of_facts(self) -> tuple[str, ...]:
        """All statements that read the fact and its dimensions: those that build from them, and those that compare."""
        from_facts = self.sources[-1]
        sqls = [sql for sql in (from_facts.create_sql, *from_facts.segment_sqls) if sql]
        return (*sqls, *((self.verification.facts.sql,) if self.verification is not None else ()))

    def create_statement(self, source: SourceOption, source_attempt: int | None) -> str:
        """The same as one text, for people."""
        return ";\n".join(self.create_statements(source, source_attempt))

    def drop_statements(self) -> tuple[str, ...]:
        """The statements that drop all relations of an attempt, if they exist.

        The view is dropped before its tables.
        """
        segments = self.increment.new if self.increment is not None else ()
        return (self.drop_sql, *(segment.drop_sql for segment in segments))
