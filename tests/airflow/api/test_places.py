"""Registries are opened once for each connection, and one that does not answer holds nobody up for long."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.plugins.api.places import Places

pytestmark = pytest.mark.airflow


class _Clock:
    """Goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def places(clock: _Clock) -> Iterator[Places]:
    opened = Places(clock)
    yield opened
    opened.close()


def _connect(patch: pytest.MonkeyPatch, url: str) -> None:
    connection = {"conn_type": "atscale_aggs", "extra": {"registry_url": url}}
    patch.setenv("AIRFLOW_CONN_PLACE", json.dumps(connection))


def test_a_registry_is_opened_once_until_its_connection_is_changed(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connect(monkeypatch, f"sqlite:///{tmp_path}/a.sqlite")
    first = places.registry("place")
    assert places.registry("place") is first
    _connect(monkeypatch, f"sqlite:///{tmp_path}/b.sqlite")

    second = places.registry("place")

    assert second is not first
    assert places.registry("place") is second
    assert second.database.url.database == f"{tmp_path}/b.sqlite"


def test_a_registry_that_could_not_be_opened_is_tried_again_after_a_while(
    places: Places, clock: _Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, where the connection was changed meanwhile."""
    folder = tmp_path / "later"
    _connect(monkeypatch, f"sqlite:///{folder}/r.sqlite")
    with pytest.raises(RegistryUnavailableError, match="does not exist"):
        places.registry("place")
    folder.mkdir()
    clock.now = 9.9
    with pytest.raises(RegistryUnavailableError, match="does not exist"):
        places.registry("place")
    clock.now = 10.0
    assert places.registry("place").read.models.all() == ()

    _connect(monkeypatch, f"sqlite:///{tmp_path}/nowhere/r.sqlite")
    with pytest.raises(RegistryUnavailableError):
        places.registry("place")
    _connect(monkeypatch, f"sqlite:///{folder}/r.sqlite")
    assert places.registry("place").read.models.all() == ()


def test_a_server_that_never_answers_is_not_waited_for_for_ever(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and says nothing, as a firewall may do."""
    monkeypatch.setattr("airflow_atscale_aggs.plugins.api.places._CONNECT_SECONDS", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        _connect(monkeypatch, f"postgresql+psycopg://me:secret@127.0.0.1:{silent.getsockname()[1]}/registry")
        with pytest.raises(RegistryUnavailableError) as raised:
            places.registry("place")

    assert "secret" not in str(raised.value)
