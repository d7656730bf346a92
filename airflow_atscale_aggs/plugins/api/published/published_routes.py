"""AtScale's published paths, container edition: batches, definitions and instances.

They stand below ``/atscale_aggs``, and below each connection's own prefix. What is the same as there and what is not is
said in ``docs/rest-api.md``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import AfterValidator

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter
from airflow_atscale_aggs.engine.registry.instance_lists import InstanceFilter
from airflow_atscale_aggs.plugins.api.access import Place, Right
from airflow_atscale_aggs.plugins.api.batch_runs import RequestedRun, find_batch
from airflow_atscale_aggs.plugins.api.documents.definition_documents import BlockRequest
from airflow_atscale_aggs.plugins.api.identities import Identity, SearchText
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.published import published_batches, published_lists
from airflow_atscale_aggs.plugins.api.published.published_documents import (
    BatchAnswer,
    BlockAnswer,
    HistoryBatch,
    HistoryList,
    PublishedDefinition,
    PublishedInstance,
    PublishedList,
    UnblockAnswer,
)
from airflow_atscale_aggs.plugins.api.published.published_errors import PublishedRoute
from airflow_atscale_aggs.plugins.api.published.published_pages import PageOptions
from airflow_atscale_aggs.plugins.api.published.published_places import Asker, AskerDep
from airflow_atscale_aggs.plugins.api.published.published_words import (
    DEFINITIONS_OF_WORD,
    INSTANCES_OF_WORD,
    ORIGINS_OF_SUBTYPE,
)
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate
from airflow_atscale_aggs.plugins.api.routes import definition_action_routes

router = APIRouter(route_class=PublishedRoute, tags=["Published paths"])

_LARGEST_PAGE = 1000
_FURTHEST_PAGE = 10_000

IsFullBuild = Annotated[bool, Query(alias="isFullBuild", description="Whether all is built anew.")]
GracePeriods = Annotated[
    Any,
    Body(
        description="For incremental builds: grace periods in seconds, by dataset.",
        examples=[{"gracePeriodOverrides": {"store_sales": 30}}],
    ),
]


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
"""A point in time, such as `2023-07-03T09:43:16`; without an offset it is UTC."""


def _page(
    page: Annotated[int, Query(ge=1, le=_FURTHEST_PAGE)] = 1, size: Annotated[int, Query(ge=1, le=_LARGEST_PAGE)] = 10
) -> PageOptions:
    return PageOptions(page, size)


def _page_with_limit(
    page: Annotated[int, Query(ge=1, le=_FURTHEST_PAGE)] = 1, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> PageOptions:
    return PageOptions(page, limit)


def _any_organization(org_id: Identity) -> None:
    """The documentation has all parameters of a path, also those that mean nothing."""


PageDep = Annotated[PageOptions, Depends(_page)]
LimitedPageDep = Annotated[PageOptions, Depends(_page_with_limit)]


@router.post("/v1/aggregates-batch/catalogs/{catalog_id}/models/{model_id}", status_code=201, dependencies=[ActingRate])
def start_batch(
    asker: AskerDep, catalog_id: Identity, model_id: Identity, is_full: IsFullBuild, body: GracePeriods = None
) -> BatchAnswer:
    """Start a full or incremental build of all aggregates of a model.

    The batch's `id` is that of the request. The filter `batchId` of instances and the history know it, also when
    another batch answers the request.
    """
    place = asker.model(model_id, catalog=catalog_id, right=Right.BUILD)
    return published_batches.start(place, is_full=is_full, body=body)


@router.post("/aggregate-batch/projectId/{project_id}", status_code=201, dependencies=[ActingRate])
@router.post(
    "/aggregate-batch/orgId/{org_id}/projectId/{project_id}",
    status_code=201,
    dependencies=[ActingRate, Depends(_any_organization)],
)
def start_batch_of_cube(
    asker: AskerDep,
    project_id: Identity,
    cube_id: Annotated[Identity, Query(alias="cubeId")],
    is_full: IsFullBuild,
    body: GracePeriods = None,
) -> BatchAnswer:
    """The same under its older path; a project is a catalog, a cube is a model, and the organization means nothing."""
    place = asker.model(cube_id, catalog=project_id, right=Right.BUILD)
    return published_batches.start(place, is_full=is_full, body=body)


@router.get("/wapi/p/aggregate/batch-history")
def list_batches(
    asker: AskerDep,
    options: LimitedPageDep,
    model_id: Annotated[Identity, Query(alias="modelId")],
    catalog_id: Annotated[Identity | None, Query(alias="catalogId")] = None,
) -> HistoryList[HistoryBatch]:
    """The batches of a model, newest first, under the ids of the requests that they answer."""
    return published_batches.history(asker.model(model_id, catalog=catalog_id or ""), options)


class _DefinitionQuery:
    """The filters of definitions."""

    def __init__(
        self,
        definition_id: Annotated[Identity | None, Query(alias="id")] = None,
        catalog: Annotated[Identity | None, Query()] = None,
        catalog_id: Annotated[Identity | None, Query(alias="catalogId")] = None,
        model_id: Annotated[Identity | None, Query(alias="modelId")] = None,
        status: Annotated[Literal["active", "invalid", "pending"] | None, Query()] = None,
        subtype: Annotated[Literal["demand_defined", "prediction_defined", "manual", "hinted"] | None, Query()] = None,
    ) -> None:
        self.id, self.catalog, self.model_id = definition_id, catalog_id or catalog or "", model_id or ""
        self.status, self.subtype = status, subtype


@router.get("/v1/aggregates")
@router.get("/v1/public/aggregates")
def list_definitions(
    asker: AskerDep, wanted: Annotated[_DefinitionQuery, Depends()], options: PageDep
) -> PublishedList[PublishedDefinition]:
    """Definitions of aggregates, by name. Those that were retired are listed with `status=invalid` only."""
    return _list_definitions(asker, wanted, options)


@router.get("/wapi/p/aggregate/definition")
def list_definitions_of_page(
    asker: AskerDep, wanted: Annotated[_DefinitionQuery, Depends()], options: LimitedPageDep
) -> HistoryList[PublishedDefinition]:
    """The same under the path of the product's own page, which calls the size of a page `limit`."""
    found = _list_definitions(asker, wanted, options)
    return HistoryList(data=found.data, total=found.total)


def _list_definitions(
    asker: Asker, wanted: _DefinitionQuery, options: PageOptions
) -> PublishedList[PublishedDefinition]:
    sources = asker.models(wanted.model_id, wanted.catalog)
    if wanted.subtype == "hinted":
        sources = []
    statuses = [DefinitionStatus.DEFINED, DefinitionStatus.BLOCKED]
    which = DefinitionFilter(
        origins=ORIGINS_OF_SUBTYPE[wanted.subtype] if wanted.subtype else (),
        statuses=list(DefinitionStatus) if wanted.status == "invalid" else statuses,
        shown_statuses=DEFINITIONS_OF_WORD[wanted.status] if wanted.status else (),
    )
    return published_lists.list_definitions(sources, which, options, definition_id=wanted.id)


class _InstanceQuery:
    """The filters of instances."""

    def __init__(
        self,
        definition_id: Annotated[Identity | None, Query(alias="definitionId")] = None,
        status: Annotated[str | None, Query(max_length=20)] = None,
        table_name: Annotated[SearchText, Query(alias="tableName", description="A part of the name.")] = "",
        start_time: Annotated[Moment | None, Query(alias="startTime", description="Builds that began then.")] = None,
        end_time: Annotated[Moment | None, Query(alias="endTime", description="Builds that began before.")] = None,
    ) -> None:
        if status is not None and status not in INSTANCES_OF_WORD:
            detail = f"Invalid parameter `status`: `{status}` is none of {', '.join(sorted(INSTANCES_OF_WORD))}."
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail, "malformed")
        self.filter = InstanceFilter(
            definition_id=definition_id,
            statuses=INSTANCES_OF_WORD[status] if status else (),
            table_contains=table_name,
            started_after=start_time,
            started_before=end_time,
        )


class _Scope:
    """The models and the batch whose instances are listed."""

    def __init__(
        self,
        catalog_id: Annotated[Identity | None, Query(alias="catalogId")] = None,
        model_id: Annotated[Identity | None, Query(alias="modelId")] = None,
        batch_id: Annotated[
            Identity | None, Query(alias="batchId", description="Of a batch, or of a request that it answers.")
        ] = None,
    ) -> None:
        self.catalog, self.model_id, self.batch_id = catalog_id or "", model_id or "", batch_id


@router.get("/v1/aggregates/instances")
@router.get("/v1/public/aggregates/instances")
def list_instances(
    asker: AskerDep,
    scope: Annotated[_Scope, Depends()],
    wanted: Annotated[_InstanceQuery, Depends()],
    options: PageDep,
) -> PublishedList[PublishedInstance]:
    """Instances of definitions, the newest first.

    Those of a batch are listed by the id that the start of the batch has answered. There are none while its run has
    not begun it.
    """
    sources = asker.models(scope.model_id, scope.catalog)
    which, batch_id = wanted.filter, scope.batch_id
    if batch_id is None:
        return published_lists.list_instances(sources, which, options)
    for place, models in sources:
        try:
            found = find_batch(place, batch_id)
        except ProblemError:
            continue
        if isinstance(found, RequestedRun):
            return published_lists.list_instances([], which, options)
        own = published_lists.of_batch(which, found.id)
        return published_lists.list_instances([(place, models)], own, options, batch_id=batch_id)
    raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no batch `{batch_id}` that you may read.", "no-batch")


@router.put("/v1/aggregates/definitions/{definition_id}/block", dependencies=[ActingRate])
@router.put("/v1/public/aggregates/definitions/{definition_id}/block", dependencies=[ActingRate])
def block_definition(asker: AskerDep, definition_id: Identity) -> BlockAnswer:
    """Take a definition out of use: queries go past it at once, and batches do not build it."""
    definition_action_routes.block_definition(_buildable(asker, definition_id), definition_id, BlockRequest())
    return BlockAnswer()


@router.put("/v1/aggregates/definitions/{definition_id}/unblock", dependencies=[ActingRate])
@router.put("/v1/public/aggregates/definitions/{definition_id}/unblock", dependencies=[ActingRate])
def unblock_definition(asker: AskerDep, definition_id: Identity) -> UnblockAnswer:
    """Define a blocked definition again; the next batch builds it."""
    definition_action_routes.unblock_definition(_buildable(asker, definition_id), definition_id)
    return UnblockAnswer()


@router.delete("/v1/aggregates/definitions/{definition_id}", dependencies=[ActingRate])
@router.delete("/v1/public/aggregates/definitions/{definition_id}", dependencies=[ActingRate])
def delete_definition(asker: AskerDep, definition_id: Identity, request: Request) -> BlockAnswer:
    """Definitions are kept for ever here, with their statistics: this is always refused, with 409."""
    _buildable(asker, definition_id)
    detail = (
        f"Definition {definition_id} is kept, as all are here, with what is known of its use. Block it instead: PUT "
        f"{request.url.path.rstrip('/')}/block."
    )
    raise ProblemError(HTTPStatus.CONFLICT, detail, "kept-for-ever")


def _buildable(asker: Asker, definition_id: str) -> Place:
    return asker.definition(definition_id, Right.BUILD)
