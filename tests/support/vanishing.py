"""A client whose machine is gone: nothing that is sent to it arrives, and it says nothing more, neither FIN nor RST."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys

_IS_LINUX = sys.platform == "linux"
CANNOT_VANISH = "" if _IS_LINUX else "only Linux lets a socket pass over what comes"
"""Why `vanish` cannot be used here; empty: it can."""

_SO_ATTACH_FILTER = 26
_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of the packet filter that takes no packet: BPF_RET with 0."""


def vanish(client: socket.socket) -> None:
    """From here on the kernel drops every packet for the socket before TCP sees it, and so acknowledges nothing."""
    program = ctypes.create_string_buffer(_RETURN_NOTHING, len(_RETURN_NOTHING))
    client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))
