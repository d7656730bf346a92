"""An import: definitions by names are resolved in the model that is deployed here, and recorded once by meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.exported import FORMAT, FORMAT_VERSION
from airflow_atscale_aggs.engine.errors import ImportRefusedError
from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import ImportReport, import_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord
from tests.support.stars.standing_star import LATER, MODEL, NOW, build, model_id

_MONTH, _CITY = {"dimension": "Calendar", "attribute": "Month"}, {"dimension": "Shops", "attribute": "City"}


def _definition(
    name: str, *attributes: Mapping[str, str], metrics: tuple[str, ...] = ("Quantity",), **others: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "origin": "demand_defined",
        "facts": ["sales"],
        "attributes": attributes,
        "metrics": metrics,
        "reason": "asked 12 times",
        **others,
    }


def _file(workspace: Workspace, *definitions: Mapping[str, Any], **header: Any) -> bytes:
    """A file of the model that is deployed in the workspace."""
    record = workspace.read.models.get(MODEL)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "product_version": __version__,
        "model_id": record.id,
        "catalog": record.catalog,
        "model": record.name,
        "model_hash": workspace.read.models.content_hash(record.deployment_id),
        "exported_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps({**content, **header, "definitions": definitions}).encode()


def _import(workspace: Workspace, *definitions: Mapping[str, Any], **header: Any) -> ImportReport:
    return import_definitions(workspace, MODEL, _file(workspace, *definitions, **header), where="x.json", now=LATER)


def _outcomes(report: ImportReport) -> list[tuple[str, str, str]]:
    return [(definition.name, definition.outcome, definition.why) for definition in report.definitions]


def _system_defined(workspace: Workspace) -> dict[str, DefinitionRecord]:
    records = workspace.read.definitions.of_model(model_id(workspace), include_retired=True)
    return {record.definition.name: record for record in records if record.definition.origin.is_system_defined}


def test_definitions_are_resolved_in_the_model_that_is_deployed_here(deployed_star: Workspace) -> None:
    """With today's joins; what is known of them comes with them."""
    definition = _definition(
        "months", _MONTH, _CITY, label="By month", origin="prediction_defined", evidence={"rows": 4}
    )

    report = _import(deployed_star, definition)

    (record,) = _system_defined(deployed_star).values()
    assert (record.definition.name, record.definition.label) == ("months", "By month")
    assert (record.definition.origin, record.reason) == (DefinitionOrigin.PREDICTION_DEFINED, "asked 12 times")
    assert (record.evidence, record.defined_at, record.definition.metrics) == ({"rows": 4.0}, LATER, ("Quantity",))
    (part,) = record.definition.parts
    tables = {
        bound.attribute.name: (bound.dataset, [step.to_dataset for step in bound.steps]) for bound in part.attributes
    }
    assert tables == {"Month": ("day", ["day"]), "City": ("shop", ["shop"])}
    assert (report.model, report.model_id, report.warnings) == (MODEL, model_id(deployed_star), ())
    assert (report.product_version, report.exported_at) == (__version__, datetime(2026, 1, 1, tzinfo=UTC))
    assert (report.counts, report.to_build) == ({"imported": 1}, ("months",))
    assert _outcomes(report) == [("months", "imported", "")]
    assert report.definitions[0].definition_id == record.definition.id


def test_the_same_file_again_changes_nothing(deployed_star: Workspace) -> None:
    """What was imported, and not built yet, waits to be built."""
    definitions = [_definition("months", _MONTH), _definition("all")]
    _import(deployed_star, *definitions)
    before = _system_defined(deployed_star)

    report = _import(deployed_star, *definitions)

    why = "it is defined here already"
    assert _outcomes(report) == [("months", "duplicate", why), ("all", "duplicate", why)]
    assert report.to_build == ("months", "all")
    assert _system_defined(deployed_star) == before


def test_what_means_the_same_is_recorded_once(deployed_star: Workspace) -> None:
    """Whoever has defined it here, and also within the file; attributes in another order or twice are the same."""
    report = _import(
        deployed_star,
        _definition("cities", _CITY, metrics=("Amount",)),
        _definition("first", _MONTH, _CITY),
        _definition("second", _CITY, _MONTH, _CITY),
        _definition("third", _CITY, _MONTH, facts=["sales", "sales"]),
    )

    assert _outcomes(report) == [
        ("cities", "duplicate", "it means the same as `by_city` of this system"),
        ("first", "imported", ""),
        ("second", "duplicate", "it means the same as `first` of this system"),
        ("third", "duplicate", "it means the same as `first` of this system"),
    ]
    assert _system_defined(deployed_star).keys() == {"first"}


def test_a_name_that_is_taken_here_is_changed(deployed_star: Workspace) -> None:
    report = _import(deployed_star, _definition("by_city", _MONTH))

    ((name, outcome, why),) = _outcomes(report)
    assert name.startswith("by_city_")
    assert (outcome, why) == ("imported", "the file calls it `by_city`, a name that is taken here")
    assert report.to_build == (name,)


@pytest.mark.parametrize(
    ("status", "outcome", "why", "to_build"),
    [
        (DefinitionStatus.RETIRED, "returned", "it was retired here", ("months",)),
        (DefinitionStatus.BLOCKED, "blocked", "a person has blocked `months` here; it stays so", ()),
    ],
)
def test_what_was_let_go_here_comes_back_and_what_is_blocked_does_not(
    deployed_star: Workspace, status: DefinitionStatus, outcome: str, why: str, to_build: tuple[str, ...]
) -> None:
    """A returned one has the reason and the figures of the file."""
    _import(deployed_star, _definition("months", _MONTH))
    identity = _system_defined(deployed_star)["months"].definition.id
    deployed_star.registry.definitions.set_status([identity], status, "why", expected=DefinitionStatus.DEFINED, now=NOW)

    report = _import(deployed_star, _definition("other name", _MONTH, reason="asked again", evidence={"rows": 9}))

    name = "months" if status is DefinitionStatus.RETIRED else "other name"
    assert _outcomes(report) == [(name, outcome, why)]
    assert report.to_build == to_build
    record = _system_defined(deployed_star)["months"]
    is_back = status is DefinitionStatus.RETIRED
    assert (record.status, record.reason) == (("defined", "asked again") if is_back else ("blocked", "asked 12 times"))
    assert record.evidence == ({"rows": 9.0} if is_back else {})


@pytest.mark.parametrize(
    ("definition", "missing"),
    [
        (_definition("x", {"dimension": "Calendar", "attribute": "Decade"}), "Decade"),
        (_definition("x", {"dimension": "Weather", "attribute": "Rain"}), "Weather"),
        (_definition("x", {**_MONTH, "role": "Ship {0}"}), "Ship"),
        (_definition("x", metrics=("Profit",)), "Profit"),
        (_definition("x", facts=["returns"]), "returns"),
    ],
    ids=["an attribute", "a dimension", "a role", "a metric", "a fact"],
)
def test_what_names_something_that_the_model_lacks_is_refused_and_stops_no_other(
    deployed_star: Workspace, definition: dict[str, Any], missing: str
) -> None:
    report = _import(deployed_star, definition, _definition("months", _MONTH))

    (refused, imported) = _outcomes(report)
    assert refused[:2] == ("x", "refused")
    assert refused[2].startswith("the model deployed here lacks ")
    assert missing in refused[2]
    assert imported == ("months", "imported", "")
    assert (report.counts, report.to_build) == ({"refused": 1, "imported": 1}, ("months",))
    assert report.definitions[0].definition_id == ""


def test_figures_of_the_other_system_are_told_from_those_of_this_one(deployed_star: Workspace) -> None:
    """Those that are not known, or zero, are left out."""
    statistics = {"uses": 12, "query_seconds": 0.5, "rows": 4, "size_bytes": 100, "score": 0.0}

    _import(deployed_star, _definition("months", _MONTH, statistics=statistics, evidence={"rows": 5}))

    assert _system_defined(deployed_star)["months"].evidence == {
        "rows": 5.0,
        "source_uses": 12.0,
        "source_query_seconds": 0.5,
        "source_rows": 4.0,
        "source_bytes": 100.0,
    }


def test_what_a_batch_was_begun_for_needs_no_build(built_star: Workspace) -> None:
    """Here it is the user's own aggregate."""
    _import(built_star, _definition("months", _MONTH))
    build(built_star, "months", now=LATER)

    report = _import(
        built_star,
        _definition("cities", _CITY, metrics=("Amount",)),
        _definition("months", _MONTH),
        _definition("all"),
    )

    assert report.to_build == ("all",)


def test_an_exported_file_is_imported_where_it_was_made_without_a_change(deployed_star: Workspace) -> None:
    _import(deployed_star, _definition("months", _MONTH), _definition("all"))
    before = _system_defined(deployed_star)

    data = export_definitions(deployed_star, MODEL, now=LATER).data
    report = import_definitions(deployed_star, MODEL, data, now=LATER)

    assert (report.counts, report.warnings) == ({"duplicate": 2}, ())
    assert _system_defined(deployed_star) == before


def test_another_version_of_the_model_is_a_warning(deployed_star: Workspace) -> None:
    report = _import(deployed_star, _definition("months", _MONTH), model_hash="another")

    assert report.warnings == ("The model deployed here is not the same as where the file was made.",)
    assert report.counts == {"imported": 1}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            {"model_id": "m9", "catalog": "web", "model": "visits"},
            r"it is of model `web\.visits` with ModelID m9, and `tiny\.tiny_sales` has ModelID ",
        ),
        ({"format_version": FORMAT_VERSION + 1}, "it was made by the newer version"),
        ({"format": "something else"}, f"its `format` is not `{FORMAT}`"),
    ],
)
def test_a_file_that_is_not_for_this_system_is_refused_as_a_whole(
    deployed_star: Workspace, header: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ImportRefusedError, match=rf"^x\.json is not imported: {reason}"):
        _import(deployed_star, _definition("months", _MONTH), **header)
    assert _system_defined(deployed_star) == {}


@pytest.mark.parametrize("is_retired", [False, True])
def test_the_model_must_be_deployed_here_first(deployed_star: Workspace, is_retired: bool) -> None:
    """What is to be done is said."""
    data, model = _file(deployed_star), "visits"
    if is_retired:
        model = MODEL
        deployed_star.registry.models.retire(model_id(deployed_star), why="", now=NOW, drop_after=NOW)

    with pytest.raises(
        ImportRefusedError,
        match=r"the model is not deployed here \(.*\)\. Deploy the same SML here first: `atscale-aggs deploy DIR`\.",
    ):
        import_definitions(deployed_star, model, data, now=LATER)
