"""Describes one step of a batch as data: how an instance is built, with its sources and rendered SQL.

``plan`` prints a step, the registry keeps it, and ``build`` runs it. Its SQL is rendered already, so a build needs neither the
model nor an SQL library. Only the numbers of attempts are unknown when a plan is made. Tokens inside quoted names stand for
them, and `BuildStep.create_statement` replaces the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_atscale_aggs.engine.aggregates.segment import Increment
from airflow_atscale_aggs.engine.aggregates.verification import Verification

TARGET_ATTEMPT = "__target_attempt__"
"""Stands for the number of the attempt that builds the table."""

SOURCE_ATTEMPT = "__source_attempt__"
"""Stands for the number of the attempt that won the source instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOption:
    """One way to fill a table.

    Attributes:
        instance_id: the instance of the same batch to derive from; None for the fact dataset and its dimensions.
        name: the source for people: an aggregate's name, or the fact dataset's.
        create_sql: the whole CREATE TABLE … AS statement with attempt tokens; empty where segments are made.
        segment_sqls: the same for each new segment that is made from the source, in order.
    """

    instance_id: str | None
    name: str
    create_sql: str
    segment_sqls: tuple[str, ...] = ()


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
        table: the physical table's name with the target token, unquoted; a view of the same name where there are segments.
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
        settings_needed: names of the session's settings that decide what it stores; None in steps of versions that did not
            look. Their values are the batch's `Surroundings`.
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

    @property
    def kind(self) -> str:
        """``increment``; or ``full``, in segments or as one table."""
        return "increment" if self.increment is not None and not self.increment.full_reason else "full"

    def create_statements(self, source: SourceOption, attempt: int, source_attempt: int | None) -> tuple[str, ...]:
        """The statements that fill the attempt's table, or its new segments, from a source, in order."""
        sqls: tuple[str, ...] = (source.create_sql,)
        if self.increment is not None:
            segment_sqls = iter(source.segment_sqls)
            sqls = tuple(segment.create_sql or next(segment_sqls) for segment in self.increment.new)
            sqls = (*sqls, self.increment.create_view_sql)
        filled = (sql.replace(TARGET_ATTEMPT, str(attempt)) for sql in sqls)
        return tuple(
            sql if source_attempt is None else sql.replace(SOURCE_ATTEMPT, str(source_attempt)) for sql in filled
        )

    def create_statement(self, source: SourceOption, attempt: int, source_attempt: int | None) -> str:
        """The same as one text, for people."""
        return ";\n".join(self.create_statements(source, attempt, source_attempt))

    def drop_statement(self, attempt: int) -> str:
        """The statement that drops an attempt's table, or its view of segments, if it exists."""
        return self.drop_sql.replace(TARGET_ATTEMPT, str(attempt))

    def drop_statements(self, attempt: int) -> tuple[str, ...]:
        """The statements that drop all relations of an attempt, if they exist. The view is dropped before its tables."""
        new_segments = self.increment.new if self.increment is not None else ()
        return tuple(
            sql.replace(TARGET_ATTEMPT, str(attempt))
            for sql in (self.drop_sql, *(segment.drop_sql for segment in new_segments))
        )

    def analyze_statement(self, attempt: int) -> str:
        """The statement that gathers statistics of an attempt's table; empty where that is not needed."""
        return self.analyze_sql.replace(TARGET_ATTEMPT, str(attempt))

    def count_statement(self, attempt: int) -> str:
        """The statement that counts the rows of an attempt's table."""
        return self.count_sql.replace(TARGET_ATTEMPT, str(attempt))

    def verification_of(self, attempt: int) -> Verification | None:
        """How an attempt's table is compared with the facts."""
        return self.verification and self.verification.replace_text(TARGET_ATTEMPT, str(attempt))

    def view_statements_for(self, attempt: int) -> tuple[str, ...]:
        """The statements that make the stable view show an attempt's table."""
        return tuple(sql.replace(TARGET_ATTEMPT, str(attempt)) for sql in self.view_statements)

    def table_name(self, attempt: int) -> str:
        """The physical table of an attempt, unquoted."""
        return self.table.replace(TARGET_ATTEMPT, str(attempt))
