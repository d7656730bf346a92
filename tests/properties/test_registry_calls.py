"""The registry keeps its rules whatever is called in whatever order."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from tests.support.registry_content import LATER, NOW, REVENUE, UNITS, make_deployment, open_batch

_CALLS = st.lists(
    st.tuples(
        st.sampled_from(["open", "claim", "finish", "fail", "activate", "fail_batch", "cancel", "resume", "sweep"]),
        st.sampled_from(["revenue", "units"]),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def with_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a registry with a model of two aggregates."""
    file = tmp_path_factory.mktemp("registry") / "model.sqlite"
    registry = open_registry(f"sqlite:///{file}")
    registry.models.record_deployments([make_deployment(REVENUE, UNITS)], now=NOW)
    registry.close()
    return file


class _Story:
    """What is called, one batch after the other."""

    def __init__(self, registry: Registry) -> None:
        self.registry, self.batch = registry, 0
        self.claims: dict[str, Claim] = {}

    def call(self, verb: str, aggregate: str) -> None:
        """One call, which may be refused."""
        registry, batch, claim = self.registry, f"x{self.batch}", self.claims.get(aggregate)
        match verb:
            case "open":
                open_batch(registry, f"x{self.batch + 1}")
                self.batch += 1
            case "claim":
                self.claims[aggregate] = registry.attempts.claim(
                    f"{batch}-{aggregate}", owner="me", now=NOW, rebuild=True
                )
            case "finish" if claim is not None:
                registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="s", now=NOW)
            case "fail" if claim is not None:
                registry.attempts.fail(claim, error="e", now=NOW)
            case "activate":
                registry.batches.activate(batch, owner="me", now=NOW, drop_after=NOW)
            case "fail_batch":
                registry.batches.fail(batch, owner="me", now=NOW)
            case "cancel":
                registry.batches.cancel(batch, now=NOW)
            case "resume":
                registry.batches.take_over(batch, owner="me", previous_owner="me", lease_until=LATER)
            case "sweep":
                for table in registry.read.tables.to_drop(LATER):
                    registry.tables.record_drop(table.attempt.instance_id, table.attempt.number, LATER)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(calls=_CALLS)
def test_no_order_of_calls_breaks_the_rules(with_model: Path, tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    """Never two ACTIVE instances of one definition and fact, never a table to drop that serves or is staged."""
    registry = open_registry(f"sqlite:///{shutil.copy(with_model, tmp_path / f'{abs(hash(tuple(calls)))}.sqlite')}")
    story = _Story(registry)
    for verb, aggregate in calls:
        with contextlib.suppress(AtScaleAggsError):
            story.call(verb, aggregate)
        instances = registry.read.instances.find()
        active = [instance.step.definition_id for instance in instances if instance.status == "active"]
        assert len(active) == len(set(active))
        needed = {instance.table for instance in instances if instance.status in {"active", "done"}}
        assert not needed & {table.attempt.table for table in registry.read.tables.to_drop(LATER)}
        assert sum(batch.status == "in_progress" for batch in registry.read.batches.find()) <= 1
    registry.close()
