"""All lists are reached from the registry's reader."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import MODEL, NOW, run_batch


def test_one_reader_has_all_lists(registry: Registry) -> None:
    run_batch(registry)
    lists = registry.read.lists

    assert [row.name for row in lists.definitions.page().rows] == ["revenue", "units"]
    assert {row.aggregate for row in lists.instances.page().rows} == {"revenue", "units"}
    assert [row.batch.model_id for row in lists.batches.page().rows] == [MODEL]
    assert lists.queries.page().rows == ()
    assert lists.attention.find(None, now=NOW).pending_views.ids == ("b",)
