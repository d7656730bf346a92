"""What all sessions on one catalog share: its models, the empty tables, threads that ask."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from airflow_atscale_aggs.server.answering import AnswerPool
from airflow_atscale_aggs.server.backend import BackendAddress
from airflow_atscale_aggs.server.descriptions import Describer

_MOST = 5000


@dataclass
class House:
    """One catalog.

    Attributes:
        backend: the server with the empty tables, and ``shells``: the database on it.
    """

    catalog: str
    backend: BackendAddress
    shells: str
    pool: AnswerPool
    describer: Describer
    _names_model: OrderedDict[str, bool] = field(default_factory=OrderedDict)

    async def names_model(self, sql: str) -> bool:
        """Whether a statement is for the engine. Remembered by its text."""
        if sql not in self._names_model:
            self._names_model[sql] = await self.pool.run(lambda router: router.names_model(sql))
            if len(self._names_model) > _MOST:
                self._names_model.popitem(last=False)
        return self._names_model[sql]
