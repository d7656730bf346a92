"""Definitions as lists and their own pages show them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionStatus, FactPart
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter, InstanceSort
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing, InstanceListing
from airflow_atscale_aggs.engine.registry.page import MOST_ROWS
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, ModelRecord
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.documents.definition_documents import (
    DefinitionDetail,
    DefinitionPart,
    DefinitionRow,
    Lineage,
    LineageNode,
    Score,
    ScorePart,
    ShownStatus,
    StoredMeasureNode,
)
from airflow_atscale_aggs.plugins.api.instance_rows import instance_row

_MOST_INSTANCES = 20


def definition_row(listing: DefinitionListing, model: ModelRecord) -> DefinitionRow:
    """A definition with its statistics."""
    return DefinitionRow(
        id=listing.id,
        model_id=listing.model_id,
        model=model.name,
        catalog=model.catalog,
        name=listing.name,
        label=listing.label,
        origin=listing.origin,
        state=listing.status,
        status=ShownStatus(listing.shown_status),
        reason=listing.reason,
        uses=listing.uses,
        last_used_at=listing.last_used_at,
        rows=listing.rows,
        seconds=listing.seconds,
        built_at=listing.built_at,
        score=listing.score,
        size_bytes=listing.size_bytes,
        seconds_saved=listing.seconds_saved,
        attributes=list(listing.attributes),
        metrics=list(listing.metrics),
        created_at=listing.created_at,
        active_instance_id=next(iter(listing.active_instance_ids), None),
        newest_instance_id=next(iter(listing.newest_instance_ids), None),
    )


def definition_detail(place: Place, definition_id: str) -> DefinitionDetail:
    """Everything about a definition.

    Raises:
        ProblemError: 404: there is none that the visitor may read.
    """
    read = place.read
    record = place.definition(definition_id)
    definition = record.definition
    (listing,) = read.lists.definitions.get([definition_id])
    model = read.models.get(definition.model_id)
    evaluation, successor = read.evaluations.newest(definition_id), read.successions.successor_of(definition_id)
    newest = read.lists.instances.page(
        InstanceFilter(definition_id=definition_id), sort=InstanceSort.BATCH, limit=_MOST_INSTANCES
    )
    uses = 0 if evaluation is None else evaluation.uses
    saved = None if evaluation is None else evaluation.seconds_saved
    has_saving = bool(uses) and saved is not None
    is_replaced = successor is not None and (successor.done_at is not None or record.status is DefinitionStatus.DEFINED)
    return DefinitionDetail(
        **definition_row(listing, model).model_dump(),
        state_reason=record.status_reason,
        evidence=dict(record.evidence),
        parts=[_part(part) for part in definition.parts],
        score_detail=None if evaluation is None else _score(evaluation),
        average_saving_seconds=saved / uses if saved is not None and has_saving else None,
        average_saving_measured_share=evaluation.measured_share if evaluation is not None and has_saving else None,
        instances=[instance_row(instance) for instance in newest.rows],
        lineage=_lineage(place, definition),
        successor=successor.new_name if successor is not None and is_replaced else "",
        can_delete=False,
    )


def _part(part: FactPart) -> DefinitionPart:
    return DefinitionPart(
        fact=part.fact,
        attributes=[bound.attribute.query_name for bound in part.attributes],
        measures=[StoredMeasureNode(text=str(measure), rolls_up=measure.rolls_up) for measure in part.measures],
    )


def _score(evaluation: EvaluationRecord) -> Score:
    return Score(
        value=evaluation.score,
        parts=[ScorePart(name=name, value=value) for name, value in sorted(evaluation.parts.items())],
        evaluated_at=evaluation.evaluated_at,
        rows=evaluation.rows,
        fact_rows=evaluation.fact_rows,
        size_bytes=evaluation.size_bytes,
        rows_saved=evaluation.rows_saved,
        seconds_saved=evaluation.seconds_saved,
        measured_share=evaluation.measured_share,
        build_seconds=evaluation.build_seconds,
        builds=evaluation.builds,
        predicted_rows=evaluation.predicted_rows,
    )


def _lineage(place: Place, definition: AggregateDefinition) -> Lineage:
    """Datasets and aggregates that the serving tables are made from, and aggregates and views that are made from them.

    Where nothing serves, only the datasets are known.
    """
    read = place.read
    serving = read.lists.instances.serving([definition.id])
    facts = [part.fact for part in definition.parts]
    joined = {step.to_dataset for part in definition.parts for bound in part.attributes for step in bound.steps}
    parents = sorted({aggregate_of_source(instance) for instance in serving} - {""})
    part_names = [definition.part_name(part) for part in definition.parts]
    built_from_it = read.lists.instances.page(
        InstanceFilter(model_ids=[definition.model_id], statuses=[InstanceStatus.ACTIVE], sources=part_names),
        sort=InstanceSort.NAME,
        descending=False,
        limit=MOST_ROWS,
    )
    found = read.definitions.ids_of_names(definition.model_id, parents)
    views = sorted({read.instances.get(instance.id).step.view for instance in serving})
    return Lineage(
        sources=[
            *(LineageNode(kind="fact", name=fact) for fact in facts),
            *(LineageNode(kind="dimension", name=dataset) for dataset in sorted(joined - set(facts))),
            *(LineageNode(kind="aggregate", name=name, definition_id=found.get(name)) for name in parents),
        ],
        targets=[
            *(LineageNode(kind="aggregate", name=name, definition_id=key) for name, key in _named(built_from_it.rows)),
            *(LineageNode(kind="view", name=view) for view in views if view),
        ],
    )


def aggregate_of_source(instance: InstanceListing) -> str:
    """The name of the definition that an instance was built from; empty where it was built from the fact."""
    if instance.source is None or instance.source == instance.fact:
        return ""
    return instance.source.removesuffix(f" ({instance.fact})")


def _named(instances: tuple[InstanceListing, ...]) -> list[tuple[str, str]]:
    """(name, id) of the instances' definitions, each once."""
    return list(dict.fromkeys((instance.aggregate, instance.definition_id) for instance in instances))
