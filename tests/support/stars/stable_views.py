"""Stable views over tables of aggregates that are written down by hand, in DuckDB's memory."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import (
    ViewPlaces,
    columns_of_tables,
    drop_helpers,
    make_helper,
    read_view_places,
    show_instance,
)
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.registry_content import REVENUE, make_step

VIEW = "agg_revenue"
_NO_OTHERS: Mapping[str, str] = {}


def make_view_step(table: str, *columns: str) -> BuildStep:
    """The step whose instance has a table with columns; ``agg_revenue`` shows it."""
    shown = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
    return replace(
        make_step(REVENUE),
        table=table,
        target_sql=f'"aggs"."{table}"',
        view=VIEW,
        view_statements=(f'CREATE OR REPLACE VIEW "aggs"."{VIEW}" AS SELECT {shown} FROM "aggs"."{table}"',),
        drop_view_sql=f'DROP VIEW IF EXISTS "aggs"."{VIEW}"',
    )


def change_catalog(place: WarehouseSession | Warehouse, **queries: Any) -> None:
    """Let a session, or the sessions of a warehouse that are opened from now on, ask other queries of the catalog."""
    catalog = place.dialect.catalog
    assert catalog is not None
    place.dialect = replace(place.dialect, catalog=replace(catalog, **queries))


def forget_catalog(place: WarehouseSession | Warehouse) -> None:
    """Let it be a warehouse whose catalog nobody knows."""
    place.dialect = replace(place.dialect, catalog=None)


@dataclass
class ViewScene:
    """A schema ``aggs`` with tables of aggregates, and people who read their stable view."""

    session: WarehouseSession

    def run(self, *statements: str) -> None:
        """What some person does."""
        for statement in statements:
            self.session.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What some person sees."""
        return self.session.fetch_all(sql)

    def build(self, number: int, select: str) -> BuildStep:
        """Make the table of an instance; its step.

        Args:
            number: tells one instance from another.
        """
        table = f"as_agg_{number:08}_revenue_a1"
        self.run(f"CREATE TABLE aggs.{table} AS {select}")
        names = [str(row[0]) for row in self.rows(f"DESCRIBE aggs.{table}")]
        return make_view_step(table, *names)

    def places(self, *views: str, others: Mapping[str, str] = _NO_OTHERS, show: str = "") -> ViewPlaces:
        """What stands in the places of the views, one of which is to show a table."""
        places = read_view_places(
            self.session,
            "aggs",
            views or (VIEW,),
            lambda tables: {name: others[name] for name in tables if name in others},
            [show] if show else (),
        )
        assert places is not None
        return places

    def show(self, step: BuildStep, *, others: Mapping[str, str] = _NO_OTHERS) -> None:
        """Let the stable view show an instance, as a switch does it."""
        places = self.places(others=others, show=step.table)
        known = columns_of_tables([step], places)
        helpers: Collection[str] = []
        if not known:
            helpers = [name for name in (make_helper(self.session, step, places),) if name]
        assert places.catalog is not None
        show_instance(self.session, step, places, known | drop_helpers(self.session, helpers, places.catalog))

    def columns(self) -> list[tuple[str, str]]:
        """Names and types of the stable view."""
        return [(str(row[0]), str(row[1])) for row in self.rows(f"DESCRIBE aggs.{VIEW}")]

    def has_view(self) -> bool:
        """Whether something has the stable view's name."""
        return VIEW in self.session.tables("aggs")


@contextlib.contextmanager
def view_scene() -> Iterator[ViewScene]:
    """An empty scene for the length of a ``with`` block."""
    warehouse = open_warehouse("duckdb://?threads=1", aggregate_schema="aggs")
    with warehouse.session() as session:
        yield ViewScene(session)
    warehouse.close()
