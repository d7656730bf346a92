"""Keys of XComs that other tasks and the REST API read."""

from __future__ import annotations

COALESCED = "coalesced_into"
"""Of a plan: id of the batch that answers the run, so that the run has nothing to do."""
