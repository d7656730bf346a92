"""Who may connect by the PostgreSQL protocol, and which models they see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field
from datetime import datetime

from sqlalchemy import delete, insert, select

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import user_models, users


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """Somebody who may connect.

    Attributes:
        verifier: what proves a password, in PostgreSQL's form ``SCRAM-SHA-256$…``.
        model_ids: the models that the user sees; None: all.
        warehouse_role: whose rights count for the user's queries; empty: those of the connection.
    """

    name: str
    verifier: str = field(repr=False)
    model_ids: frozenset[str] | None
    created_at: datetime
    warehouse_role: str = ""


class UserReader(RegistryPart):
    """Reads about users."""

    __slots__ = ()

    def find(self, name: str) -> UserRecord | None:
        """A user by name; None: there is none."""
        return next(iter(self._read(name)), None)

    def all(self) -> list[UserRecord]:
        """All users, by name."""
        return self._read(None)

    def _read(self, name: str | None) -> list[UserRecord]:
        query = select(users).order_by(users.c.name)
        models = select(user_models.c.name, user_models.c.model_id)
        if name is not None:
            query, models = query.where(users.c.name == name), models.where(user_models.c.name == name)
        ids: dict[str, set[str]] = {}
        for row in self._rows(models):
            ids.setdefault(row.name, set()).add(row.model_id)
        return [
            UserRecord(
                name=row.name,
                verifier=row.verifier,
                model_ids=None if row.sees_all else frozenset(ids.get(row.name, ())),
                created_at=row.created_at,
                warehouse_role=row.warehouse_role,
            )
            for row in self._rows(query)
        ]


class UserWriter(RegistryPart):
    """Writes about users."""

    __slots__ = ()

    def put(
        self, name: str, verifier: str, model_ids: Collection[str] | None, *, now: datetime, warehouse_role: str = ""
    ) -> None:
        """Add a user, or replace password, models and role of one. ``model_ids``: None: all."""
        with self.database.writing() as connection:
            connection.execute(delete(user_models).where(user_models.c.name == name))
            connection.execute(delete(users).where(users.c.name == name))
            connection.execute(
                insert(users).values(
                    name=name,
                    verifier=verifier,
                    sees_all=model_ids is None,
                    created_at=now,
                    warehouse_role=warehouse_role,
                )
            )
            rows = [{"name": name, "model_id": model_id} for model_id in sorted(set(model_ids or ()))]
            if rows:
                connection.execute(insert(user_models), rows)

    def delete(self, name: str) -> bool:
        """Remove a user; False when there was none."""
        with self.database.writing() as connection:
            connection.execute(delete(user_models).where(user_models.c.name == name))
            return connection.execute(delete(users).where(users.c.name == name)).rowcount > 0
