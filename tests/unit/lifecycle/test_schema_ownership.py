"""One registry writes into a schema: its mark is read before every change, and another registry's is respected."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import SchemaOwnedError
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import (
    SchemaMark,
    adopt_schema,
    check_schema,
    mark_schema,
    schema_mark,
    unknown_tables,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.registry import open_registry
from tests.support.registry_content import LATER, NOW, make_deployment, open_batch
from tests.support.stars.stable_views import forget_catalog

_TABLE = "as_agg_0123abcd_by_city_a1"


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Workspace]:
    """A registry with a model, before an empty warehouse."""
    url = f"sqlite:///{tmp_path / 'first.sqlite'}"
    with open_workspace(registry=url, warehouse="duckdb://?threads=1", aggregate_schema="aggs") as workspace:
        workspace.registry.models.record_deployments([make_deployment()], now=NOW)
        yield workspace


@pytest.fixture
def second(first: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """Another registry before the same warehouse."""
    with closing(open_registry(f"sqlite:///{tmp_path / 'second.sqlite'}")) as registry:
        registry.models.record_deployments([make_deployment()], now=NOW)
        yield replace(first, registry=registry)


def _copy_of(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The same registry from a copy of its file."""
    workspace.registry.database.dispose()
    file = shutil.copy(str(workspace.registry.database.url.database), tmp_path / "copy.sqlite")
    return replace(workspace, registry=open_registry(f"sqlite:///{file}"))


def _begin(workspace: Workspace, batch: str = "b") -> None:
    """What the begin of a batch does: look, write the batch down, put the mark."""
    check_schema(workspace, is_claiming=True)
    open_batch(workspace.registry, batch)
    mark_schema(workspace, batch, now=NOW)
    workspace.registry.batches.cancel(batch, now=NOW)


def _run(workspace: Workspace, *statements: str) -> None:
    with workspace.warehouse.session() as session:
        for statement in statements:
            session.execute(statement)


def test_the_first_batch_puts_the_mark(first: Workspace) -> None:
    """A second one renews it."""
    assert schema_mark(first) is None
    _begin(first)
    mark = SchemaMark(
        registry_id=first.read.ownership.registry_id(),
        registry=first.registry.database.place,
        stamp="b",
        marked_at="2026-01-01T12:00:00+00:00",
    )
    assert schema_mark(first) == mark

    _begin(first, "c")
    assert schema_mark(first) == replace(mark, stamp="c")


@pytest.mark.parametrize(
    "use",
    [
        check_schema,
        lambda workspace: check_schema(workspace, is_claiming=True),
        lambda workspace: mark_schema(workspace, "x", now=LATER),
    ],
    ids=["looks", "claims", "marks"],
)
def test_a_schema_of_another_registry_is_left_alone(
    first: Workspace, second: Workspace, use: Callable[[Workspace], None]
) -> None:
    """The sentence tells where that registry is, and when it has written."""
    _begin(first)

    with pytest.raises(
        SchemaOwnedError,
        match=r"schema `aggs` .*: the registry at sqlite:///.*/first\.sqlite writes there, at last on 2026-01-01T12",
    ):
        use(second)
    mark = schema_mark(second)
    assert mark is not None
    assert mark.stamp == "b"
    check_schema(first)


def test_a_copy_of_a_registry_is_told_from_it_as_soon_as_one_has_written(first: Workspace, tmp_path: Path) -> None:
    _begin(first)
    copy = _copy_of(first, tmp_path)
    check_schema(copy)

    _begin(first, "c")

    with pytest.raises(
        SchemaOwnedError, match=r"a copy of this registry, at sqlite:.*first\.sqlite, has written there"
    ):
        check_schema(copy)
    copy.registry.close()


def test_an_original_notices_what_its_copy_has_written(first: Workspace, tmp_path: Path) -> None:
    _begin(first)
    copy = _copy_of(first, tmp_path)
    _begin(copy, "c")

    with pytest.raises(SchemaOwnedError, match=r"copy\.sqlite, has written there .* restored from a backup"):
        _begin(first, "d")
    copy.registry.close()


def test_a_person_may_take_a_schema_over(first: Workspace, second: Workspace) -> None:
    """The mark of before is told; from then on the other registry is refused."""
    _begin(first)
    before = schema_mark(first)

    assert adopt_schema(second, now=LATER) == before

    check_schema(second)
    with pytest.raises(SchemaOwnedError, match=r"second\.sqlite writes there, at last on 2026-01-01T13"):
        check_schema(first)
    _begin(second, "c")
    assert adopt_schema(first, now=LATER) != before
    check_schema(first)


def test_a_schema_without_a_mark_may_be_taken_over(first: Workspace) -> None:
    assert adopt_schema(first, now=NOW) is None

    mark = schema_mark(first)
    assert mark is not None
    assert first.read.ownership.has_written(mark.stamp)


def test_tables_that_nobody_has_marked_are_somebody_elses(first: Workspace) -> None:
    """Some version that knew nothing of marks has made them. Who only looks is not stopped by them."""
    _run(first, *(f"CREATE TABLE aggs.{_TABLE}{n} AS SELECT 1 AS a" for n in range(4)))
    check_schema(first)

    with pytest.raises(
        SchemaOwnedError,
        match=rf"it holds 4 aggregate tables that this registry has not made \({_TABLE}0, {_TABLE}1, {_TABLE}2\)",
    ):
        check_schema(first, is_claiming=True)
    with pytest.raises(SchemaOwnedError, match="it holds 4 aggregate tables"):
        mark_schema(first, "b", now=NOW)
    assert schema_mark(first) is None


def test_tables_of_other_names_are_no_aggregates(first: Workspace) -> None:
    """Nor are those that were written down, or adopted."""
    _run(first, "CREATE TABLE aggs.mine (a INTEGER)", f"CREATE TABLE aggs.{_TABLE} (a INTEGER)")
    with first.warehouse.session() as session:
        assert unknown_tables(session, first) == {_TABLE}
        first.registry.tables.adopt("aggs", [_TABLE], now=NOW)
        assert unknown_tables(session, first) == frozenset()
    check_schema(first, is_claiming=True)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("note VARCHAR", "atscale_aggs_owner, which tells whose it is, cannot be read"),
        (
            "registry_id VARCHAR, registry VARCHAR, stamp VARCHAR, marked_at VARCHAR",
            "the mark that tells whose it is cannot be made there",
        ),
    ],
    ids=["it cannot be read", "it takes no row"],
)
def test_something_else_in_the_place_of_the_mark(first: Workspace, columns: str, message: str) -> None:
    _run(first, f"CREATE TABLE aggs.atscale_aggs_owner ({columns})")

    with pytest.raises(SchemaOwnedError, match=message):
        mark_schema(first, "b", now=NOW)


def test_a_warehouse_whose_catalog_nobody_knows_has_no_marks(first: Workspace, second: Workspace) -> None:
    """Nothing is read and nothing is written."""
    forget_catalog(first.warehouse)

    mark_schema(first, "b", now=NOW)
    check_schema(second)

    assert schema_mark(first) is None
    with first.warehouse.session() as session:
        assert session.tables("aggs") == frozenset()
