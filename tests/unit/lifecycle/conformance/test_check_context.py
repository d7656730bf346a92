"""Tests for what the checks share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import TransientWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import (
    CheckContext,
    describe_failures,
    describe_findings,
    shortened,
    tried,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import MODEL
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars.tiny_star import run_sql


def test_a_check_that_raises_has_found_what_does_not_work() -> None:
    def lost() -> list[Capability]:
        raise TransientWarehouseError("d", "", "the connection was lost")

    def broken() -> list[Capability]:
        return [Capability(1 // 0, Verdict.WORKS)]  # type: ignore[arg-type]

    assert tried("it", lost) == [Capability("it", Verdict.FAILS, "d: the connection was lost")]
    (found,) = tried("it", broken)
    assert (found.verdict, "ZeroDivisionError" in found.detail, "tell the authors" in found.detail) == (
        Verdict.FAILS,
        True,
        True,
    )


def test_an_interruption_is_no_finding() -> None:
    def interrupted() -> list[Capability]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tried("it", interrupted)


def test_long_messages_are_cut() -> None:
    assert shortened("a\n b") == "a b"
    assert len(shortened("x" * 1000)) < 410


def test_builds_are_heard(context: CheckContext) -> None:
    lines: list[str] = []
    context.listen = lines.append
    context.on_event(BuildEvent(kind="done", aggregate="by_city", source="sale"))
    context.on_event(BuildEvent(kind="undecided", aggregate="by_month", text="no snapshot"))
    context.on_event(BuildEvent(kind="failed", aggregate="by_day", text="refused"))

    assert lines == ["  by_city from sale"]
    assert (context.undecided, context.failed) == ({"by_month": "no snapshot"}, {"by_day": "refused"})


def test_an_aggregate_that_is_not_as_its_facts_is_told(built: CheckContext) -> None:
    report = verify(built.workspace, MODEL, level=VerificationLevel.TOTALS)
    assert describe_findings(report) == ([], [])
    (table,) = (instance.table for instance in report.instances if instance.aggregate == "by_city")
    run_sql(built.workspace, f'DROP TABLE scratch."{table}" CASCADE')

    wrongs, undecided = describe_findings(verify(built.workspace, MODEL, level=VerificationLevel.TOTALS))

    assert (len(wrongs), undecided) == (1, [])
    assert wrongs[0].startswith("`by_city` gone: ")


def test_an_instance_that_does_not_serve_is_told_by_its_error(built: CheckContext) -> None:
    instances = built.workspace.read.instances.find()
    assert describe_failures(built, instances) == []
    failed = replace(instances[0], status=InstanceStatus.FAILED)
    name = failed.step.aggregate

    assert describe_failures(built, [failed]) == [f"`{name}` is failed."]
    built.failed[name] = "refused"
    assert describe_failures(built, [failed]) == ["refused"]
