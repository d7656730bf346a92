"""Bounds of what one process of the API server takes on: sizes of bodies, rates of users, requests in the warehouse.

Routes run in the thread pool that Airflow's own pages use. Without these bounds, slow queries of one page could hold
all threads, and Airflow would answer nobody. All counts are per process of the API server.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http import HTTPStatus

from airflow.sdk.configuration import conf
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_atscale_aggs.engine.aggregates.exported import MOST_BYTES
from airflow_atscale_aggs.plugins.api.problems import ProblemError, problem_response

CONFIG_SECTION = "atscale_aggs_api"

_MOST_BODY_BYTES = 2 * 2**20
"""Of any request but an import."""

_FORM_BYTES = 2**16
"""What a form adds to the file that is in it."""

_MOST_KEYS = 10_000
_PATIENCE = 2.0

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
}
"""Of the API's answers. They are documents, for whoever asked; nothing in them is to be run or kept."""


def configured_bound(option: str, default: int) -> int:
    """A bound from Airflow's configuration, section ``[atscale_aggs_api]``; at least 1."""
    return max(1, int(conf.getint(CONFIG_SECTION, option, fallback=default)))


class RateBound:
    """How often each user may ask: a bucket of tokens that is refilled evenly. Safe to share between threads.

    Args:
        per_minute: tells how many requests a user may make at once, and within each further minute.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user: str) -> float:
        """Take a token. Returns 0 when there was one, else the seconds until there is one again."""
        most = float(self._per_minute())
        per_second = most / 60
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.pop(user, (most, now))
            tokens = min(most, tokens + (now - since) * per_second)
            is_taken = tokens >= 1
            self._buckets[user] = (tokens - 1 if is_taken else tokens, now)
            while len(self._buckets) > _MOST_KEYS:
                self._buckets.popitem(last=False)
        return 0.0 if is_taken else (1 - tokens) / per_second

    def check(self, user: str) -> None:
        """Take a token. Raises ProblemError (429) when there is none; it says when to ask again."""
        seconds = math.ceil(self.take(user))
        if seconds:
            detail = (
                f"You have made more than {self._per_minute()} requests of this kind within a minute. Ask again in "
                f"{seconds} s."
            )
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, "too-many-requests", {"Retry-After": str(seconds)})


class Slots:
    """How many requests may do something at the same time. Safe to share between threads.

    Args:
        most: at the same time.
        what: what they do, for the sentence of the refusal.
        patience: seconds for which a request waits for a slot; it holds a thread meanwhile.
    """

    def __init__(self, most: int, what: str, patience: float = _PATIENCE) -> None:
        self._most, self._what, self._patience = most, what, patience
        self._free = threading.BoundedSemaphore(most)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot for the length of the block. Raises ProblemError (503) when none becomes free."""
        if not self._free.acquire(timeout=self._patience):
            detail = (
                f"This process of the API server {self._what} for {self._most} other requests at this moment, and "
                "takes no more on. Ask again in a few seconds."
            )
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, "busy", {"Retry-After": "5"})
        try:
            yield
        finally:
            self._free.release()


def most_bytes_of(path: str) -> int:
    """How large the body of a request to a path may be."""
    is_import = path.rstrip("/").endswith("/import") or "/aggregates/import/" in path
    return MOST_BYTES + _FORM_BYTES if is_import else _MOST_BODY_BYTES


class BoundedBodies:
    """Refuses requests whose body is too large, at the latest when that many bytes have come.

    Args:
        app: the application below.
        most_bytes: by path.
    """

    def __init__(self, app: ASGIApp, most_bytes: Callable[[str], int] = most_bytes_of) -> None:
        self._app, self._most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_bytes(scope["path"])
        detail = f"The body of this request may have at most {most:,} bytes."
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > most:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            await problem_response(Request(scope), status, detail, kind="too-large")(scope, receive, send)
            return
        received = 0

        async def receive_within_bound() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
            return message

        await self._app(scope, receive_within_bound, send)


class AnswerHeaders:
    """Lets no browser keep the API's answers, guess their type, or run anything in them.

    Args:
        app: the application below.
        prefixes: of the paths that answer documents, below the application's own root.
    """

    def __init__(self, app: ASGIApp, prefixes: tuple[str, ...]) -> None:
        self._app, self._prefixes = app, prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith(self._prefixes):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
