"""Finds the models that a published path means: it names a ModelID, and no connection.

Over which connection a model is meant may be said by the parameter ``aggs_conn_id``, or by a prefix of the address:
``/atscale_aggs/connections/{aggs_conn_id}/v1/…``. Where it is not said, there must be one connection alone over which
the visitor reaches the model; of several, the one over which a DAG builds it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request

from airflow_atscale_aggs.engine.aggregates.definition import catalog_id
from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.plugins.api.access import ModelPlace, Place, Right, Visitor, VisitorDep, places
from airflow_atscale_aggs.plugins.api.connections import readable_places
from airflow_atscale_aggs.plugins.api.problems import ProblemError, describe_failure

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and over which connection; empty: whichever leads to what he asks for."""

    visitor: Visitor
    connection: str

    def places(self) -> Iterator[Place]:
        """The connections that are looked at. One that cannot be used is passed over, unless it is the one named."""
        if self.connection:
            yield self.visitor.place(self.connection)
        else:
            yield from filter(_is_usable, readable_places(self.visitor))

    def model(self, wanted: str, *, catalog: str = "", right: Right = Right.READ) -> ModelPlace:
        """A deployed model by its ModelID, also by its name.

        Args:
            catalog: id or name of its catalog; empty: any.

        Raises:
            ProblemError: 404: none that the visitor may read; 409: several; 403: he has not got the right.
        """
        found = [
            (place, model)
            for place in self.places()
            for model in place.models
            if model.retired_at is None and wanted in {model.id, model.name} and is_catalog(model, catalog)
        ]
        if len(found) > 1:
            found = [(place, model) for place, model in found if place.dags_of(model)] or found
        if not found:
            where = f" in catalog `{catalog}`" if catalog else ""
            detail = f"No model `{wanted}`{where} is deployed that you may read."
            raise ProblemError(HTTPStatus.NOT_FOUND, detail, "not-registered")
        if len(found) > 1:
            names = ", ".join(f"`{place.connection}`" for place, _ in found)
            detail = (
                f"Model `{wanted}` is reached over several connections: {names}. Say which is meant, by the parameter "
                "`aggs_conn_id` or by the prefix `/connections/{aggs_conn_id}` of the path."
            )
            raise ProblemError(HTTPStatus.CONFLICT, detail, "several-connections")
        ((place, model),) = found
        wide = self.visitor.place(place.connection, right)
        return ModelPlace(wide, wide.model(model.id))

    def models(self, wanted: str = "", catalog: str = "") -> list[tuple[Place, list[ModelRecord]]]:
        """All models that the visitor may read, or one of them, each once: several connections may lead to a registry.

        Raises as `model`.
        """
        if wanted:
            one = self.model(wanted, catalog=catalog)
            return [(one.place, [one.model])]
        seen: set[tuple[str, str]] = set()
        found: list[tuple[Place, list[ModelRecord]]] = []
        for place in self.places():
            registry = _registry_of(place)
            models = [
                model for model in place.models if is_catalog(model, catalog) and (registry, model.id) not in seen
            ]
            seen |= {(registry, model.id) for model in models}
            if models:
                found.append((place, models))
        return found

    def definition(self, definition_id: str, right: Right) -> Place:
        """The connection of a definition.

        Raises:
            ProblemError: 404, 409, 403, as `model`.
        """
        for place, models in self.models():
            try:
                record = place.read.definitions.get(definition_id)
            except NotRegisteredError:
                continue
            if record.definition.model_id in {model.id for model in models}:
                return self.model(record.definition.model_id, right=right).place
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"There is no definition `{definition_id}` that you may read.", "no-definition"
        )


def is_catalog(model: ModelRecord, wanted: str) -> bool:
    """Whether a model is of a catalog, by its id or name; empty: of any."""
    return not wanted or wanted in {model.catalog, catalog_id(model.catalog)}


def _registry_of(place: Place) -> str:
    """What tells registries apart; it may hold a password."""
    return places.hook(place.connection).registry_url()


def _is_usable(place: Place) -> bool:
    try:
        place.models  # noqa: B018 - it is read here for the first time
    except Exception as error:  # noqa: BLE001 - a broken connection must not hide the others
        _log.debug("Connection %s is passed over: %s", place.connection, describe_failure(error)[1])
        return False
    return True


def _asker(
    visitor: VisitorDep,
    request: Request,
    connection: Annotated[
        str | None,
        Query(alias="aggs_conn_id", max_length=250, description="The Airflow connection, where several are possible."),
    ] = None,
) -> Asker:
    named = str(request.path_params.get("aggs_conn_id") or connection or "")
    if "\x00" in named:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "Invalid parameter `aggs_conn_id`.", "malformed")
    return Asker(visitor, named)


AskerDep = Annotated[Asker, Depends(_asker)]
