"""A deployment in the registry: versioned by content; definitions appear, change, retire and come back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.records import Deployment, DeploymentOutcome
from airflow_atscale_aggs.engine.registry.setting_records import deployed_scope
from airflow_atscale_aggs.engine.registry.shared_changes import count_change, retire_definitions
from airflow_atscale_aggs.engine.registry.standings import (
    LONGEST_MODEL_KEY,
    add_standings,
    name_key,
    refresh_standings_of_model,
)
from airflow_atscale_aggs.engine.registry.tables import definitions, deployments, models, settings


def record_deployment(connection: Connection, deployment: Deployment, now: datetime) -> DeploymentOutcome:
    """Record a model in the transaction that is open; see `ModelWriter.record_deployments`."""
    recorded = connection.execute(
        select(models.c.version, models.c.deployment_id, deployments.c.content_hash)
        .join(deployments, deployments.c.id == models.c.deployment_id)
        .where(models.c.id == deployment.model_id)
    ).first()
    is_new_version = recorded is None or recorded.content_hash != deployment.content_hash
    version = (recorded.version if recorded else 0) + is_new_version
    if recorded is not None:
        _revive_model(connection, deployment)
    if is_new_version:
        _record_version(connection, deployment, version, is_first=recorded is None, now=now)
    elif recorded is not None:
        _refresh_content(connection, deployment, recorded.deployment_id)
        connection.execute(update(models).where(models.c.id == deployment.model_id).values(**_shown(deployment)))
    _record_settings(connection, deployment, is_first=recorded is None)
    appeared, changed, retired, unchanged = _record_definitions(connection, deployment, now, is_first=recorded is None)
    names_left = _record_system_definitions(connection, deployment, now)
    if recorded is None:
        # All of its definitions are new, and nothing else has to be read.
        add_standings(connection, deployment.model_id)
    elif is_new_version or appeared or changed or retired or names_left:
        refresh_standings_of_model(connection, deployment.model_id)
    return DeploymentOutcome(
        model=deployment.name,
        model_id=deployment.model_id,
        version=version,
        is_new_version=is_new_version,
        appeared=tuple(appeared),
        changed=tuple(changed),
        retired=tuple(retired),
        unchanged=tuple(unchanged),
        left=names_left,
    )


def _revive_model(connection: Connection, deployment: Deployment) -> None:
    """Take the mark of retirement from a model that is deployed again."""
    is_retired = (models.c.id == deployment.model_id) & models.c.retired_at.is_not(None)
    count_change(connection, is_retired)
    connection.execute(update(models).where(is_retired).values(retired_at=None))


def _shown(deployment: Deployment) -> dict[str, str]:
    """What lists of models tell, and what no version depends on."""
    return {"perspectives": json.dumps(deployment.perspectives), "folder": deployment.folder}


def _record_settings(connection: Connection, deployment: Deployment, *, is_first: bool) -> None:
    scope = deployed_scope(deployment.model_id)
    if not is_first:
        connection.execute(delete(settings).where(settings.c.scope == scope))
    for key, value in deployment.settings.items():
        connection.execute(insert(settings).values(scope=scope, key=key, value=value))


def _record_version(
    connection: Connection, deployment: Deployment, version: int, *, is_first: bool, now: datetime
) -> None:
    deployment_id = str(uuid.uuid4())
    values: dict[str, Any] = {
        "catalog": deployment.catalog,
        "name": deployment.name,
        "name_key": name_key(deployment.name, deployment.catalog)[:LONGEST_MODEL_KEY],
        "label": deployment.label,
        "connection": deployment.connection,
        "deployment_id": deployment_id,
        "version": version,
        "deployed_at": now,
        **_shown(deployment),
    }
    if is_first:
        connection.execute(insert(models).values(id=deployment.model_id, **values))
    else:
        is_it = models.c.id == deployment.model_id
        connection.execute(update(models).where(is_it).values(**values))
        count_change(connection, is_it)
    connection.execute(
        insert(deployments).values(
            id=deployment_id,
            model_id=deployment.model_id,
            version=version,
            content_hash=deployment.content_hash,
            content=deployment.content,
            datasets=documents.encode_datasets(deployment.datasets),
            deployed_at=now,
        )
    )


def _refresh_content(connection: Connection, deployment: Deployment, deployment_id: str) -> None:
    """Keep the files as they are now, of a version that means the same.

    Comments may have changed. Where the content could not be read any more, this mends it.
    """
    is_it = (deployments.c.id == deployment_id) & (deployments.c.content != deployment.content)
    if connection.execute(update(deployments).where(is_it).values(content=deployment.content)).rowcount:
        count_change(connection, models.c.id == deployment.model_id)


def _record_definitions(
    connection: Connection, deployment: Deployment, now: datetime, *, is_first: bool
) -> tuple[list[str], list[str], list[str], list[str]]:
    everything = () if is_first else _recorded_definitions(connection, deployment.model_id)
    rows_by_id = {row.id: row for row in everything}
    rows = [row for row in everything if row.origin == DefinitionOrigin.USER_DEFINED]
    serving = {row.name for row in rows if row.status == DefinitionStatus.DEFINED}
    wanted = {definition.id: definition for definition in deployment.definitions}
    appeared: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    new: list[dict[str, Any]] = []
    for definition in wanted.values():
        row = rows_by_id.get(definition.id)
        document = documents.encode_definition(definition)
        if row is not None and row.status == DefinitionStatus.BLOCKED:
            # A person has blocked it, and unblocks it.
            _update(connection, definition, document, status=DefinitionStatus.BLOCKED)
            unchanged.append(definition.name)
        elif row is None:
            new.append(_row(definition, document, now))
            (changed if definition.name in serving else appeared).append(definition.name)
        elif row.status == DefinitionStatus.DEFINED and bytes(row.document) == document:
            unchanged.append(definition.name)
        else:
            # Also takes over what the engine had defined by itself: from now on it is the user's.
            _update(
                connection, definition, document, status=DefinitionStatus.DEFINED, status_reason="", retired_at=None
            )
            (changed if row.status == DefinitionStatus.DEFINED else appeared).append(definition.name)
    if new:
        connection.execute(insert(definitions), new)
    gone = [row for row in rows if row.status == DefinitionStatus.DEFINED and row.id not in wanted]
    if gone:
        is_gone = definitions.c.id.in_([row.id for row in gone])
        retire_definitions(connection, is_gone, why="it left the model", now=now)
    wanted_names = {definition.name for definition in wanted.values()}
    return appeared, changed, [row.name for row in gone if row.name not in wanted_names], unchanged


def _recorded_definitions(connection: Connection, model_id: str) -> Sequence[Row[Any]]:
    columns = (definitions.c[name] for name in ("id", "name", "status", "document", "origin"))
    return connection.execute(select(*columns).where(definitions.c.model_id == model_id)).all()


def _record_system_definitions(connection: Connection, deployment: Deployment, now: datetime) -> tuple[str, ...]:
    """Names of the defined ones that left the model."""
    is_system = definitions.c.origin != DefinitionOrigin.USER_DEFINED
    for definition in deployment.rebound:
        connection.execute(
            update(definitions)
            .where(definitions.c.id == definition.id, is_system)
            .values(document=documents.encode_definition(definition))
        )
    names: list[str] = []
    for identity, why in deployment.left.items():
        is_it = (definitions.c.id == identity) & is_system & (definitions.c.status == DefinitionStatus.DEFINED)
        names += connection.scalars(select(definitions.c.name).where(is_it))
        retire_definitions(connection, is_it, why=why, now=now)
    return tuple(names)


def _row(definition: AggregateDefinition, document: bytes, now: datetime) -> dict[str, Any]:
    return {
        "id": definition.id,
        "model_id": definition.model_id,
        "fingerprint": definition.fingerprint,
        "name": definition.name,
        "name_key": name_key(definition.name, definition.label),
        "origin": definition.origin,
        "status": DefinitionStatus.DEFINED,
        "document": document,
        "created_at": now,
    }


def _update(connection: Connection, definition: AggregateDefinition, document: bytes, **status: Any) -> None:
    connection.execute(
        update(definitions)
        .where(definitions.c.id == definition.id)
        .values(
            name=definition.name,
            name_key=name_key(definition.name, definition.label),
            origin=definition.origin,
            document=document,
            **status,
        )
    )
