"""Which definition takes the place of which: proposed, and done once the successor serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.bulk import upsert
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.query_records import later_use
from airflow_atscale_aggs.engine.registry.records import SuccessionRecord
from airflow_atscale_aggs.engine.registry.shared_changes import count_change, lock_model, retire_definitions
from airflow_atscale_aggs.engine.registry.standings import refresh_standings
from airflow_atscale_aggs.engine.registry.tables import definitions, instances, models, successions, usages

_old, _new = definitions.alias("old"), definitions.alias("new")
_PENDING = (
    select(
        successions,
        _old.c.name.label("old_name"),
        _old.c.origin.label("old_origin"),
        _new.c.name.label("new_name"),
    )
    .join(_old, _old.c.id == successions.c.old_id)
    .join(_new, _new.c.id == successions.c.new_id)
    .order_by(successions.c.proposed_at, successions.c.old_id, successions.c.new_id)
)


class SuccessionReader(RegistryPart):
    """Reads about successions."""

    __slots__ = ()

    def find(self, model_id: str, *, pending: bool = False) -> tuple[SuccessionRecord, ...]:
        """All successions of a model, or those that wait for their successor, oldest first."""
        query = _PENDING.where(successions.c.model_id == model_id)
        if pending:
            query = query.where(successions.c.done_at.is_(None), _old.c.status == DefinitionStatus.DEFINED)
        return tuple(map(_succession_record, self._rows(query)))

    def successor_of(self, definition_id: str) -> SuccessionRecord | None:
        """Who took the place of a definition, or is to take it: as it was proposed last; None where nobody is."""
        query = (
            select(successions, _old.c.name.label("old_name"), _new.c.name.label("new_name"))
            .join(_old, _old.c.id == successions.c.old_id)
            .join(_new, _new.c.id == successions.c.new_id)
            .where(successions.c.old_id == definition_id)
            .order_by(successions.c.proposed_at.desc(), successions.c.new_id)
            .limit(1)
        )
        rows = self._rows(query)
        return _succession_record(rows[0]) if rows else None


class SuccessionWriter(RegistryPart):
    """Writes about successions."""

    __slots__ = ()

    def propose(self, proposed: Sequence[SuccessionRecord]) -> int:
        """Note who is to take whose place; how many of them are new. Nothing changes for queries.

        User-defined definitions have no successor; one that is proposed for them is never done.
        """
        if not proposed:
            return 0
        with self.database.writing() as connection:
            recorded_pairs = {
                tuple(row) for row in connection.execute(select(successions.c.old_id, successions.c.new_id))
            }
            rows = [
                {
                    "old_id": proposal.old_id,
                    "new_id": proposal.new_id,
                    "model_id": proposal.model_id,
                    "reason": proposal.reason,
                    "facts": documents.encode_notes(proposal.facts),
                    "proposed_at": proposal.proposed_at,
                }
                for proposal in proposed
                if (proposal.old_id, proposal.new_id) not in recorded_pairs
            ]
            # A pair that was done before may come again, after the old one came back.
            for proposal in proposed:
                connection.execute(
                    update(successions)
                    .where(
                        successions.c.old_id == proposal.old_id,
                        successions.c.new_id == proposal.new_id,
                        successions.c.done_at.is_not(None),
                    )
                    .values(done_at=None, reason=proposal.reason, proposed_at=proposal.proposed_at)
                )
            if rows:
                connection.execute(insert(successions), rows)
        return len(rows)

    def withdraw(self, old_ids: Collection[str], *, reason: str) -> int:
        """Forget who was to take the places of some definitions, where the reason begins so; how many.

        Done ones stay.
        """
        mine = successions.c.old_id.in_(sorted(old_ids)) & successions.c.reason.startswith(reason, autoescape=True)
        with self.database.writing() as connection:
            return connection.execute(delete(successions).where(mine, successions.c.done_at.is_(None))).rowcount

    def complete(self, model_id: str, *, now: datetime) -> tuple[SuccessionRecord, ...]:
        """Do the successions whose successor serves already; which were done."""
        with self.database.writing() as connection:
            lock_model(connection, model_id)
            done = complete_successions(connection, model_id, now)
            if done:
                count_change(connection, models.c.id == model_id)
                refresh_standings(connection, [identity for one in done for identity in (one.old_id, one.new_id)])
        return done


def complete_successions(connection: Connection, model_id: str, now: datetime) -> tuple[SuccessionRecord, ...]:
    """Within a transaction: every definition whose successor is Active, for all its facts, gives way to it.

    The old definition is retired, its active instances are superseded and retained, its uses are added to the
    successor's and marked as inherited. User-defined and blocked ones never give way, and a successor must be defined
    itself.
    """
    done: list[SuccessionRecord] = []
    query = _PENDING.where(successions.c.model_id == model_id, successions.c.done_at.is_(None))
    waiting = connection.execute(query).all()
    _lock_usages(connection, {identity for row in waiting for identity in (row.old_id, row.new_id)})
    for row in waiting:
        if _may_give_way(connection, row):
            _give_way(connection, row, now)
            done.append(_succession_record(row))
    return tuple(done)


def _may_give_way(connection: Connection, row: Any) -> bool:
    if row.old_origin == DefinitionOrigin.USER_DEFINED:
        return False
    # Read now: either of the two may have given way a moment ago, in this transaction.
    is_defined = (definitions.c.id.in_((row.old_id, row.new_id)), definitions.c.status == DefinitionStatus.DEFINED)
    if set(connection.scalars(select(definitions.c.id).where(*is_defined))) != {row.old_id, row.new_id}:
        return False
    active = connection.scalars(
        select(instances.c.fact).where(
            instances.c.definition_id == row.new_id, instances.c.status == InstanceStatus.ACTIVE
        )
    )
    return set(documents.decode_notes(row.facts)) <= set(active)


def _give_way(connection: Connection, row: Any, now: datetime) -> None:
    reason = f"superseded by `{row.new_name}`: {row.reason}"
    retire_definitions(connection, definitions.c.id == row.old_id, why=reason, now=now)
    # No time to drop them: they are retained for comparisons until retention needs their place.
    connection.execute(
        update(instances)
        .where(instances.c.definition_id == row.old_id, instances.c.status == InstanceStatus.ACTIVE)
        .values(status=InstanceStatus.SUPERSEDED, superseded_at=now, drop_after=None)
    )
    _inherit_usages(connection, row.old_id, row.new_id)
    connection.execute(
        update(successions)
        .where(successions.c.old_id == row.old_id, successions.c.new_id == row.new_id)
        .values(done_at=now)
    )


def _lock_usages(connection: Connection, definition_ids: Collection[str]) -> None:
    """Lock how often definitions were used, in the order in which the log of queries does it."""
    if definition_ids:
        query = select(usages.c.fact).where(usages.c.definition_id.in_(sorted(definition_ids)))
        connection.execute(query.order_by(usages.c.definition_id, usages.c.fact).with_for_update())


def _inherit_usages(connection: Connection, old_id: str, new_id: str) -> None:
    for usage in connection.execute(select(usages).where(usages.c.definition_id == old_id)).all():
        values = {**usage._mapping, "definition_id": new_id, "inherited": usage.uses}  # noqa: SLF001 - SQLAlchemy's public name
        # A query may have used the successor for the first time a moment ago.
        insert_usage = upsert(connection.dialect.name, usages).values(**values)
        more: dict[str, Any] = {
            "uses": usages.c.uses + usage.uses,
            "seconds": usages.c.seconds + usage.seconds,
            "inherited": usages.c.inherited + usage.uses,
            "last_used_at": later_use(connection, usage.last_used_at),
        }
        connection.execute(insert_usage.on_conflict_do_update(index_elements=["definition_id", "fact"], set_=more))


def _succession_record(row: Any) -> SuccessionRecord:
    return SuccessionRecord(
        old_id=row.old_id,
        new_id=row.new_id,
        model_id=row.model_id,
        reason=row.reason,
        facts=documents.decode_notes(row.facts),
        proposed_at=row.proposed_at,
        done_at=row.done_at,
        old_name=row.old_name,
        new_name=row.new_name,
    )
