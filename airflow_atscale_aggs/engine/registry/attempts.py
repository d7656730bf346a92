"""Writes about attempts: claim, finish, fail, drop. Fencing lives here.

An instance's ``attempt`` number is the fence: finishing and failing compare it, so whoever was overtaken changes
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, bindparam, exists, func, insert, select, update

from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, InstanceStatus, check_transition
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verified
from airflow_atscale_aggs.engine.errors import IllegalTransitionError, NotRegisteredError, StaleStatusError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import SELECT_INSTANCES, attempt_record, instance_record
from airflow_atscale_aggs.engine.registry.records import AttemptRecord, BuiltParts, Claim, InstanceRecord
from airflow_atscale_aggs.engine.registry.segment_records import record_parts, record_planned_segments
from airflow_atscale_aggs.engine.registry.standings import refresh_standings_of_attempts
from airflow_atscale_aggs.engine.registry.tables import attempts, batches, instances

# These statements are made once for all builds, because making one costs more than running it.
_SELECT_LOCKED = (
    SELECT_INSTANCES.add_columns(batches.c.status.label("batch_status"))
    .join(batches, batches.c.id == instances.c.batch_id)
    .where(instances.c.id == bindparam("instance"))
    .with_for_update(of=instances)
)
_SELECT_ONE = SELECT_INSTANCES.where(instances.c.id == bindparam("instance"))
_UPDATE_BUILDING = update(instances).where(
    instances.c.id == bindparam("instance"),
    instances.c.status == InstanceStatus.IN_PROGRESS,
    instances.c.attempt == bindparam("expected_attempt"),
)
_CLAIM = (
    update(instances)
    .where(
        instances.c.id == bindparam("instance"),
        instances.c.status == bindparam("expected_status"),
        instances.c.attempt == bindparam("expected_attempt"),
        # Who takes a batch over may forget them.
        instances.c.failures == bindparam("expected_failures"),
        exists().where(batches.c.id == instances.c.batch_id, batches.c.status == BatchStatus.IN_PROGRESS),
    )
    .values(
        status=InstanceStatus.IN_PROGRESS,
        attempt=bindparam("new_attempt"),
        started_at=bindparam("now"),
        finished_at=None,
        table=bindparam("new_table"),
        rows=None,
        error=None,
        failures=bindparam("new_failures"),
        allowance=bindparam("new_allowance"),
    )
)
_FINISH = _UPDATE_BUILDING.values(
    status=InstanceStatus.DONE,
    rows=bindparam("new_rows"),
    seconds=bindparam("new_seconds"),
    source=bindparam("new_source"),
    finished_at=bindparam("now"),
)
_FAIL = _UPDATE_BUILDING.values(
    status=InstanceStatus.FAILED,
    error=bindparam("new_error"),
    finished_at=bindparam("now"),
    failures=instances.c.failures + 1,
)
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.instance_id == bindparam("instance"), attempts.c.number == bindparam("attempt_number"))
    .values(status=bindparam("new_status"), finished_at=bindparam("now"), error=bindparam("new_error"))
)
_END_VERIFIED_ATTEMPT = _END_ATTEMPT.values(facts_key=bindparam("new_key"), verified=bindparam("new_verified"))
_INSERT_ATTEMPT = insert(attempts)
_UNTRIED = frozenset({InstanceStatus.NEW, InstanceStatus.FAILED})
"""Statuses of instances without an attempt in progress or done, which a new one would have to end."""

_SELECT_TOTALS = (
    select(attempts.c.verified)
    .join(instances, instances.c.id == attempts.c.instance_id)
    .where(instances.c.batch_id == bindparam("batch"), attempts.c.facts_key == bindparam("key"))
    .order_by(attempts.c.finished_at.desc())
    .limit(1)
)


class AttemptReader(RegistryPart):
    """Reads about attempts."""

    __slots__ = ()

    def find(self, *, instance_id: str | None = None, batch_id: str | None = None) -> tuple[AttemptRecord, ...]:
        """Attempts, in order, of an instance, of a batch, or all."""
        query = select(attempts).order_by(attempts.c.instance_id, attempts.c.number)
        if instance_id is not None:
            query = query.where(attempts.c.instance_id == instance_id)
        if batch_id is not None:
            query = query.join(instances, instances.c.id == attempts.c.instance_id).where(
                instances.c.batch_id == batch_id
            )
        return tuple(map(attempt_record, self._rows(query)))

    def verification(self, instance_id: str, number: int) -> Verified | None:
        """How an attempt's table was compared with the facts; None when it was not, or never built."""
        rows = self._rows(
            select(attempts.c.verified).where(attempts.c.instance_id == instance_id, attempts.c.number == number)
        )
        return documents.decode_verification(rows[0][0]) if rows and rows[0][0] is not None else None

    def totals_of_batches(self, batch_ids: Collection[str]) -> Mapping[tuple[str, int], Totals]:
        """The facts' totals that attempts of some batches were compared with, by instance and number."""
        query = (
            select(attempts.c.instance_id, attempts.c.number, attempts.c.verified)
            .join(instances, instances.c.id == attempts.c.instance_id)
            .where(instances.c.batch_id.in_(sorted(batch_ids)), attempts.c.facts_key.is_not(None))
        )
        found = {(row[0], row[1]): documents.decode_verification(row[2]).totals for row in self._rows(query)}
        return {key: totals for key, totals in found.items() if totals is not None}

    def fact_totals(self, batch_id: str, facts_key: str) -> Totals | None:
        """The totals of a fact that a build of the batch has taken last; None before the first.

        Args:
            facts_key: as in `Verified`.
        """
        rows = self._rows(_SELECT_TOTALS, {"batch": batch_id, "key": facts_key})
        return documents.decode_verification(rows[0][0]).totals if rows else None

    def fact_rows(self, model_id: str) -> Mapping[str, int]:
        """Rows of each fact of a model, as the newest of the tables that serve was compared with them.

        Facts of which no comparison has counted the rows are left out.
        """
        # Where members are many to many, rows are counted once for each: that has a key of its own, and counts more.
        kind = (instances.c.fact, attempts.c.facts_key)
        place = func.row_number().over(partition_by=kind, order_by=attempts.c.finished_at.desc())
        newest = (
            select(instances.c.fact, attempts.c.verified, place.label("place"))
            .join(attempts, (attempts.c.instance_id == instances.c.id) & (attempts.c.number == instances.c.attempt))
            .where(
                instances.c.model_id == model_id,
                instances.c.status == InstanceStatus.ACTIVE,
                attempts.c.facts_key.is_not(None),
            )
            .subquery()
        )
        found: dict[str, int] = {}
        for fact, document in self._rows(select(newest.c.fact, newest.c.verified).where(newest.c.place == 1)):
            rows = (documents.decode_verification(document).totals or {}).get(str(row_count(fact)))
            if rows is not None:
                found[fact] = min(int(rows), found.get(fact, int(rows)))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """What an attempt built.

    Attributes:
        built: rows, and segments where there are such.
        seconds: that it took.
        source: name of what the rows come from.
        verified: how the table was compared with the facts; None: it was not.
    """

    built: BuiltParts
    seconds: float
    source: str
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class _Followed:
    """An attempt that is DONE, and the instance that is claimed with it."""

    success: Success
    then: InstanceRecord | None


class AttemptWriter(RegistryPart):
    """The writes that a build makes."""

    __slots__ = ()

    def claim(
        self,
        instance_id: str,
        *,
        owner: str,
        now: datetime,
        rebuild: bool = False,
        allowance: str | None = None,
        seen: InstanceRecord | None = None,
    ) -> Claim:
        """Win the right to write the next attempt's table.

        The attempt and its table's name are written down before the table exists. An earlier attempt that is in
        progress
        is fenced off: it is INTERRUPTED and can finish no more.

        Args:
            rebuild: allow it for an instance that is DONE.
            allowance: names the current allowance of attempts; another name than the instance's forgets its failures.
            seen: the instance as the caller saw it last. While it is so, it need not be read again.

        Raises:
            NotRegisteredError: no such instance.
            IllegalTransitionError: its status or its batch's does not allow a build.
            StaleStatusError: somebody else claimed it at the same moment.
        """
        with self.database.writing() as connection:
            won = None if seen is None else self._claim_seen(connection, seen, owner, now, allowance)
            if won is not None:
                refresh_standings_of_attempts(connection, won.planned.definition_id)
                return won
            instance, batch_status = self._lock(connection, instance_id)
            if batch_status != BatchStatus.IN_PROGRESS:
                raise IllegalTransitionError("Batch", instance.batch_id, batch_status, "in progress again by a build")
            if instance.status is InstanceStatus.DONE and not rebuild:
                raise IllegalTransitionError("Instance", instance_id, instance.status, InstanceStatus.IN_PROGRESS)
            check_transition(instance_id, instance.status, InstanceStatus.IN_PROGRESS)
            if instance.status in {InstanceStatus.IN_PROGRESS, InstanceStatus.DONE}:
                self._end_attempt(connection, instance_id, instance.attempt, AttemptStatus.INTERRUPTED, now)
            claimed = _next_attempt(instance, now=now, allowance=allowance)
            if not _is_claimed(connection, instance, claimed):
                expected = f"{instance.status}, attempt {instance.attempt}"
                raise StaleStatusError("Instance", instance.id, expected, "moved on")
            if claimed.failures != instance.failures:
                self._forget_failures(connection, instance)
            self._write_down(connection, claimed, owner)
            refresh_standings_of_attempts(connection, instance.step.definition_id)
        return Claim(instance=claimed, attempt=claimed.attempt, owner=owner, planned=instance.step)

    def finish(
        self,
        claim: Claim,
        built: BuiltParts,
        *,
        seconds: float,
        source: str,
        now: datetime,
        verified: Verified | None = None,
    ) -> InstanceRecord:
        """DONE, if no newer attempt was claimed. Raises StaleStatusError otherwise.

        Args:
            built: rows, and segments where there are such.
            verified: how the table was compared with the facts.
        """
        success = Success(built=built, seconds=seconds, source=source, verified=verified)
        return self.finish_and_claim(claim, success, now=now)[0]

    def finish_and_claim(
        self, claim: Claim, success: Success, *, now: datetime, then: InstanceRecord | None = None
    ) -> tuple[InstanceRecord, Claim | None]:
        """DONE as by `finish`, and the claim of the instance that the same owner builds next, in one transaction.

        Args:
            then: that instance, as the caller saw it last.

        Returns:
            The instance that is DONE, and the claim. None: there is no next one, or it is not as it was seen. Whoever
            wants it claims it by itself, and is told why it cannot have it.

        Raises:
            StaleStatusError: a newer attempt was claimed. Nothing was changed, and nothing is claimed.
        """
        values = {"new_rows": success.built.rows, "new_seconds": success.seconds, "new_source": success.source}
        return self._finish(claim, _FINISH, values, now, _Followed(success, then))

    def fail(self, claim: Claim, *, error: str, now: datetime) -> InstanceRecord:
        """FAILED, if no newer attempt was claimed; counts against the limits. Raises StaleStatusError otherwise."""
        return self._finish(claim, _FAIL, {"new_error": error}, now)[0]

    def _lock(self, connection: Connection, instance_id: str) -> tuple[InstanceRecord, str]:
        """The instance and its batch's status, locked until the end of the transaction."""
        row = connection.execute(_SELECT_LOCKED, {"instance": instance_id}).first()
        if row is None:
            raise NotRegisteredError("instance", instance_id)
        return instance_record(row), row.batch_status

    @staticmethod
    def _forget_failures(connection: Connection, instance: InstanceRecord) -> None:
        """The batch's failures without those of an instance that has a fresh allowance."""
        connection.execute(
            update(batches)
            .where(batches.c.id == instance.batch_id)
            .values(failures=batches.c.failures - instance.failures)
        )

    @staticmethod
    def _write_down(connection: Connection, claimed: InstanceRecord, owner: str) -> None:
        """The attempt and all that it may make."""
        step = claimed.step
        attempt = {
            "instance_id": step.instance_id,
            "number": claimed.attempt,
            "table": step.table,
            "drop_sql": step.drop_sql,
            "owner": owner,
            "status": AttemptStatus.IN_PROGRESS,
            "started_at": claimed.started_at,
        }
        connection.execute(_INSERT_ATTEMPT, attempt)
        record_planned_segments(connection, step, claimed.attempt)

    def _claim_seen(
        self, connection: Connection, seen: InstanceRecord, owner: str, now: datetime, allowance: str | None = None
    ) -> Claim | None:
        """Claim an instance without reading it; None where it is not as it was seen, or more must be changed."""
        if seen.status not in _UNTRIED:
            return None
        claimed = _next_attempt(seen, now=now, allowance=allowance)
        if claimed.failures != seen.failures or not _is_claimed(connection, seen, claimed):
            return None
        self._write_down(connection, claimed, owner)
        return Claim(instance=claimed, attempt=claimed.attempt, owner=owner, planned=seen.step)

    def _finish(
        self, claim: Claim, statement: Update, values: dict[str, Any], now: datetime, followed: _Followed | None = None
    ) -> tuple[InstanceRecord, Claim | None]:
        instance_id, number = claim.instance.id, claim.attempt
        following = None
        with self.database.writing() as connection:
            moved_rows = connection.execute(
                statement, {"instance": instance_id, "expected_attempt": number, "now": now, **values}
            ).rowcount
            if moved_rows and followed is not None:
                success, then = followed.success, followed.then
                self._end_attempt(connection, instance_id, number, AttemptStatus.DONE, now, success.verified)
                record_parts(connection, claim, success.built, now)
                if then is not None:
                    following = self._claim_seen(connection, then, claim.owner, now)
            elif moved_rows:
                self._end_attempt(connection, instance_id, number, AttemptStatus.FAILED, now, values["new_error"])
                connection.execute(
                    update(batches)
                    .where(batches.c.id == claim.instance.batch_id)
                    .values(failures=batches.c.failures + 1)
                )
            if moved_rows:
                changed = [each.planned.definition_id for each in (claim, following) if each is not None]
                refresh_standings_of_attempts(connection, *changed)
            if moved_rows and followed is not None:
                return _done(claim, followed.success, now), following
            row = connection.execute(_SELECT_ONE, {"instance": instance_id}).one()
        instance = instance_record(row)
        if not moved_rows:
            expected = f"{InstanceStatus.IN_PROGRESS}, attempt {number}"
            raise StaleStatusError("Instance", instance_id, expected, f"{instance.status}, attempt {instance.attempt}")
        return instance, None

    @staticmethod
    def _end_attempt(
        connection: Connection,
        instance_id: str,
        number: int,
        status: AttemptStatus,
        now: datetime,
        found: str | Verified | None = None,
    ) -> None:
        """Note how an attempt ended.

        The key of its facts is noted only with totals that other builds may use.

        Args:
            found: its error, or how its table was compared with the facts; None: nothing is known of that.
        """
        values = {"instance": instance_id, "attempt_number": number, "new_status": status, "now": now}
        if isinstance(found, Verified):
            key = found.facts_key if found.totals is not None else None
            document = documents.encode_verification(found)
            values |= {"new_error": None, "new_key": key, "new_verified": document}
            connection.execute(_END_VERIFIED_ATTEMPT, values)
        else:
            connection.execute(_END_ATTEMPT, {**values, "new_error": found})


def _next_attempt(instance: InstanceRecord, *, now: datetime, allowance: str | None = None) -> InstanceRecord:
    """The instance as it is when its next attempt is claimed."""
    number = instance.attempt + 1
    step = instance.step.of_attempt(number)
    is_fresh = allowance is not None and allowance != instance.allowance
    return replace(
        instance,
        status=InstanceStatus.IN_PROGRESS,
        step=step,
        attempt=number,
        started_at=now,
        finished_at=None,
        table=step.table,
        rows=None,
        error=None,
        failures=0 if is_fresh else instance.failures,
        allowance=allowance if allowance is not None and is_fresh else instance.allowance,
    )


def _done(claim: Claim, success: Success, now: datetime) -> InstanceRecord:
    """The instance of an attempt that has just finished.

    Nobody else has changed it since it was claimed, or the attempt would not have finished.
    """
    return replace(
        claim.instance,
        step=claim.planned,
        status=InstanceStatus.DONE,
        rows=success.built.rows,
        seconds=success.seconds,
        source=success.source,
        finished_at=now,
    )


def _is_claimed(connection: Connection, seen: InstanceRecord, claimed: InstanceRecord) -> bool:
    """Claim an instance that is still as it was seen, in a batch that is in progress; False when it is not so."""
    values = {
        "instance": seen.id,
        "expected_status": seen.status,
        "expected_attempt": seen.attempt,
        "expected_failures": seen.failures,
        "new_attempt": claimed.attempt,
        "new_table": claimed.table,
        "new_failures": claimed.failures,
        "new_allowance": claimed.allowance,
        "now": claimed.started_at,
    }
    return connection.execute(_CLAIM, values).rowcount > 0
