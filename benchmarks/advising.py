"""Measures the advisor: the quality of its choices, its speed, and the accuracy of its sizes. See `replay.py` for
drift.

    python benchmarks/advising.py choose        a Zipf log against plain greedy (HRU) and the exact optimum (HiGHS)
    python benchmarks/advising.py scale         seconds for lattices of 1,000, 10,000 and 100,000 nodes
    python benchmarks/advising.py counts --rows 20000000     30 group counts in one scan against exact ones, DuckDB
    python benchmarks/advising.py fresh --rows 1000000       what prediction alone answers of 300 dashboards, without
    history

`choose` and `scale` know the number of groups of every grain by formula; `counts` and `fresh` ask a real warehouse.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from star import LATTICE, LEVELS, create_star, write_model

from airflow_atscale_aggs.engine.advising.selection import Budget, SelectionProblem, greedy_picks, select
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

FACT = 60_000_000.0
SIZES = ((3, 12, 36, 1096), (30, 500, 20_000), (8, 60, 200), (5, 100_000), (50,), (4,), (2, 20))
"""Members per level of seven dimensions, coarse to fine: 2,160 grains."""

Grain = tuple[int, ...]
"""The level of each dimension, counted from the coarse end; 0: not in it."""


def rows_of(grain: Grain, sizes: Sequence[Sequence[int]] = SIZES) -> float:
    """The expected number of groups of a grain, when fact rows fall into its cells at random."""
    cells = math.prod(float(levels[level - 1]) for levels, level in zip(sizes, grain, strict=True) if level)
    return max(1.0, -FACT * math.expm1(-cells / FACT))


def template(draw: random.Random, sizes: Sequence[Sequence[int]] = SIZES) -> Grain:
    """The grain of a random dashboard: one to four dimensions, coarse levels more often than fine ones."""
    grain = [0] * len(sizes)
    for place in draw.sample(range(len(sizes)), min(draw.choice((1, 2, 2, 3, 3, 4)), len(sizes))):
        levels = len(sizes[place])
        grain[place] = draw.choices(range(1, levels + 1), weights=range(levels, 0, -1))[0]
    return tuple(grain)


def zipf_log(draw: random.Random, templates: Sequence[Grain], queries: int, power: float) -> Counter[Grain]:
    """How often each grain is asked."""
    weights = [1.0 / (rank + 1) ** power for rank in range(len(templates))]
    return Counter(draw.choices(templates, weights=weights, k=queries))


def merges(log: Iterable[Grain]) -> list[Grain]:
    """The grains of a log and the smallest ones that serve two of them."""
    grains = list(log)
    pairs = (tuple(map(max, grain, other)) for grain, other in itertools.combinations(grains, 2))
    return sorted({*grains, *pairs})


def problem_of(
    log: Counter[Grain], candidates: Sequence[Grain], sizes: Sequence[Sequence[int]] = SIZES
) -> SelectionProblem:
    """The selection problem of a log. Without aggregates each query reads all rows of the fact."""
    required_levels, candidate_levels = np.array(list(log)), np.array(candidates)
    serves: NDArray[np.bool_] = np.ones((len(candidates), len(log)), dtype=np.bool_)
    for place in range(required_levels.shape[1]):
        serves &= candidate_levels[:, place, None] >= required_levels[None, :, place]
    rows = np.array([rows_of(grain, sizes) for grain in candidates])
    return SelectionProblem(
        weights=np.array([float(count) for count in log.values()]),
        costs=np.full(len(log), FACT),
        rows=rows,
        sizes=rows,
        upkeep=np.zeros(len(candidates)),
        serves=serves,
    )


def optimum(problem: SelectionProblem, budget: Budget) -> tuple[list[int], float]:
    """The exact choice by integer programming, and its lower bound on the cost."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_matrix

    candidates, requirements = problem.serves.shape
    candidate_places, requirement_places = np.nonzero(problem.serves & (problem.rows[:, None] < problem.costs))
    answers = np.arange(len(candidate_places))
    saved = problem.weights[requirement_places] * (problem.costs[requirement_places] - problem.rows[candidate_places])
    only_chosen = coo_matrix(
        (
            np.r_[np.ones(len(candidate_places)), -np.ones(len(candidate_places))],
            (np.r_[answers, answers], np.r_[candidates + answers, candidate_places]),
        ),
        shape=(len(candidate_places), candidates + len(candidate_places)),
    )
    once = coo_matrix(
        (np.ones(len(candidate_places)), (requirement_places, candidates + answers)),
        shape=(requirements, candidates + len(candidate_places)),
    )
    places = np.arange(candidates)
    limits = coo_matrix(
        (
            np.r_[problem.sizes / budget.size, np.ones(candidates)],
            (np.r_[np.zeros(candidates), np.ones(candidates)], np.r_[places, places]),
        ),
        shape=(2, candidates + len(candidate_places)),
    )
    scale = problem.cost_of_nothing
    solution = milp(
        np.r_[np.zeros(candidates), -saved / scale],
        constraints=[
            LinearConstraint(only_chosen, -np.inf, 0),
            LinearConstraint(once, -np.inf, 1),
            LinearConstraint(limits, -np.inf, [1, budget.count]),
        ],
        integrality=np.r_[np.ones(candidates), np.zeros(len(candidate_places))],
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0005, "time_limit": 180},
    )
    return [int(place) for place in np.flatnonzero(solution.x[:candidates] > 0.5)], scale * (
        1 + solution.mip_dual_bound
    )


def choose(seeds: int, power: float) -> None:
    """Remaining cost of a log, and of an unseen half."""
    everything = list(itertools.product(*(range(len(levels) + 1) for levels in SIZES)))
    print("cost left in % of no aggregates; opt: exact optimum among the same candidates; bound: nothing is below it")
    print(
        "a choice may cost as little as its optimum and no less: where opt/HRU is above a goal, nobody reaches the goal"
    )
    print(
        "seed budget  n   HRU  greedy  ours   opt  ours/opt ours/HRU opt/HRU  seconds (opt)   hits train/test  test "
        "ours/opt"
    )
    ratios: list[float] = []
    for seed in range(1, seeds + 1):
        draw = random.Random(seed)
        templates = [template(draw) for _ in range(300)]
        novel = [template(draw) for _ in range(300)]
        log = zipf_log(draw, templates, 5000, power)
        test = zipf_log(draw, templates, 4500, power) + zipf_log(draw, novel, 500, power)
        candidates = merges(log)
        problem, unseen = problem_of(log, candidates), problem_of(test, candidates)
        hru = problem_of(log, [grain for grain in everything if rows_of(grain) < FACT / 10])
        for share, count in itertools.product((0.10, 0.25), (10, 20, 50)):
            budget = Budget(size=share * FACT, count=count)
            begun = time.perf_counter()
            ours = list(select(problem, budget))
            took = time.perf_counter() - begun
            begun = time.perf_counter()
            best, bound = optimum(problem, budget)
            took_best = time.perf_counter() - begun
            plain = [pick.candidate for pick in greedy_picks(hru, budget)]
            greedy = [pick.candidate for pick in greedy_picks(problem, budget)]
            cost_left = [
                100 * cost / problem.cost_of_nothing
                for cost in (problem.cost(greedy), problem.cost(ours), problem.cost(best))
            ]
            left_plain = 100 * hru.cost(plain) / hru.cost_of_nothing
            hits = [
                chosen_problem.weights @ chosen_problem.serves[ours].any(axis=0) / chosen_problem.weights.sum()
                for chosen_problem in (problem, unseen)
            ]
            ratios.append(problem.cost(ours) / min(problem.cost(best), problem.cost(ours)))
            print(
                f"{seed:4} {share:5.0%} {count:4} {left_plain:5.1f} {cost_left[0]:6.1f} {cost_left[1]:6.2f} "
                f"{cost_left[2]:6.2f} "
                f"{cost_left[1] / cost_left[2]:8.4f} {cost_left[1] / left_plain:8.2f} {cost_left[2] / left_plain:7.2f} "
                f"{took:8.2f} ({took_best:5.1f})"
                f"   {hits[0]:6.1%} / {hits[1]:6.1%}  {unseen.cost(ours) / unseen.cost(best):8.3f}"
                f"   bound {100 * bound / problem.cost_of_nothing:.2f}",
                flush=True,
            )
    print(f"ours / optimum: worst {max(ratios):.4f}, mean {sum(ratios) / len(ratios):.4f}")


def scale() -> None:
    """Seconds of a choice where every node of the lattice is a candidate."""
    lattices = {
        1_024: ((10, 100, 1000),) * 5,
        10_800: (*((10, 100, 1000, 20_000),) * 3, *((8, 60),) * 2, (5, 500), (50, 300, 4000)),
        117_649: ((6, 40, 150, 700, 3000, 20_000),) * 6,
    }
    for expected, sizes in lattices.items():
        nodes = list(itertools.product(*(range(len(levels) + 1) for levels in sizes)))
        draw = random.Random(1)
        log = zipf_log(draw, [template(draw, sizes) for _ in range(300)], 5000, 1.0)
        problem = problem_of(log, nodes, sizes)
        times, busy = [], []
        for _ in range(3):
            begun, begun_busy = time.perf_counter(), time.process_time()
            chosen = select(problem, Budget(size=FACT / 4, count=50))
            times.append(time.perf_counter() - begun)
            busy.append(time.process_time() - begun_busy)
        cost_left = problem.cost(chosen) / problem.cost_of_nothing
        print(
            f"{len(nodes):>7,} nodes (about {expected:,}), {len(log)} needs, {len(chosen)} picked: "
            f"{min(times):.2f} s, {min(busy):.2f} s of one core (best of three); {cost_left:.1%} of the cost left"
        )


@contextlib.contextmanager
def star_workspace(rows: int, *, is_predicted: bool = False) -> Iterator[Workspace]:
    """The star in a DuckDB file, its model deployed without user-defined aggregates."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with contextlib.closing(duckdb.connect(str(folder / "w.duckdb"))) as connection:
            create_star(connection, rows)
        write_model(folder / "model", ())
        if is_predicted:
            catalog = folder / "model" / "catalog.yml"
            catalog.write_text(json.dumps({**json.loads(catalog.read_text()), "build_speculative_aggs": True}))
        registry, warehouse = f"sqlite:///{folder / 'r.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}?threads=1"
        with open_workspace(registry=registry, warehouse=warehouse) as workspace:
            deploy(workspace, folder / "model", now=datetime.now(UTC))
            yield workspace


def counts(rows: int) -> None:
    """Sketches of 30 grains in one scan, as `recommend` makes them, against exact counts one by one."""
    with star_workspace(rows) as workspace:
        snapshot = read_model_snapshot(workspace, workspace.read.models.get("bench_model"), now=utc_now())
        request = RecommendRequest(
            queries=[f'SELECT {_quote_names(grain)}, "Amount" FROM bench_model' for grain in LATTICE]
        )
        from airflow_atscale_aggs.engine.lifecycle.advise.workload import workload_of_queries

        requirements = workload_of_queries(
            snapshot, request.queries or (), workspace.settings_of(snapshot.record.id)
        ).requirements
        parts = [requirement.part for requirement in requirements]
        with workspace.warehouse.session() as session:
            statistician = Statistician(session, snapshot)
            snapshot.proofs.add(session, parts)
            begun = time.perf_counter()
            sketched = statistician.sketch_groups(parts)
            took = time.perf_counter() - begun
            begun = time.perf_counter()
            errors = []
            for part in parts:
                names = [bound.attribute.name for bound in part.attributes]
                exact = _exact(session, names)
                estimate = sketched[part.fact, frozenset(bound.attribute for bound in part.attributes)]
                errors.append(abs(estimate - exact) / exact)
            took_exact = time.perf_counter() - begun
        errors.sort()
        print(
            f"{len(parts)} grains of {rows:,} rows: {statistician.scans} scan, {took:.1f} s; exact, one by one: "
            f"{took_exact:.1f} s "
            f"({took_exact / took:.1f}x); error median {errors[len(errors) // 2]:.1%}, "
            f"p90 {errors[int(len(errors) * 0.9)]:.1%}, max {errors[-1]:.1%}"
        )


def _quote_names(grain: Sequence[str]) -> str:
    return ", ".join(f'"{level}"' for level in grain)


def _exact(session: WarehouseSession, names: Sequence[str]) -> int:
    keys = {
        "calendar": "day_id",
        "product": "sku_id",
        **{name: f"{name}_id" for name in ("store", "customer", "promotion", "channel")},
    }
    joins = "".join(
        f" JOIN {table} ON sales.{key} = {table}.{key}"
        for table, key in keys.items()
        if any(level in names for level in LEVELS[table])
    )
    # A level's key is its own column, but for the finest level of each dimension.
    columns = [
        next(f"{t}.{keys[t] if n == ls[-1] else n.lower()}" for t, ls in LEVELS.items() if n in ls) for n in names
    ]
    sql = f"SELECT COUNT(*) FROM (SELECT DISTINCT {', '.join(columns)} FROM sales{joins}) AS groups"
    return int(session.fetch_all(sql)[0][0])


def _dashboards(draw: random.Random, count: int) -> list[str]:
    """Queries by one to three levels, often with a filter."""
    queries = []
    for _ in range(count):
        dimensions = draw.sample(sorted(LEVELS), draw.choice((1, 2, 2, 3)))
        levels = [
            draw.choices(LEVELS[dimension], weights=range(len(LEVELS[dimension]), 0, -1))[0] for dimension in dimensions
        ]
        metrics = draw.sample(("Amount", "Quantity", "Discount", "Least Amount"), draw.choice((1, 1, 2)))
        condition = f" WHERE \"{levels[-1]}\" <> 'x'" if len(levels) > 1 and draw.random() < 0.5 else ""
        shown = levels[:-1] if condition else levels
        queries.append(f"SELECT {_quote_names([*shown, *metrics])} FROM bench_model{condition}")
    return queries


def fresh(rows: int) -> None:
    """Hits and cost of dashboards on a model that nobody has asked anything yet."""
    dashboards = _dashboards(random.Random(5), 300)
    with star_workspace(rows, is_predicted=True) as workspace:
        _tell_fresh(workspace, "prediction alone", dashboards, rows)
        request = RecommendRequest(from_structure=True)
        recommend(workspace, "bench_model", request=request, apply=True, now=utc_now())
        _tell_fresh(workspace, "and `recommend --from-structure --apply`", dashboards, rows)
        request = RecommendRequest(queries=dashboards)
        recommend(workspace, "bench_model", request=request, apply=True, now=utc_now())
        _tell_fresh(workspace, "and `recommend` after those queries", dashboards, rows)


def _tell_fresh(workspace: Workspace, what: str, dashboards: Sequence[str], rows: int) -> None:
    report = run_batch(workspace, "bench_model", owner=process_owner())
    router = QueryRouter(workspace)
    sources = [router.plan(sql).sources[0] for sql in dashboards]
    hits = sum(source.aggregate is not None for source in sources) / len(sources)
    cost = sum(source.rows or rows for source in sources) / (rows * len(sources))
    stored = sum(instance.rows or 0 for instance in report.instances) / rows
    print(
        f"{what}: {len(report.instances)} aggregates with {stored:.1%} of the fact's rows answer {hits:.0%} of "
        f"{len(dashboards)} dashboards; {cost:.0%} of the cost left",
        flush=True,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    choosing = verbs.add_parser("choose")
    choosing.add_argument("--seeds", type=int, default=3)
    choosing.add_argument("--power", type=float, default=1.0)
    verbs.add_parser("scale")
    verbs.add_parser("counts").add_argument("--rows", type=int, default=20_000_000)
    verbs.add_parser("fresh").add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.verb == "choose":
        choose(arguments.seeds, arguments.power)
    elif arguments.verb == "scale":
        scale()
    elif arguments.verb == "counts":
        counts(arguments.rows)
    else:
        fresh(arguments.rows)


if __name__ == "__main__":
    main()
