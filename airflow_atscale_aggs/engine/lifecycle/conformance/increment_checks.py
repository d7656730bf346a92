"""Checks of a warehouse: increments by each kind of indicator, the digits and zones of timestamps."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, Verdict, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import (
    OWNER,
    CheckContext,
    describe_failures,
    describe_findings,
    shortened,
    tried,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import INDICATORS, LATER, read_rows, write_model
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.statements import render
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_ZONE = "Asia/Tokyo"
_MOMENT, _LOCAL, _LOCAL_HOUR = "2024-07-01 00:30:00+00:00", "2024-07-01 09:30:00", "09:30"
"""A moment, and the same as a clock in that zone shows it."""


def check_increments(context: CheckContext) -> list[Capability]:
    """Whether aggregates grow with their facts, by each kind of indicator."""
    models: dict[str, str] = {}
    found: list[Capability] = []
    for kind in INDICATORS:
        name = f"increments by {kind}"
        context.listen(f"  {name}")
        found += tried(name, lambda kind=kind: _begin(context, models, kind))  # type: ignore[misc]
    context.scratch.append("check_sale", read_rows(LATER))
    for kind, model in models.items():
        name = f"increments by {kind}"
        context.listen(f"  {name}, after new rows")
        found += tried(name, lambda name=name, model=model: [_grow(context, name, model)])  # type: ignore[misc]
    return found


def _begin(context: CheckContext, models: dict[str, str], kind: str) -> list[Capability]:
    """Deploy and build the model of a kind. Returns what went wrong already."""
    folder = context.folder / kind.replace(" ", "_")
    model = write_model(folder, context.scratch.schema, indicator=kind)
    deploy(context.workspace, folder, now=utc_now())
    report = run_batch(
        context.workspace, model, build_type=BuildType.INCREMENTAL, owner=OWNER, on_event=context.on_event
    )
    models[kind] = model
    wrongs = describe_failures(context, report.instances)
    return [judge(f"increments by {kind}", wrongs, "")] if wrongs else []


def _grow(context: CheckContext, name: str, model: str) -> Capability:
    """Build an increment, and compare all of it with the facts."""
    report = run_batch(
        context.workspace, model, build_type=BuildType.INCREMENTAL, owner=OWNER, on_event=context.on_event
    )
    wrongs, differences = describe_failures(context, report.instances), []
    for instance in report.instances:
        increment = instance.step.increment
        if increment is None or increment.full_reason:
            reason = instance.step.full_reason or (increment.full_reason if increment else "") or "it has no segments"
            differences.append(f"`{instance.step.aggregate}` was built in full: {reason}.")
    differing, undecided = describe_findings(verify(context.workspace, model, level=VerificationLevel.FULL))
    detail = f"{len(report.instances)} aggregates grown by {len(read_rows(LATER).rows)} rows, two of them late"
    return judge(name, [*wrongs, *differing], detail, differences=[*differences, *undecided])


def check_timestamps(context: CheckContext) -> list[Capability]:
    """How many digits timestamps have, and whether a session's time zone is minded."""
    digits = tried("digits of timestamps", lambda: [_digits(context)])
    return [*digits, *tried("time zone of a session", lambda: [_zone(context)])]


def _digits(context: CheckContext) -> Capability:
    """The digits that are kept, against those that the row says."""
    with context.scratch.warehouse.session() as session:
        most, kept = session.dialect.timestamp_digits, 0
        while kept < most and _is_told_apart(session, kept + 1):
            kept += 1
    wrongs = [] if kept == most else [f"{kept} digits of a second are kept, and {most} are relied on."]
    detail = f"{kept} digits of a second; of columns with more it is told at deployment what becomes of them"
    return judge("digits of timestamps", wrongs, detail)


def _is_told_apart(session: DbApiSession, digits: int) -> bool:
    """Whether two moments are in order that differ in the last of so many digits."""
    first, second = (
        exp.cast(exp.Literal.string(f"2024-07-01 00:00:00.{number:0{digits}d}"), "timestamp") for number in (1, 2)
    )
    case = exp.Case().when(exp.LT(this=first, expression=second), exp.Literal.number(1)).else_(exp.Literal.number(0))
    return str(session.fetch_all(render(exp.select(case), session.dialect))[0][0]) == "1"


def _zone(context: CheckContext) -> Capability:
    """Whether casts from moments to texts, and from texts to moments, follow the session's time zone."""
    name = "time zone of a session"
    with context.scratch.warehouse.session() as session:
        settings = session.settings()
        zone = next((setting for setting in settings if "timezone" in setting.casefold().replace("_", "")), None)
        if zone is None:
            return Capability(name, Verdict.DIFFERS, "It has no setting that its row knows of.")
        moment = exp.cast(exp.Literal.string(_MOMENT), "timestamptz")
        local = exp.cast(exp.Literal.string(_LOCAL), "timestamptz")
        is_same = exp.Case().when(exp.EQ(this=local, expression=moment), exp.Literal.number(1))
        numbers = is_same.else_(exp.Literal.number(0))
        query = render(exp.select(exp.cast(moment.copy(), "text"), numbers), session.dialect)
        try:
            with session.apply_settings({**settings, zone: _ZONE}):
                ((shown, same),) = session.fetch_all(query)
        except PermanentWarehouseError as error:
            return Capability(name, Verdict.DIFFERS, f"It cannot be set in a session: {shortened(error.reason)}")
    wrongs = [] if _LOCAL_HOUR in str(shown) else [f"the text of {_MOMENT} is `{shown}`"]
    wrongs += [] if str(same) == "1" else [f"the text `{_LOCAL}` is not read as {_MOMENT}"]
    if not wrongs:
        return Capability(name, Verdict.WORKS, "casts from and to texts follow it, and batches note it")
    told = f"Under {_ZONE} {' and '.join(wrongs)}. Aggregates and facts have the same, which may be another day."
    return Capability(name, Verdict.DIFFERS, told)
