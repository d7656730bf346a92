"""What one process knows of a batch is what the registry says, asked once."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.attempt import run_attempt
from airflow_atscale_aggs.engine.lifecycle.build.compare import facts_key
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.attempts import AttemptReader
from tests.support.stars.standing_star import OWNER, begin


def test_what_an_attempt_found_is_known_without_the_registry(
    deployed_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begin(deployed_star)
    instance, read = begun.instances[0], deployed_star.read
    known = KnownBatch(deployed_star.settings, total=len(begun.instances))
    assert instance.step.verification is not None
    key = facts_key(instance.step.verification)
    assert known.fact_totals(read, begun.batch.id, key) is None

    claim = deployed_star.registry.attempts.claim(instance.id, owner=OWNER, now=utc_now())
    run_attempt(deployed_star, claim, known=known)

    told = read.attempts.verification(instance.id, claim.attempt)
    assert told is not None
    assert told.totals == read.attempts.fact_totals(begun.batch.id, key)
    monkeypatch.setattr(AttemptReader, "fact_totals", None)
    monkeypatch.setattr(AttemptReader, "verification", None)
    assert known.fact_totals(read, begun.batch.id, key) == told.totals
    found = known.verification(read, instance.id, claim.attempt)
    assert found is not None
    assert (found.totals, found.facts_key) == (told.totals, told.facts_key)


def test_settings_of_a_batch_are_those_that_it_was_planned_under(deployed_star: Workspace) -> None:
    begun = begin(deployed_star)
    surroundings = deployed_star.read.batches.surroundings(begun.batch.id)
    assert surroundings is not None
    known = KnownBatch(deployed_star.settings)

    assert known.session_settings(deployed_star.read, begun.batch.id) == surroundings.settings
    assert known.session_settings(deployed_star.read, "another") == surroundings.settings
