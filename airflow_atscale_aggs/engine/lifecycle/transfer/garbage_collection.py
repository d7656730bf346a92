"""Pause Python's garbage collector while many objects are made that all stay alive."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def pause_collection() -> Iterator[None]:
    """Switch the collector off for the length of a ``with`` block.

    An export or import makes very many objects that all live until its end. The collector would look at all of them
    again and again, and would find nothing to free.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
