"""Defines the mark by which one state of a dataset is told from a later one."""

from __future__ import annotations

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMark:
    """The state in which a batch has found a dataset.

    Attributes:
        dataset: a fact or a dimension that the batch reads.
        sql: a query of one row that answers differently once the dataset was changed; empty where the warehouse has no
            such.
        mark: what it has answered, before anything else was read; None where nobody can tell.
    """

    dataset: str
    sql: str = ""
    mark: str | None = None
