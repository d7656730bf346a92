"""Keep snapshots of the deployed models for a router.

Find models by name, and take a snapshot again when it is outdated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import ModelRetiredError, RegistryUnavailableError, near_names
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import UNBOUND, QueryBounds
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.model_folders import schema_of
from airflow_atscale_aggs.engine.registry.models import find_model
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import first_word
from airflow_atscale_aggs.engine.settings import Settings

LOOK_EVERY = timedelta(seconds=1)
"""How long a router takes the registry to be unchanged."""

LONGEST_ALONE = timedelta(minutes=5)
"""How long a router answers by its snapshots while the registry cannot be reached."""


class SnapshotCache:
    """The models of one workspace, as one router has read them.

    Args:
        bounds: which models are there.

    Attributes:
        records: all that are deployed; the same object while nothing was deployed.
    """

    def __init__(self, workspace: Workspace, bounds: QueryBounds = UNBOUND) -> None:
        self._workspace, self._bounds = workspace, bounds
        self.records: Sequence[ModelRecord] = ()
        self._named: dict[str, list[ModelRecord]] = {}
        self._snapshots: dict[str, ModelSnapshot] = {}
        self._versions: dict[str, int] = {}
        self._settings: dict[str, Settings] = {}
        self._looked_at: datetime | None = None
        self._read_at: datetime | None = None

    def look(self, now: datetime) -> None:
        """Read the registry again, once a second at most.

        Superseded tables stay much longer, so that old plans still work.

        Raises:
            RegistryUnavailableError: it cannot be reached, and has not been for `LONGEST_ALONE`, or never.
        """
        if self._looked_at is not None and timedelta(0) <= now - self._looked_at < LOOK_EVERY:
            return
        try:
            self._read(now)
        except RegistryUnavailableError:
            if self._read_at is None or not timedelta(0) <= now - self._read_at < LONGEST_ALONE:
                raise
        self._looked_at = now

    def _read(self, now: datetime) -> None:
        """Read everything that a router asks the registry for repeatedly. Where that fails, nothing is changed."""
        read = self._workspace.read
        records = [record for record in read.models.current() if self._bounds.sees(record)]
        ids = [identity.id for identity in records if identity.id in self._snapshots]
        versions = {identity: read.models.version(identity) for identity in ids}
        settings = {identity: self._workspace.settings_of(identity) for identity in ids}
        if records != self.records:
            self.records = records
            self._named = {}
            for record in records:
                self._named.setdefault(record.name.casefold(), []).append(record)
                for perspective in record.perspectives:
                    shown = replace(record, perspective=perspective)
                    self._named.setdefault(perspective.casefold(), []).append(shown)
        self._versions, self._settings, self._read_at = versions, settings, now

    def of(self, record: ModelRecord, now: datetime) -> ModelSnapshot:
        """The snapshot of a model. It is taken again when the registry has changed or its proofs have become old."""
        snapshot = self._snapshots.get(record.id)
        if snapshot is None or not self.is_true(snapshot, now):
            snapshot = self._snapshots[record.id] = read_model_snapshot(
                self._workspace, replace(record, perspective=""), now=now, before=snapshot
            )
            self._versions[record.id] = snapshot.version
        return snapshot.seen_through(record.perspective) if record.perspective else snapshot

    def forget(self) -> None:
        """Forget all snapshots; the next query takes new ones."""
        self._snapshots.clear()

    def all(self, only: str | None, now: datetime) -> list[ModelSnapshot]:
        """Every model, or the one of that name. Raises NotRegisteredError when there is none."""
        self.look(now)
        return [self.of(record, now) for record in (self.records if only is None else [self.default(only)])]

    def named_like(self, table: exp.Table, here: Callable[[], frozenset[str]]) -> list[ModelRecord]:
        """The models that a name in FROM may mean: exactly spelled ones, else those that differ in case.

        What stands before the name must be the model's catalog or its folder, or what clients put there when they know
        of none.

        Args:
            here: tells the warehouse's own schema and database, in lower case.
        """
        same = self._named.get(table.name.casefold(), [])
        schema = table.db.casefold()
        fitting = [record for record in same if schema == record.catalog.casefold()]
        fitting = fitting or [record for record in same if schema == schema_of(record.folder).casefold()]
        if not fitting and same and (schema in _NEUTRAL or schema in here()):
            fitting = same
        exact = [record for record in fitting if table.name == (record.perspective or record.name)]
        return exact or fitting

    def named_in(self, sql: str) -> str:
        """A model whose name stands among the words of a text; empty when there is none."""
        words = sql.casefold()
        return next((name for name in self._named if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words)), "")

    def asked_in(self, sql: str) -> str:
        """A model whose name stands behind the first word of a text, or behind FROM or JOIN.

        Empty when there is none.
        """
        place = rf"\b(?:{first_word(sql).casefold()}|from|join)\s+(?:[\w\"]+\s*\.\s*)?\"?"
        return next((name for name in self._named if re.search(rf"{place}{re.escape(name)}(?!\w)", sql.casefold())), "")

    def only(self, table: exp.Table, records: Sequence[ModelRecord]) -> ModelRecord:
        """The model that a name means.

        Raises:
            NotRegisteredError: it may mean several.
        """
        if len(records) == 1:
            return records[0]
        return self.default(table.name)

    def default(self, name: str) -> ModelRecord:
        """The model that is meant where FROM names nothing that is there.

        Raises:
            NotRegisteredError: there is no such model, or there are several.
            ModelRetiredError: it was retired.
        """
        record = find_model([record for record in self._workspace.read.models.all() if self._bounds.sees(record)], name)
        if record.retired_at is not None:
            raise ModelRetiredError(record.name)
        return record

    def near(self, table: exp.Table) -> tuple[str, ...]:
        """Models that somebody may have meant."""
        names = {f"{record.catalog}.{record.name}": None for record in self.records}
        plain = {record.name: f"{record.catalog}.{record.name}" for record in self.records}
        names_found = [plain[name] for name in near_names(table.name, plain)]
        return tuple(names_found) or tuple(names)[:3]

    def is_true(self, snapshot: ModelSnapshot, now: datetime) -> bool:
        """Whether a snapshot still holds for its model."""
        key = snapshot.record.id
        if self._snapshots.get(key, snapshot.whole) is not snapshot.whole:
            return False
        if key not in self._versions:
            self._versions[key] = self._workspace.read.models.version(key)
        longest = timedelta(seconds=self.settings_of(key).proof_seconds)
        return snapshot.version == self._versions[key] and now - snapshot.taken_at <= longest

    def settings_of(self, model_id: str) -> Settings:
        """The settings in force for a model; defaults for no model."""
        if not model_id:
            return self._workspace.settings
        if model_id not in self._settings:
            self._settings[model_id] = self._workspace.settings_of(model_id)
        return self._settings[model_id]


_NEUTRAL = frozenset({"", "public", "main", "dbo", "default"})
"""Schemas that clients name where they know of none: the default ones of warehouses."""
