"""The names of the models that are deployed, and of their columns, as the shell lists and completes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownColumn
    from airflow_atscale_aggs.engine.registry.records import ModelRecord
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader

_LOOK_EVERY_SECONDS = 2.0


class ModelNames:
    """The names of the models that are deployed, read again when the registry has changed."""

    def __init__(self, read: RegistryReader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._clock = read, clock
        self._records: Sequence[ModelRecord] = ()
        self._looked_at = float("-inf")
        self._columns: dict[tuple[str, str], Mapping[str, ShownColumn]] = {}

    def records(self) -> Sequence[ModelRecord]:
        """The models that are deployed."""
        if self._clock() - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._records, self._looked_at = self._read.models.current(), self._clock()
        return self._records

    def by_name(self) -> dict[str, tuple[ModelRecord, str]]:
        """(model, perspective) by the names that queries use; an empty perspective is the whole model."""
        named = {record.name: (record, "") for record in self.records()}
        for record in self.records():
            named.update({perspective: (record, perspective) for perspective in record.perspectives})
        return named

    def columns(self, record: ModelRecord, perspective: str) -> Mapping[str, ShownColumn]:
        """The columns that a model shows."""
        from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
        from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import show_columns

        key = (record.deployment_id, perspective)
        if key not in self._columns:
            self._columns[key] = show_columns(read_deployed_model(self._read, record), perspective)
        return self._columns[key]


def kind_of(column: ShownColumn) -> str:
    """What a column is: an attribute, a metric or a calculated metric."""
    kind: str = column.origin.kind
    return {"metric": "metric", "calculation": "calculated metric"}.get(kind, "attribute")
