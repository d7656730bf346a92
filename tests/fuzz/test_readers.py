"""No input of the three readers ends in a Python error, or never: a short form; `make fuzz` takes an hour for each."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import Readers

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
_SETTINGS = settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
_CHOICES = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    opened = Readers()
    yield opened
    opened.close()


@_SETTINGS
@given(choices=_CHOICES)
def test_sql(readers: Readers, choices: random.Random) -> None:
    readers.fuzz_sql(choices)


@_SETTINGS
@given(choices=_CHOICES)
def test_mdx(readers: Readers, choices: random.Random) -> None:
    readers.fuzz_mdx(choices)


@_SETTINGS
@given(choices=_CHOICES)
def test_model(readers: Readers, choices: random.Random) -> None:
    readers.fuzz_model(choices)


def test_most_mutated_models_are_read_to_the_end(readers: Readers) -> None:
    """The fuzzer would find nothing if every input were refused at its first line."""
    before = readers.deployed
    for seed in range(60):
        readers.fuzz_model(random.Random(seed))
    assert readers.deployed - before > 10
