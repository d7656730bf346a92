"""Models, their structure, their overview and their lattice; and whether the service works."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

from airflow.sdk.configuration import conf
from fastapi import APIRouter, Query

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import ReachableModel, VisitorDep
from airflow_atscale_aggs.plugins.api.connections import readable_places
from airflow_atscale_aggs.plugins.api.documents.batch_documents import Overview
from airflow_atscale_aggs.plugins.api.documents.definition_documents import LatticeGraph
from airflow_atscale_aggs.plugins.api.documents.model_documents import (
    ConnectionHealth,
    ConnectionProblem,
    Health,
    ModelList,
    ModelStructure,
    ModelSummary,
)
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.lattice_graphs import LatticeGraphs
from airflow_atscale_aggs.plugins.api.model_structures import ModelStructures
from airflow_atscale_aggs.plugins.api.model_summaries import summarize_models
from airflow_atscale_aggs.plugins.api.overviews import overview_of
from airflow_atscale_aggs.plugins.api.problems import ProblemError, describe_failure

router = APIRouter(tags=["Models"])
_structures = ModelStructures()
_lattices = LatticeGraphs()


@router.get("/models")
def list_models(visitor: VisitorDep) -> ModelList:
    """All models that you may read, over all connections, by name.

    A connection that cannot be used takes nothing away from the others; it is among the `problems`.
    """
    found: list[ModelSummary] = []
    problems: list[ConnectionProblem] = []
    for place in readable_places(visitor):
        try:
            deployed = [model for model in place.models if model.retired_at is None]
            found += summarize_models(place, deployed)
        except Exception as error:  # noqa: BLE001 - a broken connection must not hide the others
            title, detail = describe_failure(error)
            problems.append(ConnectionProblem(connection=place.connection, title=title, detail=detail))
    found.sort(key=lambda model: (model.name, model.catalog, model.connection))
    zone = str(conf.get("core", "default_timezone"))
    return ModelList(models=found, problems=problems, timezone="UTC" if zone.lower() == "utc" else zone)


@router.get("/health")
def read_health(visitor: VisitorDep) -> Health:
    """Whether every registry that you may read answers."""
    connections: list[ConnectionHealth] = []
    for place in readable_places(visitor):
        began = time.perf_counter()
        try:
            place.read.models.all()
        except Exception as error:  # noqa: BLE001 - whatever it is, this tells it
            _, detail = describe_failure(error)
            connections.append(ConnectionHealth(connection=place.connection, status="unhealthy", detail=detail))
        else:
            milliseconds = round((time.perf_counter() - began) * 1000, 3)
            connections.append(
                ConnectionHealth(connection=place.connection, status="healthy", milliseconds=milliseconds)
            )
    is_healthy = all(connection.status == "healthy" for connection in connections)
    return Health(status="healthy" if is_healthy else "degraded", version=__version__, connections=connections)


@router.get("/dags/{dag_id}/models")
def list_models_of_dag(visitor: VisitorDep, dag_id: Identity) -> list[ModelSummary]:
    """The models that a DAG builds; none where it builds none, or what it builds is not deployed."""
    if not visitor.may_read_dag(dag_id):
        raise ProblemError(HTTPStatus.FORBIDDEN, f"You may not read the DAG `{dag_id}`.", "forbidden")
    found: list[ModelSummary] = []
    for connection in sorted({dag.connection for dag in visitor.dags if dag.dag_id == dag_id}):
        place = visitor.place(connection)
        built = [model for model in place.models if any(dag.dag_id == dag_id for dag in place.dags_of(model))]
        found += summarize_models(place, built)
    return found


@router.get("/connections/{connection}/models/{model}")
def read_model(place: ReachableModel) -> ModelSummary:
    """One model, by its name, `catalog.name` or id."""
    (summary,) = summarize_models(place.place, [place.model])
    return summary


@router.get("/connections/{connection}/models/{model}/structure")
def read_structure(place: ReachableModel) -> ModelStructure:
    """Its hierarchies, attributes and metrics, as they are deployed."""
    return _structures.of(place.read, place.model)


@router.get("/connections/{connection}/models/{model}/overview")
def read_overview(place: ReachableModel, days: Annotated[int, Query(ge=1, le=365)] = 30) -> Overview:
    """How its aggregates are doing: queries by day (UTC, today last), the last batch, what wants attention, sizes."""
    return overview_of(place.place, place.model, days=days, now=utc_now())


@router.get("/connections/{connection}/models/{model}/lattice")
def read_lattice(place: ReachableModel, most: Annotated[int, Query(ge=1, le=1000)] = 200) -> LatticeGraph:
    """Which aggregate derives from which, as far as the data allowed when the newest batch was planned.

    Facts are the roots. Where there are more definitions than `most`, users' ones are shown first, then those that are
    used most. Edges that follow from others are left out, unless a table was built that way.
    """
    return _lattices.of(place.read, place.model.id, most=most)
