"""The verb ``check-warehouse``: it tries on a warehouse what the engine needs, and tells what works."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import hide_secrets, remember_connection
from airflow_atscale_aggs.cli.output import counted, print_json, say, say_from_handler, seconds
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, CheckReport


@click.command(cls=Verb, example="atscale-aggs check-warehouse trino://me@host:8080/catalog --schema scratch")
@click.argument("url")
@click.option(
    "--schema",
    metavar="NAME",
    default="atscale_aggs_check",
    show_default=True,
    help="Schema to work in; it must be empty, or not there.",
)
@click.option("--keep", is_flag=True, help="Leave everything in the schema, to look at.")
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check_warehouse(ctx: click.Context, /, url: str, schema: str, *, keep: bool, as_json: bool) -> int:
    """Tell what works on a warehouse: whether it means by SQL what aggregates rely on, and each thing that is done.

    Use it before you use a warehouse for the first time, and after its version has changed. A small star is loaded into
    a schema of its own. Aggregates of every kind are built, grown, compared and asked. Views are switched under
    readers, and a session is ended in the middle. All of it is dropped again, also after a failure and after Ctrl-C.
    Nothing else is touched. It takes a minute or two. Exit code 1 says that something does not work.

    docs/warehouses.md tells what each line means, and how to send the output of a warehouse that we cannot run.
    """
    from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import CheckOptions
    from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import check_warehouse as run
    from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

    # Secrets of the URL are hidden in whatever is said of it.
    remember_connection(ctx, {"warehouse": url})
    warehouse = open_warehouse(url)
    try:
        with _interrupted_once() as came:
            listen = (lambda _: None) if as_json else say
            options = CheckOptions(schema=schema, keep=keep, listen=listen, is_stopped=came.is_set)
            report = run(warehouse, options)
    finally:
        warehouse.close()
    # What drivers say may repeat the URL.
    report = replace(report, capabilities=tuple(_without_secrets(found, ctx) for found in report.capabilities))
    if as_json:
        print_json(_document(report))
    else:
        _show(report, is_kept=keep)
    return 0 if report.works else 1


@contextlib.contextmanager
def _interrupted_once() -> Iterator[threading.Event]:
    """The first SIGINT or SIGTERM ends the check; later ones do not keep it from dropping what it has made.

    The block gets the event of a signal that came.
    """
    came = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if came.is_set():
            say_from_handler("What was made is being dropped; wait a little.")
            return
        came.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _without_secrets(found: Capability, ctx: click.Context) -> Capability:
    return replace(found, detail=hide_secrets(found.detail, ctx.find_root().obj))


def _show(report: CheckReport, *, is_kept: bool) -> None:
    """Print a line per capability, then how many work."""
    rows = [(capability.name, capability.verdict, capability.detail) for capability in report.capabilities]
    print_table(("capability", "verdict", "what was seen"), rows)
    verdicts = [str(capability.verdict) for capability in report.capabilities]
    numbers = ", ".join(
        f"{verdicts.count(verdict)} {words}"
        for verdict, words in (
            ("works", "work"),
            ("works with a difference", "with a difference"),
            ("does not work", "not"),
        )
    )
    version = f", {report.version}" if report.version else ""
    many = counted(len(verdicts), "capability", "capabilities")
    say(f"{report.dialect} ({report.proven}{version}): of {many} {numbers}; {seconds(report.seconds)} s.")
    if is_kept:
        say(f"Schema `{report.schema}` holds what was made; drop it before the next check.")
    if report.proven != "run in CI":
        say("Send us what --json prints: docs/warehouses.md tells how.")


def _document(report: CheckReport) -> dict[str, object]:
    return {
        "dialect": report.dialect,
        "proven": report.proven,
        "version": report.version,
        "schema": report.schema,
        "seconds": round(report.seconds, 3),
        "works": report.works,
        "capabilities": [
            {name: getattr(capability, name) for name in ("name", "verdict", "detail")}
            for capability in report.capabilities
        ],
    }
