"""Take the totals of a batch's facts while its tables are made, so that no table waits for those of its fact.

Without snapshots, totals are taken before the table is made that is compared with them. Taken in the order of the
batch, those of the first fact are waited for, and those of the others are there when their tables are begun. Within a
snapshot, the facts can be asked again as the table saw them, so that only its comparison waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from airflow_atscale_aggs.engine.aggregates.verification import Totals
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.compare import UndecidedError, facts_key
from airflow_atscale_aggs.engine.registry.records import InstanceRecord


def no_totals(facts_key: str) -> Totals | None:  # noqa: ARG001 - whatever the facts are
    """For attempts that take the totals of their facts by themselves."""
    return None


class TotalsAhead:
    """The totals of the facts of some instances, each taken once.

    Args:
        instances: in the order in which they are built. One that can be derived has the totals of its source, and one
            that is made of segments needs none where nothing has changed: neither is asked for.
        take: asks for the totals of the facts of an instance.
    """

    def __init__(self, instances: Iterable[InstanceRecord], take: Callable[[InstanceRecord], Totals]) -> None:
        self._take, self._is_closed = take, False
        self._first: dict[str, InstanceRecord] = {}
        for instance in instances:
            step, verification = instance.step, instance.step.verification
            if verification is not None and step.increment is None and len(step.sources) == 1:
                self._first.setdefault(facts_key(verification), instance)
        self._taken: dict[str, Future[Totals | None]] = {key: Future() for key in self._first}

    def take_all(self) -> None:
        """Take all of them, one after the other. Those that the warehouse does not tell stay unknown."""
        try:
            for key, instance in self._first.items():
                if self._is_closed:
                    break
                # The attempt that needs totals which nobody knows asks by itself, and tells what became of it.
                with contextlib.suppress(WarehouseError, UndecidedError):
                    self._taken[key].set_result(self._take(instance))
                if not self._taken[key].done():
                    self._taken[key].set_result(None)
        finally:
            for taken in self._taken.values():
                if not taken.done():
                    taken.set_result(None)

    def find(self, facts_key: str) -> Totals | None:
        """The totals, for which is waited where they are still to come; None where nobody knows them.

        Args:
            facts_key: as of `compare.facts_key`.
        """
        taken = self._taken.get(facts_key)
        return None if taken is None else taken.result()

    def close(self) -> None:
        """Take no further ones: nobody waits for them any more."""
        self._is_closed = True
