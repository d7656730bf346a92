"""Whether a file has been left alone for a while. By our clock alone, so that a storage with another time does no harm."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settling:
    """Remembers since when each file has been as it is. Forgets all in a restart, which only delays.

    Attributes:
        seconds: how long a file must stay the same.
    """

    seconds: float
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)

    def is_settled(self, url: str, identity: str, now: float) -> bool:
        """Whether the file has had this identity for the settle time, as far as we saw."""
        known = self._since.get(url)
        if known is None or known[0] != identity:
            self._since[url] = (identity, now)
            return self.seconds <= 0
        return now - known[1] >= self.seconds

    def forget(self, url: str) -> None:
        """Stop waiting for a file."""
        self._since.pop(url, None)
