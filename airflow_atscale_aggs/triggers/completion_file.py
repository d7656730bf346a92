"""A trigger that waits for files or lines: for a deferred sensor, and as a watcher of an asset.

As a watcher it tells every signal once to whoever remembers identities, across restarts and failovers of the triggerer:
signals are written into the asset's state before they are told, and removed after Airflow has stored the event. The
acknowledgements of a shared stream show that Airflow has stored it, so each watcher is a stream of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from functools import partial
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_atscale_aggs.hooks.object_storage import open_filesystem
from airflow_atscale_aggs.hooks.sentences import where_to_read_more
from airflow_atscale_aggs.signals.errors import SignalError
from airflow_atscale_aggs.signals.signal import Signal
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Look, Watch, Watcher

_QUIET_SECONDS = 60.0
"""How often a watcher repeats that it waits."""


class CompletionFileTrigger(BaseEventTrigger):
    """Waits until files appear or are overwritten, or lines with a pattern are appended.

    Deferred tasks get one event, with which the trigger ends. As a watcher of an asset
    (``Asset(name, watchers=[AssetWatcher(name=…, trigger=CompletionFileTrigger(…))])``) it goes on for ever and gives
    at most one event per look, with all signals of that look; remember ``signals[…]["id"]`` to act on each only once.

    Args:
        paths: one or many local paths or fsspec URLs, exact or globs; ``s3://conn_id@bucket/key`` names a connection.
        match: ``any`` or ``all`` of the paths.
        pattern: an RE2 expression: lines with it are the signals; None: the files are.
        poll_seconds: pause between two looks.
        settle_seconds: how long a file must stay the same before it counts.
        existing: whether what is there at the very first look counts; None: files do, lines do not.
        state: of a deferred task: what was seen before.
        deadline: of a deferred task: when to give up, in seconds since 1970.

    Raises:
        WatchError: the arguments make no sense.
        UnsafePatternError: the pattern is no RE2 expression.
    """

    def __init__(
        self,
        paths: str | Sequence[str],
        *,
        match: str = "any",
        pattern: str | None = None,
        poll_seconds: float = 10.0,
        settle_seconds: float = 5.0,
        existing: bool | None = None,
        state: dict[str, Any] | None = None,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.paths = [paths] if isinstance(paths, str) else list(paths)
        self.match, self.pattern, self.existing = match, pattern, existing
        self.poll_seconds, self.settle_seconds = poll_seconds, settle_seconds
        self.state, self.deadline = state, deadline
        self.watch = Watch(tuple(self.paths), match, pattern, settle_seconds, existing)
        self.watch.check()
        self._log_lines = WaitingLines(self)
        self._turn = asyncio.Lock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, from which another triggerer makes it again."""
        names = ("paths", "match", "pattern", "poll_seconds", "settle_seconds", "existing", "state", "deadline")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Of a deferred task: one event with ``status`` ``signals``, ``timeout`` or ``error``."""
        try:
            watcher = Watcher(self.watch, open_filesystem, WatchState.from_json(self.state))
            while True:
                look = await asyncio.to_thread(watcher.look, time.monotonic())
                if look.hopeless:
                    raise look.hopeless[0]
                if look.signals:
                    watcher.confirm(look.signals)
                    yield TriggerEvent(
                        {"status": "signals", **_payload_of(look.signals), "state": watcher.state.to_json()}
                    )
                    return
                await asyncio.to_thread(self._log_lines.write, watcher, look)
                if self.deadline is not None and time.time() >= self.deadline:
                    why = await asyncio.to_thread(explain_waiting, watcher, look)
                    yield TriggerEvent({"status": "timeout", "message": why})
                    return
                await asyncio.sleep(0 if look.is_more else self.poll_seconds)
        except SignalError as error:
            yield TriggerEvent({"status": "error", "message": str(error), "more": where_to_read_more(error)})

    def shared_stream_key(self) -> Hashable | None:
        """A stream of its own for each watcher; none for deferred tasks."""
        return None if self.asset_state_store is None else (type(self).__qualname__, self.watch.key, id(self))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """The producer that says when to look, and learns when an event is stored."""
        return _Ticks(float(kwargs["poll_seconds"]))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Of a watcher: look at each tick; one event for all signals of a look."""
        watcher = Watcher(self.watch, open_filesystem, await self._read_state())
        untold = list(watcher.state.untold)
        if untold:
            self.log.info("Telling %s signals again: it is not known whether they were heard.", len(untold))
        async for tick in shared_stream:
            async with self._turn:
                look = await asyncio.to_thread(watcher.look, time.monotonic())
                if look.is_changed:
                    await self._write_state(watcher.state)
            await asyncio.to_thread(self._log_lines.write, watcher, look)
            signals, untold = [*untold, *look.signals], []
            if signals:
                tick.is_stored = partial(self._record_stored_signals, watcher, signals)
                yield TriggerEvent(_payload_of(signals))
            tick.is_more = look.is_more
            tick.is_done.set()

    async def _record_stored_signals(self, watcher: Watcher, signals: Sequence[Signal]) -> None:
        async with self._turn:  # not while a look in its thread moves the same state
            watcher.confirm(signals)
            await self._write_state(watcher.state)

    async def _read_state(self) -> WatchState:
        """The newest state that any of the watched assets has; they differ when one was added later."""
        states = [WatchState.from_json(await store.aget(self._state_key)) for store in self._stores()]
        return max(states, key=lambda state: state.sequence)

    async def _write_state(self, state: WatchState) -> None:
        for store in self._stores():
            await store.aset(self._state_key, state.to_json())

    @property
    def _state_key(self) -> str:
        return f"completion_file:{self.watch.key}"

    def _stores(self) -> list[Any]:
        # Airflow makes one trigger of equal watchers of several assets; its accessor then wants to be told which asset
        # is meant, and has no public way to list them (Airflow 3.3.2, AssetStateStoreAccessors).
        store = self.asset_state_store
        by_name: dict[str, Any] = getattr(store, "_by_name", {})
        return list(by_name.values()) or [store]


class _Tick:
    """One turn: the watcher looks when it gets it; the stream goes on when it is done."""

    def __init__(self) -> None:
        self.is_done = asyncio.Event()
        self.is_more = False
        self.is_stored: Any = None


class _Ticks(SharedStreamProducer):
    """Gives a tick when it is time to look, and confirms the event of a tick when Airflow has stored it."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds

    async def open_stream(self) -> AsyncIterator[tuple[_Tick, _Tick]]:
        """For ever."""
        while True:
            tick = _Tick()
            yield tick, tick
            await tick.is_done.wait()
            await asyncio.sleep(1 if tick.is_more else self._poll_seconds)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """The events of these ticks are stored, or failed; what failed stays untold and is told again."""
        for tick, outcome in batch:
            if outcome.is_clean and tick.is_stored is not None:
                await tick.is_stored()


class WaitingLines:
    """Writes to the log why nothing happens: at once when that changes, then once a minute."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._last: tuple[object, float] = ((), 0.0)

    def write(self, watcher: Watcher, look: Look) -> None:
        """Blocks: it may ask the file system."""
        for note in look.notes:
            self._owner.log.warning("%s", note)
        reason = (tuple(look.missing), tuple(map(str, look.hopeless)), tuple(entry for entry, _ in look.problems))
        last_reason, logged_at = self._last
        if not any(reason) or (reason == last_reason and time.monotonic() - logged_at < _QUIET_SECONDS):
            return
        self._last = (reason, time.monotonic())
        self._owner.log.warning("Waiting: %s", explain_waiting(watcher, look))


def explain_waiting(watcher: Watcher, look: Look) -> str:
    """What is missing, in one sentence for each path."""
    reasons = [watcher.explain_missing(entry) for entry in look.missing]
    reasons += [str(error) for error in look.hopeless]
    reasons += [f"{entry} cannot be looked at now: {type(error).__name__}: {error}" for entry, error in look.problems]
    there = [path for path in watcher.watch.paths if path not in look.missing]
    if not reasons and watcher.watch.pattern is not None:
        reasons = [f"no new line with `{watcher.watch.pattern}` in {', '.join(there)}"]
    return "; ".join(reasons) or f"nothing new, or not settled yet: {', '.join(there)}"


def _payload_of(signals: Sequence[Signal]) -> dict[str, Any]:
    return {"signals": [signal.as_dict() for signal in signals]}
