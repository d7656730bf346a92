"""Why no aggregate answered a query of the log.

It takes a plan, for which the warehouse may be asked. So reasons are found aside, by the threads that plan queries, and
whoever reads the log gets those that are known by then.
"""

from __future__ import annotations

import threading

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.server.remembered import Remembered

UNKNOWN = "No aggregate has what it asks. EXPLAIN tells what each one lacks."

_MOST = 2000
_AT_ONCE = 10
"""Queries that are planned together, so that those of clients need not wait long."""


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query of the log. ``version``: of its model: with another one, other aggregates serve."""

    model_id: str
    version: int
    shape: str


class MissReasons:
    """Reasons by query. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: Remembered[AskedQuery, str] = Remembered(_MOST)
        self._wanted: dict[AskedQuery, None] = {}
        self._lock = threading.Lock()

    def of(self, query: AskedQuery) -> str:
        """The reason as it is now, or `UNKNOWN`; then it is found next time."""
        with self._lock:
            if query not in self._known and len(self._wanted) < _AT_ONCE:
                self._wanted[query] = None
            return self._known.get(query, UNKNOWN)

    @property
    def are_wanted(self) -> bool:
        """Whether there are some to be found."""
        return bool(self._wanted)

    def find(self, router: QueryRouter) -> None:
        """Find those that are wanted."""
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        for query in wanted:
            reason = _reason(router, query.shape)
            with self._lock:
                self._known[query] = reason


def _reason(router: QueryRouter, shape: str) -> str:
    try:
        return _sentence(router.explain(_with_values(shape), estimate=False))
    except (AtScaleAggsError, SqlglotError):
        return UNKNOWN


def _with_values(shape: str) -> str:
    """A query with some value in each place where one was: which aggregates have what it asks does not depend on it."""
    root = sqlglot.parse_one(shape, read="postgres")
    for place in list(root.find_all(exp.Placeholder)):
        place.replace(exp.Literal.string("x"))
    return root.sql("postgres")


def _sentence(plan: QueryPlan) -> str:
    missed = [number for number, source in enumerate(plan.sources) if source.aggregate is None]
    if not missed:
        return "An aggregate that serves by now would answer it."
    sentences = []
    for number in missed:
        sentences.append(plan.verdict(number))
        for nearest in plan.candidates[number][:1]:
            missing = f" ({', '.join(nearest.missing)})" if nearest.missing else ""
            change = f" Smallest change: {nearest.change}." if nearest.change else ""
            sentences.append(f"Nearest is `{nearest.aggregate}`: {nearest.miss}{missing}.{change}")
    return " ".join(sentences)
