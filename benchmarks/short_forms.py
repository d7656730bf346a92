"""A short form of each goal of speed, for CI: it fails only where a figure is worse than its goal by half.

    python benchmarks/short_forms.py [NAME ...]        five minutes; --list names the goals

Both sides of each figure run in turn in this run. Figures are ratios where there is another side, and else times of
the processor, which other work on the machine changes little. Goals that need large data are asked of little data
here, where they are missed by more, and the limit is set by what was measured so. `make bench` asks them of large data.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import airflow_tasks
import answering
import batch_build
import deploy
import incremental
import routing
import scale
import ssb
import transfer
import verification

from airflow_atscale_aggs.engine.aggregates.instance import BuildType

_WORSE = 1.5
_unseen = partial(contextlib.redirect_stdout, io.StringIO())
"""Around what a script prints as it goes."""
_RETAIL = Path(__file__).parents[1] / "dags" / "models" / "retail"


@dataclass(frozen=True)
class Goal:
    """A figure that should not be worse than its goal.

    Attributes:
        name: what a user names it by.
        says: what is measured, and in which unit.
        goal: the best that is asked for.
        measure: returns the figure of today.
        more_is_better: for figures that say how many times faster something is.
        known: what a goal that is missed was measured at in this form, on an idle machine. The limit is then half worse
            than this.
    """

    name: str
    says: str
    goal: float
    measure: Callable[[], float]
    more_is_better: bool = False
    known: float | None = None

    @property
    def limit(self) -> float:
        """From where on it fails."""
        basis = self.goal if self.known is None else self.known
        return basis / _WORSE if self.more_is_better else basis * _WORSE

    def is_kept(self, figure: float) -> bool:
        """Whether a figure is within the limit."""
        return figure >= self.limit if self.more_is_better else figure <= self.limit


def _planning(*, fresh: bool, count: int = 1000) -> float:
    with routing.router_of_star() as router:
        routing.put_random_instances(router, count)
        floors, times, _ = routing.plan_ms(router, time.process_time, fresh=fresh)
        return statistics.mean(times) / statistics.mean(floors)


def _growth() -> float:
    """Planning of known shapes with 10,000 aggregates against 10."""
    return _planning(fresh=False, count=10_000) / _planning(fresh=False, count=10)


def _deploying() -> float:
    _, parsed, deployed, _ = deploy.measure(_RETAIL, 5, time.process_time)
    return deployed / parsed


def _importing() -> float:
    """Milliseconds of the processor for a thousand definitions."""
    count = 10_000
    return transfer.measure_transfer(count, 2, None)[1].cpu * 1e6 / count


def _trivial() -> float:
    """Milliseconds that each of two hundred aggregates takes, beside 0.4 s and the bare SQL."""
    count = 200
    build, bare = batch_build.trivial_seconds(count, 2)
    return 1000 * (build - bare - 0.4) / count


def _lattice() -> float:
    slow, fast = batch_build.lattice_seconds(4_000_000, 1)
    return slow / fast


def _verification() -> float:
    runs = verification.measure(verification.on_duckdb, 1_000_000, ["totals"], 3, derives=True)
    return 100 * statistics.median(totals[1] / totals[0] for _, totals in runs)


def _increments() -> float:
    """The worst of three aggregates, of what an increment of a hundredth may take."""
    share = 0.01
    with incremental.bench_of_star(1_000_000, is_postgres=False) as (bench, _):
        bench.build(BuildType.FULL)
        pairs = []
        for _ in range(3):
            bench.load(int(bench.rows * share))
            part, _ = bench.build(BuildType.INCREMENTAL)
            full, _ = bench.build(BuildType.FULL)
            pairs.append((part, full))
    return max(
        statistics.median(part[name] for part, _ in pairs)
        / incremental.allowed_seconds(share, statistics.median(full[name] for _, full in pairs))
        for name in pairs[0][0]
    )


def _segments(count: int) -> float:
    """The worst of three queries after increments, against the same after a full build."""
    with incremental.bench_of_star(1_000_000, is_postgres=False) as (bench, _):
        bench.set("aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 1000)
        bench.build(BuildType.FULL)
        before = incremental.query_times(bench)
        incremental.add_increments(bench, count)
        after = incremental.query_times(bench)
    return max(after[name] / before[name] for name in before)


def _overhead() -> float:
    seconds, _, _ = batch_build.overhead_seconds("0.1", 3, "duckdb", [1])
    return seconds["build"] / seconds["bare"]


def _jobs() -> float:
    one, two = batch_build.jobs_seconds(500_000, 1, "", 0)
    return one / two


def _slice() -> float:
    """The worst of three aggregates, of how many times cheaper one old day is than all."""
    with incremental.bench_of_star(1_000_000, is_postgres=False) as (bench, _):
        full, _ = bench.build(BuildType.FULL)
        bench.set("aggregate.incrementalUpdate.maxSegmentLength", "16d")
        bench.build(BuildType.FULL)
        days = [incremental.change_day(bench, number)[0] for number in range(3)]
    return min(seconds / statistics.median(day[name] for day in days) for name, seconds in full.items())


def _ssb() -> float:
    """The geometric mean of SSB's queries, on facts against on aggregates."""
    with _unseen(), answering.ssb_workspace("duckdb", 600_000, None) as workspace:
        answered = answering.answers(workspace, ssb.QUERIES)
    assert all(query.is_same for query in answered), "answers differ"
    return statistics.geometric_mean(query.facts / query.aggregates for query in answered)


def _growth_of_build() -> float:
    """Growth of a batch against growth of its data, five times as much."""
    measured = []
    for number in ("0.1", "0.5"):
        with tempfile.TemporaryDirectory(prefix="aggs-scale-") as name, _unseen():
            measured.append(scale.measure("tpcds", number, scale.Place(Path(name), "2GiB", 2)))
    less, more = measured
    return (more.ran["build"].seconds / less.ran["build"].seconds) / (more.rows / less.rows)


def _airflow_task() -> float:
    empty, build = airflow_tasks.measure(10, 1)
    return build / empty


GOALS = (
    Goal("known-shape", "planning a known shape / sqlglot's own work", 0.1, lambda: _planning(fresh=False)),
    Goal("new-shape", "planning a new shape / sqlglot's own work", 2, lambda: _planning(fresh=True), known=2.1),
    Goal("many-aggregates", "planning with 10,000 aggregates / with 10", 1.2, _growth),
    Goal("deploy", "deploying a model of 48 files / parsing them with libyaml", 2, _deploying, known=3.1),
    Goal("import", "importing 1,000 definitions, ms", 50, _importing),
    Goal("trivial", "what a trivial aggregate adds, ms", 5, _trivial),
    Goal("lattice", "all from the facts / as it is built", 2.8, _lattice, more_is_better=True, known=1.6),
    Goal("verification", "share of a batch that compares, %", 10, _verification),
    Goal("increments", "an increment of 1 % / what it may take", 1, _increments),
    Goal("segments-8", "a query after 8 increments / after none", 1.15, lambda: _segments(8)),
    Goal("segments-48", "a query after 48 increments / after none", 1.5, lambda: _segments(48)),
    Goal("overhead", "a whole batch at scale 0.1 / its bare SQL", 1.05, _overhead, known=1.4),
    Goal("jobs", "one aggregate at a time / two", 1, _jobs, more_is_better=True),
    Goal("slice", "a full rebuild / one old day that is named", 100, _slice, more_is_better=True, known=6.4),
    Goal("ssb", "SSB's queries on facts / on aggregates", 40, _ssb, more_is_better=True, known=2.4),
    Goal("growth", "growth of a batch / of its data", 1, _growth_of_build),
    Goal("airflow-task", "a build task / an empty mapped task", 1.3, _airflow_task, known=1.7),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the goals that are named, or all; 1 where one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [goal.name for goal in GOALS]
    parser.add_argument("goals", nargs="*", metavar="NAME", help="one or more goals; all without a name")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parsed = parser.parse_args(arguments)
    unknown = [name for name in parsed.goals if name not in names]
    if unknown:
        parser.error(f"there is no goal {', '.join(unknown)}; there are {', '.join(names)}")
    if parsed.list:
        print("\n".join(f"{goal.name:16} {goal.says}" for goal in GOALS))
        return 0
    return _measure([goal for goal in GOALS if not parsed.goals or goal.name in parsed.goals])


def _measure(goals: Sequence[Goal]) -> int:
    print(f"{'goal':16} {'asked':>7} {'limit':>7} {'measured':>9} {'seconds':>8}")
    beyond = []
    for goal in goals:
        started = time.monotonic()
        figure = goal.measure()
        if not goal.is_kept(figure):
            beyond.append(goal.name)
        sign = ">=" if goal.more_is_better else "<="
        says = f"{goal.says}{'' if goal.known is None else f' (missed: {goal.known:g} when idle)'}"
        print(
            f"{goal.name:16} {sign}{goal.goal:>5g} {sign}{goal.limit:>5.2f} {figure:>9.2f} "
            f"{time.monotonic() - started:>8.1f}  {says}{'  BEYOND ITS LIMIT' if goal.name in beyond else ''}",
            flush=True,
        )
    if beyond:
        print(
            f"Beyond their limits: {', '.join(beyond)}. Measure again by their scripts before you judge: `make bench`."
        )
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
