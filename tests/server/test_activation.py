"""A batch is activated while many clients ask: no error, and each answer is of one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.server.conftest import Served
from tests.support.stars import tiny_star

_CLIENTS, _LAST = 32, 4.0
_STATEMENTS = (
    'SELECT "City", SUM("Amount") AS a, (SELECT SUM("Amount") FROM tiny_sales) AS b FROM tiny_sales GROUP BY 1',
    'SELECT "Month", SUM("Amount") AS a FROM tiny_sales GROUP BY 1',
    'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE "Month" <> $1 GROUP BY 1',
)


def _factor(rows: Sequence[Sequence[Any]], first: dict[Any, Sequence[Any]]) -> float:
    """By how much all sums are larger than in the first batch. Fails where they are not of one batch."""
    factors = {value / was for row in rows for value, was in zip(row[1:], first[row[0]][1:], strict=True)}
    assert len(rows) == len(first)
    assert len(factors) == 1, rows
    return float(factors.pop())


async def _ask(served: Served, number: int, seen: list[float], first: list[dict[Any, Any]]) -> None:
    """One client: asks until it sees the last batch; some read a cursor in parts."""
    connection = await asyncpg.connect(host=served.host, port=served.port, user="analyst", database="tiny")
    turn = number
    while not seen or seen[-1] != _LAST:
        turn += 1
        await asyncio.sleep(0.05)
        which = turn % len(_STATEMENTS)
        values = ["month 9"] if "$1" in _STATEMENTS[which] else []
        if number % 4:
            rows = await connection.fetch(_STATEMENTS[which], *values)
        else:
            async with connection.transaction():
                cursor = await connection.cursor(_STATEMENTS[which], *values)
                rows = [*await cursor.fetch(1)]
                await asyncio.sleep(0.05)
                rows += await cursor.fetch(100)
        seen.append(_factor([tuple(row) for row in rows], first[which]))
    await connection.close()


async def _while_clients_ask(served: Served) -> list[list[float]]:
    connection = await asyncpg.connect(host=served.host, port=served.port, user="analyst", database="tiny")
    first = []
    for sql in _STATEMENTS:
        rows = await connection.fetch(sql, *(["month 9"] if "$1" in sql else []))
        first.append({row[0]: tuple(row) for row in rows})
    await connection.close()
    seen: list[list[float]] = [[] for _ in range(_CLIENTS)]
    clients = [asyncio.ensure_future(_ask(served, number, seen[number], first)) for number in range(_CLIENTS)]
    for _ in range(2):
        await asyncio.sleep(0.5)
        await asyncio.to_thread(_double, served)
    async with asyncio.timeout(60):
        await asyncio.gather(*clients)
    return seen


def _double(served: Served) -> None:
    """The amounts double, and a batch is built and activated; what is old is swept away."""
    tiny_star.run_sql(served.workspace, "UPDATE sales SET amount = amount * 2")
    run_batch(served.workspace, "tiny_sales", owner="test")
    sweep(served.workspace, dry_run=False, now=utc_now())


def test_each_answer_is_of_one_batch(served: Served) -> None:
    seen = asyncio.run(_while_clients_ask(served))

    assert len(seen) == _CLIENTS
    assert {1.0, _LAST} <= {factor for factors in seen for factor in factors} <= {1.0, 2.0, _LAST}
