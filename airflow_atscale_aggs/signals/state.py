"""Defines the state of a watcher between two looks: plain values that can be stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_atscale_aggs.signals.signal import Signal


@dataclass(frozen=True, slots=True)
class Stream:
    """How far a log was read.

    Rotation renames a log and truncation empties it. So a log is known again by its bytes, not by its name.

    Attributes:
        url: where it was found last.
        generation: its number among all logs that were read for the entry.
        offset: the first byte not judged yet; always greater than 0.
        is_inside: whether the offset stands inside a line that was judged already.
        window: digest of the bytes just before the offset.
        inode: of the file, 0 where there is none; tells two logs with the same bytes apart.
        version: of the file when everything in it was read, else empty. A file that has another one and not one byte
            more was written anew with the same content.
    """

    url: str
    generation: int
    offset: int
    is_inside: bool
    window: str
    inode: int = 0
    version: str = ""


@dataclass(slots=True)
class EntryState:
    """What is remembered of one watched path or glob.

    Attributes:
        is_begun: whether it was looked at before.
        marks: URL to what was signalled last there, as `marks.mark_of` writes it; without a pattern.
        vanished: URLs of marks at which no file was when they were looked at last.
        streams: logs that are read; with a pattern.
        passed: rotated logs that are not to be read: those that were there before us, those that were read long ago.
        next_generation: number of the next log, or of the next file that comes back.
    """

    is_begun: bool = False
    marks: dict[str, str] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    passed: list[Stream] = field(default_factory=list)
    next_generation: int = 0


@dataclass(slots=True)
class WatchState:
    """What is remembered of all entries.

    Attributes:
        sequence: grows with every change; of two states the one with the greater number is newer.
        entries: by path or glob.
        collected: (entry, signal): of a watch for ``all``, what waits for the other entries.
        untold: signals that were found and whose event is not known to be stored. Written down before the event is
            told, and told again after a restart, so none is lost.
    """

    sequence: int = 0
    entries: dict[str, EntryState] = field(default_factory=dict)
    collected: list[tuple[str, Signal]] = field(default_factory=list)
    untold: list[Signal] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON knows."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> WatchState:
        """From what ``to_json`` gave, or an empty state from None."""
        if not value:
            return cls()
        entries = {
            name: EntryState(
                is_begun=entry_state["is_begun"],
                marks=dict(entry_state["marks"]),
                vanished=list(entry_state.get("vanished", ())),
                streams=[Stream(**stream) for stream in entry_state["streams"]],
                passed=[Stream(**stream) for stream in entry_state["passed"]],
                next_generation=entry_state["next_generation"],
            )
            for name, entry_state in value["entries"].items()
        }
        collected = [(entry, Signal(**signal)) for entry, signal in value["collected"]]
        return cls(value["sequence"], entries, collected, [Signal(**signal) for signal in value["untold"]])
