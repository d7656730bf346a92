"""The trigger without a triggerer: as a watcher in Airflow's own shared streams, and deferred."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_atscale_aggs.signals.errors import UnsafePatternError, WatchError
from airflow_atscale_aggs.signals.signal import read_signals
from airflow_atscale_aggs.triggers import completion_file
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger

pytestmark = pytest.mark.airflow


class _Store:
    """What the triggerer injects: the state of one asset, kept as JSON."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


class _Triggerer:
    """Runs a watcher as the triggerer does; ``kill`` ends it where it stands, ``store_events`` is the metadata
    database.
    """

    def __init__(self, make: Callable[[], CompletionFileTrigger], store: Any) -> None:
        self.make, self.store = make, store
        self.events: list[TriggerEvent] = []
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.manager = SharedStreamManager(max_subscriber_queue=10, ack_timeout=30)
        self.unconfirmed: list[int] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        trigger = self.make()
        trigger.asset_state_store = self.store
        key = trigger.shared_stream_key()
        assert key is not None
        stream = self.manager.subscribe(trigger_id=1, trigger=trigger, key=key)
        async for event in trigger.filter_shared_stream(stream):
            self.events.append(event)
            pending = self.manager.bind_pending_event(trigger_id=1, key=key)
            assert pending is not None
            self.unconfirmed.append(pending)

    def store_events(self) -> None:
        self.manager.confirm_persisted(self.unconfirmed)
        self.unconfirmed = []

    async def kill(self) -> None:
        assert self.task
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.manager.stop_all()


async def _until(is_so: Callable[[], Any], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


def _run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 30))


def _watch(path: Path, **options: Any) -> Callable[[], CompletionFileTrigger]:
    return lambda: CompletionFileTrigger(str(path), poll_seconds=0.02, settle_seconds=0, **options)


def test_an_event_that_was_not_stored_is_told_again_as_the_same_signal(tmp_path: Path) -> None:
    """It is told again if the triggerer was killed between telling and storing, and not if it was killed after."""
    marker = tmp_path / "_SUCCESS"
    marker.touch()

    async def story() -> None:
        triggerer = _Triggerer(_watch(marker), _Store())
        triggerer.start()
        await _until(lambda: triggerer.events)
        await triggerer.kill()
        triggerer.start()
        await _until(lambda: len(triggerer.events) == 2)
        triggerer.store_events()
        await _until(lambda: not _untold(triggerer.store))
        await triggerer.kill()
        triggerer.start()
        await asyncio.sleep(0.3)
        assert len(triggerer.events) == 2
        assert len(read_signals(event.payload for event in triggerer.events)) == 1
        marker.write_text("again")
        await _until(lambda: len(triggerer.events) == 3)
        await triggerer.kill()
        assert len(read_signals(event.payload for event in triggerer.events)) == 2

    _run(story)


def _untold(store: _Store) -> list[Any]:
    [value] = store.values.values()
    return json.loads(value)["untold"]


def test_one_event_carries_all_signals_of_a_look(tmp_path: Path) -> None:
    """A burst on one asset would lose wake-ups."""

    async def story() -> None:
        triggerer = _Triggerer(_watch(tmp_path / "*.csv"), _Store())
        for number in range(50):
            (tmp_path / f"{number}.csv").touch()
        triggerer.start()
        await _until(lambda: triggerer.events)
        await triggerer.kill()
        [event] = triggerer.events
        assert len(event.payload["signals"]) == 50

    _run(story)


def test_two_assets_with_equal_watchers_share_a_state(tmp_path: Path) -> None:
    """Airflow makes one trigger of them; an asset that is added later does not start anew."""
    marker = tmp_path / "_SUCCESS"
    marker.touch()

    class Both:
        def __init__(self, **stores: _Store) -> None:
            self._by_name = stores

    async def story() -> None:
        first, second = _Store(), _Store()
        triggerer = _Triggerer(_watch(marker), first)
        triggerer.start()
        await _until(lambda: triggerer.events)
        triggerer.store_events()
        await _until(lambda: not _untold(first))
        await triggerer.kill()
        both = _Triggerer(_watch(marker), Both(a=second, b=first))
        both.start()
        await asyncio.sleep(0.2)
        assert both.events == []
        marker.write_text("again")
        await _until(lambda: both.events)
        await both.kill()
        assert first.values == second.values

    _run(story)


def test_a_slow_file_system_does_not_block_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The triggerer's other triggers go on while a network share hangs."""
    is_looking, may_answer = threading.Event(), threading.Event()

    def hang(url: str) -> None:
        is_looking.set()
        may_answer.wait(10)
        raise OSError("timed out")

    monkeypatch.setattr(completion_file, "open_filesystem", hang)

    async def story() -> None:
        triggerer = _Triggerer(_watch(tmp_path / "a"), _Store())
        triggerer.start()
        await _until(is_looking.is_set)
        before = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert time.monotonic() - before < 2
        may_answer.set()
        await triggerer.kill()

    _run(story)


def test_it_says_once_what_it_waits_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line when the reason changes, not one for each look."""

    async def story() -> None:
        triggerer = _Triggerer(_watch(tmp_path / "gone" / "a"), _Store())
        triggerer.start()
        await asyncio.sleep(0.5)
        await triggerer.kill()

    _run(story)
    assert capsys.readouterr().out.count("not even the folder") == 1


def test_a_deferred_task_gets_one_event(tmp_path: Path) -> None:
    """The trigger goes on from the state that the task gave, and returns the state to go on from."""
    marker = tmp_path / "_SUCCESS"

    async def event_of(trigger: CompletionFileTrigger) -> Any:
        assert trigger.shared_stream_key() is None
        return [event.payload async for event in trigger.run()]

    async def story() -> None:
        marker.touch()
        [first] = await event_of(_watch(marker)())
        assert (first["status"], len(first["signals"])) == ("signals", 1)
        [second] = await event_of(_watch(marker, state=first["state"], deadline=time.time() + 0.2)())
        assert second == {"status": "timeout", "message": f"nothing new, or not settled yet: {marker}"}
        [third] = await event_of(_watch(tmp_path / "log", pattern="x", deadline=time.time() + 0.1)())
        assert third["message"] == f"{tmp_path}/log: there is no such file"
        [fourth] = await event_of(CompletionFileTrigger("nothing-like-it://bucket/key"))
        assert fourth["status"] == "error"
        assert "Install the fsspec package" in fourth["message"]

    _run(story)


def test_it_survives_serialization(tmp_path: Path) -> None:
    """What Airflow writes into its database makes the same trigger; a string is one path."""
    trigger = CompletionFileTrigger(str(tmp_path / "a"), match="all", pattern="x", poll_seconds=3, existing=True)
    watcher = AssetWatcher(name="files", trigger=trigger)
    assert Asset("etl", watchers=[watcher]).watchers[0].trigger is trigger

    encoded = json.loads(json.dumps(encode_trigger(trigger)))
    module, _, name = encoded["classpath"].rpartition(".")
    kwargs = {key: smart_decode_trigger_kwargs(value) for key, value in encoded["kwargs"].items()}

    assert (module, name) == (CompletionFileTrigger.__module__, "CompletionFileTrigger")
    assert CompletionFileTrigger(**kwargs).serialize() == trigger.serialize()


def test_mistakes_are_found_when_the_dag_is_read() -> None:
    """They are not found only later, in the log of the triggerer."""
    with pytest.raises(UnsafePatternError):
        CompletionFileTrigger("/etl.log", pattern="(?=x)")
    with pytest.raises(WatchError):
        CompletionFileTrigger("etl.log")
