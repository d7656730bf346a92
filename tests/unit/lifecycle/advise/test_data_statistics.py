"""Advice rests on counts: rows of facts, values of keys, groups of grains, bytes of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.advising.advisor import DefinedPart, FactWorkload
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.advise.data_statistics import Statistician
from airflow_atscale_aggs.engine.lifecycle.advise.workload import workload_of_queries
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.stars.standing_star import MODEL, NOW, run_sql
from tests.support.stars.wide_star import FACT_ROWS


def _requirements(snapshot: ModelSnapshot, *columns: str) -> tuple[QueryRequirement, ...]:
    """Of queries that show these columns and the amount."""
    queries = [f'SELECT {names}, "Amount" FROM tiny_sales' for names in columns]
    return workload_of_queries(snapshot, queries, Settings()).requirements


@pytest.fixture
def statistician(shared_wide: Workspace, snapshot: ModelSnapshot) -> Iterator[Statistician]:
    with shared_wide.warehouse.session() as session:
        yield Statistician(session, snapshot)


@pytest.fixture
def by_month_and_city(snapshot: ModelSnapshot) -> FactPart:
    (requirement,) = _requirements(snapshot, '"Month", "City"')
    return requirement.part


def test_rows_of_datasets_are_counted_in_one_statement(statistician: Statistician) -> None:
    assert statistician.row_counts(["sales", "shop", "day"]) == {"sales": FACT_ROWS, "shop": 4, "day": 20}
    assert statistician.row_counts([]) == {}


def test_a_dataset_without_a_table_is_told(wide: Workspace) -> None:
    run_sql(wide, "DROP TABLE day")
    snapshot = read_model_snapshot(wide, wide.read.models.get(MODEL), now=NOW)
    with wide.warehouse.session() as session:
        statistician = Statistician(session, snapshot)

        assert (statistician.is_there("day"), statistician.is_there("shop")) == (False, True)
        with pytest.raises(DefinitionError, match="day"):
            statistician.row_counts(["sales", "day"])


def _counts(statistician: Statistician, *parts: FactPart) -> dict[frozenset[str], float]:
    """Groups by the names of the grain."""
    return {
        frozenset(attribute.query_name for attribute in grain): count
        for grain, count in statistician.measure(parts).items()
    }


def test_groups_of_grains_are_sketched_in_one_scan_of_each_fact(
    statistician: Statistician, by_month_and_city: FactPart
) -> None:
    """Four months and no day, two cities and none; not every pair of them is there."""
    month, city = (replace(by_month_and_city, attributes=(bound,)) for bound in by_month_and_city.attributes)
    nothing = replace(by_month_and_city, attributes=())

    counts = _counts(statistician, month, city, by_month_and_city, nothing)

    assert counts == {
        frozenset({"Month"}): pytest.approx(4, abs=1),
        frozenset({"City"}): pytest.approx(3, abs=1),
        frozenset({"Month", "City"}): pytest.approx(12, abs=3),
    }
    assert statistician.scans == 1


def test_what_cannot_be_built_is_not_counted(wide: Workspace) -> None:
    """A shop stands in two cities."""
    run_sql(wide, "INSERT INTO shop VALUES (1, 'North 1', 'South')")
    snapshot = read_model_snapshot(wide, wide.read.models.get(MODEL), now=NOW)
    requirements = _requirements(snapshot, '"City"', '"Month"')
    with wide.warehouse.session() as session:
        statistician = Statistician(session, snapshot)
        counts = _counts(statistician, *(requirement.part for requirement in requirements))
        workload = statistician.collect_workload("sales", requirements, [])

    assert set(counts) == {frozenset({"Month"})}
    assert workload is not None
    assert [set(r.metrics) for r in workload.requirements] == [{"Amount"}]
    assert [{a.query_name for a in r.grain} for r in workload.requirements] == [{"Month"}]


def _collect(statistician: Statistician, snapshot: ModelSnapshot, *defined: DefinedPart) -> FactWorkload:
    workload = statistician.collect_workload("sales", _requirements(snapshot, '"Month"', '"City"'), defined)
    assert workload is not None
    return workload


def test_a_workload_has_the_counts_of_what_it_asks(statistician: Statistician, snapshot: ModelSnapshot) -> None:
    workload = _collect(statistician, snapshot)

    assert (workload.fact, len(workload.requirements), workload.space.fact_rows) == ("sales", 2, FACT_ROWS)
    assert dict(workload.limits.key_values) == {"day": 20, "shop": 4}
    # None of the dimensions is marked as immutable, and the fact has no indicator.
    assert (workload.limits.is_incremental, set(workload.limits.unsafe)) == (False, {"day", "shop"})
    (month,) = [bound for bound in workload.space.attributes if bound.attribute.name == "Month"]
    assert workload.space.rows(workload.space.mask([month.attribute])) == pytest.approx(4, abs=1)


def test_rows_of_what_is_defined_are_those_of_its_build_or_sketched(
    statistician: Statistician, snapshot: ModelSnapshot, by_month_and_city: FactPart
) -> None:
    city = replace(by_month_and_city, attributes=by_month_and_city.attributes[1:])
    total = replace(by_month_and_city, attributes=())
    parts = [
        DefinedPart(name="built", part=city, rows=77),
        DefinedPart(name="not built", part=city, rows=None),
        DefinedPart(name="total", part=total, rows=None),
    ]

    workload = _collect(statistician, snapshot, *parts)

    rows = {part.name: part.rows for part in workload.defined}
    assert rows == {"built": 77, "not built": pytest.approx(3, abs=1), "total": 1.0}


def test_a_fact_that_cannot_be_read_has_no_workload(wide: Workspace) -> None:
    snapshot = read_model_snapshot(wide, wide.read.models.get(MODEL), now=NOW)
    requirements = _requirements(snapshot, '"Month"')
    run_sql(wide, "DROP TABLE sales")
    gone = read_model_snapshot(wide, wide.read.models.get(MODEL), now=NOW)
    with wide.warehouse.session() as session:
        assert Statistician(session, gone).collect_workload("sales", requirements, []) is None


def test_bytes_of_columns_are_those_of_their_types_where_the_warehouse_tells_none(
    statistician: Statistician, by_month_and_city: FactPart
) -> None:
    """DuckDB tells none. Whether a join has met a row is told by a number of four bytes."""
    month, city = by_month_and_city.attributes
    keyed = replace(city, key_columns=("shop_id",))

    def bytes_of(bound: BoundAttribute) -> float:
        return statistician.widths([bound]).attributes[bound.attribute]

    assert bytes_of(city) == bytes_of(month)
    assert bytes_of(keyed) == bytes_of(city) + 4
    assert bytes_of(replace(city, steps=())) == bytes_of(city) - 4
