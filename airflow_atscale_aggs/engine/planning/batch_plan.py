"""Describes the plan of a batch as data: its ordered steps, and the parts that are refused with the reasons."""

from __future__ import annotations

from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.planning.batch_cost import BatchCost


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPart:
    """A part of a definition that cannot be built here, and why; it is no step of the batch.

    ``is_failure`` is False where the warehouse can never store it (no sketches), so that nothing is wrong with the
    data.
    """

    aggregate: str
    definition_id: str
    reason: str
    is_failure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """The ordered steps of one batch build of one model.

    Attributes:
        schema: where aggregate tables and views go; empty: the warehouse's default schema.
        ordering: ``derivability`` when sources were ordered first, else why not.
        notes: sentences for people about what was decided and why.
        surroundings: settings, tables and proven constraints at the time of planning.
        sources: the state of the datasets before the plan was made; empty when nobody asked for it.
        cost: what the batch reads and writes; None when nobody asked for it.
        slices_through: number of the last slice that had been named before anything was read.
    """

    model_id: str
    deployment_id: str
    batch_id: str
    build_type: str
    dialect: str
    schema: str
    steps: tuple[BuildStep, ...]
    refused: tuple[RefusedPart, ...] = ()
    ordering: str = "derivability"
    notes: tuple[str, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    sources: tuple[SourceMark, ...] = ()
    cost: BatchCost | None = None
    slices_through: int = 0
