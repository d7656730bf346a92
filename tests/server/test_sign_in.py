"""Who is let in: passwords, models of users, TLS."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.frames import SSL_REQUEST, startup_packet
from airflow_atscale_aggs.server.listener import Listener, ListenOptions
from airflow_atscale_aggs.server.passwords import Verifier, make_verifier, verifier_of_nobody
from airflow_atscale_aggs.server.serve import ServerOptions, ServerRefusedError
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star

_PASSWORD = "pässword, 1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate that nobody has signed, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    files = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def signed(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, certificate: tuple[str, str]
) -> Iterator[Served]:
    """A server with two models, and users of whom one sees one of them."""
    folder = tmp_path_factory.mktemp("signed")
    registry, warehouse = f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        other = tiny_star.write_model(folder / "other")
        model = next(other.rglob("*model*.yml"))
        model.write_text(model.read_text().replace("unique_name: tiny_sales", "unique_name: hidden_sales"))
        deploy(workspace, other, now=utc_now())
        visible = workspace.read.models.get("tiny_sales").id
        verifier = make_verifier(_PASSWORD).encode()
        workspace.registry.users.put("ann", verifier, None, now=utc_now())
        workspace.registry.users.put("bob", verifier, [visible], now=utc_now())
        options = ServerOptions(port=0, certificate=certificate[0], key=certificate[1])
        with running(workspace, postgres_server, options) as started:
            yield started


def _connect(served: Served, user: str, password: str = _PASSWORD, sslmode: str = "prefer") -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=served.host, port=served.port, dbname="tiny", user=user, password=password, sslmode=sslmode
    )


@pytest.mark.parametrize("sslmode", ["require", "disable"])
def test_a_user_signs_in_with_and_without_tls(signed: Served, sslmode: str) -> None:
    with _connect(signed, "ann", sslmode=sslmode) as connection:
        assert connection.pgconn.ssl_in_use is (sslmode == "require")
        assert connection.execute('SELECT COUNT(*) FROM (SELECT "City" FROM tiny_sales) AS t').fetchone()


def test_what_stands_behind_the_request_for_tls_is_not_taken_as_encrypted(signed: Served) -> None:
    """Somebody between client and server could have put it there."""
    request, startup = struct.pack("!II", 8, SSL_REQUEST), startup_packet({"user": "ann", "database": "tiny"}).encode()
    with socket.create_connection((signed.host, signed.port), timeout=30) as client:
        client.sendall(request + startup)
        told = b"".join(iter(lambda: client.recv(4096), b""))

    assert b"received unencrypted data after SSL request" in told


@pytest.mark.parametrize(
    ("user", "password"), [("ann", "guessed"), ("nobody", _PASSWORD), ("ann", ""), ("", _PASSWORD)]
)
def test_who_proves_no_password_is_refused_in_the_same_words(signed: Served, user: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        _connect(signed, user, password)

    assert "password authentication failed" in str(caught.value) or "no password supplied" in str(caught.value)


def test_a_registry_that_is_away_is_told_without_its_address() -> None:
    async def catalog_of(*_: object) -> None:
        return None

    async def user_of(_: str) -> None:
        raise RegistryUnavailableError("postgresql://secret.example/registry", "connection refused")

    async def told() -> str:
        server = await Listener(catalog_of, user_of, ListenOptions(without_password=False)).serve("127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        with pytest.raises(psycopg.OperationalError) as caught:
            await psycopg.AsyncConnection.connect(f"host={host} port={port} user=ann password=x dbname=tiny")
        server.close()
        return str(caught.value)

    said = asyncio.run(told())

    assert "the registry does not answer" in said
    assert "secret.example" not in said


def test_a_model_that_a_user_does_not_see_is_not_answered(signed: Served) -> None:
    hidden = 'SELECT SUM("Amount") FROM hidden_sales'
    with _connect(signed, "bob") as connection:
        assert connection.execute('SELECT SUM("Amount") FROM tiny_sales').fetchone()
        for statement in (hidden, f"CREATE TEMP TABLE t AS {hidden}"):
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement)
            assert caught.value.sqlstate in {"42P01", "0A000"}
            connection.rollback()
    with _connect(signed, "ann") as connection:
        assert connection.execute(hidden).fetchone()


def test_a_deployment_is_seen_by_later_connections_and_disturbs_no_transaction(signed: Served, tmp_path: Path) -> None:
    """While a client holds the old tables they stay; afterwards the new ones are there."""
    folder = tiny_star.write_model(tmp_path / "third")
    model = next(folder.rglob("*model*.yml"))
    model.write_text(model.read_text().replace("unique_name: tiny_sales", "unique_name: third_sales"))
    with _connect(signed, "ann") as holding:
        holding.execute("LOCK TABLE tiny_sales IN ACCESS SHARE MODE")
        deploy(signed.workspace, folder, now=utc_now())
        time.sleep(2.1)
        with _connect(signed, "ann") as early:
            assert early.execute('SELECT SUM("Amount") FROM tiny_sales').fetchone()
        holding.rollback()
        assert holding.execute('SELECT SUM("Amount") FROM tiny_sales').fetchone()
    time.sleep(2.1)
    with _connect(signed, "ann") as late:
        assert late.execute('SELECT SUM("Amount") FROM third_sales').fetchone()


def test_a_verifier_is_read_as_it_was_written() -> None:
    verifier = make_verifier(_PASSWORD)

    assert Verifier.decode(verifier.encode()) == verifier
    assert verifier.salt != make_verifier(_PASSWORD).salt
    assert verifier_of_nobody("x").salt == verifier_of_nobody("x").salt != verifier_of_nobody("y").salt


def test_postgresql_takes_a_verifier_as_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE verified PASSWORD '{make_verifier(_PASSWORD).encode()}'")
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'verified'").fetchone()
        connection.execute("DROP ROLE verified")

    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$4096:")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (ServerOptions(host="0.0.0.0", without_password=True), "everybody who reaches it"),
        (ServerOptions(host="0.0.0.0"), "need TLS"),
        (ServerOptions(certificate="nowhere.pem"), "cannot be read"),
    ],
)
def test_a_server_that_would_give_models_away_is_refused(options: ServerOptions, match: str) -> None:
    with pytest.raises(ServerRefusedError, match=match):
        options.listen_options()


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    connection = ["--registry", f"sqlite:///{tmp_path}/r.sqlite", "--warehouse", f"duckdb:///{tmp_path}/w.duckdb"]

    def run(*arguments: str, given: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "airflow_atscale_aggs.cli.main", *arguments, *connection],
            input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    assert run("user", "add", "ann", "--password-stdin", given=f"{_PASSWORD}\n")[0] == 0
    assert run("user", "add", "bob", "--password-stdin", given="\n")[0] == 1
    assert run("user", "add", "x" * 64, "--password-stdin", given="a\n")[0] == 1
    assert run("user", "add", "eve", "--model", "nothing", "--password-stdin", given="a\n")[0] == 1
    assert '"name": "ann"' in run("user", "list", "--json")[1]
    assert _PASSWORD not in (tmp_path / "r.sqlite").read_bytes().decode(errors="ignore")
    assert run("user", "remove", "ann")[0] == 0
    assert run("user", "remove", "ann")[0] == 1
