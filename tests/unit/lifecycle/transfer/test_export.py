"""An export: the system-defined definitions of a model by names, with their statistics and the reason for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord, ProposedDefinition, QuerySource
from tests.support.query_records import make_query_record
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    make_deployment,
    make_steps,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
)
from tests.support.stars.small_star import CITY

TAX = make_system_aggregate("tax", "tax")
BOTH = make_system_aggregate("both", "amount", "returns", "sales")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The model ``shop.sales`` with two user-defined aggregates; nothing is built."""
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb://") as opened:
        opened.registry.models.record_deployments([make_deployment(REVENUE, UNITS, content="hash")], now=NOW)
        yield opened


def _file(workspace: Workspace) -> dict[str, Any]:
    """The content of the file."""
    document: dict[str, Any] = json.loads(export_definitions(workspace, "sales", now=LATER).data)
    return document


def _definitions(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {definition["name"]: definition for definition in _file(workspace)["definitions"]}


def _statistics(workspace: Workspace, name: str) -> dict[str, Any]:
    """The statistics of a definition, without zeros."""
    statistics: dict[str, Any] = _definitions(workspace)[name]["statistics"]
    return {figure: value for figure, value in statistics.items() if value != 0}


def _set_status(workspace: Workspace, aggregate: AggregateDefinition, status: DefinitionStatus) -> None:
    workspace.registry.definitions.set_status([aggregate.id], status, "", expected=DefinitionStatus.DEFINED, now=LATER)


def _with_attributes(aggregate: AggregateDefinition, *templates: str) -> AggregateDefinition:
    """By the city of the shop in several roles."""
    attributes = tuple(
        replace(CITY, attribute=GrainAttribute(Role("Shops", template), "City")) for template in templates
    )
    return replace(aggregate, parts=tuple(replace(part, attributes=attributes) for part in aggregate.parts))


def test_the_file_says_whose_definitions_it_holds(workspace: Workspace) -> None:
    """Model, version and hash of the SML that it was made from."""
    export = export_definitions(workspace, MODEL, now=LATER)

    assert (export.model, export.definitions) == ("sales", 0)
    assert json.loads(export.data) == {
        "format": "atscale-aggs definitions",
        "format_version": 1,
        "product_version": __version__,
        "model_id": MODEL,
        "catalog": "shop",
        "model": "sales",
        "model_version": 1,
        "model_hash": "hash",
        "exported_at": "2026-01-01T13:00:00Z",
        "definitions": [],
    }


def test_definitions_are_told_by_names_alone(workspace: Workspace) -> None:
    """No join, no table and no column of a dimension; the plain role and a label that is the name are left out."""
    aggregate = replace(_with_attributes(TAX, "{0}", "Ship {0}"), label="Tax by city")
    proposal = ProposedDefinition(definition=aggregate, reason="asked 12 times", evidence={"rows": 5.0})
    workspace.registry.definitions.add([proposal], now=NOW)

    export = export_definitions(workspace, "sales", now=LATER)

    assert export.definitions == 1
    assert json.loads(export.data)["definitions"] == [
        {
            "name": "tax",
            "label": "Tax by city",
            "origin": "demand_defined",
            "fingerprint": aggregate.fingerprint,
            "facts": ["sales"],
            "attributes": [
                {"dimension": "Shops", "attribute": "City"},
                {"dimension": "Shops", "attribute": "City", "role": "Ship {0}"},
            ],
            "metrics": ["tax"],
            "defined_at": "2026-01-01T12:00:00Z",
            "reason": "asked 12 times",
            "evidence": {"rows": 5.0},
            "statistics": {"query_seconds": 0},
        }
    ]
    assert b"shop_id" not in export.data


def test_only_system_defined_definitions_that_are_defined_are_exported(workspace: Workspace) -> None:
    predicted = replace(make_system_aggregate("profit", "profit"), origin=DefinitionOrigin.PREDICTION_DEFINED)
    retired, blocked = (make_system_aggregate(name, name) for name in ("retired", "blocked"))
    propose(workspace.registry, TAX, predicted, retired, blocked)
    for aggregate, status in ((retired, DefinitionStatus.RETIRED), (blocked, DefinitionStatus.BLOCKED)):
        _set_status(workspace, aggregate, status)

    definitions = _definitions(workspace)

    assert {name: content["origin"] for name, content in definitions.items()} == {
        "tax": "demand_defined",
        "profit": "prediction_defined",
    }
    assert "label" not in definitions["tax"]


def test_what_was_never_used_or_built_has_no_statistics(workspace: Workspace) -> None:
    propose(workspace.registry, TAX)
    open_batch(workspace.registry)

    assert _statistics(workspace, "tax") == {}


def test_uses_of_all_facts_are_told_together(workspace: Workspace) -> None:
    """The last use is the last of all."""
    propose(workspace.registry, BOTH)
    sources = [QuerySource(fact=fact, definition_id=BOTH.id) for fact in ("sales", "returns")]
    workspace.registry.queries.record(
        [
            make_query_record(sources[0], asked_at=NOW, seconds=0.5, weight=3),
            make_query_record(sources[1], asked_at=LATER, seconds=2.0),
        ]
    )

    assert _statistics(workspace, "both") == {"uses": 4, "query_seconds": 3.5, "last_used_at": "2026-01-01T13:00:00Z"}


def test_sizes_are_those_of_the_newest_instances(workspace: Workspace) -> None:
    """Of all facts together; an instance that was never active is none, and one that serves no more is one."""
    propose(workspace.registry, BOTH, TAX)
    run_batch(workspace.registry, "b")
    run_batch(workspace.registry, "c", steps=make_steps([BOTH], "c"), now=LATER)
    _set_status(workspace, TAX, DefinitionStatus.RETIRED)
    run_batch(workspace.registry, "d", steps=make_steps([REVENUE], "d"), now=LATER)
    propose(workspace.registry, TAX)
    open_batch(workspace.registry, "e", now=LATER + HOUR)

    # Each instance of the helpers has five rows and takes half a second.
    assert _statistics(workspace, "both") == {"rows": 10, "build_seconds": 1.0}
    assert _statistics(workspace, "tax") == {"rows": 5, "build_seconds": 0.5}


def test_the_newest_judgement_is_told(workspace: Workspace) -> None:
    propose(workspace.registry, TAX)
    workspace.registry.evaluations.record(
        [
            EvaluationRecord(
                model_id=MODEL,
                definition_id=TAX.id,
                evaluated_at=NOW + hours * HOUR,
                score=score,
                parts={},
                size_bytes=size,
            )
            for hours, (score, size) in enumerate([(0.9, 100), (0.25, 300)])
        ]
    )

    assert _statistics(workspace, "tax") == {"score": 0.25, "size_bytes": 300}


def test_a_model_that_is_not_there_has_no_file(workspace: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match="Did you mean `sales`"):
        export_definitions(workspace, "sale", now=NOW)
