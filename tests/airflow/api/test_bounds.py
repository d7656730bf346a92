"""Bounds of the API: rates of users, requests at the same time, sizes of bodies, headers of answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from airflow_atscale_aggs.engine.aggregates.exported import MOST_BYTES
from airflow_atscale_aggs.plugins.api.bounds import AnswerHeaders, BoundedBodies, RateBound, Slots, most_bytes_of
from airflow_atscale_aggs.plugins.api.problems import MEDIA_TYPE, ProblemError, add_problem_handlers
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow


class _Clock:
    """Seconds that a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_user_may_ask_a_number_of_times_at_once_and_again_as_time_passes() -> None:
    """Two a minute: the third waits half a minute, which is what is left until a token is there."""
    clock = _Clock()
    rate = RateBound(lambda: 2, clock)

    taken = [rate.take("ann"), rate.take("ann"), rate.take("ann")]
    clock.now = 29.0
    early = rate.take("ann")
    clock.now = 30.0

    assert taken == [0.0, 0.0, 30.0]
    assert early == pytest.approx(1.0)
    assert rate.take("ann") == 0.0


def test_users_are_counted_apart() -> None:
    """One who asks too often takes nothing from another."""
    rate = RateBound(lambda: 1, _Clock())
    rate.take("ann")

    assert rate.take("bob") == 0.0
    assert rate.take("ann") > 0.0


def test_a_refusal_says_when_to_ask_again() -> None:
    """429 with Retry-After in whole seconds."""
    rate = RateBound(lambda: 1, _Clock())
    rate.check("ann")

    with pytest.raises(ProblemError) as refused:
        rate.check("ann")

    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "60"})
    assert "Ask again in 60 s." in refused.value.detail


def test_no_more_requests_than_slots_are_served_at_the_same_time() -> None:
    """The second is refused while the first holds the only slot, and served after it, also when the first fails."""
    slots = Slots(1, "asks the warehouse", patience=0.0)

    with pytest.raises(ZeroDivisionError), slots.taken():
        with pytest.raises(ProblemError) as refused, slots.taken():
            pass
        _ = 1 / 0
    with slots.taken():
        served = True

    assert served
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})


def test_a_request_waits_for_a_slot_that_becomes_free() -> None:
    """It is served as soon as the one before it ends."""
    slots = Slots(1, "asks the warehouse", patience=60.0)
    is_held, may_end, served = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.taken():
            is_held.set()
            may_end.wait()

    def wait() -> None:
        with slots.taken():
            served.set()

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    is_held.wait()
    threads[1].start()
    before = served.is_set()
    may_end.set()
    for thread in threads:
        thread.join()

    assert not before
    assert served.is_set()


def test_only_imports_may_be_large() -> None:
    """An import may be as large as the engine takes one."""
    assert most_bytes_of("/atscale_aggs/api/connections/c/models/m/import") > MOST_BYTES
    assert most_bytes_of("/atscale_aggs/api/connections/c/models/m/batches") < MOST_BYTES


@pytest.fixture
def client() -> TestClient:
    """An application that takes bodies of at most 10 bytes and answers how many came."""
    app = FastAPI()
    add_problem_handlers(app)
    app.add_middleware(BoundedBodies, most_bytes=lambda _: 10)
    app.add_middleware(AnswerHeaders, prefixes=("/api",))

    @app.post("/api/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/static")
    def static() -> str:
        return "text"

    return TestClient(app)


def _pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"12345"


def test_a_body_within_the_bound_comes_through(client: TestClient) -> None:
    """Whether its length is declared or not."""
    assert client.post("/api/count", content=b"1234567890").json() == 10
    assert client.post("/api/count", content=_pieces(2)).json() == 10


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_that_is_too_large_is_refused_as_a_problem(client: TestClient, *, is_declared: bool) -> None:
    """By its declared length, or when more has come than may."""
    answer = client.post("/api/count", content=b"1" * 11 if is_declared else _pieces(3))

    assert answer.status_code == 413
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["detail"] == "The body of this request may have at most 10 bytes."


async def _read_all(_: Scope, receive: Receive, __: Send) -> None:
    while (await receive()).get("more_body"):
        pass


def test_a_body_that_never_ends_is_not_read_to_its_end() -> None:
    """Of a body without a declared length no more is taken once too much has come."""
    given = 0

    async def receive() -> Message:
        nonlocal given
        given += 1
        return {"type": "http.request", "body": b"12345", "more_body": True}

    async def send(_: Message) -> None:
        """Nothing is answered here."""

    bounded = BoundedBodies(_read_all, lambda _: 10)
    with pytest.raises(HTTPException, match="at most 10 bytes") as refused:
        asyncio.run(bounded({"type": "http", "path": "/", "headers": []}, receive, send))

    assert refused.value.status_code == 413
    assert given == 3


def test_answers_of_the_api_are_not_kept_and_not_run(client: TestClient) -> None:
    """Also problems. Files of the page have headers of their own."""
    answers = [client.post("/api/count", content=b"1"), client.post("/api/count", content=b"1" * 11)]

    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" not in client.get("/static").headers


def test_who_acts_too_often_is_refused(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the configuration, which may be changed while the server runs; reading is not counted."""
    path = "connections/tiny/models/tiny_sales/export"
    monkeypatch.setenv("AIRFLOW__ATSCALE_AGGS_API__ACTING_REQUESTS_PER_MINUTE", "1")
    first, second = (server.client("viewer").get(f"/api/{path}") for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) > 0
    assert second.json()["detail"].startswith("You have made more than 1 requests of this kind within a minute.")
    assert server.status("connections/tiny/models/tiny_sales/settings", "viewer") == 200


def test_the_bounds_hold_for_the_application(server: ApiServer) -> None:
    """A request that is too large is refused before anybody looks who asks."""
    answer = server.client(None).post("/api/connections/tiny/models/tiny_sales/batches", content=b" " * 3_000_000)

    assert answer.status_code == 413
    assert answer.headers["cache-control"] == "no-store"
