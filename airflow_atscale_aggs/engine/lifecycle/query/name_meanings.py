"""Decide what the names in FROM mean: a deployed model, or a table of the warehouse, which no model hides.

FROM catalog.sales       the model, whose catalog is named
FROM sales               the table `sales` where the warehouse has one, else the model
FROM "public"."sales"    the same: clients put in the schema that they take for the default one

Who may ask models only has no tables, and each name means the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables, key_of
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.registry.records import ModelRecord


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the names of one statement mean.

    Attributes:
        models: the names that are models, in the order of the text.
        looked_up: whether the warehouse has a table of each name that was looked up. The meanings depend on it.
        notes: one sentence for each name that a model has.
    """

    models: tuple[tuple[exp.Table, ModelRecord], ...] = ()
    looked_up: Mapping[TableKey, bool] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def resolve_names(tables: Sequence[exp.Table], models: SnapshotCache, warehouse: WarehouseTables) -> Meanings:
    """Which of a statement's names are models.

    Raises:
        NotRegisteredError: several models have a name; or some names are models, and another one is nothing.
    """
    namesakes = {id(table): models.named_like(table, warehouse.here) for table in tables}
    open_names = [table for table in tables if namesakes[id(table)] and not _is_sure(table, namesakes[id(table)])]
    looked_up = _look_up(open_names, warehouse)
    models_found: list[tuple[exp.Table, ModelRecord]] = []
    others: list[exp.Table] = []
    notes: dict[str, None] = {}
    for table in tables:
        records = namesakes[id(table)]
        if not records:
            others.append(table)
            continue
        is_table = looked_up.get(key_of(table), False)
        if is_table:
            others.append(table)
        else:
            models_found.append((table, models.only(table, records)))
        notes[_describe_meaning(table, records, is_table=is_table, is_sure=_is_sure(table, records))] = None
    if models_found and others:
        looked_up = {**looked_up, **_look_up(others, warehouse)}
        missing = next((table for table in others if not looked_up[key_of(table)]), None)
        if missing is not None:
            raise NotRegisteredError("model, and the warehouse no table,", written_name(missing), models.near(missing))
    return Meanings(tuple(models_found), looked_up, tuple(notes))


def resolve_models(tables: Sequence[exp.Table], models: SnapshotCache, here: Callable[[], frozenset[str]]) -> Meanings:
    """Which models a statement's names mean to somebody for whom the warehouse has no tables: none of them hides one.

    Args:
        tables: each has the name of a model.
        here: see `SnapshotCache.named_like`.

    Raises:
        NotRegisteredError: several models have a name.
    """
    namesakes = [(table, models.named_like(table, here)) for table in tables]
    notes = {f"`{written_name(table)}` is the model {_model_names(records)}." for table, records in namesakes}
    return Meanings(
        tuple((table, models.only(table, records)) for table, records in namesakes), {}, tuple(sorted(notes))
    )


def written_name(table: exp.Table) -> str:
    """A table's name with what stands before it, for people."""
    return ".".join(part for part in (table.catalog, table.db, table.name) if part)


def _is_sure(table: exp.Table, records: Sequence[ModelRecord]) -> bool:
    """Whether a name can mean only the model: it names the model's catalog, and no other database before it."""
    catalog = records[0].catalog.casefold()
    return table.db.casefold() == catalog and table.catalog.casefold() in {"", catalog}


def _look_up(tables: Sequence[exp.Table], warehouse: WarehouseTables) -> dict[TableKey, bool]:
    keys = list(dict.fromkeys(key_of(table) for table in tables))
    return dict(zip(keys, warehouse.are_there(keys), strict=True)) if keys else {}


def _describe_meaning(table: exp.Table, records: Sequence[ModelRecord], *, is_table: bool, is_sure: bool) -> str:
    model = _model_names(records)
    if is_table:
        return f"`{written_name(table)}` is the warehouse's table. Write {model} for the model of this name."
    why = "" if is_sure else ": the warehouse has no table of this name"
    return f"`{written_name(table)}` is the model {model}{why}."


def _model_names(records: Sequence[ModelRecord]) -> str:
    return " or ".join(f"`{record.catalog}.{record.name}`" for record in records)
