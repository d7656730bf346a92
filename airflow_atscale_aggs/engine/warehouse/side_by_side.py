"""Send several small statements at the same time, where the dialect's row says that each waits more than it works.

Every thread has a session of its own, so that no statement gets into the transaction of another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession

Item = TypeVar("Item")
Result = TypeVar("Result")


def do_each(
    warehouse: Warehouse | None,
    session: WarehouseSession,
    items: Sequence[Item],
    do: Callable[[WarehouseSession, Item], Result],
) -> list[Result]:
    """What becomes of each item, in their order. Which of them is done first is not said.

    Args:
        warehouse: opens the sessions of the other threads; None: there are none.
        session: of the calling thread, in no transaction and under no settings but its own. It works as well.
        do: works on one item, with a session that nobody else uses meanwhile.

    Raises:
        Exception: the first error of an item; those that nobody has begun are not begun then.
    """
    left = deque(enumerate(items))
    results: dict[int, Result] = {}

    def work(own: WarehouseSession) -> None:
        try:
            while (taken := _take(left)) is not None:
                results[taken[0]] = do(own, taken[1])
        except BaseException:
            left.clear()
            raise

    def work_beside(opening: Warehouse) -> None:
        with opening.session() as own:
            work(own)

    beside = min(session.dialect.statements_at_once, len(items)) - 1
    if warehouse is None or beside < 1:
        work(session)
    else:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most warehouses answer at once

        with ThreadPoolExecutor(beside, thread_name_prefix="beside") as pool:
            others = [pool.submit(work_beside, warehouse) for _ in range(beside)]
            work(session)
            for other in others:
                other.result()
    return [results[place] for place in range(len(items))]


def _take(left: deque[tuple[int, Item]]) -> tuple[int, Item] | None:
    """The next one, taken away; None where another thread has taken the last one."""
    try:
        return left.popleft()
    except IndexError:
        return None
