"""The models that are deployed: read by everybody, written by deployments and retirements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.errors import ModelRetiredError, NotRegisteredError, near_names
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.deployments import record_deployment
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import model_record
from airflow_atscale_aggs.engine.registry.records import Deployment, DeploymentOutcome, ModelFigures, ModelRecord
from airflow_atscale_aggs.engine.registry.shared_changes import (
    cancel_unactivated,
    count_change,
    let_instances_go,
    lock_model,
    retire_definitions,
)
from airflow_atscale_aggs.engine.registry.standings import refresh_standings_of_model
from airflow_atscale_aggs.engine.registry.tables import batches, definitions, deployments, instances, models, standings


class ModelReader(RegistryPart):
    """Reads about models and their deployments."""

    __slots__ = ()

    def current(self) -> tuple[ModelRecord, ...]:
        """All models that were not retired, by name."""
        return tuple(record for record in self.all() if record.retired_at is None)

    def all(self) -> tuple[ModelRecord, ...]:
        """All models, retired ones as well, by name."""
        return tuple(map(model_record, self._rows(select(models).order_by(models.c.name, models.c.catalog))))

    def get(self, name_or_id: str) -> ModelRecord:
        """A model by id, by name, or by ``catalog.name``; a retired one where no other has the name.

        Raises:
            NotRegisteredError: none or several have that name; carries near names.
        """
        return find_model(self.all(), name_or_id)

    def get_deployed(self, name_or_id: str) -> ModelRecord:
        """A model that was not retired.

        Raises:
            NotRegisteredError: as `get`.
            ModelRetiredError: it was retired.
        """
        record = self.get(name_or_id)
        if record.retired_at is not None:
            raise ModelRetiredError(record.name)
        return record

    def figures(self, model_ids: Collection[str]) -> Mapping[str, ModelFigures]:
        """What each of some models has, by id."""
        ids = sorted(model_ids)
        defined = (
            select(standings.c.model_id, func.count())
            .where(standings.c.model_id.in_(ids), standings.c.status == DefinitionStatus.DEFINED)
            .group_by(standings.c.model_id)
        )
        active = (
            select(instances.c.model_id, func.count(), func.sum(instances.c.rows), func.max(instances.c.activated_at))
            .where(instances.c.model_id.in_(ids), instances.c.status == InstanceStatus.ACTIVE)
            .group_by(instances.c.model_id)
        )
        opened = select(batches.c.model_id, batches.c.id).where(
            batches.c.model_id.in_(ids), batches.c.status == BatchStatus.IN_PROGRESS
        )
        found = {model_id: ModelFigures() for model_id in ids}
        with self.database.reading() as connection:
            for model_id, number in connection.execute(defined):
                found[model_id] = replace(found[model_id], definitions=number)
            for model_id, number, rows, last in connection.execute(active):
                found[model_id] = replace(found[model_id], active=number, rows=int(rows or 0), last_activated_at=last)
            for model_id, batch_id in connection.execute(opened):
                found[model_id] = replace(found[model_id], open_batch_id=batch_id)
        return found

    def content(self, deployment_id: str) -> bytes:
        """The SML documents of a deployment as they were recorded."""
        return bytes(self._row(select(deployments.c.content), deployments.c.id, deployment_id, "deployment")[0])

    def content_hash(self, deployment_id: str) -> str:
        """The hash of a deployment's content."""
        return str(self._row(select(deployments.c.content_hash), deployments.c.id, deployment_id, "deployment")[0])

    def datasets(self, deployment_id: str) -> Mapping[str, Dataset]:
        """The resolved datasets of a deployment by name."""
        row = self._row(select(deployments.c.datasets), deployments.c.id, deployment_id, "deployment")
        return documents.decode_datasets(row[0])

    def version(self, model_id: str) -> int:
        """A number that grows with every deployment and activation; caches key on it."""
        return int(self._row(select(models.c.change_counter), models.c.id, model_id, "model")[0])


def find_model(records: Sequence[ModelRecord], name_or_id: str) -> ModelRecord:
    """One of some models, see `ModelReader.get`. Raises NotRegisteredError, which names none but these."""
    wanted = [record for record in records if name_or_id in {record.id, record.name, f"{record.catalog}.{record.name}"}]
    wanted = [record for record in wanted if record.retired_at is None] or wanted
    if len(wanted) == 1:
        return wanted[0]
    names = [f"{record.catalog}.{record.name}" for record in wanted]
    raise NotRegisteredError("model", name_or_id, names or near_names(name_or_id, [r.name for r in records]))


class ModelWriter(RegistryPart):
    """Writes about models."""

    __slots__ = ()

    def record_deployments(
        self, models_deployed: Sequence[Deployment], *, now: datetime
    ) -> tuple[DeploymentOutcome, ...]:
        """Record the models of one folder in one transaction: all of them, or none.

        A model whose content hash is the newest deployment's gets no new version. User-defined definitions that are
        gone are retired, never deleted; one that comes back is defined again. System-defined ones keep their meaning
        and get today's joins and columns, or are retired where the model has no such meaning any more; where a user
        defines the same, it is user-defined from then on.
        """
        with self.database.writing() as connection:
            return tuple(record_deployment(connection, deployment, now) for deployment in models_deployed)

    def retire(self, model_id: str, *, why: str, now: datetime, drop_after: datetime) -> None:
        """Let a model go, in one transaction: its definitions are retired and kept, its instances serve no more.

        Args:
            drop_after: when the tables may go.
        """
        with self.database.writing() as connection:
            lock_model(connection, model_id)
            connection.execute(update(models).where(models.c.id == model_id).values(retired_at=now))
            count_change(connection, models.c.id == model_id)
            retire_definitions(connection, definitions.c.model_id == model_id, why=why, now=now)
            connection.execute(
                update(batches)
                .where(
                    batches.c.model_id == model_id,
                    batches.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.FAILED)),
                )
                .values(status=BatchStatus.CANCELLED, finished_at=now)
            )
            is_its = instances.c.model_id == model_id
            cancel_unactivated(connection, is_its)
            let_instances_go(connection, is_its, now=now, drop_after=drop_after)
            refresh_standings_of_model(connection, model_id)
