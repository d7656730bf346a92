"""Completion signals: each is answered by one batch, however often it comes."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.signal_records import chunk_values, hash_signal
from tests.support.registry_content import LATER, MODEL, NOW, OTHER_MODEL, make_deployment, open_batch, run_batch


def _answering(registry: Registry, *identities: str, model: str = MODEL) -> dict[str, str]:
    return dict(registry.read.batches.of_signals(model, identities))


def test_a_batch_answers_the_signals_that_it_was_begun_for(registry: Registry) -> None:
    """A signal that comes twice is one signal."""
    open_batch(registry, signals=("loaded 1", "loaded 2", "loaded 1"))

    assert _answering(registry, "loaded 1", "loaded 2", "loaded 3") == {"loaded 1": "b", "loaded 2": "b"}
    assert _answering(registry) == {}


def test_a_signal_belongs_to_one_model(registry: Registry) -> None:
    registry.models.record_deployments([make_deployment(model_id=OTHER_MODEL, name="visits")], now=NOW)
    open_batch(registry, signals=("loaded",))
    open_batch(registry, "v", model=OTHER_MODEL, signals=("loaded",))

    assert _answering(registry, "loaded") == {"loaded": "b"}
    assert _answering(registry, "loaded", model=OTHER_MODEL) == {"loaded": "v"}


def test_a_cancelled_batch_answers_no_signal(registry: Registry) -> None:
    """A later batch may answer it, then."""
    open_batch(registry, signals=("loaded",))
    registry.batches.cancel("b", now=NOW)
    assert _answering(registry, "loaded") == {}

    open_batch(registry, "c", signals=("loaded",))
    assert _answering(registry, "loaded") == {"loaded": "c"}


def test_a_batch_that_was_begun_for_others_may_answer_a_signal_too(registry: Registry) -> None:
    """What another one answers stays with it, unless that one was cancelled."""
    run_batch(registry, signals=("loaded 1",))
    open_batch(registry, "c", signals=("loaded 2",))
    registry.batches.cancel("c", now=NOW)
    open_batch(registry, "d")

    registry.batches.add_signals("d", ["loaded 1", "loaded 2", "loaded 3"])
    registry.batches.add_signals("d", [])

    assert _answering(registry, "loaded 1", "loaded 2", "loaded 3") == {
        "loaded 1": "b",
        "loaded 2": "d",
        "loaded 3": "d",
    }


def test_the_batch_of_one_signal_is_found_whatever_became_of_it(registry: Registry) -> None:
    """Only among the models that are asked for."""
    open_batch(registry, signals=("loaded",))
    registry.batches.cancel("b", now=NOW)

    found = registry.read.batches.of_signal([MODEL, OTHER_MODEL], "loaded")

    assert found is not None
    assert (found.id, found.status) == ("b", "cancelled")
    assert registry.read.batches.of_signal([OTHER_MODEL], "loaded") is None
    assert registry.read.batches.of_signal([MODEL], "unloaded") is None


def test_a_new_batch_answers_the_signals_of_the_failed_one_that_it_closes(registry: Registry) -> None:
    open_batch(registry, signals=("loaded 1", "loaded 2"))
    registry.batches.fail("b", owner="me", now=NOW)
    assert _answering(registry, "loaded 1") == {"loaded 1": "b"}

    open_batch(registry, "c", signals=("loaded 2", "loaded 3"))

    assert _answering(registry, "loaded 1", "loaded 2", "loaded 3") == dict.fromkeys(
        ("loaded 1", "loaded 2", "loaded 3"), "c"
    )


def test_the_next_batch_does_not_answer_what_a_finished_one_has_answered(registry: Registry) -> None:
    run_batch(registry, signals=("loaded 1",))
    open_batch(registry, "c", signals=("loaded 2",))

    assert _answering(registry, "loaded 1", "loaded 2") == {"loaded 1": "b", "loaded 2": "c"}


def test_a_batch_that_is_taken_over_may_answer_more(registry: Registry) -> None:
    open_batch(registry, signals=("loaded 1",))
    registry.batches.take_over("b", owner="you", previous_owner="me", lease_until=LATER, signals=("loaded 2",))

    assert _answering(registry, "loaded 1", "loaded 2") == {"loaded 1": "b", "loaded 2": "b"}


def test_there_may_be_very_many_signals(registry: Registry) -> None:
    """More than one statement takes."""
    identities = [f"loaded {number}" for number in range(1201)]
    open_batch(registry, signals=tuple(identities))

    assert _answering(registry, *identities) == dict.fromkeys(identities, "b")


def test_identities_may_be_of_any_length() -> None:
    """What is kept of them has always 64 signs; it is a SHA-256 digest."""
    assert hash_signal("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert len(hash_signal("s3://größe/" * 1000)) == 64


@pytest.mark.parametrize(("count", "lengths"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1000, [500, 500])])
def test_values_are_cut_in_pieces_that_one_list_takes(count: int, lengths: list[int]) -> None:
    values = [str(number) for number in range(count)]

    chunks = chunk_values(values)

    assert [len(chunk) for chunk in chunks] == lengths
    assert [value for chunk in chunks for value in chunk] == values
