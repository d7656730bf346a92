"""Registries of older versions, with something in them, on SQLite and PostgreSQL."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, insert, select, text

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, upgrade_registry
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.migrations import run
from airflow_atscale_aggs.engine.registry.query_days import count_days, outcome_of, shortest_builds
from airflow_atscale_aggs.engine.registry.query_lists import QueryFilter
from airflow_atscale_aggs.engine.registry.registry import open_registry
from airflow_atscale_aggs.engine.registry.tables import VERSION_TABLE
from tests.support.registry_content import check_standings


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def before(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a registry of schema 0007 that knows one model."""
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    database = RegistryDatabase(url)
    with monkeypatch.context() as patched, database.writing() as connection:
        patched.setattr(run, "SCHEMA_VERSION", "0007")
        run.run_migrations(connection)
        connection.execute(
            text(
                "INSERT INTO atscale_aggs_models (id, catalog, name, label, deployment_id, version, deployed_at) "
                "VALUES ('m', 'c', 'sales', 'Sales', 'd', 1, '2026-01-01 00:00:00')"
            )
        )
    database.dispose()
    return url


def test_what_it_knew_it_knows_and_it_has_an_id(before: str) -> None:
    upgrade_registry(before)

    registry = open_registry(before)
    (model,) = registry.read.models.current()
    assert (model.name, model.retired_at) == ("sales", None)
    identity = registry.read.ownership.registry_id()
    assert len(identity) == 36
    registry.close()
    assert upgrade_registry(before)
    assert open_registry(before).read.ownership.registry_id() == identity


_BEFORE = Path(__file__).parents[1] / "cases" / "registry" / "0008.sql.gz"
"""A registry of schema 0008 as it was written before its modules were moved: SQL for SQLite.

The incremental star was deployed, built in full and by an increment, asked twice, and judged; a third batch was begun.
"""

_DOCUMENTS: dict[tuple[str, str], tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    ("deployments", "datasets"): (documents.decode_datasets, documents.encode_datasets),
    ("definitions", "evidence"): (documents.decode_evidence, documents.encode_evidence),
    ("batches", "notes"): (documents.decode_notes, documents.encode_notes),
    ("batches", "surroundings"): (documents.decode_surroundings, documents.encode_surroundings),
    ("batches", "sources"): (documents.decode_sources, documents.encode_sources),
    ("instances", "step"): (documents.decode_step, documents.encode_step),
    ("attempts", "verified"): (documents.decode_verification, documents.encode_verification),
    ("segments", "checksum"): (documents.decode_checksum, documents.encode_checksum),
    ("queries", "document"): (documents.decode_query, documents.encode_query),
    ("evaluations", "document"): (documents.decode_evaluation, documents.encode_evaluation),
}


@pytest.fixture
def version_before(tmp_path: Path) -> Path:
    """The file of a registry that version 0008 has written."""
    file = tmp_path / "before.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(gzip.decompress(_BEFORE.read_bytes()).decode())
    return file


def _lost_paths(stored: Any, read: Any, path: str = "") -> list[str]:
    """Paths of what a stored document says and the document that is written again does not."""
    if isinstance(stored, dict) and isinstance(read, dict):
        return [lost for key, value in stored.items() for lost in _lost_paths(value, read.get(key), f"{path}.{key}")]
    if isinstance(stored, list) and isinstance(read, list) and len(stored) == len(read):
        pairs = enumerate(zip(stored, read, strict=True))
        return [lost for number, (before, now) in pairs for lost in _lost_paths(before, now, f"{path}[{number}]")]
    return [] if stored == read else [path]


@pytest.mark.parametrize(("table", "column"), _DOCUMENTS)
def test_a_stored_document_is_read_with_every_field_that_it_has(version_before: Path, table: str, column: str) -> None:
    """A field that was renamed would be read as its default, without an error."""
    decode, encode = _DOCUMENTS[table, column]
    with closing(sqlite3.connect(version_before)) as connection:
        query = f"SELECT {column} FROM atscale_aggs_{table} WHERE {column} IS NOT NULL"
        stored = [bytes(document) for (document,) in connection.execute(query)]

    assert stored
    for document in stored:
        assert _lost_paths(json.loads(document), json.loads(encode(decode(document)))) == []


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url_before(request: pytest.FixtureRequest, version_before: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the same registry, in a file and in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{version_before}"
    url = str(request.getfixturevalue("postgres_url"))
    source, target = RegistryDatabase(f"sqlite:///{version_before}"), RegistryDatabase(url)
    with monkeypatch.context() as patched, target.writing() as connection:
        patched.setattr(run, "SCHEMA_VERSION", "0008")
        run.run_migrations(connection)
        connection.execute(text("DELETE FROM atscale_aggs_identity"))
        with source.reading() as stored:
            tables = MetaData()
            tables.reflect(stored)
            for table in tables.sorted_tables:
                rows = [row._asdict() for row in stored.execute(select(table))]
                if rows and table.name != VERSION_TABLE:
                    connection.execute(insert(table), rows)
    source.dispose()
    target.dispose()
    return url


def test_what_the_version_before_stored_is_there(url_before: str, version_before: Path) -> None:
    """The model is there, with all definitions, instances with segments, an open batch, queries and judgements."""
    url = url_before
    upgrade_registry(url)
    registry = open_registry(url)
    (model,) = registry.read.models.current()
    definitions = registry.read.definitions.of_model(model.id)

    assert read_deployed_model(registry.read, model).name == "tiny_sales"
    with closing(sqlite3.connect(version_before)) as connection:
        ids = {identity for (identity,) in connection.execute("SELECT id FROM atscale_aggs_definitions")}
    # An id is made of all that a definition means.
    assert {record.definition.id for record in definitions} == ids
    assert {record.definition.origin for record in definitions} == {
        DefinitionOrigin.USER_DEFINED,
        DefinitionOrigin.DEMAND_DEFINED,
    }
    active = registry.read.instances.serving(model.id)
    assert {instance.step.aggregate for instance in active} == {record.definition.name for record in definitions}
    assert all(instance.table and instance.rows for instance in active)
    assert any(registry.read.instances.segments(instance.id) for instance in active)
    waiting = registry.read.batches.open_of(model.id)
    assert waiting is not None
    assert waiting.status is BatchStatus.IN_PROGRESS
    steps = [
        instance
        for instance in registry.read.instances.find(batch_id=waiting.id)
        if instance.status is InstanceStatus.NEW
    ]
    assert {instance.step.aggregate for instance in steps} == {record.definition.name for record in definitions}
    assert [record.user for record in registry.read.queries.find(model.id)] == ["", "ann"]
    assert len(registry.read.evaluations.find(model.id)) == len(definitions)
    registry.close()


def test_lists_know_what_was_there_before(url_before: str) -> None:
    """What they show of definitions is what follows from all else, and instances have the names of their steps."""
    upgrade_registry(url_before)
    registry = open_registry(url_before)

    check_standings(registry)
    listed = registry.read.lists.definitions.page().rows
    assert len(listed) > 2
    assert {row.shown_status for row in listed} == {ShownStatus.ACTIVE}
    assert {row.newest_status for row in listed} == {ShownStatus.QUEUED}
    assert any(row.uses for row in listed)
    assert all(row.score is not None for row in listed)
    instances = registry.read.instances.find()
    assert {row.id: row.aggregate for row in registry.read.lists.instances.page().rows} == {
        instance.id: instance.step.aggregate for instance in instances
    }
    (model,) = registry.read.models.current()
    found = DefinitionFilter(name_contains=listed[0].label.upper())
    assert listed[0] in registry.read.lists.definitions.page(found, sort=DefinitionSort.MODEL).rows
    assert registry.read.lists.definitions.count(DefinitionFilter(model_ids=[model.id])).number == len(listed)
    registry.close()


def test_the_log_of_before_is_listed_and_counted(url_before: str) -> None:
    """As if its queries were recorded now."""
    upgrade_registry(url_before)
    registry = open_registry(url_before)
    (model,) = registry.read.models.current()
    records = registry.read.queries.find(model.id)

    listed = registry.read.lists.queries.page().rows
    assert [row.query for row in listed] == list(records)
    assert [row.outcome for row in listed] == [outcome_of(record) for record in records]
    asked_by_ann = registry.read.lists.queries.page(QueryFilter(user="ann", shape_contains="select")).rows
    assert [row.query.user for row in asked_by_ann] == ["ann"]
    (source,) = asked_by_ann[0].query.actual
    assert registry.read.lists.queries.page(QueryFilter(definition_id=source.definition_id)).rows == asked_by_ann
    with registry.database.reading() as connection:
        counted = count_days(records, shortest_builds(connection, records))
    assert sum(day.savings_known for day in counted) > 0
    assert registry.read.lists.queries.days(since=date(2000, 1, 1)) == counted
    registry.close()
