"""Whatever others do to the warehouse between and during batches: answers equal the facts, rights are kept, the next
batch ends well.

A short form; ``HAND_SEQUENCES=500 pytest tests/hands`` runs as many stories on each warehouse.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.hands.place import Place, postgres_place
from tests.hands.story import Story
from tests.hands.story_state import log_failures

_SEQUENCES = int(os.environ.get("HAND_SEQUENCES", "3"))
_FIRST = int(os.environ.get("HAND_FIRST", "0"))
_STEPS = 8

pytestmark = pytest.mark.slow


def _tell_story(place: Place, seed: int) -> None:
    story = Story(place, random.Random(seed))
    with log_failures(story):
        story.begin()
        story.go_on(_STEPS)


@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + _SEQUENCES))
def test_duckdb(tmp_path: Path, seed: int) -> None:
    _tell_story(Place("duckdb", tmp_path), seed)


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + _SEQUENCES))
def test_postgres(tmp_path: Path, postgres_url: str, seed: int) -> None:
    with postgres_place(postgres_url, tmp_path, f"{os.getpid()}_{seed}") as place:
        _tell_story(place, seed)
