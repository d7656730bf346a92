"""No bytes of a client end `serve` or disturb others: a short form; `make fuzz` takes an hour."""

from __future__ import annotations

import os
import random

from tests.fuzz.wire import Wire

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))


def test_serve_outlives_what_clients_send() -> None:
    wire = Wire()
    try:
        for seed in range(_EXAMPLES):
            wire.fuzz_wire(random.Random(seed))
    finally:
        wire.close()
