"""Definitions of aggregates. System-defined ones are recorded, retired and blocked, and never deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    DefinitionStatus,
    definition_id,
    name_word,
)
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.bulk import insert_many, upsert
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import definition_record
from airflow_atscale_aggs.engine.registry.records import DefinitionMeaning, DefinitionRecord, ProposedDefinition
from airflow_atscale_aggs.engine.registry.shared_changes import count_change, lock_model
from airflow_atscale_aggs.engine.registry.signal_records import chunk_values
from airflow_atscale_aggs.engine.registry.standings import add_standings, name_key, refresh_standings
from airflow_atscale_aggs.engine.registry.tables import attributes, definitions, instances, models

_CHUNK = 500


class DefinitionOutcome(StrEnum):
    """What became of a proposed definition."""

    ADDED = "added"
    RETURNED = "returned"
    """It was retired, and is defined again."""

    DUPLICATE = "duplicate"
    """One of the same meaning is defined already, by whomever."""

    BLOCKED = "blocked"
    """A person has blocked it; it stays so."""


_New = tuple[str, str, ProposedDefinition, AggregateDefinition]
"""Of a definition that is to be inserted: its id, its fingerprint, what was proposed, and it with a free name."""


class DefinitionReader(RegistryPart):
    """Reads about definitions."""

    __slots__ = ()

    def of_model(self, model_id: str, *, include_retired: bool = False) -> tuple[DefinitionRecord, ...]:
        """A model's definitions, oldest first, then by name."""
        query = select(definitions).where(definitions.c.model_id == model_id)
        if not include_retired:
            query = query.where(definitions.c.status == DefinitionStatus.DEFINED)
        rows = self._rows(query.order_by(definitions.c.created_at, definitions.c.name))
        return self._records(rows)

    def origins_of(self, model_id: str) -> AbstractSet[DefinitionOrigin]:
        """Who defined a model's definitions, without the retired ones; documents are not read."""
        query = select(definitions.c.origin).where(definitions.c.model_id == model_id)
        rows = self._rows(query.where(definitions.c.status == DefinitionStatus.DEFINED).distinct())
        return {DefinitionOrigin(row[0]) for row in rows}

    def get(self, definition_id: str) -> DefinitionRecord:
        """A definition by id. Raises NotRegisteredError."""
        row = self._row(select(definitions), definitions.c.id, definition_id, "definition")
        return self._records([row])[0]

    def some(self, definition_ids: Sequence[str]) -> tuple[DefinitionRecord, ...]:
        """Definitions by id, in any order; those that are not there are left out."""
        rows = [
            row
            for start in range(0, len(definition_ids), _CHUNK)
            for row in self._rows(
                select(definitions).where(definitions.c.id.in_(definition_ids[start : start + _CHUNK]))
            )
        ]
        return self._records(rows)

    def names_and_statuses(self, model_id: str) -> Mapping[str, tuple[str, DefinitionStatus]]:
        """(name, status) of all definitions of a model by id; documents are not read."""
        query = select(definitions.c.id, definitions.c.name, definitions.c.status)
        rows = self._rows(query.where(definitions.c.model_id == model_id))
        return {row[0]: (row[1], DefinitionStatus(row[2])) for row in rows}

    def ids_of_names(self, model_id: str, names: Collection[str]) -> Mapping[str, str]:
        """Ids of a model's definitions by name, for those that are there; where several have one, of a defined one."""
        query = select(definitions.c.id, definitions.c.name, definitions.c.status)
        rows = self._rows(query.where(definitions.c.model_id == model_id, definitions.c.name.in_(sorted(names))))
        return {row[1]: row[0] for row in sorted(rows, key=lambda row: row[2] == DefinitionStatus.DEFINED)}

    def ids_with_instances(self, model_id: str) -> AbstractSet[str]:
        """Ids of the definitions that a batch was ever begun for."""
        query = select(instances.c.definition_id).where(instances.c.model_id == model_id).distinct()
        return {row[0] for row in self._rows(query)}

    def meanings(
        self, model_id: str, known: Mapping[str, DefinitionMeaning] = MappingProxyType({})
    ) -> dict[str, DefinitionMeaning]:
        """What all definitions of a model mean, by id, in the order of `of_model`; the retired ones are among them.

        Args:
            known: as this was read before. Only what has changed since is decoded again.
        """
        query = select(definitions.c.id, definitions.c.status, definitions.c.document)
        query = query.where(definitions.c.model_id == model_id).order_by(definitions.c.created_at, definitions.c.name)
        rows = self._rows(query)
        decoder = documents.DefinitionDecoder(lambda: self._attributes(rows))
        meanings: dict[str, DefinitionMeaning] = {}
        for identity, status, document in rows:
            meaning = known.get(identity)
            if meaning is None or meaning.document != document:
                definition = decoder.decode(document)
            elif meaning.status == status:
                meanings[identity] = meaning
                continue
            else:
                definition = meaning.definition
            meanings[identity] = DefinitionMeaning(
                definition=definition, status=DefinitionStatus(status), document=document
            )
        return meanings

    def _records(self, rows: Sequence[Any]) -> tuple[DefinitionRecord, ...]:
        decoder = documents.DefinitionDecoder(lambda: self._attributes(rows))
        return tuple(definition_record(row, decoder) for row in rows)

    def _attributes(self, rows: Sequence[Any]) -> Mapping[str, bytes]:
        """Documents of the attributes that definitions refer to.

        Many definitions refer to so many that reading all is quicker; few must not pay for those of other models.
        """
        query = select(attributes.c.id, attributes.c.document)
        if len(rows) > _CHUNK:
            return {row[0]: row[1] for row in self._rows(query)}
        referred = sorted(documents.referred_attributes(row.document for row in rows))
        chunks = (self._rows(query.where(attributes.c.id.in_(chunk))) for chunk in chunk_values(referred))
        return {row[0]: row[1] for found in chunks for row in found}


class DefinitionWriter(RegistryPart):
    """Writes about definitions that no person made, and about statuses."""

    __slots__ = ()

    def add(self, proposed: Sequence[ProposedDefinition], *, now: datetime) -> tuple[DefinitionOutcome, ...]:
        """Record system-defined definitions of one model in one transaction; identity is the fingerprint.

        A name that another definition of the model has, but for case and punctuation, is made unique by some digits of
        the fingerprint.

        Args:
            proposed: of one model; their origins are `DEMAND_DEFINED` or `PREDICTION_DEFINED`.

        Returns:
            One outcome per proposal, in order. The second of two equal ones is a duplicate.
        """
        return tuple([outcome for outcome, _ in self.add_named(proposed, now=now)])

    def add_named(
        self, proposed: Sequence[ProposedDefinition], *, now: datetime
    ) -> tuple[tuple[DefinitionOutcome, str], ...]:
        """Record definitions as `add` does, and tell under which name each stands here."""
        if not proposed:
            return ()
        with self.database.writing() as connection:
            # The lock lets writers work one after the other, so that two that define the same at once both get an
            # outcome.
            lock_model(connection, proposed[0].definition.model_id)
            rows = connection.execute(
                select(definitions.c.id, definitions.c.name, definitions.c.status).where(
                    definitions.c.model_id == proposed[0].definition.model_id
                )
            ).all()
            status = {row.id: DefinitionStatus(row.status) for row in rows}
            name_by_id = {row.id: row.name for row in rows}
            names = Counter(name_word(row.name) for row in rows)
            encoder = documents.DefinitionEncoder()
            new: list[_New] = []
            outcomes, back = [], []
            for proposal in proposed:
                identity, fingerprint = proposal.identity or _identity(proposal.definition)
                outcome = _outcome(status.get(identity))
                outcomes.append((outcome, identity))
                status[identity] = (
                    DefinitionStatus.BLOCKED if outcome is DefinitionOutcome.BLOCKED else DefinitionStatus.DEFINED
                )
                if outcome is DefinitionOutcome.ADDED:
                    named = _with_free_name(proposal.definition, fingerprint, names)
                    name_by_id[identity] = named.name
                    new.append((identity, fingerprint, proposal, named))
                elif outcome is DefinitionOutcome.RETURNED:
                    back.append((identity, proposal))
            _insert(connection, new, encoder, now)
            _record_attributes(connection, encoder.attributes)
            _bring_back(connection, back, now)
            add_standings(connection, proposed[0].definition.model_id)
            refresh_standings(connection, [identity for identity, _ in back])
            return tuple([(outcome, name_by_id[identity]) for outcome, identity in outcomes])

    def set_status(
        self,
        definition_ids: Iterable[str],
        status: DefinitionStatus,
        why: str,
        *,
        expected: DefinitionStatus,
        now: datetime,
    ) -> int:
        """Move definitions of one model from one status to another by compare-and-set; how many moved.

        Args:
            why: kept as ``status_reason``.
            expected: those that stand elsewhere meanwhile are left alone.
        """
        moved = 0
        wanted = list(definition_ids)
        when = {"retired_at": None, "defined_at": now} if status is DefinitionStatus.DEFINED else {"retired_at": now}
        with self.database.writing() as connection:
            # Routers look again: what is not defined does not serve.
            model = select(definitions.c.model_id).where(definitions.c.id.in_(wanted[:_CHUNK])).distinct()
            for model_id in sorted(connection.scalars(model)):
                lock_model(connection, model_id)
                count_change(connection, models.c.id == model_id)
            for start in range(0, len(wanted), _CHUNK):
                moved += connection.execute(
                    update(definitions)
                    .where(definitions.c.id.in_(wanted[start : start + _CHUNK]), definitions.c.status == expected)
                    .values(status=status, status_reason=why, **when)
                ).rowcount
            refresh_standings(connection, wanted)
        return moved


def _insert(connection: Connection, new: Sequence[_New], encoder: documents.DefinitionEncoder, now: datetime) -> None:
    """Insert definitions of one model.

    In the order of their key a hundred thousand rows cost SQLite half the time. PostgreSQL writes the first ones while
    the next ones are made.
    """
    if not new:
        return
    same = {
        "model_id": new[0][-1].model_id,
        "status": DefinitionStatus.DEFINED.value,
        "created_at": now,
        "defined_at": now,
    }
    rows_by_key = (_row(*each, encoder.encode(each[-1])) for each in sorted(new, key=itemgetter(0)))
    insert_many(connection, definitions, same, rows_by_key)


def _record_attributes(connection: Connection, documents_by_id: Mapping[str, bytes]) -> None:
    # Another writer may record the same attributes now: one order avoids a deadlock, and conflicts are ignored.
    rows = [{"id": key, "document": documents_by_id[key]} for key in sorted(documents_by_id)]
    if rows:
        insert_attributes = upsert(connection.dialect.name, attributes)
        connection.execute(insert_attributes.on_conflict_do_nothing(index_elements=["id"]), rows)


def _identity(definition: AggregateDefinition) -> tuple[str, str]:
    fingerprint = definition.fingerprint
    return definition_id(fingerprint), fingerprint


def _outcome(status: DefinitionStatus | None) -> DefinitionOutcome:
    if status is None:
        return DefinitionOutcome.ADDED
    outcomes = {
        DefinitionStatus.DEFINED: DefinitionOutcome.DUPLICATE,
        DefinitionStatus.BLOCKED: DefinitionOutcome.BLOCKED,
    }
    return outcomes.get(status, DefinitionOutcome.RETURNED)


def _row(
    identity: str, fingerprint: str, proposal: ProposedDefinition, definition: AggregateDefinition, document: bytes
) -> dict[str, Any]:
    if definition.origin is DefinitionOrigin.USER_DEFINED:
        message = "user-defined definitions are recorded by deployments"
        raise AssertionError(message)
    return {
        "id": identity,
        "fingerprint": fingerprint,
        "name": definition.name,
        "name_key": name_key(definition.name, definition.label),
        "origin": definition.origin.value,
        "document": document,
        "reason": proposal.reason,
        "evidence": documents.encode_evidence(proposal.evidence),
    }


def _with_free_name(definition: AggregateDefinition, fingerprint: str, names: Counter[str]) -> AggregateDefinition:
    # Names are compared as views are named, so that no two definitions share a view.
    word = name_word(definition.name)
    if names[word]:
        definition = replace(definition, name=f"{definition.name}_{fingerprint[:6]}")
        word = name_word(definition.name)
    names[word] += 1
    return definition


def _bring_back(connection: Connection, back: Sequence[tuple[str, ProposedDefinition]], now: datetime) -> None:
    if not back:
        return
    values = {"status": DefinitionStatus.DEFINED, "status_reason": "", "retired_at": None, "defined_at": now}
    connection.execute(
        update(definitions).where(definitions.c.id == bindparam("one_id")).values(**values),
        [
            {
                "one_id": identity,
                "origin": proposal.definition.origin,
                "reason": proposal.reason,
                "evidence": documents.encode_evidence(proposal.evidence),
            }
            for identity, proposal in back
        ],
    )
