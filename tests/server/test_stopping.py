"""What a session does when it ends is done to its end, however often it is canceled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.server.answering import AnswerColumns, AnswerPool, RowStream, Visitor
from airflow_atscale_aggs.server.messages import ResultColumn
from airflow_atscale_aggs.server.stopping import to_the_end
from airflow_atscale_aggs.server.values import TEXT
from tests.server.conftest import Served

_PART = '(SELECT "Day", "Shop", "Amount" FROM tiny_sales) AS {}'
_LARGE = f'SELECT REPEAT(b."Shop", 500) AS s FROM {", ".join(_PART.format(name) for name in "abcdefgh")}'


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_thread_of_rows_ends_when_its_session_is_ended_more_than_once(served: Served, times: int) -> None:
    """It waited for room that nobody gave any more, held its connection, and `serve` could not stop."""
    asyncio.run(asyncio.wait_for(_end_often(served.workspace, times), 30))


async def _end_often(workspace: Workspace, times: int) -> None:
    pool = AnswerPool(workspace, size=1)
    columns = AnswerColumns([ResultColumn(name="s", type_oid=TEXT)], (), "UTC", 1 << 20)
    stream = RowStream(pool, Visitor("ann", None), _LARGE, {}, columns)
    assert await stream.take(1) is not None
    await asyncio.sleep(0.2)  # the thread has filled what may wait, and waits for room

    ending = asyncio.ensure_future(stream.close())
    for _ in range(times):
        await asyncio.sleep(0)
        ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending

    await asyncio.to_thread(pool.close)


def test_all_is_done_one_after_the_other_when_canceled_or_failed() -> None:
    done: list[Any] = []

    async def work(name: str, error: Exception | None = None) -> None:
        await asyncio.sleep(0.01)
        done.append(name)
        if error is not None:
            raise error

    async def run() -> None:
        with pytest.raises(ValueError, match="lost"):
            await to_the_end(work("a", ValueError("lost")), work("b"))
        waiting = asyncio.ensure_future(to_the_end(work("c"), work("d")))
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert done == ["a", "b", "c", "d"]
