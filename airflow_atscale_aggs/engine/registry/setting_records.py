"""Settings that are kept: of all models, of a model, and those that came with a model's SML."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import settings

ALL_MODELS = ""
"""Scope of settings that hold for every model."""


def deployed_scope(model_id: str) -> str:
    """Scope of the settings that came with a model's SML, replaced by every deployment."""
    return f"sml:{model_id}"


def _scope_of(model_id: str | None) -> str:
    return ALL_MODELS if model_id is None else model_id


class SettingReader(RegistryPart):
    """Reads about settings."""

    __slots__ = ()

    def values(self, model_id: str | None) -> Mapping[str, str]:
        """Product key to value: of a model, or (None) of all models."""
        query = select(settings.c.key, settings.c.value).where(settings.c.scope == _scope_of(model_id))
        return {row[0]: row[1] for row in self._rows(query)}

    def of_model(self, model_id: str) -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]:
        """Product key to value: of all models, as the model's SML folder says, and of the model."""
        scopes = (ALL_MODELS, deployed_scope(model_id), model_id)
        query = select(settings.c.scope, settings.c.key, settings.c.value).where(settings.c.scope.in_(scopes))
        found: dict[str, dict[str, str]] = {scope: {} for scope in scopes}
        for scope, key, value in self._rows(query):
            found[scope][key] = value
        of_all, of_sml, of_model = found.values()
        return of_all, of_sml, of_model

    def deployed(self, model_id: str) -> Mapping[str, str]:
        """Product key to value, as the model's SML folder says."""
        return self.values(deployed_scope(model_id))


class SettingWriter(RegistryPart):
    """Writes about settings."""

    __slots__ = ()

    def put(self, model_id: str | None, key: str, value: str) -> None:
        """Set a product key for a model, or (None) for all models."""
        scope = _scope_of(model_id)
        with self.database.writing() as connection:
            connection.execute(delete(settings).where(settings.c.scope == scope, settings.c.key == key))
            connection.execute(insert(settings).values(scope=scope, key=key, value=value))

    def delete(self, model_id: str | None, key: str) -> bool:
        """Forget a setting; False when it was not set."""
        scope = _scope_of(model_id)
        with self.database.writing() as connection:
            gone = connection.execute(delete(settings).where(settings.c.scope == scope, settings.c.key == key))
            return gone.rowcount > 0
