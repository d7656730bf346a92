"""Files of definitions in the form of AtScale's export, around the definitions of our own.

    {"atScaleExportVersion": …, "exportModelId": …, "exportSummary": …,
     "aggregates": {"count": 1, "values": [{"id": …, "baseType": "system_defined", …, "planJson": {our definition}}]}}

AtScale's ``planJson`` is a plan over ids of keys that only the system has which made it. Ours says the same by names,
so a file can be taken back unchanged, or with some of its values, and moved to another system; a plan of AtScale's
cannot be read here, and is refused by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id, definition_id
from airflow_atscale_aggs.engine.aggregates.exported import FORMAT
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing
from airflow_atscale_aggs.engine.registry.page import MOST_ROWS
from airflow_atscale_aggs.plugins.api.access import ModelPlace
from airflow_atscale_aggs.plugins.api.problems import ProblemError

PLAN_TYPE = "definition-by-names"
"""The type of our plans; AtScale's are of another one."""

_HEADER = "source"
_FOREIGN = (
    "its planJson is no definition by names: a plan over ids of another system's keys means nothing here. Export it "
    "with `atscale-aggs export` or from this API"
)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A published file, taken apart.

    Attributes:
        data: our own file, with the definitions that can be read.
        ids: of all values, in order.
        readable: places of the values that are in ``data``, in its order.
        foreign: why the others are not, one sentence for all.
        version, catalog: where it was made.
    """

    data: bytes
    ids: tuple[str, ...]
    readable: tuple[int, ...]
    version: str
    catalog: str
    foreign: str = _FOREIGN


def publish_file(place: ModelPlace, data: bytes) -> dict[str, Any]:
    """Our own file in the published form.

    Args:
        data: as `export_definitions` writes it.
    """
    own: dict[str, Any] = json.loads(data)
    definitions = own.pop("definitions")
    listings = _listings(place)
    values = [_value(place, definition, listings) for definition in definitions]
    return {
        "atScaleExportVersion": own["product_version"],
        "exportTimestamp": own.get("exported_at"),
        "exportCatalogId": catalog_id(place.model.catalog),
        "exportModelId": place.model.id,
        "exportSummary": {"connectionIds": {"count": 1, "values": [place.place.connection]}},
        "aggregates": {"count": len(values), "values": values},
        _HEADER: own,
    }


def read_file(data: bytes) -> ReadFile:
    """A file in the published form, or our own file as it is.

    Raises:
        ProblemError: 400: it is neither.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refuse(f"it is no JSON: {error}") from error
    if isinstance(document, dict) and document.get("format") == FORMAT:
        found = document.get("definitions")
        names = [str(item.get("name")) for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        version, catalog = str(document.get("product_version")), catalog_id(str(document.get("catalog")))
        return ReadFile(data, tuple(names), tuple(range(len(names))), version, catalog)
    aggregates = document.get("aggregates") if isinstance(document, dict) else None
    values = aggregates.get("values") if isinstance(aggregates, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise _refuse("it has no `aggregates` with `values`")
    plans = [_plan(value.get("planJson")) for value in values]
    readable = tuple(number for number, plan in enumerate(plans) if plan is not None)
    header = document.get(_HEADER)
    own = {**(header if isinstance(header, dict) else {}), "definitions": [plans[number] for number in readable]}
    return ReadFile(
        json.dumps(own).encode(),
        tuple(str(value.get("id")) for value in values),
        readable,
        str(document.get("atScaleExportVersion")),
        str(document.get("exportCatalogId")),
    )


def _plan(plan: object) -> Mapping[str, Any] | None:
    """Our definition in a plan, which may be written as a text; None where it is a plan of another kind."""
    if isinstance(plan, str):
        try:
            plan = json.loads(plan)
        except (ValueError, RecursionError):
            return None
    if not isinstance(plan, dict) or plan.get("type") != PLAN_TYPE:
        return None
    definition = plan.get("definition")
    return definition if isinstance(definition, dict) else None


def _listings(place: ModelPlace) -> Mapping[str, DefinitionListing]:
    """The definitions of the model by id, for the ids of their instances."""
    lists, which = place.read.lists.definitions, DefinitionFilter(model_ids=[place.model.id])
    found: dict[str, DefinitionListing] = {}
    cursor: str | None = None
    while True:
        page = lists.page(which, limit=MOST_ROWS, cursor=cursor)
        found |= {listing.id: listing for listing in page.rows}
        cursor = page.next_cursor
        if cursor is None:
            return found


def _value(
    place: ModelPlace, definition: Mapping[str, Any], listings: Mapping[str, DefinitionListing]
) -> dict[str, Any]:
    identity = definition_id(definition["fingerprint"])
    listing = listings.get(identity)
    return {
        "id": identity,
        "baseType": "system_defined",
        "subType": definition["origin"],
        "catalogId": catalog_id(place.model.catalog),
        "modelId": place.model.id,
        "connectionId": place.place.connection,
        "createdAt": definition.get("defined_at"),
        "activeInstanceId": next(iter(listing.active_instance_ids), None) if listing else None,
        "latestInstanceId": next(iter(listing.newest_instance_ids), None) if listing else None,
        "triggeringQueryId": None,
        "blocked": False,
        "promoted": False,
        "notes": {"dimensional": not definition.get("metrics")},
        "planJson": {"type": PLAN_TYPE, "model": {"id": place.model.id}, "definition": definition},
    }


def _refuse(reason: str) -> ProblemError:
    detail = f"The file is not imported: {reason}. Send what the path `aggregates/export` has answered, unchanged."
    return ProblemError(HTTPStatus.BAD_REQUEST, detail, "malformed")
