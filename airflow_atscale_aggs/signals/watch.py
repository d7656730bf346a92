"""Looks at all watched paths and finds the new signals.

The order of events that loses nothing and tells nothing twice to whoever remembers identities:

    look ──▶ write the state down, with the signals as `untold` ──▶ tell them ──▶ stored? write the state without them
                                  └── killed from here on: the next one tells `untold` again, with the same identities
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from airflow_atscale_aggs.signals.errors import SignalError, WatchError
from airflow_atscale_aggs.signals.files import FileStat, OpenFilesystem, Place, has_magic
from airflow_atscale_aggs.signals.marks import is_marked, is_of_equal_file, mark_of
from airflow_atscale_aggs.signals.pattern import compile_pattern
from airflow_atscale_aggs.signals.reading import Budget
from airflow_atscale_aggs.signals.settling import Settling
from airflow_atscale_aggs.signals.signal import Kind, Signal, digest, file_signal, without_password
from airflow_atscale_aggs.signals.state import EntryState, WatchState
from airflow_atscale_aggs.signals.tail import Tail

_MOST_VANISHED = 10_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch.

    Attributes:
        paths: local paths or URLs of fsspec file systems, exact or globs.
        match: ``any``: a signal of one path is enough; ``all``: one of each is needed.
        pattern: an RE2 expression; lines with it are the signals. None: the files themselves are.
        settle_seconds: how long a file must stay the same before it counts; also how long an unfinished last line
            waits.
        existing: whether what is there at the very first look counts; None: files do, lines do not.
    """

    paths: tuple[str, ...]
    match: str = "any"
    pattern: str | None = None
    settle_seconds: float = 5.0
    existing: bool | None = None

    def check(self) -> None:
        """Find mistakes before anything waits for ever.

        Raises:
            WatchError: no path, an unknown way to match, a negative time.
            UnsafePatternError: the pattern is no RE2 expression.
        """
        if not self.paths or not all(isinstance(path, str) and path.strip() for path in self.paths):
            raise WatchError("paths", list(self.paths), "names no file")
        for path in self.paths:
            if "://" not in path and not path.startswith("/"):
                raise WatchError(
                    "paths", path, "is relative, so it means another file in each process; write it in full"
                )
        if self.match not in {"any", "all"}:
            raise WatchError("match", self.match, "is neither `any` nor `all`")
        if self.settle_seconds < 0:
            raise WatchError("settle_seconds", self.settle_seconds, "is negative")
        if self.pattern is not None:
            compile_pattern(self.pattern)

    @property
    def key(self) -> str:
        """Under which name the state is kept: what changes the meaning of a signal is part of it."""
        return digest("watch", self.match, self.pattern, *sorted(self.paths))

    @property
    def has_existing(self) -> bool:
        """Whether what is there at the very first look counts."""
        return self.pattern is None if self.existing is None else self.existing


@dataclass(slots=True)
class Look:
    """What one look saw.

    Attributes:
        signals: new ones; of a watch for ``all``: empty until every path has one.
        is_changed: whether the state must be written down.
        is_more: whether more waits to be read; look again soon.
        missing: entries of which there is no file.
        hopeless: what only a person can change: no permission, nothing installed for a URL.
        problems: (entry, what went wrong) for what may pass by itself: a network that is down.
        notes: sentences about rotation and the like.
    """

    signals: list[Signal] = field(default_factory=list)
    is_changed: bool = False
    is_more: bool = False
    missing: list[str] = field(default_factory=list)
    hopeless: list[SignalError] = field(default_factory=list)
    problems: list[tuple[str, Exception]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Watcher:
    """Looks at files, blocking; run it in a thread. Not for two threads at a time.

    Args:
        watch: what to watch.
        open_filesystem: from a URL to its file system.
        state: what was remembered; None: nothing.
        new_budget: what one look may read and find.

    Raises:
        WatchError: the watch makes no sense.
        UnsafePatternError: its pattern is refused.
    """

    def __init__(
        self,
        watch: Watch,
        open_filesystem: OpenFilesystem,
        state: WatchState | None = None,
        new_budget: Callable[[], Budget] = Budget,
    ) -> None:
        watch.check()
        self.watch, self.state = watch, state or WatchState()
        self._open_filesystem, self._new_budget = open_filesystem, new_budget
        self._places: dict[str, Place] = {}
        self._tails: dict[str, Tail] = {}
        self._settling = Settling(watch.settle_seconds)
        self._notes: list[str] = []
        self._refused: set[str] = set()
        for entry in set(self.state.entries) - set(watch.paths):
            del self.state.entries[entry]

    def look(self, now: float) -> Look:
        """Look at every path once; move the state.

        Args:
            now: seconds of any clock that only goes forward.
        """
        look, budget = Look(), self._new_budget()
        new_signals: list[tuple[str, Signal]] = []
        for entry in self.watch.paths:
            new_signals += [(entry, signal) for signal in self._look_safely(entry, look, budget, now)]
        for tail in self._tails.values():
            look.notes += tail.notes
            tail.notes.clear()
        look.notes += self._notes
        self._notes.clear()
        look.is_more = budget.is_spent
        look.signals = self._tell(new_signals)
        look.is_changed = look.is_changed or bool(new_signals)
        if look.is_changed:
            self.state.sequence += 1
        return look

    def confirm(self, signals: Sequence[Signal]) -> None:
        """Confirm that the receiver has stored these signals; they are not told again."""
        ids = {signal.id for signal in signals}
        self.state.untold = [signal for signal in self.state.untold if signal.id not in ids]
        self.state.sequence += 1

    def explain_missing(self, entry: str) -> str:
        """A sentence about an entry without a file."""
        return f"{without_password(entry)}: {self._place(entry).explain_missing()}"

    def _tell(self, new_signals: list[tuple[str, Signal]]) -> list[Signal]:
        """The signals that are complete and can be told. They are recorded as untold in the state."""
        if self.watch.match == "all":
            self.state.collected += new_signals
            if not set(self.watch.paths) <= {entry for entry, _ in self.state.collected}:
                return []
            new_signals, self.state.collected = self.state.collected, []
        signals = list({signal.id: signal for _, signal in new_signals}.values())
        untold_ids = {signal.id for signal in self.state.untold}
        self.state.untold += [signal for signal in signals if signal.id not in untold_ids]
        return signals

    def _look_safely(self, entry: str, look: Look, budget: Budget, now: float) -> list[Signal]:
        """The signals of one entry.

        If the entry cannot be read, its state stays as it is and the other entries are read.
        """
        before = self.state.entries.get(entry, EntryState())
        after = deepcopy(before)
        try:
            signals, is_there = self._look_at(entry, after, budget, now)
        except Exception as error:  # noqa: BLE001 - each storage has its own errors; one path must not stop the others
            # The state of the entry does not move, so its tail must forget what it has read.
            self._tails.pop(entry, None)
            self._places.pop(entry, None)
            if isinstance(error, SignalError):
                look.hopeless.append(error)
            else:
                look.problems.append((without_password(entry), error))
            return []
        if not is_there:
            look.missing.append(entry)
        if after != before:
            self.state.entries[entry] = after
            look.is_changed = True
        return signals

    def _look_at(self, entry: str, state: EntryState, budget: Budget, now: float) -> tuple[list[Signal], bool]:
        place = self._place(entry)
        if self.watch.pattern is None:
            stats = place.find()
            self._note_refusals(place)
            return self._compare(entry, state, stats, now), bool(stats)
        if entry not in self._tails:
            self._tails[entry] = Tail(place, compile_pattern(self.watch.pattern), self._settling)
        signals, is_there = self._tails[entry].look(state, budget, now=now, has_existing=self.watch.has_existing)
        self._note_refusals(place)
        return signals, is_there

    def _note_refusals(self, place: Place) -> None:
        """Note for each refused path of a glob, once, why it is not read."""
        new = [url for url in place.refused if url not in self._refused]
        self._notes += [str(place.refused[url]) for url in new]
        self._refused.update(new)

    def _compare(self, entry: str, state: EntryState, stats: Sequence[FileStat], now: float) -> list[Signal]:
        """Files that appeared or were overwritten and have settled since."""
        signals = []
        is_first, state.is_begun = not state.is_begun, True
        waiting = set()
        for stat in stats:
            mark, current = state.marks.get(stat.url), mark_of(stat)
            if mark is not None and is_marked(stat, mark, has_vanished=stat.url in state.vanished):
                self._settling.forget(stat.url)
                state.marks[stat.url] = current
            elif is_first and not self.watch.has_existing:
                state.marks[stat.url] = current
            elif self._settling.is_settled(stat.url, current, now):
                signals.append(_signal_of(stat, mark, state))
                state.marks[stat.url] = current
            else:
                waiting.add(stat.url)
        # That a file had vanished matters until the one that came back is judged.
        there = {stat.url for stat in stats} - (waiting & set(state.vanished))
        state.vanished = sorted(set(state.marks) - there)
        if has_magic(entry) and len(state.marks) > len(stats) + _MOST_VANISHED:
            state.marks = {stat.url: state.marks[stat.url] for stat in stats if stat.url in state.marks}
            state.vanished = [url for url in state.vanished if url in state.marks]
        return signals

    def _place(self, entry: str) -> Place:
        if entry not in self._places:
            filesystem, path = self._open_filesystem(entry)
            self._places[entry] = Place(entry, filesystem, path)
        return self._places[entry]


def _signal_of(stat: FileStat, mark: str | None, state: EntryState) -> Signal:
    """Another signal than every one before at this URL, also when size, time and etag are those of an earlier one."""
    kind: Kind = "overwritten" if mark and stat.url not in state.vanished else "appeared"
    if not is_of_equal_file(stat, mark):
        return file_signal(kind, stat.url, stat.identity, stat.text)
    state.next_generation += 1
    return file_signal(kind, stat.url, digest(stat.identity, stat.changed, state.next_generation), stat.text)
