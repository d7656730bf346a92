"""Signals in objects of an S3 server that runs on this machine."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import s3fs

from airflow_atscale_aggs.hooks.object_storage import open_filesystem
from airflow_atscale_aggs.signals.signal import Signal
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Watch, Watcher
from tests.support.s3_server import allow_actions, s3_server


class _S3:
    """A writer with connections of its own, so that the watcher's caches are put to the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
        self.files.mkdir("lake")

    def deny_everything(self) -> None:
        allow_actions(self.url, "0")


@pytest.fixture
def s3() -> Iterator[_S3]:
    with s3_server() as url:
        yield _S3(url)


def _watcher(*paths: str, **options: Any) -> Watcher:
    return Watcher(Watch(paths, settle_seconds=0, **options), open_filesystem)


def test_objects_appear_and_are_overwritten(s3: _S3) -> None:
    """The etag tells two contents of one size apart that were written within one second."""
    watcher = _watcher("s3://lake/exact/_SUCCESS", "s3://lake/day=*/_SUCCESS")
    look = watcher.look(1)
    assert (look.problems, look.hopeless) == ([], [])
    assert look.missing == ["s3://lake/exact/_SUCCESS", "s3://lake/day=*/_SUCCESS"]
    for name in ("exact", "day=1", "day=2", "other"):
        s3.files.pipe(f"lake/{name}/_SUCCESS", b"1")
    assert sorted((signal.kind, signal.url) for signal in watcher.look(2).signals) == [
        ("appeared", "s3://lake/day=1/_SUCCESS"),
        ("appeared", "s3://lake/day=2/_SUCCESS"),
        ("appeared", "s3://lake/exact/_SUCCESS"),
    ]
    s3.files.pipe("lake/day=2/_SUCCESS", b"2")
    assert [(signal.kind, signal.url) for signal in watcher.look(3).signals] == [
        ("overwritten", "s3://lake/day=2/_SUCCESS")
    ]
    assert watcher.look(4).signals == []


def test_lines_of_an_object_that_is_written_anew_with_more_in_it(s3: _S3) -> None:
    """Storages without append write the whole log again; only what is new counts."""
    content = b"ETL finished a status=0\n"
    s3.files.pipe("lake/etl.log", content)
    watcher = _watcher("s3://lake/etl.log", pattern="finished .* status=0", existing=True)
    assert [signal.text for signal in watcher.look(1).signals] == ["ETL finished a status=0"]
    content += b"ETL finished b status=1\nETL finished c status=0\n"
    s3.files.pipe("lake/etl.log", content)
    assert [signal.text for signal in watcher.look(2).signals] == ["ETL finished c status=0"]
    s3.files.mv("lake/etl.log", "lake/etl.log.1")
    s3.files.pipe("lake/etl.log", b"ETL finished d status=0\n")
    assert [signal.text for signal in watcher.look(3).signals] == ["ETL finished d status=0"]
    assert watcher.look(4).signals == []


def test_a_missing_bucket_and_no_permission(s3: _S3) -> None:
    """The first may come, the second is an error."""
    look = _watcher("s3://no-such-bucket/_SUCCESS", "s3://no-such-bucket/*/_SUCCESS").look(1)
    assert (len(look.missing), look.problems, look.hopeless) == (2, [], [])
    s3.deny_everything()
    look = _watcher("s3://lake/_SUCCESS").look(1)
    assert str(look.hopeless[0]).startswith("No permission to read `s3://lake/_SUCCESS`")


@pytest.mark.slow
def test_a_thousand_objects_each_once(s3: _S3) -> None:
    """The watcher is killed again and again, before and after its state is written."""
    rng = random.Random(5)
    watch = Watch(("s3://lake/in/*.done",), settle_seconds=0)
    stored: str | None = None
    signals: list[Signal] = []
    watcher = Watcher(watch, open_filesystem)
    written = 0
    while written < 1000 or watcher.look(1).signals or watcher.state.untold:
        batch = {f"lake/in/{number:04d}.done": b"" for number in range(written, min(written + 90, 1000))}
        s3.files.pipe(batch)
        written += len(batch)
        look = watcher.look(1)
        fate = rng.choice(["lives", "lives", "before writing", "before telling", "before confirming"])
        if fate != "before writing":
            stored = json.dumps(watcher.state.to_json())
            if fate != "before telling":
                signals += look.signals
            if fate == "lives":
                watcher.confirm(watcher.state.untold)
                stored = json.dumps(watcher.state.to_json())
                continue
        watcher = Watcher(watch, open_filesystem, WatchState.from_json(json.loads(stored) if stored else None))
        signals += watcher.state.untold
        watcher.confirm(watcher.state.untold)

    by_url: dict[str, set[str]] = {}
    for signal in signals:
        by_url.setdefault(signal.url, set()).add(signal.id)
    assert sorted(by_url) == [f"s3://lake/in/{number:04d}.done" for number in range(1000)]
    assert all(len(ids) == 1 for ids in by_url.values())
