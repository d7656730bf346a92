"""A real Airflow on this machine: its processes, its REST API. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

_TRIES, _SERVER_ERROR = 5, 500
_START_SECONDS = 120


class AirflowFailedError(Exception):
    """Something about the local Airflow went wrong; the message says where to look."""


class LocalAirflow:
    """Scheduler, dag processor, triggerer and API server as processes, with a home of their own.

    Args:
        home: AIRFLOW_HOME; made when missing, kept afterwards.
        dags_folder: where the DAG files are.
        environment: further variables, such as ``AIRFLOW_CONN_…``.
        database: SQLAlchemy URL of the metadata database; None: SQLite in the home.
        password: of the user ``admin``, who has to sign in; None: everybody who reaches it is an administrator.
    """

    processes: tuple[str, ...] = ("scheduler", "dag-processor", "triggerer", "api-server")

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        database: str | None = None,
        password: str | None = None,
    ) -> None:
        self.home, self.port, self.password = home, free_port(), password
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""
        self._environment = self._variables(dags_folder, database) | dict(environment or {})

    @property
    def url(self) -> str:
        """Where UI and REST API are: on this machine only."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What signs a request in."""
        return {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}

    def start(self) -> None:
        """Make the metadata database and start all processes.

        Returns when the API answers and the scheduler is healthy.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            self._command("db", "migrate"), env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AirflowFailedError(f"airflow db migrate failed:\n{done.stdout}\n{done.stderr}")
        if self.password is not None:
            passwords = self.home / "simple_auth_manager_passwords.json.generated"
            passwords.write_text(json.dumps({"admin": self.password}) + "\n")
        for name in self.processes:
            self.start_process(name)
        self.wait_for(self._is_healthy, "Airflow to be healthy", _START_SECONDS)

    def start_process(self, name: str) -> None:
        """Start one of scheduler, dag-processor, triggerer, api-server; its output goes to a log in the home."""
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self.command(name), env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def command(self, name: str) -> list[str]:
        """The command line of a process."""
        if name == "api-server":
            return self._command(name, "--host", "127.0.0.1", "--port", str(self.port))
        # Logs are read from the disk; their servers would listen on all addresses of the machine.
        return self._command(name, *(("--skip-serve-logs",) if name in {"scheduler", "triggerer"} else ()))

    def stop_process(self, name: str, how: int = signal.SIGTERM) -> None:
        """Stop one process and its children."""
        process = self._running.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def process_names(self) -> tuple[str, ...]:
        """The processes that run, or should."""
        return tuple(self._running)

    def pid(self, name: str) -> int:
        """The process id of one of them."""
        return self._running[name].pid

    def stop(self) -> None:
        """Stop everything."""
        for name in list(self._running):
            self.stop_process(name)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """A REST call below ``/api/v2``; the decoded answer. A server's error is tried again: SQLite has one writer.

        Raises:
            AirflowFailedError: the API answered with an error.
        """
        for tries_left in reversed(range(_TRIES)):
            request = urllib.request.Request(
                f"{self.url}/api/v2/{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers=self.headers,
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    text = answer.read()
                break
            except urllib.error.HTTPError as error:
                message = f"{method} {path} answered {error.code}: {error.read().decode(errors='replace')[:500]}"
                if error.code < _SERVER_ERROR or not tries_left:
                    raise AirflowFailedError(message) from error
            time.sleep(1)
        return json.loads(text) if text else None

    def page(self, url: str) -> str:
        """A page of this Airflow, as a signed-in user sees it."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())

    def wait_for(self, is_so: Callable[[], Any], what: str, seconds: float, pause: float = 0.5) -> Any:
        """Ask until the answer is true; the answer.

        Raises:
            AirflowFailedError: not within the time, or a process of Airflow ended.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, process in self._running.items():
                if process.poll() is not None:
                    log = self.home / f"{name}.log"
                    raise AirflowFailedError(f"airflow {name} ended; see {log}:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                answer = is_so()
                if answer:
                    return answer
            time.sleep(pause)
        raise AirflowFailedError(f"waited {seconds:.0f} s for {what}; the logs are in {self.home}")

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None) -> str:
        """Unpause a DAG and start a run; the run's id."""
        self.wait_for(lambda: self._has_dag(dag_id), f"DAG {dag_id} to be parsed", _START_SECONDS)
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
        run = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's schedule act."""
        self.wait_for(lambda: self._has_dag(dag_id), f"DAG {dag_id} to be parsed", _START_SECONDS)
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """All task instances of a run."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000"
        return list(self.call("GET", path)["task_instances"])

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _variables(self, dags_folder: Path, database: str | None) -> dict[str, str]:
        core = {
            "CORE__DAGS_FOLDER": str(dags_folder),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(self.password is None),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__INTERNAL_API_SECRET_KEY": secrets.token_hex(32),
            "API__SECRET_KEY": secrets.token_hex(32),
            "API__WORKERS": "1",
            "API__BASE_URL": self.url,
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            **self._database(database),
            # The scheduler's idle second is most of the time between two short tasks.
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "LOGGING__LOGGING_LEVEL": "INFO",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        return {
            **inherited,
            "AIRFLOW_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
            **{f"AIRFLOW__{name}": value for name, value in core.items()},
        }

    def _database(self, url: str | None) -> dict[str, str]:
        """The metadata database.

        SQLite in the home, or PostgreSQL by a psycopg URL, which serves both ways of access.
        """
        if url is None:
            return {"DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}"}
        return {"DATABASE__SQL_ALCHEMY_CONN": url, "DATABASE__SQL_ALCHEMY_CONN_ASYNC": url}

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    def _is_healthy(self) -> bool:
        if not self._token:
            credentials = {"username": "admin", "password": self.password}
            request = urllib.request.Request(
                f"{self.url}/auth/token",
                data=None if self.password is None else json.dumps(credentials).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=5) as answer:
                self._token = json.loads(answer.read())["access_token"]
        health = self.call("GET", "monitor/health")
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))

    def _has_dag(self, dag_id: str) -> bool:
        errors = self.call("GET", "importErrors")["import_errors"]
        if errors:
            raise AirflowFailedError(f"a DAG file cannot be imported: {errors[0]['stack_trace']}")
        return any(dag["dag_id"] == dag_id for dag in self.call("GET", "dags?limit=100")["dags"])


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def terminated_by_signals() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that the processes are stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
