"""Who may do what: Airflow's own rights on DAGs and connections decide it.

    read        who may read a DAG that builds the model over the connection, or may read the connection
    build       who may trigger such a DAG; also block, unblock, import and apply, and ask for data
    administer  who may edit the connection: delete instances, change settings

So nobody reads a model over a connection that he may not use, and models that share a registry stay apart.

Whether something exists is told to nobody who may not read it: over a connection that he may not use, everything is
answered with 403; over one that he may use for other models, with 404, in the words for what is not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from airflow.sdk.exceptions import AirflowException
from fastapi import Depends

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.models import find_model
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, InstanceRecord, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader
from airflow_atscale_aggs.plugins.api.bounds import Slots, configured_bound
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.model_dags import ModelDag, ModelDags
from airflow_atscale_aggs.plugins.api.places import Places
from airflow_atscale_aggs.plugins.api.problems import ProblemError

places = Places()
model_dags = ModelDags()
warehouse_slots = Slots(configured_bound("warehouse_requests", 4), "asks the warehouse")


class Right(StrEnum):
    """What somebody may do; each includes the ones before."""

    READ = "read"
    BUILD = "build"
    ADMINISTER = "administer"


_NEEDED = {
    Right.BUILD: "do this: you need to trigger a DAG that builds the model over this connection",
    Right.ADMINISTER: "do this: you need to edit the Airflow connection",
}


class Visitor:
    """Who asks, and what Airflow lets him do."""

    def __init__(self, user: BaseUser) -> None:
        self.user = user
        self._may_use: dict[tuple[str, str], bool] = {}
        self._teams: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """For logs and owners."""
        return str(self.user.get_name())

    @cached_property
    def dags(self) -> tuple[ModelDag, ...]:
        """The DAGs that build models and that he may read."""
        found = model_dags.all()
        # One question for all: each of them costs a look into Airflow's database.
        teams = DagModel.get_dag_id_to_team_name_mapping([dag.dag_id for dag in found]) if found else {}
        self._teams.update({dag.dag_id: teams.get(dag.dag_id) for dag in found})
        return tuple(dag for dag in found if self.may_read_dag(dag.dag_id))

    def may_read_dag(self, dag_id: str, entity: DagAccessEntity | None = None) -> bool:
        """Whether he may read a DAG, or what belongs to it; whether the DAG exists does not matter."""
        return self._is_authorized(dag_id, "GET", entity)

    def may_trigger(self, dag: ModelDag) -> bool:
        """Whether he may start a run of a DAG."""
        return self._is_authorized(dag.dag_id, "POST", DagAccessEntity.RUN)

    def may_change_runs(self, dag_id: str, entity: DagAccessEntity = DagAccessEntity.RUN) -> bool:
        """Whether he may stop runs of a DAG, or clear tasks in them."""
        return self._is_authorized(dag_id, "PUT", entity)

    def may_use(self, connection: str, method: Any = "GET") -> bool:
        """Whether he may read a connection, or edit it with ``PUT``."""
        key = (connection, method)
        if key not in self._may_use:
            details = ConnectionDetails(conn_id=connection, team_name=Connection.get_team_name(connection))
            allowed = get_auth_manager().is_authorized_connection(method=method, details=details, user=self.user)
            self._may_use[key] = allowed
        return self._may_use[key]

    def place(self, connection: str, right: Right = Right.READ) -> Place:
        """A connection over which he may read something.

        Raises:
            ProblemError: 403: he may not; whether the connection exists is not told.
        """
        dags = tuple(dag for dag in self.dags if dag.connection == connection)
        if not dags and not self.may_use(connection):
            detail = (
                f"You may not use the Airflow connection `{connection}`: you need to read a DAG that builds a model "
                "over it, or the connection itself."
            )
            raise ProblemError(HTTPStatus.FORBIDDEN, detail, "forbidden")
        return Place(self, connection, dags, right)

    def _is_authorized(self, dag_id: str, method: Any, entity: DagAccessEntity | None) -> bool:
        if dag_id not in self._teams:
            self._teams[dag_id] = DagModel.get_team_name(dag_id)
        details = DagDetails(id=dag_id, team_name=self._teams[dag_id])
        return get_auth_manager().is_authorized_dag(
            method=method, access_entity=entity, details=details, user=self.user
        )


class Place:
    """A connection, as one visitor may use it for one kind of deed.

    Attributes:
        dags: those that build models over the connection and that he may read.
        right: what the request needs.
    """

    def __init__(self, visitor: Visitor, connection: str, dags: tuple[ModelDag, ...], right: Right) -> None:
        self.visitor, self.connection, self.dags, self.right = visitor, connection, dags, right

    @cached_property
    def registry(self) -> Registry:
        """The registry. Raises as `Places.registry`."""
        return places.registry(self.connection)

    @property
    def read(self) -> RegistryReader:
        """What the registry knows; not all of it is for the visitor, see `models`."""
        return self.registry.read

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Registry and warehouse, for the length of the block.

        Raises ProblemError (503) when this process asks the warehouse for too many other requests, and as
        `Places.workspace`.
        """
        with warehouse_slots.taken(), places.workspace(self.connection) as workspace:
            yield workspace

    @contextlib.contextmanager
    def bookkeeping(self) -> Iterator[Workspace]:
        """A workspace for what is written down and no more: nobody connects to the warehouse, so no slot is needed."""
        with places.workspace(self.connection) as workspace:
            yield workspace

    @cached_property
    def sql_dialect(self) -> str:
        """The warehouse's SQL, by sqlglot's name; empty where the connection does not say. Opens no warehouse."""
        try:
            return places.hook(self.connection).warehouse_dialect().sqlglot_name
        except (AtScaleAggsError, AirflowException):
            return ""

    @cached_property
    def models(self) -> tuple[ModelRecord, ...]:
        """The deployed models that he may read over the connection, also retired ones."""
        return tuple(model for model in self.read.models.all() if self.may(Right.READ, model))

    def may(self, right: Right, model: ModelRecord) -> bool:
        """Whether he has a right on a model over the connection."""
        if right is Right.ADMINISTER:
            return self.visitor.may_use(self.connection, "PUT")
        dags = self.dags_of(model)
        if right is Right.READ:
            return bool(dags) or self.visitor.may_use(self.connection)
        return any(self.visitor.may_trigger(dag) for dag in dags) or self.visitor.may_use(self.connection, "PUT")

    def dags_of(self, model: ModelRecord) -> tuple[ModelDag, ...]:
        """The DAGs that build a model and that he may read; those that do nothing else come first."""
        names = {model.id, model.name, f"{model.catalog}.{model.name}"}
        return tuple(dag for dag in self.dags if dag.model in names)

    def model_ids(self, wanted: list[str]) -> tuple[str, ...]:
        """Ids of the models with these names or ids; of all that he may read where none is given.

        Raises:
            ProblemError: as `model`.
        """
        return tuple(self.model(name).id for name in wanted) or tuple(model.id for model in self.models)

    def model(self, name_or_id: str) -> ModelRecord:
        """A model on which the request may do what it is for.

        Raises:
            ProblemError: 404: there is none that he may read; 403: he may only read it.
        """
        try:
            record = find_model(self.models, name_or_id)
        except NotRegisteredError as error:
            # It names models that nearly have the name: only such as he may read.
            raise self.missing(error.kind, name_or_id, error.near) from None
        self._check_right(record)
        return record

    def definition(self, definition_id: str) -> DefinitionRecord:
        """A definition of a model on which the request may do what it is for. Raises as `model`."""
        try:
            record = self.read.definitions.get(definition_id)
        except NotRegisteredError:
            raise self.missing("definition", definition_id) from None
        self.check(record.definition.model_id, "definition", definition_id)
        return record

    def instance(self, instance_id: str) -> InstanceRecord:
        """An instance of a model on which the request may do what it is for. Raises as `model`."""
        try:
            record = self.read.instances.get(instance_id)
        except NotRegisteredError:
            raise self.missing("instance", instance_id) from None
        self.check(record.model_id, "instance", instance_id)
        return record

    def check(self, model_id: str, what: str, name: str) -> None:
        """Raise as `model`, unless the request may do what it is for with something that belongs to a model.

        Args:
            what, name: of the thing, as whoever asks named it.
        """
        record = self.read.models.get(model_id)
        if not self.may(Right.READ, record):
            raise self.missing(what, name)
        self._check_right(record)

    def missing(self, what: str, name: str, near: Sequence[str] = ()) -> ProblemError:
        """The answer (404) for what is not there, and for what he may not read: nobody can tell which it is."""
        detail = str(NotRegisteredError(what, name, near))
        if not self.visitor.may_use(self.connection):
            its = "it" if what == "model" else "its model"
            detail += (
                f" Or you may not read {its}: for that you need to read a DAG that builds the model over this "
                "connection, or the connection itself."
            )
        return ProblemError(HTTPStatus.NOT_FOUND, detail, "not-registered")

    def _check_right(self, model: ModelRecord) -> None:
        if self.right is not Right.READ and not self.may(self.right, model):
            raise ProblemError(HTTPStatus.FORBIDDEN, f"You may not {_NEEDED[self.right]}.", "forbidden")


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """One model over one connection, after the rights were checked."""

    place: Place
    model: ModelRecord

    @property
    def read(self) -> RegistryReader:
        """What the registry knows."""
        return self.place.read


def visitor_of(user: GetUserDep) -> Visitor:
    """Who asks; 401 when nobody is signed in."""
    return Visitor(user)


VisitorDep = Annotated[Visitor, Depends(visitor_of)]


def _reach(visitor: VisitorDep, connection: Identity) -> Place:
    return visitor.place(connection)


def _reach_to_build(visitor: VisitorDep, connection: Identity) -> Place:
    return visitor.place(connection, Right.BUILD)


def _reach_to_administer(visitor: VisitorDep, connection: Identity) -> Place:
    return visitor.place(connection, Right.ADMINISTER)


ReachableConnection = Annotated[Place, Depends(_reach)]
"""A connection that may be read; each model is checked by `Place.model` or `Place.check`."""

BuildingConnection = Annotated[Place, Depends(_reach_to_build)]
ManagedConnection = BuildingConnection
AdministeredConnection = Annotated[Place, Depends(_reach_to_administer)]
AskingConnection = ReachableConnection
"""A connection over which a query is asked: what the query reads decides the right that it needs."""


def _read_model(place: ReachableConnection, model: Identity) -> ModelPlace:
    return ModelPlace(place, place.model(model))


def _buildable_model(place: BuildingConnection, model: Identity) -> ModelPlace:
    return ModelPlace(place, place.model(model))


def _administered_model(place: AdministeredConnection, model: Identity) -> ModelPlace:
    return ModelPlace(place, place.model(model))


ReachableModel = Annotated[ModelPlace, Depends(_read_model)]
BuildableModel = Annotated[ModelPlace, Depends(_buildable_model)]
ManagedModel = BuildableModel
AdministeredModel = Annotated[ModelPlace, Depends(_administered_model)]
