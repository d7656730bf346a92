"""Python's garbage collector pauses while very many objects are made, and is then as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.lifecycle.transfer.garbage_collection import pause_collection


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """On after each test, whatever it does."""
    gc.enable()
    yield
    gc.enable()


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_off_in_the_block_and_afterwards_as_before(was_on: bool) -> None:
    if not was_on:
        gc.disable()

    with pause_collection():
        assert not gc.isenabled()
        with pause_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()

    assert gc.isenabled() is was_on


def test_the_collector_is_on_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), pause_collection():
        raise ZeroDivisionError

    assert gc.isenabled()
