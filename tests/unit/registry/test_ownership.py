"""What tells one registry from another: its id, and the stamps that it has written into schemas."""

from __future__ import annotations

import shutil
from pathlib import Path

from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from tests.support.registry_content import NOW, open_batch


def test_every_registry_has_an_id_of_its_own(registry: Registry, tmp_path: Path) -> None:
    other = open_registry(f"sqlite:///{tmp_path / 'other.sqlite'}")

    assert other.read.ownership.registry_id() != registry.read.ownership.registry_id()
    other.close()


def test_a_copy_has_the_same_id_and_other_stamps_from_then_on(registry: Registry, tmp_path: Path) -> None:
    open_batch(registry, "b")
    registry.database.dispose()
    copy = open_registry(f"sqlite:///{shutil.copy(str(registry.database.url.database), tmp_path / 'copy.sqlite')}")
    registry.batches.cancel("b", now=NOW)
    open_batch(registry, "c")

    assert copy.read.ownership.registry_id() == registry.read.ownership.registry_id()
    written = {stamp: copy.read.ownership.has_written(stamp) for stamp in ("b", "c")}
    assert written == {"b": True, "c": False}
    copy.close()


def test_a_stamp_is_a_batch_or_what_was_put_down_last(registry: Registry) -> None:
    open_batch(registry, "b")
    registry.ownership.put_stamp("first")
    registry.ownership.put_stamp("second")

    written = {stamp: registry.read.ownership.has_written(stamp) for stamp in ("b", "first", "second", "c", "")}
    assert written == {"b": True, "first": False, "second": True, "c": False, "": False}


def test_no_stamp_is_none(registry: Registry) -> None:
    """A registry that has written nothing does not take an empty mark for its own."""
    assert not registry.read.ownership.has_written("")
