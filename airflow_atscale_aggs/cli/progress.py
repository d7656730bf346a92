"""Shows the progress of a batch: bars on a terminal, lines in a log, nothing for programs."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_atscale_aggs.cli.output import counted, say, seconds, visible

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent

_NAME_WIDTH, _BAR_WIDTH = 30, 16
_STYLES = {"failed": "red", "undecided": "yellow"}


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
        elif line := _line(event):
            say(line)

    def _show_bars(self, event: BuildEvent) -> None:
        """The same lines as in a log, above bars that are taken down at the end."""
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        match event.kind:
            case "batch":
                self._whole = self._bars.add_task("all aggregates", total=event.total, note="")
            case "start":
                self._running[event.instance_id] = self._bars.add_task(event.aggregate, total=None, note="")
            case "source":
                self._bars.update(self._running[event.instance_id], note=f"from {event.source}")
            case "done" | "failed":
                self._bars.remove_task(self._running.pop(event.instance_id))
        if line := _line(event):
            style = _STYLES.get(event.kind)
            self._bars.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        if event.kind == "done":
            self._bars.advance(self._whole)


def _line(event: BuildEvent) -> str:
    """What is written of an event; empty: nothing."""
    place = f"[{event.position + 1}/{event.total}]"
    match event.kind:
        case "batch":
            return f"{event.text} {counted(event.total, 'aggregate')} to build."
        case "done":
            rows = counted(event.rows or 0, "row")
            return f"{place} {event.aggregate}: {rows} in {seconds(event.seconds)} s from {event.source}"
        case "failed":
            return f"{place} {event.text}"
        case "undecided":
            return f"{place} {event.aggregate}: not verified: {event.text}"
    return ""


def _make_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # Long names are shortened, so that the bars keep their room.
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH)),
        BarColumn(_BAR_WIDTH, table_column=Column(min_width=_BAR_WIDTH)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=Console(stderr=True),
        transient=True,
    )
