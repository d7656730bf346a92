"""Models as lists show them: what each has, and what the visitor may do with it."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id
from airflow_atscale_aggs.engine.registry.records import ModelFigures, ModelRecord
from airflow_atscale_aggs.plugins.api.access import Place, Right
from airflow_atscale_aggs.plugins.api.documents.model_documents import ModelSummary

_NOTHING = ModelFigures()


def summarize_models(place: Place, records: Sequence[ModelRecord]) -> list[ModelSummary]:
    """Summaries of models that are reached over a connection, in the same order."""
    figures = place.read.models.figures([record.id for record in records])
    return [_summary(place, record, figures.get(record.id, _NOTHING)) for record in records]


def _summary(place: Place, record: ModelRecord, figures: ModelFigures) -> ModelSummary:
    dags = place.dags_of(record)
    may_build = place.may(Right.BUILD, record)
    return ModelSummary(
        connection=place.connection,
        id=record.id,
        catalog=record.catalog,
        catalog_id=catalog_id(record.catalog),
        name=record.name,
        label=record.label,
        version=record.version,
        deployed_at=record.deployed_at,
        dag_id=dags[0].dag_id if dags else None,
        # Without a DAG there is no run that could be started.
        may_build=may_build and bool(dags),
        may_manage=may_build,
        may_administer=place.may(Right.ADMINISTER, record),
        definitions=figures.definitions,
        active=figures.active,
        open_batch_id=figures.open_batch_id,
        last_activated_at=figures.last_activated_at,
    )
