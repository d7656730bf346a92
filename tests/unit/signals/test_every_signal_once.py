"""Whatever happens to files, and wherever the watcher is killed: each signal is told, and told as the same one."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import fsspec
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from airflow_atscale_aggs.signals.reading import Budget
from airflow_atscale_aggs.signals.signal import Signal
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Watch, Watcher

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
_SETTINGS = settings(
    max_examples=_EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


class _Crashes(RuleBasedStateMachine):
    """A watcher that writes its state down as JSON, and is killed before, between and after writing and telling."""

    watch: Watch

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.stored: str | None = None
        self.told: list[Signal] = []
        self.clock = 0.0
        self.budget = Budget(1 << 20, 1000)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def start(self) -> None:
        state = WatchState.from_json(json.loads(self.stored)) if self.stored else None
        new_budget = lambda: Budget(self.budget.read_bytes, self.budget.signals)  # noqa: E731
        self.watcher = Watcher(self.watch, fsspec.core.url_to_fs, state, new_budget)
        self.told += self.watcher.state.untold  # told again: nobody knows whether they were stored
        self.watcher.confirm(self.watcher.state.untold)

    def write_state(self) -> None:
        self.stored = json.dumps(self.watcher.state.to_json())

    def tick(self) -> float:
        """Time goes on; the clock of the files is set by hand, so that it never stands still."""
        self.clock += 1
        return self.clock

    def touch(self, path: Path) -> None:
        time = 1_700_000_000 + self.tick()
        os.utime(path, (time, time))

    @rule(killed=st.sampled_from(["no", "no", "no", "before writing", "before telling", "before confirming"]))
    def look(self, killed: str) -> None:
        look = self.watcher.look(self.tick())
        assert not look.problems, look.problems
        if killed == "before writing":
            self.start()
            return
        if look.is_changed:
            self.write_state()
        self.after_writing()
        if killed == "before telling":
            self.start()
            return
        self.told += look.signals
        if killed == "before confirming":
            self.start()
            return
        self.watcher.confirm(look.signals)
        self.write_state()

    def after_writing(self) -> None:
        """What the state now holds can be taken away."""

    @rule()
    def restart(self) -> None:
        self.start()

    def look_until_quiet(self) -> None:
        quiet = 0
        for _ in range(500):
            look = self.watcher.look(self.tick())
            self.told += look.signals
            quiet = 0 if look.signals or look.is_more else quiet + 1
            if quiet == 3:
                return
        raise AssertionError("it never comes to an end")


class LogIsWatched(_Crashes):
    """Appends, rotation by renaming, rotation by copying, truncation."""

    @initialize(
        existing=st.booleans(), budget=st.sampled_from([Budget(1 << 20, 1000), Budget(40, 1000), Budget(1 << 20, 1)])
    )
    def begin(self, existing: bool, budget: Budget) -> None:
        self.log = self.folder / "etl.log"
        self.budget = budget
        self.watch = Watch((str(self.log),), pattern="^DONE ", settle_seconds=0, existing=True)
        self.expected: set[str] = set()  # must be told
        self.unread: set[str] = set()  # stand in the log and may not be told yet
        self.possible: set[str] = set()  # were truncated away, told or not
        self.number = 0
        self.rotations = 0
        if existing:
            self.append(2)
        self.start()
        self.look(killed="no")  # what is beside the log before the first look counts as old

    def append_text(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)
        self.touch(self.log)

    @rule(lines=st.integers(1, 3))
    def append(self, lines: int) -> None:
        for _ in range(lines):
            self.number += 1
            text = f"{'DONE' if self.number % 3 else 'busy'} {self.number:06d}"
            self.append_text(text + "\n")
            if text.startswith("DONE"):
                self.expected.add(text)
                self.unread.add(text)

    @rule()
    def append_undecodable(self) -> None:
        with self.log.open("ab") as file:
            file.write(b"\xff\xfe\x00 DONE is not at the beginning\n")
        self.touch(self.log)

    @rule()
    def rotate_by_renaming(self) -> None:
        assume(self.log.exists() and self.log.stat().st_size and self.rotations < 12)
        self.shift()
        self.log.rename(self.folder / "etl.log.1")

    @rule()
    def rotate_by_copying(self) -> None:
        assume(self.log.exists() and self.log.stat().st_size and self.rotations < 12)
        self.shift()
        shutil.copyfile(self.log, self.folder / "etl.log.1")
        self.touch(self.folder / "etl.log.1")
        os.truncate(self.log, 0)
        self.touch(self.log)

    @rule()
    def truncate(self) -> None:
        """Lines that nobody has read yet are gone; whether they are told depends on when we looked last."""
        assume(self.log.exists())
        there = {line for line in self.log.read_text(errors="replace").splitlines() if line.startswith("DONE")}
        gone = there & self.unread
        self.possible |= gone
        self.expected -= gone
        os.truncate(self.log, 0)
        self.touch(self.log)

    def shift(self) -> None:
        self.rotations += 1
        for number in range(self.rotations, 0, -1):
            old = self.folder / f"etl.log.{number}"
            if old.exists():
                old.rename(self.folder / f"etl.log.{number + 1}")

    def after_writing(self) -> None:
        # What was read may still wait as untold; it is safe against truncation once the state is written.
        state = WatchState.from_json(json.loads(self.stored)) if self.stored else WatchState()
        self.unread -= {signal.text for signal in (*self.told, *state.untold)}

    def teardown(self) -> None:
        if hasattr(self, "watcher"):
            self.look_until_quiet()
            texts = {signal.id: signal.text for signal in self.told}
            assert len(set(texts.values())) == len(texts), "one line has two identities"
            assert self.expected <= set(texts.values()) <= self.expected | self.possible
        super().teardown()


class MarkersAreWatched(_Crashes):
    """Files of a glob appear, are overwritten, vanish."""

    @initialize()
    def begin(self) -> None:
        self.watch = Watch((str(self.folder / "*" / "_SUCCESS"),), settle_seconds=0)
        self.seen: set[tuple[str, float, int]] = set()
        self.start()

    @rule(name=st.sampled_from("abc"), size=st.integers(0, 2))
    def write(self, name: str, size: int) -> None:
        path = self.folder / name / "_SUCCESS"
        path.parent.mkdir(exist_ok=True)
        path.write_text("x" * size)
        self.touch(path)

    @rule(name=st.sampled_from("abc"))
    def delete(self, name: str) -> None:
        (self.folder / name / "_SUCCESS").unlink(missing_ok=True)

    def after_writing(self) -> None:
        for path in self.folder.glob("*/_SUCCESS"):
            self.seen.add((str(path), path.stat().st_mtime, path.stat().st_size))

    def teardown(self) -> None:
        if hasattr(self, "watcher"):
            self.look_until_quiet()
            self.after_writing()
            assert len({signal.id for signal in self.told}) == len(self.seen)
            assert {signal.url for signal in self.told} == {url for url, _, _ in self.seen}
        super().teardown()


TestLogIsWatched = LogIsWatched.TestCase
TestLogIsWatched.settings = _SETTINGS
TestMarkersAreWatched = MarkersAreWatched.TestCase
TestMarkersAreWatched.settings = _SETTINGS
