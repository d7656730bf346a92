"""Models: found by name, read as they were deployed, and let go with all that they have."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import ModelRetiredError, NotRegisteredError
from airflow_atscale_aggs.engine.registry.records import ModelFigures
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    build,
    make_deployment,
    make_step,
    open_batch,
    run_batch,
    statuses,
)


def _add_model(registry: Registry, model: str, catalog: str, name: str) -> None:
    deployment = make_deployment(model_id=model, catalog=catalog, name=name)
    registry.models.record_deployments([deployment], now=NOW)


def _retire(registry: Registry, model: str = MODEL) -> None:
    registry.models.retire(model, why="not needed", now=LATER, drop_after=LATER + HOUR)


def test_unknown_names_have_near_ones(any_registry: Registry) -> None:
    """A model that is not there, by a name that nearly is."""
    with pytest.raises(NotRegisteredError, match="Did you mean `sales`"):
        any_registry.read.models.get("sale")
    assert any_registry.read.models.get("shop.sales").id == MODEL


@pytest.mark.parametrize("name", [MODEL, "sales", "shop.sales"])
def test_a_model_has_an_id_a_name_and_a_full_name(registry: Registry, name: str) -> None:
    assert registry.read.models.get(name).id == MODEL


def test_a_name_that_two_models_have_needs_its_catalog(registry: Registry) -> None:
    _add_model(registry, OTHER_MODEL, "web", "sales")

    with pytest.raises(NotRegisteredError, match=r"Did you mean `shop\.sales` or `web\.sales`"):
        registry.read.models.get("sales")
    assert registry.read.models.get("web.sales").id == OTHER_MODEL


def test_a_retired_model_leaves_its_name_to_another_one(registry: Registry) -> None:
    _add_model(registry, OTHER_MODEL, "web", "sales")
    _retire(registry)

    assert registry.read.models.get("sales").id == OTHER_MODEL
    assert registry.read.models.get("shop.sales").retired_at == LATER
    assert [record.id for record in registry.read.models.current()] == [OTHER_MODEL]
    assert {record.id for record in registry.read.models.all()} == {MODEL, OTHER_MODEL}


def test_a_retired_model_is_not_used_as_a_deployed_one(registry: Registry) -> None:
    assert registry.read.models.get_deployed("sales").id == MODEL
    _retire(registry)

    with pytest.raises(ModelRetiredError, match="Model `sales` was retired"):
        registry.read.models.get_deployed("sales")
    with pytest.raises(NotRegisteredError, match="no model `visits`"):
        registry.read.models.get_deployed("visits")


def test_a_deployment_is_read_as_it_was_recorded(registry: Registry) -> None:
    deployment_id = registry.read.models.get(MODEL).deployment_id

    assert registry.read.models.content(deployment_id) == b"1"
    assert registry.read.models.content_hash(deployment_id) == "1"
    assert registry.read.models.datasets(deployment_id) == make_deployment().datasets


def test_models_are_listed_by_name(registry: Registry) -> None:
    _add_model(registry, OTHER_MODEL, "web", "sales")
    _add_model(registry, "m3", "shop", "orders")

    names = [f"{record.catalog}.{record.name}" for record in registry.read.models.current()]
    assert names == ["shop.orders", "shop.sales", "web.sales"]


def test_a_model_is_let_go_with_all_that_it_has(registry: Registry) -> None:
    """What served serves no more, what was being built is cancelled; statistics and definitions are kept."""
    run_batch(registry, "b")
    run_batch(registry, "c", steps=[make_step(REVENUE, "c")])
    open_batch(registry, "d")
    build(registry, "d-units")
    before = registry.read.models.version(MODEL)

    _retire(registry)

    assert statuses(registry) == {
        "b-revenue": "superseded",
        "b-units": "superseded",
        "c-revenue": "superseded",
        "d-revenue": "cancelled",
        "d-units": "cancelled",
    }
    batches = {batch.id: (batch.status, batch.finished_at) for batch in registry.read.batches.find()}
    assert batches == {"b": ("done", NOW), "c": ("done", NOW), "d": ("cancelled", LATER)}
    assert registry.read.definitions.of_model(MODEL) == ()
    retired = registry.read.definitions.of_model(MODEL, include_retired=True)
    assert [(record.status, record.status_reason, record.retired_at) for record in retired] == [
        ("retired", "not needed", LATER)
    ] * 2
    assert registry.read.models.version(MODEL) == before + 1


def test_tables_of_a_model_that_was_let_go_may_be_dropped_when_the_delay_is_over(registry: Registry) -> None:
    """One that had given way before has its own time; one that was kept had none."""
    run_batch(registry, "b")
    run_batch(registry, "c", steps=[make_step(REVENUE, "c")])
    registry.models.record_deployments([make_deployment(REVENUE, content="2")], now=NOW)
    run_batch(registry, "d", steps=[make_step(REVENUE, "d")])
    assert registry.read.instances.get("b-units").drop_after is None

    _retire(registry)

    times = {instance.id: (instance.superseded_at, instance.drop_after) for instance in registry.read.instances.find()}
    assert times == {
        "b-revenue": (NOW, NOW + HOUR),
        "b-units": (NOW, LATER + HOUR),
        "c-revenue": (NOW, NOW + HOUR),
        "d-revenue": (LATER, LATER + HOUR),
    }


def test_other_models_stay_when_one_is_let_go(registry: Registry) -> None:
    _add_model(registry, OTHER_MODEL, "shop", "visits")
    run_batch(registry, "b")
    _retire(registry, OTHER_MODEL)

    assert set(statuses(registry).values()) == {"active"}
    assert {record.definition for record in registry.read.definitions.of_model(MODEL)} == {REVENUE, UNITS}


def test_figures_of_models_are_counted(any_registry: Registry) -> None:
    """What is defined, what serves since when, and the batch that is in progress; a model without all that has none."""
    _add_model(any_registry, OTHER_MODEL, "shop", "visits")
    before = any_registry.read.models.figures([MODEL, OTHER_MODEL])
    run_batch(any_registry, "b")
    run_batch(any_registry, "c", steps=[make_step(REVENUE, "c")], now=LATER)
    open_batch(any_registry, "d")

    after = any_registry.read.models.figures([MODEL])

    assert before == {MODEL: ModelFigures(definitions=2), OTHER_MODEL: ModelFigures()}
    assert after == {MODEL: ModelFigures(definitions=2, active=2, rows=10, open_batch_id="d", last_activated_at=LATER)}
    assert any_registry.read.models.figures([]) == {}
