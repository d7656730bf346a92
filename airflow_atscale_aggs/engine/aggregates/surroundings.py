"""Records the surroundings in which a batch was planned: settings of the session, tables, proven constraints.

It is kept with the batch. Builds run under the same settings; queries rely on an aggregate only where what matters to
it is as it was; and while a table is away, because an ETL makes it anew, what was last seen of it stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTable:
    """A dataset's table.

    Attributes:
        place: (database, schema, table) as the warehouse spells them.
        columns: name to type.
        kind: ``table``, ``view`` or something else.
    """

    place: tuple[str, str, str]
    columns: Mapping[str, str]
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The surroundings in which a batch was planned; see the module.

    Attributes:
        settings: those of the dialect's row, by name.
        tables: by dataset.
        unique_keys: (dataset, columns) that hold no value twice.
        functional: dependencies that the data does not break.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, SeenTable] = field(default_factory=dict)
    unique_keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    functional: tuple[Dependency, ...] = ()
