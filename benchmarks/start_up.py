"""How long each verb takes to start, and how long to do next to nothing, against a bare `python -c pass`.

    python benchmarks/start_up.py [--runs 7]

A DuckDB file with the tables of a small star is made, its model is deployed and built, and each verb is run several
times in a process of its own. Its start ends when its registry and the driver of its warehouse are open: what follows
is what it was asked to do. Told are medians: seconds of the clock until then and in all, and seconds of processor time
in all, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

VERBS = {
    "--help": ["--help"],
    "models": ["models"],
    "definitions": ["definitions"],
    "instances": ["instances"],
    "batches": ["batches"],
    "settings list": ["settings", "list"],
    "user list": ["user", "list"],
    "registry version": ["registry", "version"],
    "deploy": ["deploy", "m"],
    "plan": ["plan", "tiny_sales", "--no-estimate"],
    "query": ["query", 'SELECT "City", "Amount" FROM tiny_sales'],
    "explain": ["explain", 'SELECT "City", "Amount" FROM tiny_sales', "--no-estimate"],
    "verify": ["verify", "tiny_sales"],
    "evaluate": ["evaluate", "tiny_sales"],
    "sweep": ["sweep", "--dry-run"],
    "export": ["export", "tiny_sales", "definitions.json"],
    "shell": ["shell"],
}

_START_ALONE = """\
import os
from airflow_atscale_aggs.cli.late_modules import put_off_imports
put_off_imports()
from airflow_atscale_aggs.engine.registry import registry
open_registry = registry.open_registry
def start_alone(*given):
    open_registry(*given)
    os._exit(0)
registry.open_registry = start_alone
from airflow_atscale_aggs.cli.main import main
main()
"""
"""A verb that ends where its start ends. The registry is opened last. Libraries are imported as `main` has them."""


def seconds_of(arguments: list[str]) -> tuple[float, float]:
    """(seconds of the clock, seconds of processor time) of one process."""
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ, file_actions=quiet)
    _, _, used = os.wait4(process, 0)
    return time.perf_counter() - started, used.ru_utime + used.ru_stime


def main() -> None:
    options = argparse.ArgumentParser(description="Seconds that the start of each verb takes.")
    options.add_argument("--runs", type=int, default=7)
    runs = options.parse_args().runs
    root = Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(root))
    os.environ["PYTHONPATH"] = str(root)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its modules compiled
    from tests.support.stars.tiny_folder import make_folder

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_folder(Path())
        verb = ["-m", "airflow_atscale_aggs.cli.main"]
        seconds_of([*verb, "deploy", "m"])
        seconds_of([*verb, "build", "tiny_sales"])
        print(f"{'':18} {'start':>8} {'in all':>8} {'processor':>10}")
        bare = [seconds_of(["-c", "pass"])[0] for _ in range(runs)]
        print(f"{'python -c pass':18} {statistics.median(bare):8.3f}")
        for name, arguments in VERBS.items():
            # `--help` opens nothing.
            begin = ["-c", _START_ALONE, *arguments] if name != "--help" else [*verb, *arguments]
            starts = [seconds_of(begin)[0] for _ in range(runs)]
            measured = [seconds_of([*verb, *arguments]) for _ in range(runs)]
            clock, processor = (statistics.median(column) for column in zip(*measured, strict=True))
            print(f"{name:18} {statistics.median(starts):8.3f} {clock:8.3f} {processor:10.3f}", flush=True)


if __name__ == "__main__":
    main()
