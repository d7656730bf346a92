"""Registries that the tests of this room fill by hand."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from tests.conftest import PostgresDatabase
from tests.support.registry_content import NOW, REVENUE, UNITS, check_standings, make_deployment


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, sqlite3.Connection]]:
    """A registry that is open for all tests, and what it held at first, in memory.

    It costs little, because SQLAlchemy compiles each statement once for an open database.
    """
    file = tmp_path_factory.mktemp("registry") / "registry.sqlite"
    registry = _open_with_model(f"sqlite:///{file}")
    with closing(sqlite3.connect(":memory:")) as content:
        with closing(sqlite3.connect(file)) as source:
            source.backup(content)
        yield registry, content
    registry.close()


@pytest.fixture
def unchecked_registry(shared_registry: tuple[Registry, sqlite3.Connection]) -> Registry:
    """Like `registry`, for tests that write to its tables past its writers."""
    shared, content = shared_registry
    with closing(sqlite3.connect(str(shared.database.url.database))) as target:
        content.backup(target)
    return shared


@pytest.fixture
def registry(unchecked_registry: Registry) -> Iterator[Registry]:
    """In SQLite, with the model ``shop.sales`` and the user-defined aggregates ``revenue`` and ``units``.

    After the test, what lists are told of definitions must agree with all else that was written.
    """
    yield unchecked_registry
    check_standings(unchecked_registry)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def module_registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Like `any_registry`, once for all tests of a module, which fill it once and then only read."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'registry.sqlite'}"
        else:
            database: PostgresDatabase = request.getfixturevalue("postgres_database")
            url = stack.enter_context(database(f"one_module_{os.getpid()}"))
        registry = _open_with_model(url)
        stack.callback(registry.close)
        yield registry


@pytest.fixture
def any_registry(url: str) -> Iterator[Registry]:
    """Like `registry`, in a database of either kind."""
    registry = _open_with_model(url)
    yield registry
    check_standings(registry)
    registry.close()


def _open_with_model(url: str) -> Registry:
    registry = open_registry(url)
    registry.models.record_deployments([make_deployment(REVENUE, UNITS)], now=NOW)
    return registry
