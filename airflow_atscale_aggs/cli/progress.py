"""Shows the progress of a batch: bars on a terminal, lines in a log, nothing for programs."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_atscale_aggs.cli.output import counted, say, seconds, visible

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent


class BuildProgress:
    """Listens to build events. Safe to be called from several threads."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._bars: Any = None
        self._whole: Any = None
        self._running: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bars down."""
        bars, self._bars = self._bars, None
        if bars is not None:
            bars.stop()

    def __call__(self, event: BuildEvent) -> None:
        """Show one event."""
        if self._is_silent:
            return
        event = replace(event, aggregate=visible(event.aggregate), text=visible(event.text))
        if sys.stderr.isatty():
            self._show_bars(event)
        else:
            self._show_line(event)

    def _show_line(self, event: BuildEvent) -> None:
        place = f"[{event.position + 1}/{event.total}]"
        match event.kind:
            case "batch":
                say(f"{event.text} {counted(event.total, 'aggregate')} to build.")
            case "done":
                say(f"{place} {_built(event)}")
            case "failed":
                say(f"{place} {event.text}")
            case "undecided":
                say(f"{place} {event.aggregate}: not verified: {event.text}")

    def _show_bars(self, event: BuildEvent) -> None:
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        match event.kind:
            case "batch":
                self._whole = self._bars.add_task("all aggregates", total=event.total, note=event.text)
            case "start":
                self._running[event.instance_id] = self._bars.add_task(event.aggregate, total=None, note="")
            case "source":
                self._bars.update(self._running[event.instance_id], note=f"from {event.source}")
            case "done":
                self._bars.remove_task(self._running.pop(event.instance_id))
                self._bars.console.print(
                    _built(event),
                    markup=False,
                    highlight=False,
                )
                self._bars.advance(self._whole)
            case "undecided":
                self._bars.console.print(
                    f"{event.aggregate}: not verified: {event.text}", style="yellow", markup=False, highlight=False
                )
            case "failed":
                self._bars.remove_task(self._running.pop(event.instance_id))
                self._bars.console.print(event.text, style="red", markup=False, highlight=False)


def _built(event: BuildEvent) -> str:
    """An aggregate that is built: its rows, how long it took, and from what."""
    return f"{event.aggregate}: {counted(event.rows or 0, 'row')} in {seconds(event.seconds)} s from {event.source}"


def _make_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
