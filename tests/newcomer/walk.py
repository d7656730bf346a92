"""`make walk`: the pages for newcomers, followed to the letter in an empty Debian root.

The tutorial, the commands of README, and the installation into an Airflow with a PostgreSQL of its own. What a page
shows is compared with what its commands print, as the tests of the pages do. What those leave out, the walk does: it
installs from the registries, starts the Airflow of the tutorial, and clicks there by its REST API. Each stumble is
told; those that were mended are listed in `docs/usability.md`.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from airflow_processes import AirflowFailedError, LocalAirflow, terminated_by_signals

from tests.newcomer.empty_root import SUITE, EmptyRoot, RootShell, reason_not_here
from tests.support.docs.alike import is_alike
from tests.support.docs.commands import Outcome
from tests.support.docs.pages import ROOT, blocks_of
from tests.support.docs.steps import Step, steps_of

_TUTORIAL, _README, _INSTALLING = ROOT / "docs" / "tutorial.md", ROOT / "README.md", ROOT / "docs" / "installing.md"
_CHECKOUT = "/root/airflow-atscale-aggs"
_AIRFLOW_PORT, _POSTGRES_PORT = 8080, 5432
_GREEN_SECONDS = 300
_PASSWORD = "s3cr/et@1"
_SHOWN = 4000
_OURS = re.compile(r"pip install 'airflow-atscale-aggs\[")
_BEFORE_RELEASE = re.compile(r"`(pip install '/path/to/checkout\[[^`]+)`")
_OF_DEBIAN = re.compile(r"`(apt update && apt install [^`]+)`")
_STAR = """\
CREATE TABLE stores AS SELECT i AS store_id, 'Store ' || i AS store_name, 'City ' || i % 5 AS city
FROM generate_series(1, 40) AS t(i);
CREATE TABLE products AS SELECT i AS product_id, 'Product ' || i AS product_name, 'Category ' || i % 4 AS category
FROM generate_series(1, 200) AS t(i);
CREATE TABLE sales AS SELECT DATE '2024-01-01' + i % 731 AS sold_on, 1 + i % 40 AS store_id, 1 + i % 200 AS product_id,
1 + i % 3 AS quantity, CAST((1 + i % 3) * (2 + i % 7) AS numeric(9, 2)) AS amount
FROM generate_series(0, 199999) AS t(i);
"""
"""What somebody has in PostgreSQL before he reads how to install this."""


@dataclass(slots=True)
class _Walk:
    """What was typed, and what went wrong.

    Attributes:
        stumbles: what differed from a page or failed, each with what was seen.
    """

    root: EmptyRoot
    stumbles: list[str] = field(default_factory=list)

    def type(self, shell: RootShell, typed: str, step: Step | None = None) -> str:
        """Type a command; what it printed. Without a step of a page it only has to succeed."""
        started = time.monotonic()
        outcome = shell.run(typed)
        is_good = outcome.code == 0 if step is None else _is_as_said(step, outcome)
        self.tell(f"{time.monotonic() - started:6.1f} s  {'ok  ' if is_good else 'STUMBLE'}  $ {typed.splitlines()[0]}")
        if not is_good:
            said = "" if step is None else f"{step.block} says\n{step.output}"
            printed = outcome.output[-_SHOWN:]
            self.stumble(f"$ {typed}\n{said}it printed, with the exit code {outcome.code}\n{printed}")
        return outcome.output

    def save(self, shell: RootShell, name: str, text: str) -> None:
        """Save a file in the folder of a terminal."""
        path = self.root.path(name if name.startswith("/") else f"{shell.folder}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def stumble(self, what: str) -> None:
        """Note a stumble."""
        self.stumbles.append(what)

    @staticmethod
    def tell(line: str) -> None:
        """Say how far it is."""
        print(line, flush=True)


def _is_as_said(step: Step, outcome: Outcome) -> bool:
    is_shown = not step.reason_not_run or step.output
    is_so = not is_shown or is_alike(step.output, outcome.output, numbers_vary=step.numbers_vary)
    return outcome.code == step.code and is_so


class _StandaloneAirflow(LocalAirflow):
    """The Airflow that a page starts by `airflow standalone`, used by its REST API as its reader uses the browser."""

    processes = ("standalone",)

    def __init__(self, shell: RootShell, home: str) -> None:
        super().__init__(shell.root.path(home), Path())
        self.port, self._shell = _AIRFLOW_PORT, shell

    def command(self, name: str) -> list[str]:
        """What is typed in the root."""
        return self._shell.root.command(self._shell.typed(f"exec airflow {name}"))

    def start(self) -> None:
        """Start it, and sign in with the password that it has made."""
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        self.start_process("standalone")
        self.wait_for(passwords.exists, "Airflow to make a password", 120)
        self.password = json.loads(passwords.read_text(encoding="utf-8"))["admin"]
        self.wait_for(self._is_healthy, "Airflow to be healthy", 180)

    def go_green(self, batch: str, load: str = "") -> int:
        """Start a batch DAG, or the DAG whose load starts it; how many aggregates were built when it is green.

        Raises:
            AirflowFailedError: it failed, or took too long.
        """
        self.unpause(batch)
        self.trigger(load or batch)
        run = self.wait_for(lambda: self._ended_run(batch), f"a green run of {batch}", _GREEN_SECONDS)
        return sum(task["task_id"] == "build" for task in self.task_instances(batch, str(run)))

    def _ended_run(self, dag: str) -> str | None:
        runs = self.call("GET", f"dags/{dag}/dagRuns?limit=1")["dag_runs"]
        if runs and runs[0]["state"] == "failed":
            raise AirflowFailedError(f"the run of {dag} failed; logs are in {self.home}")
        return str(runs[0]["dag_run_id"]) if runs and runs[0]["state"] == "success" else None


def _use_airflow(walk: _Walk, shell: RootShell, home: str, batch: str, load: str = "") -> None:
    started = time.monotonic()
    try:
        with _StandaloneAirflow(shell, home) as airflow:
            count = airflow.go_green(batch, load)
    except AirflowFailedError as error:
        walk.stumble(f"$ airflow standalone\n{error}")
        walk.tell(f"{time.monotonic() - started:6.1f} s  STUMBLE  $ airflow standalone")
    else:
        walk.tell(
            f"{time.monotonic() - started:6.1f} s  ok    $ airflow standalone: {batch} is green, {count} aggregates"
        )


def _follow_tutorial(walk: _Walk) -> None:
    """From nothing to the batch in Airflow. The last section, one's own warehouse, is what `installing.md` tells."""
    text = _TUTORIAL.read_text(encoding="utf-8")
    shell = RootShell(walk.root, "/root/shops")
    _follow_one(walk, shell, _OF_DEBIAN, text)
    for step in steps_of(_TUTORIAL):
        if step.file:
            walk.save(shell, step.file, step.block.text)
        elif step.reason_not_run == "warehouse":
            continue
        elif _OURS.match(step.command):
            _follow_one(walk, shell, _BEFORE_RELEASE, text)
        elif step.command == "airflow standalone":
            _use_airflow(walk, shell, "/root/shops/airflow", "batch_build_shops", "load_shops")
        else:
            walk.type(shell, step.command, step)


def _follow_one(walk: _Walk, shell: RootShell, pattern: re.Pattern[str], text: str) -> None:
    """Type a command that stands within a sentence of a page."""
    found = pattern.search(text)
    if found is None:
        walk.stumble(f"no page says: {pattern.pattern}")
    else:
        walk.type(shell, found.group(1).replace("/path/to/checkout", _CHECKOUT))


def _follow_readme(walk: _Walk) -> None:
    shell = RootShell(walk.root, _CHECKOUT)
    for step in steps_of(_README):
        walk.type(shell, step.command, step)


def _follow_installing(walk: _Walk) -> None:
    """Into an Airflow that was there before, with registry and warehouse on a PostgreSQL server called `db`."""
    shell = RootShell(walk.root, "/root/company")
    pinned = re.findall(r"^apache-airflow==\S+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    walk.type(shell, "python3 -m venv venv && . venv/bin/activate")
    walk.type(shell, f"pip install {pinned[0]} --constraint {_CHECKOUT}/constraints.txt")
    walk.type(
        shell, "export AIRFLOW__CORE__LOAD_EXAMPLES=False; apt update && apt install --no-install-recommends postgresql"
    )
    # The shell stays: the server changes its user, and would outlive who has started it.
    serve = walk.root.command("pg_ctlcluster 15 main start --foreground; true")
    server = subprocess.Popen(serve, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        walk.type(shell, "until pg_isready -q; do sleep 0.2; done; echo 127.0.0.1 db >> /etc/hosts")
        _administer(walk, shell, "CREATE DATABASE shop", "postgres")
        _administer(walk, shell, _STAR, "shop")
        printed = _follow_blocks_of_installing(walk, shell)
        _use_airflow(walk, shell, "/root/airflow", "batch_build_shop")
        query = next((line.strip() for line in printed if line.strip().startswith("atscale-aggs query ")), "false")
        if "from aggregate" not in walk.type(shell, query):
            walk.stumble(f"$ {query}\nwas not answered from an aggregate")
        walk.type(shell, 'atscale-aggs registry upgrade --registry "$ATSCALE_AGGS_REGISTRY"')
    finally:
        # `unshare` takes no other signal while it waits; what it has started ends with it.
        server.kill()
        server.wait()


def _follow_blocks_of_installing(walk: _Walk, shell: RootShell) -> list[str]:
    """Its commands, its statements and its DAG file, from top to bottom; the lines that its commands have printed."""
    databases = iter(("postgres", "shop"))
    steps = list(steps_of(_INSTALLING))
    printed: list[str] = []
    for block in blocks_of(_INSTALLING):
        if block.language == "sql":
            _administer(walk, shell, _filled(block.text), next(databases))
        elif block.language == "python":
            folder = walk.type(shell, "airflow config get-value core dags_folder").split()[-1]
            walk.save(shell, f"{folder}/shop.py", block.text)
        for step in steps:
            if step.block == block and "raw.githubusercontent" not in step.command:
                printed += walk.type(shell, _filled(step.command), step).splitlines()
    return printed


def _administer(walk: _Walk, shell: RootShell, statements: str, database: str) -> None:
    """What the administrator of the server does."""
    walk.save(shell, "/tmp/statements.sql", statements)
    walk.type(shell, f"cd /tmp; su postgres -c 'psql -q -v ON_ERROR_STOP=1 -f /tmp/statements.sql {database}'; cd -")


def _filled(text: str) -> str:
    """A text of the page with what its reader puts into it."""
    return (
        text.replace("'…'", f"'{_PASSWORD}'").replace('"…"', f'"{_PASSWORD}"').replace("/path/to/checkout", _CHECKOUT)
    )


def main() -> int:
    """Walk; the exit code."""
    taken = [str(port) for port in (_AIRFLOW_PORT, _POSTGRES_PORT) if _is_taken(port)]
    reason = reason_not_here() or (f"something listens on port {' and '.join(taken)}" if taken else "")
    if reason:
        print(f"Nothing was walked: {reason}. It needs root, mmdebstrap, a mirror of Debian and both ports.")
        return 1
    started = time.monotonic()
    print(f"Making an empty Debian ({SUITE}) ...", flush=True)
    walk = _Walk(EmptyRoot.make(ROOT / ".cache" / "walk" / "root"))
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(walk.root.path(_CHECKOUT))], check=True)
    for follow in (_follow_tutorial, _follow_readme, _follow_installing):
        walk.tell(f"{follow.__name__.rpartition('_')[2]}:")
        follow(walk)
    for number, stumble in enumerate(walk.stumbles, 1):
        print(f"\nStumble {number}\n{stumble}")
    print(f"{len(walk.stumbles)} stumbles in {time.monotonic() - started:.0f} s.")
    if walk.stumbles:
        print(f"The root stays to look at: {walk.root.folder}")
        return 1
    shutil.rmtree(walk.root.folder)
    return 0


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    with terminated_by_signals():
        sys.exit(main())
