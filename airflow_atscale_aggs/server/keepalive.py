"""Whether the machine of a client is still there. One that vanishes sends neither a FIN nor a RST.

While nothing is to be sent, the operating system asks now and then (SO_KEEPALIVE). While something is, it sends that
again and again, and asks nothing. TCP_USER_TIMEOUT would end such a connection, but also that of a client which is
there and does not read for a while. So here is looked at whether what was sent last was acknowledged.

Source: Linux, tcp(7), and `struct tcp_info` in include/uapi/linux/tcp.h.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import sys
import time

_PROBES = 6
"""Unanswered questions after which the other side is gone."""

_IS_LINUX = sys.platform == "linux"

_RTO_MAX_MS = 44 if _IS_LINUX else None
"""TCP_RTO_MAX_MS of Linux 6.15, which Python has no name for: the longest time between two attempts."""

_RTO_BOUNDS_MS = (1000, 120_000)
_CLOCK_SECONDS = 0.05
"""To which times of the operating system are exact, with room."""

_INFO = struct.Struct("=8B13I")
_RETRANSMITS, _PROBES_OUT, _LAST_DATA_SENT, _LAST_ACK_RECEIVED = 2, 3, 17, 20
"""Fields of `_INFO`: how often something was sent again or asked since the last answer, and milliseconds before now."""


class Keepalive:
    """Of the connection of one client.

    Args:
        seconds: of silence after which is asked; the other side is gone when nothing has answered for as long again.
            0: nobody asks.
    """

    def __init__(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        found: socket.socket | None = writer.get_extra_info("socket")
        is_tcp = found is not None and found.family in {socket.AF_INET, socket.AF_INET6}
        self._socket = found if seconds and is_tcp else None
        self._seconds = seconds
        self._unanswered_since: float | None = None

    def begin(self) -> None:
        """Let the operating system ask."""
        if self._socket is None:
            return
        seconds = math.ceil(self._seconds)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._set("TCP_KEEPIDLE", seconds)
        self._set("TCP_KEEPINTVL", max(seconds // _PROBES, 1))
        self._set("TCP_KEEPCNT", min(_PROBES, seconds))
        least, most = _RTO_BOUNDS_MS
        self._set(_RTO_MAX_MS, min(max(1000 * seconds, least), most))

    def is_lost(self) -> bool:
        """Whether nothing has answered for too long to what was sent. To be asked every second or so."""
        silent_seconds = self._silent_seconds()
        now = time.monotonic()
        if silent_seconds is None:
            self._unanswered_since = None
            return False
        # Something is always on its way to a client that reads fast: it counts since the last answer.
        if self._unanswered_since is None or now - silent_seconds > self._unanswered_since - _CLOCK_SECONDS:
            self._unanswered_since = now
        return now - self._unanswered_since >= self._seconds

    def end(self) -> None:
        """From here on nothing new is sent: who does not take the rest in time is not waited for."""
        self._set("TCP_USER_TIMEOUT", 2000 * math.ceil(self._seconds))

    def _silent_seconds(self) -> float | None:
        """Seconds since the last answer; None: there is nothing to be answered."""
        option = getattr(socket, "TCP_INFO", None)
        if self._socket is None or option is None or not _IS_LINUX:
            return None
        try:
            fields = _INFO.unpack(self._socket.getsockopt(socket.IPPROTO_TCP, option, _INFO.size))
        except (OSError, struct.error):
            # It is closed.
            return None
        # Which of them tells depends on whether there was room for more, and on what was on its way then.
        is_repeating = fields[_RETRANSMITS] or fields[_PROBES_OUT]
        if not is_repeating and fields[_LAST_DATA_SENT] >= fields[_LAST_ACK_RECEIVED]:
            return None
        return float(fields[_LAST_ACK_RECEIVED]) / 1000

    def _set(self, option: str | int | None, value: int) -> None:
        """Set an option of TCP; not every system has all of them."""
        known = getattr(socket, option, None) if isinstance(option, str) else option
        if self._socket is not None and known is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, known, value)
