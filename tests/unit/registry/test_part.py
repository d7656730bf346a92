"""What every part of the registry does alike: things that are not there are named, with their kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader
from tests.support.registry_content import MODEL


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda registry: registry.models.version("x1"), "model"),
        (lambda registry: registry.models.content("x1"), "deployment"),
        (lambda registry: registry.definitions.get("x1"), "definition"),
        (lambda registry: registry.batches.get("x1"), "batch"),
        (lambda registry: registry.batches.surroundings("x1"), "batch"),
        (lambda registry: registry.instances.get("x1"), "instance"),
    ],
)
def test_what_is_not_there_is_named_with_its_kind(
    registry: Registry, read: Callable[[RegistryReader], object], kind: str
) -> None:
    with pytest.raises(NotRegisteredError, match=rf"^The registry has no {kind} `x1`\.$"):
        read(registry.read)


def test_what_is_there_is_read_by_its_id(registry: Registry) -> None:
    record = registry.read.models.get(MODEL)

    assert registry.read.models.content_hash(record.deployment_id) == "1"
    assert registry.read.models.version(MODEL) == 0
