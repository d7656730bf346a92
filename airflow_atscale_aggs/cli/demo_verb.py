"""The verb ``demo``: the way from a star without aggregates to a query that one answers, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import DEFAULT_REGISTRY, DEFAULT_WAREHOUSE
from airflow_atscale_aggs.cli.output import say
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

FOLDER = "atscale-aggs-demo"
SALES = 500_000

_STAR = (
    """CREATE TABLE calendar AS SELECT CAST(d AS DATE) AS day, strftime(d, '%Y-%m') AS month, year(d) AS year
        FROM range(TIMESTAMP '2023-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS t (d)""",
    """CREATE TABLE product AS SELECT CAST(i AS INTEGER) AS product_id, 'Article ' || i AS product_name,
        'Brand ' || (i % 60) AS brand,
        ['Books', 'Garden', 'Kitchen', 'Music', 'Sports', 'Toys'][1 + i % 6] AS category
        FROM range(1200) AS t (i)""",
    """CREATE TABLE shop AS SELECT CAST(i AS INTEGER) AS shop_id, 'Shop ' || i AS shop_name,
        'City ' || (i % 8) AS city, ['North', 'East', 'South', 'West'][1 + i % 4] AS region
        FROM range(12) AS t (i)""",
    # Each column takes other digits of a number that is scattered over all days, products and shops.
    f"""CREATE TABLE sales AS SELECT DATE '2023-01-01' + CAST(n % 1096 AS INTEGER) AS sold_on,
        CAST(n // 7 % 1200 AS INTEGER) AS product_id,
        CASE WHEN n % 11 > 0 THEN CAST(n // 13 % 12 AS INTEGER) END AS shop_id,
        CAST(1 + n % 4 AS INTEGER) AS quantity,
        CAST((1 + n % 4) * (199 + n // 7 % 1200) / 100 AS DECIMAL(10, 2)) AS amount,
        CAST((1 + n % 4) * (120 + n // 7 % 700) / 100 AS DECIMAL(10, 2)) AS cost
        FROM (SELECT i * 7919 % 999983 AS n FROM range({SALES}) AS t (i))""",
)
"""SQL of DuckDB. A sale on the web has no shop."""

_QUERIES = (
    'SELECT "Region", "Revenue", "Margin" FROM shop_sales GROUP BY 1 ORDER BY 1',
    'SELECT "Category", "Pieces" FROM shop_sales WHERE "Year" = 2025 GROUP BY 1 ORDER BY 2 DESC LIMIT 3',
    'SELECT "Article", "Revenue" FROM shop_sales GROUP BY 1 ORDER BY 2 DESC LIMIT 3',
)
"""The last one is finer than each of the aggregates."""

_NEXT = (
    ("which tables there are now", "atscale-aggs instances"),
    ("the same answer, computed from the facts", f"atscale-aggs query --no-aggregates {shlex.quote(_QUERIES[0])}"),
    ("why no aggregate answered, and what would help", f"atscale-aggs explain {shlex.quote(_QUERIES[-1])}"),
    ("add sales of your own, then build again", "atscale-aggs build shop_sales"),
)


@click.command(cls=Verb, example="atscale-aggs demo --folder /tmp/demo")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help=f"Where everything is put: a new or an empty folder.  [{FOLDER}]",
)
@click.option("--keep/--no-keep", default=True, help="Leave the folder there at the end.  [--keep]")
def demo(*, folder: Path | None, keep: bool) -> None:
    """Make a small star in DuckDB, deploy its model, build its aggregates, ask queries; half a minute at most.

    Use it to see what this program does before you have a model. It needs no Airflow, and no warehouse but a file in
    the folder. Each step is a command that you can run yourself.
    """
    place = (folder or Path(FOLDER)).absolute()
    _check(place)
    started = time.monotonic()
    is_new = not place.exists()
    place.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.chdir(place), _without_settings():
            _make_star()
            _run_commands()
    finally:
        if not keep:
            _remove(place, is_new=is_new)
    say(f"\nDone in {time.monotonic() - started:.0f} s.{'' if keep else ' The folder is removed.'}")
    if keep:
        _tell_what_is_next(place)


def _check(place: Path) -> None:
    """See that the demo can run, and that it writes over nothing.

    Raises:
        click.ClickException: DuckDB is not installed, or something is in the folder.
    """
    if not place.is_dir() and place.exists():
        raise click.UsageError(f"{place} is a file: name a folder with --folder.")
    if place.is_dir() and any(place.iterdir()):
        raise click.UsageError(f"The folder {place} is not empty: name another one with --folder, or remove it.")
    try:
        import duckdb  # noqa: F401
    except ImportError as error:
        message = "The demo needs DuckDB: pip install 'airflow-atscale-aggs[duckdb]'"
        raise click.ClickException(message) from error


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """Leave out, for the length of a block, what the environment says about registry and warehouse."""
    names = [name for name in os.environ if name.startswith("ATSCALE_AGGS_")]
    before = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(before)


def _make_star() -> None:
    """Write the model and the tables into the current folder."""
    with resources.as_file(resources.files("airflow_atscale_aggs.cli") / "demo_model") as model:
        shutil.copytree(model, "model")
    with _open() as workspace, workspace.warehouse.session() as session:
        for statement in _STAR:
            session.execute(statement)
    say(f"A star in DuckDB: {SALES:,} sales of 1,200 products in 12 shops on 1,096 days.  [warehouse.duckdb]")
    say("A model of it in SML: dimensions, metrics and four aggregates.  [model]")


def _open() -> Workspace:
    from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace

    return open_workspace(registry=DEFAULT_REGISTRY, warehouse=DEFAULT_WAREHOUSE)


def _run_commands() -> None:
    """Deploy, build and ask, each as the command that does it.

    Raises:
        click.ClickException: a command failed; it has told why.
    """
    from airflow_atscale_aggs.cli.main import run

    for arguments in (["deploy", "model"], ["build", "shop_sales"], *(["query", sql] for sql in _QUERIES)):
        say(f"\n$ {shlex.join(['atscale-aggs', *arguments])}")
        failed = run(arguments)
        sys.stdout.flush()
        if failed:
            message = "The demo ended early: the command above failed."
            raise click.ClickException(message)


def _remove(place: Path, *, is_new: bool) -> None:
    """Remove what the demo has made, and its folder where it has made that too."""
    for made in place.iterdir():
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    if is_new:
        place.rmdir()


def _tell_what_is_next(place: Path) -> None:
    """Commands to go on with, and where things are."""
    shown = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    say(f"\nGo on in the folder:\n  cd {shlex.quote(str(shown))}")
    for why, command in _NEXT:
        say(f"  {command}\n      {why}")
    say("With tables of your own: `atscale-aggs init --help`. In Airflow: docs/installing.md.")
