"""AtScale's published paths to export definitions and to import them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id as id_of_catalog
from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import ModelPlace, Right
from airflow_atscale_aggs.plugins.api.documents.query_documents import ImportAnswer
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.imports import import_upload
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.published.published_documents import (
    ImportedValue,
    ImportedValues,
    PublishedImport,
)
from airflow_atscale_aggs.plugins.api.published.published_errors import PublishedRoute
from airflow_atscale_aggs.plugins.api.published.published_files import ReadFile, publish_file, read_file
from airflow_atscale_aggs.plugins.api.published.published_places import AskerDep
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate
from airflow_atscale_aggs.plugins.api.run_actions import choose_dag
from airflow_atscale_aggs.plugins.api.uploads import Upload, import_slots, read_upload

router = APIRouter(route_class=PublishedRoute, tags=["Published paths"], dependencies=[ActingRate])

_IMPORTED = frozenset({"imported", "returned"})
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "description": "What the export has answered."}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


@router.get("/v1/aggregates/export/catalogs/{catalog_id}/models/{model_id}")
@router.get("/v1/public/aggregates/export/catalogs/{catalog_id}/models/{model_id}")
def export(asker: AskerDep, catalog_id: Identity, model_id: Identity) -> dict[str, Any]:
    """The system-defined definitions of a model, in the form of AtScale's export.

    `planJson` of each says by names what it stores; AtScale's own says it by ids of keys. So a file of this API can be
    imported by it, and not by AtScale.
    """
    place = asker.model(model_id, catalog=catalog_id)
    with place.place.bookkeeping() as workspace:
        exported = export_definitions(workspace, place.model.id, now=utc_now())
    return publish_file(place, exported.data)


@router.post("/v1/aggregates/import/catalogs/{catalog_id}/models/{model_id}", openapi_extra=_BODY)
@router.post("/v1/public/aggregates/import/catalogs/{catalog_id}/models/{model_id}", openapi_extra=_BODY)
async def import_definitions(
    asker: AskerDep,
    catalog_id: Identity,
    model_id: Identity,
    request: Request,
) -> PublishedImport:
    """Record the definitions of a file, and start a batch of the new ones where a DAG builds the model.

    What exists already is told one by one, and the call succeeds. `importDistributionKey`, `importPartitionKeys`,
    `importReplication` and `connectionRemap` are taken and mean nothing: no definition has such hints, or belongs to a
    connection.
    """
    place = await run_in_threadpool(asker.model, model_id, catalog=catalog_id, right=Right.BUILD)
    with import_slots.taken():
        upload = await read_upload(request)
        return await run_in_threadpool(_import, place, upload)


def _import(place: ModelPlace, upload: Upload) -> PublishedImport:
    file = read_file(upload.data)
    values = [
        ImportedValue(id=identity, new_id=None, imported=False, reason=f"It is not imported: {file.foreign}.")
        for identity in file.ids
    ]
    if file.readable:
        answer = import_upload(place, Upload(file.data, upload.name), build=_may_build(place))
        _note(values, file, answer)
    number = sum(value.imported for value in values)
    return PublishedImport(
        at_scale_export_version=file.version,
        export_catalog_id=file.catalog,
        import_catalog_id=id_of_catalog(place.model.catalog),
        model_id=place.model.id,
        number_of_definitions_imported=number,
        number_of_definitions_ignored=len(values) - number,
        aggregates=ImportedValues(count=len(values), values=values),
    )


def _note(values: list[ImportedValue], file: ReadFile, answer: ImportAnswer) -> None:
    """Note what became of the definitions that could be read."""
    for number, node in zip(file.readable, answer.definitions, strict=True):
        is_imported = node.outcome in _IMPORTED
        reason = "" if is_imported else f"`{node.name}`: {node.why}." if node.why else f"`{node.name}`: {node.outcome}."
        values[number] = ImportedValue(
            id=file.ids[number], new_id=node.definition_id if is_imported else None, imported=is_imported, reason=reason
        )


def _may_build(place: ModelPlace) -> bool:
    """Whether a batch can be started; where none can, the next one builds what is imported."""
    try:
        choose_dag(place, None)
    except ProblemError:
        return False
    return True
