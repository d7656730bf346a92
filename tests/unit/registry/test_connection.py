"""The registry's database: its URL, its version, its transactions, and the rights on its file."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError, RegistryVersionError
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase, make_private_file, upgrade_registry
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE, settings


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


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/at/all/registry.sqlite", "the folder /nowhere/at/all does not exist"),
        ("mysql://root:hunter2@localhost/x", "a registry lives in SQLite or PostgreSQL"),
        ("nonsense", "not of the form"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "refused"),
        ("postgresql+nothing://me:hunter2@127.0.0.1:1/x", "the driver is psycopg"),
    ],
)
def test_a_registry_that_cannot_be_reached(url: str, reason: str) -> None:
    """One sentence, no password."""
    with pytest.raises(RegistryUnavailableError) as caught:
        open_registry(url)

    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database at all, and long enough to be read as the head of one" * 9)

    with pytest.raises(RegistryUnavailableError, match="file is not a database"):
        open_registry(f"sqlite:///{tmp_path / 'notes.txt'}")


@pytest.mark.parametrize(
    ("url", "name", "place"),
    [
        (
            "postgresql+psycopg://me:secret@host:5432/db?connect_timeout=5",
            "postgresql+psycopg://me:***@host:5432/db?connect_timeout=5",
            "postgresql+psycopg://host:5432/db",
        ),
        ("postgres://me:secret@host/db", "postgresql+psycopg://me:***@host/db", "postgresql+psycopg://host/db"),
        ("sqlite:////data/r.sqlite?timeout=5", "sqlite:////data/r.sqlite?timeout=5", "sqlite:////data/r.sqlite"),
        ("sqlite://", "sqlite://", "sqlite://"),
    ],
)
def test_messages_show_no_password_and_others_see_no_user(url: str, name: str, place: str, tmp_path: Path) -> None:
    """The folder of a file must be there, so that one takes the place of `/data` here."""
    database = RegistryDatabase(url.replace("/data", str(tmp_path)))

    assert database.name == name.replace("/data", str(tmp_path))
    assert database.place == place.replace("/data", str(tmp_path))


def test_others_see_the_whole_path_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert RegistryDatabase("sqlite:///r.sqlite").place == f"sqlite:///{tmp_path}/r.sqlite"


def test_an_empty_database_has_no_version_until_it_is_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"

    assert not RegistryDatabase(url).check_version()
    assert upgrade_registry(url) == SCHEMA_VERSION
    assert RegistryDatabase(url).check_version()
    assert upgrade_registry(url) == SCHEMA_VERSION


def test_another_version_is_refused_with_the_command_to_run(registry: Registry) -> None:
    """Both versions and the upgrade command are named."""
    with closing(sqlite3.connect(str(registry.database.url.database))) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")

    with pytest.raises(
        RegistryVersionError,
        match=rf"version 0000, this program needs {SCHEMA_VERSION}. "
        "Run: atscale-aggs registry upgrade --registry sqlite",
    ):
        open_registry(registry.database.name)


@pytest.mark.parametrize(
    ("version", "to_open", "to_upgrade"),
    [
        ("9999", "A newer release has upgraded it", "A newer release has upgraded it"),
        ("0012", "Run: atscale-aggs registry upgrade", "No release has that version"),
    ],
)
def test_a_version_that_is_not_known_is_refused_and_left_alone(
    registry: Registry, version: str, to_open: str, to_upgrade: str
) -> None:
    """Also by the upgrade: a registry is never taken back, and what nobody has released is not guessed."""
    with closing(sqlite3.connect(str(registry.database.url.database))) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")

    for action, advice in ((open_registry, to_open), (upgrade_registry, to_upgrade)):
        with pytest.raises(RegistryVersionError, match=f"version {version}, this program needs .*{advice}"):
            action(registry.database.name)
    with closing(sqlite3.connect(str(registry.database.url.database))) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == (version,)


def test_two_may_initialise_at_once(url: str) -> None:
    """Both get a registry."""
    opened: list[Registry] = []
    threads = [threading.Thread(target=lambda: opened.append(open_registry(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [registry.read.models.current() for registry in opened] == [(), (), (), ()]


def test_a_block_that_ends_is_committed_and_one_that_breaks_is_rolled_back(registry: Registry) -> None:
    database = registry.database
    with database.writing() as connection:
        connection.execute(insert(settings).values(scope="", key="a", value="1"))
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        connection.execute(insert(settings).values(scope="", key="b", value="2"))
        raise ZeroDivisionError

    with database.reading() as connection:
        assert connection.scalars(select(settings.c.key)).all() == ["a"]


def test_a_broken_constraint_is_for_the_caller(registry: Registry) -> None:
    """It is no failure of the database, and nothing of the transaction stays."""
    rows = [{"scope": "", "key": key, "value": "1"} for key in ("a", "b", "a")]
    with pytest.raises(IntegrityError), registry.database.writing() as connection:
        connection.execute(insert(settings), rows)

    assert registry.read.settings.values(None) == {}


def test_readers_see_what_is_committed_while_others_write(registry: Registry) -> None:
    registry.settings.put(None, "a", "1")
    with registry.database.writing() as connection:
        connection.execute(insert(settings).values(scope="", key="b", value="2"))

        assert registry.read.settings.values(None) == {"a": "1"}
    assert registry.read.settings.values(None) == {"a": "1", "b": "2"}


def test_a_writer_waits_for_a_lock_as_long_as_it_is_told_to(registry: Registry) -> None:
    """Then it gives up; later transactions on the same connection wait as long as before."""
    other = RegistryDatabase(registry.database.name)
    with (
        registry.database.writing(),
        pytest.raises(RegistryUnavailableError, match="database is locked"),
        other.writing(patience=timedelta(0)),
    ):
        pass

    with other.writing(patience=timedelta(milliseconds=5)) as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5
    with other.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    other.dispose()


def test_a_pool_with_a_size_holds_no_more_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait for each other; one that waits too long is told."""
    opened = open_registry(url, pool_size=2)
    database = opened.database
    held: list[int] = []

    def read() -> None:
        with database.reading():
            held.append(database.engine.pool.checkedout())  # type: ignore[attr-defined]

    monkeypatch.setattr(database.engine.pool, "_timeout", 30)
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 8
    assert max(held) <= 2
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.05)
    with (
        database.reading(),
        database.reading(),
        pytest.raises(RegistryUnavailableError, match="connections that this process may hold are in use"),
        database.reading(),
    ):
        pass
    opened.close()


def test_a_registry_in_memory_needs_no_pool() -> None:
    assert RegistryDatabase("sqlite://", pool_size=2).check_version() is False


@pytest.mark.parametrize("leaves_log", [True, False])
def test_a_log_is_left_for_the_next_process_only_where_one_is_told_of(tmp_path: Path, leaves_log: bool) -> None:
    """Who comes next finds everything either way, and leaves no log when it closes the file as usual."""
    file = tmp_path / "registry.sqlite"
    log = Path(f"{file}-wal")
    open_registry(f"sqlite:///{file}").close()
    for number in range(3):
        registry = open_registry(f"sqlite:///{file}")
        registry.settings.put(None, f"key {number}", "value")
        registry.database.leaves_log = leaves_log
        registry.close()
        assert log.exists() is leaves_log

    registry = open_registry(f"sqlite:///{file}")
    assert sorted(registry.read.settings.values(None)) == ["key 0", "key 1", "key 2"]
    registry.close()
    assert not log.exists()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute(f"SELECT COUNT(*) FROM {settings.name}").fetchall() == [(3,)]


def test_a_log_that_is_left_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what a task has said to be done is done after the machine lost its power."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    file = tmp_path / "registry.sqlite"
    registry = open_registry(f"sqlite:///{file}")
    registry.database.leaves_log = True
    registry.close()

    assert synced == [f"{file}-wal"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{folder}/gone.sqlite"])
def test_a_registry_whose_file_is_not_there_is_closed_as_usual(tmp_path: Path, url: str) -> None:
    registry = open_registry(url.format(folder=tmp_path))
    (tmp_path / "gone.sqlite").unlink(missing_ok=True)
    registry.database.leaves_log = True

    registry.close()

    assert list(tmp_path.glob("gone.sqlite")) == []
