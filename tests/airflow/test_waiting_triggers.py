"""Triggers that wait in Airflow's database since the version before are made again.

Their class paths and arguments are data.
"""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.module_loading import import_string  # type: ignore[attr-defined] # Airflow names no exports there

pytestmark = pytest.mark.airflow

_STORED: list[tuple[str, dict[str, Any]]] = [
    (
        "airflow_atscale_aggs.triggers.batch_build.BatchBuildTrigger",
        {"aggs_conn_id": "retail", "model": "retail", "since": "2026-01-01T00:00:00+00:00", "poke_interval": 10.0},
    ),
    (
        "airflow_atscale_aggs.triggers.completion_file.CompletionFileTrigger",
        {
            "paths": ["/data/done/*.ok"],
            "match": "any",
            "pattern": None,
            "poll_seconds": 10.0,
            "settle_seconds": 5.0,
            "existing": None,
            "state": None,
            "deadline": 1780000000.0,
        },
    ),
]
"""The triggers as the version before wrote them."""


@pytest.mark.parametrize(("class_path", "arguments"), _STORED, ids=lambda value: str(value).rpartition(".")[2][:30])
def test_a_waiting_trigger_is_made_again(class_path: str, arguments: dict[str, Any]) -> None:
    trigger = import_string(class_path)(**arguments)

    assert trigger.serialize() == (class_path, arguments)
