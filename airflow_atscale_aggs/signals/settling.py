"""Decides whether a file has not changed for a while. Only our own clock counts, so the storage's clock may differ."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settling:
    """Remembers since when each file has not changed. A restart forgets this, which only delays a signal.

    Attributes:
        seconds: how long a file must stay the same.
    """

    seconds: float
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)

    def is_settled(self, url: str, identity: str, now: float) -> bool:
        """Whether the file has had this identity for the settle time, as far as we saw."""
        last = self._since.get(url)
        if last is None or last[0] != identity:
            self._since[url] = (identity, now)
            return self.seconds <= 0
        return now - last[1] >= self.seconds

    def forget(self, url: str) -> None:
        """Stop waiting for a file."""
        self._since.pop(url, None)
