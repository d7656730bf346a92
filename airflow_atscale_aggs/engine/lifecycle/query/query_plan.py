"""How a query is answered, as a value: the SQL, where its parts come from, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """How a query would be answered now.

    Attributes:
        sql: for the warehouse, in its dialect.
        sources: one per part.
        model_id: of the first model that it asks.
        asked: the query, as it was parsed.
        keys, metrics, predicates: names of what it groups by, measures and filters by.
        candidates: by part: the other aggregates with the reason against each, nearest first.
        untouched: of plain SQL on tables: why its SELECTs, or some of them, are run as they stand.
        meant: what names in FROM mean that a model has, one sentence each.
        snapshots: of the models that it was made from.
        looked_up: what the warehouse was found to have, which it rests on.
        full_names: by the names of the answer's columns in the SQL: their own, which the warehouse would cut off.
        unread: why the SQL was not understood, which is run as it stands.
    """

    sql: str
    sources: tuple[PartSource, ...]
    model_id: str
    asked: Statement
    keys: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    candidates: tuple[tuple[Candidate, ...], ...] = ()
    untouched: tuple[str, ...] = ()
    meant: tuple[str, ...] = ()
    snapshots: tuple[ModelSnapshot, ...] = ()
    looked_up: Mapping[TableKey, bool] = field(default_factory=dict)
    full_names: Mapping[str, str] = field(default_factory=dict)
    unread: UnreadableQueryError | None = None

    def verdict(self, number: int) -> str:
        """Why a part is answered from where it is, in one sentence; with ``candidates``, also why not from another."""
        source = self.sources[number]
        if source.is_restricted:
            who = f"`{source.aggregate}` answers, instead of" if source.aggregate is not None else "The facts answer:"
            return f"{who} `{source.fact}`, with the rows that the user may see."
        if source.aggregate is not None:
            return f"`{source.aggregate}` answers, with {counted(source.rows or 0, 'row')}, instead of `{source.fact}`."
        return self._why_facts(source, number)

    def _why_facts(self, source: PartSource, number: int) -> str:
        if not self.candidates:
            return f"The facts `{source.fact}` answer."
        cost, nearest = source.fact_cost, next(iter(self.candidates[number]), None)
        if cost is not None and nearest is not None and nearest.miss is Miss.FACTS_CHEAPER:
            return (
                f"The facts `{source.fact}` answer: the index on `{cost.index}` leads to about {cost.cost:,} of "
                f"{counted(cost.rows, 'row')}, fewer than the {nearest.rows:,} of `{nearest.aggregate}`."
            )
        misses = {candidate.miss for candidate in self.candidates[number]}
        if not misses:
            return f"The facts `{source.fact}` answer: no aggregate is defined for them."
        if misses <= {Miss.NOT_BUILT}:
            return f"The facts `{source.fact}` answer: aggregates are defined for them, but not built."
        return f"The facts `{source.fact}` answer: aggregates are built, but none of them matches."

    @property
    def is_secured(self) -> bool:
        """True when it depends on who asks what the answer is."""
        return any(snapshot.model.is_secured for snapshot in self.snapshots)

    @property
    def uses_aggregates(self) -> bool:
        """True when at least one part is answered from an aggregate."""
        return any(source.aggregate is not None for source in self.sources)

    @property
    def most_rows(self) -> int | None:
        """About how many rows the answer has at most, by the aggregates that it reads; None: it reads facts."""
        rows = [source.rows for source in self.sources if source.aggregate is not None and source.rows is not None]
        return sum(rows) if rows and len(rows) == len(self.sources) else None
