"""Compares whole batch builds with the bare SQL and with dbt, and build-from-existing with builds from the facts.

    python benchmarks/batch_build.py overhead --scale 1        whole `build` / the same statements run directly
    python benchmarks/batch_build.py overhead --warehouse sail|spark|URL  the same elsewhere, in one bare session
    python benchmarks/batch_build.py trivial --counts 30 300   per aggregate, beside bare SQL and dbt-duckdb
    python benchmarks/batch_build.py lattice --rows 20000000   derived from others / all from the facts by names
    python benchmarks/batch_build.py lattice --each            and each aggregate from the facts, by codes / by names
    python benchmarks/batch_build.py lattice --rows 6000000 --without-largest 4 --postgres postgresql+psycopg://…  (an
    empty database)
    python benchmarks/batch_build.py jobs --rows 6000000       two aggregates at a time / one at a time; also --postgres

Both sides run in one go on one machine; read the ratios, not the seconds. DuckDB runs on one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
from measured_warehouses import bare_command, drop_tables, load_retail, measured_warehouse
from star import copy_star, create_star, without_largest, write_model

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

_CLI = "from airflow_atscale_aggs.cli.main import main; main()"


@dataclass(frozen=True)
class Bench:
    """A warehouse file with the star, a registry with the model deployed, in a folder of its own."""

    folder: Path
    model: str = "bench_model"
    url: str = ""

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file with facts and dimensions."""
        return self.folder / "warehouse.duckdb"

    @property
    def warehouse(self) -> str:
        """Its URL: the one that was given, or that of the file, on one thread as the comparisons have."""
        if self.url:
            return self.url
        return f"duckdb:///{self.warehouse_file}?threads=1"

    @property
    def registry(self) -> str:
        """The SQLite registry's URL."""
        return f"sqlite:///{self.folder / 'registry.sqlite'}"

    def make_star(self, rows: int, grains: tuple[tuple[str, ...], ...]) -> None:
        """Make the synthetic star and deploy its model."""
        with contextlib.closing(duckdb.connect(str(self.warehouse_file))) as connection:
            create_star(connection, rows)
            if self.url:
                copy_star(connection, self.url)
        self.deploy(write_model(self.folder / "model", grains))

    def make_retail(self, scale: str) -> None:
        """Generate TPC-DS data and deploy the retail model of the examples, 28 aggregates."""
        load_retail(self.warehouse, scale, self.folder)
        self.deploy(Path(__file__).parents[1] / "dags" / "models" / "retail")

    def deploy(self, model_folder: Path) -> None:
        """Register the model."""
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            deploy(workspace, model_folder, now=datetime.now(UTC))

    def build(self, *options: str) -> float:
        """Seconds of the whole process `atscale-aggs build`."""
        command = [sys.executable, "-c", _CLI, "--registry", self.registry, "--warehouse", self.warehouse]
        return _seconds([*command, "build", self.model, *options])

    def statements(self) -> list[str]:
        """The CREATE TABLE statements of the last batch as they were run, under other names."""
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            batch = workspace.read.batches.find(limit=1)[0]
            instances = workspace.read.instances.find(batch_id=batch.id)
            attempts = {instance.id: instance.attempt for instance in instances}
            statements = []
            for instance in instances:
                step = instance.step.of_attempt(instance.attempt)
                option = next(o for o in step.sources if o.name == instance.source)
                sql = step.create_statement(option, attempts.get(option.instance_id or ""))
                statements.append(sql.replace("as_agg_", "bare_"))
            return statements

    def switch(self, *, derives: bool, by_codes: bool) -> None:
        """Switch derivation, and the grouping of facts by codes, on or off for the model."""
        values = {"buildFromExisting": derives, "groupByCodes": by_codes}
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            model_id = workspace.read.models.get(self.model).id
            for name, is_on in values.items():
                workspace.registry.settings.put(model_id, f"aggregates.batch.{name}.enabled", str(is_on).lower())

    def seconds_by_source(self) -> tuple[dict[str, float], dict[str, str]]:
        """Seconds and source of each aggregate in the last batch."""
        with open_workspace(registry=self.registry, warehouse=self.warehouse) as workspace:
            batch = workspace.read.batches.find(limit=1)[0]
            instances = workspace.read.instances.find(batch_id=batch.id)
        seconds = {instance.step.aggregate: instance.seconds or 0.0 for instance in instances}
        return seconds, {instance.step.aggregate: instance.source or "" for instance in instances}


@contextlib.contextmanager
def _bench(rows: int, grains: tuple[tuple[str, ...], ...], postgres: str = "") -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="aggs-bench-") as folder:
        bench = Bench(Path(folder), url=postgres)
        bench.make_star(rows, grains)
        yield bench


def _seconds(command: list[str], cwd: Path | None = None) -> float:
    """Wall seconds of a process; its output is shown when it fails."""
    # Bytecode is kept between runs, as on any machine of a user.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started


def _bare(bench: Bench, statements: list[str]) -> float:
    """Seconds of the same statements in a bare script over the driver; its tables are dropped afterwards."""
    seconds = _seconds(bare_command(bench.warehouse, statements, bench.folder))
    drop_tables(bench.warehouse, "bare_")
    return seconds


def overhead(scale: str, repeat: int, warehouse: str, jobs: list[int]) -> None:
    """Whole `build` against its own CREATE TABLE statements run directly. Goal: 1.05 on DuckDB, 1.1 elsewhere.

    Args:
        jobs: how many aggregates are built at the same time; one line is printed for each.
    """
    seconds, count, name = overhead_seconds(scale, repeat, warehouse, jobs)
    bare = seconds.pop("bare")
    for side, build in seconds.items():
        print(
            f"{name}: TPC-DS at scale {scale}, {count} aggregates: {side} {build:.2f} s, "
            f"bare SQL {bare:.2f} s, ratio {build / bare:.3f}"
        )


def overhead_seconds(scale: str, repeat: int, warehouse: str, jobs: list[int]) -> tuple[dict[str, float], int, str]:
    """Median seconds of each kind of `build` and of the side ``bare``, the number of aggregates, the warehouse."""
    with (
        tempfile.TemporaryDirectory(prefix="aggs-bench-") as folder,
        measured_warehouse(warehouse, Path(folder)) as url,
    ):
        bench = Bench(Path(folder), "retail", url)
        bench.make_retail(scale)
        # The first run of either side finds the warehouse cold.
        bench.build()
        statements = bench.statements()
        _bare(bench, statements)
        runs: dict[str, Callable[[], float]] = {
            f"build --jobs {number}" if number > 1 else "build": partial(bench.build, "--jobs", str(number))
            for number in jobs
        }
        runs["bare"] = partial(_bare, bench, statements)
        seconds: dict[str, list[float]] = {side: [] for side in runs}
        for turn in range(repeat):
            # By turns: a warehouse that compiles as it goes, such as Spark, is faster for whoever comes later.
            for side in list(runs) if turn % 2 == 0 else reversed(runs):
                seconds[side].append(runs[side]())
        name = urlsplit(url).scheme if warehouse == url else warehouse
        return {side: statistics.median(measured) for side, measured in seconds.items()}, len(statements), name


def trivial(counts: list[int], repeat: int, *, with_dbt: bool) -> None:
    """Many small aggregates: what the engine adds per aggregate. Goal: 5 ms per aggregate plus 0.4 s over bare SQL."""
    for count in counts:
        with _bench(12_000, distinct_grains(count)) as bench:
            build, bare, statements = build_and_bare(bench, repeat)
            line = (
                f"n={count}: build {build:.2f} s, bare SQL {bare:.2f} s, "
                f"added {1000 * (build - bare) / count:.1f} ms/aggregate"
                f" = 0.4 s + {1000 * (build - bare - 0.4) / count:.1f} ms/aggregate"
            )
            if with_dbt:
                dbt = _dbt(bench, statements, repeat)
                line += (
                    f"; dbt {dbt:.2f} s, added {1000 * (dbt - bare) / count:.1f} ms/model; "
                    f"ratio of what is added {(dbt - bare) / (build - bare):.1f}x"
                )
            print(line)


def trivial_seconds(count: int, repeat: int) -> tuple[float, float]:
    """Seconds of a `build` of small aggregates, and of its statements run directly."""
    with _bench(12_000, distinct_grains(count)) as bench:
        return build_and_bare(bench, repeat)[:2]


def build_and_bare(bench: Bench, repeat: int) -> tuple[float, float, list[str]]:
    """Median seconds of a `build` that is not the first, and of its statements run directly; the statements."""
    bench.build()
    build = statistics.median(bench.build() for _ in range(repeat))
    statements = bench.statements()
    return build, statistics.median(_bare(bench, statements) for _ in range(repeat)), statements


def distinct_grains(count: int) -> tuple[tuple[str, ...], ...]:
    """``count`` different small grains: pairs and triples of coarse levels."""
    import itertools

    coarse = ("Year", "Quarter", "Month", "Category", "Region", "Segment", "Promotion", "Channel", "City")
    grains = [
        c
        for size in (1, 2, 3, 4)
        for c in itertools.combinations(coarse, size)
        if len({"Year", "Quarter", "Month"} & set(c)) < 2
    ]
    grains = [c for c in grains if not {"Region", "City"} <= set(c)]
    extra = [(*c, "Store") for c in grains if "City" not in c and "Region" not in c] + [
        (*c, "Brand") for c in grains if "Category" not in c
    ]
    return tuple((grains + extra)[:count])


def _dbt(bench: Bench, statements: list[str], repeat: int) -> float:
    """Seconds of `dbt run` with one table model per statement, in an environment of its own."""
    python = _dbt_python()
    project = bench.folder / "dbt"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: bench\nversion: '1.0'\nprofile: bench\nmodels:\n  +materialized: table\n"
    )
    (project / "profiles.yml").write_text(
        f"bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: {bench.warehouse_file}\n      "
        f"threads: 1\n      settings: {{threads: 1}}\n"
    )
    names = [re.findall(r'"(bare_\w+)"', statement)[0] for statement in statements]
    for name, statement in zip(names, statements, strict=True):
        query = re.sub(r'"(bare_\w+)"', r"{{ ref('\1') }}", re.split(r"\sAS\s", statement, maxsplit=1)[1])
        (project / "models" / f"{name}.sql").write_text(query)
    command = [str(python.parent / "dbt"), "--no-version-check", "run", "--profiles-dir", str(project), "--quiet"]
    _seconds(command, cwd=project)
    return statistics.median(_seconds(command, cwd=project) for _ in range(repeat))


def _dbt_python() -> Path:
    """The interpreter of an environment with dbt-core and dbt-duckdb, made once in the checkout's cache."""
    folder = Path(__file__).resolve().parents[1] / ".cache" / "dbt"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "dbt").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "dbt-core==1.11.16", "dbt-duckdb==1.11.1"], check=True
        )
    return python


def lattice(rows: int, repeat: int, postgres: str, largest_dropped: int, *, with_each: bool) -> None:
    """A batch as it is built, facts by codes and the rest derived, against all from the facts by names.

    Goal: derivable part 10x on DuckDB, 7x on PostgreSQL; whole 2.8x and 3x. No aggregate more than 5 % slower by codes.
    """
    with _bench(rows, without_largest(largest_dropped), postgres) as bench:
        if with_each:
            _each(bench, repeat)
        wholes, parts, sources = built_both_ways(bench, repeat)
        derived = [name for name, source in sources.items() if source != "sales"]
        roots = [name for name in sources if name not in derived]
        from_facts, tree = parts["false"], parts["true"]
        print(f"{len(sources)} aggregates of {rows:,} rows, {len(derived)} derived, {len(roots)} roots")
        for label, names in (("derivable part", derived), ("roots", roots), ("all", list(sources))):
            slow, fast = sum(from_facts[n] for n in names), sum(tree[n] for n in names)
            print(f"  {label:15} from facts {slow:7.2f} s, build-from-existing {fast:7.2f} s, ratio {slow / fast:.2f}x")
        slow, fast = statistics.median(wholes["false"]), statistics.median(wholes["true"])
        print(
            f"  {'whole process':15} from facts {slow:7.2f} s, build-from-existing {fast:7.2f} s, ratio "
            f"{slow / fast:.2f}x"
        )


def lattice_seconds(rows: int, repeat: int) -> tuple[float, float]:
    """Seconds of all aggregates from the facts by names, and of the same as they are built; DuckDB."""
    with _bench(rows, without_largest(0)) as bench:
        _, parts, _ = built_both_ways(bench, repeat)
        return sum(parts["false"].values()), sum(parts["true"].values())


def built_both_ways(
    bench: Bench, repeat: int
) -> tuple[dict[str, list[float]], dict[str, dict[str, float]], dict[str, str]]:
    """Seconds of whole builds and the least of each aggregate, by "true" (derived, by codes) and "false"; sources."""
    wholes: dict[str, list[float]] = {"true": [], "false": []}
    parts: dict[str, dict[str, float]] = {}
    sources: dict[str, str] = {}
    for _ in range(repeat):
        for enabled in ("false", "true"):
            bench.switch(derives=enabled == "true", by_codes=enabled == "true")
            wholes[enabled].append(bench.build())
            seconds, by_source = bench.seconds_by_source()
            parts[enabled] = _least(parts.get(enabled, seconds), seconds)
            if enabled == "true":
                sources = by_source
    return wholes, parts, sources


def jobs(rows: int, repeat: int, postgres: str, largest_dropped: int) -> None:
    """Two aggregates at a time against one. Goal on two cores: 1.7x on PostgreSQL, on DuckDB no slower."""
    one, two = jobs_seconds(rows, repeat, postgres, largest_dropped)
    print(f"one at a time {one:.2f} s, two at a time {two:.2f} s: {one / two:.2f}x")


def jobs_seconds(rows: int, repeat: int, postgres: str, largest_dropped: int) -> tuple[float, float]:
    """Median seconds of a `build` with one aggregate at a time, and with two."""
    with _bench(rows, without_largest(largest_dropped), postgres) as bench:
        bench.build()
        pairs = [(bench.build("--jobs", "1"), bench.build("--jobs", "2")) for _ in range(repeat)]
        one, two = (statistics.median(side) for side in zip(*pairs, strict=True))
        return one, two


def _least(some: dict[str, float], others: dict[str, float]) -> dict[str, float]:
    """The lesser seconds of each aggregate."""
    return {name: min(seconds, others[name]) for name, seconds in some.items()}


def _each(bench: Bench, repeat: int) -> None:
    """Every aggregate from the facts, by names and by codes: the least of several runs, the slowest first."""
    best: dict[bool, dict[str, float]] = {}
    for _ in range(repeat):
        for by_codes in (False, True):
            bench.switch(derives=False, by_codes=by_codes)
            bench.build()
            seconds, _ = bench.seconds_by_source()
            best[by_codes] = _least(best.get(by_codes, seconds), seconds)
    for name in sorted(best[True], key=lambda name: best[False][name] / best[True][name]):
        print(f"  {name:30} by names {best[False][name]:6.2f} s, by codes {best[True][name]:6.2f} s")


def main() -> None:
    """Read the arguments and run one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overhead", "trivial", "lattice", "jobs"))
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--warehouse", default="duckdb", metavar="duckdb|sail|spark|URL", help="for `overhead`")
    parser.add_argument("--postgres", default="", metavar="URL", help="an empty database, for `lattice`")
    parser.add_argument("--without-largest", type=int, default=0, metavar="N", help="drop the N largest grains")
    parser.add_argument("--counts", type=int, nargs="+", default=[30, 300])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1], help="aggregates built at once, for `overhead`")
    parser.add_argument("--each", action="store_true", help="time each aggregate by names and by codes, for `lattice`")
    parser.add_argument("--without-dbt", action="store_true")
    arguments = parser.parse_args()
    if arguments.what == "overhead":
        overhead(arguments.scale, arguments.repeat, arguments.warehouse, arguments.jobs)
    elif arguments.what == "trivial":
        trivial(arguments.counts, arguments.repeat, with_dbt=not arguments.without_dbt)
    elif arguments.what == "jobs":
        jobs(arguments.rows, arguments.repeat, arguments.postgres, arguments.without_largest)
    else:
        lattice(
            arguments.rows, arguments.repeat, arguments.postgres, arguments.without_largest, with_each=arguments.each
        )


if __name__ == "__main__":
    main()
