"""A workload that drifts over simulated weeks, answered and advised on by the real engine on DuckDB.

    python benchmarks/replay.py tpcds            the retail model of `dags/models` on TPC-DS data (needs tpcgen-cli)
    python benchmarks/replay.py ssb              a star shaped like the Star Schema Benchmark's
    python benchmarks/replay.py star             the star of the other benchmarks

Each week dashboards, the popular ones most (Zipf), send queries that are answered and logged at simulated times; then
the maintenance runs as it does in production: evaluate, supersede, recommend --apply, prune, build. A tenth of the
dashboards is replaced every week. The models' own aggregates are left out, so that the first week has nothing. No
setting is changed.

    hits        queries that were answered from aggregates alone
    cost left   rows that the queries read, in percent of what they would read from the facts
    oracle      the same for somebody who knows the week's queries before they are asked, under the same budget
    gone        definitions that were disabled, pruned or superseded
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import yaml
from ssb import create_ssb, write_ssb_model
from star import create_star, write_model

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.workload import storable_metrics
from airflow_atscale_aggs.engine.lifecycle.build import attempt as build
from airflow_atscale_aggs.engine.lifecycle.build import batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.retain.prune import prune
from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner

_RETAIL = Path(__file__).parents[1] / "dags" / "models" / "retail"
_START = datetime(2026, 1, 5, tzinfo=UTC)
_DASHBOARDS, _REPLACED = 60, 6


class Clock:
    """The simulated time."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> datetime:
        """What `utc_now` is during the replay."""
        return self.now


class Dashboards:
    """Draws queries on a model: one fact, one to three attributes of different roles, coarse levels more often, often a
    filter.
    """

    def __init__(self, workspace: Workspace, snapshot: ModelSnapshot, draw: random.Random) -> None:
        self._workspace, self._snapshot, self._draw = workspace, snapshot, draw
        self._metrics = storable_metrics(snapshot.model, workspace.settings_of(snapshot.record.id))
        with workspace.warehouse.session() as session:
            self.fact_rows = Statistician(session, snapshot).row_counts(snapshot.model.fact_datasets)

    def draw(self, count: int) -> list[str]:
        """So many queries that the router takes."""
        queries: list[str] = []
        with QueryRouter(self._workspace) as router:
            while len(queries) < count:
                sql = self._query()
                with contextlib.suppress(QueryError):
                    router.plan(sql)
                    queries.append(sql)
        return queries

    def _query(self) -> str:
        draw = self._draw
        fact_names = sorted(self._metrics)
        (fact,) = draw.choices(fact_names, weights=[self.fact_rows[fact_name] for fact_name in fact_names])
        roles: dict[str, list[tuple[str, float]]] = {}
        for attribute in self._snapshot.paths.attributes_of(fact):
            dimension = self._snapshot.model.dimensions[attribute.role.dimension]
            ranks = [
                hierarchy.levels.index(attribute.name)
                for hierarchy in dimension.hierarchies
                if attribute.name in hierarchy.levels
            ]
            if ranks:
                weight = 1.0 / (1 + min(ranks))
                roles.setdefault(str(attribute.role), []).append((attribute.query_name, weight))
        chosen = draw.sample(sorted(roles), min(draw.choice((1, 2, 2, 3)), len(roles)))
        levels = [draw.choices(*zip(*sorted(roles[role]), strict=True))[0] for role in chosen]
        metrics = draw.sample(sorted(self._metrics[fact]), min(draw.choice((1, 1, 2)), len(self._metrics[fact])))
        is_filtered = len(levels) > 1 and draw.random() < 0.5
        condition = f' WHERE "{levels[-1]}" IS NOT NULL' if is_filtered else ""
        shown = [*(levels[:-1] if is_filtered else levels), *metrics]
        listed = ", ".join('"' + name + '"' for name in shown)
        return f"SELECT {listed} FROM {self._snapshot.record.name}{condition}"


@dataclass
class Week:
    """What the queries of one week cost."""

    hits: int = 0
    read: int = 0
    on_facts: int = 0


class Replay:
    """One model's weeks."""

    def __init__(self, workspace: Workspace, model: str, clock: Clock, seed: int) -> None:
        self._workspace, self._clock, self._draw = workspace, clock, random.Random(seed)
        self._id = workspace.read.models.get(model).id
        snapshot = read_model_snapshot(workspace, workspace.read.models.get(model), now=clock())
        self._dashboards = Dashboards(workspace, snapshot, self._draw)
        self._pool = self._dashboards.draw(_DASHBOARDS)

    def run(self, weeks: int, queries: int) -> None:
        """Print a line per week, and the mean."""
        ratios: list[float] = []
        print(f"facts: {', '.join(f'{name} {rows:,}' for name, rows in self._dashboards.fact_rows.items())}")
        print("week   hits  cost left  oracle  ratio   rows saved  definitions  added  gone  rows stored  seconds")
        fact_rows = sum(self._dashboards.fact_rows.values())
        for week in range(weeks):
            begun = time.perf_counter()
            queries_of_week = self._draw.choices(
                self._pool, weights=[1.0 / (1 + rank) for rank in range(len(self._pool))], k=queries
            )
            week_cost, best = self._ask(queries_of_week), self._oracle(queries_of_week)
            self._clock.now = _START + timedelta(weeks=week, days=6)
            before = self._demand_definitions()
            self._maintain()
            after = self._demand_definitions()
            cost_left = week_cost.read / week_cost.on_facts
            if week:
                ratios.append(cost_left / best)
            stored = sum(instance.rows or 0 for instance in self._workspace.read.instances.serving(self._id))
            print(
                f"{week:4} {week_cost.hits / queries:6.1%} {cost_left:10.2%} {best:7.2%} {cost_left / best:6.2f} "
                f"{week_cost.on_facts - week_cost.read:12,} {len(after):12} {len(after - before):6} "
                f"{len(before - after):5} "
                f"{stored / fact_rows:12.1%} {time.perf_counter() - begun:8.1f}",
                flush=True,
            )
            self._clock.now = _START + timedelta(weeks=week + 1)
            for sql in self._dashboards.draw(_REPLACED):
                self._pool[self._draw.randrange(len(self._pool))] = sql
        print(f"from week 1 on: {sum(ratios) / len(ratios):.2f} times the oracle's cost on average")

    def _ask(self, statements: Sequence[str]) -> Week:
        """Answer the queries, over five days."""
        week, rows = Week(), self._dashboards.fact_rows
        with QueryRouter(self._workspace, clock=self._clock) as router:
            for sql in statements:
                self._clock.now += timedelta(days=5) / len(statements)
                sources = router.answer(sql).plan.sources
                week.hits += all(source.aggregate is not None for source in sources)
                week.read += sum(rows[source.fact] if source.rows is None else source.rows for source in sources)
                week.on_facts += sum(rows[source.fact] for source in sources)
        return week

    def _oracle(self, statements: Sequence[str]) -> float:
        """The share of the cost that is left when the queries are known and nothing is defined yet."""
        repeated_statements = [sql for sql, count in Counter(statements).items() for _ in range(count)]
        request = RecommendRequest(queries=repeated_statements, ignored=self._demand_definitions())
        report = recommend(self._workspace, self._id, request=request, now=self._clock())
        return report.cost_after / report.cost_before

    def _maintain(self) -> None:
        workspace, now = self._workspace, self._clock()
        evaluate(workspace, self._id, now=now)
        supersede(workspace, self._id, dry_run=False, now=now)
        recommend(workspace, self._id, apply=True, now=now)
        prune(workspace, self._id, dry_run=False, now=now)
        batch.run_batch(workspace, self._id, owner=process_owner())

    def _demand_definitions(self) -> frozenset[str]:
        return frozenset(
            record.definition.id
            for record in self._workspace.read.definitions.of_model(self._id)
            if record.definition.origin is DefinitionOrigin.DEMAND_DEFINED
        )


def prepare(which: str, folder: Path, rows: int, data: Path | None) -> str:
    """Data in ``w.duckdb`` and SML in ``model`` of a folder; the model's name."""
    model = folder / "model"
    with contextlib.closing(duckdb.connect(str(folder / "w.duckdb"))) as connection:
        if which == "tpcds":
            connection.execute("CREATE SCHEMA retail")
            for file in sorted((data or _generate(folder)).glob("*.parquet")):
                connection.execute(f"CREATE TABLE retail.{file.stem} AS SELECT * FROM read_parquet('{file}')")
        elif which == "ssb":
            create_ssb(connection, rows)
        else:
            create_star(connection, rows)
    if which == "tpcds":
        for file in _RETAIL.rglob("*.yml"):
            target = model / file.relative_to(_RETAIL)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    elif which == "ssb":
        write_ssb_model(model)
    else:
        write_model(model, ())
    return _without_own_aggregates(model)


def _without_own_aggregates(folder: Path) -> str:
    name = ""
    for file in folder.rglob("*.yml"):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        if document["object_type"] == "model":
            name = str(document["unique_name"])
            document.pop("aggregates", None)
            file.write_text(json.dumps(document), encoding="utf-8")
    return name


def _generate(folder: Path) -> Path:
    """TPC-DS tables at scale 0.1 as Parquet files."""
    target = folder / "tpcds"
    program = Path(sys.executable).with_name("tpcgen-cli")
    subprocess.run([program, "tpcds", "parquet", "-s", "0.1", "--output-dir", target, "-q"], check=True)
    return target


@contextlib.contextmanager
def simulated_time() -> Iterator[Clock]:
    """Batches take the simulated time; everything else is told it."""
    clock = Clock()
    with patch.object(batch, "utc_now", clock), patch.object(build, "utc_now", clock):
        yield clock


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("tpcds", "ssb", "star"))
    parser.add_argument("--rows", type=int, default=300_000, help="of the fact, for ssb and star")
    parser.add_argument("--data", type=Path, help="a folder of TPC-DS Parquet files; none: made at scale 0.1")
    parser.add_argument("--weeks", type=int, default=12)
    parser.add_argument("--queries", type=int, default=100, help="per week")
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, simulated_time() as clock:
        folder = Path(name)
        model = prepare(arguments.which, folder, arguments.rows, arguments.data)
        registry, warehouse = f"sqlite:///{folder / 'r.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}?threads=1"
        with open_workspace(registry=registry, warehouse=warehouse) as workspace:
            deploy(workspace, folder / "model", now=clock())
            Replay(workspace, model, clock, arguments.seed).run(arguments.weeks, arguments.queries)


if __name__ == "__main__":
    main()
