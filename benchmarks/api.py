"""Measures the lists of the REST API over a large registry on PostgreSQL: one server process, requests over HTTP.

    python benchmarks/api.py [--definitions 10000] [--instances 100000] [--queries 1000000] [--requests 60]
    python benchmarks/api.py --registry postgresql+psycopg://user@host/database      # one that registry_seed.py filled

Each line is one request, asked by one client that keeps its connection: half of the answers came within p50, 19 of 20
within p95. `empty` is an endpoint that looks who is signed in and answers nothing; it is asked by turns with each other
one, and whatever takes longer is ours. Then eight clients ask for all of it at once, while the connections to the
registry are counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from registry_seed import Sizes, seed
from transfer import server_from_wheel

_CONNECTION = "large"
_CLIENTS = 8
_PREFIX = "/atscale_aggs"
_LIST = f"/api/connections/{_CONNECTION}"
_DEEP_PAGES = 20
_SORTS = {
    "definitions": (
        "name", "model", "status", "uses", "last_used_at", "rows", "size", "saved", "built_at", "seconds", "score",
        "created_at",
    ),
    "instances": ("started_at", "rows", "seconds", "aggregate"),
}  # fmt: skip
_FILTERS: dict[str, tuple[dict[str, Any], ...]] = {
    "definitions": ({"search": "calendar_year"}, {"search": "nothing of this name"}, {"status": "failed"},
                    {"origin": "demand_defined", "never_used": True}),
    "instances": ({"table": "00017"}, {"table": "nothing"}, {"status": "failed"}),
    "batches": ({"status": "failed"},),
    "queries": ({"outcome": "miss"}, {"outcome": "fallback"}, {"search": "Calendar Year"}, {"search": "nothing"},
                {"user": "user7@example.org"}),
}  # fmt: skip


def _answer_nothing() -> dict[str, str]:
    return {}


def serve(folder: Path, port: int) -> None:
    """Serve the application alone, over a metadata database of its own, until the process is ended."""
    import uvicorn
    from airflow.api_fastapi.app import get_auth_manager, init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.utils.db import initdb
    from fastapi import Depends, FastAPI

    from airflow_atscale_aggs.plugins.api.access import visitor_of
    from airflow_atscale_aggs.plugins.api.application import make_application

    initdb()
    application = make_application()
    application.add_api_route("/api/empty", _answer_nothing, dependencies=[Depends(visitor_of)])
    app = FastAPI()
    app.mount(_PREFIX, application)
    init_auth_manager(app)
    user = SimpleAuthManagerUser(username="admin", role="ADMIN")
    (folder / "token").write_text(str(get_auth_manager().generate_jwt(user)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


@contextlib.contextmanager
def running_server(folder: Path, registry: str) -> Iterator[httpx.Client]:
    """A client, signed in, of a server process that ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    extra = {"registry_url": registry, "warehouse_url": f"duckdb:///{folder}/none.duckdb", "aggregate_schema": "aggs"}
    (folder / "dags").mkdir()
    variables = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:ADMIN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        f"AIRFLOW_CONN_{_CONNECTION.upper()}": json.dumps({"conn_type": "atscale_aggs", "extra": extra}),
        "_AIRFLOW_PROCESS_CONTEXT": "server",
    }
    command = [sys.executable, __file__, "--serve", str(folder), str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}{_PREFIX}"
        token = _wait_for_token(folder, process, port)
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=120) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_token(folder: Path, process: subprocess.Popen[bytes], port: int) -> str:
    for _ in range(600):
        assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return (folder / "token").read_text()
        time.sleep(0.5)
    raise TimeoutError((folder / "server.log").read_text()[-3000:])


Asked = tuple[str, str, dict[str, Any]]
"""What is printed, the path, the parameters."""


def requests_of(client: httpx.Client) -> Iterator[Asked]:
    """All that is measured."""
    yield "empty", "/api/empty", {}
    yield "models", "/api/models", {}
    for name in ("definitions", "instances", "batches", "queries"):
        path = f"{_LIST}/{name}"
        yield f"{name}, first page", path, {}
        deep = _deep_cursor(client, path)
        yield f"{name}, after {_DEEP_PAGES * 200:,} rows", path, {"cursor": deep} if deep else {}
        for sort in _SORTS.get(name, ()):
            for descending in (False, True):
                label = f"{name} by {sort}{' downwards' if descending else ''}"
                yield label, path, {"sort": sort, "descending": descending}
        for options in _FILTERS[name]:
            yield f"{name}, {', '.join(f'{key}={value}' for key, value in options.items())}", path, options
        if name != "queries":
            yield f"{name}, counted", path, {"count": True}
    model = client.get("/api/models").json()["models"][0]["name"]
    for part in ("overview", "lattice"):
        yield f"{part} of a model", f"{_LIST}/models/{model}/{part}", {}


def _deep_cursor(client: httpx.Client, path: str) -> str | None:
    cursor = None
    for _ in range(_DEEP_PAGES):
        answer = client.get(path, params={"limit": 200} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        cursor = answer.json()["next_cursor"] or cursor
    return cursor


def _seconds(client: httpx.Client, asked: Asked) -> float:
    _, path, options = asked
    begun = time.perf_counter()
    answer = client.get(path, params=options)
    seconds = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    return seconds


def _percentile(seconds: list[float], percent: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000


def measure(client: httpx.Client, number: int) -> list[Asked]:
    """Print a line for each request; return them."""
    every = list(requests_of(client))
    print(f"{'request':<56} {'p50 ms':>8} {'p95 ms':>8}  {'empty p50':>9} {'p95':>6}")
    for asked in every:
        for _ in range(3):
            _seconds(client, asked)
        seconds, empty = [], []
        for _ in range(number):
            # By turns, so that other work on the machine slows both.
            seconds.append(_seconds(client, asked))
            empty.append(_seconds(client, every[0]))
        print(
            f"{asked[0]:<56} {_percentile(seconds, 50):>8.1f} {_percentile(seconds, 95):>8.1f}  "
            f"{_percentile(empty, 50):>9.1f} {_percentile(empty, 95):>6.1f}",
            flush=True,
        )
    return every


def measure_together(client: httpx.Client, every: list[Asked], registry: str, most_seconds: float) -> None:
    """Eight clients at once, and the most connections that the server had to the registry."""
    from airflow_atscale_aggs.plugins.api.bounds import configured_bound

    ended = threading.Event()
    taken: list[float] = []
    most = 0

    def ask(seed_number: int) -> None:
        rng = random.Random(seed_number)
        with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=120) as own:
            while not ended.is_set():
                taken.append(_seconds(own, rng.choice(every)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(_CLIENTS)]
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    plain = urlsplit(registry)._replace(scheme="postgresql").geturl()
    with psycopg.connect(plain, autocommit=True) as connection:
        for thread in threads:
            thread.start()
        end = time.monotonic() + most_seconds
        while time.monotonic() < end:
            row = connection.execute(sql).fetchone()
            most = max(most, int(row[0]) if row else 0)
            time.sleep(0.02)
        ended.set()
        for thread in threads:
            thread.join()
    pool = configured_bound("registry_connections", 8)
    print(
        f"{_CLIENTS} clients at once: {len(taken) / most_seconds:.0f} requests/s, p50 {_percentile(taken, 50):.0f} ms, "
        f"p95 {_percentile(taken, 95):.0f} ms; at most {most} connections to the registry, whose pool has {pool}"
    )


@contextlib.contextmanager
def _seeded(sizes: Sizes) -> Iterator[str]:
    with server_from_wheel() as server:
        url = urlsplit(server)
        with psycopg.connect(url._replace(scheme="postgresql").geturl(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE api_benchmark")
        registry = url._replace(scheme="postgresql+psycopg", path="/api_benchmark").geturl()
        seed(registry, sizes)
        with psycopg.connect(url._replace(scheme="postgresql", path="/api_benchmark").geturl(), autocommit=True) as own:
            own.execute("VACUUM ANALYZE")
        yield registry


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = Sizes()
    for name in ("definitions", "instances", "queries"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20, help="for which eight clients ask at once")
    parser.add_argument("--registry", help="a registry that is filled already; none: one is made")
    asked = parser.parse_args()
    sizes = Sizes(definitions=asked.definitions, instances=asked.instances, queries=asked.queries)
    with contextlib.ExitStack() as stack:
        registry = asked.registry or stack.enter_context(_seeded(sizes))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = stack.enter_context(running_server(folder, registry))
        every = measure(client, asked.requests)
        measure_together(client, every, registry, asked.seconds)


if __name__ == "__main__":
    main()
