"""The registry's file belongs to whoever made it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry.connection import make_private_file
from airflow_atscale_aggs.engine.registry.registry import open_registry


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_registry_is_read_by_its_owner_only(tmp_path: Path, umask: int) -> None:
    """Also the files that SQLite puts beside it."""
    before = os.umask(umask)
    try:
        registry = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
        registry.read.models.current()
        assert {_mode(path) for path in tmp_path.iterdir()} == {0o600}
        registry.close()
    finally:
        os.umask(before)


def test_a_registry_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite"
    open_registry(f"sqlite:///{file}").close()
    file.chmod(0o660)
    open_registry(f"sqlite:///{file}").close()
    assert _mode(file) == 0o660


@pytest.mark.parametrize("database", [None, "", ":memory:", "/no/such/folder/registry.sqlite"])
def test_what_needs_no_file_makes_none(database: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_private_file(database)
    assert list(tmp_path.iterdir()) == []


def test_a_uri_names_its_file(tmp_path: Path) -> None:
    make_private_file(f"file:{tmp_path}/a%20b.sqlite?mode=rwc")
    assert _mode(tmp_path / "a b.sqlite") == 0o600


@pytest.mark.postgres
def test_libpqs_spelling_of_the_scheme_is_read(postgres_url: str) -> None:
    """Airflow writes it, too."""
    scheme, _, rest = postgres_url.partition("://")
    assert scheme.startswith("postgresql")
    open_registry(f"postgres://{rest}").close()


def test_an_option_of_the_driver_that_makes_no_sense_is_told() -> None:
    """Before there is a connection the driver has errors of other kinds."""
    with pytest.raises(RegistryUnavailableError, match="connect_timeout"):
        open_registry("postgresql+psycopg://me@127.0.0.1:1/db?connect_timeout=ten")
