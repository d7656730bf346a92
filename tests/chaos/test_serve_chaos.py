"""Whatever goes away around `serve`, and however clients behave: a short form; `make chaos` takes minutes for each."""

from __future__ import annotations

import pytest

from tests.chaos.serve_chaos import Scene, events

pytestmark = pytest.mark.postgres


def test_nobody_gets_a_wrong_answer_and_nothing_is_left_behind() -> None:
    scene = Scene(seconds=1.5)
    try:
        for name, event, is_outage in events(scene):
            scene.run(name, event, is_outage=is_outage)
    finally:
        scene.close()
