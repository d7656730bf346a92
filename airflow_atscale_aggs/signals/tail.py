"""Follows the logs of one path or glob through appends, rotation and truncation.

last look        now                       what is read
log  (to 120)    log  (300 bytes)          log from 120
log  (to 120)    log.1 (150), log (20)     log.1 from 120, log from 0        rotated: known again by its bytes
log  (to 120)    log.2, log.1, log         log.2 from 120, log.1 and log from 0
log  (to 120)    log  (20)                 log from 0                        truncated, or rotated out of reach
log  (to 120)    log  (120, newer)         log from 0                        a status file, written anew with the same
line log → a (to 9)   log → b (20)              a from 9, b from 0                a link that leads to another log now
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from airflow_atscale_aggs.signals.errors import NotAFileError
from airflow_atscale_aggs.signals.files import CHUNK_BYTES, FileStat, Place
from airflow_atscale_aggs.signals.pattern import LinePattern
from airflow_atscale_aggs.signals.reading import (
    Budget,
    Progress,
    digest_bytes,
    find_end,
    read_exactly,
    read_lines,
    read_window,
)
from airflow_atscale_aggs.signals.settling import Settling
from airflow_atscale_aggs.signals.signal import Signal, line_signal, without_password
from airflow_atscale_aggs.signals.state import EntryState, Stream

_MOST_ROTATED = 3
"""Rotated logs that are still read: their writer may not have noticed yet."""

_MOST_PASSED = 200

_MOST_STATUS_BYTES = 64 << 10
"""The size up to which a file that is written anew with the same bytes is taken for a status file."""


@dataclass(slots=True)
class Tail:
    """Reads the logs of one entry. All that must survive a restart is in the state; other fields only save work.

    Attributes:
        place: where the logs are.
        pattern: what to find.
        settling: tells how long a file has been left alone.
    """

    place: Place
    pattern: LinePattern
    settling: Settling
    _read: dict[str, str] = field(default_factory=dict)  # URL to the version that was read to its end
    _must_list: bool = True  # something may be left to read that no stream stands for yet
    notes: list[str] = field(default_factory=list)

    def look(self, state: EntryState, budget: Budget, *, now: float, has_existing: bool) -> tuple[list[Signal], bool]:
        """The signals of lines that were appended since the last look; moves the state.

        Args:
            state: of the entry; changed.
            budget: what may be read and found; it is spent.
            now: seconds of any clock that only goes forward.
            has_existing: whether lines that stand there at the very first look count.

        Returns:
            The signals, and whether the entry's file exists.
        """
        self.place.follow(stream.url for stream in state.streams)
        live = self._find_live()
        if not state.is_begun:
            self._begin(state, live, has_existing=has_existing)
        rotated = [self._stat(stream.url) for stream in state.streams if stream.url not in {stat.url for stat in live}]
        stats = [*live, *(stat for stat in rotated if stat)]
        is_same = all(self._read.get(stat.url) == stat.version for stat in stats) and None not in rotated
        if is_same and live and not self._must_list:
            return [], bool(live)
        # Without a log, one may have come and been rotated away since.
        self._must_list, must_list = False, self._must_list or not live
        streams, fresh = self._assign(state, live, {stat.url: stat for stat in stats}, must_list=must_list)
        signals: list[Signal] = []
        followed: list[Stream] = []
        for stat, stream in [*streams, *((stat, None) for stat in fresh)]:
            moved, new_signals = self._read_one(stat, stream, state, budget, now)
            signals += new_signals
            if moved:
                followed.append(moved)
        state.streams = self._choose_followed_streams(state, followed, {stat.url for stat in live})
        return signals, bool(live)

    def _find_live(self) -> list[FileStat]:
        """The logs themselves, each once, however many links and names lead to it."""
        by_file: dict[object, FileStat] = {}
        for stat in self.place.find():
            log = stat.without_link
            by_file.setdefault((posixpath.dirname(log.url), log.inode) if log.inode else log.url, log)
        return sorted(by_file.values(), key=lambda log: log.url)

    def _stat(self, url: str) -> FileStat | None:
        try:
            stat = self.place.stat(url)
        except NotAFileError:
            return None
        return stat.without_link if stat else None

    def _siblings(self, live: Sequence[FileStat]) -> list[FileStat]:
        """What rotation left beside the live logs."""
        names = {stat.url for stat in live}
        by_url = {stat.target or stat.url: stat.without_link for stat in self.place.siblings(names)}
        return [stat for url, stat in by_url.items() if url not in names]

    def _begin(self, state: EntryState, live: Sequence[FileStat], *, has_existing: bool) -> None:
        """Remember the files and lines that are there already and do not count."""
        state.is_begun = True
        state.passed = [self._at_end(stat, -1) for stat in self._siblings(live)[-_MOST_PASSED:]]
        for stat in live:
            if not has_existing and stat.size:
                stream = self._at_end(stat, state.next_generation)
                if stream.offset:
                    state.streams.append(stream)
                    state.next_generation += 1

    def _at_end(self, stat: FileStat, generation: int) -> Stream:
        with self.place.open(stat.url) as file:
            return _stream(stat, generation, find_end(file, stat.size))

    def _assign(
        self, state: EntryState, live: Sequence[FileStat], stats: dict[str, FileStat], *, must_list: bool
    ) -> tuple[list[tuple[FileStat, Stream]], list[FileStat]]:
        """Which file is which known log, and which files are new logs, oldest first."""
        held: dict[str, tuple[FileStat, Stream]] = {}
        displaced: list[Stream] = []
        for stream in sorted(state.streams, key=lambda stream_known: -stream_known.generation):
            stat = stats.get(stream.url)
            if stat and stat.url not in held and stat.inode == stream.inode and self._holds(stat, stream):
                if not _is_rewritten(stat, stream):
                    held[stat.url] = (stat, stream)
            else:
                displaced.append(stream)
        fresh: list[FileStat] = []
        if displaced or must_list or any(stat.url not in held for stat in live):
            siblings = self._siblings(live)
            for stream in displaced:
                stat = self._find(stream, [file for file in [*live, *reversed(siblings)] if file.url not in held])
                if stat and not _is_rewritten(stat, stream):
                    held[stat.url] = (stat, replace(stream, url=stat.url, inode=stat.inode))
                elif not stat:
                    self._give_up(stream)
            of_live = [held[stat.url][0] for stat in live if stat.url in held]
            fresh = [
                sibling
                for sibling in siblings
                if sibling.url not in held and self._is_new(sibling, state.passed, of_live)
            ]
        new_live = sorted((file for file in live if file.url not in held), key=lambda file: (file.modified, file.url))
        return sorted(held.values(), key=lambda pair: pair[1].generation), [*fresh, *new_live]

    def _find(self, stream: Stream, candidates: Sequence[FileStat]) -> FileStat | None:
        """The file that a log is now: the same inode first, the same name second, then any that holds its bytes."""
        likely = sorted(
            candidates, key=lambda candidate: (candidate.inode != stream.inode, candidate.url != stream.url)
        )
        return next((candidate for candidate in likely if self._holds(candidate, stream)), None)

    def _read_one(
        self, stat: FileStat, stream: Stream | None, state: EntryState, budget: Budget, now: float
    ) -> tuple[Stream | None, list[Signal]]:
        """Read one log on; the stream as it stands then (None when nothing of it is judged yet), its signals."""
        if stream and self._read.get(stat.url) == stat.version:
            return stream, []
        if budget.is_spent:
            self._must_list = True
            return stream, []
        is_settled = self.settling.is_settled(stat.url, stat.identity, now)
        try:
            with self.place.open(stat.url) as file:
                tail = read_window(file, stream.offset) if stream else b""
                if stream and digest_bytes(tail) != stream.window:
                    self._must_list = True  # replaced just now; the next look finds out
                    return stream, []
                progress = Progress(stream.offset if stream else 0, bool(stream and stream.is_inside), tail)
                read_lines(file, progress, self.pattern, budget, is_settled=is_settled)
        except FileNotFoundError:
            self._must_list = True
            return stream, []
        if progress.is_at_end and not progress.has_partial:
            self._read[stat.url] = stat.version
            self.settling.forget(stat.url)
        if not progress.offset:
            return None, []
        if stream is None:
            generation, state.next_generation = state.next_generation, state.next_generation + 1
        else:
            generation = stream.generation
        signals = [line_signal(self.place.entry, stat.url, generation, at, text) for at, text in progress.lines]
        return _stream(stat, generation, progress), signals

    def _holds(self, stat: FileStat, stream: Stream) -> bool:
        """Whether the file is the log that was read: the bytes before the offset are the same."""
        if stat.size < stream.offset:
            return False
        if stat.url == stream.url and self._read.get(stat.url) == stat.version:
            return True
        try:
            with self.place.open(stat.url) as file:
                return digest_bytes(read_window(file, stream.offset)) == stream.window
        except FileNotFoundError:
            self._must_list = True
            return False

    def _is_new(self, stat: FileStat, passed: Sequence[Stream], live: Sequence[FileStat]) -> bool:
        """Whether a sibling is a log that was made and rotated away between two looks.

        It is not if it was passed over before, or if it is a copy of a live log.
        """
        if not stat.size or any(stream.inode == stat.inode and self._holds(stat, stream) for stream in passed):
            return False
        return not any(stat.size <= live_file.size and self._is_copy(stat, live_file) for live_file in live)

    def _is_copy(self, stat: FileStat, of: FileStat) -> bool:
        """Whether a file begins and ends as another one does up to the same byte."""
        try:
            with self.place.open(stat.url) as stream, self.place.open(of.url) as live_stream:
                same_start = read_exactly(stream, 0, CHUNK_BYTES) == read_exactly(
                    live_stream, 0, min(stat.size, CHUNK_BYTES)
                )
                return same_start and read_window(stream, stat.size) == read_window(live_stream, stat.size)
        except FileNotFoundError:
            self._must_list = True
            return True

    def _choose_followed_streams(self, state: EntryState, streams: list[Stream], live: set[str]) -> list[Stream]:
        """The streams to follow on: those of live logs and the newest rotated ones."""
        rotated = sorted((stream for stream in streams if stream.url not in live), key=lambda stream: stream.generation)
        dropped = [stream for stream in rotated[:-_MOST_ROTATED] if stream.url in self._read]
        state.passed = [*state.passed, *dropped][-_MOST_PASSED:]
        return [stream for stream in streams if stream not in dropped]

    def _give_up(self, stream: Stream) -> None:
        self.notes.append(
            f"{without_password(stream.url)} was truncated or replaced: what followed its byte {stream.offset} is not "
            "there any more; reading what is there from the beginning."
        )


def _is_rewritten(stat: FileStat, stream: Stream) -> bool:
    """Whether a status file was written anew with the content that it had.

    A large file in which nothing was appended is a log that somebody touched: its lines are old.
    """
    return (
        stat.url == stream.url
        and stat.size == stream.offset <= _MOST_STATUS_BYTES
        and bool(stream.version)
        and stat.version != stream.version
    )


def _stream(stat: FileStat, generation: int, progress: Progress) -> Stream:
    # What is appended between look and reading belongs to a later version than the one that the look saw.
    version = stat.version if stat.size == progress.offset else ""
    return Stream(stat.url, generation, progress.offset, progress.is_inside, progress.window, stat.inode, version)
