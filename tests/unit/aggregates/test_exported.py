"""The file that carries definitions: what is written, and everything that is refused when it is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.exported import (
    FORMAT,
    FORMAT_VERSION,
    MOST_BYTES,
    ExportedAttribute,
    ExportedDefinition,
    ExportedStatistics,
    ExportHeader,
    read_export,
    write_export,
)
from airflow_atscale_aggs.engine.errors import ImportRefusedError

_HEADER: dict[str, Any] = {
    "format": FORMAT,
    "format_version": FORMAT_VERSION,
    "product_version": "1.2.0",
    "model_id": "m",
}
_DEFINITION: dict[str, Any] = {"name": "q1", "origin": "demand_defined", "facts": ["sales"]}


def _file(definition: dict[str, Any] | None = None, **header: Any) -> bytes:
    return json.dumps({**_HEADER, **header, "definitions": [_DEFINITION | (definition or {})]}).encode()


def _refusal(data: bytes) -> str:
    with pytest.raises(ImportRefusedError) as caught:
        read_export(data, where="x.json", product_version="1.2.0")
    return str(caught.value)


def test_a_file_is_read_as_it_was_written() -> None:
    header = ExportHeader(**_HEADER, catalog="retail", model="sales", exported_at=datetime(2026, 1, 2, tzinfo=UTC))
    definition = ExportedDefinition(
        name="q1",
        label="First",
        origin="prediction_defined",
        facts=("sales",),
        attributes=(ExportedAttribute("Date", "Year", "Sold {0}"), ExportedAttribute("Shop", "City")),
        metrics=("Amount",),
        evidence={"predicted_rows": 4.0},
        statistics=ExportedStatistics(uses=3, query_seconds=0.5),
    )

    file, warnings = read_export(write_export(header, [definition]), where="x.json", product_version="1.2.0")

    assert (file.catalog, file.exported_at, file.definitions) == ("retail", header.exported_at, [definition])
    assert warnings == ()


def test_one_definition_stands_on_one_line_and_only_what_is_not_usual() -> None:
    header = ExportHeader(**_HEADER)
    plain = ExportedDefinition(**{**_DEFINITION, "facts": ("sales",)})

    lines = write_export(header, [plain, plain]).decode().splitlines()

    assert lines[0].endswith('"definitions":[')
    assert lines[1:] == [
        '{"name":"q1","origin":"demand_defined","facts":["sales"],"statistics":{}},',
        '{"name":"q1","origin":"demand_defined","facts":["sales"],"statistics":{}}',
        "]}",
    ]


def test_a_file_without_definitions_is_a_file() -> None:
    file, _ = read_export(write_export(ExportHeader(**_HEADER), []), where="x.json", product_version="1.2.0")

    assert file.definitions == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is damaged, or no export file"),
        (b"PK\x03\x04", "it is damaged, or no export file"),
        (b'{"a": "\xff"}', "it is damaged, or no export file"),
        (b"[]", "it is damaged, or no export file"),
        (b"{}", "missing required field `format`"),
        (b'{"format": "", "x": ' + b"[" * 100_000, "it is nested too deeply"),
        (_file(format="dbt manifest"), "its `format` is not `atscale-aggs definitions`"),
        (_file(product_version="soon"), "its `product_version` `soon` is no version"),
        (_file(product_version="1.3.0"), "it was made by the newer version 1.3.0 (format 1), and this is 1.2.0"),
        (_file(format_version=2), "it was made by the newer version 1.2.0 (format 2)"),
        (json.dumps({**_HEADER, "definitions": 5}).encode(), "Expected `array`, got `int`"),
        (_file(more=1), "unknown field `more`"),
        (json.dumps(_HEADER).encode(), "missing required field `definitions`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_a_file_that_is_none_of_ours_is_refused(data: bytes, reason: str) -> None:
    assert reason in _refusal(data)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"name": ""}, "length >= 1"),
        ({"name": "a" * 1001}, "length <= 1000"),
        ({"origin": "user_defined"}, "Invalid enum value 'user_defined'"),
        ({"facts": []}, "length >= 1"),
        ({"sql": "DROP TABLE x"}, "unknown field `sql`"),
        ({"attributes": [{"dimension": "D"}]}, "missing required field `attribute`"),
        ({"attributes": [{"dimension": "D", "attribute": "A", "path": []}]}, "unknown field `path`"),
        ({"evidence": {"a": "many"}}, "Expected `float`, got `str`"),
        ({"evidence": {"a": 1e301}}, "<= 1e+300"),
        ({"statistics": {"uses": -1}}, "Expected `int` >= 0"),
        ({"statistics": {"last_used_at": "2026-01-01T00:00:00"}}, "timezone"),
        ({"label": "a\u001b[31m"}, "definition 1 holds control characters in its text"),
        ({"reason": "a\u0000"}, "definition 1 holds control characters"),
    ],
    ids=repr,
)
def test_a_definition_that_is_not_as_the_format_says_is_refused(definition: dict[str, Any], reason: str) -> None:
    message = _refusal(_file(definition))

    assert reason in message
    assert message.startswith("x.json is not imported: ")


def test_tabs_and_line_ends_are_no_control_characters() -> None:
    file, _ = read_export(_file({"reason": "a\tb\nc"}), where="x.json", product_version="1.2.0")

    assert file.definitions[0].reason == "a\tb\nc"


def test_a_file_of_an_older_version_is_read_with_a_warning() -> None:
    _, warnings = read_export(_file(), where="x.json", product_version="2.0.0")

    assert warnings == ("The file was made by the older version 1.2.0, this is 2.0.0: what it means may have changed.",)


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    assert "it is larger than 256 MiB. Export fewer definitions." in _refusal(bytes(MOST_BYTES + 1))
