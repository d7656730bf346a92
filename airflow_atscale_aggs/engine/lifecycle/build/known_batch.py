"""What is known of a batch while one process makes attempts of it, so that the registry is asked once.

None of it decides whether a table is right: totals of facts that do not fit are taken again in the attempt's snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verified
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.totals_ahead import no_totals
from airflow_atscale_aggs.engine.registry.records import Claim, InstanceRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.settings import Settings


def no_instance() -> InstanceRecord | None:
    """For processes that build one instance, or several side by side."""
    return None


@dataclass
class KnownBatch:
    """One batch, for all attempts of one process. Threads may share it.

    Attributes:
        settings: in force for its model.
        total: the number of its aggregates, for events.
        find_ahead: as of `TotalsAhead.find`, where totals of facts are taken ahead.
        find_next: the instance that this process builds after the one at hand, where it builds one after the other.
        claimed: claims of such instances, by id, each won in the transaction in which the attempt before it ended.
    """

    settings: Settings
    total: int = 0
    find_ahead: Callable[[str], Totals | None] = no_totals
    find_next: Callable[[], InstanceRecord | None] = no_instance
    claimed: dict[str, Claim] = field(default_factory=dict)
    _session_settings: Mapping[str, str] | None = field(default=None, init=False)
    _totals: dict[str, Totals] = field(default_factory=dict, init=False)
    _verified: dict[tuple[str, int], Verified | None] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def session_settings(self, read: RegistryReader, batch_id: str) -> Mapping[str, str]:
        """The settings under which it was planned, by name; empty for one of a version that did not look."""
        with self._lock:
            if self._session_settings is None:
                surroundings = read.batches.surroundings(batch_id)
                self._session_settings = {} if surroundings is None else surroundings.settings
            return self._session_settings

    def fact_totals(self, read: RegistryReader, batch_id: str, facts_key: str) -> Totals | None:
        """The last totals of a fact that a build of the batch was compared with, as far as this process knows.

        None before the first.
        """
        totals = self._totals.get(facts_key)
        return read.attempts.fact_totals(batch_id, facts_key) if totals is None else totals

    def verification(self, read: RegistryReader, instance_id: str, attempt: int) -> Verified | None:
        """How the winning attempt of another instance was compared with its facts; None where it was not."""
        key = (instance_id, attempt)
        if key not in self._verified:
            self._verified[key] = read.attempts.verification(instance_id, attempt)
        return self._verified[key]

    def note(self, claim: Claim, verified: Verified) -> None:
        """Note how an attempt was compared that is DONE."""
        self._verified[claim.instance.id, claim.attempt] = verified
        if verified.totals is not None:
            self._totals[verified.facts_key] = verified.totals
